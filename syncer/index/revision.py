"""Which schema the index has. Imports nothing heavy, so that a start with nothing to migrate loads no Alembic."""

import sqlite3
from contextlib import closing
from pathlib import Path

HEAD = "0005"
"""The revision that this program reads and writes: the newest one in `migrations/versions`.

Revisions are numbered with four digits, so that one which is greater as text is newer.
"""


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open the database at `path` without ever writing to it (sqlite.org/uri.html); threads may hand it on.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    name = path.absolute().as_uri() + "?mode=ro"
    return sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False)


def revision_of(connection: sqlite3.Connection) -> str | None:
    """The revision of an open database; None if it is one that this program did not make.

    Raises:
        sqlite3.Error: it cannot be read, or is not a database. A file that was cut short is found out here, because
            SQLite compares the number of pages in the header with the size of the file.
    """
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
        return None
    found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(found[0][0]) if len(found) == 1 else None


def stored_revision(path: Path) -> str | None:
    """The revision of the database at `path`, as `revision_of`; the file is not written to."""
    with closing(connect_read_only(path)) as connection:
        return revision_of(connection)
