"""syncer.conf -> frozen values.

Every problem of a file is found in one reading and reported at once, each with the file, the key, what was found and
what is allowed. Nothing in it is evaluated or interpolated; only a leading `~` of a path is expanded. What each key
may hold stands in `settings`; what concerns several keys, or several accounts, stands here.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from syncer.configfile import Document, read_document
from syncer.errors import ConfigError
from syncer.patterns import matches
from syncer.settings import (
    ACCOUNT_SETTINGS,
    CREDENTIALS,
    REQUIRED,
    Direction,
    Durability,
    Layout,
    MailboxChanges,
    OnLocalDelete,
    Secret,
    Setting,
    Tls,
    UnfitError,
    parse_command,
    parse_metrics_file,
    parse_path,
)
from syncer.values import Struct

EXAMPLE: Final = """\
[accounts.work]
host = "imap.example.org"
user = "me@example.org"
password_command = "pass show mail/work"
maildir = "~/Mail/work"
exclude = ["Spam"]
max_delete = 0.5
keep_deleted = "30d"
"""

_TOP_LEVEL: Final = ("accounts", "state_dir", "on_change", "metrics_file")
_ACCOUNT_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}")
_LOOPBACK: Final = re.compile(r"localhost|::1|127\.\d{1,3}\.\d{1,3}\.\d{1,3}", re.IGNORECASE)
_KINDS: Final = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a section",
}


class Account(Struct, frozen=True, kw_only=True):
    """One login on one server, and the Maildir it is kept equal with. The keys are those of `[accounts.NAME]`."""

    name: str
    host: str
    port: int
    tls: Tls
    user: str
    password_command: tuple[str, ...] | None
    password_file: Path | None
    password: Secret | None
    maildir: Path
    layout: Layout
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    direction: Direction
    tls_ca_file: Path | None
    tls_fingerprint: str | None
    """64 lower-case hexadecimal digits."""
    allow_insecure: bool
    connections: int
    max_delete: float
    keep_deleted: int
    """Seconds."""
    on_local_delete: OnLocalDelete
    mailbox_changes: MailboxChanges
    full_interval: int
    """Seconds."""
    idle: tuple[str, ...]
    """The mailboxes of which `watch` is told by IDLE, where the server has no NOTIFY."""
    poll_interval: int
    """Seconds between looks of `watch` at mailboxes of which it is not told."""
    keepalive: int
    """Seconds after which `watch` uses a connection on which nothing happens."""
    timeout: int
    """Seconds."""
    compress: bool
    durability: Durability

    def wants(self, mailbox: str) -> bool:
        """Whether the mailbox takes part: a pattern of `include` matches it and none of `exclude` does."""
        return matches(self.include, mailbox) and not matches(self.exclude, mailbox)


class Config(Struct, frozen=True):
    """What a configuration file says."""

    accounts: tuple[Account, ...]
    state_dir: Path
    """Where the indexes, the locks and the attic live."""
    path: Path
    """The file."""
    on_change: tuple[str, ...] | None = None
    """What `watch` runs after it has changed something in a Maildir."""
    metrics_file: Path | None = None
    """Where `watch` tells Prometheus how it stands."""


def find_config(option: str | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The configuration file: `-c`, `$SYNCER_CONFIG`, `$XDG_CONFIG_HOME/syncer/syncer.conf`, `~/.config/...`.

    Where the option or `$SYNCER_CONFIG` names one, no other is looked for.

    Raises:
        ConfigError: there is none; says where it was looked for and what to write.
    """
    named = option or environ.get("SYNCER_CONFIG")
    if named:
        return Path(named)
    looked = [home / "syncer" / "syncer.conf" for home in _homes("XDG_CONFIG_HOME", ".config", environ)]
    for candidate in looked:
        if os.path.exists(candidate):
            return candidate
    where = ", ".join(["-c FILE", "$SYNCER_CONFIG", *map(str, looked)])
    first = f"no configuration file (looked at {where}). Write one, for instance:"
    raise ConfigError([first, *(f"    {line}" for line in EXAMPLE.splitlines())])


