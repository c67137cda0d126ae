"""The loop of one account: a pass for each hint, none without, and after a failure a look at everything."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from syncer.errors import AccountError, ConnectionLostError, StoppedError, StoreError
from syncer.ports.rest import Hope, Rest
from syncer.reconcile.identity import INBOX, MailboxName, Side
from syncer.wakeups import Due
from syncer.watching.loop import EVERYTHING, Loop

WORK = MailboxName("Work")
HERE: frozenset[Side] = frozenset({"local"})
LONG = 20.0


class Work:
    """Remembers what it was asked for; `answers` are what comes of each pass."""

    def __init__(self) -> None:
        self.asked: list[Due] = []
        self.answers: list[bool | AccountError] = []
        self.kept = threading.Event()
        self.changed = threading.Condition()

    def make_pass(self, due: Due) -> bool:
        with self.changed:
            self.asked.append(due)
            self.changed.notify_all()
            answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, AccountError):
            raise answer
        return answer

    def keep(self) -> None:
        self.kept.set()

    def until(self, *expected: Due) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= len(expected), LONG), self.asked
            assert self.asked == list(expected)


class Pauses:
    """Tries again after a connection was lost, as long as nobody says otherwise."""

    def __init__(self) -> None:
        self.resting = threading.Event()
        self.seconds = 0.0
        self.hope: Hope = "network"

    def __call__(self, work: Callable[[], object], rest: Rest, stop: threading.Event) -> None:
        while True:
            try:
                work()
            except ConnectionLostError:
                if stop.is_set():
                    raise
                self.resting.set()
                rest(self.seconds, self.hope)
            else:
                return


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@contextmanager
def running(work: Work, pauses: Pauses, *, interval: float = 3600.0, keepalive: float = 3600.0) -> Iterator[Loop]:
    stop = threading.Event()
    loop = Loop(work, pauses, stop, interval=interval, keepalive=keepalive)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield loop
    finally:
        stop.set()
        loop.end()
        thread.join(LONG)
        assert not thread.is_alive()


def test_the_first_pass_is_about_everything_and_the_next_about_what_was_hinted(work: Work, pauses: Pauses) -> None:
    with running(work, pauses) as loop:
        work.until(EVERYTHING)
        loop.hint("local", [WORK])
        work.until(EVERYTHING, Due({WORK: HERE}))
        loop.hint("server", None)
        work.until(EVERYTHING, Due({WORK: HERE}), EVERYTHING)


def test_a_hint_that_comes_while_a_pass_is_made_is_followed_by_another(work: Work, pauses: Pauses) -> None:
    with running(work, pauses) as loop:
        work.until(EVERYTHING)
        original = work.make_pass

        def hinted_meanwhile(due: Due) -> bool:
            if len(work.asked) == 1:
                loop.hint("local", [INBOX])
            return original(due)

        work.make_pass = hinted_meanwhile  # type: ignore[method-assign]
        loop.hint("local", [INBOX])
        work.until(EVERYTHING, Due({INBOX: HERE}), Due({INBOX: HERE}))


def test_everything_is_looked_at_from_time_to_time(work: Work, pauses: Pauses) -> None:
    with running(work, pauses, interval=0.01):
        work.until(EVERYTHING, EVERYTHING, EVERYTHING)


def test_after_a_lost_connection_everything_is_looked_at(work: Work, pauses: Pauses) -> None:
    with running(work, pauses) as loop:
        work.until(EVERYTHING)
        work.answers = [ConnectionLostError("gone")]
        loop.hint("local", [WORK])
        work.until(EVERYTHING, Due({WORK: HERE}), EVERYTHING)


def test_who_is_in_a_hurry_ends_the_pause_after_a_failure(work: Work, pauses: Pauses) -> None:
    pauses.seconds = 3600.0
    work.answers = [ConnectionLostError("gone")]
    with running(work, pauses) as loop:
        assert pauses.resting.wait(LONG)
        loop.hurry("network")
        work.until(EVERYTHING, EVERYTHING, EVERYTHING)


def test_a_pause_after_a_refusal_is_ended_by_a_person_and_not_by_another_network(work: Work, pauses: Pauses) -> None:
    pauses.seconds, pauses.hope = 3600.0, "person"
    work.answers = [ConnectionLostError("left alone")]
    with running(work, pauses) as loop:
        assert pauses.resting.wait(LONG)
        loop.hurry("network")
        loop.request(lambda: None)  # it has been awake since
        assert work.asked == [EVERYTHING]
        loop.hurry("person")
        work.until(EVERYTHING, EVERYTHING, EVERYTHING)


def test_the_end_ends_the_pause_as_well(work: Work, pauses: Pauses) -> None:
    pauses.seconds = 3600.0
    work.answers = [ConnectionLostError("gone")] * 2
    with running(work, pauses):
        assert pauses.resting.wait(LONG)


def test_a_pass_in_which_something_failed_is_followed_by_one_over_everything(
    work: Work, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncer.watching.loop.AGAIN", (0.01, 0.02))
    work.answers = [False, False]
    with running(work, pauses):
        work.until(EVERYTHING, EVERYTHING, EVERYTHING)


def test_what_fails_for_ever_keeps_nobody_from_looking_at_everything_from_time_to_time(
    work: Work, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncer.watching.loop.AGAIN", (3600.0, 3600.0))
    work.answers = [False, False]
    with running(work, pauses, interval=0.01):
        work.until(EVERYTHING, EVERYTHING, EVERYTHING)


def test_a_connection_on_which_nothing_happens_is_kept(work: Work, pauses: Pauses) -> None:
    with running(work, pauses, keepalive=0.01):
        assert work.kept.wait(LONG)
        assert work.asked == [EVERYTHING]


def test_what_no_connection_can_mend_is_raised(work: Work, pauses: Pauses) -> None:
    work.answers = [StoreError("not mounted")]
    loop = Loop(work, pauses, threading.Event(), interval=3600.0, keepalive=3600.0)
    with pytest.raises(StoreError, match="not mounted"):
        loop.run()


def test_what_is_requested_is_done_between_passes(work: Work, pauses: Pauses) -> None:
    with running(work, pauses) as loop:
        work.until(EVERYTHING)
        done: list[int] = []
        loop.request(lambda: done.append(threading.get_ident()))
        assert done != [threading.get_ident()]
        assert len(done) == 1
        assert work.asked == [EVERYTHING]


def test_what_is_requested_is_done_while_an_outage_lasts(work: Work, pauses: Pauses) -> None:
    pauses.seconds = 3600.0
    work.answers = [ConnectionLostError("gone")]
    with running(work, pauses) as loop:
        assert pauses.resting.wait(LONG)
        for expected in ([1], [1, 2]):
            done: list[int] = [*range(1, len(expected))]
            loop.request(lambda done=done: done.append(len(done) + 1))  # type: ignore[misc]
            assert done == expected
        assert work.asked == [EVERYTHING]


def test_what_is_requested_too_late_is_refused(work: Work, pauses: Pauses) -> None:
    with running(work, pauses) as loop:
        work.until(EVERYTHING)
    with pytest.raises(StoppedError):
        loop.request(lambda: None)


def test_what_goes_wrong_in_a_request_is_told_to_whoever_made_it(work: Work, pauses: Pauses) -> None:
    def fails() -> None:
        raise StoreError("no")

    with running(work, pauses) as loop:
        with pytest.raises(StoreError, match="no"):
            loop.request(fails)
        loop.request(lambda: None)


def test_who_ends_it_while_a_request_is_done_need_not_wait_for_the_next_hint(work: Work, pauses: Pauses) -> None:
    stop = threading.Event()
    loop = Loop(work, pauses, stop, interval=3600.0, keepalive=3600.0)
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    work.until(EVERYTHING)

    def ended_meanwhile() -> None:
        stop.set()
        ending = threading.Thread(target=loop.end)
        ending.start()
        ending.join(LONG)
        assert not ending.is_alive()

    loop.request(ended_meanwhile)
    thread.join(LONG)
    assert not thread.is_alive()
