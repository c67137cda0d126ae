"""What is made of the figures of programs that stay: ranks, verdicts, tables; nothing is left out or made better."""

import json
import math
import pathlib
from collections import Counter
from typing import Any

import pytest

from bench.watching.books import Difference, difference
from bench.watching.ears import Heard
from bench.watching.ending import changes
from bench.watching.idle import Second, lone_wakeups
from bench.watching.report import document
from bench.watching.results import Cell, Outcome, Sample, Verdict, judged, missed, net, rank, save, shown
from bench.watching.running import Effort
from bench.watching.storm import lacking
from bench.watching.watchers import Told


def cell(key: str, *samples: Sample, rtt: int = 40, watcher: str = "syncer", **figures: Any) -> Cell:
    return Cell(key, watcher, "IDLE", rtt, "ok", "", list(samples), figures)


def words(measured: Cell) -> list[str]:
    return [verdict.word for verdict in judged(measured)]


class TestRank:
    @pytest.mark.parametrize(("part", "found"), [(0.5, 50), (0.99, 99), (1, 100), (0.001, 1)])
    def test_is_the_smallest_that_so_many_are_not_larger_than(self, part: float, found: int) -> None:
        assert rank([float(number) for number in range(100, 0, -1)], part) == found

    def test_of_nothing_there_is_none(self) -> None:
        assert rank([], 0.5) is None


class TestNet:
    def test_is_without_the_time_for_which_the_server_kept_it_to_itself(self) -> None:
        # 500 ms until it tells, 20 ms until that is here, 60 ms until the file is.
        assert net(cell("L1", Sample(0.58, 0.52))) == [pytest.approx(0.08)]

    def test_leaves_out_what_has_not_arrived_or_was_not_told(self) -> None:
        measured = cell("L1", Sample(None, 0.52), Sample(0.58, None))
        assert (net(measured), missed(measured)) == ([], 1)


class TestVerdicts:
    def test_of_a_message_are_told_as_it_is_and_net(self) -> None:
        measured = cell("L1", *[Sample(0.640, 0.520)] * 3)
        assert judged(measured) == [
            Verdict("median", 0.640, pytest.approx(0.14), "ms"),
            Verdict("99 %", 0.640, pytest.approx(0.33), "ms"),
            Verdict("median, net", pytest.approx(0.14), pytest.approx(0.14), "ms"),
            Verdict("99 %, net", pytest.approx(0.14), pytest.approx(0.33), "ms"),
            Verdict("missed", 0, 0),
        ]

    def test_of_a_flag_allow_one_round_trip(self) -> None:
        assert words(cell("L2", Sample(0.100))) == ["holds", "holds", "holds"]
        assert words(cell("L2", Sample(0.101))) == ["DOES NOT HOLD", "holds", "holds"]
        assert words(cell("L2", Sample(0.06), Sample(None), rtt=0)) == ["holds", "holds", "DOES NOT HOLD"]

    def test_of_a_storm_want_fewer_than_a_hundred_commands(self) -> None:
        assert words(cell("L3", seconds=3.0, commands=99, missed=0)) == ["holds"] * 3
        assert words(cell("L3", seconds=3.1, commands=100, missed=1)) == ["DOES NOT HOLD"] * 3

    def test_of_an_outage_do_not_hold_where_a_side_was_never_equal(self) -> None:
        measured = cell("L5", outage="killed", far_equal=None, near_equal=9.0, amiss=0)
        assert judged(measured) == [
            Verdict("killed: server equal", math.inf, 10, "s"),
            Verdict("killed: Maildir equal", 9.0, 10, "s"),
            Verdict("killed: lost, doubled or wrong", 0, 0),
        ]
        assert judged(measured)[0].text() == "killed: server equal: never, at most 10 s: DOES NOT HOLD"

    @pytest.mark.parametrize("key", ["L1", "L2", "L3", "L4", "L5", "L6"])
    def test_of_what_failed_are_not_measured(self, key: str) -> None:
        assert set(words(Cell(key, "syncer", "NOTIFY", 0, "failed", "why"))) == {"not measured"}

    def test_are_about_syncer_alone(self) -> None:
        assert judged(cell("L1", Sample(9.0, 0.5), watcher="offlineimap3")) == []


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "-"),
        (0.0634, "ms", "63 ms"),
        (3.0, "s", "3 s"),
        (0.25, "s", "0.25 s"),
        (70e6, "MB", "70.0 MB"),
        (7, "", "7"),
    ],
)
def test_figures_are_shown_with_their_units(value: float | None, unit: Any, text: str) -> None:
    assert shown(value, unit) == text


