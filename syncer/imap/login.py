"""From a server that has greeted to a session, in as few round trips as that server allows.

What follows the log-in (ENABLE, NAMESPACE, the first LIST, COMPRESS) depends on the server's capabilities, which the
server tells when it has logged us in. Where an earlier session left them, all of it leaves together with the log-in,
if the server is known to take it: a log-in program that hands the connection over may lose what is behind the
log-in. Commands that were sent too early for any reason do no harm, since they change nothing.
"""

from syncer.errors import ConnectionLostError, LoginError, ProtocolError
from syncer.imap.auth import LogIn, Method, Password
from syncer.imap.greeting import Capabilities, Greeted, Told, offers
from syncer.imap.memory import Memory
from syncer.imap.quirks import quirks_of
from syncer.imap.session import Session, known_capabilities

PATIENCE = 10.0
"""After so many seconds without an answer, what was sent behind the log-in is lost."""


class UnansweredError(Exception):
    """The server logged us in and says nothing to what came behind the log-in."""


class Opening:
    """One attempt to make a session. `memory` is then what to remember of the server."""

    def __init__(self, reached: Greeted, *, known: Memory | None, early: bool, compress: bool) -> None:
        """`known` is about this server; `early` and `compress` as `connect` has them."""
        self.memory: Memory | None = None
        self._reached = reached
        self._wire = reached.wire
        self._quirks = quirks_of(reached.greeting)
        self._known = known
        self._early = early
        self._compress = compress
        self._compressing: bytes | None = None

    def session(self, user: str, password: Password) -> Session:
        """Log in.

        Raises:
            LoginError: refused.
            ConnectError: the server cannot take log-ins at the moment, or the connection broke meanwhile.
            ConnectionLostError: the connection broke.
            ProtocolError: the server does not speak IMAP.
            UnansweredError: see there.
        """
        if self._reached.preauthenticated:
            return self._session(self._reached.offered or offers(self._wire))
        offered, guessed = self._reached.offered, False
        if offered is None and self._reached.secure and self._known is not None:
            # In clear text the password is not risked for a LOGINDISABLED that was not remembered.
            offered = self._known.offered
            guessed = offered is not None
        if offered is None:
            offered = offers(self._wire)
        log_in = LogIn(self._wire, user, password)
        method = log_in.method(offered)
        try:
            return self._logged_in(log_in, method, offered)
        except LoginError:
            now = self._offered_after_all() if guessed else None
            if now is None or set(now) == set(offered):
                raise
        self._known = None  # what was remembered does not hold: the server wants another way to log in
        return self._logged_in(log_in, log_in.method(now), now)

    def _logged_in(self, log_in: LogIn, method: Method, offered: Capabilities) -> Session:
        wire, known, session = self._wire, self._known, None
        behind = known is not None and not known.alone and method in self._quirks.company
        if method == "exchange":
            told = log_in.exchange(self._reached.greeting, offered)
        else:
            tag = log_in.send(method)
            if known is not None and behind:
                session = self._begun(known.capabilities)
            told = log_in.outcome(tag)
        if told is None:
            hearing = Told(wire)
            asked = wire.send(b"CAPABILITY")
            if session is None and known is not None:
                session = self._begun(known.capabilities)
            hearing.wait(asked)
            told = hearing.capabilities or ()
        taken = self._taken(session) if session is not None and behind else not behind
        self._settle()
        same = known is not None and set(known.capabilities) == set(told)
        self.memory = Memory(
            self._reached.greeting,
            told,
            offered if self._reached.offered is None else None,
            alone=not taken or (known is not None and known.alone and same),
        )
        return session if session is not None and taken and same else self._session(told)

    def _begun(self, capabilities: Capabilities) -> Session:
        """A session whose first commands are on their way; nothing may be sent until `_settle`."""
        session = Session(self._wire, self._quirks, known_capabilities(capabilities), early=self._early)
        if self._compress and "COMPRESS=DEFLATE" in capabilities:
            self._compressing = session.compress()
        return session

    def _session(self, capabilities: Capabilities) -> Session:
        session = self._begun(capabilities)
        self._settle()
        if self._early:
            self._wire.flush()  # so that the server has something to do meanwhile
        return session

    def _settle(self) -> None:
        """Begin to compress, if that was asked for and not answered yet."""
        asked, self._compressing = self._compressing, None
        if asked is not None and self._wire.wait(asked).kind == "OK":
            self._wire.transport.compress()
            self._compress = False

    def _taken(self, session: Session) -> bool:
        """Whether the server took what came behind the log-in; the replies to it come in the same flight."""
        self._wire.transport.allow(PATIENCE)
        try:
            taken = session.begun()
        except (ConnectionLostError, ProtocolError) as error:
            raise UnansweredError from error
        self._wire.renew()
        return taken

    def _offered_after_all(self) -> Capabilities | None:
        """What a server that refused us offers, if it still speaks to us."""
        try:
            self._settle()
            return offers(self._wire)
        except (ConnectionLostError, ProtocolError):
            return None
