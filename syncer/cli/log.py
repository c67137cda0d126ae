"""`syncer log`: what syncs did, from the journal in the index."""

import argparse
import datetime as dt
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from syncer.cli.output import Output
from syncer.cli.targets import account_named, configuration, targets
from syncer.reconcile.events import Told
from syncer.report import JSON_VERSION, OK

DESCRIPTION: Final = """\
Tell what syncs did to which messages, when, and because of which side and which
observation. It is kept for 400 days. Asks no server.
"""

LAST: Final = 20
"""So many syncs are told of unless somebody asks for more."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help="ACCOUNT or ACCOUNT:MAILBOX; none means every account"
    )
    limits = parser.add_mutually_exclusive_group()
    limits.add_argument(
        "-n", dest="runs", type=number, metavar="N", help=f"the last N syncs that did something ({LAST})"
    )
    limits.add_argument("--since", type=day, metavar="DATE", help="everything since this day, YYYY-MM-DD")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of words")


def day(word: str) -> dt.datetime:
    """The beginning of a day here, from 1970 on. Raises argparse.ArgumentTypeError."""
    try:
        found = dt.date.fromisoformat(word)
    except ValueError:
        found = dt.date.min
    if not 1970 <= found.year < dt.MAXYEAR:  # as others have no time in every zone
        raise argparse.ArgumentTypeError(f"{word!r} is not a day such as 2026-11-30")
    return dt.datetime.combine(found, dt.time()).astimezone()


def number(word: str) -> int:
    """How many syncs. Raises argparse.ArgumentTypeError."""
    if not (word.isascii() and word.isdecimal() and 0 < int(word[:10]) < 10**9):
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of syncs, 1 or more")
    return int(word)


def run(options: argparse.Namespace, output: Output) -> int:
    """Print the journal, the oldest first."""
    config = configuration(options.config)
    from syncer.wiring import account_log  # noqa: PLC0415 - opens indexes

    since = None if options.since is None else int(options.since.timestamp())
    runs = None if since is not None else LAST if options.runs is None else options.runs
    documents: list[dict[str, Any]] = []
    for target in targets(config, options.targets):
        account = account_named(config, target.account)
        told = account_log(config, account, mailbox=target.mailbox, since=since, runs=runs)
        documents.append({"name": target.account, "events": [as_json(row) for row in told]})
        if not options.json:
            for line in lines(target.account, told):
                output.result(line)
            if not told:
                output.say(f"{target}: nothing was done yet, or it is longer ago")
    if options.json:
        output.json({"version": JSON_VERSION, "accounts": documents})
    return OK


def lines(account: str, told: tuple[Told, ...]) -> Iterator[str]:
    """For a person."""
    for number, rows in groupby(told, lambda row: row.run):
        group = list(rows)
        yield f"{moment(group[0].at)}  {account}, sync {number}"
        for row in group:
            yield f"  {row.mailbox}: {described(row)}"


def described(row: Told) -> str:
    """What was done, to which messages, and why."""
    what = f"{row.count} {row.verb}" if row.count else row.verb
    detail = f" {row.detail}" if row.detail else ""
    messages = f", UID {row.uids}" if row.uids else f", {', '.join(row.names[:3])}" if row.names else ""
    more = f" and {len(row.names) - 3} more" if not row.uids and len(row.names) > 3 else ""
    return f"{what}{detail}{messages}{more} ({row.reason})"


def moment(at: int) -> str:
    """A time here."""
    return dt.datetime.fromtimestamp(at, dt.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def as_json(row: Told) -> dict[str, Any]:
    """For a program."""
    return {
        "sync": row.run,
        "at": row.at,
        "mailbox": row.mailbox,
        "done": row.verb,
        "reason": row.reason,
        "detail": row.detail,
        "messages": row.count,
        "uids": row.uids,
        "names": list(row.names),
    }
