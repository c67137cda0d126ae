"""The index port on SQLite.

Each call is one transaction. The paths that see every message (`pairs`, `record`, `forget`, `settle`) hand tuples to
the driver: SQLAlchemy's own rows and parameter dictionaries cost three to fifty times as much there. Everything else
is written with SQLAlchemy Core.

What is remembered between calls (mailbox ids, keyword sets) mirrors committed rows only: whenever a transaction
fails, all of it is thrown away and read again.

A method that records something makes an unknown mailbox known; one that reads or removes finds nothing there.
"""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Connection

from syncer.index import tables
from syncer.index.codec import FlagCodec, to_bytes, to_json, to_text
from syncer.index.database import Database
from syncer.index.renaming import rename
from syncer.index.snapshot import MAILBOXES, known_mailboxes
from syncer.ports import KnownMailbox
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Epoch, Fingerprint, Intent, Pair, PairState

KEEP_DELETIONS = 30 * 86400
"""Seconds for which `note_deleted` keeps what it recorded; the guards look back one day."""

_STATES = tuple(PairState)

# Replaces by UID and, through the other unique constraint, by name: a UID and a unique name are in one pair only.
_RECORD = """
    INSERT OR REPLACE INTO pair (mailbox_id, uid, name, flags, keyword_set_id, size, header, content, email_id, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PAIRS = """
    SELECT uid, name, flags, keyword_set_id, size, header, content, email_id, state
    FROM pair WHERE mailbox_id = ? ORDER BY uid
