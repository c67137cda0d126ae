"""What a server tells of the time since a cursor, and what its counters make of it."""

from dataclasses import dataclass
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.errors import ProtocolError
from syncer.imap.delta import News, delta_of, follows
from syncer.imap.listing import FlagSets
from syncer.imap.responses import parse
from syncer.imap.selected import Selected
from syncer.imap.sets import amount, clipped, gaps, united
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.identity import INBOX
from syncer.values import replace

NONE: frozenset[str] = frozenset()
BEFORE = Cursor(Epoch(7, 11, 20), 10)
"""UIDs 1 to 10, all of them there."""


def selected(uidnext: int = 11, modseq: int = 30) -> Selected:
    return Selected(INBOX, Epoch(7, uidnext, modseq), 0)


def delta(uidnext: int, messages: int, reported: list[int], told: tuple[tuple[int, int], ...] | None) -> Any:
    """The flags and what vanished; None where there is no delta."""
    found = delta_of(BEFORE, selected(uidnext), messages, dict.fromkeys(reported, NONE), told)
    if found is None:
        return None
    assert found.cursor == Cursor(Epoch(7, uidnext, 30), messages)
    return sorted(found.flags), found.vanished


class TestDeltaOf:
    @pytest.mark.parametrize(
        ("uidnext", "messages", "reported", "told", "expected"),
        [
            pytest.param(11, 10, [], (), ([], ()), id="nothing"),
            pytest.param(11, 10, [3], (), ([3], ()), id="a flag"),
            pytest.param(13, 12, [3, 11, 12], (), ([3, 11, 12], ()), id="new ones"),
            pytest.param(11, 7, [], ((2, 2), (5, 6)), ([], ((2, 2), (5, 6))), id="expunged"),
            pytest.param(13, 10, [11], ((4, 4), (12, 12)), ([11], ((4, 4), (12, 12))), id="one came and went"),
            pytest.param(13, 10, [], ((11, 12),), ([], ((11, 12),)), id="all that came went"),
            pytest.param(11, 10, [14], (), ([14], ()), id="one that came after the selection"),
            pytest.param(11, 0, [], ((1, 4294967295),), ([], ((1, 10),)), id="all gone, and more than there ever was"),
            pytest.param(11, 10, [], ((1, 4294967295),), ([], None), id="all called gone while all are there"),
            pytest.param(11, 9, [], ((1, 4294967295),), ([], None), id="all called gone while one is"),
            pytest.param(11, 9, [], ((2, 3),), ([], None), id="more called gone than are"),
            pytest.param(13, 11, [11], (), ([11], None), id="a UID that was never given out"),
            pytest.param(11, 9, [], (), None, id="one is gone and is not called so"),
            pytest.param(12, 11, [], (), None, id="one is new and is not told of"),
            pytest.param(11, 10, [3], ((3, 3),), None, id="there and gone at once"),
            pytest.param(11, 9, [8], ((2, 9),), None, id="there in a range that is gone"),
            pytest.param(13, 1, [11, 12], ((1, 10),), None, id="fewer messages than new ones"),
        ],
    )
    def test_with_qresync(self, uidnext: int, messages: int, reported: list[int], told: Any, expected: Any) -> None:
        assert delta(uidnext, messages, reported, told) == expected

    @pytest.mark.parametrize(
        ("uidnext", "messages", "reported", "expected"),
        [
            pytest.param(11, 10, [3], ([3], ()), id="as many as before: nothing is gone"),
            pytest.param(12, 11, [11], ([11], ()), id="as many more as are new: nothing is gone"),
            pytest.param(11, 9, [3], ([3], None), id="fewer: who knows which"),
            pytest.param(13, 11, [11], ([11], None), id="one came and went, or was not told of"),
            pytest.param(12, 11, [3], None, id="one is new and is not told of"),
        ],
    )
    def test_with_condstore_alone(self, uidnext: int, messages: int, reported: list[int], expected: Any) -> None:
        assert delta(uidnext, messages, reported, None) == expected

    @given(
        st.sets(st.integers(1, 40)),
        st.sets(st.integers(41, 60)),
        st.sets(st.integers(1, 60)),
        st.sets(st.integers(1, 60)),
    )
    def test_an_honest_server_is_believed_exactly(
        self, old: set[int], came: set[int], went: set[int], flagged: set[int]
    ) -> None:
        """With every UID from 41 to 60 given out, whether its message stayed or not."""
        went &= old | came
        went |= set(range(41, 61)) - came
        left = (old | came) - went
        since = Cursor(Epoch(7, 41, 20), len(old))
        reported = {uid: NONE for uid in left if uid in came or uid in flagged}
        told = united((uid, uid) for uid in went)
        found = delta_of(since, selected(61), len(left), reported, told)
        assert found is not None
        assert (found.flags, found.vanished) == (reported, told)
        blind = delta_of(since, selected(61), len(left), reported, None)
        assert blind is not None
        assert blind.vanished == (() if not went else None)

    @given(
        st.sets(st.integers(1, 12)),
        st.sets(st.integers(13, 16)),
        st.sets(st.integers(1, 16)),
        st.lists(st.tuples(st.integers(1, 20), st.integers(0, 6)).map(lambda pair: (pair[0], sum(pair)))),
    )
    def test_whatever_is_told_of_as_many_as_are_gone_no_more_are_called_gone(
        self, old: set[int], came: set[int], went: set[int], told: list[tuple[int, int]]
    ) -> None:
        left = (old | came) - went
        found = delta_of(
            Cursor(Epoch(7, 13, 20), len(old)), selected(17), len(left), dict.fromkeys(came - went, NONE), united(told)
        )
        if found is not None and found.vanished is not None:
            assert amount(clipped(found.vanished, 1, 12)) == len(old & went)
            assert clipped(found.vanished, 13, 16) == gaps(came - went, 13, 16)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"uidnext": 12, "highestmodseq": 21}, True),
        ({"mailbox_id": None}, True),
        ({"uidvalidity": 8}, False),
        ({"uidnext": 10}, False),
        ({"uidnext": None}, False),
        ({"highestmodseq": 19}, False),
        ({"highestmodseq": None}, False),
        ({"mailbox_id": "other"}, False),
    ],
)
def test_counters_that_go_back_or_are_missing_do_not_follow(change: dict[str, Any], expected: bool) -> None:
    since = Epoch(7, 11, 20, "id")
    assert follows(since, replace(since, **change)) is expected
    if None in change.values():
        assert follows(replace(since, **change), since) is expected


