"""What the real IMAP servers of the tests have in common: start, wait until one can log in, stop by pid.

Every server listens on a loopback address only and keeps all it writes below one directory of its own. What is missing
for a server is told by `missing`, before anything is started.
"""

import contextlib
import imaplib
import itertools
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import ClassVar, Self

UNPACKED = pathlib.Path(os.environ.get("SYNCER_TEST_SERVERS", "/opt/imap-servers"))
"""Where install.sh unpacks the servers that cannot be installed beside Dovecot."""

MAIL_UID = 5000
"""Owner of the mail stores where the tests run as root; a number that needs no entry in passwd."""


IN_USE = "already in use"
"""What each server says of a port that somebody else has taken since it was chosen."""
ATTEMPTS = 5
"""How often ports are chosen until nobody else takes them."""


class NotStartedError(Exception):
    """A server is installed and did not start; the message holds the end of its log."""


class Server:
    """A server of the tests. `new_user` gives a fresh, empty account; `password` is every account's."""

    name: ClassVar[str]
    separator = "/"
    prefix = ""
    password = "correct-horse"

    def __init__(self, directory: pathlib.Path | None = None) -> None:
        """Keep everything below `directory`, or below a temporary one that goes when the server is stopped."""
        self.host = "127.0.0.1"
        self.port = free_port()
        self.tls_port: int | None = free_port()
        self.temporary = directory is None
        # Not pytest's tmp_path: that one is closed to the users as which servers run.
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix=f"{self.name}-")).absolute()
        self.process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._started = False

    @classmethod
    def missing(cls) -> str | None:
        """What is not there that this server needs, in words; None where nothing is missing."""
        raise NotImplementedError

    def configure(self) -> None:
        """Write the configuration."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The environment of that command."""
        return dict(os.environ)

    def add_user(self, user: str) -> None:
        """Make it possible for `user` to log in."""

    def new_user(self) -> str:
        """The name of a fresh account."""
        user = f"user{next(self._numbers)}"
        self.add_user(user)
        return user

    @property
    def log(self) -> pathlib.Path:
        """What the server says, standard output included."""
        return self.directory / f"{self.name}.log"

    @property
    def certificate(self) -> pathlib.Path:
        """The server's self-signed certificate for `localhost` and 127.0.0.1, in PEM."""
        return self.directory / "cert.pem"

    def start(self, *, timeout: float = 30) -> Self:
        """Configure and start it; returns when an account has logged in.

        Where another program has taken a port since it was chosen, others are chosen, when it is started for the first
        time.

        Raises:
            NotStartedError: it ended, or nobody could log in within `timeout` seconds.
        """
        if not self._started and not (is_free(self.port) and is_free(self.tls_port or self.port)):
            self.port, self.tls_port = free_port(), self.tls_port and free_port()
        for _ in range(ATTEMPTS):
            problem = self._begin(timeout)
            if problem is None:
                self._started = True
                return self
            said = self.log.read_text(errors="replace")[-2000:]
            if self._started or IN_USE not in said:
                break
            temporary, self.temporary = self.temporary, False
            self.stop()
            self.temporary = temporary
            self.port, self.tls_port = free_port(), self.tls_port and free_port()
            self.log.unlink()
        self.stop()
        raise NotStartedError(f"{self.name} did not start: {problem}\n{said}")

    def _begin(self, timeout: float) -> str | None:
        """Start it; returns why nobody can log in, None if an account has."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        make_certificate(self.directory)
        self.configure()
        user = self.new_user()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + timeout
        problem: Exception | None = None
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with imaplib.IMAP4(self.host, self.port, timeout=5) as client:
                    client.login(user, self.password)
            except (OSError, imaplib.IMAP4.error) as error:
                problem = error
                time.sleep(0.05)
            else:
                return None
        return f"{problem}"

    def stop(self, *, timeout: float = 10) -> None:
        """End the server and everything it has started, and remove its temporary directory."""
        if self.process is not None:
            end_with_children(self.process, timeout)
            self.process = None
        if self.temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()


def free_port() -> int:
    """A TCP port that is free at the moment.

    Not one of those from which the kernel chooses for connections (32768 and more on Linux): with many under way one of
    them would have it before the server does.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether a server can listen there at the moment."""
    with socket.socket() as listener, contextlib.suppress(OSError):
        listener.bind(("127.0.0.1", port))
        return True
    return False


def make_certificate(directory: pathlib.Path) -> None:
    """A self-signed certificate in `cert.pem` and its key in `key.pem`."""
    if (directory / "cert.pem").exists():
        return
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem")]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", *names, *files]
    subprocess.run(request, check=True, capture_output=True)


def end_with_children(process: subprocess.Popen[bytes], timeout: float) -> None:
    """SIGTERM to the process, then to what it leaves behind, SIGKILL to what has not ended in time."""
    family = [(pid, started(pid)) for pid in descendants(process.pid)]

    def left() -> list[int]:
        # A pid may have been given to somebody else meanwhile; its start time tells.
        return [pid for pid, start in family if start is not None and started(pid) == start]

    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    end = time.monotonic() + 2
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
        while left() and time.monotonic() < end:
            time.sleep(0.01)


def stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name; None where the process is gone or only waits to be reaped."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields


def started(pid: int) -> str | None:
    """When the process was started, in the kernel's count (field 22 of proc(5)); None where it is gone."""
    fields = stat_fields(pid)
    return fields[19] if fields else None


def descendants(pid: int) -> list[int]:
    """The pids of a process's children and of theirs."""
    if sys.platform != "linux":
        return []
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat_fields(int(entry))):
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found