"""
_FORGET = "DELETE FROM pair WHERE mailbox_id = ? AND uid = ?"
_ANNOUNCE = "INSERT OR IGNORE INTO intent (mailbox_id, name, uidnext, internaldate) VALUES (?, ?, ?, ?)"
_SENT = "UPDATE intent SET sent = ? WHERE mailbox_id = ? AND name = ?"
_SETTLE = "DELETE FROM intent WHERE mailbox_id = ? AND name = ?"


class SqliteIndex:
    """The `Index` of `syncer.ports`. Made by `syncer.index.open_index`."""

    def __init__(self, database: Database) -> None:
        """Work on an open database; it is closed with the index."""
        self._database = database
        self._turn = threading.Lock()
        self._ids: dict[MailboxName, int] = {}
        self._codec: FlagCodec | None = None

    @property
    def store_id(self) -> str | None:
        """The identity of the Maildir that this index belongs to; None before the first pass."""
        with self._transaction() as connection:
            return connection.scalar(select(tables.meta.c.value).where(tables.meta.c.key == "store_id"))

    def bind(self, store_id: str) -> None:
        """Record the Maildir's identity."""
        with self._transaction() as connection:
            connection.execute(insert(tables.meta).prefix_with("OR REPLACE").values(key="store_id", value=store_id))

    def mailboxes(self) -> tuple[KnownMailbox, ...]:
        """Every mailbox of the index, ordered by name with INBOX first."""
        with self._transaction() as connection:
            return known_mailboxes(connection.exec_driver_sql(MAILBOXES))

    def keywords(self) -> tuple[str, ...]:
        """Every keyword ever recorded, in the spelling first seen."""
        with self._transaction() as connection:
            return self._flags(connection).keywords()

    def add_mailbox(self, mailbox: MailboxName) -> None:
        """Make a mailbox known; one that is known already is no error."""
        with self._transaction() as connection:
            self._made(connection, mailbox)

    def rename_mailbox(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        """Rename it, with those below it. What was deleted from it lately is remembered under the new name.

        Raises:
            MailboxError: the new name belongs to a mailbox with pairs or intents; nothing was changed.
        """
        with self._transaction() as connection:
            self._ids.clear()
            rename(connection, mailbox, new_name)

    def forget_epoch(self, mailbox: MailboxName) -> None:
        """Its UIDs hold, its counters do not."""
        with self._transaction() as connection:
            change = update(tables.mailbox).where(tables.mailbox.c.name == mailbox)
            connection.execute(change.values(uidvalidity=None, uidnext=None, highestmodseq=None, object_id=None))

    def forget_mailbox(self, mailbox: MailboxName) -> None:
        """Remove it with its pairs and intents. What was deleted from it lately is remembered."""
        with self._transaction() as connection:
            id_ = self._known(connection, mailbox)
            if id_ is not None:
                del self._ids[mailbox]
                connection.execute(delete(tables.pair).where(tables.pair.c.mailbox_id == id_))
                connection.execute(delete(tables.intent).where(tables.intent.c.mailbox_id == id_))
                connection.execute(delete(tables.mailbox).where(tables.mailbox.c.id == id_))

    def pairs(self, mailbox: MailboxName) -> tuple[Pair, ...]:
        """Every pair, ascending by UID; empty for an unknown mailbox."""
        with self._transaction() as connection:
            id_ = self._known(connection, mailbox)
            if id_ is None:
                return ()
            flags = self._flags(connection).decode
            return tuple(
                [
                    Pair(
                        uid,
                        UniqueName(to_text(name)),
                        flags(bits, set_id),
                        Fingerprint(size, header, content),
                        None if email_id is None else to_text(email_id),
                        _STATES[state],
                    )
                    for uid, name, bits, set_id, size, header, content, email_id, state in connection.exec_driver_sql(
                        _PAIRS, (id_,)
                    )
                ]
            )

    def record(self, mailbox: MailboxName, pairs: Collection[Pair]) -> None:
        """Insert or replace pairs by UID; intents of the same names are settled in the same transaction.

        A unique name is in one pair of a mailbox only: an older pair of the same name is replaced as well.
        """
        if pairs:
            with self._transaction() as connection:
                self._record(connection, self._made(connection, mailbox), pairs)

    def forget(self, mailbox: MailboxName, uids: Collection[Uid]) -> None:
        """Remove pairs; unknown UIDs are no error."""
        with self._transaction() as connection:
            self._forget(connection, mailbox, uids)

    def move(self, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName, pairs: Collection[Pair]) -> None:
        """Remove pairs here and record pairs there, in one transaction."""
        with self._transaction() as connection:
            self._forget(connection, mailbox, uids)
            if pairs:
                self._record(connection, self._made(connection, target), pairs)

    def intents(self, mailbox: MailboxName) -> tuple[Intent, ...]:
        """APPENDs that were announced and not settled, ordered by name."""
        with self._transaction() as connection:
            rows = connection.execute(
                select(
                    tables.intent.c.name, tables.intent.c.uidnext, tables.intent.c.internaldate, tables.intent.c.sent
                )
                .where(tables.intent.c.mailbox_id == self._known(connection, mailbox))
                .order_by(tables.intent.c.sent, tables.intent.c.name)
            )
            return tuple(
                Intent(UniqueName(name), uidnext, date, sent=order is not None) for name, uidnext, date, order in rows
            )

    def announce(self, mailbox: MailboxName, intents: Collection[Intent]) -> None:
        """Record intents before the command is sent. An intent of the same name stays as it is.

        The older UIDNEXT counts.
        """
        if intents:
            with self._transaction() as connection:
                id_ = self._made(connection, mailbox)
                rows = ((id_, to_bytes(intent.name), intent.uidnext, intent.internaldate) for intent in intents)
                _each(connection, _ANNOUNCE, rows)

    def sent(self, mailbox: MailboxName, names: Sequence[UniqueName]) -> None:
        """The server took these APPENDs, in this order, and did not say the UIDs."""
        if names:
            with self._transaction() as connection:
                id_ = self._made(connection, mailbox)
                last = select(func.max(tables.intent.c.sent)).where(tables.intent.c.mailbox_id == id_)
                first = (connection.execute(last).scalar() or 0) + 1
                _each(connection, _SENT, ((first + at, id_, to_bytes(name)) for at, name in enumerate(names)))

    def settle(self, mailbox: MailboxName, names: Collection[UniqueName]) -> None:
        """Remove intents whose outcome is known."""
        with self._transaction() as connection:
            id_ = self._known(connection, mailbox)
            if id_ is not None:
                _each(connection, _SETTLE, ((id_, to_bytes(name)) for name in names))

    def begin(self, mailbox: MailboxName, epoch: Epoch) -> None:
        """Record the counters of a mailbox that has none yet, before its first pair: UIDs mean nothing without them."""
        with self._transaction() as connection:
            table = tables.mailbox
            connection.execute(
                update(table)
                .where(table.c.id == self._made(connection, mailbox), table.c.uidvalidity.is_(None))
                .values(
                    uidvalidity=epoch.uidvalidity,
                    uidnext=epoch.uidnext,
                    highestmodseq=epoch.highestmodseq,
                    object_id=epoch.mailbox_id,
                )
            )

    def finish(self, mailbox: MailboxName, epoch: Epoch, mapping: Mapping[str, str], now: int) -> None:
        """A pass over the mailbox ended without error: record counters, letters and time, and clear the error."""
        with self._transaction() as connection:
            connection.execute(
                update(tables.mailbox)
                .where(tables.mailbox.c.id == self._made(connection, mailbox))
                .values(
                    uidvalidity=epoch.uidvalidity,
                    uidnext=epoch.uidnext,
                    highestmodseq=epoch.highestmodseq,
                    object_id=epoch.mailbox_id,
                    mapping=to_json(mapping),
                    synced_at=now,
                    error=None,
                )
            )

    def fail(self, mailbox: MailboxName, error: str) -> None:
        """Record why a pass over the mailbox did not end well."""
        with self._transaction() as connection:
            id_ = self._made(connection, mailbox)
            connection.execute(update(tables.mailbox).where(tables.mailbox.c.id == id_).values(error=error))

    def hold(self, mailbox: MailboxName, sides: frozenset[str]) -> None:
        """Remember on which sides deletions are held back."""
        with self._transaction() as connection:
            id_ = self._made(connection, mailbox)
            change = update(tables.mailbox).where(tables.mailbox.c.id == id_)
            connection.execute(change.values(held=",".join(sorted(sides)) or None))

    def note_deleted(self, mailbox: MailboxName, side: str, count: int, now: int) -> None:
        """Remember that messages were deleted on `side` ("server" or "local"), for the guard's sliding day."""
        if count:
            with self._transaction() as connection:
                connection.execute(delete(tables.deletion).where(tables.deletion.c.at < now - KEEP_DELETIONS))
                connection.execute(insert(tables.deletion).values(mailbox=mailbox, side=side, count=count, at=now))

    def deleted_since(self, since: int) -> Mapping[tuple[MailboxName, str], int]:
        """How many messages were deleted, by mailbox and side, at or after `since` (seconds since the epoch)."""
        found = tables.deletion.c
        with self._transaction() as connection:
            rows = connection.execute(
                select(found.mailbox, found.side, func.sum(found["count"]))
                .where(found.at >= since)
                .group_by(found.mailbox, found.side)
            )
            return {(MailboxName(mailbox), side): count for mailbox, side, count in rows}

    def close(self) -> None:
        """Close the database and give up the lock; a second time does nothing."""
        with self._turn:
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._turn:
            try:
                with self._database.transaction() as connection:
                    yield connection
            except BaseException:
                self._ids.clear()
                self._codec = None
                raise

    def _known(self, connection: Connection, mailbox: MailboxName) -> int | None:
        id_ = self._ids.get(mailbox)
        if id_ is None:
            id_ = connection.scalar(select(tables.mailbox.c.id).where(tables.mailbox.c.name == mailbox))
            if id_ is not None:
                self._ids[mailbox] = id_
        return id_

    def _made(self, connection: Connection, mailbox: MailboxName) -> int:
        id_ = self._known(connection, mailbox)
        if id_ is None:
            id_ = connection.execute(insert(tables.mailbox).values(name=mailbox)).lastrowid
            self._ids[mailbox] = id_
        return id_

    def _flags(self, connection: Connection) -> FlagCodec:
        if self._codec is None:
            sets = tables.keyword_set.c
            self._codec = FlagCodec(
                (id_, names) for id_, names in connection.execute(select(sets.id, sets.names).order_by(sets.id))
            )
        return self._codec

    def _record(self, connection: Connection, id_: int, pairs: Collection[Pair]) -> None:
        codec = self._flags(connection)
        names = [to_bytes(pair.name) for pair in pairs]
        rows = [
            (
                id_,
                pair.uid,
                name,
                *codec.encode(pair.flags),
                pair.fingerprint.size,
                pair.fingerprint.header,
                pair.fingerprint.content,
                None if pair.email_id is None else to_bytes(pair.email_id),
                int(pair.state),
            )
            for pair, name in zip(pairs, names, strict=True)
        ]
        if codec.unsaved:
            connection.execute(insert(tables.keyword_set), [{"id": n, "names": names} for n, names in codec.unsaved])
            codec.unsaved.clear()
        _each(connection, _RECORD, rows)
        _each(connection, _SETTLE, [(id_, name) for name in names])

    def _forget(self, connection: Connection, mailbox: MailboxName, uids: Collection[Uid]) -> None:
        id_ = self._known(connection, mailbox)
        if id_ is not None:
            _each(connection, _FORGET, ((id_, uid) for uid in uids))


def _each(connection: Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Execute a statement of the driver for each row; none at all for none."""
    parameters = list(rows)
    if parameters:
        connection.exec_driver_sql(statement, parameters)
