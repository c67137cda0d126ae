"""SASL by question and answer, which IMAPClient speaks. Loaded only where one command is not enough.

It is given a connection whose greeting was read already: the greeting is played to it again, and the capabilities
are known. When it is done, `Wire` goes on.
"""

import imaplib
from typing import Any

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from syncer.errors import ProtocolError
from syncer.imap.greeting import Capabilities
from syncer.imap.wire import MAX_SMALL_LITERAL, Wire

_MAX_LINES = 10_000


class BrokenError(Exception):
    """The connection broke."""


class UnacceptedError(Exception):
    """The server said NO or BAD."""


def plain(wire: Wire, greeting: bytes, offered: Capabilities, user: str, secret: str) -> Capabilities | None:
    """AUTHENTICATE PLAIN (RFC 4616); returns the capabilities that came with the reply.

    Raises:
        BrokenError: see there; the words may repeat the password.
        UnacceptedError: as above.
    """
    wire.flush()
    wire.renew()
    try:
        client = _Client(wire, greeting, offered)
        client.plain_login(user, secret)
    except (IMAPClientAbortError, OSError, ProtocolError) as error:
        raise BrokenError(_words(error)) from None
    except IMAPClientError as error:
        broken = isinstance(error.__context__, IMAPClientAbortError)  # IMAPClient makes a failed log-in of it
        raise (BrokenError if broken else UnacceptedError)(_words(error)) from None
    except Exception as error:
        # imaplib trusts the server: what that says wrong comes out as binascii.Error, ValueError, IndexError, and more.
        raise BrokenError(f"the server does not speak IMAP while logging in: {_words(error)}") from error
    told: list[Any] = client.protocol.untagged_responses.pop("CAPABILITY", [])
    return tuple(told[-1].decode("ascii", "replace").upper().split()) if told else None


class _Protocol(imaplib.IMAP4):
    """imaplib's command machinery over our transport, through the hooks that it has for that."""

    def __init__(self, wire: Wire, greeting: bytes, offered: Capabilities) -> None:
        self._transport = wire.transport
        self._again: bytes | None = greeting + b"\r\n"
        self._offered = offered
        self._lines = 0
        super().__init__()

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:  # noqa: ARG002  # imaplib's
        self.host, self.port, self.sock = host, port, self._transport.socket

    def _get_capabilities(self) -> None:
        self.capabilities = self._offered
        self.untagged_responses.clear()

    def read(self, size: int) -> bytes:
        if size > MAX_SMALL_LITERAL:
            raise ProtocolError(f"the server sent a literal of {size} octets before the log-in")
        return self._transport.reader.read(size)

    def readline(self) -> bytes:
        again, self._again = self._again, None
        if again is not None:
            return again
        self._lines += 1
        if self._lines > _MAX_LINES:
            raise ProtocolError(f"the server sent more than {_MAX_LINES} lines before the log-in was done")
        return self._transport.line()

    def send(self, data: bytes) -> None:  # type: ignore[override]  # typeshed allows any buffer
        self._transport.send(data)

    def shutdown(self) -> None:
        """The connection is not imaplib's to close."""


class _Client(IMAPClient):  # type: ignore[misc]  # IMAPClient ships no types
    """IMAPClient over `_Protocol`."""

    def __init__(self, wire: Wire, greeting: bytes, offered: Capabilities) -> None:
        self.protocol = _Protocol(wire, greeting, offered)
        super().__init__("", 0, ssl=False)
        self._imap.debug = 0  # IMAPClient formats every line for a log that nobody reads

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802  # IMAPClient's name
        return self.protocol

    def _set_read_timeout(self) -> None:
        """The transport has its own."""


def _words(error: Exception) -> str:
    words = str(error)
    return words[2:-1] if words.startswith(("b'", 'b"')) else words
