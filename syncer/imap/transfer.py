"""FETCH of bodies: pipelined in batches, streamed in chunks, one refusal never costs more than one message.

A message's last octets are handed out only after the line that follows its literal was read and is the end of the
response, so that a literal of the wrong length never passes for a message. Memory is bounded by the chunk: a
message whose attributes only follow its octets goes through a temporary file.
"""

import re
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress

from syncer.errors import ConnectionLostError, ProtocolError
from syncer.imap.ahead import Listener
from syncer.imap.bodies import Part, Spooled, Stream, batches
from syncer.imap.responses import LITERAL, Fetch, Status, Value, number, parse
from syncer.imap.sets import uid_sets
from syncer.imap.transport import CHUNK
from syncer.imap.wire import Wire
from syncer.reconcile.identity import Uid

WINDOW = 16
"""Commands under way at once."""
_LAST_WORD = 16 * 1024 * 1024
"""When the caller stops early, so much is read and thrown away to keep the connection; beyond it, it is closed."""
_MAX_LITERAL = 2 * 1024**3
_UNKNOWN_SIZE = 16_384
_HEADER_SIZE = 4096
_REFUSALS = 32
"""After so many refused messages in a row the server means all of them."""
_AROUND = 64
"""Octets that a message takes besides its own: even empty ones are not thrown away without end."""

_END = b")\r\n"
_ITEM = re.compile(r"[A-Z][A-Z0-9.-]*(?:\[.*\])?")
_QUOTED = re.compile(rb'BODY\[(?:HEADER)?\] "', re.IGNORECASE)
_LINE = re.compile(
    rb"\* \d+ FETCH \((?:UID (\d{1,10}) )?(?:FLAGS \(([^()\"{}]*)\) )?(?:UID (\d{1,10}) )?"
    rb'(?:INTERNALDATE "([^"]{1,40})" )?BODY\[(?:HEADER)?\] \{(\d{1,10})\}\r\n'
)


