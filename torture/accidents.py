"""Twenty messages on a real Dovecot, and one side that is not what it was: syncer, mbsync and offlineimap3 alike.

`python -m torture.accidents` plays every scene with every program that is installed, by the same script, and writes
torture/results/accidents.json, of which `tables` makes a table.
"""

import argparse
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from e2e.world import environment
from servers.dovecot import Dovecot

from torture import TOP, results, tables
from torture.programs import PROGRAMS, SECONDS, Program, Ran, ran
from torture.stage import BOX, SIZE, Stage, State

STORE: Final[dict[str, Any]] = {"fmt": "maildir", "hide": ("COMPRESS=DEFLATE",)}
"""The Dovecot of the scenes: its message files can be taken away, and it sends every program as many octets."""
TWENTY: Final = tuple(f"m{number:02}" for number in range(1, 21))


@dataclass
class Played:
    """A scene, played with one program. Of one that is not installed there is only `version`."""

    scene: str
    program: str
    version: str
    statuses: list[int] = field(default_factory=list)
    """The exit status of each pass since things went wrong."""
    said: list[str] = field(default_factory=list)
    """The last lines of the pass that has to be answered."""
    state: State | None = None
    """When the passes are over."""
    meanwhile: int = 0
    """The most messages that were lost after any of the passes."""
    back: str | None = None
    """The command for the way back, as the program printed it."""
    back_statuses: list[int] = field(default_factory=list)
    """The exit status of that command, and of a pass after it."""
    after: State | None = None
    """When that was done."""


def files_vanish(stage: Stage) -> None:
    """S1."""
    stage.arrive(TWENTY)
    stage.begin()
    stage.vanish(TWENTY)
    stage.sync()
    stage.sync()


def not_mounted(stage: Stage) -> None:
    """S1b: the disk comes back after two passes."""
    stage.arrive(TWENTY)
    stage.begin()
    aside = stage.site.directory / "aside"
    stage.site.mail.rename(aside)
    stage.site.mail.mkdir()
    stage.sync()
    stage.sync()
    shutil.rmtree(stage.site.mail)
    aside.rename(stage.site.mail)
    stage.sync()


def gone_for_good(stage: Stage) -> None:
    """S1c: the disk is a new one."""
    stage.arrive(TWENTY)
    stage.begin()
    shutil.rmtree(stage.site.mail)
    stage.site.mail.mkdir()
    stage.sync()


def restored(stage: Stage, new: int = 3) -> None:
    """S2: five messages are younger than the backup; new ones get their UIDs."""
    stage.arrive(TWENTY[:15])
    stage.begin()
    backup = stage.save()
    stage.arrive(TWENTY[15:])
    stage.begin()
    stage.put_back(backup)
    stage.arrive(f"n{number}" for number in range(16, 16 + new))
    stage.sync()
    stage.sync()


def empty_once(stage: Stage) -> None:
    """S3: the files of the server's mailbox are out of sight for one pass."""
    stage.arrive(TWENTY)
    stage.begin()
    backup = stage.save()
    for path in (stage.server.mail(stage.user) / BOX / "cur").iterdir():
        path.unlink()
    stage.sync()
    stage.put_back(backup)
    stage.sync()
    stage.sync()


def recreated(stage: Stage) -> None:
    """S4: another UIDVALIDITY, the same messages."""
    stage.arrive(TWENTY)
    stage.begin()
    with stage.client() as client:
        before = client.uidvalidity(BOX)
        client.delete_mailbox(BOX)
        client.create(BOX)
        assert client.uidvalidity(BOX) != before
    stage.arrive(TWENTY)
    stage.sync()
    stage.sync()


