"""What a server tells of the time since a cursor, and whether its counters bear it out.

A server's word is not taken for what is gone. At the cursor there were so many messages, now there are so many, and
so many new ones were named: what remains is how many of the old ones are gone, and the UIDs that the server names
(RFC 7162 section 3.2.6) have to be exactly as many. Ranges are counted and cut, never expanded.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping

from syncer.errors import ProtocolError
from syncer.imap.listing import FlagLines, FlagSets
from syncer.imap.responses import Code, Counted, Data, Response, Status
from syncer.imap.selected import Selected
from syncer.imap.sets import MAX_RANGES, Range, amount, clipped, gaps, named, parse_set, united
from syncer.imap.wire import Wire
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import Flags
from syncer.reconcile.identity import Uid
from syncer.reconcile.observations import ServerDelta

_VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([\d:,]+)\r\n", re.IGNORECASE)
_CLOSED = b"* OK [CLOSED]"


class News:
    """Collects what `SELECT (QRESYNC ...)` tells beside the mailbox's counters (RFC 7162 section 3.2.5)."""

    def __init__(self, wire: Wire, flag_sets: FlagSets, since: Cursor) -> None:
        self.since = since
        self.lines = FlagLines(wire, flag_sets)
        self.odd = False
        """Something was said that cannot be meant."""
        self._vanished: list[Range] = []

    @property
    def vanished(self) -> tuple[Range, ...]:
        """Ascending, each UID once."""
        return united(self._vanished)

    def line(self, line: bytes) -> bool:
        """Take a line, if it tells of messages in the usual form."""
        if self.lines.line(line):
            return True
        match = _VANISHED.fullmatch(line)
        if match is not None:
            self._vanish(match[2], earlier=match[1] is not None)
        elif line[: len(_CLOSED)].upper() == _CLOSED:  # what came before was about the mailbox selected before
            self.lines.found.clear()
            self._vanished.clear()
            self.odd = False
        return match is not None

    def hear(self, untagged: Iterable[Response]) -> None:
        """Take from the other responses what tells of messages."""
        rest: list[Response] = []
        for response in untagged:
            if isinstance(response, Status) and response.code == Code("CLOSED"):
                rest.clear()
            rest.append(response)
        for response in rest:
            self.lines.hear(response)
            self.odd |= isinstance(response, Data) and response.kind == "VANISHED"
            self.odd |= isinstance(response, Counted) and response.kind == "EXPUNGE"

    def _vanish(self, words: bytes, *, earlier: bool) -> None:
        """Take a set. Who names too many UIDs is not asked what vanished but what is there."""
        try:
            self._vanished += parse_set(words)
        except ProtocolError:
            self.odd = True
        self.odd |= not earlier or len(self._vanished) > MAX_RANGES
        if self.odd:
            self._vanished.clear()


def follows(since: Epoch, now: Epoch) -> bool:
    """Whether `now` can be a later moment of `since`: counters are told, and none of them went back."""
    return (
        since.uidvalidity == now.uidvalidity
        and 0 < (since.uidnext or 0) <= (now.uidnext or 0)
        and 0 < (since.highestmodseq or 0) <= (now.highestmodseq or 0)
        and (since.mailbox_id is None or now.mailbox_id is None or since.mailbox_id == now.mailbox_id)
    )


def delta_of(
    since: Cursor, selected: Selected, messages: int, flags: Mapping[Uid, Flags], told: tuple[Range, ...] | None
) -> ServerDelta | None:
    """What changed, `messages` being EXISTS at the selection and `told` the UIDs that the server calls vanished.

    `told` is None where the server cannot tell. The delta's `vanished` is None where the counters do not prove it.
    None where they contradict it.
    """
    first, end = since.epoch.uidnext or 0, (selected.epoch.uidnext or 0) - 1
    new = [uid for uid in flags if first <= uid <= end]
    lost = since.messages + len(new) - messages
    old = clipped(told or (), 1, first - 1)
    if not 0 <= lost <= since.messages or _both(flags, told or ()):
        return None
    if told is not None and amount(old) < lost:
        return None
    # More may be called vanished than ever was there, and then the counters cannot tell which of it was.
    late = clipped(told or (), first, end)
    proved = amount(old) == lost and late == gaps(new, first, end)
    return ServerDelta(
        Cursor(selected.epoch, messages),
        flags,
        named(united((*old, *late))) if proved else None,
        selected.writable,
        selected.storable,
        selected.any_keyword,
    )


def _both(flags: Iterable[Uid], vanished: tuple[Range, ...]) -> bool:
    """Whether a UID is said to be there and to be gone."""
    starts = [low for low, _ in vanished]
    return any((place := bisect_right(starts, uid)) and uid <= vanished[place - 1][1] for uid in flags)
