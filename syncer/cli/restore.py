"""`syncer restore`: bring back what is missing on one side from the other, or from the attic what a sync removed."""

import argparse
import datetime as dt
from typing import Any, Final

from syncer.cli import sync
from syncer.cli.log import day
from syncer.cli.output import Output
from syncer.cli.targets import account_named, configuration, targets
from syncer.config import Account
from syncer.errors import AccountError
from syncer.findings import Restored
from syncer.reconcile.identity import MailboxName
from syncer.report import FAILED, JSON_VERSION, OK, error_status

DESCRIPTION: Final = """\
Bring back messages that were on both sides and are missing on one, from the copy
that is left on the other: what a sync held back because most of a mailbox was gone,
and what direction = "pull" or "push" or on_local_delete = "keep" left on one side.
Everything else is synchronised as always; nothing is deleted on either side.

With --deleted, or any of --since, --run and --message: bring back from the attic
what syncs took out of the Maildir, because it was expunged on the server. The next
sync uploads it. What is in the attic is kept for keep_deleted.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="ACCOUNT or ACCOUNT:MAILBOX")
    parser.add_argument("--deleted", action="store_true", help="from the attic, everything of TARGET")
    parser.add_argument("--since", type=day, metavar="DATE", help="from the attic, what went there since this day")
    parser.add_argument(
        "--run", dest="number", type=int, metavar="N", help="from the attic, what sync N removed (see syncer log)"
    )
    parser.add_argument("--message", metavar="NAME", help="from the attic, the file of this name")
    parser.add_argument("-n", "--dry-run", action="store_true", help="print the plan, change nothing on either side")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of words")
    parser.add_argument("--wait", action="store_true", help="wait if another run works on the account, do not leave")
    parser.set_defaults(full=False, allow_delete=False, restore=True)


def run(options: argparse.Namespace, output: Output) -> int:
    """Make the pass, or empty the attic; print what happened, return the exit status."""
    if options.deleted or options.since or options.number is not None or options.message is not None:
        return _from_attic(options, output)
    return sync.run(options, output)


def _from_attic(options: argparse.Namespace, output: Output) -> int:
    config = configuration(options.config)
    from syncer.wiring import Wish, restore_from_attic  # noqa: PLC0415 - opens Maildirs

    mailboxes: dict[str, list[MailboxName | None]] = {}
    for target in targets(config, options.targets, may_be_gone=True):
        mailboxes.setdefault(target.account, []).append(target.mailbox)
    since = None if options.since is None else attic_day(options.since)
    message = None if options.message is None else options.message.rpartition("/")[2]
    status = OK
    documents: list[dict[str, Any]] = []
    for name, chosen in mailboxes.items():
        wish = Wish(chosen, since, options.number, message)
        document: dict[str, Any] = {"name": name, "error": None, "restored": []}
        documents.append(document)
        try:
            account = account_named(config, name)
            for found in restore_from_attic(config, account, wish, dry_run=options.dry_run, wait=options.wait):
                status = max(status, OK if found.error is None else FAILED)
                document["restored"].append(_as_json(found))
                _say(account, found, options, output)
        except AccountError as error:
            document["error"] = str(error)
            status = max(status, error_status(error))
            output.error(f"{name}: {error}")
        if not document["restored"] and document["error"] is None and message is None:
            output.say(f"{name}: there is no such message in the attic")
    if message is not None and status == OK and not any(document["restored"] for document in documents):
        output.error(f"nothing was brought back: no message in the attic has the file name {message}")
        status = FAILED
    if options.json:
        output.json({"version": JSON_VERSION, "ok": status == OK, "accounts": documents})
    return status


def attic_day(moment: dt.datetime) -> str:
    """The attic's day, which is one of UTC, in which a day here begins."""
    return moment.astimezone(dt.UTC).date().isoformat()


def _say(account: Account, found: Restored, options: argparse.Namespace, output: Output) -> None:
    place = f"{account.name}:{found.mailbox}"
    if found.error is not None:
        output.error(f"{place}: {found.error}")
    elif not options.json:
        uploaded = account.direction != "pull" and account.wants(found.mailbox)
        after = "the next sync uploads it" if uploaded else "it stays in the Maildir alone"
        done = "would be brought back" if options.dry_run else f"brought back; {after}"
        output.result(f"{place}: {found.name}, removed on {found.day}: {done}")


def _as_json(found: Restored) -> dict[str, Any]:
    return {"mailbox": found.mailbox, "day": found.day, "name": found.name, "error": found.error}
