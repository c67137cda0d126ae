"""The database file of one account: opening it safely, and transactions on it.

Rules:

- The lock comes first. Whoever holds it is the only writer, and writes through one connection, which several threads
  share by taking turns (a second writer would meet SQLite's WAL-reset race, sqlite.org/wal.html#walresetbug).
- A commit is durable when it returns (`synchronous=FULL`). Each transaction begins with BEGIN IMMEDIATE.
- On a file system of another host there is no write-ahead log, which needs memory shared by all who have the file
  open (sqlite.org/wal.html); a rollback journal takes its place, slower and as durable.
- A new database gets its name when it is complete, so a file under that name that is empty or not ours was damaged
  or comes from elsewhere. It is refused and left as it is, never silently made anew.
- What each start looks at is the header, the size of the file and the revision. The pages are checked
  (`quick_check`) when the last run did not end cleanly, which a write-ahead log that was left behind shows; damage
  that appears otherwise is reported when SQLite meets it.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from syncer.index import faults
from syncer.index.codec import to_bytes
from syncer.index.faults import translated
from syncer.index.files import (
    PRIVATE_FILE,
    SIDECARS,
    AccountLock,
    make_directory,
    on_network,
    open_private,
    sibling,
    sync_directory,
)
from syncer.index.revision import HEAD, stored_revision
from syncer.index.schema import TABLES

_BUSY_SECONDS = 10.0
"""How long to wait for a backup tool or a shell that has the database locked."""

_PRAGMAS = (
    "synchronous=FULL",
    "fullfsync=ON",  # macOS: fsync alone does not reach the disk there
    "cell_size_check=ON",  # finds damaged pages earlier
    "temp_store=MEMORY",
    "cache_size=-4096",  # KiB
    "journal_size_limit=4194304",
)


def connect(path: Path, *, journal: str | None = None, foreign_keys: bool = True) -> sqlite3.Connection:
    """A connection that begins no transaction by itself and may be handed from thread to thread.

    The journal mode is what suits the file system, unless given.

    Raises:
        sqlite3.Error, OSError: it cannot be opened.
    """
    journal = journal or ("DELETE" if on_network(path.parent) else "WAL")
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        for pragma in (f"journal_mode={journal}", f"foreign_keys={int(foreign_keys)}", *_PRAGMAS):
            connection.execute(f"PRAGMA {pragma}").close()
    except BaseException:
        connection.close()
        raise
    return connection


def open_database(path: Path, account: str, *, wait: bool | float, now: Callable[[], float]) -> "Database":
    """Take the lock, make or migrate the database where needed, and open it. See `syncer.index.open_index`."""
    with translated(path.parent):
        make_directory(path.parent)
    lock = AccountLock(sibling(path, ".lock"), account, wait=wait)
    try:
        with translated(path):
            _prepare(path, account, now)
            return Database(path, lock)
    except BaseException:
        lock.release()
        raise


class Database:
    """An open database and the lock on it. May be used from several threads, which take turns."""

    def __init__(self, path: Path, lock: AccountLock) -> None:
        """Open the database at `path`, which has the current revision; the lock is given up on `close`."""
        self._path = path
        self._lock = lock
        self._connection = connect(path)
        self._sound = True
        self._closed = False

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction: durable on leaving, undone on an exception. The caller keeps other threads out.

        Raises:
            IndexFileError: nothing was changed.
        """
        if self._closed:  # another run may hold the lock
            raise sqlite3.ProgrammingError("the index is closed")
        with translated(self._path):
            if not self._sound:
                _discard(self._connection)
                self._connection = connect(self._path)
            self._sound = False
            # Not the attribute below: an interrupt may leave this suspended until another connection has taken over.
            connection = self._connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _discard(connection)
                raise
            self._sound = True

    def close(self) -> None:
        """Close the database, then give up the lock; a second time does nothing."""
        self._closed = True
        try:
            _discard(self._connection)
        finally:
            self._lock.release()


def _discard(connection: sqlite3.Connection) -> None:
    """Close a connection, in whatever state it is.

    An interrupt may come between any two steps of a transaction, and of this as well: it is done again before the next
    transaction. Rolling back comes first, because SQLite keeps a closed connection and its lock for as long as
    anything refers to a statement of it.
    """
    with suppress(sqlite3.Error):  # it is closed already, or the disk is at fault, which was said
        connection.rollback()
    with suppress(sqlite3.Error):
        connection.close()


def _prepare(path: Path, account: str, now: Callable[[], float]) -> None:
    """See to it that `path` is a sound database of the current revision that only its owner can read."""
    if not path.exists():
        _create(path, account, int(now()))
    if sibling(path, "-journal").exists():
        _roll_back(path)
    unclean = _logged(path) > 0
    revision = stored_revision(path)
    if revision is None:
        raise faults.foreign(path)
    if revision > HEAD:
        raise faults.newer(path, revision)
    _tighten(path)
    if unclean:
        _check(path)
    if revision != HEAD:
        from syncer.index.upgrade import upgrade  # noqa: PLC0415 (loads Alembic)

        upgrade(path, revision)


def _create(path: Path, account: str, created: int) -> None:
    draft = sibling(path, ".new")
    # A log without its database is worthless, and SQLite would replay it into the new one.
    for stale in (draft, *(sibling(base, suffix) for base in (draft, path) for suffix in SIDECARS)):
        stale.unlink(missing_ok=True)
    os.close(open_private(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    # A draft that is not complete is thrown away, so nothing has to be undone in it, and there is one file to sync.
    with closing(connect(draft, journal="OFF")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in TABLES:
            connection.execute(statement)
        connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
        rows = (("account", to_bytes(account)), ("created", to_bytes(str(created))))
        connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", rows)
        connection.execute("COMMIT")
    draft.rename(path)
    sync_directory(path.parent)


def _roll_back(path: Path) -> None:
    """Undo what a run left half written on a file system that cannot have a write-ahead log."""
    # Nothing that opens the file for reading only could.
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _logged(path: Path) -> int:
    """How many octets of write-ahead log a run left behind."""
    log = sibling(path, "-wal")
    return log.stat().st_size if log.exists() else 0


def _tighten(path: Path) -> None:
    for file in (path, *(sibling(path, suffix) for suffix in SIDECARS)):
        if file.exists() and file.stat().st_mode & 0o777 != PRIVATE_FILE:
            file.chmod(PRIVATE_FILE)


def _check(path: Path) -> None:
    with closing(connect(path)) as connection:
        (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if finding != "ok":
        raise faults.damaged(path, str(finding))
