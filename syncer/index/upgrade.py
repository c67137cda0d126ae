"""Bringing an index of an older revision up to date, with Alembic. Loaded only when there is something to do.

The file is copied first, then all steps run in one transaction: it has the old schema or the new one, never anything
between. There is no way back other than the copy.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

import syncer
from syncer.errors import IndexFileError
from syncer.index import faults
from syncer.index.database import connect
from syncer.index.files import SIDECARS, open_private, sibling, sync_directory
from syncer.index.revision import HEAD, connect_read_only


def migrations() -> Path:
    """The directory of the migrations: inside the package in a wheel, beside it in a checkout.

    Raises:
        IndexFileError: neither is there.
    """
    package = Path(syncer.__file__).parent
    for directory in (package / "_migrations", package.parent / "migrations"):
        if (directory / "env.py").is_file():
            return directory
    raise IndexFileError(f"the migrations of the index are missing from {package}; install syncer again")


def configuration(directory: Path) -> Config:
    """Alembic's configuration for the migrations in `directory`, without any file."""
    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    return config


def make_engine(path: Path, *, foreign_keys: bool = True) -> Engine:
    """An engine whose transactions are real ones, DDL included.

    Python's sqlite3 begins none for DDL by itself. The "begin" hook is SQLAlchemy's documented remedy ("Enabling
    Non-Legacy SQLite Transactional Modes" in its SQLite dialect).
    """
    engine = create_engine("sqlite://", creator=lambda: connect(path, foreign_keys=foreign_keys), poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine, "handle_error")
    def stay_connected(context: ExceptionContext) -> None:
        # On KeyboardInterrupt SQLAlchemy would close the connection without rolling back, and SQLite would keep the
        # write lock for as long as anything refers to a statement of it.
        context.is_disconnect = False

    return engine


def upgrade(path: Path, revision: str, *, directory: Path | None = None, target: str = HEAD) -> None:
    """Bring the database at `path` from `revision` to `target`. The caller holds the lock.

    A copy of what it was stays at `<path>.before-<revision>`.

    Raises:
        IndexFileError: `revision` is not known (the file was not touched), or the result is not sound (it was undone).
    """
    config = configuration(directory or migrations())
    if revision not in {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}:
        raise faults.newer(path, revision)
    back_up(path, sibling(path, f".before-{revision}"))
    # Rebuilding a table drops the old one, which must not be taken for deleting what refers to it. The pragma can
    # only be set outside a transaction (sqlite.org/lang_altertable.html#otheralter).
    engine = make_engine(path, foreign_keys=False)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, target)
            if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise IndexFileError(
                    f"the index {path} could not be brought from revision {revision} to {target}: rows without the "
                    "row they refer to; nothing was changed, please report this"
                )
    except DBAPIError as error:
        raise faults.from_sqlite(path, error.orig or error) from error


def back_up(path: Path, copy: Path) -> None:
    """Copy the database at `path`, its log included; `copy` is complete and durable, or not there.

    Raises:
        OSError, sqlite3.Error: it cannot be written or read.
    """
    draft = sibling(copy, ".new")
    for stale in (draft, *(sibling(draft, suffix) for suffix in SIDECARS)):
        stale.unlink(missing_ok=True)
    os.close(open_private(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    with closing(connect_read_only(path)) as source, closing(sqlite3.connect(draft)) as target:
        source.backup(target)
    descriptor = open_private(draft, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.rename(copy)
    sync_directory(copy.parent)
