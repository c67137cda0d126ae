"""T5: a system call about the Maildir, the attic or the state directory answers with an error, once or for ever.

The calls of an undisturbed run are counted; a case lets the n-th of another run fail, or all from the n-th on, there
and once more in a second run. Nobody may see a traceback, and nothing may be lost; a run that ends with another status
than 0 has to say what went wrong and where, and one that ends with 0 has done everything. No pair may be recorded of a
file that a loss of power could still take away. When the fault is gone, the next sync reaches the end that `scene`
states, and the one after that finds nothing to do.
"""

import errno
import random
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from e2e.world import Outcome, World
from servers.dovecot import Dovecot

from torture import durable, tracing
from torture.scene import Scene, again, lost
from torture.tracer import Call
from torture.trials import Cases

SAID = {
    errno.EIO: "disk reports an error|Input/output error|disk I/O error",
    errno.ENOSPC: "disk is full|No space left",
    errno.EDQUOT: "quota",
    errno.EMFILE: "[Tt]oo many open files",
    errno.EACCES: "[Pp]ermission denied",
    errno.EROFS: "[Rr]ead-only",
}
"""The errors, and what a person must be told."""
OF_SQLITE = r"the index \S+ .* \(SQLite: "
"""SQLite does not always tell which error it met; then this will do."""
WAYS = ("once", "for ever", "for ever, in two runs")
NAMES = (*tracing.CHANGING, *tracing.OPENING)
FOR_EVER = 10**9

Row = tuple[str, str, int, int, int | None]
"""Of the index: mailbox, unique name, UID, flags, keywords."""


class Case(NamedTuple):
    """What is done to a run."""

    point: int
    error: int
    way: str

    @classmethod
    def of(cls, number: int) -> "Case":
        """The case of a number."""
        point, rest = divmod(number, len(SAID) * len(WAYS))
        return cls(point + 1, list(SAID)[rest // len(WAYS)], WAYS[rest % len(WAYS)])

    def __str__(self) -> str:
        return f"call {self.point} answers {errno.errorcode[self.error]} {self.way}"


class Faults:
    """The cases: every call, with every error, in every way."""

    def __init__(self, scene: Scene, points: int) -> None:
        """`points` is how many calls there are."""
        self._scene = scene
        self.total: int | None = points * len(SAID) * len(WAYS)

    def play(self, number: int, place: Path) -> Mapping[str, int]:
        """One run with the fault, or two; then without."""
        case, connections = Case.of(number), random.Random(number).choice((1, 3))
        world = self._scene.copied(place, connections)
        story = [f"{case}, {connections} connections ({again(self.total or 0, number)})"]
        failed: list[Call] = []
        try:
            for _ in range(2 if case.way == WAYS[2] else 1):
                failed += self._with_fault(world, case, story)
            later = world.sync()
            story.append(f"the fault is gone: status {later.status}\n{later.err}")
            later.done()
            faults = self._scene.faults(world, dates=dates_kept(failed))
            assert not faults, "\n".join(faults)
            world.sync().quiet()
            world.sync("--full").quiet()
        except AssertionError as error:
            told = "\n".join(story)
            raise AssertionError(f"{error}\n\nthe story: {told}") from error
        finally:
            self._scene.forget(world)
        return {"failed calls": len(failed), "runs without one": int(not failed)}

    def _with_fault(self, world: World, case: Case, story: list[str]) -> list[Call]:
        """One run; returns the calls that failed."""
        before = rows(world)
        young = unknown(world, before)
        last = case.point if case.way == WAYS[0] else FOR_EVER
        outcome, calls = tracing.sync(world, NAMES, opening=True, first=case.point, last=last, error=case.error)
        self._scene.settle(world)
        failed = [call for call in calls if call.injected]
        story.append(f"with the fault: status {outcome.status}\n{outcome.err}calls that failed: {len(failed)}")
        story += [f"  {call.name} {call.places}" for call in failed[:10]]
        self._judge(world, case, outcome, failed)
        gone = lost(world)
        assert not gone, f"on neither side: {gone}"
        early = changed(world, before) & durable.unsafe_after(calls, young)
        assert not early, f"recorded, and a loss of power may take it away: {early}"
        return failed

    def _judge(self, world: World, case: Case, outcome: Outcome, failed: list[Call]) -> None:
        """What a person is told must be true."""
        assert "Traceback" not in outcome.err, "somebody saw a traceback"
        assert "internal error" not in outcome.err, "somebody saw an internal error"
        if outcome.status == 0:
            outcome.done()
            faults = self._scene.faults(world, dates=dates_kept(failed))
            assert not faults, "it said that all is well:\n" + "\n".join(faults)
            return
        assert outcome.status in {1, 4}, f"exit status {outcome.status}"
        lines = [line for line in outcome.err.splitlines() if line.startswith("syncer: ")]
        fitting = [line for line in lines if re.search(f"{SAID[case.error]}|{OF_SQLITE}", line)]
        assert fitting, "nobody is told what went wrong"
        assert any(str(world.directory) in line for line in fitting), "nobody is told where"


def dates_kept(failed: list[Call]) -> bool:
    """Whether no date of a file could not be set, which no file system has to be able to."""
    return all(call.name != "utimensat" for call in failed)


def rows(world: World) -> set[Row]:
    """The pairs of the index, read from a copy: looking at it must not mend it."""
    copy = world.directory / "look"
    copy.mkdir()
    for path in (world.directory / "state").glob("test.db*"):
        shutil.copy(path, copy)
    with closing(sqlite3.connect(copy / "test.db")) as index:
        found = index.execute(
            "SELECT mailbox.name, pair.name, uid, flags, keyword_set_id "
            "FROM pair JOIN mailbox ON mailbox.id = mailbox_id"
        ).fetchall()
    shutil.rmtree(copy)
    return {(mailbox.decode(), name.decode(), *rest) for mailbox, name, *rest in found}


def changed(world: World, before: set[Row]) -> set[durable.Message]:
    """The messages whose rows are new, but for those that only went along with a renamed mailbox."""
    old = {row[1:] for row in before}
    return {(str(world.local.directory(row[0])), row[1]) for row in rows(world) if row[1:] not in old}


def unknown(world: World, known: set[Row]) -> set[durable.Message]:
    """The messages of the Maildir that the index does not know."""
    return {
        (str(world.local.directory(mailbox)), file.unique)
        for mailbox in world.local.mailboxes()
        for file in world.local.files(mailbox)
        if (mailbox, file.unique) not in {row[:2] for row in known}
    }


@contextmanager
def opened(place: Path, option: str) -> Iterator[Cases]:
    """A Dovecot, the scene, and what a run does there.

    Raises:
        tracing.MissingError: system calls cannot be traced here.
    """
    tracing.insist()
    with Dovecot() as server:
        scene = Scene(server, place)
        yield Faults(scene, scene.reference(place / "undisturbed", NAMES, opening=True))
