"""APPEND, message by message, several under way at once where the server takes literals without being asked.

A message of up to 1 MiB is read whole before it is announced, so that a file that changes meanwhile costs nothing
but itself. A larger one is announced and waited for, also where the server would take it unasked: it can then
refuse it before it was sent. Octets that were announced and cannot be delivered leave one way out, to break the
connection off.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress

from syncer.errors import ConnectionLostError, NoSuchMailboxError, ProtocolError, VanishedError
from syncer.imap.arguments import Argument, Literal, flag_list
from syncer.imap.dates import format_date
from syncer.imap.responses import Status, number
from syncer.imap.wire import Wire
from syncer.ports import Appended, Outgoing
from syncer.reconcile.flags import Flags
from syncer.reconcile.identity import Uid, UniqueName

_SMALL = 1024 * 1024
_IN_FLIGHT_OCTETS = 4 * 1024 * 1024
_IN_FLIGHT = 128
"""What is on its way when the connection breaks has to be looked for; what is not costs a round trip."""


class _NotSentError(Exception):
    """The file is not what its fingerprint says."""


class Upload:
    """One run of APPENDs into one mailbox. Use `outcomes` once."""

    def __init__(self, wire: Wire, target: Argument, limit: int | None, believe: Callable[[int], bool]) -> None:
        """`limit` is APPENDLIMIT (RFC 7889); `believe` tells whether a UIDVALIDITY is the mailbox's."""
        self._wire = wire
        self._target = target
        self._limit = limit
        self._believe = believe
        self._sent: deque[tuple[UniqueName, bytes | None, str, int]] = deque()
        self._octets = 0

    def outcomes(self, messages: Iterable[tuple[Outgoing, Flags]]) -> Generator[Appended, None, None]:
        """Append each message and yield the outcomes in order."""
        try:
            for message, flags in messages:
                yield from self._make_room(message.fingerprint.size)
                self._start(message, flags)
            while self._sent:
                yield self._outcome()
        finally:
            # Nobody waits for these outcomes any more; that the connection is closed is told by the next call.
            with suppress(ConnectionLostError, ProtocolError):
                while self._sent and not self._wire.closed:
                    self._settle()

    def _make_room(self, size: int) -> Iterator[Appended]:
        alone = size > _SMALL or self._wire.asks(size)
        while self._sent and (alone or len(self._sent) >= _IN_FLIGHT or self._octets + size > _IN_FLIGHT_OCTETS):
            yield self._outcome()

    def _start(self, message: Outgoing, flags: Flags) -> None:
        size = message.fingerprint.size
        why = self._objection(size)
        tag = None
        if not why:
            try:
                head = b" ".join((flag_list(flags), b'"' + format_date(message.internaldate) + b'"', b""))
                tag = self._send(message, size, head)
            except (VanishedError, _NotSentError, ValueError) as error:
                why = str(error)
        self._sent.append((message.name, tag, why, size if tag else 0))
        self._octets += size if tag else 0

    def _objection(self, size: int) -> str:
        if size == 0:
            return "the file is empty, and an empty message cannot be appended"
        if self._limit is not None and size > self._limit:
            return f"the message has {size} octets, and the server takes {self._limit} (APPENDLIMIT)"
        return ""

    def _send(self, message: Outgoing, size: int, head: bytes) -> bytes:
        wire = self._wire
        chunks = message.chunks()
        if size <= _SMALL:
            octets = b"".join(_exactly(chunks, size))
            if isinstance(self._target, Literal):
                return wire.send(b"APPEND", self._target, head.rstrip(b" "), Literal(octets))
            tag = wire.next_tag()
            line = b" ".join((tag, b"APPEND", self._target, head))
            if wire.asks(size):
                if wire.announce(tag, line, size):
                    wire.write(octets + b"\r\n")
            else:
                wire.write(b"".join((line, b"{%d+}\r\n" % size, octets, b"\r\n")))
            return tag
        first = next(chunks, b"")
        tag = wire.next_tag()
        if self._announce_large(tag, head, size):
            self._stream(message, first, chunks, size)
        return tag

    def _announce_large(self, tag: bytes, head: bytes, size: int) -> bool:
        line = tag + b" APPEND "
        target = self._target
        if isinstance(target, Literal):
            if not self._wire.announce(tag, line, len(target.octets)):
                return False
            line, target = b"", target.octets
        return self._wire.announce(tag, line + target + b" " + head, size, ask=True)

    def _stream(self, message: Outgoing, first: bytes, chunks: Iterator[bytes], size: int) -> None:
        sent = 0
        chunk = first
        try:
            while chunk:
                sent += len(chunk)
                if sent > size:
                    break
                self._wire.write(chunk)
                self._wire.renew()
                chunk = next(chunks, b"")
        except VanishedError as error:
            self._wire.break_off(f"{message.name} changed while it was sent: {error}")
        if sent != size:
            self._wire.break_off(f"{message.name} changed while it was sent: it has not {size} octets any more")
        self._wire.write(b"\r\n")

    def _settle(self) -> tuple[UniqueName, Status | None, str]:
        """Wait for the reply to the oldest APPEND."""
        name, tag, why, size = self._sent[0]
        status = None
        while tag is not None and (status := self._wire.reply(tag)) is None:
            self._wire.read()
        self._wire.renew()
        self._sent.popleft()
        self._octets -= size
        return name, status, why

    def _outcome(self) -> Appended:
        name, status, why = self._settle()
        if status is None:
            return Appended(name, refused=why)
        if status.kind == "OK":
            return Appended(name, uid=self._new_uid(status))
        if status.has("TRYCREATE", "NONEXISTENT"):
            raise NoSuchMailboxError(f"{self._wire.where}: the mailbox to append to does not exist: {status.words}")
        return Appended(name, refused=status.words)

    def _new_uid(self, status: Status) -> Uid | None:
        """APPENDUID's UID (RFC 4315 section 3), if it is one in the UIDVALIDITY that we know."""
        values = status.code.values if status.code is not None and status.code.name == "APPENDUID" else ()
        if len(values) != 2:
            return None
        validity, uid = number(values[0]), number(values[1])
        if not validity or not uid or uid >= 2**32 or not self._believe(validity):
            return None
        return Uid(uid)


def _exactly(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > size:
            break
        yield chunk
    if total != size:
        raise _NotSentError(f"the file changed while it was read: it has not {size} octets any more; sync again")
