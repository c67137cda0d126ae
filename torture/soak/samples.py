"""What the process used, over time, and whether it stays the same."""

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from torture.soak.watched import Watched, usage

EVERY = 10.0
"""Seconds between two samples."""
LONG = 1_200.0
"""Seconds that a process must have run before anything is said of it."""
GROWTH = 0.1
MORE = 2


@dataclass(frozen=True)
class Sample:
    """At one moment."""

    at: float
    """Seconds since the soak began."""
    life: int
    """Which process it was: 1 is the first."""
    rss: int
    """Octets."""
    descriptors: int
    threads: int
    cpu: float
    """Seconds since its start."""


@dataclass(frozen=True)
class Flatness:
    """Two quarters of the life of the last process, the second and the last: medians."""

    rss: tuple[float, float]
    descriptors: tuple[float, float]
    threads: tuple[float, float]
    flat: bool


def flatness(samples: Sequence[Sample]) -> Flatness | None:
    """Whether the last process uses no more in its last quarter than in its second; None if it was too short."""
    if not samples:
        return None
    life = [sample for sample in samples if sample.life == samples[-1].life]
    first, length = life[0].at, life[-1].at - life[0].at
    if length < LONG:
        return None
    second = [sample for sample in life if length / 4 <= sample.at - first < length / 2]
    last = [sample for sample in life if sample.at - first >= length * 3 / 4]
    rss = (statistics.median(one.rss for one in second), statistics.median(one.rss for one in last))
    descriptors = (
        statistics.median(one.descriptors for one in second),
        statistics.median(one.descriptors for one in last),
    )
    threads = (statistics.median(one.threads for one in second), statistics.median(one.threads for one in last))
    flat = (
        rss[1] <= (1 + GROWTH) * rss[0] and descriptors[1] - descriptors[0] <= MORE and threads[1] - threads[0] <= MORE
    )
    return Flatness(rss, descriptors, threads, flat)


class Sampler:
    """Takes samples in a thread of its own, whatever the soak does meanwhile."""

    def __init__(self, watched: Watched, began: float) -> None:
        """`began` is a moment of time.monotonic."""
        self.samples: list[Sample] = []
        self._watched, self._began = watched, began
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="samples", daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._stop.wait(EVERY):
            pid, life = self._watched.pid, self._watched.starts
            used = usage(pid) if pid is not None else None
            if used is not None and life == self._watched.starts:
                self.samples.append(Sample(round(time.monotonic() - self._began, 1), life, *used))
