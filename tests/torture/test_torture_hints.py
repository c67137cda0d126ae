"""The trial of hinted passes plays the same history again, its oracle is exact, and it notices what only hints show."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import pytest

from syncer.engine import ends, rounds
from syncer.observer.evidence import Elsewhere
from syncer.observer.glance import Glance
from syncer.observer.look import Look
from syncer.ports import Index, LocalStore
from syncer.reconcile.flags import DELETED, FLAGGED, SEEN, Flags
from syncer.reconcile.identity import INBOX, MailboxName, Side, UniqueName
from syncer.reconcile.places import Places
from torture.hints import History
from torture.notes import TRASH, Note, Place

MOST = 600
"""Histories until a mistake has to be noticed."""
WORK = MailboxName("Work")
NONE: Flags = frozenset()
BOTH: set[Side] = {"server", "local"}


def test_a_number_is_always_the_same_history() -> None:
    first, again = History(7), History(7)
    first.play()
    again.play()
    assert (first.story, first.counted) == (again.story, again.counted)
    assert first.counted["hinted passes"] > 0


def noticed() -> bool:
    for number in range(MOST):
        try:
            History(number).play()
        except AssertionError:
            return True
    return False


def every_name(
    store: LocalStore, index: Index, mailboxes: Iterable[MailboxName], missing: Collection[UniqueName]
) -> Elsewhere:
    found = {mailbox: frozenset(store.scan(mailbox, {}).messages.keys() & missing) for mailbox in mailboxes}
    return Elsewhere({mailbox: names for mailbox, names in found.items() if names})


def no_other_ends(one: object, look: Look, found: Elsewhere) -> set[MailboxName]:
    return set()


def test_it_notices_that_a_file_that_is_on_the_server_by_itself_keeps_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "names_elsewhere", every_name)
    assert noticed()


def test_it_notices_that_one_end_of_a_move_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "other_ends", no_other_ends)
    assert noticed()


def test_it_notices_that_the_side_without_a_hint_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = Glance.remembered

    def only_the_maildir(self: Glance, hints: Mapping[MailboxName, frozenset[Side]]) -> Places:
        return remembered(self, dict.fromkeys(hints, frozenset({"local"})))

    monkeypatch.setattr(Glance, "remembered", only_the_maildir)
    assert noticed()


SAW, MARKED = frozenset({SEEN}), frozenset({FLAGGED})


@pytest.mark.parametrize(
    ("note", "found", "fault"),
    [
        (Note({INBOX: SAW}), [(INBOX, SAW)], None),
        (Note({INBOX: SAW}), [(INBOX, NONE)], r"in INBOX [], not in INBOX ['\\Seen']"),
        (Note({INBOX: NONE}), [], "lost, which was in INBOX []"),
        (Note({INBOX: NONE}), [(INBOX, NONE)] * 2, "in INBOX [], INBOX [], not in INBOX []"),
        (Note({WORK: NONE}, {"local"}), [(INBOX, NONE)], "in INBOX [], not in Work []"),
        (Note({}, {"local"}, deleted=True), [], None),
        (Note({}, {"local"}, deleted=True), [(INBOX, NONE)], "in INBOX [], not in nowhere"),
        (Note({INBOX: frozenset({"todo"})}, {"local"}), [(INBOX, NONE)], "in INBOX [], not in INBOX ['todo']"),
        (Note({INBOX: frozenset({"todo"})}, {"local"}, moved_here=True), [(INBOX, NONE)], None),
        (Note({INBOX: NONE}), [(INBOX, frozenset({DELETED}))], r"in INBOX ['\\Deleted'], not in INBOX []"),
    ],
)  # fmt: skip
def test_what_one_side_has_touched_must_be_where_it_was_put(note: Note, found: list[Place], fault: str | None) -> None:
    assert note.fault(found) == fault


@pytest.mark.parametrize(
    ("note", "found", "fault"),
    [
        (Note({INBOX: NONE}, BOTH), [(INBOX, MARKED)], None),
        (Note({INBOX: NONE}, BOTH), [(INBOX, NONE)] * 2, "in INBOX [], INBOX [], which is too often"),
        (Note({INBOX: NONE}, BOTH, brought=Counter({INBOX: 1})), [(INBOX, NONE)] * 2, None),
        (Note({INBOX: NONE}, BOTH), [(WORK, NONE)], "in Work [], which is too often"),
        (Note({INBOX: NONE}, BOTH), [], "lost, which was in INBOX []"),
        (Note({INBOX: NONE}, BOTH, deleted=True), [], None),
    ],
)  # fmt: skip
def test_what_both_have_touched_must_be_somewhere_and_not_too_often(
    note: Note, found: list[Place], fault: str | None
) -> None:
    assert note.fault(found) == fault


@pytest.mark.parametrize(
    ("note", "found", "fault"),
    [
        (Note({}, {"local"}, thrown_away=True), [(TRASH, MARKED)], None),
        (Note({}, {"local"}, thrown_away=True), [], "lost, which was in nowhere"),
        (Note({}, {"local"}, thrown_away=True), [(INBOX, NONE)], "in INBOX [], not in nowhere"),
        (Note({}, {"local"}, born=True, thrown_away=True), [], None),
        (Note({WORK: NONE}, {"local"}, thrown_away=True), [(WORK, NONE), (TRASH, NONE)], None),
        (Note({WORK: NONE}, {"local"}, thrown_away=True), [(TRASH, NONE)], "in Trash [], not in Work []"),
    ],
)  # fmt: skip
def test_what_was_thrown_away_must_be_in_the_trash_if_it_was_on_the_server(
    note: Note, found: list[Place], fault: str | None
) -> None:
    assert note.fault(found) == fault


def test_flags_of_which_nothing_is_to_be_said_are_left_out() -> None:
    assert Note({INBOX: SAW}).fault([(INBOX, frozenset({SEEN, DELETED}))], frozenset({DELETED})) is None
