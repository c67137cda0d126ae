"""The index as others may look at it: read-only, without the lock, while a run works on it, or before the first one.

Uses nothing but the standard library, so that `status` starts at once. The store reads mailboxes with the same
statement, so both always agree.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from syncer.errors import IndexFileError
from syncer.index import faults
from syncer.index.codec import from_json, to_text
from syncer.index.revision import HEAD, connect_read_only, revision_of
from syncer.ports import KnownMailbox
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.values import Struct

MAILBOXES = """
    SELECT id, name, uidvalidity, uidnext, highestmodseq, object_id, mapping, synced_at, error, held, messages,
           local_state, compared_at, settings, (SELECT max(uid) FROM pair WHERE mailbox_id = mailbox.id)
    FROM mailbox
"""
_COUNTS = "SELECT mailbox_id, count(*) FROM pair GROUP BY mailbox_id"


RECALL = "recall:"
"""Before the keys of `Index.recall` and `remember`, which so are never those that the index itself uses."""
LOGIN = "login"
"""Under which `Index.recall` has the login with which the mail was synced."""


class IndexSnapshot(Struct, frozen=True):
    """What the index held at one moment."""

    store_id: str | None
    mailboxes: tuple[KnownMailbox, ...]
    """Ordered by name with INBOX first, with their pairs counted."""
    intents: int
    """APPENDs that were announced and whose outcome is not recorded."""
    login: str | None = None
    """The login under which the mail was synced; None where that was never kept."""

    @property
    def pairs(self) -> int:
        """How many messages are known to be on both sides."""
        return sum(mailbox.pairs or 0 for mailbox in self.mailboxes)


def read_index(path: Path) -> IndexSnapshot | None:
    """What the index at `path` holds; None if there is none yet.

    Raises:
        IndexFileError: it cannot be read, or has another schema.
    """
    with faults.translated(path):
        if not path.exists():
            return None
        with closing(_begun(path)) as connection:
            return _read(connection)


class Frozen:
    """A database as it is at one moment, whatever is written to it meanwhile; nothing can be written through it."""

    def __init__(self, path: Path) -> None:
        """Raises IndexFileError: it cannot be read, or has another schema."""
        self._path = path
        with faults.translated(path):
            self._connection = _begun(path)
            if self._connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                self._connection = _copied(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """What is read belongs to one moment, in each transaction to the same."""
        with faults.translated(self._path):
            yield self._connection

    def close(self) -> None:
        """Let go of that moment."""
        self._connection.close()


def _begun(path: Path) -> sqlite3.Connection:
    """A transaction that only reads, on an index of this program's revision."""
    connection = connect_read_only(path)
    try:
        connection.execute("BEGIN")
        _insist_on_head(path, revision_of(connection))
    except BaseException:
        connection.close()
        raise
    return connection


def _copied(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The same in memory: without a write-ahead log whoever reads keeps out whoever wants to write."""
    with closing(connection):
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.backup(copy)
        copy.execute("PRAGMA query_only=ON")
        return copy


def _insist_on_head(path: Path, revision: str | None) -> None:
    if revision is None:
        raise faults.foreign(path)
    if revision > HEAD:
        raise faults.newer(path, revision)
    if revision < HEAD:
        raise IndexFileError(f"the index {path} is of an older syncer; sync once to bring it up to date")


def known_mailboxes(
    rows: Iterable[tuple[Any, ...]], counts: Mapping[int, int] | None = None
) -> tuple[KnownMailbox, ...]:
    """The rows of `MAILBOXES` as values, ordered by name with INBOX first; `counts` are the pairs of a mailbox id."""
    found = [
        KnownMailbox(
            name=MailboxName(to_text(name)),
            epoch=None
            if uidvalidity is None
            else Epoch(uidvalidity, uidnext, highestmodseq, None if object_id is None else to_text(object_id)),
            pairs=None if counts is None else counts.get(id_, 0),
            mapping=from_json(mapping),
            synced_at=synced_at,
            error=None if error is None else to_text(error),
            held=frozenset(held.split(",")) if held else frozenset(),
            messages=messages,
            local_state=None if local_state is None else to_text(local_state),
            compared_at=compared_at,
            settings=settings,
            highest=highest,
        )
        for (
            id_,
            name,
            uidvalidity,
            uidnext,
            highestmodseq,
            object_id,
            mapping,
            synced_at,
            error,
            held,
            messages,
            local_state,
            compared_at,
            settings,
            highest,
        ) in rows
    ]
    return tuple(sorted(found, key=lambda mailbox: (mailbox.name != INBOX, mailbox.name)))


def _read(connection: sqlite3.Connection) -> IndexSnapshot:
    return IndexSnapshot(
        store_id=_meta(connection, "store_id"),
        mailboxes=known_mailboxes(connection.execute(MAILBOXES), dict(connection.execute(_COUNTS))),
        intents=connection.execute("SELECT count(*) FROM intent").fetchone()[0],
        login=_meta(connection, RECALL + LOGIN),
    )


def _meta(connection: sqlite3.Connection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else to_text(row[0])
