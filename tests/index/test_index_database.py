import os
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import syncer
from syncer.errors import IndexFileError, LockedError
from syncer.index import database, files, open_index, read_index
from syncer.index.files import AccountLock, is_locked
from syncer.index.revision import HEAD
from syncer.reconcile.identity import INBOX, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Pair

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(syncer.__file__).parent.parent)}
HOLD = """
import sys
from pathlib import Path
from syncer.index import open_index
index = open_index(Path(sys.argv[1]), "work")
print("held", flush=True)
sys.stdin.read()
"""


def pairs(count: int) -> list[Pair]:
    return [
        Pair(Uid(uid), UniqueName(f"{uid}.host"), frozenset(), Fingerprint(uid, bytes(16), bytes(16)))
        for uid in range(1, count + 1)
    ]


def filled(path: Path, count: int = 2000) -> Path:
    with closing(open_index(path, "work")) as index:
        index.record(INBOX, pairs(count))
    return path


def outcome(path: Path) -> list[Pair] | str:
    try:
        with closing(open_index(path, "work")) as index:
            return list(index.pairs(INBOX))
    except IndexFileError as error:
        return "damaged" if "is damaged" in str(error) else str(error)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "syncer" / "work.db"


@pytest.fixture
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that works on the account until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_everything_is_private_whatever_the_umask_is(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with closing(open_index(path, "work")) as index:
            index.record(INBOX, pairs(1))
            modes = {file.name: mode(file) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["work.db", "work.db-wal", "work.db-shm", "work.db.lock"], 0o600)
    assert (mode(path.parent), mode(path.parent.parent)) == (0o700, 0o700)


def test_files_that_became_readable_for_others_are_made_private_again(path: Path) -> None:
    filled(path, 1)
    path.chmod(0o644)
    files.sibling(path, ".lock").chmod(0o666)
    with closing(open_index(path, "work")):
        assert {mode(file) for file in path.parent.iterdir()} == {0o600}


def test_a_directory_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    filled(tmp_path / "work.db", 1)
    assert mode(tmp_path) == 0o755


def test_a_clean_end_leaves_the_database_and_the_lock_file_alone(path: Path) -> None:
    filled(path)
    assert sorted(file.name for file in path.parent.iterdir()) == ["work.db", "work.db.lock"]


def test_a_path_may_have_any_characters(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"a ?#%41 \xff'&\n") / "x%y?z.db"
    filled(path, 3)
    with closing(open_index(path, "work")) as index:
        assert list(index.pairs(INBOX)) == pairs(3)


def test_the_pragmas_that_durability_rests_on_are_set(path: Path) -> None:
    with closing(open_index(path, "work")) as index, index._turn, index._session() as session:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "mmap_size")
        found = {name: session.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000, "mmap_size": 0}


def test_a_second_run_is_told_who_works_on_the_account(path: Path, holder: "subprocess.Popen[str]") -> None:
    expected = rf"account work: another syncer \(process {holder.pid}\) is working on it; .*--wait"
    with pytest.raises(LockedError, match=expected):
        open_index(path, "work")
    started = time.monotonic()
    with pytest.raises(LockedError, match=expected):
        open_index(path, "work", wait=0.2)
    assert 0.2 <= time.monotonic() - started < 2


def test_a_run_that_waits_begins_when_the_other_ends(path: Path, holder: "subprocess.Popen[str]") -> None:
    opened = threading.Event()

    def wait() -> None:
        open_index(path, "work", wait=True).close()
        opened.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not opened.wait(0.3)
    holder.kill()
    assert opened.wait(5)
    waiting.join()


def test_a_process_may_not_work_twice_on_one_account_either(path: Path) -> None:
    with closing(open_index(path, "work")), pytest.raises(LockedError, match=str(os.getpid())):
        open_index(path, "work")
    open_index(path, "work").close()


def test_the_lock_is_given_up_when_opening_fails(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"From me Sat Jan  1 00:00:00 2000\n" * 100)
    with pytest.raises(IndexFileError):
        open_index(path, "work")
    AccountLock(files.sibling(path, ".lock"), "work").release()


