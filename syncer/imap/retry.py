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

if TYPE_CHECKING:
    import tenacity

OUTAGES = (ConnectError, ConnectionLostError, ProtocolError, TlsError)
"""What is over when the network or the server is well again."""
CONNECT_ATTEMPTS = 3
SESSION_ATTEMPTS = 3

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
LASTED = 60.0
"""Seconds after which an attempt has not failed but ended: what was before it counts no more."""

_AT_FIRST = (ConnectError, TlsError, LoginError)
"""What is met while a connection is made, however long that takes."""

T = TypeVar("T")


def connecting(make: Callable[[], T], attempts: int, sleep: Callable[[float], None]) -> T:
    """Make a connection; what may be over in a few seconds is tried again, never a refusal or a certificate."""

    def policy() -> "tenacity.Retrying":
        import tenacity  # noqa: PLC0415 - only who fails pays for it

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(ConnectError),
            stop=tenacity.stop_after_attempt(attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
            sleep=sleep,
            reraise=True,
        )

    return _tried(make, ConnectError, policy)


def session(work: Callable[[], T], stop: threading.Event) -> T:
    """Do a whole session's work; again if its connection broke or was broken off. Ends when `stop` is set."""

    def policy() -> "tenacity.Retrying":
        import tenacity  # noqa: PLC0415 - only who fails pays for it

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((ConnectionLostError, ProtocolError)),
            stop=tenacity.stop_any(tenacity.stop_after_attempt(SESSION_ATTEMPTS), tenacity.stop_when_event_set(stop)),
            wait=tenacity.wait_random_exponential(multiplier=1, max=30),
            sleep=tenacity.sleep_using_event(stop),
            reraise=True,
        )

    return _tried(work, (ConnectionLostError, ProtocolError), policy)


def persistently(
    work: Callable[[], T],
    sleep: Callable[[float], None],
    stop: threading.Event,
    tell: Callable[[AccountError, float], None],
    kinds: tuple[type[AccountError], ...] = (AccountError,),
) -> T:
    """Do the work of a program that stays: again and again after errors of these kinds, until it is done.

    `sleep` may end early, where there is hope. `tell` is told of each failure and of the pause after it, in seconds.

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
            sleep=sleep,
            before_sleep=told,
            reraise=True,
        )

    return _tried(attempt, kinds, policy)


class _Failures:
    """Those in a row of a program that stays. Each kind is counted by itself: an outage is no wrong password."""

    def __init__(self) -> None:
        self._began = 0.0
        """The attempt."""
        self._logins = self._outages = self._others = 0
        self._first = self._last = 0.0
        """Of the outages."""
        self._error: AccountError | None = None

    def begin(self, now: float) -> None:
        """An attempt begins."""
        self._began = now

    def add(self, error: AccountError, now: float) -> None:
        """It has failed."""
        if now - self._began > LASTED and not isinstance(error, _AT_FIRST):
            self._logins = self._outages = self._others = 0
        self._error, self._last = error, now
        if isinstance(error, LoginError):
            self._logins += 1
        elif isinstance(error, OUTAGES):
            self._first = now if not self._outages else self._first
            self._outages += 1
        else:
            self._others += 1

    def pause(self) -> float:
        """Seconds until the next attempt."""
        if isinstance(self._error, LoginError):
            past = self._logins - 1 - len(LOGINS)
            return LOGINS[past] if past < 0 else _doubled(PARKED, past)
        if not isinstance(self._error, OUTAGES):
            return _doubled(TROUBLE, self._others - 1)
        most = min(LONGEST, max(SOON, (self._last - self._first) / PART))
        return random.uniform(0.0, min(most, 2.0 ** min(self._outages - 1, 32)))  # noqa: S311 - not to be kept secret


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