def killed(stage: Stage) -> None:
    """S5: SIGKILL when half of the messages have come."""
    stage.arrive(TWENTY)
    stage.proxy.stall_after(len(TWENTY) * SIZE // 2)
    running = subprocess.Popen(
        stage.program.command(stage.site),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip
    try:
        assert stage.proxy.stalled.wait(SECONDS)
    finally:
        running.kill()
        running.wait()
    stage.proxy.go_on()
    stage.sync()
    stage.sync()


def bleeding(stage: Stage) -> None:
    """S6: three files at a time, eighteen in all, with a pass after each step."""
    stage.arrive(TWENTY)
    stage.begin()
    for first in range(0, 18, 3):
        stage.vanish(TWENTY[first : first + 3])
        stage.sync()


@dataclass(frozen=True)
class Scene:
    """What happens; `play` does it."""

    name: str
    title: str
    play: Callable[[Stage], None]


SCENES: Final = (
    Scene("S1", "the message files vanish, the directories stay", files_vanish),
    Scene("S1b", "the disk with the Maildir is not mounted for two passes", not_mounted),
    Scene("S1c", "the Maildir is gone for good, an empty directory in its place", gone_for_good),
    Scene("S2", "the server is restored from a backup, and uses UIDs again", restored),
    Scene("S2b", "the same, and more new messages than were lost", partial(restored, new=8)),
    Scene("S3", "the server shows the mailbox empty once", empty_once),
    Scene("S4", "the mailbox is recreated with the same messages (UIDVALIDITY)", recreated),
    Scene("S5", "killed in the middle of a pull, run again", killed),
    Scene("S6", "18 files vanish, 3 before each of six passes in one day", bleeding),
)
"""In the order of the rows."""


def play(scene: Scene, program: Program, server: Dovecot, directory: Path) -> Played:
    """Play one scene with one program, and then the way back that it has printed, if it has."""
    if missing := program.contender.missing():
        return Played(scene.name, program.name, missing)
    stage = Stage(server, program, directory)
    try:
        scene.play(stage)
        played = Played(scene.name, program.name, program.contender.version(), stage.statuses)
        played.said, played.state = stage.last.tail(stage.site), stage.states[-1]
        played.meanwhile = max(state.lost for state in stage.states)
        printed = way_back(stage.last) if stage.statuses[-1] else None
        if printed is not None:
            played.back = printed.replace(str(directory), "DIR")
            once = ran(["sh", "-c", printed], PATH=f"{called_syncer(directory)}{os.pathsep}{os.environ['PATH']}")
            again = program.run(stage.site)
            played.back_statuses, played.after = [once.status, again.status], stage.state()
        return played
    finally:
        stage.proxy.close()


def way_back(said: Ran) -> str | None:
    """The command that brings everything back: what stands behind the colon, as printed."""
    for line in said.said.splitlines():
        _, _, command = line.rpartition(": ")
        if command.startswith(("syncer ", "rm ")) and "--allow-delete" not in command:
            return command
    return None


def called_syncer(directory: Path) -> Path:
    """A directory for PATH in which this checkout is called `syncer`."""
    place = directory / "bin"
    place.mkdir()
    script = place / "syncer"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={TOP} exec {sys.executable} -m syncer "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return place


def play_all(programs: Iterable[Program], scenes: Iterable[Scene] = SCENES) -> list[Played]:
    """Play every scene with every program, on one Dovecot."""
    found = []
    with tempfile.TemporaryDirectory(prefix="scenes-") as base, Dovecot(**STORE) as server:
        for scene in scenes:
            for program in programs:
                found.append(play(scene, program, server, Path(base) / f"{scene.name}-{program.name}"))
                print(f"{scene.name} {program.name}: {found[-1].statuses} {found[-1].state}", flush=True)
    return found


def main() -> None:
    """Play everything and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m torture.accidents", description=__doc__)
    parser.add_argument("--only", metavar="S1,S2", help="only these scenes; the file then holds no others")
    parser.add_argument("--out", type=Path, default=results.KEPT, metavar="DIR")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else [scene.name for scene in SCENES]
    found = play_all(PROGRAMS, [scene for scene in SCENES if scene.name in wanted])
    document = {
        "scenes": {scene.name: scene.title for scene in SCENES if scene.name in wanted},
        "played": [asdict(played) for played in found],
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "accidents.json").write_text(json.dumps(document, indent=1) + "\n")
    print(tables.accidents_table(document))


if __name__ == "__main__":
    main()
