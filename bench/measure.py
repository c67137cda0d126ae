"""Runs one command under `launch.py` and gives back what it took; brings the machine to rest before."""

import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LAUNCHER: Final = pathlib.Path(__file__).with_name("launch.py")
QUIET: Final = 2.1
"""Seconds. mbsync waits where a directory was changed in the current second; two seconds are safe for all."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command took: seconds, octets; how it ended; the end of what it said."""

    wall: float
    user: float
    system: float
    rss: int
    status: int
    late: bool
    """It was killed at its time limit."""
    said: str


def settle() -> None:
    """Write everything to the disk, then leave all directories unchanged for long enough."""
    os.sync()
    time.sleep(QUIET)


def measured(command: Sequence[str], directory: pathlib.Path, *, limit: float) -> Usage:
    """Run `command` in `directory`, for `limit` seconds at most; figures and output are left there in files."""
    figures, output = directory / "figures.json", directory / "output.log"
    launch = [sys.executable, "-I", "-S", os.fspath(LAUNCHER), str(limit), os.fspath(figures), *command]
    with output.open("wb") as stream:
        subprocess.run(
            launch,
            check=True,
            cwd=directory,
            env=environment(directory),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    said = output.read_bytes()[-600:].decode(errors="replace")
    return Usage(**json.loads(figures.read_text()), said=said)


def environment(home: pathlib.Path) -> dict[str, str]:
    """The same for every contender: their own home, no settings of ours.

    But where Python finds modules stays: what is measured is what is imported here.
    """
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    settings = {"HOME": os.fspath(home), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return {"PATH": os.environ.get("PATH", os.defpath), **settings, **kept}
