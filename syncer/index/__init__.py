"""The index: what both sides looked like when they last agreed, in one SQLite database for each account.

Importing this package is cheap: SQLAlchemy and Alembic are loaded when an index has to be migrated, and not before.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from syncer.index.snapshot import LOGIN, Frozen, IndexSnapshot, read_index

if TYPE_CHECKING:
    from syncer.index.store import SqliteIndex

__all__ = ["LOGIN", "IndexSnapshot", "frozen_index", "open_index", "read_index"]


def open_index(
    path: Path, account: str, *, wait: bool | float = False, now: Callable[[], float] = time.time
) -> "SqliteIndex":
    """Open the index of an account, make it if there is none, bring it up to date, and keep others out until `close`.

    Args:
        path: The database file. Its directory is made if it is missing.
        account: The account's name, for messages and for people who look into the file.
        wait: How long to wait for another run on this account, in seconds; True waits until it ends.
        now: The time, in seconds since the epoch; asked once, when a database is made.

    Raises:
        LockedError: another run works on this account.
        IndexFileError: the file is damaged, not an index, newer than this program, not writable, or cannot grow.
            It is left as it is.
    """
    from syncer.index.database import open_database  # noqa: PLC0415 (not needed to look at a snapshot)
    from syncer.index.store import SqliteIndex  # noqa: PLC0415 (not needed to look at a snapshot)

    return SqliteIndex(open_database(path, account, wait=wait, now=now))


def frozen_index(path: Path) -> "SqliteIndex":
    """The index at `path` as it is at this moment: to be asked, while others may work on it, and never to be written.

    Raises:
        IndexFileError: it cannot be read, or has another schema.
    """
    from syncer.index.store import SqliteIndex  # noqa: PLC0415 (as above)

    return SqliteIndex(Frozen(path))
