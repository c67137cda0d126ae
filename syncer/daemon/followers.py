"""Those who follow what happens, each on a connection of its own, told in lines.

Whoever follows says nothing more, so what can be read from its end is that it has gone: it is forgotten then. One that
does not read keeps nobody waiting (see `events`), and while nobody follows no line is even made. There may be only so
many, since each takes a descriptor and two threads from a program that has better use for them.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from syncer.daemon.events import Stream

MOST: Final = 16
"""At a time."""
PATIENCE: Final = 0.5
"""Seconds that the last lines may take in the end, where they are not read at once."""
_GRACE: Final = 2.0
_ROOM: Final = 1024 * 1024
"""Octets that wait for one of them."""


class Followers:
    """Thread-safe. Only within its context there are any."""

    def __init__(self, dropped: Callable[[int, int], bytes], *, most: int = MOST, octets: int = _ROOM) -> None:
        """`dropped` makes the line in place of so many that found no room; see `Buffer`."""
        self._dropped = dropped
        self._most = most
        self._octets = octets
        self._turn = threading.Condition()
        self._streams: dict[Stream, socket.socket] = {}
        self._attended = 0
        self._open = False

    def __enter__(self) -> Self:
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send them away, with what was told so far."""
        with self._turn:
            self._open = False
            for follower in self._streams.values():
                with contextlib.suppress(OSError):  # gone already
                    follower.shutdown(socket.SHUT_RD)  # who attends reads the end
            self._turn.wait_for(lambda: not self._attended, PATIENCE + _GRACE)

    def tell(self, at: int, line: Callable[[], bytes]) -> None:
        """Tell all of them, at `at` in seconds since the epoch; `line` is made if there are any. Waits for nobody."""
        if not self._streams:
            return
        with self._turn:
            octets = line()
            for stream in self._streams:
                stream.put_line(at, octets)

    def attend(self, follower: socket.socket, first: Callable[[], bytes]) -> bool:
        """Tell one of them, `first` and then all that is told, until it goes or is sent away.

        Returns False if there are too many; then it was told nothing.
        """
        with self._turn:
            if len(self._streams) >= self._most:
                return False
            if not self._open:
                return True
            stream = Stream(follower.fileno(), octets=self._octets, dropped=self._dropped)
            stream.put_line(int(time.time()), first())
            self._streams[stream] = follower
            self._attended += 1
        try:
            with contextlib.suppress(OSError):  # it has gone
                while follower.recv(4096):
                    pass
        finally:
            with self._turn:
                del self._streams[stream]
            stream.close(PATIENCE)
            with self._turn:
                self._attended -= 1
                self._turn.notify_all()
        return True
