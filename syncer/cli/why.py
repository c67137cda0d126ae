"""`syncer why`: what was done to one message."""

import argparse
from typing import Final

from syncer.cli.log import as_json, described, moment
from syncer.cli.output import Output
from syncer.cli.targets import account_named, configuration, mailbox_named
from syncer.config import Account, Config
from syncer.errors import ConfigError
from syncer.findings import History
from syncer.maildir.filename import split
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import PairState
from syncer.report import FAILED, JSON_VERSION, OK

DESCRIPTION: Final = """\
Tell what syncs did to one message, when and why: why it is here, why its flags are
what they are, why it is gone. Asks no server.

The message is the path of its file, which may be gone, or ACCOUNT:MAILBOX with its
UID or its file's name.
"""

_SIDES: Final = {
    PairState.BOTH: "on both sides",
    PairState.SERVER_ONLY: "on the server alone",
    PairState.LOCAL_ONLY: "in the Maildir alone",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("place", metavar="FILE | ACCOUNT:MAILBOX", help="a message's file, or where the message is")
    parser.add_argument("message", nargs="?", metavar="UID | NAME", help="which one, if no file is given")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of words")


def run(options: argparse.Namespace, output: Output) -> int:
    """Print the history; 1 if nothing is known of such a message."""
    config = configuration(options.config)
    account, mailbox, message = _asked_for(config, options.place, options.message)
    from syncer.wiring import message_history  # noqa: PLC0415 - opens an index

    history = message_history(config, account, mailbox, message)
    if options.json:
        document = {"account": account.name, "mailbox": mailbox, "uid": history.uid, "name": history.name}
        events = [as_json(row) for row in history.told]
        output.json({"version": JSON_VERSION, **document, "synced": history.state is PairState.BOTH, "events": events})
    else:
        output.result(f"{account.name}:{mailbox}: {_who(history)}")
        for row in history.told:
            output.result(f"  {moment(row.at)}  {described(row)}")
    if history.told or history.state is not None:
        return OK
    output.error(f"no sync has told of such a message in {account.name}:{mailbox}")
    return FAILED


def _asked_for(config: Config, place: str, message: str | None) -> tuple[Account, MailboxName, Uid | UniqueName]:
    if message is None:
        from syncer.wiring import place_of  # noqa: PLC0415 - as above

        found = place_of(config, place)
        if found is None:
            raise ConfigError([f"{place} is not in the Maildir of any account; give ACCOUNT:MAILBOX and a UID instead"])
        return found
    name, colon, mailbox = place.partition(":")
    account = account_named(config, name)
    if not colon:
        raise ConfigError([f"{place} names no mailbox; write {name}:MAILBOX"])
    number = message.isascii() and message.isdecimal() and len(message) <= 10
    return account, mailbox_named(mailbox), Uid(int(message)) if number else split(message)[0]


def _who(history: History) -> str:
    uid = f"UID {history.uid}" if history.uid is not None else None
    known = "not in the index now" if history.state is None else f"{_SIDES[history.state]}, as far as the index knows"
    return f"{', '.join(filter(None, [uid, history.name]))}: {known}"
