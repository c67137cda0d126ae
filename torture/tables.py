"""Tables of RELIABILITY.md about what is no trial: the soak, accidents beside other programs, malformed messages."""

import json
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

USED = (("rss", "resident memory, MB", 1e6), ("descriptors", "descriptors", 1.0), ("threads", "threads", 1.0))
"""Of the soak's process: what, in which words and in which unit."""


def tables(directory: Path) -> list[str]:
    """What is no trial and has a table of its own, of which there are results in `directory`."""
    made: dict[str, Callable[[Any], str]] = {
        "soak": soak_table,
        "accidents": accidents_table,
        "malformed": malformed_table,
    }
    files = {name: directory / f"{name}.json" for name in made}
    return [made[name](json.loads(file.read_text())) for name, file in files.items() if file.exists()]


def soak_table(document: Any) -> str:
    """`soak.json`: what was done to `syncer watch`, what was found, and what the process used."""
    edits, faults = sum(document["deeds"].values()), document["faults"]
    kinds = ", ".join(f"{count} {name}" for name, count in faults.items())
    ended = " (interrupted)" if document["interrupted"] else ""
    rows = [
        ("minutes", f"{document['seconds'] / 60:.0f}{ended}"),
        ("edits on both sides", f"{edits:,}"),
        ("faults", f"{sum(faults.values())}: {kinds}"),
        ("quiet points at which every message was as it must be", str(len(document["checks"]))),
        ("of these, right only after SIGUSR1", str(sum(bool(check["late"]) for check in document["checks"]))),
        *_slowest(document["checks"]),
        *_used(document["flatness"]),
        ("seed, commit, date", f"{document['seed']}, {document['commit']}, {document['date'][:10]}"),
    ]
    lines = ["## Soak", ""]
    lines += ["`syncer watch`, edited on both sides all the time, with a fault each minute (`make soak`).", ""]
    lines += ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]
    if document["failure"]:
        first = document["failure"].splitlines()
        lines += ["", f"**It failed** after the fault {document['last_fault']}:", ""]
        lines += [f"    {line}" for line in first[:20]]
    lines += ["", "![What the process used](torture/results/soak.svg)"]
    return "\n".join(lines) + "\n"


def _slowest(checks: Sequence[Mapping[str, float]]) -> Iterator[tuple[str, str]]:
    """How long it took from the last edit and fault until everything was right."""
    if checks:
        seconds = sorted(check["converged"] for check in checks)
        yield "seconds until both sides were right", f"{statistics.median(seconds):.1f}, at most {seconds[-1]:.1f}"
        seconds = sorted(check["indexed"] for check in checks)
        yield "seconds until notmuch knew a message", f"{statistics.median(seconds):.1f}, at most {seconds[-1]:.1f}"


def _used(flatness: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """What the last process used, in the second and the last quarter of its life."""
    if flatness is None:
        return
    for key, name, unit in USED:
        second, last = (value / unit for value in flatness[key])
        yield f"{name}: second and last quarter of its life", f"{second:.4g}, {last:.4g}"
    yield "flat", "yes" if flatness["flat"] else "**no**"


def accidents_table(document: Any) -> str:
    """`accidents.json`: a row for each scene, a column for each program, and what syncer said."""
    played = {(one["scene"], one["program"]): one for one in document["played"]}
    programs = list(dict.fromkeys(program for _, program in played))
    versions = [next(one["version"] for one in document["played"] if one["program"] == program) for program in programs]
    lines = ["## Accidents", "", "The same script with each program, on a real Dovecot.", ""]
    lines += [f"| scene | what happens | {' | '.join(versions)} |", f"| --- | --- |{' --- |' * len(programs)}"]
    for scene, title in document["scenes"].items():
        cells = [_scene(played[scene, program]) for program in programs]
        lines.append(f"| {scene} | {title} | {' | '.join(cells)} |")
    for one in document["played"]:
        if one["back"] is not None:
            lines += ["", f"{one['scene']}, what {one['program']} said:", ""]
            lines += [f"    {line}" for line in one["said"]]
    return "\n".join(lines) + "\n"


def _scene(one: Mapping[str, Any]) -> str:
    if one["state"] is None:
        return str(one["version"])
    cell = f"{_exits(one['statuses'])}: {_where(one['state'])}"
    if one["meanwhile"] > one["state"]["lost"]:
        cell += f", {one['meanwhile']} lost meanwhile"
    if one["back"] is None:
        return cell
    return f"{cell}; then `{one['back']}` and a further pass, {_exits(one['back_statuses'])}: {_where(one['after'])}"


def _exits(statuses: Iterable[int]) -> str:
    return f"exit {', '.join(map(str, statuses))}"


def _where(state: Mapping[str, int]) -> str:
    """Of how many messages how many are where; what is wrong in bold."""
    places = [f"{state[key]} {words}" for key, words in (("server", "on the server"), ("maildir", "in the Maildir"))]
    places += [f"{state['attic']} in the attic"] * bool(state["attic"])
    wrong = [f"**{state[key]} {key}**" for key in ("lost", "doubled", "crossed") if state[key]]
    return f"of {state['messages']}, {', '.join([*places, *(wrong or ['none lost'])])}"


def malformed_table(document: Any) -> str:
    """`malformed.json`: a row for each message, a column for each server that it was sent to."""
    servers = document["servers"]
    lines = ["## Malformed messages", ""]
    lines += ["Down from Dovecot, up to each server, and down again; octets are compared each time.", ""]
    lines += [f"| message | octets | {' | '.join(servers)} |", f"| --- | ---: |{' --- |' * len(servers)}"]
    for name, octets in document["messages"].items():
        lines.append(f"| {name} | {octets:,} | {' | '.join(found[name] for found in servers.values())} |")
    return "\n".join(lines) + "\n"
