"""What SELECT said."""

import pytest

from syncer.imap.responses import Status, parse
from syncer.imap.selected import Selected, epoch_of, parse_flags, selection
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.flags import SYSTEM
from syncer.reconcile.identity import INBOX

DONE = Status(b"s1", "OK", None, "done")
VALIDITY = b"* OK [UIDVALIDITY 7] ok"


def said(*lines: bytes, tagged: bytes = b"s1 OK [READ-WRITE] done", modseqs: bool = True) -> Selected | None:
    status = parse([tagged])
    assert isinstance(status, Status)
    return selection(INBOX, [parse([line]) for line in lines], status, modseqs=modseqs)


def test_everything_that_select_says_is_taken() -> None:
    assert said(
        b"* FLAGS (\\Seen work)",
        b"* OK [PERMANENTFLAGS (\\Seen work \\*)]",
        b"* 3 EXISTS",
        VALIDITY,
        b"* OK [UIDNEXT 9]",
        b"* OK [HIGHESTMODSEQ 12]",
        b"* OK [MAILBOXID (abc)]",
    ) == Selected(INBOX, Epoch(7, 9, 12, "abc"), 3, storable=frozenset({"\\Seen", "work"}), any_keyword=True)


def test_what_was_said_of_the_mailbox_before_does_not_count() -> None:
    found = said(b"* 9 EXISTS", b"* OK [UIDNEXT 99]", b"* OK [CLOSED] bye", VALIDITY, b"* 1 EXISTS")
    assert found == Selected(INBOX, Epoch(7), 1)


def test_no_permanentflags_means_that_every_flag_can_be_stored() -> None:
    found = said(VALIDITY, b"* FLAGS (\\Seen work \\Recent)")
    assert found is not None
    assert (found.storable, found.any_keyword) == (SYSTEM | {"work"}, True)


@pytest.mark.parametrize("code", [b"PERMANENTFLAGS ()", b"PERMANENTFLAGS", b"PERMANENTFLAGS NIL"])
def test_empty_permanentflags_mean_that_none_can_be_stored(code: bytes) -> None:
    found = said(VALIDITY, b"* OK [" + code + b"] none")
    assert found is not None
    assert (found.storable, found.any_keyword) == (frozenset(), False)


def test_read_only_is_said_by_the_tagged_reply() -> None:
    found = said(VALIDITY, tagged=b"s1 OK [READ-ONLY] done")
    assert found is not None
    assert not found.writable


@pytest.mark.parametrize(
    "line", [b"* OK [UIDVALIDITY 0] ok", b"* OK [UIDVALIDITY x]", b"* OK [UIDVALIDITY]", b"* OK hi"]
)
def test_no_uidvalidity_is_no_selection(line: bytes) -> None:
    assert said(line) is None


@pytest.mark.parametrize("modseq", [b"0", b"9223372036854775808", b"x"])
def test_a_modseq_that_cannot_be_is_none(modseq: bytes) -> None:
    assert epoch_of({"UIDVALIDITY": b"7", "HIGHESTMODSEQ": modseq}, modseqs=True) == Epoch(7)


def test_a_modseq_without_condstore_is_not_believed() -> None:
    assert epoch_of({"UIDVALIDITY": b"7", "HIGHESTMODSEQ": b"5"}, modseqs=False) == Epoch(7)


def test_counters_beyond_32_bits_are_none() -> None:
    assert epoch_of({"UIDVALIDITY": b"4294967296"}, modseqs=True) is None
    assert epoch_of({"UIDVALIDITY": b"1", "UIDNEXT": b"4294967297"}, modseqs=True) == Epoch(1)
    assert epoch_of({"UIDVALIDITY": b"1", "UIDNEXT": b"4294967296"}, modseqs=True) == Epoch(1, 4294967296)


@pytest.mark.parametrize(
    ("line", "exists", "expunged", "stale"),
    [
        (b"* 4 EXISTS", 4, False, False),
        (b"* 2 EXPUNGE", 2, True, False),
        (b"* VANISHED 3:9", None, True, False),
        (b"* VANISHED (EARLIER) 3:9", 3, False, False),
        (b"* VANISHED", 3, False, False),
        (b"* OK [UIDVALIDITY 7]", 3, False, False),
        (b"* OK [UIDVALIDITY 8]", 3, False, True),
        (b"* OK [UIDVALIDITY]", 3, False, True),
        (b"* 1 FETCH (FLAGS ())", 3, False, False),
    ],
)
def test_later_changes_are_followed(line: bytes, exists: int | None, expunged: bool, stale: bool) -> None:
    selected = Selected(INBOX, Epoch(7), 3)
    selected.hear(parse([line]))
    assert (selected.exists, selected.expunged, selected.stale) == (exists, expunged, stale)


@pytest.mark.parametrize(
    ("words", "exists"),
    [
        (b"3", 8),
        (b"3:4,9", 6),
        (b"9:3,4:5", 2),
        (b"1:9", 0),
        (b"1:4294967295", None),
        (b"3:x", None),
        (b"(LATER) 3", 9),
    ],
)
def test_what_vanishes_in_a_qresync_session_is_counted(words: bytes, exists: int | None) -> None:
    selected = Selected(INBOX, Epoch(7), 9, qresync=True)
    selected.hear(parse([b"* VANISHED " + words]))
    assert selected.exists == exists
    selected.hear(parse([b"* VANISHED (EARLIER) 1"]))
    assert selected.exists == exists
    selected.hear(parse([b"* VANISHED ()"]))
    assert selected.exists == exists


def test_once_nobody_knows_how_many_there_are_only_exists_tells() -> None:
    selected = Selected(INBOX, Epoch(7), 9, qresync=True)
    for line, exists in ((b"* VANISHED x", None), (b"* VANISHED 1", None), (b"* 7 EXISTS", 7), (b"* VANISHED 1", 6)):
        selected.hear(parse([line]))
        assert selected.exists == exists


def test_what_vanishes_without_having_been_enabled_is_not_counted() -> None:
    selected = Selected(INBOX, Epoch(7), 9)
    selected.hear(parse([b"* VANISHED 1"]))
    assert (selected.exists, selected.expunged) == (None, True)


def test_an_expunge_below_zero_stays_at_zero() -> None:
    selected = Selected(INBOX, Epoch(7), 0)
    selected.hear(parse([b"* 1 EXPUNGE"]))
    assert selected.exists == 0


def test_flags_that_fit_no_grammar_are_left_out() -> None:
    assert parse_flags([b"\\Seen", b"\\Recent", b"work", b"a]b", b"\xe4", b"\\*", b"NIL"]) == {"\\Seen", "work", "NIL"}
