import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import syncer
from syncer.errors import IndexFileError, MailboxError
from syncer.index import filenames, open_index
from syncer.index.store import KEEP_DELETIONS, SqliteIndex
from syncer.ports import Finished
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import Fingerprint, Intent, Pair, PairState
from syncer.values import replace

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(syncer.__file__).parent.parent)}
WORK = MailboxName("Work")


def pair(uid: int, *flags: str) -> Pair:
    return Pair(Uid(uid), UniqueName(f"{uid}.host"), frozenset(flags), Fingerprint(uid, os.urandom(16), bytes(16)))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SqliteIndex]:
    with closing(open_index(tmp_path / "work.db", "work")) as opened:
        yield opened


def limit_pages(index: SqliteIndex, pages: int) -> None:
    index._database._connection.execute(f"PRAGMA max_page_count={pages}")


def test_what_was_recorded_is_there_when_the_index_is_opened_again(tmp_path: Path) -> None:
    first = Pair(
        Uid(1), UniqueName("a\udcff"), frozenset({"\\Seen", "Work", "\udcfe"}), Fingerprint(1, bytes(16), bytes(16))
    )
    second = Pair(
        Uid(2**32 - 1), UniqueName("b"), frozenset(), Fingerprint(0, bytes(16), bytes(16)), "M", PairState.LOCAL_ONLY
    )
    epoch = Epoch(UidValidity(2**32 - 1), Uid(2**32 - 1), ModSeq(2**63 - 1), "id")
    with closing(open_index(tmp_path / "work.db", "work")) as index:
        index.bind("store")
        index.record(INBOX, [second, first])
        index.announce(INBOX, [Intent(UniqueName("c"), Uid(3))])
        index.finish([Finished(INBOX, epoch, 2, {"a": "Work"}, "l\udcff", "s", compared=True)], 5)
        index.remember("key", "value \udcff")
        index.note_deleted(INBOX, "local", 2, 7)
        before = index.mailboxes()
    with closing(open_index(tmp_path / "work.db", "work")) as index:
        assert index.store_id == "store"
        assert index.mailboxes() == before
        assert before[0].cursor == Cursor(epoch, 2)
        assert index.recall("key") == "value \udcff"
        assert index.pairs(INBOX) == (first, second)
        assert index.intents(INBOX) == (Intent(UniqueName("c"), Uid(3)),)
        assert index.deleted_since(7) == {(INBOX, "local"): 2}
        index.record(WORK, [pair(1, "WORK")])
        assert index.pairs(WORK)[0].flags == {"Work"}


def test_equal_flags_are_one_object_across_mailboxes(index: SqliteIndex) -> None:
    index.record(INBOX, [pair(1, "\\Seen", "x"), pair(2, "\\Seen", "x")])
    index.record(WORK, [pair(1, "\\Seen", "x")])
    assert len({id(each.flags) for each in (*index.pairs(INBOX), *index.pairs(WORK))}) == 1


def test_a_rename_onto_a_mailbox_with_pairs_or_intents_changes_nothing(index: SqliteIndex) -> None:
    child, taken = MailboxName("Work/a"), MailboxName("Job/a")
    index.record(WORK, [pair(1)])
    index.record(child, [pair(2)])
    index.announce(taken, [Intent(UniqueName("c"), Uid(3))])
    before = index.mailboxes()
    with pytest.raises(MailboxError, match=r"mailbox Work cannot be renamed .* a mailbox Job/a are known already"):
        index.rename_mailbox(WORK, MailboxName("Job"))
    assert index.mailboxes() == before


def test_a_rename_onto_a_mailbox_of_which_nothing_is_known_replaces_it(index: SqliteIndex) -> None:
    index.record(WORK, [kept := pair(1)])
    index.add_mailbox(MailboxName("Job"))
    index.rename_mailbox(WORK, MailboxName("Job"))
    assert index.pairs(MailboxName("Job")) == (kept,)
    assert [known.name for known in index.mailboxes()] == ["Job"]


def test_a_pass_that_cannot_be_recorded_of_one_mailbox_is_recorded_of_none(index: SqliteIndex) -> None:
    good = Finished(INBOX, Epoch(UidValidity(1)), 1, {}, None, "s", compared=True)
    with pytest.raises(UnicodeEncodeError):
        index.finish([good, Finished(WORK, None, None, {}, None, "\udcff", compared=True)], 5)
    assert index.mailboxes() == ()
    index.finish([good], 5)
    assert [known.name for known in index.mailboxes()] == [INBOX]


def plan(index: SqliteIndex, run: Callable[[], object]) -> set[str]:
    """How SQLite goes about the statements that read pairs."""
    statements: list[str] = []
    connection = index._database._connection
    connection.set_trace_callback(statements.append)
    run()
    connection.set_trace_callback(None)
    return {
        line[3]
        for statement in statements
        if "FROM pair" in statement or "pair WHERE" in statement
        for line in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        if "pair" in line[3]
    }


