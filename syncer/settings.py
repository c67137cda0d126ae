"""The keys of an account in syncer.conf: for each what is allowed and what holds where it is not given.

Each parser takes the value as TOML gives it and the directory that relative paths start from. It returns the value
that the program uses or raises `UnfitError`, which says what is allowed. Nothing here reads a file.
"""

import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from syncer.values import Struct

Tls = Literal["implicit", "starttls", "off"]
Layout = Literal["fs", "maildir++"]
Direction = Literal["both", "pull", "push"]
OnLocalDelete = Literal["expunge", "trash", "keep"]
MailboxChanges = Literal["create", "all"]
Durability = Literal["batch", "file"]

REQUIRED: Final = object()
"""The default of a key that has none."""

CREDENTIALS: Final = ("password_command", "password_file", "password")
"""Exactly one of these has to be given. Their values are never shown."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST: Final = 100 * 366 * 86_400
_SHELL_WORDS: Final = frozenset({"|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>/dev/null"})
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


class UnfitError(ValueError):
    """The value cannot be used; the text says what can."""


class Secret:
    """A password. Nothing that prints it shows it; only `reveal` gives it away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The password itself."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(...)"


Parser = Callable[[object, Path], Any]


class Setting(Struct, frozen=True):
    """One key: its parser and its default."""

    parse: Parser
    default: object = None


def text(value: object, _base: Path) -> str:
    """A string that can stand on one line."""
    if not isinstance(value, str) or not value or _CONTROL.search(value):
        raise UnfitError("a string that is not empty and has no control characters")
    return value


def _host(value: object, base: Path) -> str:
    host = text(value, base)
    if re.search(r"[\s/@\[\]]", host) or (host.count(":") == 1):
        raise UnfitError(
            'the name or address of the server and nothing else, such as "imap.example.org"; the port has a key'
        )
    return host


def parse_path(value: object, base: Path) -> Path:
    """An absolute path, `~` expanded, relative to `base`."""
    try:
        expanded = os.path.expanduser(text(value, base))
    except UnfitError as error:
        raise UnfitError("a path") from error
    if expanded.startswith("~"):
        raise UnfitError('a path; this "~" has no home directory')
    return Path(os.path.abspath(base / expanded))


def parse_metrics_file(value: object, base: Path) -> Path:
    """Where the collector of node_exporter finds it: it reads what ends in `.prom`. Raises UnfitError."""
    path = parse_path(value, base)
    if path.suffix != ".prom" or path.name == ".prom":
        raise UnfitError("a path that ends in .prom, in the directory of node_exporter's textfile collector")
    return path


def parse_command(value: object, _base: Path) -> tuple[str, ...]:
    """A command as a list of words, or as a string in which spaces and quotes make words of it. Raises UnfitError."""
    if isinstance(value, str):
        try:
            words = shlex.split(text(value, _base)) if value else []
        except UnfitError:
            raise
        except ValueError as error:
            raise UnfitError(f"a command whose quotes match ({error})") from error
        if _SHELL_WORDS & set(words):
            raise UnfitError('a command; no shell reads it, so for pipes write ["sh", "-c", "..."]')
    elif isinstance(value, list) and all(isinstance(word, str) and "\0" not in word for word in value):
        words = value
    else:
        words = []
    if not words or not words[0]:
        raise UnfitError('a command such as "pass show mail/work", or a list of its words')
    return (os.path.expanduser(words[0]), *words[1:])


def _secret(value: object, base: Path) -> Secret:
    return Secret(text(value, base))


def _integer(lowest: int, highest: int) -> Parser:
    def parse(value: object, _base: Path) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise UnfitError(f"a whole number from {lowest} to {highest}")
        return value

    return parse


def _fraction(value: object, _base: Path) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise UnfitError("a number from 0 (hold every deletion) to 1 (hold none)")
    return float(value)


