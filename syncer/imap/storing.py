"""STORE: two commands at most for each distinct delta, and no waiting for one before the next is sent."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator

from syncer.imap.arguments import flag_list
from syncer.imap.kept import MAX_UNTAGGED
from syncer.imap.responses import MODSEQ_LINE
from syncer.imap.sets import uid_sets
from syncer.imap.wire import Wire
from syncer.reconcile.flags import FlagDelta
from syncer.reconcile.identity import Uid

_UNDER_WAY = 16_384
"""Octets of commands whose replies were not read: less than what fits between two programs that both only send."""


class Stores:
    """The commands of one call, and which changes were refused."""

    def __init__(self, wire: Wire, octets: int, *, in_turn: bool) -> None:
        """`octets` bounds a command; `in_turn`: nothing is sent before what went before was not refused."""
        self.refused: dict[int, str] = {}
        """The reason, by the place of the change."""
        self._wire = wire
        self._octets = octets
        self._most = 0 if in_turn else _UNDER_WAY
        self._sent: deque[tuple[int, bytes, int]] = deque()
        self._under_way = 0
        self._told = 0

    def run(self, changes: Iterable[tuple[Collection[Uid], FlagDelta]]) -> None:
        """Make the changes. What is left of one that was refused is not sent, if it was not sent already."""
        for place, (uids, change) in enumerate(changes):
            try:
                for uid_set, words in self._commands(uids, change):
                    self._send(place, uid_set, words)
            except ValueError as error:
                self.refused[place] = f"{error}; rename the keyword"
        while self._sent:
            self._wait()

    def _commands(self, uids: Collection[Uid], change: FlagDelta) -> Iterator[tuple[bytes, bytes]]:
        signed = [(b"+FLAGS.SILENT ", change.add), (b"-FLAGS.SILENT ", change.remove)]
        for words in [sign + flag_list(flags) for sign, flags in signed if flags]:
            for uid_set in uid_sets(uids, self._octets - min(len(words), self._octets // 2)):
                yield uid_set, words

    def _send(self, place: int, uid_set: bytes, words: bytes) -> None:
        size = len(uid_set) + len(words)
        while self._sent and self._under_way + size > self._most:
            self._wait()
        if place not in self.refused:
            self._sent.append((place, self._wire.send(b"UID STORE", uid_set, words), size))
            self._under_way += size

    def _wait(self) -> None:
        place, tag, size = self._sent.popleft()
        self._under_way -= size
        status = self._wire.wait(tag, line=self._tells_modseq)
        self._wire.renew()
        # RFC 2180 section 4.2: servers say NO if some of the messages are gone; the others were changed.
        if status.kind != "OK" and not status.has("EXPUNGEISSUED"):
            self.refused.setdefault(place, f"the server refused STORE: {status.words}")

    def _tells_modseq(self, line: bytes) -> bool:
        """Whether a line only tells that a message has a new modseq, as one does for each that a STORE has changed."""
        told = MODSEQ_LINE.fullmatch(line) is not None
        self._told += told
        if told and self._told < MAX_UNTAGGED:
            self._wire.renew()
        return told
