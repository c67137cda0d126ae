"""Logging in. The password is in one object that does not show it, and in no log, message or exception."""

import binascii
import re
from typing import Literal, NoReturn

from syncer.errors import ConnectError, ConnectionLostError, LoginError, ProtocolError
from syncer.imap.arguments import string
from syncer.imap.greeting import Capabilities, Told
from syncer.imap.responses import printable
from syncer.imap.throttling import pause_in
from syncer.imap.wire import Wire

_LATER = ("UNAVAILABLE", "INUSE", "LIMIT")
"""RFC 5530 section 3: the credentials may be right, the server cannot check or admit them now."""

_WORDS = 500
"""As much of a server's words as a person is shown."""

Method = Literal["LOGIN", "AUTHENTICATE", "exchange"]
"""`exchange` is AUTHENTICATE PLAIN where the server has to ask for the response."""


class Password:
    """A secret. `repr` and `str` do not show it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Keep `value`."""
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the moment of logging in."""
        return self._value

    def __repr__(self) -> str:
        return "Password(...)"


class LogIn:
    """One log-in: choose how, send it, hear the outcome."""

    def __init__(self, wire: Wire, user: str, password: Password) -> None:
        """Nothing is sent yet."""
        self._wire = wire
        self._where = wire.where
        self._user = user
        self._password = password
        self._told = Told(wire)

    def method(self, offered: Capabilities) -> Method:
        """LOGIN, or AUTHENTICATE PLAIN where LOGIN is disabled or cannot say the password.

        Raises:
            LoginError: the server offers neither, or nothing can say the password.
        """
        text = self._user + self._password.reveal()
        if any(char in "\0\r\n" for char in text):
            raise LoginError(f"{self._where}: the user name or the password holds a line end; remove it")
        if text.isascii() and "LOGINDISABLED" not in offered:
            return "LOGIN"
        if "AUTH=PLAIN" in offered:
            return "AUTHENTICATE" if "SASL-IR" in offered else "exchange"
        if text.isascii():
            raise LoginError(f"{self._where}: the server allows no log-in with a password here (LOGINDISABLED)")
        raise LoginError(f"{self._where}: the server has no AUTH=PLAIN, which a password beyond ASCII needs")

    def send(self, method: Literal["LOGIN", "AUTHENTICATE"]) -> bytes:
        """Send the command; returns its tag for `outcome`."""
        secret = self._password.reveal()
        try:
            if method == "LOGIN":
                return self._wire.send(b"LOGIN", _astring(self._user), string(secret.encode("ascii")))
            # RFC 4959: the one response of PLAIN in the command.
            return self._wire.send(b"AUTHENTICATE PLAIN", _initial_response(self._user, secret))
        except (ConnectionLostError, ProtocolError) as error:
            self._broke(pause=error.pause)

    def outcome(self, tag: bytes) -> Capabilities | None:
        """Wait for the reply; returns the capabilities that came with it.

        Raises:
            LoginError: refused.
            ConnectError: the server cannot take log-ins at the moment, or the connection broke.
        """
        try:
            status = self._told.wait(tag)
        except (ConnectionLostError, ProtocolError) as error:
            self._broke(pause=error.pause)
        if status.kind != "OK":
            self._refused(status.words)
        return self._told.capabilities

    def exchange(self, greeting: bytes, offered: Capabilities) -> Capabilities | None:
        """Log in by question and answer; returns and raises what `outcome` does."""
        from syncer.imap.sasl import BrokenError, UnacceptedError, plain  # noqa: PLC0415 - loads IMAPClient

        try:
            return plain(self._wire, greeting, offered, self._user, self._password.reveal())
        except BrokenError as error:
            self._broke(str(error))
        except UnacceptedError as error:
            self._refused(str(error))

    def _broke(self, why: str | None = None, pause: float | None = None) -> NoReturn:
        words = self._clean(why or self._wire.closed or "")
        if pause is None:
            words = f"the connection broke while logging in ({words})"
        raise ConnectError(f"{self._where}: {words}").after(pause) from None

    def _refused(self, words: str) -> NoReturn:
        words, who, pause = self._clean(words), f"{self._user!r}", pause_in(words)
        if pause is not None or any(f"[{code}]" in words for code in _LATER):
            raise ConnectError(f"{self._where}: the server cannot log in {who} now: {words}").after(pause) from None
        raise LoginError(
            f"{self._where}: the server refused to log in {who}: {words}; check user and password"
        ) from None

    def _clean(self, words: str) -> str:
        """A server may repeat what it was sent, and say what is not for eyes."""
        secret = self._password.reveal()
        quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
        for spoken in (quoted, secret, _initial_response(self._user, secret).decode()):
            words = words.replace(spoken, "...") if spoken else words
        return printable(words[:_WORDS])


def _initial_response(user: str, secret: str) -> bytes:
    """RFC 4616 section 2, in the form in which it travels."""
    return binascii.b2a_base64(f"\0{user}\0{secret}".encode(), newline=False)


def _astring(text: str) -> bytes:
    octets = text.encode("ascii")
    if re.fullmatch(rb"[A-Za-z0-9@._+=-]+", octets):
        return octets
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
