"""UID sets: ascending ranges on the way out, bounded ranges on the way in. Pure.

A range is only ever formed of UIDs that were asked for; a gap is never bridged, because a message that nobody
asked for may live in it. Sets are ascending, since some servers refuse others.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

from syncer.errors import ProtocolError
from syncer.later import later
from syncer.reconcile.identity import Uid

MAX_UID = 2**32 - 1
"""RFC 9051 section 2.3.1.1: a UID is a non-zero unsigned 32-bit number."""

MAX_MESSAGES = 10_000_000
"""In one mailbox: nobody has so many, and each of them takes memory."""
MAX_RANGES = 200_000
"""As many as a set may have that a server sends. They are no proof of anything then, but a lot of memory."""

_RANGE = later(rb"(\d{1,10})(?::(\d{1,10}))?")

Range = tuple[int, int]


def ranges(uids: Iterable[int]) -> Iterator[Range]:
    """The ranges, first and last UID, that hold exactly `uids`; ascending."""
    first = last = 0
    for uid in sorted(set(uids)):
        if uid == last + 1 and first:
            last = uid
            continue
        if first:
            yield first, last
        first = last = uid
    if first:
        yield first, last


def uid_sets(uids: Iterable[int], octets: int) -> Iterator[bytes]:
    """`uids` as sequence sets (RFC 9051 section 9, `sequence-set`), each at most `octets` long."""
    parts: list[bytes] = []
    length = 0
    for first, last in ranges(uids):
        part = b"%d" % first if first == last else b"%d:%d" % (first, last)
        if parts and length + len(part) + 1 > octets:
            yield b",".join(parts)
            parts, length = [], 0
        parts.append(part)
        length += len(part) + 1
    if parts:
        yield b",".join(parts)


def parse_set(text: bytes) -> tuple[Range, ...]:
    """The ranges of a `uid-set` of a response, in the order given, lower end first.

    Raises:
        ProtocolError: it is not a set of UIDs, or too long a one.
    """
    if text.count(b",") >= MAX_RANGES:
        raise ProtocolError(f"the server sent a UID set of more than {MAX_RANGES} ranges")
    found = []
    for part in text.split(b","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise ProtocolError(f"the server sent a UID set that is none: {text[:60]!r}")
        first = int(match[1])
        last = int(match[2] or match[1])
        low, high = min(first, last), max(first, last)
        if not 0 < low <= high <= MAX_UID:
            raise ProtocolError(f"the server sent a UID that is none: {part!r}")
        found.append((low, high))
    return tuple(found)


def united(parts: Iterable[Range]) -> tuple[Range, ...]:
    """The same numbers as ascending ranges that neither overlap nor touch."""
    found: list[Range] = []
    for low, high in sorted(parts):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def named(parts: Iterable[Range]) -> tuple[tuple[Uid, Uid], ...]:
    """`parts` as ranges of UIDs."""
    return tuple((Uid(low), Uid(high)) for low, high in parts)


def clipped(parts: Iterable[Range], low: int, high: int) -> tuple[Range, ...]:
    """What of `parts` lies between `low` and `high`, both included."""
    cut = ((max(low, first), min(high, last)) for first, last in parts)
    return tuple((first, last) for first, last in cut if first <= last)


def gaps(numbers: Iterable[int], low: int, high: int) -> tuple[Range, ...]:
    """What lies between `low` and `high`, both included, and is not in `numbers`."""
    found: list[Range] = []
    for first, last in clipped(ranges(numbers), low, high):
        if low < first:
            found.append((low, first - 1))
        low = last + 1
    if low <= high:
        found.append((low, high))
    return tuple(found)


def amount(parts: Iterable[Range]) -> int:
    """How many numbers are in `parts`, which do not overlap."""
    return sum(high - low + 1 for low, high in parts)


def paired(source: bytes, target: bytes, asked: Iterable[Uid]) -> dict[Uid, Uid]:
    """COPYUID's two sets as old UID -> new UID, in the order given (RFC 4315 section 3).

    Only UIDs in `asked` count, so the work is bounded by what was asked for and not by what the server claims. Sets
    of different sizes say nothing, and neither does what is no set.
    """
    try:
        old, new = parse_set(source), parse_set(target)
    except ProtocolError:
        return {}
    if amount(old) != amount(new):
        return {}
    places = sorted(zip(old, _offsets(old), strict=True))
    starts = [low for (low, _), _ in places]
    offsets = _offsets(new)
    result: dict[Uid, Uid] = {}
    for uid in asked:
        which = bisect_right(starts, uid) - 1
        if which < 0 or uid > places[which][0][1]:
            continue
        (low, _), before = places[which]
        place = before + uid - low
        part = bisect_right(offsets, place) - 1
        result[uid] = Uid(new[part][0] + place - offsets[part])
    return result


def _offsets(parts: tuple[Range, ...]) -> list[int]:
    """How many numbers come before each part."""
    return list(accumulate((high - low + 1 for low, high in parts), initial=0))[:-1]
