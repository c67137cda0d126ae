"""Which rows are measured of which watchers, at which distances; what goes wrong becomes part of the result."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from bench.runner import say
from bench.stage import NotReadyError
from bench.watching import ending, outages, storm
from bench.watching.idle import idle
from bench.watching.latency import arrivals, flags
from bench.watching.results import Cell, Outcome, Sample, judged
from bench.watching.scene import Post, Scene, Scenes
from bench.watching.watchers import Watcher
from bench.wire import RefusedError

STORM: Final = 10_000
NEAR, FAR = 0, 40
"""Milliseconds, where only one distance is looked at."""

Figures = dict[str, Any]
Sampled = Callable[[Scene, Post, int, random.Random], list[Sample]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything: a factor, numbers, and seconds; see the command line."""

    scale: float
    samples: int
    idle: float
    away: float
    hole: float
    ends: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. All that only syncer does is done by the first of the watchers."""

    scenes: Scenes
    watchers: Sequence[Watcher]
    rtts: Sequence[int]
    size: Size
    rng: random.Random

    def cells(self, keys: Sequence[str]) -> Iterator[Cell]:
        """Measure these rows; a cell is given as soon as it is complete."""
        rows = {"L1": self._l1, "L2": self._l2, "L3": self._l3, "L4": self._l4, "L5": self._l5, "L6": self._l6}
        for key, row in rows.items():
            if key in keys:
                for cell in row():
                    say(told(cell))
                    yield cell

    def _l1(self) -> Iterator[Cell]:
        for watcher in self.watchers:
            for rtt in self.rtts:
                yield self._sampled("L1", watcher, rtt, arrivals)

    def _l2(self) -> Iterator[Cell]:
        for rtt in self.rtts:
            yield self._sampled("L2", self.watchers[0], rtt, flags)

    def _l3(self) -> Iterator[Cell]:
        count = round(STORM * min(1, self.size.scale))
        yield self._at_work("L3", NEAR, lambda scene, post: storm.storm(scene, post, count, self.rng))

    def _l4(self) -> Iterator[Cell]:
        """All of them in the same minutes."""
        with ExitStack() as stack:
            posts: dict[str, Post] = {}

            def settle(watcher: Watcher) -> tuple[list[Sample], Figures]:
                posts[watcher.key] = stack.enter_context(self.scenes.of(watcher).watching(FAR))
                return [], {}

            cells = {each.key: measured("L4", each, FAR, partial(settle, each)) for each in self.watchers}
            found = idle(list(posts.values()), self.size.idle)
        for key, figures in zip(posts, found, strict=True):
            cells[key] = replace(cells[key], figures=figures)
        yield from cells.values()

    def _l5(self) -> Iterator[Cell]:
        size, rng = self.size, self.rng
        yield self._at_work("L5", FAR, lambda scene, post: outages.killed(scene, post, size.away, rng))
        yield self._at_work("L5", FAR, lambda scene, post: outages.black_hole(scene, post, size.hole, rng))

    def _l6(self) -> Iterator[Cell]:
        watcher = self.watchers[0]
        yield measured(
            "L6", watcher, FAR, lambda: ([], ending.endings(self.scenes.of(watcher), FAR, self.size.ends, self.rng))
        )

    def _sampled(self, key: str, watcher: Watcher, rtt: int, sampled: Sampled) -> Cell:
        def work() -> tuple[list[Sample], Figures]:
            scene = self.scenes.of(watcher)
            with scene.watching(rtt) as post:
                samples = sampled(scene, post, self.size.samples, self.rng)
                return samples, {"commands": post.proxy.count(timeout=0)["commands"]}

        return measured(key, watcher, rtt, work)

    def _at_work(self, key: str, rtt: int, figures: Callable[[Scene, Post], Figures]) -> Cell:
        def work() -> tuple[list[Sample], Figures]:
            scene = self.scenes.of(self.watchers[0])
            with scene.watching(rtt) as post:
                return [], figures(scene, post)

        return measured(key, self.watchers[0], rtt, work)


def measured(key: str, watcher: Watcher, rtt: int, work: Callable[[], tuple[list[Sample], Figures]]) -> Cell:
    """One cell. Errors of the program and of the server are a result, not an exception."""

    def cell(
        outcome: Outcome, reason: str = "", samples: Sequence[Sample] = (), figures: Figures | None = None
    ) -> Cell:
        return Cell(key, watcher.name, watcher.told, rtt, outcome, reason, list(samples), figures or {})

    if lacking := watcher.missing():
        return cell("missing", lacking)
    try:
        samples, figures = work()
    except NotReadyError as error:
        return cell("unready" if error.late else "failed", str(error))
    except (OSError, RefusedError, RuntimeError) as error:
        return cell("failed", f"{type(error).__name__}: {error}")
    return cell("ok", "", samples, figures)


def told(cell: Cell) -> str:
    """One cell in a line."""
    found = cell.reason if cell.outcome != "ok" else "; ".join(verdict.text() for verdict in judged(cell)) or "measured"
    return f"{cell.key} at {cell.rtt} ms, {cell.watcher} ({cell.told}): {cell.outcome}: {found}"
