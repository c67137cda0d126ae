"""What was measured of programs that stay, and what is wanted of syncer. Pure. Seconds and octets."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "failed", "unready", "missing"]
Unit = Literal["ms", "s", "MB", ""]
MEDIAN, MOST = 0.5, 0.99


@dataclass(frozen=True, slots=True)
class Sample:
    """One message, or one flag, in seconds from before it was made.

    `announced` is when the server told a bare client of it, `arrived` when it was on the other side; None: never.
    """

    arrived: float | None
    announced: float | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One row's figures of one watcher at one distance (milliseconds). Where it is not "ok", `reason` says why."""

    key: str
    watcher: str
    told: str
    rtt: int
    outcome: Outcome
    reason: str = ""
    samples: list[Sample] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wanted, what was found (None: nothing), and the most that it may be."""

    what: str
    found: float | None
    limit: float
    unit: Unit = ""

    @property
    def word(self) -> str:
        """For the table."""
        if self.found is None:
            return "not measured"
        return "holds" if self.found <= self.limit else "DOES NOT HOLD"

    def text(self) -> str:
        """The whole sentence."""
        return f"{self.what}: {shown(self.found, self.unit)}, at most {shown(self.limit, self.unit)}: {self.word}"


def shown(value: float | None, unit: Unit = "") -> str:
    """A figure with its unit; a dash where there is none, a word where it is infinite."""
    if value is None:
        return "-"
    if math.isinf(value):
        return "never"
    number = {"ms": f"{1_000 * value:.0f}", "MB": f"{value / 1e6:.1f}"}.get(
        unit, f"{value:.2f}".rstrip("0").rstrip(".")
    )
    return f"{number} {unit}".rstrip()


def rank(values: Sequence[float], part: float) -> float | None:
    """The smallest of the values than which so large a part of them is not larger (nearest rank)."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)] if values else None


def delays(cell: Cell) -> list[float]:
    """How long each sample that arrived took."""
    return [sample.arrived for sample in cell.samples if sample.arrived is not None]


def announcements(cell: Cell) -> list[float]:
    """How long it took the server to tell, half a round trip included."""
    return [sample.announced for sample in cell.samples if sample.announced is not None]


def net(cell: Cell) -> list[float]:
    """The same as `delays` without the time for which the server kept it to itself.

    Half a round trip of the announcement is not the server's doing, and stays.
    """
    return [
        sample.arrived - sample.announced + cell.rtt / 2_000
        for sample in cell.samples
        if sample.arrived is not None and sample.announced is not None
    ]


def missed(cell: Cell) -> int:
    """Samples that never arrived."""
    return sum(sample.arrived is None for sample in cell.samples)


def judged(cell: Cell) -> list[Verdict]:
    """What is wanted of syncer in this cell; nothing of the others."""
    if cell.watcher != "syncer":
        return []
    figure = cell.figures.get
    match cell.key:
        case "L1":
            stated, without = _latency(delays(cell), cell.rtt, 2, ""), _latency(net(cell), cell.rtt, 2, ", net")
            return [*stated, *without, Verdict("missed", _of(cell, missed(cell)), 0)]
        case "L2":
            return [*_latency(delays(cell), cell.rtt, 1, ""), Verdict("missed", _of(cell, missed(cell)), 0)]
        case "L3":
            return [
                Verdict("all on the server", figure("seconds"), 3, "s"),
                Verdict("commands", figure("commands"), 99),
                Verdict("missed", figure("missed"), 0),
            ]
        case "L4":
            return [
                Verdict("CPU", figure("cpu"), 0.5, "s"),
                Verdict("RSS", figure("rss"), 70e6, "MB"),
                Verdict("wake-ups while nothing passed", figure("lone_wakeups"), 0),
            ]
        case "L5":
            name = figure("outage", "outage")
            return [
                Verdict(f"{name}: server equal", _when(cell, "far_equal"), 10, "s"),
                Verdict(f"{name}: Maildir equal", _when(cell, "near_equal"), 10, "s"),
                Verdict(f"{name}: lost, doubled or wrong", figure("amiss"), 0),
            ]
        case _:
            return [
                Verdict("slowest exit", figure("slowest"), 3, "s"),
                Verdict("ends after which something was amiss", figure("amiss"), 0),
            ]


def _of(cell: Cell, value: float) -> float | None:
    return value if cell.outcome == "ok" else None


def _when(cell: Cell, name: str) -> float | None:
    """Seconds until something was so; for ever where it was waited for in vain."""
    found: float | None = cell.figures.get(name)
    return _of(cell, math.inf) if found is None else found


def _latency(values: Sequence[float], rtt: int, trips: int, suffix: str) -> list[Verdict]:
    way = trips * rtt / 1_000
    return [
        Verdict(f"median{suffix}", rank(values, MEDIAN), 0.060 + way, "ms"),
        Verdict(f"99 %{suffix}", rank(values, MOST), 0.250 + way, "ms"),
    ]


def save(path: pathlib.Path, cells: Sequence[Cell], about: dict[str, str]) -> None:
    """Every raw figure, as JSON."""
    document = {"about": about, "cells": [dataclasses.asdict(cell) for cell in cells]}
    path.write_text(json.dumps(document, indent=1) + "\n")
