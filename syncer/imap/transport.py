"""A socket that never blocks for good, and that reads while it writes.

Every wait ends at the read timeout or at the deadline of the command under way, whichever is sooner. What the server
says while we send is set aside, so that two sides with full buffers never wait for each other.
"""

from __future__ import annotations

import io
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from syncer.errors import ProtocolError
from syncer.later import Later
from syncer.turns import waiting

if TYPE_CHECKING:
    import ssl
    import zlib
else:
    ssl, zlib = Later("ssl"), Later("zlib")

CHUNK = 65_536
BUFFER = 2 * CHUNK
"""Read at once: half of the system calls, and of the hand-overs of the interpreter lock that come with them."""
MAX_LINE = 8 * 1024 * 1024
"""A line of a response, without its literals. The longest legitimate ones are FLAGS and VANISHED."""
MOMENT = 0.5
"""Seconds between two looks whether the program is to end."""
GRACE = 2.0
"""Seconds that a silent server has left then."""
_MAX_ASIDE = 4 * 1024 * 1024
"""As much as is read ahead while we send; beyond it the server has to wait for us."""


class _Never(OSError):  # noqa: N818 (nobody ever raises it)
    """In place of SSLWantReadError and SSLWantWriteError for a plain socket."""


class Transport(io.RawIOBase):
    """The raw side of a connection. Read through `reader`, write with `send`.

    Raises:
        OSError: the connection broke, or the server took too long (TimeoutError).
        ProtocolError: a line is longer than `MAX_LINE`.
    """

    def __init__(
        self,
        sock: socket.socket,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        stop: threading.Event | None = None,
    ) -> None:
        """`timeout` is the longest silence in seconds; once `stop` is set, a few seconds are."""
        self._stop = stop
        self._end: float | None = None
        self.socket = sock
        self.deadline: float | None = None
        self._timeout = timeout
        self._clock = clock
        self._aside: deque[bytes] = deque()
        self._aside_octets = 0
        self._inflater: zlib._Decompress | None = None
        self._deflater: zlib._Compress | None = None
        self._deflated = b""
        # What TLS raises; naming it would load ssl also for a connection without.
        tls = hasattr(sock, "getpeercert")
        self._want_read: type[OSError] = ssl.SSLWantReadError if tls else _Never
        self._want_write: type[OSError] = ssl.SSLWantWriteError if tls else _Never
        sock.settimeout(0)
        self.reader = io.BufferedReader(self, BUFFER)

    def allow(self, seconds: float) -> None:
        """Put the deadline this far into the future."""
        self.deadline = self._clock() + seconds

    def readable(self) -> bool:
        """Yes: what `io.BufferedReader` wants to know."""
        return True

    def compress(self) -> None:
        """From now on both sides send DEFLATE (RFC 4978); no command may be under way."""
        if self.early_octets():
            self._deflated = self.reader.read1(CHUNK)
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's buffer has no length
        """At least one octet, or 0 at the end."""
        return self._receive(buffer) if self._inflater is None else self._inflate(self._inflater, buffer)

    def _inflate(self, inflater: zlib._Decompress, buffer: memoryview) -> int:
        """As much as fits into `buffer` and no more: a few octets may stand for very many."""
        try:
            while not (octets := inflater.decompress(self._deflated, len(buffer))):
                self._deflated = b""  # taken in, even if nothing more is received for now
                received = bytearray(CHUNK)
                count = self._receive(memoryview(received))
                if not count:
                    return 0
                self._deflated = bytes(received[:count])
        except zlib.error as error:
            raise ConnectionError(f"the compressed data are damaged: {error}") from error
        self._deflated = inflater.unconsumed_tail
        buffer[: len(octets)] = octets
        return len(octets)

    def _receive(self, buffer: memoryview) -> int:
        if self.deadline is not None and self._clock() > self.deadline:
            raise TimeoutError("the server did not finish the command in time")
        if self._aside:
            return self._take_aside(buffer)
        while True:
            try:
                return self.socket.recv_into(buffer)
            except (BlockingIOError, self._want_read):
                self._wait(select.POLLIN)
            except self._want_write:
                self._wait(select.POLLOUT)

    def line(self) -> bytes:
        """One line with its end; empty at the end of the stream."""
        line = self.reader.readline(MAX_LINE)
        if len(line) >= MAX_LINE:
            raise ProtocolError(f"the server sent a line of more than {MAX_LINE} octets")
        return line

    def send(self, data: bytes) -> None:
        """All of `data`."""
        if self._deflater is not None:
            data = self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
        view = memoryview(data)
        while view:
            try:
                view = view[self.socket.send(view) :]
            except (BlockingIOError, self._want_write):
                self._wait(select.POLLOUT, listen=True)
            except self._want_read:
                self._wait(select.POLLIN)

    def early_octets(self) -> bool:
        """Whether the server has said something that was not read yet."""
        timeout, self._timeout = self._timeout, 0
        try:
            return bool(self.reader.peek(1))
        except TimeoutError:
            return False
        finally:
            self._timeout = timeout

    def said(self, seconds: float, wake: int) -> bool:
        """Whether there is something to read, the end of the stream included, within `seconds`.

        False as soon as the descriptor `wake` can be read, unless there is.
        """
        self.deadline = None
        end = self._clock() + seconds
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        poll.register(wake, select.POLLIN)
        while not self._has_octets():
            # What TLS received may have been for TLS alone.
            ready = dict(poll.poll(max(0.0, end - self._clock()) * 1000))
            if not ready or (wake in ready and self.socket.fileno() not in ready):
                return self._has_octets()
        return True

    def _has_octets(self) -> bool:
        """Or has ended, which reading it will show."""
        timeout, self._timeout = self._timeout, 0
        try:
            self.reader.peek(1)
        except TimeoutError:
            return False
        finally:
            self._timeout = timeout
        return True

    def _take_aside(self, buffer: memoryview) -> int:
        piece = self._aside.popleft()
        count = min(len(piece), len(buffer))
        buffer[:count] = piece[:count]
        if count < len(piece):
            self._aside.appendleft(piece[count:])
        self._aside_octets -= count
        return count

    def _wait(self, event: int, *, listen: bool = False) -> None:
        """Until the socket is ready for `event`; with `listen`, what arrives meanwhile is set aside."""
        timeout = self._timeout
        if self.deadline is not None:
            timeout = min(timeout, self.deadline - self._clock())
        poll = select.poll()
        listen = listen and self._aside_octets < _MAX_ASIDE
        poll.register(self.socket, event | (select.POLLIN if listen else 0))
        with waiting():
            ready = self._polled(poll, max(0.0, timeout))
        if not ready:
            raise TimeoutError(f"the server was silent for {timeout:.0f} seconds")
        if listen and ready[0][1] & ~select.POLLOUT:
            self._set_aside()

    def _polled(self, poll: select.poll, seconds: float) -> list[tuple[int, int]]:
        """What is ready within so many seconds, or within `GRACE` once `stop` is set."""
        if self._stop is None:
            return poll.poll(seconds * 1000)
        end = self._clock() + seconds
        while True:
            if self._end is None and self._stop.is_set():
                self._end = self._clock() + GRACE
            left = min(end, self._end or end) - self._clock()
            ready = poll.poll(max(0.0, min(left, MOMENT)) * 1000)
            if ready or left <= MOMENT:
                return ready

    def _set_aside(self) -> None:
        try:
            piece = self.socket.recv(CHUNK)
        except (BlockingIOError, self._want_read, self._want_write):
            return
        if not piece:
            raise ConnectionResetError("the server closed the connection")
        self._aside.append(piece)
        self._aside_octets += len(piece)
