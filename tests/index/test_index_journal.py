"""The journal is written with the next record, is read without the lock, and forgets after a year and a month."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from syncer.errors import IndexFileError
from syncer.index import open_index
from syncer.index.journal import KEEP, find_pair, read_journal
from syncer.index.store import SqliteIndex
from syncer.reconcile.events import Event, Told
from syncer.reconcile.flags import NONE
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Pair, PairState

WORK = MailboxName("Work")
A, B = UniqueName("1.a"), UniqueName("2.\udcff")
NOW = 1_700_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@pytest.fixture
def index(path: Path) -> Iterator[SqliteIndex]:
    with closing(open_index(path, "test")) as opened:
        yield opened


def told(run: int, at: int, event: Event, uids: str, *names: UniqueName) -> Told:
    count = max(len(event.uids), len(event.names))
    return Told(run, at, event.mailbox, event.verb, event.reason, event.detail, count, uids, names)


UPLOADED = Event(INBOX, "uploaded", "new in the Maildir", [Uid(9), Uid(8)], [B, A])
SENT = Event(WORK, "flags sent", "flags changed in the Maildir", [Uid(1), Uid(2), Uid(3)], detail="+\\Seen")


def test_an_event_is_written_with_the_next_transaction(index: SqliteIndex, path: Path) -> None:
    index.tell(NOW, UPLOADED)
    assert read_journal(path) == ()
    index.add_mailbox(INBOX)
    assert read_journal(path) == (told(1, NOW, UPLOADED, "8:9", A, B),)
    index.add_mailbox(WORK)
    assert len(read_journal(path)) == 1


def test_what_was_told_before_a_transaction_that_failed_is_written_with_the_next(
    index: SqliteIndex, path: Path
) -> None:
    index.tell(NOW, UPLOADED)
    with pytest.raises(ZeroDivisionError), index._turn, index._session():
        raise ZeroDivisionError
    assert read_journal(path) == ()
    index.add_mailbox(INBOX)
    assert len(read_journal(path)) == 1


def test_each_run_has_a_number_of_its_own(path: Path) -> None:
    for at in (NOW, NOW + 60):
        with closing(open_index(path, "test")) as index:
            index.tell(at, UPLOADED)
            index.add_mailbox(INBOX)
            index.tell(at + 1, SENT)
            index.forget_mailbox(WORK)
    assert [(row.run, row.at, row.verb) for row in read_journal(path)] == [
        (1, NOW, "uploaded"),
        (1, NOW + 1, "flags sent"),
        (2, NOW + 60, "uploaded"),
        (2, NOW + 61, "flags sent"),
    ]
    assert read_journal(path, runs=1, mailbox=WORK) == (told(2, NOW + 61, SENT, "1:3"),)
    assert [row.at for row in read_journal(path, since=NOW + 60)] == [NOW + 60, NOW + 61]
    assert read_journal(path, runs=0) == read_journal(path)


def test_a_program_that_stays_makes_many_runs(index: SqliteIndex, path: Path) -> None:
    for at in (NOW, NOW + 60):
        index.next_run()
        for event in (UPLOADED, SENT):
            index.tell(at, event)
            index.add_mailbox(INBOX)
    assert [(row.run, row.at) for row in read_journal(path)] == [(1, NOW)] * 2 + [(2, NOW + 60)] * 2


def test_who_follows_is_told_of_what_is_in_the_journal_and_of_nothing_else(index: SqliteIndex, path: Path) -> None:
    heard: list[tuple[int, Event, int]] = []
    index.follower = lambda at, event: heard.append((at, event, len(read_journal(path))))
    index.tell(NOW, UPLOADED)
    with pytest.raises(ZeroDivisionError), index._turn, index._session():
        raise ZeroDivisionError
    assert heard == []
    index.tell(NOW + 1, SENT)
    index.add_mailbox(INBOX)
    index.add_mailbox(WORK)
    assert heard == [(NOW, UPLOADED, 2), (NOW + 1, SENT, 2)]


def test_what_is_older_than_a_year_and_a_month_is_forgotten(path: Path) -> None:
    for at in (NOW, NOW + KEEP + 1):
        with closing(open_index(path, "test")) as index:
            index.tell(at, UPLOADED)
            index.add_mailbox(INBOX)
    assert [row.at for row in read_journal(path)] == [NOW + KEEP + 1]


def test_a_message_is_found_by_uid_and_by_name(index: SqliteIndex, path: Path) -> None:
    index.record(INBOX, [Pair(Uid(5), B, NONE, Fingerprint(1, bytes(16), bytes(16)))])
    assert find_pair(path, INBOX, Uid(5)) == find_pair(path, INBOX, B) == (5, B, PairState.BOTH)
    assert (find_pair(path, INBOX, Uid(6)), find_pair(path, WORK, B), find_pair(path, INBOX, A)) == (None, None, None)


def test_where_there_is_no_index_nothing_was_done(tmp_path: Path) -> None:
    assert (read_journal(tmp_path / "none"), find_pair(tmp_path / "none", INBOX, A)) == ((), None)


def test_a_file_that_is_not_an_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "foreign.db").write_bytes(b"")
    with pytest.raises(IndexFileError, match="is not an index of syncer"):
        read_journal(tmp_path / "foreign.db")
