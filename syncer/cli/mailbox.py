"""`syncer mailbox`: list, create, rename and delete mailboxes on both sides at once."""

import argparse
import shlex
import sys
from typing import Final

from syncer.cli.output import Output, columns, escape, padded
from syncer.cli.targets import account_named, configuration, invocation, mailbox_named, unknown_mailbox
from syncer.config import Account, Config
from syncer.errors import ConfigError
from syncer.findings import MailboxLine
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import FAILED, JSON_VERSION, OK

DESCRIPTION: Final = """\
List, create, rename or delete mailboxes on the server and in the Maildir at once.
Levels of a name are joined by '/', for instance Lists/python.
"""

DELETING: Final = """\
Delete a mailbox and the messages in it on both sides. What the Maildir holds of it
goes to the attic: `syncer restore ACCOUNT:MAILBOX --deleted` brings it back for as
long as `keep_deleted` says. What is on the server alone is gone.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="show every mailbox and where it exists")
    listing.add_argument("account", metavar="ACCOUNT")
    listing.add_argument("--json", action="store_true", help="print one JSON document instead of words")
    listing.set_defaults(act=_list)
    create = actions.add_parser("create", help="create a mailbox on both sides")
    create.add_argument("account", metavar="ACCOUNT")
    create.add_argument("mailbox", metavar="MAILBOX")
    create.set_defaults(act=_create)
    rename = actions.add_parser("rename", help="rename a mailbox, with those below it, on both sides")
    rename.add_argument("account", metavar="ACCOUNT")
    rename.add_argument("mailbox", metavar="MAILBOX")
    rename.add_argument("new_name", metavar="NEW_NAME")
    rename.set_defaults(act=_rename)
    delete = actions.add_parser(
        "delete", help="delete a mailbox and the messages in it on both sides; asks first", description=DELETING
    )
    delete.add_argument("account", metavar="ACCOUNT")
    delete.add_argument("mailbox", metavar="MAILBOX")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    delete.set_defaults(act=_delete)


def run(options: argparse.Namespace, output: Output) -> int:
    """Do what is asked."""
    config = configuration(options.config)
    account = account_named(config, options.account)
    status: int = options.act(config, account, options, output)
    return status


def _list(config: Config, account: Account, options: argparse.Namespace, output: Output) -> int:
    from syncer.wiring import mailbox_list  # noqa: PLC0415 - loads what talks to servers

    mailboxes = mailbox_list(config, account)
    if options.json:
        rows = [
            {
                "name": line.name,
                "on_server": line.on_server,
                "in_maildir": line.in_maildir,
                "synced": account.wants(line.name),
                "messages": line.messages,
            }
            for line in mailboxes
        ]
        output.json({"version": JSON_VERSION, "account": account.name, "mailboxes": rows})
        return OK
    widest = min(max((columns(escape(line.name)) for line in mailboxes), default=0), 60)
    for line in mailboxes:
        output.result(f"{padded(escape(line.name), widest)}  {_place(account, line)}")
    return OK


def _place(account: Account, line: MailboxLine) -> str:
    if not account.wants(line.name):
        return "left out by include and exclude"
    if not (line.on_server and line.in_maildir):
        return "only on the server" if line.on_server else "only in the Maildir"
    return "not synced yet" if line.messages is None else _many(line.messages)


def _create(config: Config, account: Account, options: argparse.Namespace, output: Output) -> int:
    from syncer.wiring import mailbox_create, mailbox_list  # noqa: PLC0415 - loads what talks to servers

    mailbox = _changeable(account, options.mailbox, "create")
    if not account.wants(mailbox):
        raise ConfigError([f"include and exclude of account {account.name} leave {mailbox!r} out: it would never sync"])
    if any(line.name == mailbox and line.on_server and line.in_maildir for line in mailbox_list(config, account)):
        output.say(f"{account.name}:{mailbox}: exists already on both sides")
        return OK
    mailbox_create(config, account, mailbox)
    output.say(f"{account.name}:{mailbox}: created on both sides")
    return OK


def _rename(config: Config, account: Account, options: argparse.Namespace, output: Output) -> int:
    from syncer.wiring import mailbox_rename  # noqa: PLC0415 - loads what talks to servers

    old = _changeable(account, options.mailbox, "rename")
    new = _changeable(account, options.new_name, "rename another mailbox to")
    if new == old or new.startswith(f"{old}/"):
        raise ConfigError([f"{old!r} cannot be renamed to {new!r}: that is the same mailbox, or below it"])
    for mailbox in (old, new):
        if not account.wants(mailbox):
            raise ConfigError([f"include and exclude of account {account.name} leave {mailbox!r} out"])
    if new in _existing(config, account, old):
        raise ConfigError([f"mailbox {new!r} of account {account.name} exists already"])
    mailbox_rename(config, account, old, new)
    output.say(f"{account.name}:{old}: renamed to {new} on both sides")
    return OK


def _delete(config: Config, account: Account, options: argparse.Namespace, output: Output) -> int:
    from syncer.wiring import mailbox_count, mailbox_delete  # noqa: PLC0415 - loads what talks to servers

    mailbox = _changeable(account, options.mailbox, "delete")
    if not options.yes and not _can_ask():
        raise ConfigError([f"deleting {mailbox!r} has to be confirmed; there is no terminal to ask on, so add --yes"])
    _existing(config, account, mailbox)
    server, local = mailbox_count(config, account, mailbox)
    holds = f"{_many(server)} on the server and {_many(local)} in the Maildir"
    if not options.yes and not _confirmed(f"{account.name}:{mailbox} holds {holds}. Delete it on both sides?"):
        output.error(f"{account.name}:{mailbox}: not deleted")
        return FAILED
    mailbox_delete(config, account, mailbox)
    output.say(f"{account.name}:{mailbox}: deleted on both sides; it held {holds}")
    if local:
        command = [*invocation(options), "restore", f"{account.name}:{mailbox}", "--deleted"]
        output.say(f"  to have back what the Maildir held: {shlex.join(command)}")
    return OK


def _changeable(account: Account, word: str, verb: str) -> MailboxName:
    mailbox = mailbox_named(word)
    if mailbox == INBOX:
        raise ConfigError([f"cannot {verb} INBOX: every account has exactly one"])
    if account.direction != "both":
        unchanged = "server" if account.direction == "pull" else "Maildir"
        raise ConfigError(
            [f'account {account.name} has direction = "{account.direction}": the {unchanged} is not changed']
        )
    return mailbox


def _existing(config: Config, account: Account, mailbox: MailboxName) -> list[MailboxName]:
    """The names of all mailboxes, this one among them."""
    from syncer.wiring import mailbox_list  # noqa: PLC0415 - loads what talks to servers

    names = [line.name for line in mailbox_list(config, account)]
    if mailbox not in names:
        raise unknown_mailbox(account, mailbox, names)
    return names


def _many(messages: int | None) -> str:
    if messages is None:
        return "nothing"
    return "1 message" if messages == 1 else f"{messages} messages"


def _can_ask() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _confirmed(question: str) -> bool:
    print(f"{escape(question)} [yes/NO] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"
