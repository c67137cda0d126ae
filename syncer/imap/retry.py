"""When something is tried again, how often and after how long: the one place where that is said.

Only what is transient by its nature is repeated, and only in units that may be repeated: making a connection, and a
whole session, whose next pass looks at both sides anew. A single command is never sent twice.
"""

import threading
from collections.abc import Callable

import tenacity

from syncer.errors import ConnectError, ConnectionLostError, ProtocolError

CONNECT_ATTEMPTS = 3
SESSION_ATTEMPTS = 3


def connecting(attempts: int, sleep: Callable[[float], None]) -> tenacity.Retrying:
    """For making a connection: what may be over in a few seconds; never a refusal or a certificate."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(ConnectError),
        stop=tenacity.stop_after_attempt(attempts),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
        sleep=sleep,
        reraise=True,
    )


def sessions(stop: threading.Event) -> tenacity.Retrying:
    """For a whole session: a connection that broke or was broken off. Ends at once when `stop` is set."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type((ConnectionLostError, ProtocolError)),
        stop=tenacity.stop_any(tenacity.stop_after_attempt(SESSION_ATTEMPTS), tenacity.stop_when_event_set(stop)),
        wait=tenacity.wait_random_exponential(multiplier=1, max=30),
        sleep=tenacity.sleep_using_event(stop),
        reraise=True,
    )
