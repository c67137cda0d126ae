"""The process of `syncer watch`, as a person runs it, and what can be done to it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from e2e.world import environment

END = 60.0
"""Seconds that it has to end."""
ODD = ("Traceback", "internal error", "Exception in thread")
"""What must not be in its log."""


class DiedError(Exception):
    """It ended by itself, or not when it should."""


class Watched:
    """Runs in one process after another; what they say goes to the same files."""

    def __init__(self, arguments: Sequence[str], directory: Path) -> None:
        """`arguments` are those of `syncer`."""
        self._command = [sys.executable, "-m", "syncer", *arguments]
        self.log, self.events = directory / "watch.log", directory / "events.jsonl"
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Of the process that runs at the moment."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start a process."""
        with self.log.open("ab") as log, self.events.open("ab") as events:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=events, stderr=log, env=environment()
            )
        self.starts += 1

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process:
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def end(self) -> None:
        """SIGTERM.

        Raises:
            DiedError: it did not end in time, or not with 143.
        """
        process = self._process
        if process is None:
            return
        self._process = None
        for number in (signal.SIGCONT, signal.SIGTERM):
            process.send_signal(number)
        try:
            status = process.wait(END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise DiedError(f"syncer watch did not end within {END:.0f} s after SIGTERM") from None
        if status != 128 + signal.SIGTERM:
            raise DiedError(f"syncer watch ended with {status} after SIGTERM")

    def still_runs(self) -> None:
        """Look at it.

        Raises:
            DiedError: it has ended.
        """
        if self._process and (status := self._process.poll()) is not None:
            self._process = None
            raise DiedError(
                f"syncer watch ended by itself with {status}: {self.log.read_text(errors='replace')[-4000:]}"
            )

    def odd_lines(self) -> list[str]:
        """What its log must not have, with what stands around it."""
        lines = self.log.read_text(errors="replace").splitlines()
        odd = [number for number, line in enumerate(lines) if any(word in line for word in ODD)]
        return [line for number in odd[:1] for line in lines[max(0, number - 5) : number + 60]]


def usage(pid: int) -> tuple[int, int, int, float] | None:
    """Resident octets, descriptors, threads and seconds of processor time of a process; None if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None
    if "VmRSS:" not in status:
        return None
    resident, threads = (int(status.partition(f"{name}:")[2].split()[0]) for name in ("VmRSS", "Threads"))
    ticks = int(fields[11]) + int(fields[12])  # utime and stime, fields 14 and 15 of proc(5)
    return 1024 * resident, descriptors, threads, ticks / os.sysconf("SC_CLK_TCK")
