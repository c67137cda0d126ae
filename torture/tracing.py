"""Runs `syncer sync` under `tracer`: to see its system calls, to kill it at one of them, or to let one of them fail.

Only calls about the Maildir and the state directory (with index and attic) count, and those that send to the server.
Where there are several threads their order differs a little from run to run, and so does which call is the n-th.
"""

import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from e2e.world import Outcome, World, environment

from torture import tracer
from torture.tracer import Call, Job

SENDING = tracer.SENDING
OPENING = tuple(tracer.OPENING)
CHANGING = tuple(name for name in tracer.ARGUMENTS if name not in {*SENDING, *OPENING})
"""Calls that change a file, or make a change durable."""
KILLED = -9
"""The status of a run that was killed."""


class MissingError(Exception):
    """System calls cannot be traced here."""


def insist() -> None:
    """Make sure that it works here.

    Raises:
        MissingError: it does not; and why.
    """
    with tempfile.TemporaryDirectory(prefix="trace-") as place:
        command = ["/bin/mkdir", f"{place}/made"]
        job = Job(command, [place], ["mkdir"], opening=False, log=f"{place}/log", first=1, error=errno.EDQUOT)
        ended = _run(job)
        works = os.path.exists(job.log) and not os.path.exists(f"{place}/made")
    if not works:
        raise MissingError(
            "system calls cannot be traced here. It needs x86-64, Linux 5.3, libseccomp (tests/servers/install.sh) and "
            f"the permission to use ptrace(2), which a container may lack (SYS_PTRACE). It said: {ended.stderr.strip()}"
        )


def sync(
    world: World, names: Sequence[str], *, opening: bool, first: int = 0, last: int = 0, error: int = 0
) -> tuple[Outcome, list[Call]]:
    """`syncer sync`, and its calls of these names. The calls from `first` to `last` are not carried out.

    They answer with `error` instead; or, if that is 0, the run is killed by SIGKILL at the first of them. Without
    `opening`, calls that open a file count only where they may make one.
    """
    command = [sys.executable, "-m", "syncer", "-c", str(world.configuration), "sync", "--json"]
    log = world.directory / "calls"
    ended = _run(Job(command, below(world), list(names), opening, str(log), first, last, error))
    calls = [Call(**call) for call in json.loads(log.read_text(encoding="utf-8", errors="surrogateescape"))]
    return Outcome(ended.returncode, ended.stdout, ended.stderr), calls


def below(world: World) -> list[str]:
    """What calls must be about to count."""
    return [str(world.directory / name) for name in ("mail", "state")]


def _run(job: Job) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(Path(tracer.__file__)), json.dumps(asdict(job))]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment())
