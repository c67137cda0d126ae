"""Logging in. The password is in one object that does not show it, and in no log, message or exception."""

import base64
import re
from typing import NoReturn

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from syncer.errors import ConnectError, LoginError, ProtocolError

_LATER = ("UNAVAILABLE", "INUSE", "LIMIT")
"""RFC 5530 section 3: the credentials may be right, the server cannot check or admit them now."""


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


def log_in(client: IMAPClient, where: str, user: str, password: Password) -> None:
    """Log in with LOGIN, or with AUTHENTICATE PLAIN where LOGIN is disabled or cannot say the password.

    Nothing is sent behind it before the reply is there: Courier's log-in program takes such octets with it when it
    hands over.

    Raises:
        LoginError: refused, or the server offers neither.
        ConnectError: the server cannot take log-ins at the moment.
    """
    secret = password.reveal()
    if any(char in "\0\r\n" for char in user + secret):
        raise LoginError(f"{where}: the user name or the password holds a line end; remove it")
    offered = {name.upper() for name in client.capabilities()}
    plain_text = (user + secret).isascii()
    try:
        if plain_text and b"LOGINDISABLED" not in offered:
            client.login(_astring(user), secret)
        elif {b"AUTH=PLAIN", b"SASL-IR"} <= offered:
            _authenticate_at_once(client, user, secret)
        elif b"AUTH=PLAIN" in offered:
            client.plain_login(user, secret)
        elif plain_text:
            raise LoginError(f"{where}: the server allows no log-in with a password here (LOGINDISABLED)")
        else:
            raise LoginError(f"{where}: the server has no AUTH=PLAIN, which a password beyond ASCII needs")
    except (IMAPClientAbortError, OSError, ProtocolError) as error:
        raise ConnectError(f"{where}: the connection broke while logging in ({_clean(error, user, secret)})") from None
    except IMAPClientError as error:
        _refused(where, user, _clean(error, user, secret))


def _authenticate_at_once(client: IMAPClient, user: str, secret: str) -> None:
    """AUTHENTICATE PLAIN with its one response in the command (RFC 4959), which IMAPClient does not do."""
    response = _initial_response(user, secret)
    kind, words = client._imap._simple_command("AUTHENTICATE", "PLAIN", response)  # noqa: SLF001  # it has no other way
    if kind != "OK":
        raise IMAPClientError(str(words[-1]))


def _initial_response(user: str, secret: str) -> str:
    """RFC 4616 section 2, in the form in which it travels."""
    return base64.b64encode(f"\0{user}\0{secret}".encode()).decode()


def _astring(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9@._+=-]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _refused(where: str, user: str, words: str) -> NoReturn:
    if any(f"[{code}]" in words for code in _LATER):
        raise ConnectError(f"{where}: the server cannot log in {user!r} now: {words}") from None
    raise LoginError(f"{where}: the server refused to log in {user!r}: {words}; check user and password") from None


def _clean(error: Exception, user: str, secret: str) -> str:
    """The error's words. A server may repeat what it was sent."""
    words = str(error)
    if words.startswith(("b'", 'b"')):
        words = words[2:-1]
    for spoken in (secret, _initial_response(user, secret)):
        words = words.replace(spoken, "...") if spoken else words
    return words
