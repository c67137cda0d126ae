"""A file with two messages, each of which one side has lost, is a file that was moved."""

import pytest
from builders import JOB, WORK, look

from syncer.reconcile.actions import Action, Expunge, Forget, RemoveLocal
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Observation, Pair, PairState
from syncer.reconcile.twins import FILE_STAYS, MESSAGE_STAYS, reunited
from syncer.values import replace

CONTENT, OTHER = Fingerprint(10, b"h" * 16, b"a" * 16), Fingerprint(10, b"h" * 16, b"b" * 16)


def pair(uid: int, name: str = "n", fingerprint: Fingerprint = CONTENT) -> Pair:
    return Pair(Uid(uid), UniqueName(name), frozenset(), fingerprint)


def removal(mailbox: MailboxName, known: Pair) -> RemoveLocal:
    return RemoveLocal(mailbox=mailbox, reason="expunged on the server", pair=known)


def expunge(mailbox: MailboxName, known: Pair) -> Expunge:
    return Expunge(mailbox=mailbox, reason="deleted in the Maildir", pair=known)


def seen(actions: list[Action]) -> list[Observation]:
    """What they are decided from."""
    lost = [action for action in actions if isinstance(action, RemoveLocal | Expunge)]
    return [
        look(
            mailbox,
            pairs=[a.pair for a in lost if a.mailbox == mailbox],
            expunged=[a.pair.uid for a in lost if a.mailbox == mailbox and isinstance(a, RemoveLocal)],
            deleted=[a.pair.name for a in lost if a.mailbox == mailbox and isinstance(a, Expunge)],
        )
        for mailbox in (INBOX, WORK, JOB)
    ]


def test_neither_is_deleted_and_the_file_is_new_where_it_is() -> None:
    other: list[Action] = [removal(INBOX, pair(8, "other")), expunge(WORK, pair(9, "another"))]
    actions = [expunge(WORK, pair(2)), *other, removal(INBOX, pair(1))]
    forgotten = Forget(mailbox=INBOX, reason="its file is that of UID 2 in Work", uid=Uid(1))
    assert reunited(actions, seen(actions)) == ([*other, forgotten], [])


def test_deletions_that_have_nothing_to_do_with_each_other_stay() -> None:
    cases: list[list[Action]] = [
        [removal(INBOX, pair(1)), expunge(WORK, pair(2, "another"))],
        [removal(INBOX, pair(1)), expunge(WORK, pair(2, fingerprint=OTHER))],
        [removal(INBOX, pair(1)), expunge(INBOX, pair(2))],
        [removal(INBOX, pair(1)), removal(WORK, pair(2))],
    ]
    for actions in cases:
        assert reunited(actions, seen(actions)) == (actions, [])


def test_of_two_messages_with_one_file_only_the_file_is_kept_once() -> None:
    actions: list[Action] = [removal(INBOX, pair(1)), expunge(WORK, pair(2)), expunge(JOB, pair(3))]
    kept, notes = reunited(actions, seen(actions))
    assert ([type(action) for action in kept], notes) == ([Forget], [])


UNLISTED = look(pairs=[pair(1), pair(8, "m")], server={"unproven": frozenset({Uid(1), Uid(8)})})
"""Messages of two files that the server did not list."""
LEFT = look(pairs=[pair(1)], expunged=[1])
"""A message that is gone, and whose file is left for later."""
UNSEEN = look(WORK, pairs=[pair(2), pair(9, "m")], local={"unproven": frozenset({UniqueName("n"), UniqueName("m")})})
"""Files of two messages that were not found in a Maildir that changed meanwhile."""
POSTPONED = look(WORK, pairs=[pair(2)], deleted=["n"])
"""A file that is gone, and whose message is left for later."""


@pytest.mark.parametrize("there", [UNLISTED, LEFT])
def test_a_message_waits_for_what_becomes_of_its_file(there: Observation) -> None:
    actions: list[Action] = [expunge(WORK, pair(2)), expunge(WORK, pair(5, "other"))]
    kept, notes = reunited(actions, [there, *seen(actions)[1:]])
    assert (kept, notes) == (actions[1:], [(WORK, f"1 {MESSAGE_STAYS}")])


@pytest.mark.parametrize("there", [UNSEEN, POSTPONED])
def test_a_file_waits_for_what_becomes_of_its_message(there: Observation) -> None:
    actions: list[Action] = [removal(INBOX, pair(1)), removal(INBOX, pair(5, "other"))]
    kept, notes = reunited(actions, [seen(actions)[0], there])
    assert (kept, notes) == (actions[1:], [(INBOX, f"1 {FILE_STAYS}")])


def test_what_waits_for_the_same_reason_is_said_once() -> None:
    expunges: list[Action] = [expunge(WORK, pair(2)), expunge(WORK, pair(9, "m"))]
    assert reunited(expunges, [UNLISTED]) == ([], [(WORK, f"2 {MESSAGE_STAYS}")])
    removals: list[Action] = [removal(INBOX, pair(1)), removal(INBOX, pair(8, "m"))]
    assert reunited(removals, [UNSEEN]) == ([], [(INBOX, f"2 {FILE_STAYS}")])


def test_nothing_waits_for_what_is_gone_on_both_sides_or_remains_on_one_on_purpose() -> None:
    actions: list[Action] = [expunge(WORK, pair(2)), removal(JOB, pair(3))]
    purpose = [replace(pair(1), state=state) for state in (PairState.SERVER_ONLY, PairState.LOCAL_ONLY)]
    gone = {"expunged": [1], "deleted": ["n"]}
    for there in (look(pairs=[pair(1)], **gone), *(replace(LEFT, pairs=(known,)) for known in purpose)):
        assert reunited(actions, [there]) == (actions, [])


def test_nothing_waits_for_a_mailbox_that_is_missing_on_the_side_of_what_is_left() -> None:
    actions: list[Action] = [expunge(WORK, pair(2)), removal(JOB, pair(3))]
    without_files = look(pairs=[pair(1)], expunged=[1], local={"missing": True})
    without_messages = look(pairs=[pair(1)], deleted=["n"], server={"missing": True})
    assert reunited(actions[:1], [without_files]) == (actions[:1], [])
    assert reunited(actions[1:], [without_messages]) == (actions[1:], [])
    assert reunited(actions[:1], [without_messages]) == (actions[:1], [])
    assert reunited(actions[1:], [without_files]) == (actions[1:], [])
