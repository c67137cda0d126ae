"""What was measured: runs, and rows of them. Seconds and octets."""

import dataclasses
import json
import pathlib
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

Outcome = Literal["ok", "failed", "late", "unready", "missing"]
"""Late: stopped at its time limit. Unready: it did not even get to the start of the workload within that time."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one contender. Where it is not "ok", `reason` says why and the figures mean nothing."""

    outcome: Outcome
    reason: str = ""
    wall: float = 0.0
    user: float = 0.0
    system: float = 0.0
    rss: int = 0
    counts: dict[str, Any] | None = None
    """As `counting.summed` gives them; None where there was no proxy."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The seconds that the server's part and the disk's part take alone."""

    network: float
    disk: float

    @property
    def larger(self) -> float:
        """The floor."""
        return max(self.network, self.disk)


@dataclass(slots=True)
class Row:
    """A workload at one round-trip time (milliseconds), all contenders."""

    key: str
    title: str
    rtt: int
    messages: int
    """How many messages the account holds."""
    runs: dict[str, list[Run]] = field(default_factory=dict)
    floor: Floor | None = None
    limits: dict[str, float] = field(default_factory=dict)
    """The time limit of each contender."""

    def good(self, contender: str) -> list[Run]:
        """The runs that did the work; none where any failed."""
        runs = self.runs.get(contender, [])
        return runs if all(run.outcome == "ok" for run in runs) else []

    def wall(self, contender: str) -> float | None:
        """The median of the wall times; None where a run failed or there was none."""
        good = self.good(contender)
        return median(run.wall for run in good) if good else None

    def ratio(self, contender: str, other: str) -> float | None:
        """One wall time by the other."""
        one, two = self.wall(contender), self.wall(other)
        return one / two if one is not None and two else None


def save(path: pathlib.Path, rows: list[Row], about: dict[str, Any]) -> None:
    """Every raw figure, as JSON."""
    document = {"about": about, "rows": [dataclasses.asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=1) + "\n")
