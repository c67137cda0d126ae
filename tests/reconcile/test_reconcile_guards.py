"""What is refused, and which deletions are held."""

# ruff: noqa: E501 (a row of a table is read on one line)

from collections.abc import Sequence

import pytest
from builders import EPOCH, JOB, WORK, look, pair

from syncer.reconcile.actions import Action, DeleteMailbox, Download, Expunge, Forget, Hold, RemoveLocal, Side
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.guards import epoch_regression, hold_deletions, not_the_same
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity
from syncer.reconcile.observations import Observation, ServerMessage
from syncer.reconcile.policy import Limits
from syncer.values import replace

FULL = Epoch(UidValidity(7), Uid(10), ModSeq(20), "F1")


@pytest.mark.parametrize(
    ("known", "seen", "reason"),
    [
        (None, FULL, None),
        (FULL, FULL, None),
        (FULL, Epoch(UidValidity(8), Uid(10), ModSeq(20), "F1"), "UIDVALIDITY changed from 7 to 8"),
        (FULL, Epoch(UidValidity(6), Uid(10), ModSeq(20), "F1"), "UIDVALIDITY changed from 7 to 6"),
        (FULL, Epoch(UidValidity(7), Uid(10), ModSeq(20), "F2"), "MAILBOXID changed from F1 to F2"),
        (FULL, Epoch(UidValidity(7), Uid(9), ModSeq(20), "F1"), "UIDNEXT went back from 10 to 9"),
        (FULL, Epoch(UidValidity(7), Uid(10), ModSeq(19), "F1"), "HIGHESTMODSEQ went back from 20 to 19"),
        (FULL, Epoch(UidValidity(7), Uid(11), ModSeq(21), "F1"), None),
        (FULL, Epoch(UidValidity(7)), None),
        (Epoch(UidValidity(7)), FULL, None),
        (FULL, Epoch(UidValidity(7), Uid(0), ModSeq(0), ""), None),
        (Epoch(UidValidity(7), Uid(0), ModSeq(0), ""), FULL, None),
        (Epoch(UidValidity(0)), FULL, "UIDVALIDITY changed from 0 to 7"),
    ],
)
def test_a_counter_that_went_back_is_another_mailbox_and_one_that_is_not_told_says_nothing(
    known: Epoch | None, seen: Epoch, reason: str | None
) -> None:
    assert epoch_regression(known, seen) == reason


def test_a_known_uid_with_another_message_is_another_mailbox() -> None:
    assert not_the_same(look(known=EPOCH)) is None
    assert not_the_same(look(known=EPOCH, impostor=Uid(5))) == "UID 5 is another message than it was"
    assert not_the_same(look(known=FULL, impostor=Uid(5), server={})) == "UID 5 is another message than it was"
    assert not_the_same(look(known=Epoch(UidValidity(1)), impostor=Uid(5))) == "UIDVALIDITY changed from 1 to 7"


def deletions(side: Side, count: int, mailbox: MailboxName = INBOX) -> list[Action]:
    kind = Expunge if side == "server" else RemoveLocal
    return [kind(mailbox=mailbox, reason="", pair=pair(uid, f"m{uid}")) for uid in range(1, count + 1)]


def box(total: int, mailbox: MailboxName = INBOX, **lately: int) -> Observation:
    return look(mailbox, total=total, deleted_lately=lately)


def held(
    observations: Sequence[Observation], actions: Sequence[Action], **limits: object
) -> list[tuple[str, str, str]]:
    """Hold, and check that every action either stays or is held, and that only deletions are."""
    kept, holds = hold_deletions(observations, actions, Limits(**limits))  # type: ignore[arg-type]
    taken = [action for hold in holds for action in hold.actions]
    assert [action for action in actions if action not in taken] == list(kept)
    assert all(isinstance(action, Expunge | RemoveLocal | DeleteMailbox) for action in taken)
    return [(hold.mailbox, hold.side, hold.reason) for hold in holds]


FROM = {"server": "from the Maildir", "local": "from the server"}


