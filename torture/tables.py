"""Tables of RELIABILITY.md about what is no trial: accidents beside other programs, and malformed messages."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any


def tables(directory: Path) -> list[str]:
    """What is no trial and has a table of its own, of which there are results in `directory`."""
    made: dict[str, Callable[[Any], str]] = {"accidents": accidents_table, "malformed": malformed_table}
    files = {name: directory / f"{name}.json" for name in made}
    return [made[name](json.loads(file.read_text())) for name, file in files.items() if file.exists()]


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
