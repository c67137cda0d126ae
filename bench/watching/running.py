"""A program that runs on its own while it is looked at from outside: what it uses, and how it ends."""

import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from servers.base import descendants, stat_fields

from bench.measure import environment
from bench.proxy import Proxy
from bench.stage import NotReadyError

TICKS: Final = os.sysconf("SC_CLK_TCK")
LITTLE: Final = 0.05
"""Seconds of processor time. Who took no more in a while did nothing but wait."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What a process and its children took: seconds so far, octets, and how often each thread went to sleep by itself.

    Every wake-up of a thread is one such sleep (proc(5): voluntary_ctxt_switches).
    """

    cpu: float = 0.0
    rss: int = 0
    switches: dict[int, int] = field(default_factory=dict)

    def wakeups_since(self, other: "Effort") -> int:
        """Wake-ups of all threads between another moment and this one; a thread that came meanwhile counts in full."""
        return sum(count - other.switches.get(thread, 0) for thread, count in self.switches.items())


class Running:
    """A process in a session of its own. Leaving the context ends it."""

    def __init__(self, command: Sequence[str], directory: pathlib.Path) -> None:
        """Start it in `directory`, which is its home; what it says goes to a file there."""
        self._log = directory / "stays.log"
        with self._log.open("wb") as stream:
            self._process = subprocess.Popen(
                command,
                cwd=directory,
                env=environment(directory),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """SIGTERM, and SIGKILL to the whole session after 15 seconds."""
        if self._process.poll() is None:
            self.terminate()
        if self.status(15) is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def status(self, seconds: float = 0) -> int | None:
        """Its exit status, once it has ended, within so many seconds; None where it runs on."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def said(self) -> str:
        """The end of what it said."""
        return self._log.read_bytes()[-600:].decode(errors="replace")

    def effort(self) -> Effort:
        """What it and its children took; nothing once it has ended."""
        cpu = rss = 0
        switches: dict[int, int] = {}
        for pid in (self._process.pid, *descendants(self._process.pid)):
            fields = stat_fields(pid)
            if fields is None:
                continue
            # Fields 14 to 17 of proc(5): its own time, and that of the children it has waited for.
            cpu += sum(int(value) for value in fields[11:15])
            rss += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
            switches |= _switches(pid)
        return Effort(cpu / TICKS, rss, switches)

    def settle(self, proxy: Proxy, *, seconds: float, limit: float) -> None:
        """Wait until nothing passed the proxy for so many seconds, while the program did nothing either.

        Raises:
            NotReadyError: it ended, or did not come to rest before the limit.
        """
        begun = since = time.monotonic()
        before: tuple[int, float] | None = None
        while (now := time.monotonic()) - since < seconds:
            if (status := self.status()) is not None:
                raise NotReadyError(f"it ended with status {status}: {self.said()}")
            if now - begun > limit:
                raise NotReadyError(f"not at rest within {limit:.0f} s: {self.said()}", late=True)
            octets, cpu = passed(proxy), self.effort().cpu
            if before is None or octets != before[0] or cpu > before[1] + LITTLE:
                since, before = now, (octets, cpu)
            time.sleep(0.1)


def passed(proxy: Proxy) -> int:
    """The octets that have passed so far, both ways."""
    count = proxy.count(timeout=0)
    return int(count["to_server"]) + int(count["to_client"])


def _switches(pid: int) -> dict[int, int]:
    found = {}
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            lines = status.read_text().splitlines()
        except OSError:  # that thread has just ended
            continue
        found[int(status.parent.name)] = next(
            int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches")
        )
    return found
