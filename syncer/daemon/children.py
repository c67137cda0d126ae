"""One child process: it is given a document, listened to, and ended in time, with everything that it has started.

It is the leader of a session, and so of a process group, of its own. It has ended when its process has exited and
nobody holds its output open any more, as with a command in `$(...)`: what is to outlive it must not keep its output. A
child that takes too long, or that nobody waits for any more, gets SIGTERM, and after a grace SIGKILL, and so does its
whole group.

A group is only sent signals as long as its leader was not reaped: until then no other process can get its number.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from typing import IO, TYPE_CHECKING, Any, Final, Literal

from syncer.daemon.texts import shown
from syncer.later import Later
from syncer.values import Struct

if TYPE_CHECKING:
    import selectors
    import subprocess
else:
    selectors, subprocess = Later("selectors"), Later("subprocess")

End = Literal["itself", "time-out", "stopped"]

_TICK: Final = 0.05
"""Seconds after which it is noticed that a child exits, or is to be ended. Only while there is one."""
_LINE: Final = 1000
"""Octets of output in one line of the log."""
_PIECE: Final = 65_536

_INHERITED: Final = frozenset(
    {
        *("HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR"),
        *("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"),  # for notifications
        *("MAILDIR", "MUHOME"),
    }
)
_INHERITED_PREFIXES: Final = ("LC_", "XDG_", "NOTMUCH_")


class Bounds(Struct, frozen=True):
    """What a child is allowed."""

    seconds: float = 300.0
    """To end by itself."""
    grace: float = 5.0
    """From SIGTERM to SIGKILL, and from there until it is given up."""
    octets: int = 65_536
    """Of output to be logged; the rest is read and thrown away."""


class Ended(Struct, frozen=True):
    """How a child ended."""

    how: End
    status: int | None
    """Its exit status, negative for a signal; None: not even SIGKILL has ended it."""

    @property
    def well(self) -> bool:
        """Whether it ended by itself and without complaint."""
        return self.how == "itself" and self.status == 0

    def __str__(self) -> str:
        match self.status:
            case None:
                return "did not end, not even by SIGKILL"
            case status if status < 0:
                return f"killed by signal {-status}"
            case status:
                return f"exit status {status}"


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What a child gets of an environment.

    A list of what is needed, not of what is secret: nobody knows what a person keeps in a variable. Others can be
    given in the command itself: `["env", "NAME=value", "command"]`.
    """
    return {
        name: value for name, value in environment.items() if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }


def home(environment: Mapping[str, str]) -> str:
    """Where a child works: at home, as what cron and systemd's user units start, or in `/` where there is none.

    Not where we were started, which is by chance, and which nobody could unmount.
    """
    directory = environment.get("HOME", "")
    return directory if directory.startswith("/") and os.access(directory, os.X_OK) else "/"


def run(
    command: Sequence[str],
    document: bytes,
    *,
    environment: Mapping[str, str],
    directory: str,
    bounds: Bounds,
    stopped: Callable[[], bool],
    say: Callable[[str], None],
) -> Ended:
    """Run `command` with `document` on its standard input; returns when it has ended, however that came about.

    `stopped` is asked whether it is to be ended at once; `say` gets each line that it prints.

    Raises:
        OSError, ValueError: it could not be started.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        close_fds=True,
        cwd=directory,
        env=dict(environment),
        start_new_session=True,
    )
    how: End = "stopped"  # should anything be raised below
    try:
        with closing(_Talk(process, document, Lines(bounds.octets, say))) as talk:
            how = _until_ended(process, talk, bounds, stopped)
    finally:
        if how != "itself":
            _signal(process, signal.SIGKILL)  # whoever of the group has outlived its leader
        status = _reaped(process, bounds.grace)
    return Ended(how, status)


def _until_ended(process: "subprocess.Popen[bytes]", talk: "_Talk", bounds: Bounds, stopped: Callable[[], bool]) -> End:
    how: End = "itself"
    deadline = time.monotonic() + bounds.seconds
    signals = iter((signal.SIGTERM, signal.SIGKILL))
    while talk.listening or not _exited(process):
        now = time.monotonic()
        if how == "itself" and (stopped() or now >= deadline):
            how = "stopped" if now < deadline else "time-out"
            deadline = now
        if now >= deadline:
            number = next(signals, None)
            if number is None:
                break
            _signal(process, number)
            deadline = now + bounds.grace
        talk.go_on(_TICK)
    return how


def _exited(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it has exited. It is not reaped, except where Python cannot ask without (macOS before 3.13)."""
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # whoever started us has SIGCHLD ignored, so the kernel reaps
        return True


