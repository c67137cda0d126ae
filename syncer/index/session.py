"""One transaction of the store, with what is remembered between transactions.

Mailbox ids and keyword sets are read once. What is remembered mirrors committed rows only: the store hands it to a
transaction, and takes it back when that has been committed. Else all of it is forgotten, and read again.
"""

import sqlite3

from syncer.index.codec import FlagCodec, to_bytes
from syncer.index.snapshot import MAILBOXES, known_mailboxes
from syncer.ports import KnownMailbox
from syncer.reconcile.identity import MailboxName
from syncer.values import Struct, field


class Memory(Struct):
    """What committed rows say."""

    ids: dict[MailboxName, int] = field(default_factory=dict)
    codec: FlagCodec | None = None
    mailboxes: tuple[KnownMailbox, ...] = ()
    changes: int | None = None
    """SQLite's count of changed rows when `mailboxes` was read; None: it was not."""


class Session:
    """A transaction that has begun."""

    def __init__(self, connection: sqlite3.Connection, memory: Memory) -> None:
        """Work on `connection`; `memory` follows what is done here."""
        self.connection = connection
        self._memory = memory

    def known(self, mailbox: MailboxName) -> int | None:
        """The id of a mailbox; None for an unknown one."""
        id_ = self._memory.ids.get(mailbox)
        if id_ is None:
            row = self.connection.execute("SELECT id FROM mailbox WHERE name = ?", (to_bytes(mailbox),)).fetchone()
            if row is None:
                return None
            id_ = self._memory.ids[mailbox] = row[0]
        return id_

    def made(self, mailbox: MailboxName) -> int:
        """The id of a mailbox, which becomes known."""
        id_ = self.known(mailbox)
        if id_ is None:
            id_ = self.connection.execute("INSERT INTO mailbox (name) VALUES (?)", (to_bytes(mailbox),)).lastrowid
            assert id_ is not None
            self._memory.ids[mailbox] = id_
        return id_

    def forget_ids(self) -> None:
        """Mailboxes are about to be renamed or removed."""
        self._memory.ids.clear()

    def mailboxes(self) -> tuple[KnownMailbox, ...]:
        """Every mailbox, read again only if any row was changed meanwhile."""
        changes = self.connection.total_changes
        if self._memory.changes != changes:
            self._memory.mailboxes = known_mailboxes(self.connection.execute(MAILBOXES))
            self._memory.changes = changes
        return self._memory.mailboxes

    @property
    def codec(self) -> FlagCodec:
        """The keyword sets."""
        if self._memory.codec is None:
            rows = self.connection.execute("SELECT id, names FROM keyword_set ORDER BY id")
            self._memory.codec = FlagCodec(rows)
        return self._memory.codec

    def save_keywords(self) -> None:
        """Write the keyword sets that the codec has numbered, before any row that refers to them."""
        unsaved = self.codec.unsaved
        if unsaved:
            self.connection.executemany("INSERT INTO keyword_set (id, names) VALUES (?, ?)", unsaved)
            unsaved.clear()
