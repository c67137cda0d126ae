"""When something is tried again, how often and after how long: the one place where that is said.

Only what is transient by its nature is repeated, and only in units that may be repeated: making a connection, and a
whole session, whose next pass looks at both sides anew. A single command is never sent twice.
"""

import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from syncer.errors import AccountError, ConnectError, ConnectionLostError, LoginError, ProtocolError, TlsError
from syncer.ports.rest import Hope, Rest

if TYPE_CHECKING:
    import tenacity

OUTAGES = (ConnectError, ConnectionLostError, ProtocolError, TlsError)
"""What is over when the network or the server is well again."""
CONNECT_ATTEMPTS = 3
SESSION_ATTEMPTS = 3
PATIENCE = 300.0
"""Seconds for which a run that is to end waits where the server asks to be left alone."""

SILENCE = 10.0
"""Seconds after which a person who waits is told why."""

LOGINS = (30.0, 300.0)
"""Seconds after the first refusals of a log-in, which may be over soon. Then it is parked."""
PARKED = (3_600.0, 86_400.0)
"""Seconds between log-ins that are parked: at first, doubled each time, and at most. A loop would lock the account."""
TROUBLE = (60.0, 3_600.0)
"""The same after anything else that somebody will have to mend, such as a Maildir that is not mounted."""
SOON = 8.0
"""Seconds that an outage of a few minutes may cost after its end."""
PART = 8
"""Of a longer one the pause is so small a part of the time that it has taken already."""
LONGEST = 300.0
THROTTLED = 14_400.0
"""Seconds at most, where a server asks to be left alone again and again: each time it is left alone twice as long."""
LASTED = 60.0
"""Seconds after which an attempt has not failed but ended: what was before it counts no more."""

_AT_FIRST = (ConnectError, TlsError, LoginError)
"""What is met while a connection is made, however long that takes."""

T = TypeVar("T")


def connecting(make: Callable[[], T], attempts: int, sleep: Callable[[float], None]) -> T:
    """Make a connection; what may be over in a few seconds is tried again, never a refusal or a certificate."""
    waiting = _Waiting()

    def policy() -> "tenacity.Retrying":
        import tenacity  # noqa: PLC0415 - only who fails pays for it

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, ConnectError) and error.pause is None),
            stop=tenacity.stop_after_attempt(attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
            sleep=sleep,
            before_sleep=waiting,
            reraise=True,
        )

    return _tried(make, ConnectError, policy)


def session(work: Callable[[], T], stop: threading.Event) -> T:
    """Do a whole session's work; again if its connection broke or was broken off. Ends when `stop` is set.

    A server that asks to be left alone is, as long as that is no longer than `PATIENCE`.
    """

    def again(error: BaseException) -> bool:
        return isinstance(error, (ConnectionLostError, ProtocolError)) and (error.pause or 0.0) <= PATIENCE

    waiting = _Waiting()

    def policy() -> "tenacity.Retrying":
        import tenacity  # noqa: PLC0415 - only who fails pays for it

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(again),
            stop=tenacity.stop_any(tenacity.stop_after_attempt(SESSION_ATTEMPTS), tenacity.stop_when_event_set(stop)),
            wait=tenacity.wait_combine(tenacity.wait_random_exponential(multiplier=1, max=30), _asked),
            sleep=tenacity.sleep_using_event(stop),
            before_sleep=waiting,
            reraise=True,
        )

    return _tried(work, (ConnectionLostError, ProtocolError), policy)


def persistently(
    work: Callable[[], T],
    rest: Rest,
    stop: threading.Event,
    tell: Callable[[AccountError, float], None],
    kinds: tuple[type[AccountError], ...] = (AccountError,),
) -> T:
    """Do the work of a program that stays: again and again after errors of these kinds, until it is done.

    `tell` is told of each failure and of the pause after it, in seconds. What was refused, by a server that asks to be
    left alone or for a wrong password, is not tried earlier only because the network is another one. A person who wants
    it tried has the short pauses of the first refusals again.

    Raises:
        AccountError: `stop` was set meanwhile, or it is of another kind.
    """
    failures = _Failures()

    def attempt() -> T:
        failures.begin(time.monotonic())
        try:
            return work()
        except kinds as error:
            failures.add(error, time.monotonic())
            raise

    def policy() -> "tenacity.Retrying":
        import tenacity  # noqa: PLC0415 - only who fails pays for it

        def told(state: "tenacity.RetryCallState") -> None:
            error = state.outcome.exception() if state.outcome is not None else None
            if isinstance(error, AccountError):
                tell(error, state.upcoming_sleep)

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(kinds),
            stop=tenacity.stop_when_event_set(stop),
            wait=lambda _state: failures.pause(),
            sleep=lambda seconds: failures.rested(hoped=rest(seconds, failures.hope)),
            before_sleep=told,
            reraise=True,
        )

    return _tried(attempt, kinds, policy)


