"""How long a program that stays waits after a failure."""

import threading

import pytest

from syncer.errors import AccountError, ConnectError, ConnectionLostError, LoginError, StoreError, TlsError
from syncer.imap.retry import (
    LOGINS,
    LONGEST,
    OUTAGES,
    PARKED,
    PATIENCE,
    SILENCE,
    SOON,
    THROTTLED,
    TROUBLE,
    connecting,
    persistently,
    session,
)
from syncer.ports.rest import Hope


class Failing:
    """Fails so many times with an error, and then is done."""

    def __init__(self, error: AccountError, times: int) -> None:
        self.error, self.left = error, times
        self.pauses: list[float] = []
        self.hopes: set[Hope] = set()
        self.told: list[tuple[str, float]] = []
        self.hurried: set[int] = set()
        """The pauses that somebody ends."""

    def work(self) -> str:
        if not self.left:
            return "done"
        self.left -= 1
        raise self.error

    def tell(self, error: AccountError, seconds: float) -> None:
        self.told.append((str(error), seconds))

    def rest(self, seconds: float, hope: Hope) -> bool:
        self.pauses.append(seconds)
        self.hopes.add(hope)
        return len(self.pauses) in self.hurried

    def tried(self, **more: object) -> str:
        return persistently(self.work, self.rest, threading.Event(), self.tell, **more)  # type: ignore[arg-type]


def test_what_goes_well_is_done_once() -> None:
    failing = Failing(ConnectError("no"), 0)
    assert (failing.tried(), failing.pauses) == ("done", [])


@pytest.mark.parametrize("error", [ConnectError("no network"), TlsError("a captive portal")])
def test_an_outage_is_waited_for_with_short_pauses_of_chance(error: AccountError) -> None:
    failing = Failing(error, 30)
    assert failing.tried() == "done"
    assert len(failing.pauses) == 30
    assert all(0 <= pause <= SOON for pause in failing.pauses)
    assert len(set(failing.pauses[5:])) > 10
    assert failing.told == [(str(error), pause) for pause in failing.pauses]
    assert failing.hopes == {"network"}


def test_a_long_one_with_longer_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing(ConnectError("no network"), 60)
    clock = iter(range(0, 10_000_000, 1800))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    assert failing.tried() == "done"
    assert SOON < max(failing.pauses) <= LONGEST


def test_a_password_that_does_not_work_is_parked() -> None:
    failing = Failing(LoginError("wrong password"), 9)
    assert failing.tried() == "done"
    hour, day = PARKED
    assert failing.pauses == [*LOGINS, hour, 2 * hour, 4 * hour, 8 * hour, 16 * hour, day, day]
    assert failing.hopes == {"person"}


def test_after_a_person_wants_it_tried_the_pauses_are_as_at_first() -> None:
    failing = Failing(LoginError("wrong password"), 7)
    failing.hurried = {4}
    assert failing.tried() == "done"
    assert failing.pauses == [*LOGINS, PARKED[0], 2 * PARKED[0], *LOGINS, PARKED[0]]


def test_a_server_that_asks_for_a_pause_has_it_and_a_longer_one_each_time_that_it_asks_again() -> None:
    failing = Failing(ConnectionLostError("throttled").after(300.0), 8)
    assert failing.tried() == "done"
    assert failing.pauses == [300, 600, 1200, 2400, 4800, 9600, THROTTLED, THROTTLED]
    assert failing.hopes == {"person"}


def test_an_outage_after_it_is_waited_for_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    throttled, lost = ConnectionLostError("throttled").after(300.0), ConnectError("no network")
    pauses = Scenario(monkeypatch, (0.1, throttled), (0.1, lost), (0.1, throttled)).run()
    assert (pauses[0], pauses[1] <= SOON, pauses[2]) == (300.0, True, 600.0)


def test_a_run_that_is_to_end_waits_as_long_as_it_is_asked_to_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing, waited = Failing(ConnectionLostError("me@there: throttled").after(200.0), 1), []
    monkeypatch.setattr(threading.Event, "wait", lambda _event, timeout: waited.append(timeout))
    assert session(failing.work, threading.Event()) == "done"
    assert waited[0] >= 200.0
    assert caplog.messages == [f"me@there: throttled; waiting for {waited[0]:.0f} seconds"]


