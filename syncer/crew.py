"""The connections of one account and the threads that use them.

The first connection belongs to the caller's own thread, so that a pass with little to do starts none; further ones are
opened when there is enough to do for them, each with a thread for as long as the work lasts. Where the processor may be
what limits the work and not the line, they are opened one by one while it is idle, and take turns (see `turns`). Work
may let go of its connection before it is done: the next piece then begins on it while this one is still waiting for
the disk. Work is handed out in order, so that what matters most (INBOX, the newest) comes first. The first error that
concerns the whole account ends all work; no thread outlives the call. A server that does not admit a further connection
costs only that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Generic, Self, TypeVar

from syncer.errors import ConnectError, LoginError, StoppedError
from syncer.ports import Server
from syncer.turns import Turn

Item = TypeVar("Item")
Result = TypeVar("Result")

MOMENT = 0.1
"""Seconds for which is looked whether the processor is idle."""
BUSY = 0.7
"""With more than this part of one processor in use, a further thread gains little: there is one interpreter lock."""


class Lane:
    """A connection, once it is open. It belongs to one thread at a time, which enters it."""

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self.server: Server | None = None
        self._lock = threading.Lock()
        self._owner: int | None = None

    def __enter__(self) -> Self:
        self._lock.acquire()
        self._owner = threading.get_ident()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Let another thread have it; nothing if this one has done so already."""
        if self._owner == threading.get_ident():
            self._owner = None
            self._lock.release()


class Crew:
    """Up to `size` connections to one server."""

    def __init__(self, connect: Callable[[], Server], size: int, stop: threading.Event) -> None:
        """Nothing is opened yet. `stop` ends the work at the next opportunity."""
        self.lanes = [Lane() for _ in range(size)]
        self.admitted = size
        """How many of them there may be."""
        self._connect = connect
        self._stop = stop
        self.failed = False
        """Nothing more is to be begun."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lane in self.lanes:
            if lane.server is not None:
                lane.server.close()

    def each(
        self,
        work: Callable[[Server, Item], Result],
        items: Iterable[Item],
        at_once: int | None = None,
        *,
        overlapping: bool = False,
        in_turn: bool = False,
    ) -> list[Result]:
        """Do `work` for every item and return the results in the order of the items.

        At most `at_once` connections are worked on at a time, or as many as are open; by default as many as there may
        be. With `overlapping`, the next piece of work begins on the first connection as soon as one has let go of it;
        where there are more connections, they have something to do meanwhile. With `in_turn`, threads take turns, and a
        further connection is opened whenever the processor was idle for a good part of the last moment.

        Raises:
            AccountError: the first that any of the work raised; what had not begun by then is not done.
        """
        shift = _Shift(self, work, list(items), Turn() if in_turn else nullcontext())
        wanted = max(at_once or self.admitted, sum(lane.server is not None for lane in self.lanes))
        lanes = min(self.admitted, len(shift.items), wanted)
        if lanes > 1 and in_turn:
            threads = [threading.Thread(target=shift.watch, args=(lanes,), name="syncer-watch")]
        else:
            threads = [shift.helper(lane) for lane in range(1, lanes)]
        if overlapping and len(shift.items) > 1:
            threads.append(shift.helper(0))
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

    def let_go(self, server: Server) -> None:
        """The work that this thread does needs its connection no more; called by the work."""
        for lane in self.lanes:
            if lane.server is server:
                lane.leave()

    def check(self) -> None:
        """Raise StoppedError if nothing more is to be begun."""
        if self._stop.is_set() or self.failed:
            raise StoppedError("stopped before everything was done; the next sync goes on from here")

    def fail(self) -> None:
        """Nothing more is to be begun."""
        self.failed = True

    def server(self, lane: int) -> Server:
        """The connection of a lane, opened when it is first asked for; whoever asks has entered the lane."""
        server = self.lanes[lane].server
        if server is None:
            server = self.lanes[lane].server = self._connect()
        return server

    def dismiss(self) -> None:
        """Close every connection but the first: there is nothing to do for them."""
        for lane in self.lanes[1:]:
            with lane:
                server, lane.server = lane.server, None
                if server is not None:
                    server.close()

    def close_lane(self, lane: int) -> None:
        """The server does not want this connection: do with fewer, for as long as the crew lasts."""
        self.admitted = min(self.admitted, lane)


class _Shift(Generic[Item, Result]):
    """The items of one call, and how far they are."""

    def __init__(
        self,
        crew: Crew,
        work: Callable[[Server, Item], Result],
        items: Sequence[Item],
        turn: AbstractContextManager[None],
    ) -> None:
        self.items = items
        self.results: dict[int, Result] = {}
        self.error: BaseException | None = None
        self.over = threading.Event()
        """No item is left, or something went wrong."""
        self._crew = crew
        self._work = work
        self._turn = turn
        self._next = iter(range(len(items)))
        self._lock = threading.Lock()

    def work(self, lane: int) -> None:
        """Work on one item after the other until none is left or something went wrong."""
        while self._one(lane):
            pass

    def helper(self, lane: int) -> threading.Thread:
        """A thread that works on a further connection, or as a second one on the same."""
        return threading.Thread(target=self.help if lane else self.work, args=(lane,), name=f"syncer-{lane}")

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
            with self._crew.lanes[lane]:
                if lane >= self._crew.admitted:
                    return
                self._crew.server(lane)
        except (ConnectError, LoginError) as error:
            import logging  # noqa: PLC0415 (seldom needed, slow to import)

            logging.getLogger(__name__).info("%s; going on with fewer connections", error)
            self._crew.close_lane(lane)
        except BaseException as error:  # noqa: BLE001 (raised by `each`)
            self._fail(error)
        else:
            self.work(lane)

    def _one(self, lane: int) -> bool:
        """Work on the next item, when the connection is free; False if none is left."""
        with self._crew.lanes[lane]:
            try:
                place = self._take()
                if place is None:
                    return False
                self._crew.check()
                server = self._crew.server(lane)
                with self._turn:
                    self.results[place] = self._work(server, self.items[place])
            except BaseException as error:  # noqa: BLE001 (raised by `each`, whichever thread met it)
                self._fail(error)  # before anybody else has the connection
                return False
        return True

    def _take(self) -> int | None:
        with self._lock:
            return None if self.error is not None else next(self._next, None)

    def _fail(self, error: BaseException) -> None:
        self._crew.fail()
        with self._lock:
            self.error = self.error or error