def test_a_lock_file_that_is_a_symbolic_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    files.sibling(path, ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(IndexFileError, match=r"work\.db\.lock, but: Too many levels of symbolic links"):
        open_index(path, "work")
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an index of syncer"),
        (b"From me Sat Jan  1 00:00:00 2000\n" * 100, "damaged or not an index"),
        (b"SQLite format 3\0" + bytes(4080), "damaged or not an index"),
    ],
)
def test_a_file_that_is_no_index_is_refused_and_left_as_it_is(path: Path, content: bytes, words: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(IndexFileError, match=words) as caught:
        open_index(path, "work")
    assert "move the file away" in str(caught.value)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mailbox (id)")
    content = path.read_bytes()
    with pytest.raises(IndexFileError, match="not an index of syncer"):
        open_index(path, "work")
    assert path.read_bytes() == content


@pytest.mark.parametrize("pages", [0.5, 0.9])
def test_a_file_that_was_cut_short_is_refused_at_the_start(path: Path, pages: float) -> None:
    whole = filled(path).read_bytes()
    cut = whole[: int(len(whole) / 4096 * pages) * 4096]
    path.write_bytes(cut)
    with pytest.raises(IndexFileError, match=r"is damaged .*nothing is deleted"):
        open_index(path, "work")
    assert path.read_bytes() == cut


def test_damaged_pages_never_give_wrong_pairs_silently(path: Path) -> None:
    whole = filled(path).read_bytes()
    outcomes = []
    for page in range(1, len(whole) // 4096):
        path.write_bytes(whole[: page * 4096] + b"\xff" * 4096 + whole[(page + 1) * 4096 :])
        outcomes.append(outcome(path))
    assert [each for each in outcomes if each not in (pairs(2000), "damaged")] == []
    assert outcomes.count("damaged") > len(outcomes) / 3


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE pair SET name = x'ff'", "can't decode byte 0xff"),
        ("UPDATE pair SET keyword_set_id = 77", "no keyword set 77"),
        ("UPDATE mailbox SET mapping = '{'", "property name"),
        ("UPDATE keyword_set SET names = '['", "Expecting value"),
    ],
)
def test_rows_that_nobody_can_read_are_damage(path: Path, statement: str, words: str) -> None:
    with closing(open_index(path, "work")) as index:
        index.record(INBOX, [Pair(Uid(1), UniqueName("a"), frozenset({"x"}), Fingerprint(1, bytes(16), bytes(16)))])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
    with closing(open_index(path, "work")) as index:
        for _ in range(2):
            with pytest.raises(IndexFileError, match=rf"is damaged \(.*{words}.*nothing is deleted"):
                index.pairs(INBOX) if "mapping" not in statement else index.mailboxes()


def test_a_schema_that_cannot_even_be_quoted_is_damage(path: Path) -> None:
    whole = filled(path, 1).read_bytes()
    path.write_bytes(whole.replace(b"CREATE TABLE pair", b"CREATE TABLE \xff\xff\xff\xff"))
    for look in (lambda: open_index(path, "work"), lambda: read_index(path)):
        with pytest.raises(IndexFileError, match="is damaged"):
            look()


