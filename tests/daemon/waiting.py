"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 60.0


def eventually(condition: Callable[[], bool]) -> None:
    """Return as soon as `condition` holds; fail if it never does."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def has_lines(path: Path, number: int) -> Callable[[], bool]:
    """Whether a file has so many whole lines."""
    return lambda: path.exists() and path.read_bytes().count(b"\n") >= number


def runs(pid: int) -> bool:
    """Whether a process is there, and not only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
