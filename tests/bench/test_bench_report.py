"""The report marks what does not hold, and leaves nothing out."""

import pathlib
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from bench import plan
from bench.bars import Bar, judged
from bench.plots import plots
from bench.report import cell, document, times, verdicts
from bench.results import Floor, Outcome, Row, Run, save


def run(wall: float, *, rss: int = 10_000_000, **counts: Any) -> Run:
    given = {"to_server": 100, "to_client": 900, "round_trips": 4, "longest": 4, "connections": 1}
    return Run("ok", "", wall, wall / 2, 0.0, rss, {**given, "commands": {"NOOP": 12}, **counts})


def row(syncer: float, mbsync: float, *, rtt: int = 40, key: str = "W3b", **counts: Any) -> Row:
    runs = {
        "syncer": [run(syncer, **counts), run(syncer * 3, **counts), run(syncer / 3, **counts)],
        "mbsync": [run(mbsync)],
        "mbsync-nofsync": [run(mbsync)],
        "offlineimap3": [Run("late", "stopped at its time limit")],
    }
    return Row(key, "nothing changed", rtt, 1_000, runs, Floor(0.1, 0.2), dict.fromkeys(runs, 90.0))


def words(row_: Row, *bars: Bar) -> list[str]:
    return [verdict.word for verdict in judged(row_, bars)]


def test_a_bar_holds_up_to_its_limit() -> None:
    assert words(row(0.5, 1.0), Bar("ratio", 0.5)) == ["holds"]
    assert words(row(0.51, 1.0), Bar("ratio", 0.5)) == ["DOES NOT HOLD"]


@pytest.mark.parametrize(
    ("kind", "found"), [("octets", 1_000), ("sent", 100), ("round_trips", 4), ("commands", 12), ("rss", 10_000_000)]
)
def test_each_kind_of_bar_looks_at_its_own_figure(kind: str, found: int) -> None:
    (verdict,) = judged(row(1.0, 1.0), [Bar(kind, found)])
    assert (verdict.found, verdict.word) == (found, "holds")
    assert words(row(1.0, 1.0), Bar(kind, found - 1)) == ["DOES NOT HOLD"]


def test_a_bar_belongs_to_one_distance() -> None:
    assert words(row(1.0, 1.0, rtt=0), Bar("ratio", 0.5, 40)) == []


def test_one_failed_run_makes_the_figure_unmeasured() -> None:
    failed = row(0.1, 1.0)
    failed.runs["syncer"].append(Run("failed", "exit status 1"))
    assert words(failed, Bar("ratio", 0.5), Bar("octets", 9_999)) == ["not measured", "not measured"]
    assert cell(failed, "syncer") == "FAILED"


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [("failed", "FAILED"), ("late", "> 90"), ("unready", "not ready"), ("missing", "not installed")],
)
def test_a_contender_without_a_figure_says_why(outcome: Outcome, shown: str) -> None:
    made = row(1.0, 1.0)
    made.runs["mbsync"] = [Run(outcome, "why")]
    assert cell(made, "mbsync") == shown
    made.runs["mbsync"] = []
    assert cell(made, "mbsync") == "not run"


def test_a_row_whose_bar_does_not_hold_is_marked_and_shown() -> None:
    bars = {"W3b": [Bar("ratio", 0.5), Bar("octets", 2_000)]}
    shown = times([row(0.4, 1.0), row(0.6, 1.0)], bars).splitlines()[2:]
    assert [line.split("|")[-2].strip() for line in shown] == ["holds", "DOES NOT HOLD"]
    assert [line.rpartition(": ")[2].strip(" |") for line in verdicts([row(0.6, 1.0)], bars).splitlines()[2:]] == [
        "DOES NOT HOLD",
        "holds",
    ]


def test_every_row_shows_both_peers_and_the_floor() -> None:
    made = row(0.4, 1.0)
    made.runs["mbsync"] = made.runs["mbsync-nofsync"] = [Run("missing", "not installed")]
    cells = [each.strip() for each in times([made], {}).splitlines()[-1].split("|")]
    assert cells[4:11] == [
        "0.400",
        "not installed",
        "not installed",
        "> 90",
        "-",
        "network 0.100, **disk 0.200**",
        "2.00",
    ]


def test_the_document_tells_what_went_wrong_and_that_a_small_scale_means_little() -> None:
    failed = row(0.4, 1.0)
    failed.runs["offlineimap3"] = [Run("failed", "INBOX in the Maildir:\n{} instead of {'S': 3}")]
    text = document([failed], {}, {"scale": "0.01"})
    assert "At scale 0.01 the bars mean little" in text
    assert "W3b at 40 ms, offlineimap3: failed: INBOX in the Maildir: {} instead of {'S': 3}" in text
    assert "mean little" not in document([failed], {}, {"scale": "1"})


def test_plots_are_svg_and_show_every_figure(tmp_path: pathlib.Path) -> None:
    small, large = row(0.4, 1.0, key="W3b-10k"), row(0.5, 2.0)
    large.messages = 9_000
    drawn = plots([small, large])
    assert sorted(drawn) == ["growth-octets.svg", "growth-wall-40ms.svg", "octets.svg", "wall-40ms.svg"]
    for svg in drawn.values():
        ET.fromstring(svg)
        assert "prefers-color-scheme: dark" in svg
    assert drawn["wall-40ms.svg"].count("<title>W3b") == 2 * 4  # offlineimap3 was late
    save(tmp_path / "results.json", [small, large], {"scale": "1"})
    assert '"wall": 0.4' in (tmp_path / "results.json").read_text()


def test_the_plan_is_chosen_by_name() -> None:
    assert [workload.key for workload in plan.chosen("W1,W3b")] == ["W1", "W3b-10k", "W3b", "W3b-300k"]
    assert [workload.key for workload in plan.chosen("W3b-10k")] == ["W3b-10k"]
    with pytest.raises(ValueError, match="no such workload: W9"):
        plan.chosen("W1,W9")