@pytest.mark.parametrize("side", ["server", "local"])
@pytest.mark.parametrize(
    ("count", "total", "limits", "reason"),
    [
        (0, 0, {}, None),
        (0, 100, {}, None),
        (4, 4, {}, None),
        (5, 5, {}, "all 5 messages of the mailbox are gone"),
        (4, 5, {}, None),
        (18, 19, {}, None),
        (19, 19, {}, "all 19 messages of the mailbox are gone"),
        (10, 20, {}, None),
        (11, 20, {}, "11 of 20 messages of the mailbox are gone {}, more than max_delete = 0.5 allows"),
        (20, 20, {}, "all 20 messages of the mailbox are gone"),
        (10, 21, {}, None),
        (11, 21, {}, "11 of 21 messages of the mailbox are gone {}, more than max_delete = 0.5 allows"),
        (11, 20, {"max_delete": 0.55}, None),
        (12, 20, {"max_delete": 0.55}, "12 of 20 messages of the mailbox are gone {}, more than max_delete = 0.55 allows"),
        (1, 20, {"max_delete": 0.0}, "1 of 20 messages of the mailbox are gone {}, more than max_delete = 0 allows"),
        (1, 19, {"max_delete": 0.0}, None),
        (4, 4, {"max_delete": 0.0}, None),
        (1000, 1000, {"max_delete": 1.0}, None),
        (999, 1000, {"max_delete": 0.9999}, None),
        (1000, 1000, {"max_delete": 0.9999}, "all 1000 messages of the mailbox are gone"),
        (1000, 1000, {"allowed": True}, None),
        (1000, 1000, {"allowed": True, "max_delete": 0.0}, None),
    ],
)  # fmt: skip
def test_too_many_deletions_of_one_mailbox_are_held(
    side: Side, count: int, total: int, limits: dict[str, object], reason: str | None
) -> None:
    found = held([box(total)], deletions(side, count), **limits)
    if reason is not None and reason.startswith("all"):
        reason += " {}"
    assert found == ([] if reason is None else [(INBOX, side, reason.format(FROM[side]))])


def test_what_is_missing_in_an_older_copy_of_the_maildir_is_held_however_little_it_is() -> None:
    reason = "the Maildir was put back from an older copy, in which 1 are missing"
    _, holds = hold_deletions([box(1000)], deletions("server", 1), Limits(older_copy=True))
    assert [(hold.reason, hold.stays) for hold in holds] == [(reason, True)]
    assert held([box(1000)], deletions("local", 1), older_copy=True) == []
    assert held([box(1000)], deletions("server", 1), older_copy=True, max_delete=1.0) == []


def test_who_has_allowed_deletions_was_not_told_yet_of_an_older_copy_that_nobody_has_met() -> None:
    met = replace(box(1000), held=frozenset({"server"}))
    found = [held([each], deletions("server", 1), older_copy=True, allowed=True) for each in (box(1000), met)]
    assert [len(holds) for holds in found] == [1, 0]


def test_what_is_no_deletion_is_done() -> None:
    others: list[Action] = [
        Download(mailbox=INBOX, reason="", message=ServerMessage(Uid(50), frozenset(), 1, 1)),
        Forget(mailbox=INBOX, reason="", uid=Uid(60)),
    ]
    actions = [*others, *deletions("server", 5)]
    kept, holds = hold_deletions([box(5)], actions, Limits())
    assert kept == tuple(others)
    assert holds == (
        Hold(INBOX, "server", tuple(actions[2:]), "all 5 messages of the mailbox are gone from the Maildir"),
    )


def test_the_sides_are_counted_apart() -> None:
    actions = [*deletions("server", 8), *deletions("local", 8)]
    assert held([box(20)], actions) == []
    actions = [*deletions("server", 8), *deletions("local", 12)]
    assert held([box(20)], actions) == [
        (INBOX, "local", "12 of 20 messages of the mailbox are gone from the server, more than max_delete = 0.5 allows")
    ]


@pytest.mark.parametrize(
    ("count", "total", "lately", "reason"),
    [
        (1, 10, 10, "11 of 20 messages of the mailbox are gone from the server within a day, more than max_delete = 0.5 allows"),
        (1, 11, 9, None),
        (1, 1, 4, "all 5 messages of the mailbox are gone from the server within a day"),
        (1, 1, 3, None),
        (1, 2, 4, None),
        (0, 1, 19, None),
    ],
)  # fmt: skip
def test_deletions_of_the_last_day_count(count: int, total: int, lately: int, reason: str | None) -> None:
    found = held([box(total, local=lately, server=100)], deletions("local", count))
    assert found == ([] if reason is None else [(INBOX, "local", reason)])


