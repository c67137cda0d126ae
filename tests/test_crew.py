"""Several connections to one server, and the threads that use them."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from syncer import crew as crew_module
from syncer.crew import Crew
from syncer.errors import ConnectError, LoginError, MailboxError, StoppedError
from syncer.ports import Server
from syncer.turns import waiting


@dataclass(eq=False)
class Connection:
    """Only what a crew does with a server."""

    closed: int = 0

    def close(self) -> None:
        self.closed += 1


@dataclass
class Office:
    """Opens connections, and may refuse to."""

    opened: list[Connection] = field(default_factory=list)
    refusal: ConnectError | LoginError | None = None
    asked: int = 0

    def connect(self) -> Connection:
        self.asked += 1
        if self.refusal:
            raise self.refusal
        self.opened.append(Connection())
        return self.opened[-1]


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def crew_of(office: Office, stop: threading.Event) -> Iterator[Callable[[int], Crew]]:
    crews: list[Crew] = []

    def make(size: int) -> Crew:
        crews.append(Crew(office.connect, size, stop).__enter__())  # type: ignore[arg-type]
        return crews[-1]

    yield make
    for crew in crews:
        crew.__exit__(None, None, None)


def threads() -> int:
    return sum(thread.name.startswith("syncer") for thread in threading.enumerate())


def test_results_come_in_the_order_of_the_items(crew_of: Callable[[int], Crew]) -> None:
    second_done = threading.Event()

    def work(server: object, item: int) -> int:
        if item == 0:
            assert second_done.wait(10)
        if item == 1:
            second_done.set()
        return item * item

    assert crew_of(2).each(work, range(20)) == [item * item for item in range(20)]


def test_no_items_open_no_connection(crew_of: Callable[[int], Crew], office: Office) -> None:
    assert crew_of(3).each(lambda server, item: item, []) == []
    assert office.opened == []


def test_a_connection_is_used_again_and_there_are_never_more_than_the_size(
    crew_of: Callable[[int], Crew], office: Office
) -> None:
    crew = crew_of(2)
    both = threading.Barrier(2, timeout=10)
    used: list[object] = []
    crew.each(lambda server, item: (used.append(server), both.wait()), range(10))
    crew.each(lambda server, item: used.append(server), range(10))
    assert set(used) == set(office.opened)
    assert len(office.opened) == 2


def test_one_item_needs_one_connection(crew_of: Callable[[int], Crew], office: Office) -> None:
    crew = crew_of(1)
    assert [crew.one(lambda server: server), crew.one(lambda server: server)] == office.opened * 2


def test_a_connection_belongs_to_one_thread_at_a_time(crew_of: Callable[[int], Crew]) -> None:
    seen: dict[object, set[int]] = {}
    crew_of(3).each(lambda server, item: seen.setdefault(server, set()).add(threading.get_ident()), range(50))
    assert all(len(idents) == 1 for idents in seen.values())


def test_little_work_is_done_on_the_first_connection_by_the_caller_itself(
    crew_of: Callable[[int], Crew], office: Office
) -> None:
    crew = crew_of(3)
    idents = crew.each(lambda server, item: threading.get_ident(), range(5), at_once=1)
    assert (set(idents), len(office.opened)) == ({threading.get_ident()}, 1)


@pytest.mark.parametrize("error", [ConnectError("too many connections"), LoginError("maximum reached")])
def test_a_server_that_admits_no_further_connection_costs_only_that(
    crew_of: Callable[[int], Crew], office: Office, error: ConnectError | LoginError
) -> None:
    crew = crew_of(3)
    crew.one(lambda server: None)
    office.refusal = error
    assert crew.each(lambda server, item: item, range(20)) == list(range(20))
    assert crew.each(lambda server, item: item, range(20)) == list(range(20))
    assert len(office.opened) == 1


def test_every_connection_is_closed_once_and_no_thread_is_left(office: Office, stop: threading.Event) -> None:
    before = threads()
    with Crew(office.connect, 3, stop) as crew:  # type: ignore[arg-type]
        three = threading.Barrier(3, timeout=10)
        crew.each(lambda server, item: three.wait(), range(3))
    assert [connection.closed for connection in office.opened] == [1, 1, 1]
    assert threads() == before


def test_the_first_error_is_raised_and_what_had_not_begun_is_not_done(
    crew_of: Callable[[int], Crew],
) -> None:
    done: list[int] = []

    def work(server: object, item: int) -> None:
        if item == 2:
            raise MailboxError("two")
        done.append(item)

    with pytest.raises(MailboxError, match="two"):
        crew_of(1).each(work, range(10))
    assert done == [0, 1]


def test_after_an_error_nothing_else_is_begun(crew_of: Callable[[int], Crew]) -> None:
    crew = crew_of(1)

    def fail(server: object) -> None:
        raise ConnectError("away")

    with pytest.raises(ConnectError):
        crew.one(fail)
    with pytest.raises(StoppedError, match="the next sync goes on from here"):
        crew.one(lambda server: None)


def test_a_server_that_cannot_be_reached_is_the_error(crew_of: Callable[[int], Crew], office: Office) -> None:
    office.refusal = ConnectError("no route to host")
    with pytest.raises(ConnectError, match="no route to host"):
        crew_of(2).each(lambda server, item: item, range(4))


def test_connections_are_closed_after_an_error_as_well(office: Office, stop: threading.Event) -> None:
    before = threads()

    def interrupted(server: object) -> None:
        raise KeyboardInterrupt

    with Crew(office.connect, 2, stop) as crew, pytest.raises(KeyboardInterrupt):  # type: ignore[arg-type]
        crew.one(interrupted)
    assert [connection.closed for connection in office.opened] == [1]
    assert threads() == before


def test_once_stopped_nothing_is_begun(crew_of: Callable[[int], Crew], office: Office, stop: threading.Event) -> None:
    stop.set()
    with pytest.raises(StoppedError, match="the next sync goes on from here"):
        crew_of(1).one(lambda server: None)
    assert office.opened == []


def test_stopped_in_the_middle_what_was_begun_is_finished(
    crew_of: Callable[[int], Crew], stop: threading.Event
) -> None:
    done: list[int] = []

    def work(server: object, item: int) -> None:
        if item == 1:
            stop.set()
        done.append(item)

    with pytest.raises(StoppedError):
        crew_of(1).each(work, range(10))
    assert done == [0, 1]


class TestLettingGo:
    """Work that needs its connection no more lets the next piece begin on it."""

    def test_the_next_piece_begins_before_this_one_is_done(self, crew_of: Callable[[int], Crew]) -> None:
        crew = crew_of(1)
        second = threading.Event()

        def work(server: Server, item: int) -> int:
            if item == 0:
                crew.let_go(server)
                assert second.wait(10)
            second.set()
            return item

        assert crew.each(work, range(3), overlapping=True) == [0, 1, 2]
        assert threads() == 0

    def test_a_connection_is_never_used_by_two_at_once(self, crew_of: Callable[[int], Crew]) -> None:
        crew = crew_of(2)
        busy: set[Server] = set()

        def work(server: Server, item: int) -> None:
            assert server not in busy
            busy.add(server)
            time.sleep(0.001)
            busy.remove(server)
            crew.let_go(server)
            crew.let_go(server)  # as often as it likes
            time.sleep(0.001)

        crew.each(work, range(40), overlapping=True)

    def test_at_most_one_piece_more_than_there_are_connections_is_under_way(
        self, crew_of: Callable[[int], Crew]
    ) -> None:
        crew = crew_of(2)
        lock, under_way, most = threading.Lock(), 0, 0

        def work(server: Server, item: int) -> None:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            crew.let_go(server)
            time.sleep(0.002)
            with lock:
                under_way -= 1

        crew.each(work, range(40), overlapping=True)
        assert most <= 3

    def test_an_error_after_it_is_raised_and_nothing_else_is_begun(self, crew_of: Callable[[int], Crew]) -> None:
        crew = crew_of(1)
        begun: list[int] = []
        second = threading.Event()

        def work(server: Server, item: int) -> None:
            begun.append(item)
            if item == 0:
                crew.let_go(server)
                assert second.wait(10)
                raise MailboxError("the disk is full")
            second.set()
            while not crew.failed:
                time.sleep(0.001)

        with pytest.raises(MailboxError, match="the disk is full"):
            crew.each(work, range(10), overlapping=True)
        assert begun == [0, 1]

    def test_the_first_error_is_raised_and_not_what_came_of_it(self, crew_of: Callable[[int], Crew]) -> None:
        """Nobody gets a connection on which something just went wrong."""

        def work(server: Server, item: int) -> None:
            raise MailboxError(str(item))

        for _ in range(50):
            with pytest.raises(MailboxError, match="0"):
                crew_of(1).each(work, range(10), overlapping=True)

    def test_one_piece_of_work_needs_no_further_thread(self, crew_of: Callable[[int], Crew]) -> None:
        before = threading.active_count()
        assert crew_of(3).each(lambda server, item: threading.active_count(), [0], overlapping=True) == [before]

    def test_a_server_that_cannot_be_reached_is_the_error_whichever_thread_meets_it(
        self, crew_of: Callable[[int], Crew], office: Office
    ) -> None:
        office.refusal = ConnectError("no route to host")
        for _ in range(20):
            with pytest.raises(ConnectError, match="no route to host"):
                crew_of(1).each(lambda server, item: item, range(4), overlapping=True)

    def test_a_connection_that_is_not_admitted_is_asked_for_once(
        self, crew_of: Callable[[int], Crew], office: Office
    ) -> None:
        crew = crew_of(2)
        crew.one(lambda server: None)
        office.refusal = ConnectError("too many connections")
        assert crew.each(lambda server, item: item, range(20), overlapping=True) == list(range(20))
        assert office.asked == 2


def test_in_turn_one_works_while_the_others_wait(crew_of: Callable[[int], Crew]) -> None:
    working, met = 0, threading.Barrier(3, timeout=10)

    def work(server: Server, item: int) -> None:
        nonlocal working
        with waiting():
            met.wait()
        working += 1
        assert working == 1
        time.sleep(0.001)
        working -= 1

    crew_of(3).each(work, range(3), in_turn=True)


@pytest.mark.parametrize(("busy", "connections"), [(0.0, 3), (0.5, 3), (0.9, 1)])
def test_where_the_processor_is_the_limit_no_further_connection_is_opened(
    crew_of: Callable[[int], Crew], office: Office, monkeypatch: pytest.MonkeyPatch, busy: float, connections: int
) -> None:
    clock = itertools.count(start=1.0)
    monkeypatch.setattr(crew_module, "MOMENT", 0.001)
    monkeypatch.setattr(crew_module.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(crew_module.time, "process_time", lambda: busy * next(clock))
    enough = threading.Event()

    def work(server: object, item: int) -> None:
        if len(office.opened) == 3:
            enough.set()
        enough.wait(0.2 if connections == 1 else 10)

    crew_of(3).each(work, range(4), in_turn=True)
    assert len(office.opened) == connections
