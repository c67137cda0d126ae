"""Writes what was measured as Markdown: one table for people, one for processes, one for the wire, and the bars."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from bench.bars import Bar, Verdict, figure, judged
from bench.contenders import ALL
from bench.results import Row, Run

HEADINGS = {
    "syncer": "syncer",
    "mbsync": "mbsync",
    "mbsync-nofsync": "mbsync, FSync no",
    "offlineimap3": "offlineimap3",
}
Bars = Mapping[str, Sequence[Bar]]


def document(rows: Sequence[Row], bars: Bars, about: Mapping[str, str]) -> str:
    """All of RESULTS.md."""
    scale = float(about["scale"])
    parts = [
        "# Benchmark",
        "\n".join(f"- {key}: {value}" for key, value in about.items()),
        "Written by `python -m bench`; [README.md](../README.md) says what each column means and what distorts it."
        if scale == 1
        else f"**At scale {scale:g} the bars mean little: they are meant for scale 1.**",
        "## Wall time in seconds (median)",
        times(rows, bars),
        "## Bars",
        verdicts(rows, bars),
        "## Processes: CPU seconds (user + system), max RSS in MB",
        processes(rows),
        "## The wire (counted by the proxy)",
        wire(rows),
    ]
    if troubles := list(_troubles(rows)):
        parts += ["## What went wrong", "\n".join(troubles)]
    return "\n\n".join(parts) + "\n"


def times(rows: Sequence[Row], bars: Bars) -> str:
    """Every row with both peers and the floor."""
    head = ["", "workload", "RTT ms", *HEADINGS.values(), "syncer : mbsync", "floor", "syncer : floor", "bars"]
    lines = []
    for row in rows:
        ratio, wall = row.ratio("syncer", "mbsync"), row.wall("syncer")
        over = wall / row.floor.larger if wall is not None and row.floor and row.floor.larger else None
        lines.append(
            [
                f"**{row.key}**",
                row.title,
                str(row.rtt),
                *(cell(row, name) for name in HEADINGS),
                number(ratio),
                floor_cell(row),
                number(over),
                mark(judged(row, bars.get(row.key, ()))),
            ]
        )
    return table(head, lines)


def mark(found: Sequence[Verdict]) -> str:
    """The bars of a row in a word: the worst there is counts."""
    words = [verdict.word for verdict in found]
    return next((word for word in ("DOES NOT HOLD", "not measured", "holds") if word in words), "-")


def verdicts(rows: Sequence[Row], bars: Bars) -> str:
    """Every bar with what was found."""
    lines = [
        [f"**{row.key}**", str(row.rtt), verdict.text()]
        for row in rows
        for verdict in judged(row, bars.get(row.key, ()))
    ]
    return table(["", "RTT ms", "bar"], lines) if lines else "None of these workloads has a bar."


def processes(rows: Sequence[Row]) -> str:
    """What the contenders' processes took, the server's not included."""
    lines = []
    for row in rows:
        cells = []
        for name in HEADINGS:
            good = row.good(name)
            cpu = median(run.user + run.system for run in good) if good else 0
            cells.append(f"{cpu:.2f} / {median(run.rss for run in good) / 1e6:.0f}" if good else "-")
        lines.append([f"**{row.key}**", str(row.rtt), *cells])
    return table(["", "RTT ms", *HEADINGS.values()], lines)


def wire(rows: Sequence[Row]) -> str:
    """Octets each way, commands, round trips and connections, where there was a proxy."""
    lines = []
    for row in rows:
        for name, heading in HEADINGS.items():
            counts = [run.counts for run in row.good(name) if run.counts]
            if not counts:
                continue
            middle = {key: median(count[key] for count in counts) for key in counts[0] if key != "commands"}
            commands = sorted(counts[0]["commands"].items(), key=lambda item: -item[1])
            lines.append(
                [
                    f"**{row.key}**",
                    heading,
                    f"{middle['to_client']:,.0f}",
                    f"{middle['to_server']:,.0f}",
                    f"{middle['round_trips']:.0f} / {middle['longest']:.0f}",
                    f"{middle['connections']:.0f}",
                    f"{figure(row, name, 'commands'):.0f}: "
                    + ", ".join(f"{count} {command}" for command, count in commands[:5]),
                ]
            )
    head = ["", "", "octets down", "octets up", "round trips: all / longest connection", "connections", "commands"]
    return table(head, lines) if lines else "There was no run through the proxy."


def _troubles(rows: Iterable[Row]) -> Iterable[str]:
    for row in rows:
        for name, runs in row.runs.items():
            for run in runs:
                if run.outcome != "ok":
                    said = " ".join(run.reason.split())[-400:]
                    yield f"- {row.key} at {row.rtt} ms, {HEADINGS[name]}: {run.outcome}: {said}"


def cell(row: Row, contender: str) -> str:
    """A contender's wall time, or why there is none."""
    runs = row.runs.get(contender, [])
    if not runs:
        return "not run"
    if (wall := row.wall(contender)) is not None:
        return number(wall)
    return trouble(runs, row.limits.get(contender, 0))


def trouble(runs: Sequence[Run], limit: float) -> str:
    """The word for runs of which one did not end well."""
    outcomes = {run.outcome for run in runs}
    if "failed" in outcomes:
        return "FAILED"
    if "late" in outcomes:
        return f"> {limit:.0f}"
    return "not ready" if "unready" in outcomes else "not installed"


def floor_cell(row: Row) -> str:
    """Both parts, the larger one in bold."""
    if row.floor is None:
        return "-"
    network, disk = f"network {number(row.floor.network)}", f"disk {number(row.floor.disk)}"
    return f"**{network}**, {disk}" if row.floor.network >= row.floor.disk else f"{network}, **{disk}**"


def number(value: float | None) -> str:
    """Three figures, or a dash."""
    if value is None:
        return "-"
    return (
        f"{value:.0f}"
        if value >= 100
        else f"{value:.1f}"
        if value >= 10
        else f"{value:.2f}"
        if value >= 1
        else f"{value:.3f}"
    )


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table, aligned for those who read the source."""
    cells = [list(head), *(list(line) for line in lines)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    rule = ["-" * max(3, width) for width in widths]
    padded = [
        "| " + " | ".join(text.ljust(max(3, width)) for text, width in zip(line, widths, strict=True)) + " |"
        for line in [cells[0], rule, *cells[1:]]
    ]
    return "\n".join(padded)


assert set(HEADINGS) == set(ALL), "every contender has its column"
