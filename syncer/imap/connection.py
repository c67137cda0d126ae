"""From settings to a logged-in `ImapServer`: connect, TLS, greeting, log-in, capabilities, and when to try again.

IMAPClient speaks up to the log-in, over a transport of ours that bounds every line and every wait; after it `Wire`
takes the same connection over. TLS is 1.2 or later and never optional: no setting makes a failed handshake, a missing
STARTTLS or a PREAUTH greeting continue in clear text. STARTTLS begins with a clean slate: whatever the server said
before the handshake is forgotten, and octets that arrive before it are an attack.
"""

import hashlib
import hmac
import imaplib
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from syncer.errors import ConnectError, ProtocolError, TlsError
from syncer.imap.auth import Password, log_in
from syncer.imap.mailbox import ImapServer
from syncer.imap.quirks import quirks_of
from syncer.imap.responses import shown
from syncer.imap.retry import CONNECT_ATTEMPTS, connecting
from syncer.imap.session import Session, known_capabilities
from syncer.imap.transport import Transport
from syncer.imap.wire import MAX_SMALL_LITERAL, Wire

_MAX_LINES = 10_000


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where and how to log in."""

    account: str
    host: str
    port: int
    tls: Literal["implicit", "starttls", "off"]
    user: str
    password: Password
    tls_ca_file: str | None = None
    """Trust the authorities in this file instead of the system's."""
    tls_fingerprint: str | None = None
    """SHA-256 of the certificate in hex: accept exactly this one; without `tls_ca_file` no authority is asked."""
    connect_seconds: float = 20.0
    read_seconds: float = 60.0
    """The longest silence."""
    command_seconds: float = 300.0
    """How long a command may go on without progress."""
    allow_insecure: bool = False
    """`tls = "off"` to a host that is not a loopback address."""
    compress: bool = False
    """COMPRESS=DEFLATE (RFC 4978), where the server has it."""

    @property
    def where(self) -> str:
        """Account and host, for messages."""
        return f"account {self.account} ({self.host}:{self.port})"


