"""What syncer is meant to reach, and whether it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.results import Row, Run

WORDS = {
    "ratio": "wall, syncer : mbsync (FSync yes)",
    "octets": "octets both ways",
    "sent": "octets sent",
    "round_trips": "round trips, all connections",
    "commands": "commands",
    "rss": "max RSS",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """`kind` is a key of WORDS; the figure must not be larger than `limit`."""

    kind: str
    limit: float
    rtt: int = 40
    """At which round-trip time in milliseconds it is looked at. Counts are made on the proxy only."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar and what was found; None where it could not be measured."""

    bar: Bar
    found: float | None

    @property
    def word(self) -> str:
        """For the table."""
        if self.found is None:
            return "not measured"
        return "holds" if self.found <= self.bar.limit else "DOES NOT HOLD"

    def text(self) -> str:
        """The whole sentence."""
        show = {"ratio": "{:.2f}", "octets": "{:,.0f} B", "sent": "{:,.0f} B", "rss": "{:,.0f} B"}.get(
            self.bar.kind, "{:.0f}"
        )
        found = "-" if self.found is None else show.format(self.found)
        return f"{WORDS[self.bar.kind]}: {found}, at most {show.format(self.bar.limit)}: {self.word}"


def counted(run: Run, kind: str) -> float | None:
    """A run's figure for a kind of bar other than "ratio"."""
    if kind == "rss":
        return run.rss
    if run.counts is None:
        return None
    counts = run.counts
    return float(
        {
            "octets": lambda: counts["to_server"] + counts["to_client"],
            "sent": lambda: counts["to_server"],
            "round_trips": lambda: counts["round_trips"],
            "commands": lambda: sum(counts["commands"].values()),
        }[kind]()
    )


def figure(row: Row, contender: str, kind: str) -> float | None:
    """The median of a figure over a contender's good runs; None where there is none."""
    found = [value for run in row.good(contender) if (value := counted(run, kind)) is not None]
    return median(found) if found else None


def judged(row: Row, bars: Sequence[Bar]) -> list[Verdict]:
    """The bars that are looked at in this row."""
    return [
        Verdict(bar, row.ratio("syncer", "mbsync") if bar.kind == "ratio" else figure(row, "syncer", bar.kind))
        for bar in bars
        if bar.rtt == row.rtt
    ]