@dataclass
class NoWire:
    def renew(self) -> None: ...

    @staticmethod
    def fail(what: str) -> NoReturn:
        raise ProtocolError(what)


def news(*lines: bytes) -> News:
    found = News(NoWire(), FlagSets(NoWire.fail), BEFORE)  # type: ignore[arg-type]
    found.hear([parse([line]) for line in lines if not found.line(line + b"\r\n")])
    return found


class TestNews:
    def test_collects_flags_and_what_vanished_in_whatever_form(self) -> None:
        found = news(
            b"* VANISHED (EARLIER) 9,4:3",
            b"* vanished (earlier) 5",
            b"* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (7))",
            b"* 2 FETCH (FLAGS (a) UID 2 MODSEQ (7))",
            b"* 3 FETCH (UID 6 MODSEQ (12) FLAGS (b))",
            b"* 4 FETCH (FLAGS (no uid))",
            b"* OK [HIGHESTMODSEQ 5]",
        )
        assert found.lines.found == {1: frozenset({"\\Seen"}), 2: frozenset({"a"}), 6: frozenset({"b"})}
        assert (found.vanished, found.odd) == (((3, 5), (9, 9)), False)

    def test_what_was_said_of_the_mailbox_before_does_not_count(self) -> None:
        found = news(
            b"* VANISHED 5",
            b"* 1 FETCH (UID 1 FLAGS ())",
            b"* 1 FETCH (UID 2 MODSEQ (1) FLAGS ())",
            b"* 3 EXPUNGE",
            b"* OK [CLOSED] bye",
            b"* 1 FETCH (UID 3 FLAGS ())",
            b"* VANISHED (EARLIER) 7",
        )
        assert (found.lines.found, found.vanished, found.odd) == ({3: NONE}, ((7, 7),), False)

    @pytest.mark.parametrize(
        "line",
        [
            b"* VANISHED 5",
            b"* VANISHED (EARLIER) 0",
            b"* VANISHED (EARLIER) 5:4294967296",
            b"* VANISHED (EARLIER) 5,,6",
            b"* VANISHED (EARLIER) 5:*",
            b"* VANISHED (EARLIER)",
            b"* VANISHED",
            b"* 3 EXPUNGE",
            b"* VANISHED (EARLIER) " + b",".join(b"%d" % uid for uid in range(1, 400_010, 2)),
        ],
    )
    def test_what_cannot_be_meant_is_noticed(self, line: bytes) -> None:
        assert news(line).odd

    def test_a_great_many_flags_renew_the_time(self) -> None:
        times = []
        found = News(NoWire(), FlagSets(NoWire.fail), BEFORE)  # type: ignore[arg-type]
        found.lines._wire.renew = lambda: times.append(1)  # type: ignore[method-assign]
        for uid in range(1, 10_000):
            assert found.line(b"* 1 FETCH (UID %d FLAGS ())\r\n" % uid)
        assert len(times) == 2
