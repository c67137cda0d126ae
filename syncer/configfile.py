"""Reading a TOML file that names commands to run: whoever can write it, or put another in its place, runs them.

So a file that other users can change is refused. What is wrong is returned as text, so that the caller can report it
together with what else is wrong.
"""

import os
import stat
import tomllib
from pathlib import Path
from typing import Any, Final

from syncer.errors import ConfigError
from syncer.values import Struct

_LARGEST: Final = 1024 * 1024


class Document(Struct, frozen=True):
    """What a file says and what its permissions make of it."""

    content: dict[str, Any]
    readable_by: str | None
    """The mode, where users other than the owner can read the file; None where they cannot."""
    distrust: list[str]
    """Why the file must not be believed."""


def read_document(path: Path) -> Document:
    """Read and parse the file.

    Raises:
        ConfigError: it cannot be read or is not TOML.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            octets = file.read(_LARGEST + 1)
        distrust = _distrust(path, status)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    if len(octets) > _LARGEST:
        raise ConfigError([f"{path}: larger than 1 MiB, so this is not a configuration file"])
    try:
        content = tomllib.loads(octets.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 at byte {error.start}, as TOML has to be"]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"{path}: not valid TOML: {error}"]) from error
    readable = status.st_mode & 0o077
    return Document(content, _mode(status) if readable else None, distrust)


def _distrust(path: Path, status: os.stat_result) -> list[str]:
    reasons = []
    trusted = (0, os.geteuid())
    if status.st_uid not in trusted:
        reasons.append(f"belongs to another user (uid {status.st_uid}), and it names commands to run")
    if status.st_mode & 0o022:
        reasons.append(
            f"other users can write it (mode {_mode(status)}), and it names commands to run; run: chmod go-w {path}"
        )
    for directory in dict.fromkeys([path.parent, Path(os.path.realpath(path)).parent]):
        around = directory.stat()
        # In a sticky directory nobody else can replace a file of ours.
        writable = around.st_mode & 0o022 and not around.st_mode & stat.S_ISVTX
        if writable or around.st_uid not in trusted:
            reasons.append(
                f"other users can replace it, since they can write to {directory} "
                f"(uid {around.st_uid}, mode {_mode(around)}); run: chmod go-w {directory}"
            )
    return reasons


def _mode(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):04o}"
