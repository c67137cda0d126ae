"""`syncer status`: what is configured and what the last sync left, from the index alone."""

import argparse
import time
from collections.abc import Iterator
from shlex import quote
from typing import Any, Final

from syncer.cli.output import Output, escape
from syncer.cli.targets import configuration
from syncer.findings import AccountStatus
from syncer.report import FAILED, JSON_VERSION, OK

DESCRIPTION: Final = """\
Show what is configured, what is in the index, when each mailbox last synced, and
what failed and why. Asks no server.
"""

_STEPS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of words")


def run(options: argparse.Namespace, output: Output) -> int:
    """Print the status of every account; 1 if an index cannot be read."""
    config = configuration(options.config)
    from syncer.wiring import account_status  # noqa: PLC0415 - opens indexes

    statuses = [account_status(config, account) for account in config.accounts]
    if options.json:
        output.json({"version": JSON_VERSION, "accounts": [as_json(status) for status in statuses]})
    else:
        now = int(time.time())
        for status in statuses:
            for line in lines(status, now):
                output.result(line)
    return FAILED if any(status.error is not None for status in statuses) else OK


def lines(status: AccountStatus, now: int) -> Iterator[str]:
    """One account for a person."""
    yield f"{status.name}: {status.host} <-> {status.maildir}"
    if status.error is not None:
        yield f"  {status.error}"
    elif status.known is None:
        yield f"  never synchronised; to begin: syncer sync {status.name}"
    else:
        total = sum(mailbox.pairs or 0 for mailbox in status.known)
        yield f"  {total} messages in {len(status.known)} mailboxes, last synced {ago(last_synced(status), now)}"
        widest = min(max((len(escape(mailbox.name)) for mailbox in status.known), default=0), 40)
        for mailbox in status.known:
            failure = f"  failed: {mailbox.error}" if mailbox.error is not None else ""
            yield f"    {escape(mailbox.name):{widest}}  {mailbox.pairs:7}  {ago(mailbox.synced_at, now)}{failure}"
            if mailbox.held:
                target = quote(f"{status.name}:{mailbox.name}")
                sides = " and ".join(sorted({"server": "the server", "local": "the Maildir"}[s] for s in mailbox.held))
                yield f"      deletions are held back on {sides}; to have the messages back: syncer restore {target}"
                yield f"      to delete after all: syncer sync --allow-delete {target}"


def as_json(status: AccountStatus) -> dict[str, Any]:
    """One account for a program."""
    known = None if status.known is None else [
        {"name": mailbox.name, "messages": mailbox.pairs, "synced_at": mailbox.synced_at, "error": mailbox.error,
         "held": sorted(mailbox.held)}
        for mailbox in status.known
    ]  # fmt: skip
    return {
        "name": status.name,
        "host": status.host,
        "maildir": status.maildir,
        "error": status.error,
        "synced_at": last_synced(status),
        "mailboxes": known,
    }


def last_synced(status: AccountStatus) -> int | None:
    """When a mailbox of the account last ended well."""
    return max((mailbox.synced_at for mailbox in status.known or () if mailbox.synced_at is not None), default=None)


def ago(moment: int | None, now: int) -> str:
    """A moment as seen from now, such as `5 minutes ago`."""
    if moment is None:
        return "never"
    seconds = now - moment
    for length, word in _STEPS:
        if seconds >= length:
            number = seconds // length
            return f"{number} {word}{'s' if number != 1 else ''} ago"
    return "just now" if seconds >= 0 else "in the future: is the clock right?"
