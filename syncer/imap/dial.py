"""The way to a server: resolve, connect, and TLS from the first octet where it is implicit.

TLS is 1.2 or later and never optional: no setting makes a failed handshake go on in clear text. This module loads
little, so that a connection can be under way while the rest of the program is loaded.
"""

from __future__ import annotations

import socket
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from syncer.errors import AccountError, ConnectError, ConnectionLostError, SyncerError, TlsError
from syncer.later import Later
from syncer.values import Struct

if TYPE_CHECKING:
    import ssl
else:
    ssl = Later("ssl")


class Endpoint(Struct, frozen=True):
    """Where a server is, and what makes it the right one."""

    account: str
    host: str
    port: int
    tls: Literal["implicit", "starttls", "off"]
    tls_ca_file: str | None = None
    """Trust the authorities in this file instead of the system's."""
    tls_fingerprint: str | None = None
    """SHA-256 of the certificate in hex: accept exactly this one; without `tls_ca_file` no authority is asked."""
    connect_seconds: float = 20.0
    allow_insecure: bool = False
    """`tls = "off"` to a host that is not a loopback address."""

    @property
    def where(self) -> str:
        """Account and host, for messages."""
        return f"account {self.account} ({self.host}:{self.port})"


def dial(endpoint: Endpoint) -> socket.socket:
    """A connected socket, secured if TLS is implicit.

    Raises:
        OSError: it cannot be had; see `explained`.
        TlsError: the certificate is not the right one, or the password would go out in clear text.
    """
    host: str | bytes = endpoint.host
    if endpoint.host.isascii():  # as text it would go through IDNA, which takes 4 ms to load
        host = endpoint.host.encode()
    sock = socket.create_connection((host, endpoint.port), endpoint.connect_seconds)  # type: ignore[arg-type]
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if endpoint.tls == "implicit":
            return secured(sock, endpoint)
        if endpoint.tls == "off":
            _check_clear_text(sock, endpoint)
    except BaseException:
        sock.close()
        raise
    return sock


class Call:
    """A `dial` under way in a thread of its own, so that the caller has something else to do meanwhile."""

    FRESH = 20.0
    """Seconds after which a server that was not spoken to may have hung up."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Begin."""
        self._endpoint = endpoint
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self._wanted = True
        self._socket: socket.socket | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._dial, name="dial", daemon=True)
        self._thread.start()

    def take(self) -> socket.socket:
        """What `dial` returns, or raises; it dials again where the first connection is gone or stale."""
        self._thread.join()
        with self._lock:
            sock, self._socket = self._socket, None
            error, self._error = self._error, None
        if error is not None:
            raise error
        if sock is not None and time.monotonic() - self._begun <= self.FRESH:
            return sock
        if sock is not None:
            sock.close()
        return dial(self._endpoint)

    def hang_up(self) -> None:
        """The connection is not wanted; does not wait for it."""
        with self._lock:
            self._wanted = False
            sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def _dial(self) -> None:
        try:
            sock = dial(self._endpoint)
        except Exception as error:  # noqa: BLE001 - it is raised where the connection is wanted
            self._error = error
            return
        with self._lock:
            if self._wanted:
                self._socket = sock
                return
        sock.close()


def secured(sock: socket.socket, endpoint: Endpoint) -> ssl.SSLSocket:
    """TLS over the socket, with the server's certificate checked. Raises what `dial` does."""
    pinned = endpoint.tls_fingerprint
    try:
        context = _context(endpoint.tls_ca_file, by_pin_only=bool(pinned and not endpoint.tls_ca_file))
    except OSError as error:
        raise TlsError(f"{endpoint.where}: cannot use tls_ca_file {endpoint.tls_ca_file!r}: {error}") from error
    sock.settimeout(endpoint.connect_seconds)
    try:
        wrapped = context.wrap_socket(sock, server_hostname=endpoint.host)
    except ssl.SSLCertVerificationError:
        _context.cache_clear()  # the authorities may be others by the next attempt
        raise
    if pinned:
        _check_pin(wrapped, endpoint, pinned)
    return wrapped


def explained(error: Exception, endpoint: Endpoint) -> SyncerError:
    """What went wrong before the log-in, for the person who reads it."""
    where, text = endpoint.where, ""
    match error:
        case TlsError() | ConnectError():
            return error
        case ConnectionLostError() if isinstance(error.__context__, OSError):
            return explained(error.__context__, endpoint)
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
        case OSError():
            text = f"the connection broke: {error}; check port and tls"
        case _:
            text = str(error).removeprefix(f"{where}: ")
    return ConnectError(f"{where}: {text}").after(error.pause if isinstance(error, AccountError) else None)


@lru_cache(maxsize=8)
def _context(ca_file: str | None, *, by_pin_only: bool) -> ssl.SSLContext:
    """What to accept; kept, because loading the system's authorities takes 20 ms."""
    if by_pin_only:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _check_pin(sock: ssl.SSLSocket, endpoint: Endpoint, pinned: str) -> None:
    import hashlib  # noqa: PLC0415 - only who pins pays for it
    import hmac  # noqa: PLC0415 - as above

    found = hashlib.sha256(sock.getpeercert(binary_form=True) or b"").hexdigest()
    if not hmac.compare_digest(found, pinned.replace(":", "").lower()):
        sock.close()
        raise TlsError(f"{endpoint.where}: the certificate is not the one in tls_fingerprint; its SHA-256 is {found}")


def _check_clear_text(sock: socket.socket, endpoint: Endpoint) -> None:
    if endpoint.allow_insecure or (sock.family == socket.AF_INET and _peer(sock).startswith("127.")):
        return
    import ipaddress  # noqa: PLC0415 - clear text is the exception

    peer = ipaddress.ip_address(_peer(sock))
    if not (peer.is_loopback or getattr(peer, "ipv4_mapped", None) == ipaddress.IPv4Address("127.0.0.1")):
        raise TlsError(
            f'{endpoint.where}: tls = "off" would send the password in clear text to {peer};'
            ' use tls = "implicit", or set allow_insecure'
        )


def _peer(sock: socket.socket) -> str:
    """The address at the other end, without a zone."""
    address: str = sock.getpeername()[0]
    return address.partition("%")[0]
