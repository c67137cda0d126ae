"""From a socket to a server that waits for the log-in: greeting, STARTTLS, and what the server offers.

STARTTLS begins with a clean slate: whatever the server said before the handshake is forgotten, and octets that arrive
before it are an attack. A PREAUTH greeting is only believed over TLS.
"""

import socket
import threading
from collections.abc import Callable

from syncer.errors import ProtocolError, TlsError
from syncer.imap.dial import Endpoint, secured
from syncer.imap.responses import Code, Data, Response, Status, names
from syncer.imap.transport import Transport
from syncer.imap.wire import Wire
from syncer.values import Struct

_MAX_RESPONSES = 10_000
"""As many as a server may send to one command before the log-in is done."""

Capabilities = tuple[str, ...]
"""In upper case, in the server's order."""


class Told:
    """Hears the responses to a command before or at the log-in, and keeps the capabilities among them."""

    def __init__(self, wire: Wire) -> None:
        self.capabilities: Capabilities | None = None
        """None as long as the server told none."""
        self._wire = wire
        self._responses = 0

    def hear(self, response: Response) -> None:
        """Take in a response, the tagged one as well."""
        self._responses += 1
        if self._responses > _MAX_RESPONSES:
            self._wire.fail(f"the server sent more than {_MAX_RESPONSES} responses before the log-in was done")
        match response:
            case Data("CAPABILITY", values) | Status(code=Code("CAPABILITY", values)):
                self.capabilities = tuple(name.decode("ascii", "replace").upper() for name in names(list(values)))

    def run(self, *arguments: bytes) -> Status:
        """Send a command and wait for its reply."""
        return self.wait(self._wire.send(*arguments))

    def wait(self, tag: bytes) -> Status:
        """Wait for a command's reply."""
        status = self._wire.wait(tag, self.hear)
        self.hear(status)
        return status


class Greeted(Struct, frozen=True):
    """A server that has greeted, over TLS unless there is to be none."""

    wire: Wire
    greeting: bytes
    """The line as it came, without its end; in clear text where TLS began with STARTTLS."""
    offered: Capabilities | None
    """What it told, and may be asked where it did not; what was said before TLS does not count."""
    secure: bool
    """There is TLS."""
    preauthenticated: bool = False


def greeted(
    sock: socket.socket,
    endpoint: Endpoint,
    *,
    read_seconds: float,
    command_seconds: float,
    clock: Callable[[], float],
    stop: threading.Event | None = None,
) -> Greeted:
    """Read the greeting, and begin TLS if that is to be done now.

    Raises:
        OSError: the handshake failed.
        ConnectionLostError: the connection broke, or the server does not want us.
        ProtocolError: what it says is no IMAP.
        TlsError: there is no TLS where there must be.
    """

    def wire_over(sock: socket.socket) -> Wire:
        wire = Wire(Transport(sock, read_seconds, clock, stop), endpoint.where, command_seconds=command_seconds)
        wire.renew()
        return wire

    wire = wire_over(sock)
    line = wire.line()
    said = wire.rest(line)
    if not (isinstance(said, Status) and not said.tag and said.kind in ("OK", "PREAUTH")):
        raise ProtocolError(f"{endpoint.where}: the server did not greet; check port and tls")
    greeting, preauthenticated = line.rstrip(b"\r\n"), said.kind == "PREAUTH"
    told = Told(wire)
    told.hear(said)
    if endpoint.tls == "implicit":
        return Greeted(wire, greeting, told.capabilities, secure=True, preauthenticated=preauthenticated)
    if preauthenticated:
        raise TlsError(f"{endpoint.where}: the server wants no log-in over clear text (PREAUTH); not trusted")
    if endpoint.tls == "off":
        return Greeted(wire, greeting, told.capabilities, secure=False)
    _begin_tls(wire, told, endpoint)
    return Greeted(wire_over(secured(sock, endpoint)), greeting, None, secure=True)


def offers(wire: Wire) -> Capabilities:
    """Ask for the capabilities."""
    told = Told(wire)
    told.run(b"CAPABILITY")
    return told.capabilities or ()


def _begin_tls(wire: Wire, told: Told, endpoint: Endpoint) -> None:
    if told.capabilities is None:
        told.run(b"CAPABILITY")
    if "STARTTLS" not in (told.capabilities or ()):
        raise TlsError(f'{endpoint.where}: the server does not offer STARTTLS; try tls = "implicit" with port 993')
    status = told.run(b"STARTTLS")
    if status.kind != "OK":
        raise TlsError(f"{endpoint.where}: the server refused STARTTLS: {status.words}")
    if wire.transport.early_octets():
        raise TlsError(f"{endpoint.where}: the server sent data between STARTTLS and the handshake (an attack?)")
