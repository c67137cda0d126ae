"""RELIABILITY.md: what was done to the program, how often, and what was found. Written from results, never by hand."""

from collections.abc import Mapping
from pathlib import Path

from torture.results import Result
from torture.trials import TRIALS

HEAD = """# Reliability

Written by `make torture` from real runs; `torture/README.md` says what each trial does and how to play a case again.

A case holds if nothing was lost, nothing doubled, no flag is wrong, both sides are the same after a further sync, a
sync after that changes nothing, and nobody saw a traceback.

| trial | what is done | cases | failed | what was counted | seconds | commit, date |
| --- | --- | ---: | ---: | --- | ---: | --- |
"""


def write(found: Mapping[str, Result], path: Path) -> None:
    """Write the report of what was found."""
    rows = [_row(trial.name, trial.title, found.get(trial.name)) for trial in TRIALS]
    path.write_text(HEAD + "\n".join(rows) + "\n" + "".join(map(_failures, found.values())))


def _row(name: str, title: str, result: Result | None) -> str:
    if result is None:
        return f"| {name} | {title} | not run | | | | |"
    of = f" of {result.total:,}" if result.total else ""
    counted = ", ".join(f"{count:,} {what}" for what, count in sorted(result.counted.items()))
    cells = [
        name, title, f"{result.cases:,}{of}", str(len(result.failures)), counted, f"{result.seconds:,.0f}",
        f"{result.commit}, {result.date[:10]}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _failures(result: Result) -> str:
    lines = [f"- {result.trial} {failure.number}: {failure.text.splitlines()[0]}" for failure in result.failures]
    return "\n" + "\n".join(lines) + "\n" if lines else ""
