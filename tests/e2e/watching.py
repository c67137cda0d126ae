"""`syncer watch` as a person runs it: a process of its own, and what it does in time."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Self

from e2e.world import World, by_mailbox

SECONDS = 60.0
"""Until something that should happen at once counts as not happening."""


class Following:
    """`syncer status --follow`, as `Watched`: it is ended as a person does it, and has to end at once with 130."""

    def __init__(self, world: World, *arguments: str) -> None:
        self.log = world.directory / f"follow{len(arguments)}-{time.monotonic_ns()}.log"
        self._command = [sys.executable, "-m", "syncer", "-c", str(world.configuration), "status", "--follow"]
        self._command += arguments
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(signal.SIGINT)
        status = self._process.wait(30)
        if kind is None:
            assert (status, "Traceback" in self.said) == (130, False), self.said

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")

    def until(self, *words: str) -> None:
        """Wait until it has printed all these, in this order.

        Raises:
            AssertionError: it has not.
        """
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            rest: str | None = self.said
            for word in words:
                rest = rest.partition(word)[2] if rest is not None and word in rest else None
            if rest is not None:
                return
            time.sleep(0.02)
        raise AssertionError(f"{words}: not in time\n{self.said}")


class Watched:
    """Run it with `with`: it is ended with SIGTERM, has to end in time with 143, and to have said nothing odd."""

    def __init__(self, world: World, *arguments: str) -> None:
        self.world = world
        self.log = world.directory / "watch.log"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "syncer", "-c", str(self.world.configuration), "watch", *self._arguments]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        process = self.process
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it did not end\n{self.said}") from None
        if kind is None:
            assert status == 128 + signal.SIGTERM, f"exit status {status}\n{self.said}"
            assert "Traceback" not in self.said, self.said
            assert "internal error" not in self.said, self.said

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """It runs."""
        assert self._process is not None
        return self._process

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def until(self, happened: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
        """Wait for something that does not take long.

        Raises:
            AssertionError: it has not happened.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(FileNotFoundError):  # a file was renamed while the test read it
                if happened():
                    return
            assert self.process.poll() is None, f"it has ended with {self.process.poll()}\n{self.said}"
            time.sleep(0.02)
        raise AssertionError(f"{what}: not in time\n{self.said}\n{self.sides()}")

    def until_equal(self, messages: int | None = None) -> None:
        """Wait until both sides hold the same, and this many messages."""

        def equal() -> bool:
            server, disk = self.world.on_server(), self.world.on_disk()
            return by_mailbox(server) == by_mailbox(disk) and messages in {None, len(server)}

        self.until(equal, "both sides the same")

    def sides(self) -> str:
        """For a person who wants to know what is missing."""
        with contextlib.suppress(FileNotFoundError):
            return f"server {by_mailbox(self.world.on_server())}\ndisk {by_mailbox(self.world.on_disk())}"
        return ""

    def descriptors(self) -> int:
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self) -> int:
        """Its resident set, in octets."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])