def _reaped(process: "subprocess.Popen[bytes]", seconds: float) -> int | None:
    """The status of one that has exited, or was just sent SIGKILL; None if not even that ends it."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:  # it hangs in the kernel, on a file system for instance
        return None


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody is left, or (macOS) only who has exited
        os.killpg(process.pid, number)


class _Talk:
    """What goes to a child and what comes from it; never waits for a child that does neither read nor write."""

    def __init__(self, process: "subprocess.Popen[bytes]", document: bytes, lines: "Lines") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._rest = memoryview(document)
        self._lines = lines
        self._stdin, self._stdout = process.stdin, process.stdout
        self._selector = selectors.DefaultSelector()
        os.set_blocking(self._stdin.fileno(), False)
        self._selector.register(self._stdin, selectors.EVENT_WRITE, self._write)
        self._selector.register(self._stdout, selectors.EVENT_READ, self._read)

    @property
    def listening(self) -> bool:
        """Whether somebody can still print something."""
        return not self._stdout.closed

    def go_on(self, seconds: float) -> None:
        """Write and read what is possible, after waiting up to `seconds` for it to become so."""
        for key, _ in self._selector.select(seconds):
            key.data()

    def close(self) -> None:
        """Hang up."""
        for stream in (self._stdin, self._stdout):
            self._end(stream)
        self._selector.close()
        self._lines.end()

    def _write(self) -> None:
        try:
            self._rest = self._rest[os.write(self._stdin.fileno(), self._rest[:_PIECE]) :]
        except BrokenPipeError:  # many a hook does not want to know what has changed
            self._rest = self._rest[:0]
        except BlockingIOError:
            return
        if not self._rest:
            self._end(self._stdin)

    def _read(self) -> None:
        octets = os.read(self._stdout.fileno(), _PIECE)
        if octets:
            self._lines.feed(octets)
        else:
            self._end(self._stdout)

    def _end(self, stream: IO[Any]) -> None:
        if not stream.closed:
            self._selector.unregister(stream)
            stream.close()


class Lines:
    """Makes lines of output, each printable and none too long, until there was too much of it."""

    def __init__(self, octets: int, say: Callable[[str], None]) -> None:
        """Up to `octets` are passed to `say`, line by line."""
        self._left = octets
        self._say = say
        self._tail = b""
        self._unsaid = 0

    def feed(self, octets: bytes) -> None:
        """This was printed."""
        taken = octets[: self._left]
        self._left -= len(taken)
        self._unsaid += len(octets) - len(taken)
        *lines, self._tail = (self._tail + taken).split(b"\n")
        for line in lines:
            self._tell(line)
        while len(self._tail) > _LINE:
            self._tell(self._tail[:_LINE])
            self._tail = self._tail[_LINE:]

    def end(self) -> None:
        """Nothing more will be printed."""
        self._tell(self._tail)
        self._tail = b""
        if self._unsaid:
            self._say(f"and {self._unsaid} more octets, which are not logged")
            self._unsaid = 0

    def _tell(self, line: bytes) -> None:
        line = line.removesuffix(b"\r")
        for start in range(0, len(line), _LINE):
            self._say(shown(line[start : start + _LINE]))