def test_what_is_asked_for_is_looked_up_and_the_mailbox_is_not_searched(index: SqliteIndex) -> None:
    index.record(INBOX, [pair(uid) for uid in range(1, 200)])
    few = [Uid(3), Uid(9)]
    assert plan(index, lambda: index.pairs_among(INBOX, uids=few, names=[UniqueName("3.host")])) == {
        "SEARCH pair USING PRIMARY KEY (mailbox_id=? AND uid>? AND uid<?)",
        "SEARCH pair USING INDEX sqlite_autoindex_pair_2 (mailbox_id=? AND name=?)",
    }
    names = [UniqueName("3.host"), UniqueName("none")]
    assert plan(index, lambda: index.holders(names)) == {
        "SEARCH pair USING COVERING INDEX sqlite_autoindex_pair_2 (mailbox_id=? AND name=?)"
    }
    assert plan(index, lambda: index.latest(INBOX, 3)) == {"SEARCH pair USING PRIMARY KEY (mailbox_id=? AND uid<?)"}


@pytest.mark.parametrize("span", [1, 7, filenames.SPAN])
def test_file_names_are_joined_span_by_span_and_rare_flags_are_not_left_out(
    index: SqliteIndex, monkeypatch: pytest.MonkeyPatch, span: int
) -> None:
    monkeypatch.setattr(filenames, "SPAN", span)
    monkeypatch.setattr(filenames, "COMMON", 2)
    monkeypatch.setattr(filenames, "_SAMPLE", filenames._SAMPLE.replace(str(filenames.SAMPLE), "2"))
    recorded = [pair(uid, f"k{uid % 7}") for uid in (*range(1, 40), 2**31, 2**32 - 1)]
    recorded.append(replace(pair(1000, "k1"), state=PairState.SERVER_ONLY))
    index.record(INBOX, recorded)
    expected = {f"{uid}.host:k{uid % 7}".encode() for uid in (*range(1, 40), 2**31, 2**32 - 1)}
    assert index.file_names(INBOX, lambda flags: ":" + "".join(flags)) == expected


def test_deletions_are_kept_for_thirty_days(index: SqliteIndex) -> None:
    index.note_deleted(INBOX, "local", 1, 100)
    index.note_deleted(INBOX, "server", 2, 100 + KEEP_DELETIONS)
    assert index.deleted_since(0) == {(INBOX, "local"): 1, (INBOX, "server"): 2}
    index.note_deleted(INBOX, "server", 4, 101 + KEEP_DELETIONS)
    assert index.deleted_since(0) == {(INBOX, "server"): 6}


@pytest.mark.parametrize(
    "wrong",
    [
        Pair(Uid(0), UniqueName("x"), frozenset(), Fingerprint(1, bytes(16), bytes(16))),
        Pair(Uid(2**32), UniqueName("x"), frozenset(), Fingerprint(1, bytes(16), bytes(16))),
        Pair(Uid(1), UniqueName("x"), frozenset(), Fingerprint(-1, bytes(16), bytes(16))),
        Pair(Uid(1), UniqueName("x"), frozenset(), Fingerprint(1, bytes(15), bytes(16))),
        Pair(Uid(1), UniqueName("x"), frozenset(), Fingerprint(1, bytes(16), b"")),
    ],
)
def test_a_pair_that_cannot_be_true_is_not_recorded_nor_the_batch_it_is_in(index: SqliteIndex, wrong: Pair) -> None:
    with pytest.raises(Exception, match="CHECK constraint failed"):
        index.record(INBOX, [pair(7, "new"), wrong])
    assert index.mailboxes() == ()
    assert index.keywords() == ()
    index.record(INBOX, [pair(8, "New")])
    assert index.pairs(INBOX)[0].flags == {"New"}


def test_a_full_disk_leaves_the_old_state_and_the_index_usable(index: SqliteIndex) -> None:
    index.record(INBOX, [kept := pair(1, "old")])
    limit_pages(index, 1)  # not below the present size
    batch = [pair(uid, f"new{uid % 3}") for uid in range(1, 5000)]
    with pytest.raises(IndexFileError, match=r"work\.db cannot grow .*free some space"):
        index.move(INBOX, [Uid(1)], WORK, batch)
    assert index.pairs(INBOX) == (kept,)
    assert index.pairs(WORK) == ()
    assert [known.name for known in index.mailboxes()] == [INBOX]
    assert index.keywords() == ("old",)
    index.record(WORK, [pair(5, "other")])
    index.move(INBOX, [Uid(1)], WORK, batch)
    assert [each.flags for each in index.pairs(WORK)] == [each.flags for each in batch]
    assert index.pairs(INBOX) == ()


def test_an_interrupt_in_a_transaction_undoes_it_and_the_index_goes_on(index: SqliteIndex) -> None:
    index.record(INBOX, [kept := pair(1)])

    class Interrupting(list[Pair]):
        def __iter__(self) -> Iterator[Pair]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.move(INBOX, [Uid(1)], WORK, Interrupting([pair(2)]))
    assert index.pairs(INBOX) == (kept,)
    index.record(INBOX, [second := pair(2)])
    assert index.pairs(INBOX) == (kept, second)


