"""Writes what was measured of programs that stay as Markdown: a table for each kind of row, and the bars. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from bench.report import table
from bench.watching.results import (
    MEDIAN,
    MOST,
    Cell,
    announcements,
    delays,
    judged,
    missed,
    net,
    rank,
    shown,
)

ROWS: Final = {
    "L1": "a message arrives on the server, until its file is in the Maildir (INBOX)",
    "L2": "a message is read in the Maildir, until its flag is on the server (INBOX)",
    "L3": "thousands of flags at once in several mailboxes of the Maildir, until all are on the server",
    "L4": "nothing happens",
    "L5": "an outage while both sides are edited",
    "L6": "SIGTERM at random moments",
}
"""By key: what happens, and what is measured."""
LATENCY: Final = ["samples", "missed", "median", "99 %", "slowest"]
WORDS: Final = {"missing": "not installed", "unready": "not ready", "failed": "FAILED"}


def document(cells: Sequence[Cell], about: Mapping[str, str]) -> str:
    """All of WATCH.md."""
    parts = [
        "# Benchmark of `syncer watch`",
        "\n".join(f"- {key}: {value}" for key, value in about.items()),
        "Written by `python -m bench.watching`; [README.md](../README.md) says what each column means."
        if about["scale"] == "1"
        else f"**At scale {about['scale']} the bars mean little: they are meant for scale 1.**",
        "## Bars",
        verdicts(cells),
    ]
    for key, title in ROWS.items():
        if of_key := [cell for cell in cells if cell.key == key]:
            parts += [f"## {key}: {title}", TABLES[key](of_key)]
    if troubles := list(_troubles(cells)):
        parts += ["## What went wrong", "\n".join(troubles)]
    return "\n\n".join(parts) + "\n"


def verdicts(cells: Sequence[Cell]) -> str:
    """Every bar with what was found."""
    lines = [
        [f"**{cell.key}**", cell.told, str(cell.rtt), verdict.text()] for cell in cells for verdict in judged(cell)
    ]
    return table(["", "told by", "RTT ms", "bar"], lines) if lines else "Nothing was measured that has a bar."


def arrivals(cells: Sequence[Cell]) -> str:
    """L1."""
    head = [*LATENCY, "the server announces", "net: median", "net: 99 %", "commands for each"]
    return _table(head, cells, _arrival)


def _arrival(cell: Cell) -> list[str]:
    without = [shown(rank(net(cell), part), "ms") for part in (MEDIAN, MOST)]
    return [*_latency(cell), shown(rank(announcements(cell), MEDIAN), "ms"), *without, _each(cell)]


def flags(cells: Sequence[Cell]) -> str:
    """L2."""
    return _table([*LATENCY, "commands for each"], cells, lambda cell: [*_latency(cell), _each(cell)])


def _latency(cell: Cell) -> list[str]:
    values = [shown(rank(delays(cell), part), "ms") for part in (MEDIAN, MOST, 1)]
    return [str(len(cell.samples)), str(missed(cell)), *values]


def _each(cell: Cell) -> str:
    return f"{sum(cell.figures['commands'].values()) / max(1, len(cell.samples)):.1f}"


def storms(cells: Sequence[Cell]) -> str:
    """L3."""
    head = ["renames", "which took", "all on the server after", "missed", "commands"]
    return _table(head, cells, _storm)


def _storm(cell: Cell) -> list[str]:
    figure = cell.figures
    return [
        str(figure["renames"]),
        shown(figure["renamed"], "s"),
        shown(figure["seconds"], "s"),
        str(figure["missed"]),
        f"{figure['commands']}: {named(figure['by_name'])}",
    ]


def idles(cells: Sequence[Cell]) -> str:
    """L4."""
    head = ["for", "CPU", "RSS", "threads", "wake-ups", "while nothing passed"]
    return _table([*head, "octets", "commands"], cells, _idle)


def _idle(cell: Cell) -> list[str]:
    figure = cell.figures
    return [
        f"{figure['seconds']:.0f} s",
        shown(figure["cpu"], "s"),
        shown(figure["rss"], "MB"),
        *(str(figure[name]) for name in ("threads", "wakeups", "lone_wakeups", "octets")),
        named(figure["commands"]) or "none",
    ]


def outages(cells: Sequence[Cell]) -> str:
    """L5."""
    head = ["outage", "lasted", "server equal after", "Maildir equal after", "amiss"]
    return _table(head, cells, _outage)


def _outage(cell: Cell) -> list[str]:
    figure = cell.figures
    told = "; ".join(f"{side}: {found}" for side, found in figure["told"].items() if found != "nothing")
    return [
        figure["outage"],
        shown(figure["lasted"], "s"),
        *("never" if figure[name] is None else shown(figure[name], "s") for name in ("far_equal", "near_equal")),
        _plain(told) or "nothing",
    ]


def ends(cells: Sequence[Cell]) -> str:
    """L6."""
    head = ["ends", "median", "slowest", "statuses", "amiss"]
    return _table(head, cells, _end)


def _end(cell: Cell) -> list[str]:
    found = cell.figures["ends"]
    seconds = [end["seconds"] for end in found]
    wrong = [f"{end['kind']}: {'; '.join(end['amiss'])}" for end in found if end["amiss"]] + cell.figures["whole"]
    return [
        str(len(found)),
        shown(rank(seconds, MEDIAN), "s"),
        shown(rank(seconds, 1), "s"),
        ", ".join(sorted({str(end["status"]) for end in found})),
        _plain("; ".join(wrong)) or "nothing",
    ]


def _plain(text: str) -> str:
    """As one line in a table's cell."""
    return " ".join(text.replace("|", "/").split())


def named(commands: Mapping[str, int]) -> str:
    """How many of which command, the most frequent first."""
    return ", ".join(f"{count} {name}" for name, count in sorted(commands.items(), key=lambda item: -item[1]))


def _table(head: Sequence[str], cells: Iterable[Cell], figures: Callable[[Cell], list[str]]) -> str:
    """Who it is, and the figures, or why there are none."""
    lines = []
    for cell in cells:
        found = figures(cell) if cell.outcome == "ok" else [WORDS[cell.outcome], *[""] * (len(head) - 1)]
        lines.append([cell.watcher, cell.told, str(cell.rtt), *found])
    return table(["watcher", "told by", "RTT ms", *head], lines)


def _troubles(cells: Iterable[Cell]) -> Iterable[str]:
    for cell in cells:
        if cell.outcome in {"failed", "unready"}:
            reason = " ".join(cell.reason.split())[-400:]
            yield f"- {cell.key} at {cell.rtt} ms, {cell.watcher} ({cell.told}): {cell.outcome}: {reason}"


TABLES: Final = {"L1": arrivals, "L2": flags, "L3": storms, "L4": idles, "L5": outages, "L6": ends}
