"""Deletions rest until no more come, and are then judged together."""

from syncer.reconcile.identity import INBOX, MailboxName, UniqueName
from syncer.watching.deletions import Deletions, Missing

WORK = MailboxName("Work")


def missing(*names: str, mailbox: MailboxName = INBOX) -> set[Missing]:
    return {(mailbox, UniqueName(name)) for name in names}


def test_a_deletion_counts_when_none_has_come_for_a_while() -> None:
    deletions = Deletions(10.0)
    assert not deletions.count(100.0, [INBOX], missing("a"))
    assert deletions.due(100.0) == (10.0, {INBOX})
    assert not deletions.count(109.9, [INBOX], missing("a"))
    assert deletions.count(110.0, [INBOX], missing("a"))
    assert deletions.due(110.0) is None


def test_each_further_one_begins_the_rest_anew() -> None:
    deletions = Deletions(10.0)
    for second in range(20):
        assert not deletions.count(100.0 + second, [INBOX], missing(*map(str, range(second + 1))))
    assert not deletions.count(128.0, [INBOX], missing(*map(str, range(20))))
    assert deletions.count(129.0, [INBOX], missing(*map(str, range(20))))


def test_one_in_another_mailbox_does_so_as_well() -> None:
    deletions = Deletions(10.0)
    assert not deletions.count(100.0, [INBOX], missing("a"))
    assert not deletions.count(108.0, [WORK], missing("b", mailbox=WORK))
    assert not deletions.count(110.0, [INBOX], missing("a"))
    assert deletions.due(110.0) == (8.0, {INBOX, WORK})
    assert deletions.count(118.0, [INBOX, WORK], missing("a") | missing("b", mailbox=WORK))


def test_what_is_back_is_forgotten() -> None:
    deletions = Deletions(10.0)
    assert not deletions.count(100.0, [INBOX], missing("a", "b"))
    assert not deletions.count(105.0, [INBOX], set())
    assert deletions.due(105.0) is None
    assert not deletions.count(120.0, [INBOX], missing("a"))


def test_a_mailbox_that_is_gone_as_a_whole_is_decided_about_where_everything_is_looked_at() -> None:
    deletions = Deletions(10.0)
    assert not deletions.count(100.0, [INBOX, WORK], missing("", mailbox=WORK))
    assert deletions.due(101.0) == (9.0, None)
    assert deletions.count(110.0, [INBOX, WORK], missing("", mailbox=WORK))


def test_what_a_look_does_not_find_when_it_counts_is_waited_for_no_longer() -> None:
    """A pass that somebody has asked for has done it, or the mailbox was renamed: it will never be found again."""
    deletions = Deletions(10.0)
    missed = missing("a") | missing("b", mailbox=WORK)
    assert not deletions.count(100.0, [INBOX, WORK], missed)
    deletions.looked(109.9, None)
    assert deletions.due(110.0) == (0.0, {INBOX, WORK})
    deletions.looked(110.0, [INBOX])
    assert deletions.due(110.0) == (0.0, {WORK})
    deletions.looked(110.0, None)
    assert deletions.due(110.0) is None
    assert not deletions.count(120.0, [WORK], missing("b", mailbox=WORK))
    assert deletions.due(120.0) == (10.0, {WORK})


def test_nothing_is_forgotten_by_a_look_that_begins_the_rest_anew() -> None:
    deletions = Deletions(10.0)
    assert not deletions.count(100.0, [INBOX], missing("a"))
    assert not deletions.count(111.0, [INBOX], missing("a", "b"))
    deletions.looked(110.0, [INBOX])
    assert deletions.due(111.0) == (10.0, {INBOX})
