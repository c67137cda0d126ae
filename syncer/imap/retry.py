"""When something is tried again, how often and after how long: the one place where that is said.

Only what is transient by its nature is repeated, and only in units that may be repeated: making a connection, and a
whole session, whose next pass looks at both sides anew. A single command is never sent twice.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from syncer.errors import ConnectError, ConnectionLostError, ProtocolError

if TYPE_CHECKING:
    import tenacity

CONNECT_ATTEMPTS = 3
SESSION_ATTEMPTS = 3

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
