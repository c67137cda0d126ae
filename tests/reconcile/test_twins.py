"""A file with two messages, each of which one side has lost, is a file that was moved."""

from syncer.reconcile.actions import Action, Expunge, Forget, RemoveLocal
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Pair
from syncer.reconcile.twins import reunited

WORK = MailboxName("Work")
CONTENT, OTHER = Fingerprint(10, b"h" * 16, b"a" * 16), Fingerprint(10, b"h" * 16, b"b" * 16)


def pair(uid: int, name: str = "n", fingerprint: Fingerprint = CONTENT) -> Pair:
    return Pair(Uid(uid), UniqueName(name), frozenset(), fingerprint)


def removal(mailbox: MailboxName, known: Pair) -> RemoveLocal:
    return RemoveLocal(mailbox=mailbox, reason="expunged on the server", pair=known)


def expunge(mailbox: MailboxName, known: Pair) -> Expunge:
    return Expunge(mailbox=mailbox, reason="deleted in the Maildir", pair=known)


def test_neither_is_deleted_and_the_file_is_new_where_it_is() -> None:
    other: list[Action] = [removal(INBOX, pair(8, "other")), expunge(WORK, pair(9, "another"))]
    assert reunited([expunge(WORK, pair(2)), *other, removal(INBOX, pair(1))]) == [
        *other,
        Forget(mailbox=INBOX, reason="its file is that of UID 2 in Work", uid=Uid(1)),
    ]


def test_deletions_that_have_nothing_to_do_with_each_other_stay() -> None:
    for actions in (
        [removal(INBOX, pair(1)), expunge(WORK, pair(2, "another"))],
        [removal(INBOX, pair(1)), expunge(WORK, pair(2, fingerprint=OTHER))],
        [removal(INBOX, pair(1)), expunge(INBOX, pair(2))],
        [removal(INBOX, pair(1)), removal(WORK, pair(2))],
    ):
        assert reunited(actions) == actions


def test_of_two_messages_with_one_file_only_the_file_is_kept_once() -> None:
    jobs = MailboxName("Jobs")
    kept = reunited([removal(INBOX, pair(1)), expunge(WORK, pair(2)), expunge(jobs, pair(3))])
    assert [type(action) for action in kept] == [Forget]
