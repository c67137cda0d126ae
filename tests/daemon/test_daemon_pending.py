"""When the next run of a hook is due, and what it is told."""

import base64
import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.daemon.pending import Batch, Change, Pending, Timing, document
from syncer.reconcile.identity import INBOX, MailboxName

TIMING = Timing(quiet=2, longest=10)
WORK = MailboxName("Work")


def waiting(*changes: tuple[float, Change]) -> Pending:
    pending = Pending(TIMING)
    for now, change in changes:
        pending.add(now, "a", [change])
    return pending


def net(*changes: Change) -> tuple[Change, ...]:
    pending = Pending(TIMING)
    for change in changes:
        pending.add(0, "a", [change])
    batch = pending.take()
    return () if batch is None else batch.changes


def added(*paths: str, mailbox: MailboxName = INBOX) -> Change:
    return Change(mailbox, added=paths)


def removed(*paths: str) -> Change:
    return Change(INBOX, removed=paths)


def changed(*pairs: tuple[str, str]) -> Change:
    return Change(INBOX, changed=pairs)


def test_nothing_is_due_while_nothing_waits() -> None:
    assert (Pending(TIMING).due(), Pending(TIMING).take()) == (None, None)


def test_a_change_of_nothing_does_not_wait() -> None:
    assert waiting((0, Change(INBOX))).due() is None


def test_a_run_is_due_after_a_quiet_time() -> None:
    pending = waiting((100, added("x")))
    assert (pending.due(), pending.take(101.9)) == (102, None)
    assert pending.take(102) == Batch("a", (added("x"),))
    assert (pending.due(), pending.take(200)) == (None, None)


def test_further_changes_put_it_off_until_the_longest_wait() -> None:
    pending = waiting((100, added("0")))
    due = []
    for now in range(101, 111):
        pending.add(now, "a", [added(str(now))])
        due.append(pending.due())
    assert due == [103, 104, 105, 106, 107, 108, 109, 110, 110, 110]


def test_what_comes_after_a_run_was_taken_waits_for_the_next() -> None:
    pending = waiting((0, added("x")))
    first = pending.take(2)
    pending.add(3, "a", [added("y")])
    assert (first, pending.take(5)) == (Batch("a", (added("x"),)), Batch("a", (added("y"),)))


def test_each_account_has_a_run_of_its_own_the_one_that_waits_longest_first() -> None:
    pending = Pending(TIMING)
    pending.add(1, "b", [added("x")])
    pending.add(2, "a", [added("y")])
    assert [pending.take(9), pending.take(9), pending.take(9)] == [
        Batch("b", (added("x"),)),
        Batch("a", (added("y"),)),
        None,
    ]


def test_the_mailboxes_of_an_account_are_told_together() -> None:
    assert net(added("x"), added("y", mailbox=WORK), added("z")) == (added("x", "z"), added("y", mailbox=WORK))


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        pytest.param([added("x"), removed("x")], (), id="came and went"),
        pytest.param([added("x"), changed(("x", "y"))], (added("y"),), id="came and was renamed"),
        pytest.param([added("x"), changed(("x", "y")), removed("y")], (), id="came, was renamed, and went"),
        pytest.param([changed(("x", "y")), changed(("y", "z"))], (changed(("x", "z")),), id="renamed twice"),
        pytest.param([changed(("x", "y")), changed(("y", "x"))], (), id="renamed and back"),
        pytest.param([changed(("x", "y")), removed("y")], (removed("x"),), id="renamed and went"),
        pytest.param([changed(("x", "y"), ("y", "x"))], (changed(("x", "y"), ("y", "x")),), id="swapped"),
        pytest.param([changed(("x", "y"), ("y", "x"))] * 2, (), id="swapped twice"),
        pytest.param([removed("x"), added("x")], (Change(INBOX, ["x"], ["x"]),), id="went and came"),
        pytest.param([removed("x"), added("x"), removed("x")], (removed("x"),), id="went, came, and went"),
        pytest.param(
            [removed("x"), changed(("y", "x"))], (Change(INBOX, removed=["x"], changed=[("y", "x")]),), id="replaced"
        ),
        pytest.param(
            [removed("x"), changed(("y", "x")), removed("x")], (removed("x", "y"),), id="replaced, and both gone"
        ),
    ],
)
def test_what_is_told_is_the_net_change(happened: list[Change], told: tuple[Change, ...]) -> None:
    assert [as_lists(change) for change in net(*happened)] == [as_lists(change) for change in told]


