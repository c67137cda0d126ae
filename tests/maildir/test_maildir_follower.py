"""Whoever follows is told of each file that we change, and of nothing else."""

from pathlib import Path

import pytest
from stores import ADD_SEEN, ONE, WORK

from syncer.maildir.store import MaildirStore
from syncer.reconcile.flags import NONE, FlagDelta
from syncer.reconcile.identity import INBOX, MailboxName

Told = tuple[MailboxName, str | None, str | None]


@pytest.fixture
def told(store: MaildirStore, tmp_path: Path) -> list[Told]:
    told: list[Told] = []

    def shown(path: bytes | None) -> str | None:
        return None if path is None else str(Path(path.decode()).relative_to(tmp_path / "Mail"))

    store.follower = lambda mailbox, was, now: told.append((mailbox, shown(was), shown(now)))
    store.create(WORK)
    store.create(INBOX)
    return told


def test_of_flags_a_move_and_a_removal(store: MaildirStore, inbox: Path, told: list[Told]) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"octets")
    store.scan(INBOX, {})
    assert told == []
    store.change_flags(INBOX, ONE, ADD_SEEN)
    store.move(INBOX, ONE, WORK, ONE, FlagDelta())
    store.remove(WORK, ONE)
    assert told == [
        (INBOX, "INBOX/cur/1.one:2,", "INBOX/cur/1.one:2,S"),
        (WORK, None, "Work/cur/1.one:2,S"),
        (INBOX, "INBOX/cur/1.one:2,S", None),
        (WORK, "Work/cur/1.one:2,S", None),
    ]


def test_of_what_is_delivered_when_it_is_visible(store: MaildirStore, told: list[Told]) -> None:
    with store.delivery(INBOX) as delivery:
        delivery.add(ONE, NONE, 1_700_000_000, [b"Subject: one\r\n\r\n"])
        assert told == []
        delivery.commit()
    assert told == [(INBOX, None, "INBOX/new/1.one")]


def test_of_every_message_of_a_mailbox_that_is_deleted(store: MaildirStore, tmp_path: Path, told: list[Told]) -> None:
    for name in ("1.one:2,", "2.two:2,S"):
        (tmp_path / "Mail" / "Work" / "cur" / name).write_bytes(b"octets")
    store.delete(WORK)
    assert sorted(told) == [(WORK, "Work/cur/1.one:2,", None), (WORK, "Work/cur/2.two:2,S", None)]