@pytest.mark.parametrize(("seconds", "told"), [(SILENCE, ["no answer; trying again"]), (SILENCE / 3, [])])
def test_who_waits_for_long_is_told_once_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, seconds: float, told: list[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr(threading.Event, "wait", lambda _event, timeout: None)

    def attempt() -> None:
        clock[0] += seconds
        raise error

    for error, tried in (
        (ConnectError("no answer"), lambda: connecting(attempt, 3, lambda _seconds: None)),
        (ConnectionLostError("no answer"), lambda: session(attempt, threading.Event())),
    ):
        caplog.clear()
        with pytest.raises(type(error), match="no answer"):
            tried()
        assert caplog.messages == told


def test_a_run_that_is_to_end_does_not_wait_for_hours() -> None:
    failing = Failing(ConnectionLostError("throttled").after(PATIENCE + 1), 9)
    with pytest.raises(ConnectionLostError, match="throttled"):
        session(failing.work, threading.Event())
    assert failing.left == 8


def test_a_connection_that_is_refused_with_a_pause_is_not_tried_again_at_once() -> None:
    failing = Failing(ConnectError("too many requests").after(900.0), 9)
    with pytest.raises(ConnectError, match="too many requests"):
        connecting(failing.work, 3, failing.pauses.append)
    assert failing.left == 8


def test_what_somebody_has_to_mend_is_tried_less_and_less_often() -> None:
    failing = Failing(StoreError("not mounted"), 9)
    assert failing.tried() == "done"
    first, most = TROUBLE
    assert failing.pauses == [first, 2 * first, 4 * first, 8 * first, 16 * first, 32 * first, most, most, most]


def test_what_is_of_another_kind_is_raised_at_once() -> None:
    failing = Failing(StoreError("not mounted"), 9)
    with pytest.raises(StoreError, match="not mounted"):
        failing.tried(kinds=OUTAGES)
    assert failing.pauses == []


def test_at_the_end_nothing_is_tried_again() -> None:
    failing, stop = Failing(ConnectError("no"), 9), threading.Event()

    def pause(_seconds: float, _hope: Hope) -> bool:
        stop.set()
        return False

    with pytest.raises(ConnectError, match="no"):
        persistently(failing.work, pause, stop, failing.tell)
    assert failing.left == 7


class Scenario:
    """Attempts that last so long and then fail; the last one is done. Time passes in them and in the pauses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *attempts: tuple[float, AccountError]) -> None:
        self.now = 1000.0
        self.attempts = list(attempts)
        self.pauses: list[float] = []
        monkeypatch.setattr("time.monotonic", lambda: self.now)

    def work(self) -> None:
        if self.attempts:
            seconds, error = self.attempts.pop(0)
            self.now += seconds
            raise error

    def sleep(self, seconds: float, _hope: Hope) -> bool:
        self.pauses.append(seconds)
        self.now += seconds
        return False

    def run(self) -> list[float]:
        persistently(self.work, self.sleep, threading.Event(), lambda _error, _seconds: None)
        return self.pauses


def test_a_connection_that_stood_for_long_is_made_again_as_soon_as_the_first_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = [(1800.0, ConnectionLostError("closed by the server"))] * 40
    assert max(Scenario(monkeypatch, *lost).run()) <= SOON


def test_a_login_that_is_refused_once_after_an_outage_is_no_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    offline = [(20.0, ConnectError("no network"))] * 30
    pauses = Scenario(monkeypatch, *offline, (0.1, LoginError("overloaded"))).run()
    assert pauses[-1] == LOGINS[0]


def test_outages_in_between_do_not_let_a_wrong_password_be_tried_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    refused, lost = (0.1, LoginError("no")), (0.1, ConnectError("no"))
    pauses = Scenario(monkeypatch, refused, lost, refused, lost, refused, lost, refused).run()
    assert pauses[::2] == [*LOGINS, PARKED[0], 2 * PARKED[0]]