def as_lists(change: Change) -> tuple[MailboxName, list[str], list[str], list[tuple[str, str]]]:
    return change.mailbox, list(change.added), list(change.removed), list(change.changed)


Files = dict[str, int]
"""What is in a mailbox: paths, and which file it is."""


def carried_out(files: Files, change: Change, fresh: int) -> Files:
    """What a program has that follows a change: removed, then changed, all at once, then added."""
    left = {path: file for path, file in files.items() if path not in change.removed}
    moved = {new: left.pop(old) for old, new in change.changed}
    return left | moved | dict.fromkeys(change.added, fresh)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Files, list[Change], Files]:
    """Files, what happens to them, and which are there afterwards. A file that comes is number 0."""
    paths = "abcde"
    files = {path: number for number, path in enumerate(draw(st.sets(st.sampled_from(paths))), start=1)}
    before, changes = dict(files), []
    for _ in range(draw(st.integers(1, 6))):
        gone = draw(st.sets(st.sampled_from(sorted(files)))) if files else set()
        left = [path for path in sorted(files) if path not in gone]
        places = draw(st.permutations(paths))[: len(left)]
        renamed = [(old, new) for old, new in zip(left, places, strict=True) if old != new]
        free = [path for path in paths if path not in places]
        came = draw(st.sets(st.sampled_from(free))) if free else set()
        change = Change(INBOX, sorted(came), sorted(gone), renamed)
        files = carried_out(files, change, 0)
        changes.append(change)
    return before, changes, files


@given(histories())
def test_whoever_follows_the_net_change_has_what_is_there(history: tuple[Files, list[Change], Files]) -> None:
    before, changes, after = history
    told = net(*changes)
    assert len(told) <= 1
    assert (carried_out(before, told[0], 0) if told else before) == after
    for change in told:
        assert {*change.removed, *(old for old, _ in change.changed)} <= before.keys()
        assert {*change.added, *(new for _, new in change.changed)} <= after.keys()


def test_the_document_is_one_line_of_ascii() -> None:
    batch = Batch("work", (Change(MailboxName("Entwürfe"), ["/m/1"], ["/m/2"], [("/m/3", "/m/4:2,S")]),))
    line = document(batch)
    assert (line.isascii(), line.count(b"\n"), line[-1:]) == (True, 1, b"\n")
    assert json.loads(line) == {
        "version": 1,
        "account": "work",
        "changes": [{"mailbox": "Entwürfe", "added": ["/m/1"], "removed": ["/m/2"], "changed": [["/m/3", "/m/4:2,S"]]}],
    }


def paths(change: dict[str, Any], key: str) -> list[bytes]:
    """As the documentation says."""
    if f"{key}_base64" in change:
        return [base64.b64decode(name) for name in change[f"{key}_base64"]]
    return [os.fsencode(name) for name in change[key]]


def test_paths_that_are_not_utf_8_are_told_in_base64_as_well() -> None:
    odd, even = os.fsdecode(b"/m/\xff\xfe"), "/m/ü"
    change = Change(INBOX, added=[odd, even], removed=[even], changed=[(even, odd)])
    told = json.loads(document(Batch("a", (change,)))).get("changes")[0]
    assert told == {
        "mailbox": "INBOX",
        "added": ["/m/\ufffd\ufffd", "/m/ü"],
        "added_base64": ["L20v//4=", "L20vw7w="],
        "removed": ["/m/ü"],
        "changed": [["/m/ü", "/m/\ufffd\ufffd"]],
        "changed_base64": [["L20vw7w=", "L20v//4="]],
    }
    assert paths(told, "added") == [b"/m/\xff\xfe", "/m/ü".encode()]
    assert paths(told, "removed") == ["/m/ü".encode()]


@given(st.lists(st.binary(min_size=1, max_size=8)))
def test_the_octets_of_every_path_can_be_had_from_the_document(octets: list[bytes]) -> None:
    change = Change(INBOX, added=[os.fsdecode(path) for path in octets], removed=["x"])
    line = document(Batch("a", (change,)))
    assert line.isascii()
    assert not any(0xD800 <= ord(c) <= 0xDFFF for text in json.loads(line)["changes"][0]["added"] for c in text)
    assert paths(json.loads(line)["changes"][0], "added") == octets
