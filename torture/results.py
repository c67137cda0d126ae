"""What trials found, as values and as JSON in `torture/results`, one file for each trial."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torture import TOP

KEPT = TOP / "torture" / "results"
"""Those that are in the repository, from which RELIABILITY.md is written."""


@dataclass(frozen=True)
class Failure:
    """A case that did not hold."""

    number: int
    text: str


@dataclass(frozen=True)
class Catch:
    """What became of a deliberate bug (see `torture.bugs`)."""

    bug: str
    what: str
    caught_by: str | None
    """The first test that failed; None if none did."""


@dataclass
class Result:
    """One trial, played."""

    trial: str
    commit: str
    """What was tried; several, with commas, if it was played in portions."""
    date: str
    """In UTC, ISO 8601."""
    cases: int = 0
    total: int | None = None
    first: int = 0
    seconds: float = 0.0
    counted: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def merge(self, other: "Result") -> None:
        """Add what another process found in the same trial."""
        self.cases += other.cases
        self.total = other.total
        self.seconds = max(self.seconds, other.seconds)
        self.failures += other.failures
        for name, count in other.counted.items():
            self.count(name, count)

    def go_on(self, later: "Result") -> None:
        """Add a later portion of the same trial."""
        seconds = self.seconds + later.seconds
        self.merge(later)
        self.seconds = seconds
        self.date = later.date
        self.commit = ", ".join(dict.fromkeys([*self.commit.split(", "), later.commit]))

    def count(self, name: str, count: int) -> None:
        """Add to a counter; a name that begins with `max ` keeps the highest instead."""
        before = self.counted.get(name, 0)
        self.counted[name] = max(before, count) if name.startswith("max ") else before + count


def save(result: Result, directory: Path) -> Path:
    """Write `T1.json`; returns where."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{result.trial}.json"
    path.write_text(json.dumps(asdict(result), indent=1, sort_keys=True) + "\n")
    return path


def load(directory: Path) -> dict[str, Result]:
    """Every result that there is, by trial."""
    found = {}
    for path in sorted(directory.glob("T*.json")):
        raw = json.loads(path.read_text())
        raw["failures"] = [Failure(**failure) for failure in raw["failures"]]
        found[raw["trial"]] = Result(**raw)
    return found


def save_catches(catches: Mapping[str, Catch], directory: Path) -> Path:
    """Write `bugs.json`; returns where."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "bugs.json"
    path.write_text(json.dumps([asdict(catch) for catch in catches.values()], indent=1) + "\n")
    return path


def load_catches(directory: Path) -> dict[str, Catch]:
    """What became of every bug that was planted, by its name."""
    path = directory / "bugs.json"
    found = [Catch(**raw) for raw in json.loads(path.read_text())] if path.exists() else []
    return {catch.bug: catch for catch in found}