def connect(
    settings: ServerSettings,
    *,
    attempts: int = CONNECT_ATTEMPTS,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> ImapServer:
    """A logged-in connection. A server that cannot be reached is tried again, a refusal is not.

    Raises:
        ConnectError: the server cannot be reached, or does not want us now; also after the last attempt.
        TlsError: the certificate or the handshake was not acceptable, or there is no TLS where there must be.
        LoginError: the server refused the credentials.
    """
    return connecting(attempts, sleep)(_connect_once, settings, clock, now)


def _connect_once(settings: ServerSettings, clock: Callable[[], float], now: Callable[[], float]) -> ImapServer:
    client = _Client.greeted(settings, clock)
    transport: Transport = client.transport
    try:
        if not client.preauthenticated:
            log_in(client, settings.where, settings.user, settings.password)
        wire = Wire(transport, settings.where, command_seconds=settings.command_seconds)
        capabilities = known_capabilities(wire, client.told())
        if settings.compress and "COMPRESS=DEFLATE" in capabilities and wire.run(b"COMPRESS DEFLATE").ok:
            transport.compress()
        session = Session(wire, quirks_of(client.welcome or b""), capabilities)
    except BaseException:
        transport.socket.close()
        raise
    return ImapServer(session, now=now)


class _Protocol(imaplib.IMAP4):
    """imaplib's command machinery over our transport, through the hooks that it has for that."""

    def __init__(self, settings: ServerSettings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.clock = clock
        self.lines = 0
        self.transport: Transport
        super().__init__(settings.host, settings.port)

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:  # noqa: ARG002  # imaplib's
        self.host, self.port = host, port
        sock = socket.create_connection((host, port), self.settings.connect_seconds)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self.settings.tls == "implicit":
                sock = _secured(sock, self.settings)
            elif self.settings.tls == "off":
                _check_clear_text(sock, self.settings)
        except BaseException:
            sock.close()
            raise
        self._use(sock)

    def _use(self, sock: socket.socket) -> None:
        self.sock = sock
        self.transport = Transport(sock, self.settings.read_seconds, self.clock)
        self.transport.allow(self.settings.command_seconds)

    def told(self) -> list[bytes] | None:
        """The capabilities that the server told of its own accord, once."""
        values = self.untagged_responses.pop("CAPABILITY", None)
        return values[-1].upper().split() if values and isinstance(values[-1], bytes) else None

    def _get_capabilities(self) -> None:
        """Ask only where the greeting did not tell."""
        told = self.told()
        if told is None:
            super()._get_capabilities()  # type: ignore[misc]  # typeshed leaves it out
        else:
            self.capabilities = tuple(name.decode("ascii", "replace") for name in told)

    def read(self, size: int) -> bytes:
        if size > MAX_SMALL_LITERAL:
            raise ProtocolError(f"the server sent a literal of {size} octets before the log-in")
        return self.transport.reader.read(size)

    def readline(self) -> bytes:
        self.lines += 1
        if self.lines > _MAX_LINES:
            raise ProtocolError(f"the server sent more than {_MAX_LINES} lines before the log-in was done")
        return self.transport.line()

    def send(self, data: bytes) -> None:  # type: ignore[override]  # typeshed allows any buffer
        self.transport.send(data)

    def shutdown(self) -> None:
        self.sock.close()

    def starttls(self, ssl_context: ssl.SSLContext | None = None) -> Any:  # noqa: ARG002  # IMAPClient passes its context; ours is built from the settings
        if "STARTTLS" not in self.capabilities:
            raise TlsError(
                f'{self.settings.where}: the server does not offer STARTTLS; try tls = "implicit" with port 993'
            )
        kind, words = self._simple_command("STARTTLS")
        if kind != "OK":
            raise TlsError(f"{self.settings.where}: the server refused STARTTLS: {words!r}")
        if self.transport.early_octets():
            raise TlsError(
                f"{self.settings.where}: the server sent data between STARTTLS and the handshake (an attack?)"
            )
        self.sock.settimeout(self.settings.connect_seconds)
        self._use(_secured(self.sock, self.settings))
        self.untagged_responses = {}
        self.capabilities = ()
        self._get_capabilities()
        return kind, words


class _Client(IMAPClient):  # type: ignore[misc]  # IMAPClient ships no types
    """IMAPClient over `_Protocol`."""

    def __init__(self, settings: ServerSettings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        super().__init__(settings.host, settings.port, ssl=settings.tls == "implicit", timeout=settings.read_seconds)
        self._imap.debug = 0  # IMAPClient formats every line for a log that nobody reads

    @classmethod
    def greeted(cls, settings: ServerSettings, clock: Callable[[], float]) -> "_Client":
        """Connected, greeted and secured."""
        client = None
        try:
            client = cls(settings, clock)
            client._secure()
        except BaseException as error:
            if client is not None:
                client.transport.socket.close()
            if isinstance(error, (OSError, imaplib.IMAP4.error, IMAPClientError, ProtocolError)):
                raise _explained(error, settings) from error
            raise
        return client

    @property
    def transport(self) -> Transport:
        transport: Transport = self._imap.transport
        return transport

    def told(self) -> tuple[bytes, ...] | None:
        """The capabilities that came with the reply to the log-in, as a code or by themselves."""
        told: list[bytes] | None = self._imap.told()
        return tuple(told) if told is not None else None

    @property
    def preauthenticated(self) -> bool:
        return bool(self._imap.state == "AUTH")

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802  # IMAPClient's name
        return _Protocol(self._settings, self._clock)

    def _set_read_timeout(self) -> None:
        """The transport has its own."""

    def _secure(self) -> None:
        if self._settings.tls == "implicit":
            return
        if self.preauthenticated:
            raise TlsError(f"{self._settings.where}: the server wants no log-in over clear text (PREAUTH); not trusted")
        if self._settings.tls == "starttls":
            self._imap.starttls()
            self._cached_capabilities = None


def _check_clear_text(sock: socket.socket, settings: ServerSettings) -> None:
    peer = ipaddress.ip_address(_peer(sock))
    if not (settings.allow_insecure or peer.is_loopback or getattr(peer, "ipv4_mapped", None) in _LOOPBACK):
        raise TlsError(
            f'{settings.where}: tls = "off" would send the password in clear text to {peer};'
            ' use tls = "implicit", or set allow_insecure'
        )


def _peer(sock: socket.socket) -> str:
    """The address at the other end, without a zone."""
    address: str = sock.getpeername()[0]
    return address.partition("%")[0]


_LOOPBACK = (ipaddress.IPv4Address("127.0.0.1"),)


def _secured(sock: socket.socket, settings: ServerSettings) -> ssl.SSLSocket:
    pinned = settings.tls_fingerprint
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca_file)
    except OSError as error:
        raise TlsError(f"{settings.where}: cannot use tls_ca_file {settings.tls_ca_file!r}: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if pinned and not settings.tls_ca_file:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    secured = context.wrap_socket(sock, server_hostname=settings.host)
    if pinned:
        found = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(found, pinned.replace(":", "").lower()):
            secured.close()
            raise TlsError(
                f"{settings.where}: the certificate is not the one in tls_fingerprint; its SHA-256 is {found}"
            )
    return secured


def _explained(error: Exception, settings: ServerSettings) -> ConnectError | TlsError:
    """What went wrong before the log-in, for the person who reads it."""
    where, text = settings.where, ""
    match error:
        case ssl.SSLCertVerificationError():
            hint = "set tls_ca_file or tls_fingerprint if it is the right one"
            return TlsError(f"{where}: the server's certificate is not trusted: {error.verify_message}; {hint}")
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            text = "the server closed the connection during the TLS handshake"
        case ssl.SSLError():
            return TlsError(f"{where}: TLS failed: {error.reason or error}; check tls and port")
        case socket.gaierror():
            text = f"the host name cannot be resolved ({error.strerror}); check host and network"
        case ConnectionRefusedError():
            text = "nothing listens there; check host and port"
        case TimeoutError():
            text = "no answer in time; check host, port, tls and network"
        case IMAPClientAbortError() | OSError():
            text = f"the connection broke: {error}; check port and tls"
        case _:
            words = error.args[0] if error.args else error
            text = shown(words) if isinstance(words, bytes) else str(words)
    return ConnectError(f"{where}: {text}")