class Download:
    """One run over `uids`. Use `parts` once; the connection is busy until the iteration ends or is closed."""

    def __init__(self, wire: Wire, uids: Sequence[Uid], items: bytes, sizes: Mapping[Uid, int], octets: int) -> None:
        """`items` as FETCH wants them; `sizes` as far as they are known; `octets` bounds a command."""
        self._wire = wire
        self._sizes = sizes
        self._items = items
        header = b"[HEADER]" in items
        self._section, self._last = ("BODY[HEADER]", b"\r\n\r\n") if header else ("BODY[]", b"\n")
        usual = _HEADER_SIZE if header else _UNKNOWN_SIZE
        self._whole = b"FLAGS" in items
        self._missing = set(uids)
        self._queue = deque(batches(list(dict.fromkeys(uids)), sizes, usual, octets))
        self._sent: dict[bytes, list[Uid]] = {}
        self._octets = octets
        self._refused = 0
        self._thrown = 0
        self._stream: Stream | None = None
        self._aside: Listener | None = None

    @property
    def sent(self) -> bool:
        """Answers are on their way."""
        return bool(self._sent)

    def send(self) -> None:
        """The first command, ahead of `parts`; see `Ahead`."""
        self._send_next()

    def drop(self) -> None:
        """See `Ahead`."""
        if self._sent:
            again = deque([*self._sent.values(), *self._queue])
            if not self._wire.closed:
                self._abandon()
            self._queue = again

    def parts(self, aside: Listener | None = None) -> Generator[Part, None, None]:
        """The messages as they come. Each one's body is gone when the next is asked for.

        `aside` hears what else is said: the answers to commands that are under way together may come mixed.
        """
        self._aside = aside
        self._catch_up()
        try:
            while self._queue or self._sent:
                self._fill()
                part = self._next()
                if part is None:
                    continue
                if part.uid not in self._missing:
                    self._throw(part.size)
                    continue
                self._missing.discard(part.uid)
                self._refused = 0
                yield part
                self._release()
        finally:
            if self._sent and not self._wire.closed:
                # Nobody waits for these messages any more; that the connection is closed is told by the next call.
                with suppress(ConnectionLostError, ProtocolError):
                    self._abandon()

    def _fill(self) -> None:
        while self._queue and len(self._sent) < WINDOW:
            self._send_next()

    def _send_next(self) -> None:
        batch = self._queue.popleft()
        (uid_set,) = uid_sets(batch, self._octets)
        self._sent[self._wire.send(b"UID FETCH", uid_set, self._items)] = batch

    def _next(self) -> Part | None:
        """Read one response; a body if it is one."""
        wire = self._wire
        line = wire.line()
        if self._aside is not None and self._aside.line(line):
            return None
        match = _LINE.fullmatch(line)
        if match is not None and self._section.encode() in line:
            first, flags, second, date, size = match.groups()
            uid = first or second
            if uid is not None and (flags is not None or not self._whole):
                return self._literal(line, int(size), Uid(int(uid)), flags, date)
        literal = LITERAL.search(line)
        if literal is not None and line[: literal.start()].rstrip().upper().endswith(self._section.encode()):
            return self._unusual(line[: literal.start()], int(literal[1]))
        response = wire.rest(line)
        if isinstance(response, Status) and response.tag in self._sent:
            self._finished(response)
        part = self._inline(line, response) if isinstance(response, Fetch) else None
        if part is None and self._aside is not None:
            self._aside.hear(response)
        return part

    def _literal(self, line: bytes, size: int, uid: Uid, flags: bytes | None, date: bytes | None) -> Part:
        """The literal that follows `line`, when everything else is known."""
        self._check_size(size)
        if size > CHUNK:
            self._stream = Stream(self._wire, size, lambda last: self._end(line, uid, size, last))
            return Part(uid, flags, date, size, self._stream)
        octets = self._wire.chunk(size)
        self._wire.renew()
        self._end(line, uid, size, octets)
        return Part(uid, flags, date, size, iter((octets,) if octets else ()))

    def _end(self, line: bytes, uid: Uid | None, size: int, last: bytes) -> Fetch | None:
        """Read what follows the literal that `line` announced, and that ends in `last`: the end of the response."""
        tail = self._wire.line()
        if tail == b"\r\n" and last.endswith(self._last) and self._sizes.get(uid or Uid(0), size) == size:
            # CPython issue 88574: servers that add an empty line after a literal. It may as well be the message's last
            # line end, of one that is announced too short, unless that line has an end already.
            tail = self._wire.line()
        if tail == _END:
            return None
        response = None
        if tail.startswith((b" ", b")")):
            response = self._wire.rest(tail, (line[: line.rindex(b"{")].removesuffix(b"~"), b""))
        if not isinstance(response, Fetch) or not all(_ITEM.fullmatch(name) for name in response.items):
            self._wire.fail("the server sent a literal of another length than announced")
        return response

    def _unusual(self, before: bytes, size: int) -> Part | None:
        """A body whose attributes come in another order, perhaps after it."""
        try:
            known = parse([before, b"", b")"])
        except ProtocolError as error:
            self._wire.fail(str(error))
        items = known.items if isinstance(known, Fetch) else {}
        uid = number(items.get("UID"))
        if uid is not None and (("FLAGS" in items and "INTERNALDATE" in items) or not self._whole):
            return self._literal(before + b"{", size, Uid(uid), _words(items.get("FLAGS")), _date(items))
        self._check_size(size)
        last, body, left = b"", Spooled(), size
        while left:
            chunk = self._wire.chunk(min(left, CHUNK))
            self._wire.renew()
            body.write(chunk)
            left -= len(chunk)
            last = chunk
        whole = self._end(before + b"{", Uid(uid) if uid else None, size, last)
        items = {**items, **(whole.items if whole else {})}
        uid = number(items.get("UID"))
        if uid is None:
            self._throw(size)
            return None
        return Part(Uid(uid), _words(items.get("FLAGS")), _date(items), size, iter(body))

    def _inline(self, line: bytes, response: Fetch) -> Part | None:
        """A body as a quoted string, or NIL, or no body at all (somebody changed flags); never an atom."""
        uid, body = number(response.items.get("UID")), response.items.get(self._section)
        if uid is None or not isinstance(body, bytes) or not _QUOTED.search(line):
            return None
        flags, date = _words(response.items.get("FLAGS")), _date(response.items)
        return Part(Uid(uid), flags, date, len(body), iter((body,) if body else ()))

    def _catch_up(self) -> None:
        """Whoever waited for another command may have read the reply to one of ours."""
        for tag in [*self._sent]:
            status = self._wire.reply(tag)
            if status is not None:
                self._finished(status)

    def _finished(self, status: Status) -> None:
        self._wire.reply(status.tag)
        batch = self._sent.pop(status.tag)
        rest = [uid for uid in batch if uid in self._missing]
        if status.kind == "OK" or not rest:
            return
        if len(rest) < len(batch):
            self._queue.appendleft(rest)
        elif len(rest) > 1:
            half = len(rest) // 2
            self._queue.extendleft((rest[half:], rest[:half]))
        else:
            self._refused += 1
            if self._refused >= _REFUSALS:
                self._queue.clear()

    def _check_size(self, size: int) -> None:
        if size > _MAX_LITERAL:
            self._wire.fail(f"the server sent a message of {size} octets; more than 2 GiB is not read")

    def _release(self) -> None:
        if self._stream is not None:
            self._stream.drain()
            self._stream = None

    def _throw(self, size: int) -> None:
        """A message came that nobody has asked for. That is no progress, though it may look like it."""
        self._release()
        self._thrown += size + _AROUND
        if self._thrown > _LAST_WORD:
            self._wire.fail("the server sends messages that were not asked for")

    def _abandon(self) -> None:
        """The caller has had enough: read what is under way, or close the connection if that is too much."""
        self._catch_up()
        self._queue.clear()
        thrown = 0
        while self._sent:
            if self._stream is not None:
                thrown += self._stream.left
            if thrown > _LAST_WORD:
                self._wire.shut("it was closed in the middle of a message, because the rest was not wanted")
                return
            self._release()
            part = self._next()
            if part is not None:
                thrown += _AROUND + (part.size if self._stream is None else 0)
            self._queue.clear()


def _words(value: Value) -> bytes | None:
    if not isinstance(value, list):
        return None
    return b" ".join(item for item in value if isinstance(item, bytes))


def _date(items: Mapping[str, Value]) -> bytes | None:
    value = items.get("INTERNALDATE")
    return value if isinstance(value, bytes) else None
