"""Where an account's password comes from. Asked only when somebody is about to log in.

The password is held in a `Secret` and never put into an argument, an environment, an exception or a log.
"""

import os
import select
import shlex
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from syncer.config import Account
from syncer.errors import LoginError
from syncer.settings import Secret

_COMMAND_SECONDS: Final = 30.0
_LONGEST: Final = 64 * 1024


def resolve_password(account: Account, *, seconds: float = _COMMAND_SECONDS) -> Secret:
    """The account's password.

    `password_command` is run without a shell and has `seconds`; its standard error and input are the user's. Of a
    command's output, or a file, the first line counts.

    Raises:
        LoginError: there is no password to be had; names the account and the command or file.
    """
    if account.password is not None:
        return account.password
    if account.password_file is not None:
        who = f"the password_file of account {account.name}, {account.password_file},"
        return _first_line(_read(account.password_file, who), who)
    assert account.password_command is not None, "the configuration has exactly one of the three"
    who = f"the password_command of account {account.name}, {shlex.join(account.password_command)},"
    return _first_line(_run(account.password_command, who, seconds), who)


def _run(command: Sequence[str], who: str, seconds: float) -> bytes:
    import subprocess  # noqa: PLC0415 - only for a password_command

    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - the user's own words, no shell
    except OSError as error:
        raise LoginError(f"{who} cannot be run: {error.strerror}") from error
    deadline = time.monotonic() + seconds
    with process:
        assert process.stdout is not None
        try:
            output = _collect(process.stdout, deadline)
            status = process.wait(max(0.0, deadline - time.monotonic())) if output is not None else None
        except subprocess.TimeoutExpired:
            output = status = None
        finally:
            if process.poll() is None:
                process.kill()
    if output is None or status is None:
        raise LoginError(f"{who} did not end within {seconds:g} seconds, or printed more than {_LONGEST} bytes")
    if status:
        how = f"was killed by signal {-status}" if status < 0 else f"failed with exit status {status}"
        raise LoginError(f"{who} {how}; run it by hand to see why")
    return output


def _collect(pipe: IO[bytes], deadline: float) -> bytes | None:
    """Everything that the command prints; None if it takes too long or prints too much."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    output = b""
    while len(output) <= _LONGEST and poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        chunk = os.read(pipe.fileno(), 4096)
        if not chunk:
            return output
        output += chunk
    return None


def _read(path: Path, who: str) -> bytes:
    try:
        # Not to hang on a named pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise LoginError(f"{who} is not a file")
            if status.st_uid not in (0, os.geteuid()):
                raise LoginError(f"{who} belongs to another user (uid {status.st_uid})")
            if status.st_mode & 0o077:
                mode = stat.S_IMODE(status.st_mode)
                raise LoginError(f"{who} can be read by other users (mode {mode:04o}); run: chmod 600 {path}")
            return file.read(_LONGEST)
    except OSError as error:
        raise LoginError(f"{who} cannot be read: {error.strerror}") from error


def _first_line(output: bytes, who: str) -> Secret:
    line = output.partition(b"\n")[0].removesuffix(b"\r")
    # Decoded without an exception, which would carry the line.
    password = line.decode(errors="replace")
    if not password or "\0" in password or "\ufffd" in password:
        raise LoginError(f"{who} gives a first line that is empty, not UTF-8, or has a NUL in it")
    return Secret(password)
