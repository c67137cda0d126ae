"""`syncer status`: what is configured, what the last sync left, and what waits to be sent."""

import argparse
import time
from collections.abc import Collection, Iterator, Sequence
from shlex import join
from typing import Any, Final

from syncer.cli.output import Output, columns, escape, padded
from syncer.cli.targets import configuration, invocation
from syncer.findings import AccountStatus, By, Queued
from syncer.ports import KnownMailbox
from syncer.reconcile.identity import MailboxName
from syncer.report import FAILED, JSON_VERSION, OK

DESCRIPTION: Final = """\
Show what is configured, what is in the index, when each mailbox last synced, what
failed and why, and what is queued: what was changed in the Maildir since, and goes
out with the next pass. Asks no server, and keeps nobody waiting.

With --follow it goes on until it is ended: where a `syncer watch` runs, it tells
what that does, and each thing that is done or goes wrong as it happens.
"""

NOTHING: Final = Queued()
_COUNTS: Final = ("new", "flags", "deleted", "moved")
_BY: Final[dict[By, str]] = {
    "watch": "a `syncer watch` keeps it equal",
    "run": "another process works on it, so that some of what is queued may be on its way",
}
_WHOLE: Final = {"create": "created", "rename": "renamed", "delete": "deleted"}
_STEPS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of words")
    parser.add_argument(
        "--follow",
        action="store_true",
        help="go on, and print what happens as it does; with --json a document on each line",
    )


def run(options: argparse.Namespace, output: Output) -> int:
    """Print the status of every account; 1 if an index cannot be read."""
    config = configuration(options.config)
    if options.follow:
        from syncer.cli.following import follow  # noqa: PLC0415 - a status alone needs none of it

        return follow(options, output, config)
    from syncer.wiring import account_status  # noqa: PLC0415 - opens indexes

    statuses = [account_status(config, account, queue=True) for account in config.accounts]
    if options.json:
        output.json({"version": JSON_VERSION, "accounts": [as_json(status) for status in statuses]})
    else:
        now = int(time.time())
        for status in statuses:
            for line in lines(status, now, invocation(options)):
                output.result(line)
    return FAILED if any(status.error is not None for status in statuses) else OK


def lines(status: AccountStatus, now: int, command: Sequence[str]) -> Iterator[str]:
    """One account for a person. `command` is what begins a command to go on with, such as `syncer -c FILE`."""
    yield f"{status.name}: {status.host} <-> {status.maildir}"
    if status.error is not None:
        yield f"  {status.error}"
    elif not status.known:
        yield f"  never synchronised; to begin: {join([*command, 'sync', status.name])}"
    else:
        total = sum(mailbox.pairs or 0 for mailbox in status.known)
        yield f"  {total} messages in {len(status.known)} mailboxes, last synced {ago(last_synced(status), now)}"
        if status.by is not None:
            yield f"  {_BY[status.by]}"
        yield from (f"  not known what is queued: {escape(why)}" for why in status.unseen)
        queued, mailboxes = status.queued or {}, (*status.known, *_fresh(status))
        widest = min(max((columns(escape(mailbox.name)) for mailbox in mailboxes), default=0), 40)
        for mailbox in mailboxes:
            waits = _waits(queued.get(mailbox.name, NOTHING))
            failure = f"  failed: {mailbox.error}" if mailbox.error is not None else ""
            when = ago(mailbox.synced_at, now)
            yield f"    {padded(escape(mailbox.name), widest)}  {mailbox.pairs:7}  {when}{waits}{failure}"
            yield from _held(f"{status.name}:{mailbox.name}", mailbox.held, command)


def _held(target: str, held: Collection[str], command: Sequence[str]) -> Iterator[str]:
    """What a person may do about deletions that are held back."""
    if held:
        sides = " and ".join(sorted({"server": "on the server", "local": "in the Maildir"}[side] for side in held))
        yield f"      deletions are held back {sides}; to have the messages back: {join([*command, 'restore', target])}"
        yield f"      to delete after all: {join([*command, 'sync', '--allow-delete', target])}"


def _waits(queued: Queued) -> str:
    """What is queued, such as `  queued: 2 new, 3 flags, 1 deleted`; nothing if nothing is."""
    counts = [f"{number} {word}" for word in _COUNTS if (number := getattr(queued, word))]
    if queued.mailbox is not None:
        counts.insert(0, f"to be {_WHOLE[queued.mailbox]} on the server")
    others = [f"{queued.held} {'deletion' if queued.held == 1 else 'deletions'} to be held back"] if queued.held else []
    others += [f"{queued.parked} parked after failures"] if queued.parked else []
    said = [f"queued: {', '.join(counts)}"] if counts else []
    return "".join(f"  {part}" for part in [*said, *others])


def as_json(status: AccountStatus) -> dict[str, Any]:
    """One account for a program."""
    known = None if status.known is None else [
        {"name": mailbox.name, "messages": mailbox.pairs, "synced_at": mailbox.synced_at, "error": mailbox.error,
         "held": sorted(mailbox.held), "queued": _queue_json(status, mailbox.name)}
        for mailbox in (*status.known, *_fresh(status))
    ]  # fmt: skip
    return {
        "name": status.name,
        "host": status.host,
        "maildir": status.maildir,
        "error": status.error,
        "synced_at": last_synced(status),
        "mailboxes": known,
        "unseen": list(status.unseen),
        "by": status.by,
    }


def _fresh(status: AccountStatus) -> tuple[KnownMailbox, ...]:
    """The mailboxes of which something is queued and that the index does not know yet."""
    names = (status.queued or {}).keys() - {mailbox.name for mailbox in status.known or ()}
    return tuple(KnownMailbox(name, None, 0) for name in sorted(names))


def _queue_json(status: AccountStatus, name: MailboxName) -> dict[str, Any] | None:
    """What waits in a mailbox; null where that is not known."""
    if status.queued is None:
        return None
    queued = status.queued.get(name, NOTHING)
    return {field: getattr(queued, field) for field in queued.__struct_fields__}


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
