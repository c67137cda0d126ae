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

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.pool import NullPool

from syncer.index import faults, tables
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

_BUSY_SECONDS = 10.0
"""How long to wait for a backup tool or a shell that has the database locked."""

_PRAGMAS = (
    "synchronous=FULL",
    "fullfsync=ON",  # macOS: fsync alone does not reach the disk there
    "cell_size_check=ON",  # finds damaged pages earlier
    "temp_store=MEMORY",
    "cache_size=-16384",  # KiB
    "journal_size_limit=4194304",
)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the operating system report into IndexFileError.

    A violated constraint and a misused connection are mistakes of this program and stay what they are.
    """
    try:
        yield
    except (IntegrityError, InterfaceError, ProgrammingError):
        raise
    except DBAPIError as error:
        raise faults.from_sqlite(path, error.orig or error) from error
    except sqlite3.DatabaseError as error:
        raise faults.from_sqlite(path, error) from error
    except OSError as error:
        raise faults.from_os(path, error) from error


def make_engine(path: Path, *, journal: str | None = None, foreign_keys: bool = True) -> Engine:
    """An engine whose transactions are real ones, DDL included.

    Python's sqlite3 begins none for SELECT and DDL by itself. The two hooks are SQLAlchemy's documented remedy
    ("Enabling Non-Legacy SQLite Transactional Modes" in its SQLite dialect). The journal mode is what suits the file
    system, unless given.
    """
    journal = journal or ("DELETE" if on_network(path.parent) else "WAL")

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (f"journal_mode={journal}", f"foreign_keys={int(foreign_keys)}", *_PRAGMAS):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine, "handle_error")
    def stay_connected(context: ExceptionContext) -> None:
        # On KeyboardInterrupt SQLAlchemy would close the connection without rolling back, and SQLite would keep the
        # write lock for as long as anything refers to a statement of it. `Database` rolls back first.
        context.is_disconnect = False

    return engine


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
        self._engine = make_engine(path)
        self._sound = True
        self._connect()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: durable on leaving, undone on an exception. The caller keeps other threads out.

        Raises:
            IndexFileError: nothing was changed.
        """
        with translated(self._path):
            if not self._sound:
                self._discard()
                self._connect()
            self._sound = False
            with self._connection.begin():
                yield self._connection
            self._sound = True

    def close(self) -> None:
        """Close the database, then give up the lock; a second time does nothing."""
        try:
            if self._sound:
                self._connection.close()
            else:
                self._discard()
        finally:
            self._lock.release()

    def _connect(self) -> None:
        self._connection = self._engine.connect()
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self._driver = driver
        self._sound = True

    def _discard(self) -> None:
        """Close a connection on which something failed.

        An interrupt may come between any two instructions of SQLAlchemy and leave it with another idea of the
        transaction than SQLite has.
        """
        with suppress(sqlite3.ProgrammingError):  # it is closed already
            self._driver.rollback()
            self._driver.close()
        if not (self._connection.closed or self._connection.invalidated):
            self._connection.invalidate()


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
    # Without a write-ahead log the draft is complete in one file after the commit.
    engine = make_engine(draft, journal="DELETE")
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        tables.version.create(connection)
        connection.execute(tables.version.insert().values(version_num=HEAD))
        connection.execute(
            tables.meta.insert(), [{"key": "account", "value": account}, {"key": "created", "value": str(created)}]
        )
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
    with make_engine(path).connect() as connection:
        finding = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if finding != "ok":
        raise faults.damaged(path, str(finding))