def test_many_small_mailboxes_emptied_at_once_are_held() -> None:
    boxes = [box(4, MailboxName(f"m{number}")) for number in range(5)]
    actions = [action for each in boxes[:3] for action in deletions("local", 4, each.mailbox)]
    reason = "12 of 20 messages of the account are gone from the server, more than max_delete = 0.5 allows"
    assert held(boxes, actions) == [(each.mailbox, "local", reason) for each in boxes[:3]]
    assert held(boxes, actions, max_delete=0.6) == []
    assert held(boxes, actions[:10]) == []


def test_an_account_emptied_at_once_is_held_even_if_it_is_small() -> None:
    boxes = [box(3, INBOX), box(3, WORK)]
    actions = [action for each in boxes for action in deletions("server", 3, each.mailbox)]
    reason = "all 6 messages of the account are gone from the Maildir"
    assert held(boxes, actions) == [(INBOX, "server", reason), (WORK, "server", reason)]
    assert held(boxes, actions[:-1]) == []


def test_the_accounts_last_day_counts_too() -> None:
    boxes = [box(6, INBOX, local=4), box(7, WORK, local=3)]
    reason = "11 of 20 messages of the account are gone from the server within a day, more than max_delete = 0.5 allows"
    assert held(boxes, deletions("local", 4, WORK)) == [(WORK, "local", reason)]
    assert held(boxes, deletions("local", 3, WORK)) == []


def test_a_mailbox_has_its_own_reason_before_the_accounts() -> None:
    boxes = [box(5, INBOX), box(4, WORK)]
    actions = [*deletions("local", 5, INBOX), *deletions("local", 4, WORK)]
    assert held(boxes, actions) == [
        (INBOX, "local", "all 5 messages of the mailbox are gone from the server"),
        (WORK, "local", "all 9 messages of the account are gone from the server"),
    ]


def test_one_mailbox_looked_at_alone_is_no_account() -> None:
    assert held([box(4)], deletions("local", 4)) == []


@pytest.mark.parametrize("side", ["server", "local"])
@pytest.mark.parametrize(("messages", "is_held"), [(0, False), (4, False), (5, True), (500, True)])
def test_the_messages_of_a_deleted_mailbox_count(side: Side, messages: int, is_held: bool) -> None:
    delete = DeleteMailbox(mailbox=WORK, reason="", side=side, messages=messages)
    found = held([box(messages, WORK), box(10_000, JOB)], [delete])
    reason = f"all {messages} messages of the mailbox are gone {FROM[side]}"
    assert found == ([(WORK, side, reason)] if is_held else [])


def test_a_mailbox_deleted_on_one_side_does_not_count_on_the_other() -> None:
    delete = DeleteMailbox(mailbox=WORK, reason="", side="server", messages=6)
    actions: list[Action] = [delete, *deletions("local", 2, INBOX)]
    kept, holds = hold_deletions([box(4, INBOX), box(6, WORK)], actions, Limits())
    assert kept == tuple(actions[1:])
    assert [hold.actions for hold in holds] == [(delete,)]


class TestWhatWasHeldBefore:
    """It stays held until a person decides, however the numbers change."""

    @pytest.mark.parametrize("side", ["server", "local"])
    def test_one_of_them_is_held_again(self, side: Side) -> None:
        seen = look(total=100, held=frozenset({side}))
        reason = f"of those that were held back before, 1 are still missing {FROM[side]}"
        assert held([seen], deletions(side, 1)) == [(INBOX, side, reason)]

    def test_on_the_other_side_and_in_other_mailboxes_nothing_is(self) -> None:
        seen = [look(total=100, held=frozenset({"server"})), box(100, WORK)]
        assert held(seen, [*deletions("local", 1), *deletions("server", 1, WORK)]) == []

    def test_allowed_they_are_done(self) -> None:
        assert held([look(total=100, held=frozenset({"server"}))], deletions("server", 1), allowed=True) == []

    @pytest.mark.parametrize(
        ("seen", "count", "stays"),
        [
            pytest.param(box(5), 5, True, id="all at once"),
            pytest.param(box(20), 11, True, id="too many at once"),
            pytest.param(look(total=100, held=frozenset({"local"})), 1, True, id="held before"),
            pytest.param(box(10, local=10), 1, False, id="only because of the last day"),
        ],
    )
    def test_what_was_too_much_by_itself_stays_held_and_what_the_day_held_does_not(
        self, seen: Observation, count: int, stays: bool
    ) -> None:
        _, (hold,) = hold_deletions([seen], deletions("local", count), Limits())
        assert hold.stays is stays