class TestDifference:
    def test_of_equal_sides_is_nothing(self) -> None:
        books = {"INBOX": Counter({("<a>", "S"): 2}), "Sent": Counter({("<b>", ""): 1})}
        found = difference(books, books)
        assert (found, found.nothing, str(found)) == (Difference(), True, "nothing")

    def test_tells_lost_from_doubled_from_wrong(self) -> None:
        want = {"INBOX": Counter([("<lost>", ""), ("<twice>", ""), ("<moved>", "S"), ("<read>", "S"), ("<well>", "")])}
        have = {
            "INBOX": Counter([("<twice>", ""), ("<read>", ""), ("<well>", "")]),
            "Sent": Counter([("<twice>", ""), ("<moved>", "S")]),
        }
        found = difference(want, have)
        assert found == Difference(["<lost>"], ["<twice>"], ["<moved>", "<read>"])
        assert str(found) == "1 lost (<lost>), 1 doubled (<twice>), 2 wrong (<moved>)"

    def test_counts_messages_that_are_meant_to_be_there_twice(self) -> None:
        twice, once = {"INBOX": Counter({("<a>", ""): 2})}, {"INBOX": Counter({("<a>", ""): 1})}
        assert difference(twice, once) == Difference(lost=["<a>"])
        assert difference(once, twice) == Difference(doubled=["<a>"])


NOTIFIED = b"* STATUS INBOX (MESSAGES 5 UIDNEXT 8 UNSEEN 1)\r\n* STATUS Sent (MESSAGES 1 UIDNEXT 99 UNSEEN 0)\r\n"
IDLED = b"* OK Still here\r\n* 3 FETCH (FLAGS (\\Seen))\r\n* 5 EXISTS\r\n* 1 RECENT\r\n"


class TestHeard:
    @pytest.mark.parametrize(("told", "said"), [("NOTIFY", NOTIFIED), ("IDLE", IDLED)])
    @pytest.mark.parametrize("size", [1, 2, 7, 1_000])
    def test_a_message_is_heard_of_once_however_the_stream_is_cut(self, told: Told, said: bytes, size: int) -> None:
        heard = Heard(told, 7)
        assert [heard.feed(said[at : at + size]) for at in range(0, len(said), size)].count(True) == 1

    def test_flags_are_no_message(self) -> None:
        assert not Heard("NOTIFY", 8).feed(NOTIFIED)
        assert not Heard("IDLE", 8).feed(b"* 3 FETCH (FLAGS (\\Seen))\r\n")


def test_wake_ups_count_where_nothing_passed_and_nothing_was_about_to() -> None:
    quiet, talk = Second(0, 3, 0), Second(40, 9, 0)
    assert lone_wakeups([quiet, quiet, talk, quiet, quiet, quiet]) == 3 * 3


def test_threads_that_came_meanwhile_count_in_full() -> None:
    assert Effort(switches={1: 12, 3: 4}).wakeups_since(Effort(switches={1: 10, 2: 99})) == 6


def test_flags_that_are_lacking_are_counted_by_message() -> None:
    want = {"INBOX": Counter({"S": 5, "": 1}), "Sent": Counter({"F": 2})}
    assert lacking(want, {"INBOX": Counter({"S": 3, "": 3})}) == 2 + 2
    assert lacking(want, want) == 0


def test_what_a_sync_has_changed_is_read_from_its_report() -> None:
    mailboxes = [{"name": "INBOX", "ok": True, "error": None, "downloaded": 2, "uploaded": 0}, {"downloaded": 1}]
    assert changes({"accounts": [{"ok": True, "seconds": 0.2, "mailboxes": mailboxes}]}) == {"downloaded": 3}


