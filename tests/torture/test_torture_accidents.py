"""The scenes in which others lose mail, played with syncer: nothing is lost, and what it prints is the way back.

`python -m torture.accidents` plays them with mbsync and offlineimap3 as well.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from servers.dovecot import Dovecot

from bench.contenders import Contender
from torture import report, tables
from torture.accidents import SCENES, STORE, Played, Scene, play
from torture.programs import SYNCER, Program
from torture.stage import State

pytestmark = pytest.mark.dovecot

ALL = State(messages=20, server=20, maildir=20, attic=0, lost=0, doubled=0, crossed=0)
"""All is well."""
RESTORE = "syncer -c DIR/syncer.conf restore bench:Box"
REMOVE = "rm -f " + " ".join(f"DIR/state/bench.db{suffix}" for suffix in ("", "-wal", "-shm", "-journal"))


def away(**counts: int) -> State:
    """All is well but for these."""
    return replace(ALL, **counts)


WANTED = {
    "S1": ([4, 4], away(maildir=0), RESTORE, ALL),
    "S1b": ([4, 4, 0], ALL, None, None),
    "S1c": ([4], away(maildir=0), REMOVE, ALL),
    "S2": ([4, 4], away(messages=23, server=18, maildir=23), RESTORE, away(messages=23, server=23, maildir=23)),
    "S2b": ([4, 4], away(messages=28, server=23, maildir=28), RESTORE, away(messages=28, server=28, maildir=28)),
    "S3": ([4, 0, 0], ALL, None, None),
    "S4": ([0, 0], ALL, None, None),
    "S5": ([0, 0], ALL, None, None),
    "S6": ([0, 0, 0, 4, 4, 4], away(server=11, maildir=2, lost=9), RESTORE, away(server=11, maildir=11, lost=9)),
}
"""Exit statuses, the state then, the way back, and the state after it.

What was expunged before it was too much for one day (S6) has been deleted as if by a person."""


@pytest.fixture(scope="module")
def maildirs(dovecot_with: Callable[..., Dovecot]) -> Dovecot:
    """The Dovecot of the accidents."""
    return dovecot_with(**STORE)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_nothing_is_lost_and_what_is_printed_is_the_way_back(scene: Scene, maildirs: Dovecot, tmp_path: Path) -> None:
    played = play(scene, SYNCER, maildirs, tmp_path / "site")
    assert (played.statuses, played.state, played.back, played.after) == WANTED[scene.name]
    assert played.back_statuses == ([0, 0] if played.back else [])
    assert played.meanwhile == played.state.lost


class NotThere(Contender):
    name = "nothing"

    def missing(self) -> str:
        return "not installed"


def test_a_program_that_is_not_installed_is_said_to_be_so_and_the_others_are_played(
    maildirs: Dovecot, tmp_path: Path
) -> None:
    played = play(SCENES[0], Program(NotThere()), maildirs, tmp_path / "site")
    assert played == Played("S1", "nothing", "not installed")


def test_the_table_has_a_row_for_each_scene_and_a_column_for_each_program() -> None:
    ours = Played("S1", "syncer", "syncer 1", [4], ["no", "  again: syncer restore"], away(maildir=0))
    ours.back, ours.back_statuses, ours.after = "syncer restore", [0, 0], ALL
    theirs = Played("S1", "other", "other 2", [0], ["yes"], away(maildir=0, lost=2, crossed=3), meanwhile=20)
    document = {"scenes": {"S1": "files vanish"}, "played": [asdict(ours), asdict(theirs)]}
    held = "exit 4: of 20, 20 on the server, 0 in the Maildir, none lost"
    back = "`syncer restore` and a further pass, exit 0, 0: of 20, 20 on the server, 20 in the Maildir, none lost"
    gone = "exit 0: of 20, 20 on the server, 0 in the Maildir, **2 lost**, **3 crossed**, 20 lost meanwhile"
    assert tables.accidents_table(document).splitlines()[4:] == [
        "| scene | what happens | syncer 1 | other 2 |",
        "| --- | --- | --- | --- |",
        f"| S1 | files vanish | {held}; then {back} | {gone} |",
        "",
        "S1, what syncer said:",
        "",
        "    no",
        "      again: syncer restore",
    ]


def test_what_has_no_results_has_no_table_and_the_others_follow_the_trials(tmp_path: Path) -> None:
    document = {"messages": {"plain": 1234}, "servers": {"dovecot": {"plain": "identical"}}}
    (tmp_path / "malformed.json").write_text(json.dumps(document))
    (table,) = tables.tables(tmp_path)
    report.write({}, tmp_path / "R.md", {}, [table])
    assert table.endswith("| message | octets | dovecot |\n| --- | ---: | --- |\n| plain | 1,234 | identical |\n")
    assert table in (tmp_path / "R.md").read_text()
