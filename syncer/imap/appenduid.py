"""APPENDUID (RFC 4315 section 3): under which UIDs the messages of an APPEND are in the mailbox. Pure."""

import re
from collections.abc import Callable, Sequence

from syncer.imap.responses import Status, number
from syncer.imap.sets import MAX_UID
from syncer.reconcile.identity import Uid

_RANGE = re.compile(rb"(\d{1,10})(?::(\d{1,10}))?")


def new_uids(status: Status | None, count: int, believe: Callable[[int], bool]) -> Sequence[Uid | None]:
    """The UIDs of the `count` messages of a command, in their order; each None where the reply does not tell them.

    They are told by a set of exactly as many, in ascending order, in a UIDVALIDITY that one can `believe`: the
    messages get ascending UIDs in the order of the command, so anything else names other messages.
    """
    if status is not None and status.code is not None and status.code.name == "APPENDUID":
        match status.code.values:
            case (bytes(validity), bytes(uids)) if (known := number(validity)) and believe(known):
                return _ascending(uids, count) or (None,) * count
    return (None,) * count


def _ascending(text: bytes, count: int) -> tuple[Uid, ...] | None:
    """The UIDs of a `uid-set` that names exactly `count`, each once and in ascending order; None for any other text."""
    found: list[Uid] = []
    last = 0
    for part in text.split(b","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return None
        first, before = int(match[1]), last
        last = int(match[2] or match[1])
        if not before < first <= last <= MAX_UID or len(found) + last - first >= count:
            return None
        found += map(Uid, range(first, last + 1))
    return tuple(found) if len(found) == count else None