def load_config(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: with every problem of the file.
    """
    path = Path(os.path.abspath(path))
    return _Reading(path, environ, read_document(path)).config()


class _Reading:
    """One reading of one file: collects the problems."""

    def __init__(self, path: Path, environ: Mapping[str, str], document: Document) -> None:
        self._path = path
        self._environ = environ
        self._document = document
        self._problems = [f"{path}: {reason}" for reason in document.distrust]
        self._places: list[tuple[str, Path]] = []

    def config(self) -> Config:
        content = self._document.content
        for key in content:
            if key not in _TOP_LEVEL:
                self._unknown("", key, _TOP_LEVEL)
        state_dir = self._state_dir(content)
        on_change = self._value("on_change", "on_change", Setting(parse_command), content)
        metrics_file = self._value("metrics_file", "metrics_file", Setting(parse_metrics_file), content)
        accounts = self._accounts(content.get("accounts"))
        self._keep_apart()
        if self._problems or state_dir is None:
            raise ConfigError(self._problems)
        return Config(accounts, state_dir, self._path, on_change, metrics_file)

    def _state_dir(self, content: Mapping[str, object]) -> Path | None:
        homes = _homes("XDG_STATE_HOME", ".local/state", self._environ)
        default: object = homes[0] / "syncer" if homes else REQUIRED
        value: Path | None = self._value("state_dir", "state_dir", Setting(parse_path, default), content)
        if value is not None:
            self._places.append(("state_dir", value))
        return value

    def _accounts(self, tables: object) -> tuple[Account, ...]:
        if not isinstance(tables, dict) or not tables:
            self._problem("accounts", "there is none; write at least one section such as [accounts.work]")
            return ()
        accounts = [self._account(name, table) for name, table in tables.items()]
        spelt: dict[str, str] = {}
        for name in tables:
            twin = spelt.setdefault(name.lower(), name)
            if twin != name:
                self._problem(f"accounts.{_key(name)}", f"differs from accounts.{_key(twin)} in nothing but case")
        return tuple(account for account in accounts if account is not None)

    def _account(self, name: str, table: object) -> Account | None:
        where = f"accounts.{_key(name)}"
        before = len(self._problems)
        if not _ACCOUNT_NAME.fullmatch(name):
            allowed = "at most 64 letters, digits and . _ @ + - of ASCII, beginning with a letter, a digit or _"
            self._problem(where, f"found the name {_shown(name)}, allowed: {allowed}")
        if not isinstance(table, dict):
            self._problem(where, f"found {_kind(table)}, allowed: a section such as [accounts.work]")
            return None
        for key in table:
            if key not in ACCOUNT_SETTINGS:
                self._unknown(where, key, ACCOUNT_SETTINGS)
        values: dict[str, Any] = {
            key: self._value(f"{where}.{key}", key, setting, table) for key, setting in ACCOUNT_SETTINGS.items()
        }
        self._check_credentials(where, table)
        self._check_transport(where, values)
        if values["maildir"] is not None:
            self._places.append((f"{where}.maildir", values["maildir"]))
        if len(self._problems) > before:
            return None
        values["port"] = values["port"] or (993 if values["tls"] == "implicit" else 143)
        return Account(name=name, **values)

    def _value(self, where: str, key: str, setting: Setting, table: Mapping[str, object]) -> Any:
        if key not in table:
            if setting.default is not REQUIRED:
                return setting.default
            self._problem(where, "missing, and there is no default")
            return None
        try:
            return setting.parse(table[key], self._path.parent)
        except UnfitError as error:
            found = _kind(table[key]) if key in CREDENTIALS else _shown(table[key])
            self._problem(where, f"found {found}, allowed: {error}")
            return None

    def _check_credentials(self, where: str, table: Mapping[str, object]) -> None:
        given = [key for key in CREDENTIALS if key in table]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            self._problem(where, f"found {found}, allowed: exactly one of {', '.join(CREDENTIALS)}")
        if "password" in given and (mode := self._document.readable_by):
            advice = f"run: chmod 600 {self._path}, or use password_command"
            self._problem(f"{where}.password", f"other users have access to the file (mode {mode}); {advice}")

    def _check_transport(self, where: str, values: Mapping[str, Any]) -> None:
        host = values["host"]
        if values["tls"] == "off" and host and not values["allow_insecure"] and not _LOOPBACK.fullmatch(host):
            allowed = '"implicit" or "starttls"; "off" only to a loopback address, or with allow_insecure = true'
            self._problem(f"{where}.tls", f'found "off", which sends the password in the clear, allowed: {allowed}')

    def _keep_apart(self) -> None:
        """No Maildir may be, hold, or lie in another one or the state directory: each would take it for its own."""
        forbidden = {os.path.realpath(os.path.expanduser("~")), "/"}
        real = [(where, os.path.realpath(place)) for where, place in self._places]
        for at, (where, place) in enumerate(real):
            if where != "state_dir" and place in forbidden:
                self._problem(where, f"found {_shown(place)}, allowed: a directory that holds nothing but this Maildir")
            for other, taken in real[:at]:
                common = os.path.commonpath([place, taken])
                if common in {place, taken}:
                    relation = "the same as" if place == taken else "inside" if common == taken else "above"
                    allowed = "a directory apart from it"
                    self._problem(where, f"found {_shown(place)}, {relation} {other} ({taken}), allowed: {allowed}")

    def _unknown(self, where: str, key: str, known: Iterable[str]) -> None:
        full = f"{where}.{_key(key)}" if where else _key(key)
        if suggestion := closest(key, tuple(known)):
            self._problem(full, f'unknown key; did you mean "{suggestion}"?')
        elif not where and key in ACCOUNT_SETTINGS:
            self._problem(full, "unknown key here; it belongs below a line such as [accounts.work]")
        else:
            self._problem(full, f"unknown key, allowed: {', '.join(known)}")

    def _problem(self, where: str, text: str) -> None:
        self._problems.append(f"{self._path}: {where}: {text}")


def closest(word: str, known: Sequence[str]) -> str | None:
    """The known word that was probably meant; None if none is close."""
    from difflib import get_close_matches  # noqa: PLC0415 - only who mistypes pays for it

    return next(iter(get_close_matches(word, known, 1)), None)


def _homes(variable: str, below: str, environ: Mapping[str, str]) -> list[Path]:
    """The directories of the XDG base directory specification: a relative path in a variable is passed over."""
    homes = [environ.get(variable, ""), os.path.join(environ.get("HOME") or os.path.expanduser("~"), below)]
    return [Path(home) for home in homes if os.path.isabs(home)]


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _shown(key)


def _shown(value: object) -> str:
    from json import dumps  # noqa: PLC0415 - only a faulty file pays for it

    shown = dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")
