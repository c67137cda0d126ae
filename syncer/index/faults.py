"""What SQLite and the operating system report, as an error that says what happened and what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncer.errors import IndexFileError
from syncer.index.codec import DamagedRowError

_PRIMARY = 0xFF
"""The low byte of an extended result code is the primary one (sqlite.org/rescode.html)."""

_REBUILD = (
    "move the file away (with its -wal and -shm, if any) and sync again: the index is then made anew by comparing both "
    "sides, and nothing is deleted"
)

_WORDS = {
    sqlite3.SQLITE_BUSY: ("is locked by another program", "close what has it open (a backup, an sqlite3 shell)"),
    sqlite3.SQLITE_LOCKED: ("is locked by another program", "close what has it open (a backup, an sqlite3 shell)"),
    sqlite3.SQLITE_FULL: ("cannot grow", "free some space on its disk, then sync again"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "look after its disk, then sync again"),
    sqlite3.SQLITE_READONLY: ("is not writable", "make the file and its directory writable for you"),
    sqlite3.SQLITE_PERM: ("may not be opened", "make the file and its directory readable and writable for you"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "make the file and its directory readable and writable for you"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _REBUILD),
    sqlite3.SQLITE_NOTADB: ("is damaged or not an index", _REBUILD),
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the operating system report, and rows that nobody can read, into IndexFileError.

    A violated constraint and a misused connection are mistakes of this program and stay what they are.
    """
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.DatabaseError as error:
        raise from_sqlite(path, error) from error
    except (DamagedRowError, UnicodeDecodeError) as error:
        # UnicodeDecodeError: what SQLite says of a damaged schema quotes it.
        raise damaged(path, str(error)) from error
    except OSError as error:
        raise from_os(path, error) from error


def from_sqlite(path: Path, error: BaseException) -> IndexFileError:
    """The error to show for what SQLite reported about the index at `path`."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
    happened, remedy = _WORDS.get(code, ("cannot be used", _REBUILD))
    return IndexFileError(f"the index {path} {happened} (SQLite: {error}); {remedy}")


def from_os(path: Path, error: OSError) -> IndexFileError:
    """The error to show for what the operating system reported about a file of the index."""
    return IndexFileError(
        f"the index needs {error.filename or path}, but: {error.strerror or error}; "
        "make it readable and writable for you, and see that there is space left"
    )


def foreign(path: Path) -> IndexFileError:
    """The error for a database that this program did not make."""
    return IndexFileError(f"{path} is not an index of syncer; {_REBUILD}")


def damaged(path: Path, finding: str) -> IndexFileError:
    """The error for a database that fails SQLite's own check."""
    return IndexFileError(f"the index {path} is damaged ({finding}); {_REBUILD}")


def newer(path: Path, revision: str) -> IndexFileError:
    """The error for a database that a later version of this program wrote."""
    return IndexFileError(
        f"the index {path} was written by a newer syncer (revision {revision}); update syncer. The file was not touched"
    )