def test_pages_are_checked_when_the_last_run_did_not_end_cleanly(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        page = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_pair_2'"
        ).fetchone()
        connection.execute("UPDATE mailbox SET error = x'41'")
        connection.commit()
        log = files.sibling(path, "-wal").read_bytes()
        assert log
    content = bytearray(path.read_bytes())
    content[(page[0] - 1) * 4096 : page[0] * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    open_index(path, "work").close()
    files.sibling(path, "-wal").write_bytes(log)
    with pytest.raises(IndexFileError, match="is damaged"):
        open_index(path, "work")


def test_a_log_without_its_database_is_not_replayed_into_a_new_one(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE mailbox SET name = x'41'")
        connection.commit()
        log = files.sibling(path, "-wal").read_bytes()
    path.unlink()
    files.sibling(path, "-wal").write_bytes(log)
    files.sibling(path, ".new").write_bytes(b"an earlier attempt")
    with closing(open_index(path, "work")) as index:
        assert index.mailboxes() == ()


def test_a_rollback_journal_is_honoured(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA cache_size=2")
        connection.execute("BEGIN")
        connection.execute("UPDATE pair SET flags = 31")
        torn, journal = path.read_bytes(), files.sibling(path, "-journal").read_bytes()
    path.write_bytes(torn)
    files.sibling(path, "-journal").write_bytes(journal)
    with closing(open_index(path, "work")) as index:
        assert list(index.pairs(INBOX)) == pairs(2000)


def test_an_index_of_a_newer_syncer_is_refused_and_not_touched(path: Path) -> None:
    filled(path, 10)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    content = path.read_bytes()
    with pytest.raises(IndexFileError, match=r"written by a newer syncer \(revision 9999\); update syncer"):
        open_index(path, "work")
    assert path.read_bytes() == content
    assert not list(path.parent.glob("*.before-*"))


def test_an_index_whose_last_newer_run_was_killed_is_not_touched_either(path: Path) -> None:
    filled(path, 10)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
        content, log = path.read_bytes(), files.sibling(path, "-wal").read_bytes()
    path.write_bytes(content)
    files.sibling(path, "-wal").write_bytes(log)
    with pytest.raises(IndexFileError, match="written by a newer syncer"):
        open_index(path, "work")
    assert (path.read_bytes(), files.sibling(path, "-wal").read_bytes()) == (content, log)


def test_a_new_index_says_for_which_account_and_when_it_was_made(path: Path) -> None:
    open_index(path, "work", now=lambda: 1_700_000_000.9).close()
    open_index(path, "work", now=lambda: 1_800_000_000.9).close()
    with closing(sqlite3.connect(path)) as connection:
        assert dict(connection.execute("SELECT key, CAST(value AS TEXT) FROM meta")) == {
            "account": "work",
            "created": "1700000000",
        }
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [(HEAD,)]


def test_a_database_that_another_program_keeps_locked_is_named_as_such(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    filled(path, 1)
    with closing(open_index(path, "work")) as index, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(IndexFileError, match=r"is locked by another program .*close what has it open"):
            index.record(INBOX, pairs(2))
        other.execute("ROLLBACK")
        assert list(index.pairs(INBOX)) == pairs(1)
        index.record(INBOX, pairs(2))
        assert list(index.pairs(INBOX)) == pairs(2)


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from syncer.errors import IndexFileError
from syncer.index import open_index, database, read_index, store
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
for path in sys.argv[1:]:
    try:
        open_index(Path(path), "work").close()
    except IndexFileError as error:
        print(error)
"""


def test_what_is_not_writable_is_said_and_left_as_it_is() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        owner = 65534 if os.geteuid() == 0 else os.geteuid()
        sealed, locked = filled(directory / "sealed" / "work.db", 1), filled(directory / "file" / "work.db", 1)
        for file in (directory, *directory.rglob("*")):
            os.chown(file, owner, -1)
        locked.chmod(0)
        sealed.parent.chmod(0o500)
        files.sibling(sealed, ".lock").chmod(0o400)
        before = sealed.read_bytes() if os.geteuid() == 0 else b""
        targets = [sealed, directory / "sealed" / "none" / "work.db", locked, Path("/dev/null/work.db")]
        out = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, *targets],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
        ).stdout.splitlines()
        sealed.parent.chmod(0o700)  # so that it can be removed
        if before:
            assert sealed.read_bytes() == before
    refused = "Permission denied; make it readable and writable for you, and see that there is space left"
    unopened = "(SQLite: unable to open database file); make the file and its directory readable and writable for you"
    assert [re.sub(r"^.*, but: ", "", line) for line in out] == [
        refused,
        refused,
        f"the index {locked} cannot be opened {unopened}",
        "Not a directory; make it readable and writable for you, and see that there is space left",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("36 35 {device} / /home rw,noatime shared:1 - nfs4 server:/home rw,vers=4.2", True),
        ("36 35 {device} / /home rw master:1 propagate_from:2 - fuse.sshfs me@host: rw", True),
        ("36 35 {device} / /home rw - ext4 /dev/vda1 rw", False),
        ("36 35 999:999 / /home rw - nfs4 server:/home rw", False),
        ("", False),
    ],
)
def test_a_file_system_on_the_network_is_recognised(tmp_path: Path, line: str, expected: bool) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 1 0:1 / / rw - tmpfs tmpfs rw\n" + line.format(device=f"{os.major(device)}:{os.minor(device)}")
    )
    assert files.on_network(tmp_path, mounts) == expected
    assert not files.on_network(tmp_path, tmp_path / "none")


def test_an_index_on_the_network_has_no_write_ahead_log_and_is_as_durable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path)
    monkeypatch.setattr(database, "on_network", lambda _: True)
    with closing(open_index(path, "work")) as index:
        index.record(INBOX, pairs(2001))
        with index._turn, index._session() as session:
            found = [
                session.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
            ]
        assert not files.sibling(path, "-wal").exists()
    assert found == ["delete", 2]
    monkeypatch.undo()
    with closing(open_index(path, "work")) as index:
        assert list(index.pairs(INBOX)) == pairs(2001)


def test_whether_a_run_holds_the_lock_is_told_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "work.db.lock"
    assert not is_locked(path)
    lock = AccountLock(path, "work")
    assert is_locked(path)
    with pytest.raises(LockedError):
        AccountLock(path, "work")
    lock.release()
    assert not is_locked(path)
    AccountLock(path, "work").release()


def test_a_lock_is_known_by_its_file(tmp_path: Path) -> None:
    path, locks = tmp_path / "work.db.lock", tmp_path / "locks"
    AccountLock(path, "work").release()
    found = path.stat()
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    told = {
        f"1: FLOCK  ADVISORY  WRITE 99999999 {place} 0 EOF": True,
        f"1: FLOCK  ADVISORY  WRITE {os.getpid()} ff:ff:{found.st_ino} 0 EOF": True,
        f"1: FLOCK  ADVISORY  WRITE 99999999 ff:ff:{found.st_ino} 0 EOF": False,
        f"1: POSIX  ADVISORY  WRITE {os.getpid()} {place} 0 EOF": False,
        f"1: -> FLOCK  ADVISORY  WRITE {os.getpid()} {place} 0 EOF": False,
        f"1: FLOCK  ADVISORY  WRITE {os.getpid()} {place}1 0 EOF": False,
        "": False,
    }
    for line, expected in told.items():
        locks.write_text(f"{line}\n")
        assert is_locked(path, locks) == expected, line
    assert not is_locked(path, tmp_path / "not Linux")
