"""T3: SIGKILL at every system call that changes a file or sends to the server, in a sync that has everything to do.

The calls of an undisturbed run on each rung of the ladder (QRESYNC, CONDSTORE, plain, without UIDPLUS) are counted; a
case kills another run, with one connection or three, before its n-th call. The next sync has to reach the end that
`scene` states, and the one after that finds nothing to do, neither by shortcuts nor by comparing everything.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from e2e.costs import CONDSTORE, PLAIN
from servers.dovecot import Dovecot

from torture import tracing
from torture.scene import Scene, again
from torture.trials import Cases

RUNGS: Mapping[str, Sequence[str]] = {
    "QRESYNC": (),
    "CONDSTORE": CONDSTORE.partition("-hides-")[2].split(","),
    "plain": PLAIN.partition("-hides-")[2].split(","),
    "no UIDPLUS": ("UIDPLUS",),
}
"""What a server of each hides."""
NAMES = (*tracing.CHANGING, *tracing.OPENING, *tracing.SENDING)
"""Calls to kill at."""


class Kills:
    """The cases: every call on every rung; a rung on which there are fewer has some runs that end before."""

    def __init__(self, scenes: Mapping[str, Scene], calls: int) -> None:
        """`calls` is how many an undisturbed run makes, or more."""
        self._scenes = scenes
        self._calls = calls
        self.total: int | None = calls * len(scenes)

    def play(self, number: int, place: Path) -> Mapping[str, int]:
        """Kill at one point and sync again."""
        rung, point = list(self._scenes)[number // self._calls], number % self._calls + 1
        connections = (1, 3)[point % 2]
        scene = self._scenes[rung]
        world = scene.copied(place, connections)
        story = [f"{rung}, {connections} connections, killed before call {point} ({again(self.total or 0, number)})"]
        try:
            ended, calls = tracing.sync(world, NAMES, opening=False, first=point)
            story += [f"  {call.name} {call.places}" for call in calls[-3:]]
            story.append(f"status {ended.status}\n{ended.err}")
            killed = ended.status == tracing.KILLED
            if not killed:
                ended.done()
            scene.settle(world)
            later = world.sync()
            story.append(f"the next sync: status {later.status}\n{later.err}")
            later.done()
            faults = scene.faults(world)
            assert not faults, "\n".join(faults)
            world.sync().quiet()
            world.sync("--full").quiet()
        except AssertionError as error:
            told = "\n".join(story)
            raise AssertionError(f"{error}\n\nthe story: {told}") from error
        finally:
            scene.forget(world)
        return {"kills": int(killed), "ended before": int(not killed)}


@contextmanager
def opened(place: Path, option: str) -> Iterator[Cases]:
    """A server for each rung that `option` names, with commas, and what a run on it does.

    Raises:
        tracing.MissingError: system calls cannot be traced here.
    """
    tracing.insist()
    rungs = option.split(",")
    with ThreadPoolExecutor() as pool:
        servers = list(pool.map(Dovecot.start, [Dovecot(hide=RUNGS[rung]) for rung in rungs]))
        try:
            scenes: dict[str, Scene] = {}
            calls: list[int] = []
            for number, (rung, server) in enumerate(zip(rungs, servers, strict=True)):
                below = place / str(number)
                below.mkdir()
                scenes[rung] = Scene(server, below)
                calls.append(scenes[rung].reference(place / f"{number}-undisturbed", NAMES, opening=False))
            yield Kills(scenes, max(calls))
        finally:
            list(pool.map(Dovecot.stop, servers))
