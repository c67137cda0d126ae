"""A few threads and a queue of work for them; `concurrent.futures` would do, but costs every run 10 ms to load."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

Result = TypeVar("Result")


class Task(Generic[Result]):
    """A piece of work and what came of it."""

    __slots__ = ("_done", "_error", "_result", "_work")

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work: Callable[[], Result] | None = work
        self._done = threading.Event()
        self._result: Result | None = None
        self._error: BaseException | None = None

    def result(self) -> Result:
        """Wait for the work to be done; raises what the work raised."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return cast("Result", self._result)

    def run(self) -> None:
        """Do the work, in the thread of whoever calls."""
        work, self._work = self._work, None
        assert work is not None, "work is done once"
        try:
            self._result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            self._error = error
        self._done.set()

    def drop(self) -> None:
        """It will never be done."""
        self.fail(RuntimeError("the work was not begun"))

    def fail(self, error: BaseException) -> None:
        """It will never be done, because of `error`."""
        self._work = None
        self._error = error
        self._done.set()


class Workers:
    """Up to `size` threads, each made when there is work and nobody idle. Leaving the context waits for them."""

    def __init__(self, size: int, name: str) -> None:
        """No thread is made yet."""
        self._size = size
        self._name = name
        self._ready = threading.Condition()
        self._queue: deque[Task[Any]] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, work: Callable[[], Result]) -> Task[Result]:
        """Queue work; it is begun in the order of submission."""
        task = Task(work)
        with self._ready:
            if self._ended:
                raise RuntimeError("the workers have ended")
            self._queue.append(task)
            if len(self._queue) > self._idle and len(self._threads) < self._size:
                thread = threading.Thread(target=self._serve, name=f"{self._name}_{len(self._threads)}")
                self._threads.append(thread)
                thread.start()
            else:
                self._ready.notify()
        return task

    def clear(self) -> None:
        """Drop what was not begun."""
        with self._ready:
            while self._queue:
                self._queue.popleft().drop()

    def close(self) -> None:
        """Drop what was not begun, and wait for the rest."""
        with self._ready:
            self._ended = True
            self._ready.notify_all()
        self.clear()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (task := self._next()) is not None:
            task.run()
            del task  # with its error, and what that refers to

    def _next(self) -> Task[Any] | None:
        with self._ready:
            self._idle += 1
            while not self._queue and not self._ended:
                self._ready.wait()
            self._idle -= 1
            return self._queue.popleft() if self._queue else None