def _duration(lowest: int = 0, highest: int = _LONGEST) -> Parser:
    def parse(value: object, _base: Path) -> int:
        seconds = -1
        if isinstance(value, int) and not isinstance(value, bool):
            seconds = value
        elif isinstance(value, str) and (found := re.fullmatch(r"([0-9]{1,10})([smhdw])", value.strip())):
            seconds = int(found[1]) * _UNITS[found[2]]
        if not lowest <= seconds <= highest:
            limits = f" from {lowest} to {highest} seconds" if highest != _LONGEST else " of at most 100 years"
            raise UnfitError(f'a duration{limits}, such as "30d", "12h", "45m", "90s" or a whole number of seconds')
        return seconds

    return parse


def _choice(*allowed: str) -> Parser:
    def parse(value: object, _base: Path) -> str:
        if value not in allowed:
            raise UnfitError(" or ".join(f'"{word}"' for word in allowed))
        return str(value)

    return parse


def _boolean(value: object, _base: Path) -> bool:
    if not isinstance(value, bool):
        raise UnfitError("true or false")
    return value


def _fingerprint(value: object, _base: Path) -> str:
    digits = value.replace(":", "").lower() if isinstance(value, str) else ""
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise UnfitError("the SHA-256 digest of the certificate: 64 hexadecimal digits, with or without colons")
    return digits


def _patterns(*, may_be_empty: bool) -> Parser:
    def parse(value: object, _base: Path) -> tuple[str, ...]:
        if not isinstance(value, list) or not (value or may_be_empty):
            raise UnfitError('a list of patterns, such as ["INBOX", "Lists/*"]')
        for pattern in value:
            if not isinstance(pattern, str) or not pattern or _CONTROL.search(pattern):
                raise UnfitError("a list of patterns, each a string that is not empty and has no control characters")
            if pattern.startswith("/") or pattern.endswith("/") or "//" in pattern:
                raise UnfitError(
                    f'patterns of names whose levels are joined by one "/"; {pattern!r} matches no mailbox'
                )
        return tuple(value)

    return parse


def _names(value: object, base: Path) -> tuple[str, ...]:
    """Mailboxes, of which each costs a connection: patterns would match who knows how many."""
    names: tuple[str, ...] = _patterns(may_be_empty=True)(value, base)
    if any("*" in name or "%" in name for name in names):
        raise UnfitError('a list of names of mailboxes, such as ["INBOX", "Work"], without * and %')
    return names


ACCOUNT_SETTINGS: Final[Mapping[str, Setting]] = {
    "host": Setting(_host, REQUIRED),
    "port": Setting(_integer(1, 65_535)),
    "tls": Setting(_choice("implicit", "starttls", "off"), "implicit"),
    "user": Setting(text, REQUIRED),
    "password_command": Setting(parse_command),
    "password_file": Setting(parse_path),
    "password": Setting(_secret),
    "maildir": Setting(parse_path, REQUIRED),
    "layout": Setting(_choice("fs", "maildir++"), "fs"),
    "include": Setting(_patterns(may_be_empty=False), ("*",)),
    "exclude": Setting(_patterns(may_be_empty=True), ()),
    "direction": Setting(_choice("both", "pull", "push"), "both"),
    "tls_ca_file": Setting(parse_path),
    "tls_fingerprint": Setting(_fingerprint),
    "allow_insecure": Setting(_boolean, default=False),
    "connections": Setting(_integer(1, 16), 3),
    "max_delete": Setting(_fraction, 0.5),
    "keep_deleted": Setting(_duration(), 30 * 86_400),
    "on_local_delete": Setting(_choice("expunge", "trash", "keep"), "expunge"),
    "mailbox_changes": Setting(_choice("create", "all"), "create"),
    "full_interval": Setting(_duration(), 7 * 86_400),
    "idle": Setting(_names, ("INBOX",)),
    "poll_interval": Setting(_duration(10), 120),
    "keepalive": Setting(_duration(10, 1_740), 540),
    "timeout": Setting(_duration(1, 3600), 60),
    "compress": Setting(_boolean, default=False),
    "durability": Setting(_choice("batch", "file"), "batch"),
}
"""Every key of `[accounts.NAME]`. `port` follows `tls` where it is not given."""
