"""Threads that take turns: one works, the others wait for the line or for the disk.

There is one interpreter lock. Threads that copy many small messages at once hand it to and fro at every system call,
which costs more than they gain by it. With a turn they change over only where one of them would have to wait anyway.
"""

import threading
from types import TracebackType

_mine = threading.local()


class Turn:
    """Held by one thread at a time.

    A thread that enters it has it from the end of its first `waiting` on: most work begins with a question to the
    server, and the sooner that is asked the better.
    """

    def __init__(self) -> None:
        """Nobody has it."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        _mine.turn, _mine.held = self, False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give()

    def take(self) -> None:
        """Wait for it."""
        self._lock.acquire()
        _mine.turn, _mine.held = self, True

    def give(self) -> None:
        """Let another thread have it, if it is this one's."""
        held, _mine.turn, _mine.held = _mine.held, None, False
        if held:
            self._lock.release()


class waiting:  # noqa: N801 (used like a function)
    """While this thread waits for something, another may have its turn. Not to be entered with a lock held."""

    __slots__ = ("_turn",)

    def __enter__(self) -> None:
        """Give the turn, if this thread has one."""
        self._turn: Turn | None = getattr(_mine, "turn", None)
        if self._turn is not None:
            self._turn.give()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._turn is not None:
            self._turn.take()