def test_a_closed_index_is_not_opened_again_behind_the_back_of_who_holds_the_lock_now(tmp_path: Path) -> None:
    index = open_index(tmp_path / "work.db", "work")
    index.close()
    with closing(open_index(tmp_path / "work.db", "work")):
        for _ in range(2):
            with pytest.raises(sqlite3.ProgrammingError, match="is closed"):
                index.record(INBOX, [pair(1)])


INTERRUPTED = """
import random, signal, sys
from pathlib import Path
from syncer.index import filenames, open_index
from syncer.reconcile.observations import Fingerprint, Pair

def interrupt(number, frame):
    raise KeyboardInterrupt

index, interrupts, start = open_index(Path(sys.argv[1]), "work"), 0, 0
pairs = [
    Pair(uid, f"{uid}.host", frozenset({f"k{uid % 97}"}), Fingerprint(1, bytes(16), bytes(16)))
    for uid in range(1, 6001)
]
signal.signal(signal.SIGALRM, interrupt)
while start < len(pairs):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0001 + random.random() * 0.01)
        index.record("INBOX", pairs[start : start + 20])
        start += 20
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        interrupts += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert len(index.mailboxes()) < 2  # while the interrupt is handled, as by who closes the index on the way out
print(interrupts > 0, list(index.pairs("INBOX")) == pairs)
index.close()
"""


def test_interrupts_at_any_moment_leave_whole_batches_and_the_index_usable(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, tmp_path / "work.db"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("True True\n", "")


LIMITED = """
import resource, sys
from pathlib import Path
from syncer.errors import IndexFileError
from syncer.index import filenames, open_index
from syncer.reconcile.observations import Fingerprint, Pair
index = open_index(Path(sys.argv[1]), "work")
pairs = [Pair(uid, f"{uid}.host", frozenset(), Fingerprint(1, bytes(16), bytes(16))) for uid in range(1, 3001)]
index.record("INBOX", pairs[:1])
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
try:
    for start in range(0, 3000, 100):
        index.record("INBOX", pairs[start : start + 100])
except IndexFileError as error:
    print(error)
print(len(index.pairs("INBOX")) % 100)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
index.record("INBOX", pairs)
print(list(index.pairs("INBOX")) == pairs)
index.close()
"""


def test_a_file_that_may_not_grow_stops_between_batches(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "work.db"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    error, rest, recovered = done.stdout.splitlines()
    assert "the index" in error
    assert "then sync again" in error
    assert (rest, recovered) == ("0", "True")


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from syncer.index import filenames, open_index
from syncer.reconcile.observations import Fingerprint, Intent, Pair
path, size, rounds = Path(sys.argv[1]), 7, int(sys.argv[2])
open_index(path, "work").close()

def batch(n):
    return [
        Pair(uid, f"{uid}.host", frozenset({"\\\\Seen", f"k{n}"}), Fingerprint(n, bytes(16), bytes(16)))
        for uid in range(n * size + 1, (n + 1) * size + 1)
    ]

def work(start, said):
    index = open_index(path, "work")
    for n in range(start, start + 100_000):
        index.announce("INBOX", [Intent(pair.name, pair.uid) for pair in batch(n)])
        index.record("INBOX", batch(n))
        if n:
            index.move("INBOX", [pair.uid for pair in batch(n - 1)], "Done", batch(n - 1))
        os.write(said, n.to_bytes(4, "big"))

done, last = 0, -1
for _ in range(rounds):
    hear, said = os.pipe()
    child = os.fork()
    if not child:
        work(last + 1, said)
    os.close(said)
    os.read(hear, 4)
    time.sleep(random.random() * 0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    heard = b""
    while block := os.read(hear, 65536):
        heard += block
    os.close(hear)
    promised = int.from_bytes(heard[-4:], "big") if heard else last
    index = open_index(path, "work")
    inbox, moved = index.pairs("INBOX"), index.pairs("Done")
    last = (len(inbox) + len(moved)) // size - 1
    assert last >= promised, (last, promised)
    assert sorted((*inbox, *moved), key=lambda pair: pair.uid) == [pair for n in range(last + 1) for pair in batch(n)]
    assert len(inbox) in (size, 2 * size)
    announced = [Intent(pair.name, pair.uid) for pair in batch(last + 1)]
    assert sorted(index.intents("INBOX"), key=lambda intent: intent.uidnext) in ([], announced)
    if len(inbox) > size:
        index.move("INBOX", [pair.uid for pair in batch(last - 1)], "Done", batch(last - 1))
    index.close()
    done += 1
print(done)
"""


def test_a_run_that_is_killed_at_any_moment_leaves_whole_batches_and_all_that_it_reported(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / "work.db", "25"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("25\n", "")