class _Failures:
    """Those in a row of a program that stays. Each kind is counted by itself: an outage is no wrong password."""

    def __init__(self) -> None:
        self._began = 0.0
        """The attempt."""
        self._logins = self._outages = self._others = self._throttled = 0
        self._first = self._last = 0.0
        """Of the outages."""
        self._error: AccountError | None = None

    def begin(self, now: float) -> None:
        """An attempt begins."""
        self._began = now

    def add(self, error: AccountError, now: float) -> None:
        """It has failed."""
        if now - self._began > LASTED and not isinstance(error, _AT_FIRST):
            self._logins = self._outages = self._others = self._throttled = 0
        self._error, self._last = error, now
        if error.pause is not None:
            self._throttled += 1
        elif isinstance(error, LoginError):
            self._logins += 1
        elif isinstance(error, OUTAGES):
            self._first = now if not self._outages else self._first
            self._outages += 1
        else:
            self._others += 1

    def rested(self, *, hoped: bool) -> None:
        """The pause is over. Who says that a log-in works now may be a moment early: refusals are counted anew."""
        if hoped and isinstance(self._error, LoginError):
            self._logins = 0

    @property
    def hope(self) -> Hope:
        """What may end the pause. What was refused would only get worse by being tried in every network."""
        error = self._error
        refused = isinstance(error, LoginError) or (error is not None and error.pause is not None)
        return "person" if refused else "network"

    def pause(self) -> float:
        """Seconds until the next attempt."""
        if self._error is not None and (asked := self._error.pause) is not None:
            return _doubled((asked, max(asked, THROTTLED)), self._throttled - 1)
        if isinstance(self._error, LoginError):
            past = self._logins - 1 - len(LOGINS)
            return LOGINS[past] if past < 0 else _doubled(PARKED, past)
        if not isinstance(self._error, OUTAGES):
            return _doubled(TROUBLE, self._others - 1)
        most = min(LONGEST, max(SOON, (self._last - self._first) / PART))
        return random.uniform(0.0, min(most, 2.0 ** min(self._outages - 1, 32)))  # noqa: S311 - not to be kept secret


class _Waiting:
    """Tells who waits: for how long where the server asks for a pause, once where nothing seems to happen."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._told = False

    def __call__(self, state: "tenacity.RetryCallState") -> None:
        """An attempt has failed, and the next comes after a pause."""
        if _asked(state):
            self._tell(state, f"waiting for {state.upcoming_sleep:.0f} seconds")
        elif not self._told and time.monotonic() - self._began >= SILENCE:
            self._told = True
            self._tell(state, "trying again")

    def _tell(self, state: "tenacity.RetryCallState", what: str) -> None:
        import logging  # noqa: PLC0415 - seldom needed

        assert state.outcome is not None
        logging.getLogger(__name__).warning("%s; %s", state.outcome.exception(), what)


def _asked(state: "tenacity.RetryCallState") -> float:
    """The pause that the server asks for."""
    error = state.outcome.exception() if state.outcome is not None else None
    return (error.pause or 0.0) if isinstance(error, AccountError) else 0.0


def _doubled(bounds: tuple[float, float], times: int) -> float:
    first, most = bounds
    return min(most, first * 2.0 ** min(times, 32))


def _tried(
    work: Callable[[], T],
    again: type[Exception] | tuple[type[Exception], ...],
    policy: Callable[[], "tenacity.Retrying"],
) -> T:
    """`work` under `policy`, which is asked for only when the first attempt has failed, and told of that attempt."""
    try:
        return work()
    except again as error:
        failed = [error]

    def attempt() -> T:
        if failed:
            raise failed.pop()
        return work()

    return policy()(attempt)
