import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import syncer
from syncer.errors import IndexFileError
from syncer.index import IndexSnapshot, database, frozen_index, open_index, read_index
from syncer.ports import Finished, KnownMailbox
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import Fingerprint, Intent, Pair
from syncer.values import replace

EPOCH = Epoch(UidValidity(1), Uid(9), ModSeq(5), "id")
PAIR = Pair(Uid(1), UniqueName("a"), frozenset({"x"}), Fingerprint(1, bytes(16), bytes(16)))


def set_revision(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()


def test_there_is_none_before_the_first_pass_and_looking_makes_none(tmp_path: Path) -> None:
    assert read_index(tmp_path / "none" / "work.db") is None
    assert list(tmp_path.iterdir()) == []


def test_a_new_index_is_empty(tmp_path: Path) -> None:
    open_index(tmp_path / "work.db", "work").close()
    assert read_index(tmp_path / "work.db") == IndexSnapshot(store_id=None, mailboxes=(), intents=0)


def test_it_shows_what_the_store_shows_while_a_run_holds_the_lock_and_after(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    with closing(open_index(path, "work")) as index:
        index.bind("store \udcff")
        index.record(MailboxName("a\udcff"), [PAIR])
        index.finish([Finished(MailboxName("a\udcff"), EPOCH, 1, {"a": "é"}, "l", "s", compared=False)], 3)
        index.announce(INBOX, [Intent(UniqueName("b"), None)])
        index.fail(INBOX, "no \udcff")
        seen = read_index(path)
        assert seen == IndexSnapshot(
            store_id="store \udcff",
            mailboxes=(
                KnownMailbox(INBOX, None, 0, {}, None, "no \udcff"),
                KnownMailbox(
                    MailboxName("a\udcff"),
                    EPOCH,
                    1,
                    {"a": "é"},
                    3,
                    messages=1,
                    local_state="l",
                    settings="s",
                    highest=Uid(1),
                ),
            ),
            intents=1,
        )
        assert tuple(replace(mailbox, pairs=None) for mailbox in seen.mailboxes) == index.mailboxes()
        assert seen.pairs == 1
        with index._turn, index._session() as session:
            session.connection.execute("DELETE FROM intent")
            assert read_index(path) == seen
    after = read_index(path)
    assert after is not None
    assert after.intents == 0
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("network", [False, True])
def test_a_frozen_one_answers_as_of_its_moment_while_a_run_writes_and_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, network: bool
) -> None:
    monkeypatch.setattr(database, "on_network", lambda _: network)
    path = tmp_path / "work.db"
    with closing(open_index(path, "work")) as index:
        index.record(INBOX, [PAIR])
        with closing(frozen_index(path)) as frozen:
            before = index.mailboxes()
            assert frozen.mailboxes() == before
            index.record(INBOX, [replace(PAIR, uid=Uid(2), name=UniqueName("b"))])
            assert frozen.mailboxes() == before
            assert frozen.pairs(INBOX) == frozen.pairs_among(INBOX, names=["a", "b"]) == (PAIR,)
            assert frozen.file_names(INBOX, lambda _: ":2,") == {b"a:2,"}
            with pytest.raises(IndexFileError, match="readonly database"):
                frozen.bind("store")
        assert len(index.pairs(INBOX)) == 2
    with closing(frozen_index(path)) as frozen:
        assert len(frozen.pairs(INBOX)) == 2


@pytest.mark.parametrize(
    ("revision", "words"), [("9999", "written by a newer syncer"), ("0000", "older syncer; sync once")]
)
def test_another_schema_is_refused(tmp_path: Path, revision: str, words: str) -> None:
    path = tmp_path / "work.db"
    open_index(path, "work").close()
    set_revision(path, revision)
    for look in (read_index, frozen_index):
        with pytest.raises(IndexFileError, match=words):
            look(path)


@pytest.mark.parametrize(("content", "words"), [(b"", "not an index of syncer"), (b"x" * 5000, "is damaged or not")])
def test_a_file_that_is_no_index_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "work.db").write_bytes(content)
    with pytest.raises(IndexFileError, match=words):
        read_index(tmp_path / "work.db")


def test_a_path_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    with pytest.raises(IndexFileError, match="File name too long"):
        read_index(tmp_path / ("x" * 300))


def test_nothing_but_a_migration_loads_sqlalchemy_and_alembic(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    with closing(open_index(path, "work")) as index:
        index.record(INBOX, [PAIR])
    script = f"""
import sys
from pathlib import Path
from syncer.index import open_index, read_index
from syncer.ports import Finished
from syncer.reconcile.observations import Epoch, Fingerprint, Pair
assert read_index(Path({str(path)!r})) is not None
for name in ("work.db", "new.db"):
    index = open_index(Path({str(tmp_path)!r}) / name, "work")
    new = Pair(2, "b", frozenset({{"y"}}), Fingerprint(1, bytes(16), bytes(16)))
    index.record("Work", [*index.pairs("INBOX"), new])
    index.rename_mailbox("Work", "Job")
    assert index.pairs("Job")
    index.fail("Job", "no")
    index.finish([Finished("Job", Epoch(1), 2, {{}}, "l", "s", compared=True)], 5)
    assert index.pairs_among("Job", uids=[2], names=["a"]) and index.latest("Job", 1) and index.base("Job")
    assert index.file_names("Job", lambda flags: "") and index.totals()
    index.close()
print([name for name in sys.modules if name.partition(".")[0] in ("sqlalchemy", "alembic")])
"""
    environment = os.environ | {"PYTHONPATH": str(Path(syncer.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
