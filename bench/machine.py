"""What the figures belong to: the machine, the programs and their versions."""

import datetime as dt
import os
import pathlib
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence

from servers.dovecot import program

from bench.contenders import Contender, first_line


def about(
    contenders: Sequence[Contender], work: pathlib.Path, scale: float, limits: Mapping[str, float]
) -> dict[str, str]:
    """Lines for the head of the report."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    versions = [contender.missing() or contender.version() for contender in contenders]
    return {
        "scale": f"{scale:g}",
        "date": dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%d"),
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}, {filesystem(work)}",
        "fsync of one file of 2 kB": f"{1_000 * fsync(work):.2f} ms",
        "load average at the beginning": load,
        "Python": platform.python_version(),
        "Dovecot": f"{first_line(str(program('dovecot')), '--version')}, mdbox, mail_fsync = never, no COMPRESS",
        **{contender.name: version for contender, version in zip(contenders, versions, strict=True)},
        "time limits": ", ".join(f"{name} {limit:.0f} s" for name, limit in limits.items()),
    }


def fsync(directory: pathlib.Path) -> float:
    """The median of the seconds that the fsync of a new file of 2 kB takes: what durability of each file costs here."""
    found = []
    for number in range(50):
        with (directory / f"fsync-{number}").open("wb") as file:
            file.write(bytes(2_000))
            file.flush()
            begin = time.perf_counter()
            os.fsync(file.fileno())
            found.append(time.perf_counter() - begin)
    return statistics.median(found)


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        found = re.search(r"^model name\s*: (.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def filesystem(path: pathlib.Path) -> str:
    """The type of the filesystem of `path`, and whether an ext4 there has a journal."""
    command = ["findmnt", "-n", "-o", "FSTYPE,SOURCE", "-T", os.fspath(path)]
    try:
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return "unknown filesystem"
    kind, device = found[0], os.path.basename(found[-1])
    if kind != "ext4":
        return kind
    journals = os.listdir("/proc/fs/jbd2") if os.path.isdir("/proc/fs/jbd2") else []
    return "ext4" if any(name.startswith(f"{device}-") for name in journals) else "ext4 without a journal"
