"""The connections of one account and the threads that use them.

The first connection belongs to the caller's own thread, so that a pass with little to do starts none; further ones are
opened when there is enough to do for them, each with a thread for as long as the work lasts. Where the processor may be
what limits the work and not the line, they are opened one by one while it is idle: threads that compete for it only
slow each other down. Work is handed out in order, so that what matters most (INBOX, the newest) comes first. The first
error that concerns the whole account ends all work; no thread outlives the call. A server that does not admit a further
connection costs only that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

from syncer.errors import ConnectError, LoginError, StoppedError
from syncer.ports import Server

Item = TypeVar("Item")
Result = TypeVar("Result")

MOMENT = 0.3
"""Seconds for which is looked whether the processor is idle."""
BUSY = 0.7
"""With more than this part of one processor in use, a further thread gains little: there is one interpreter lock."""


class Crew:
    """Up to `size` connections to one server."""

    def __init__(self, connect: Callable[[], Server], size: int, stop: threading.Event) -> None:
        """Nothing is opened yet. `stop` ends the work at the next opportunity."""
        self._connect = connect
        self._stop = stop
        self._failed = False
        self._servers: list[Server | None] = [None] * size
        self._admitted = size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            if server is not None:
                server.close()

    def each(
        self,
        work: Callable[[Server, Item], Result],
        items: Iterable[Item],
        at_once: int | None = None,
        *,
        when_idle: bool = False,
    ) -> list[Result]:
        """Do `work` for every item and return the results in the order of the items.

        At most `at_once` items are worked on at a time, or as many as connections are open; by default as many as
        there may be connections. With `when_idle` it begins with one, and takes another whenever the processor was idle
        for a good part of the last moment.

        Raises:
            AccountError: the first that any of the work raised; what had not begun by then is not done.
        """
        shift = _Shift(self, work, list(items))
        wanted = max(at_once or self._admitted, sum(server is not None for server in self._servers))
        lanes = min(self._admitted, len(shift.items), wanted)
        if lanes > 1 and when_idle:
            threads = [threading.Thread(target=shift.watch, args=(lanes,), name="syncer-watch")]
        else:
            threads = [shift.helper(lane) for lane in range(1, lanes)]
        for thread in threads:
            thread.start()
        try:
            if lanes:
                shift.work(0)
        finally:
            shift.over.set()
            for thread in threads:
                thread.join()
        if shift.error is not None:
            raise shift.error
        return [shift.results[place] for place in range(len(shift.items))]

    def one(self, work: Callable[[Server], Result]) -> Result:
        """Do `work` on one connection."""
        return self.each(lambda server, _: work(server), (None,))[0]

    def check(self) -> None:
        """Raise StoppedError if nothing more is to be begun."""
        if self._stop.is_set() or self._failed:
            raise StoppedError("stopped before everything was done; the next sync goes on from here")

    def fail(self) -> None:
        """Nothing more is to be begun."""
        self._failed = True

    def server(self, lane: int) -> Server:
        """The connection of a lane, opened when it is first asked for."""
        server = self._servers[lane]
        if server is None:
            server = self._servers[lane] = self._connect()
        return server

    def close_lane(self, lane: int) -> None:
        """The server does not want this connection: do with fewer, for as long as the crew lasts."""
        self._admitted = min(self._admitted, lane)


class _Shift(Generic[Item, Result]):
    """The items of one call, and how far they are."""

    def __init__(self, crew: Crew, work: Callable[[Server, Item], Result], items: Sequence[Item]) -> None:
        self.items = items
        self.results: dict[int, Result] = {}
        self.error: BaseException | None = None
        self.over = threading.Event()
        """No item is left, or something went wrong."""
        self._crew = crew
        self._work = work
        self._next = iter(range(len(items)))
        self._lock = threading.Lock()

    def work(self, lane: int) -> None:
        """Work on one item after the other until none is left or something went wrong."""
        try:
            while (place := self._take()) is not None:
                self._crew.check()
                self.results[place] = self._work(self._crew.server(lane), self.items[place])
        except BaseException as error:  # noqa: BLE001 (raised by `each`, whichever thread met it)
            self._crew.fail()
            with self._lock:
                self.error = self.error or error

    def helper(self, lane: int) -> threading.Thread:
        """A thread that works on a further connection."""
        return threading.Thread(target=self.help, args=(lane,), name=f"syncer-{lane}")

    def watch(self, lanes: int) -> None:
        """Open further connections, up to `lanes` in all, while the processor is idle; wait until they are done."""
        helpers: list[threading.Thread] = []
        wall, busy = time.monotonic(), time.process_time()
        while len(helpers) < lanes - 1 and not self.over.wait(MOMENT):
            before = wall, busy
            wall, busy = time.monotonic(), time.process_time()
            if busy - before[1] < BUSY * (wall - before[0]):
                helpers.append(self.helper(len(helpers) + 1))
                helpers[-1].start()
        for thread in helpers:
            thread.join()

    def help(self, lane: int) -> None:
        """The same on a further connection, if the server admits one."""
        try:
            self._crew.server(lane)
        except (ConnectError, LoginError) as error:
            import logging  # noqa: PLC0415 (seldom needed, slow to import)

            logging.getLogger(__name__).info("%s; going on with fewer connections", error)
            self._crew.close_lane(lane)
        except BaseException as error:  # noqa: BLE001 (raised by `each`)
            self._crew.fail()
            with self._lock:
                self.error = self.error or error
        else:
            self.work(lane)

    def _take(self) -> int | None:
        with self._lock:
            return None if self.error is not None else next(self._next, None)
