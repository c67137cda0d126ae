"""From settings to a logged-in `ImapServer`: connect, greeting, log-in, capabilities, and when to try again.

`dial` makes the connection, `greeting` hears the server out and secures it, `login` makes the session; all over one
`Wire`.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Literal

from syncer.errors import ConnectError, ConnectionLostError, ProtocolError
from syncer.imap.auth import Password
from syncer.imap.dial import Call, Endpoint, dial, explained
from syncer.imap.greeting import Greeted, greeted
from syncer.imap.login import Opening, UnansweredError
from syncer.imap.mailbox import ImapServer
from syncer.imap.memory import recall
from syncer.imap.retry import CONNECT_ATTEMPTS, connecting
from syncer.values import Struct, replace


class ServerSettings(Struct, frozen=True):
    """Where and how to log in; see `Endpoint` for what is not explained here."""

    account: str
    host: str
    port: int
    tls: Literal["implicit", "starttls", "off"]
    user: str
    password: Password
    tls_ca_file: str | None = None
    tls_fingerprint: str | None = None
    connect_seconds: float = 20.0
    read_seconds: float = 60.0
    """The longest silence."""
    command_seconds: float = 300.0
    """How long a command may go on without progress."""
    allow_insecure: bool = False
    compress: bool = False
    """COMPRESS=DEFLATE (RFC 4978), where the server has it."""

    @property
    def endpoint(self) -> Endpoint:
        """The way to the server."""
        return Endpoint(**{name: getattr(self, name) for name in Endpoint.__struct_fields__})

    @classmethod
    def to(cls, endpoint: Endpoint, **others: Any) -> "ServerSettings":
        """Settings with the way to the server taken from `endpoint`."""
        return cls(**{name: getattr(endpoint, name) for name in endpoint.__struct_fields__}, **others)


def connect(
    settings: ServerSettings,
    *,
    memory: str | None = None,
    early: bool = False,
    call: Call | None = None,
    attempts: int = CONNECT_ATTEMPTS,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
    stop: threading.Event | None = None,
) -> ImapServer:
    """A logged-in connection. A server that cannot be reached is tried again, a refusal is not.

    Args:
        settings: where and how.
        memory: `ImapServer.memory` of an earlier connection with these settings; saves round trips.
        early: the first question will be `mailboxes(counters=True)`, so it can be asked at once.
        call: a connection that is under way already, for the first attempt.
        attempts: how often to try.
        sleep: waits between two attempts.
        clock: for timeouts.
        now: for messages whose INTERNALDATE the server does not tell.
        stop: once it is set, a server that is silent is waited for a few seconds only.

    Raises:
        ConnectError: the server cannot be reached, or does not want us now; also after the last attempt.
        TlsError: the certificate or the handshake was not acceptable, or there is no TLS where there must be.
        LoginError: the server refused the credentials.
    """
    attempt = _Attempt(settings, memory, call, early, clock, now, stop)
    return connecting(attempt.make, attempts, sleep)


class _Attempt(Struct):
    """What every attempt needs."""

    settings: ServerSettings
    memory: str | None
    call: Call | None
    early: bool
    clock: Callable[[], float]
    now: Callable[[], float]
    stop: threading.Event | None = None
    alone: bool = False
    """Send nothing behind the log-in: it may be that which broke the last attempt."""

    def make(self) -> ImapServer:
        """Make one, and another one if the server lost what came behind the log-in."""
        try:
            return self._make()
        except UnansweredError:
            self.alone = True
            return self._make()
        except ConnectError:
            self.alone = True
            raise

    def _make(self) -> ImapServer:
        settings = self.settings
        call, self.call = self.call, None
        reached = _reached(settings, call, self.clock, self.stop)
        known = recall(self.memory, reached.greeting)
        if known is not None and self.alone:
            known = replace(known, alone=True)
        opening = Opening(reached, known=known, early=self.early, compress=settings.compress)
        try:
            session = opening.session(settings.user, settings.password)
        except BaseException as error:
            reached.wire.shut("the log-in did not succeed")
            if isinstance(error, (ConnectionLostError, ProtocolError)):
                raise explained(error, settings.endpoint) from error
            raise
        return ImapServer(session, now=self.now, memory=opening.memory.text() if opening.memory else None)


def _reached(
    settings: ServerSettings, call: Call | None, clock: Callable[[], float], stop: threading.Event | None
) -> Greeted:
    """Connected, greeted and secured."""
    endpoint = settings.endpoint
    sock = None
    try:
        sock = dial(endpoint) if call is None else call.take()
        return greeted(
            sock,
            endpoint,
            read_seconds=settings.read_seconds,
            command_seconds=settings.command_seconds,
            clock=clock,
            stop=stop,
        )
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, (OSError, ConnectionLostError, ProtocolError)):
            raise explained(error, endpoint) from error
        raise