COMMANDS = {"UID FETCH": 3, "SELECT": 1}
END = {"kind": "work", "seconds": 0.2, "status": 143, "amiss": []}
CELLS = [
    cell("L1", Sample(0.6, 0.5), Sample(0.7, 0.5), commands=COMMANDS),
    cell("L1", Sample(1.6, 0.5), Sample(None, 0.5), commands=COMMANDS, watcher="offlineimap3"),
    Cell("L1", "imapfilter+mbsync", "IDLE", 40, "missing", "not installed"),
    cell("L2", Sample(0.06), commands=COMMANDS),
    cell("L3", renames=10_000, renamed=0.4, seconds=1.5, missed=0, commands=4, by_name=COMMANDS),
    cell("L4", seconds=600.2, cpu=0.1, rss=30e6, threads=8, wakeups=9, lone_wakeups=0, octets=40, commands={}),
    cell("L5", outage="killed", lasted=30.0, far_equal=1.5, near_equal=None, told={"here": "1 lost (<a|b>)"}, amiss=1),
    cell("L6", ends=[END, {**END, "seconds": 4.0, "amiss": ["status 1:\nno"]}], slowest=4.0, amiss=1, whole=[]),
]


def row(text: str, key: str, number: int = 0) -> list[str]:
    lines = text.partition(f"## {key}:")[2].splitlines()[4:]
    return [part.strip() for part in lines[number].strip("|").split("|")]


class TestDocument:
    text = document(CELLS, {"scale": "1", "load average": "0.1"})

    def test_shows_each_watcher_in_each_row(self) -> None:
        assert row(self.text, "L1") == [
            *("syncer", "IDLE", "40", "2", "0", "600 ms", "700 ms", "700 ms", "500 ms", "120 ms", "220 ms", "2.0"),
        ]
        assert row(self.text, "L1", 1)[:8] == ["offlineimap3", "IDLE", "40", "2", "1", "1600 ms", "1600 ms", "1600 ms"]
        assert row(self.text, "L1", 2)[:4] == ["imapfilter+mbsync", "IDLE", "40", "not installed"]
        assert row(self.text, "L2")[3:] == ["1", "0", "60 ms", "60 ms", "60 ms", "4.0"]
        assert row(self.text, "L3")[3:] == ["10000", "0.4 s", "1.5 s", "0", "4: 3 UID FETCH, 1 SELECT"]
        assert row(self.text, "L4")[3:] == ["600 s", "0.1 s", "30.0 MB", "8", "9", "0", "40", "none"]
        assert row(self.text, "L5")[3:] == ["killed", "30 s", "1.5 s", "never", "here: 1 lost (<a/b>)"]
        assert row(self.text, "L6")[3:] == ["2", "0.2 s", "4 s", "143", "work: status 1: no"]

    def test_says_of_every_bar_whether_it_holds(self) -> None:
        bars = self.text.partition("## Bars")[2].partition("\n## ")[0]
        assert bars.count("DOES NOT HOLD") == 2 + 2 + 2
        assert "| **L4** | IDLE    | 40     | CPU: 0.1 s, at most 0.5 s: holds" in bars

    def test_tells_what_went_wrong_and_that_a_small_scale_means_little(self) -> None:
        assert "What went wrong" not in self.text
        assert "mean little" not in self.text
        outcomes: list[Outcome] = ["failed", "unready"]
        text = document([Cell("L2", "syncer", "NOTIFY", 0, each, "it\nbroke") for each in outcomes], {"scale": "0.02"})
        assert "At scale 0.02 the bars mean little" in text
        assert [row(text, "L2", number)[3] for number in (0, 1)] == ["FAILED", "not ready"]
        assert "- L2 at 0 ms, syncer (NOTIFY): failed: it broke" in text

    def test_leaves_every_raw_figure_as_json(self, tmp_path: pathlib.Path) -> None:
        save(tmp_path / "watch.json", CELLS, {"scale": "1"})
        saved = json.loads((tmp_path / "watch.json").read_text())
        assert saved["cells"][1]["samples"] == [
            {"arrived": 1.6, "announced": 0.5},
            {"arrived": None, "announced": 0.5},
        ]
        assert [each["key"] for each in saved["cells"]] == [each.key for each in CELLS]
