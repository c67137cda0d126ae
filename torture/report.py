"""RELIABILITY.md: what was done to the program, how often, and what was found. Written from results, never by hand."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from torture import TOP, results
from torture.bugs import every
from torture.results import Catch, Result
from torture.tables import tables
from torture.trials import TRIALS

HEAD = """# Reliability

Written by `make torture` from real runs; `torture/README.md` says what each trial does and how to play a case again.

A case holds if nothing was lost, nothing doubled, no flag is wrong, both sides are the same after a further sync, a
sync after that changes nothing, and nobody saw a traceback.

| trial | what is done | cases | failed | what was counted | seconds | commit, date |
| --- | --- | ---: | ---: | --- | ---: | --- |
"""

BUGS = """
## Deliberate bugs

Planted one at a time in a copy of the sources (`python -m torture.bugs`), to see whether the tests notice.

| bug | what it is | caught by |
| --- | --- | --- |
"""


def refresh(directory: Path) -> None:
    """Write the report of all the results in `directory`: the repository's of those that it keeps, else beside them."""
    path = (TOP if directory == results.KEPT else directory) / "RELIABILITY.md"
    write(results.load(directory), path, results.load_catches(directory), tables(directory))


def write(found: Mapping[str, Result], path: Path, catches: Mapping[str, Catch], others: Iterable[str] = ()) -> None:
    """Write the report of what was found, of what became of the deliberate bugs, and `others`, which are tables."""
    rows = [_row(trial.name, trial.title, found.get(trial.name)) for trial in TRIALS]
    bugs = [_bug_row(bug.name, bug.what, catches) for bug in every()]
    failures = "".join(map(_failures, found.values()))
    trials = HEAD + "\n".join(rows) + "\n" + failures
    path.write_text("\n".join([trials, *others]) + BUGS + "\n".join(bugs) + "\n")


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


def _bug_row(name: str, what: str, catches: Mapping[str, Catch]) -> str:
    catch = catches.get(name)
    by = "not run" if catch is None else f"`{catch.caught_by}`" if catch.caught_by else "**nothing**"
    return f"| {name} | {what} | {by} |"


def _failures(result: Result) -> str:
    lines = [f"- {result.trial} {failure.number}: {failure.text.splitlines()[0]}" for failure in result.failures]
    return "\n" + "\n".join(lines) + "\n" if lines else ""
