"""The connections of one account and the threads that use them.

A worker is a thread with a connection of its own, opened when it first has work. Work is handed out in order, so
that what matters most (INBOX, the newest) comes first. The first error that concerns the whole account ends all
work; no worker outlives the crew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from syncer.errors import StoppedError
from syncer.ports import Server

Item = TypeVar("Item")
Result = TypeVar("Result")


class Crew:
    """Up to `size` connections to one server."""

    def __init__(self, connect: Callable[[], Server], size: int, stop: threading.Event) -> None:
        """Nothing is opened yet. `stop` ends the work at the next opportunity."""
        self._connect = connect
        self._stop = stop
        self._failed = threading.Event()
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[Server] = []
        self._pool = ThreadPoolExecutor(max_workers=size, thread_name_prefix="syncer")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._failed.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for server in self._open:
            server.close()

    def each(self, work: Callable[[Server, Item], Result], items: Iterable[Item]) -> list[Result]:
        """Do `work` for every item, several at a time, and return the results in the order of the items.

        Raises:
            AccountError: the first that any of the work raised; what had not begun by then is not done.
        """
        futures = [self._pool.submit(self._do, work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            self._failed.set()
            _cancel(futures)
            raise

    def one(self, work: Callable[[Server], Result]) -> Result:
        """Do `work` on one connection."""
        return self.each(lambda server, _: work(server), (None,))[0]

    def _do(self, work: Callable[[Server, Item], Result], item: Item) -> Result:
        if self._stop.is_set() or self._failed.is_set():
            raise StoppedError("stopped before everything was done; the next sync goes on from here")
        try:
            return work(self._server(), item)
        except BaseException:
            self._failed.set()
            raise

    def _server(self) -> Server:
        server: Server | None = getattr(self._local, "server", None)
        if server is None:
            server = self._connect()
            self._local.server = server
            with self._lock:
                self._open.append(server)
        return server


def _cancel(futures: Iterable[Future[Result]]) -> None:
    for future in futures:
        future.cancel()
