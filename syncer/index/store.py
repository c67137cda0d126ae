"""The index port on SQLite.

Each call is one transaction. A method that records something makes an unknown mailbox known; one that reads or
removes finds nothing there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from syncer.index import passes
from syncer.index.codec import to_bytes, to_text
from syncer.index.database import Database
from syncer.index.session import Memory, Session
from syncer.index.snapshot import RECALL, Frozen
from syncer.later import Later
from syncer.reconcile.identity import MailboxName, Uid, UniqueName

if TYPE_CHECKING:
    from syncer.index import filenames, journal, parking, renaming, renewing
    from syncer.index import pairs as table
    from syncer.ports import Finished, KnownMailbox
    from syncer.reconcile import observations
    from syncer.reconcile.epoch import Epoch
    from syncer.reconcile.events import Event
    from syncer.reconcile.flags import Flags
    from syncer.reconcile.observations import Intent, Pair
    from syncer.reconcile.parking import Parked
else:
    filenames, renaming = Later("syncer.index.filenames"), Later("syncer.index.renaming")
    renewing, journal = Later("syncer.index.renewing"), Later("syncer.index.journal")
    parking = Later("syncer.index.parking")
    table, observations = Later("syncer.index.pairs"), Later("syncer.reconcile.observations")

KEEP_DELETIONS = 30 * 86400
"""Seconds for which `note_deleted` keeps what it recorded; the guards look back one day."""

_REMEMBER = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"
_TOTALS = """
    SELECT name, (SELECT count(*) FROM pair WHERE mailbox_id = mailbox.id AND state = 0) FROM mailbox
"""
_INTENTS = "SELECT name, uidnext, internaldate, sent FROM intent WHERE mailbox_id = ? ORDER BY sent, name"
_ANNOUNCE = "INSERT OR IGNORE INTO intent (mailbox_id, name, uidnext, internaldate) VALUES (?, ?, ?, ?)"
_LAST_SENT = "SELECT ifnull(max(sent), 0) FROM intent WHERE mailbox_id = ?"
_SENT = "UPDATE intent SET sent = ? WHERE mailbox_id = ? AND name = ?"
_NOTE_DELETED = "INSERT INTO deletion (mailbox, side, count, at) VALUES (?, ?, ?, ?)"
_DELETED_SINCE = "SELECT mailbox, side, sum(count) FROM deletion WHERE at >= ? GROUP BY mailbox, side"


class SqliteIndex:
    """The `Index` of `syncer.ports`. Made by `syncer.index.open_index`."""

    def __init__(self, database: Database | Frozen) -> None:
        """Work on an open database; it is closed with the index."""
        self._database = database
        self._turn = threading.Lock()
        self._memory = Memory()
        self._events: list[tuple[int, Event]] = []
        """What is not in the journal yet."""
        self._run: int | None = None
        self.follower: Callable[[int, Event], None] | None = None
        """Is told of each event, and when it was, as soon as it is in the journal."""

    @property
    def store_id(self) -> str | None:
        """The identity of the Maildir that this index belongs to; None before the first pass."""
        return self._meta("store_id")

    def bind(self, store_id: str) -> None:
        """Record the Maildir's identity."""
        self._set_meta("store_id", store_id)

    def recall(self, key: str) -> str | None:
        """What was remembered under `key`; None if nothing was."""
        return self._meta(RECALL + key)

    def remember(self, key: str, value: str) -> None:
        """Keep a small thing about the account, in place of what was remembered under `key`."""
        self._set_meta(RECALL + key, value)

    def mailboxes(self) -> tuple[KnownMailbox, ...]:
        """Every mailbox of the index, ordered by name with INBOX first. Their pairs are not counted."""
        with self._turn, self._session() as session:
            return session.mailboxes()

    def totals(self) -> Mapping[MailboxName, int]:
        """How many pairs of state BOTH each mailbox has."""
        with self._turn, self._session() as session:
            return {MailboxName(to_text(name)): count for name, count in session.connection.execute(_TOTALS)}

    def keywords(self) -> tuple[str, ...]:
        """Every keyword ever recorded, in the spelling first seen."""
        with self._turn, self._session() as session:
            return session.codec.keywords()

    def add_mailbox(self, mailbox: MailboxName) -> None:
        """Make a mailbox known; one that is known already is no error."""
        with self._turn, self._session() as session:
            session.made(mailbox)

    def rename_mailbox(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        """Rename it, with those below it. What was deleted from it lately is remembered under the new name.

        Raises:
            MailboxError: the new name belongs to a mailbox with pairs or intents; nothing was changed.
        """
        with self._turn, self._session() as session:
            session.forget_ids()
            renaming.rename(session.connection, mailbox, new_name)

    def forget_epoch(self, mailbox: MailboxName) -> None:
        """Its UIDs hold, its counters do not."""
        with self._turn, self._session() as session:
            passes.forget_epoch(session, mailbox)

    def distrust(self, mailbox: MailboxName) -> None:
        """No shortcut holds in it before both sides are compared."""
        with self._turn, self._session() as session:
            passes.distrust(session, mailbox)

    def renew(self, mailbox: MailboxName, epoch: Epoch, uids: Mapping[Uid, Uid], lost: Collection[UniqueName]) -> None:
        """The mailbox has another epoch: pairs get the UIDs that `uids` gives them, and `lost` become strays."""
        with self._turn, self._session() as session:
            renewing.renew(session, mailbox, epoch, uids, lost)

    def strays(self, mailbox: MailboxName) -> frozenset[UniqueName]:
        """The files whose message the server lost with an epoch."""
        with self._turn, self._session() as session:
            return renewing.strays(session, session.known(mailbox))

    def forget_strays(self, mailbox: MailboxName, names: Collection[UniqueName]) -> None:
        """They are strays no more, or not there any more."""
        if names:
            with self._turn, self._session() as session:
                renewing.forget(session, session.known(mailbox), names)

    def park(self, mailbox: MailboxName, message: Uid | UniqueName, reason: str, now: int) -> None:
        """A message, or a file, failed once more; why, and when."""
        with self._turn, self._session() as session:
            parking.park(session, session.made(mailbox), message, reason, now)

    def parked(self, mailbox: MailboxName, now: int) -> Mapping[Uid | UniqueName, Parked]:
        """The messages and files that are to be left alone at `now`."""
        with self._turn, self._session() as session:
            return parking.parked(session, session.known(mailbox), now)

    def forget_mailbox(self, mailbox: MailboxName) -> None:
        """Remove it with its pairs and intents. What was deleted from it lately is remembered."""
        with self._turn, self._session() as session:
            id_ = session.known(mailbox)
            session.forget_ids()
            for statement in (
                "DELETE FROM pair WHERE mailbox_id = ?",
                "DELETE FROM intent WHERE mailbox_id = ?",
                "DELETE FROM stray WHERE mailbox_id = ?",
                "DELETE FROM parked WHERE mailbox_id = ?",
                "DELETE FROM mailbox WHERE id = ?",
            ):
                session.connection.execute(statement, (id_,))

    def pairs(self, mailbox: MailboxName) -> tuple[Pair, ...]:
        """Every pair, ascending by UID; empty for an unknown mailbox."""
        with self._turn, self._session() as session:
            id_ = session.known(mailbox)
            return () if id_ is None else tuple(table.read(session, id_))

    def pairs_among(
        self,
        mailbox: MailboxName,
        *,
        uids: Collection[Uid] = (),
        ranges: Collection[tuple[Uid, Uid]] = (),
        names: Collection[UniqueName] = (),
    ) -> tuple[Pair, ...]:
        """The pairs whose UID is in `uids` or in one of the inclusive `ranges`, or whose unique name is in `names`.

        Each once, ascending by UID. Every one is looked up: the cost follows how many are asked for and found.
        """
        if not (uids or ranges or names):
            return ()
        with self._turn, self._session() as session:
            id_ = session.known(mailbox)
            return () if id_ is None else tuple(table.among(session, id_, uids=uids, ranges=ranges, names=names))

    def holders(self, names: Collection[UniqueName]) -> frozenset[MailboxName]:
        """The mailboxes that have a pair of one of these unique names, each of which is looked up."""
        with self._turn, self._session() as session:
            return table.holders(session, names)

    def latest(self, mailbox: MailboxName, count: int, below: Uid | None = None) -> tuple[Pair, ...]:
        """The `count` pairs of the highest UIDs, or of the highest below `below`, descending by UID."""
        with self._turn, self._session() as session:
            id_ = session.known(mailbox)
            return () if id_ is None else tuple(table.latest(session, id_, count, below))

    def base(self, mailbox: MailboxName) -> dict[Uid, Flags]:
        """The UID of every pair, whatever its state, with the flags both sides last agreed on."""
        with self._turn, self._session() as session:
            id_ = session.known(mailbox)
            return {} if id_ is None else table.base(session, id_)

    def has_all(self, mailbox: MailboxName, uids: Collection[Uid]) -> bool:
        """Whether there is a pair, whatever its state, of each of these UIDs."""
        with self._turn, self._session() as session:
            id_ = session.known(mailbox)
            return not uids if id_ is None else table.has_all(session, id_, uids)

    def file_names(self, mailbox: MailboxName, info: Callable[[Flags], str]) -> set[bytes]:
        """For every pair whose state is not SERVER_ONLY, its unique name followed by `info` of its flags."""
        with self._turn, self._session() as session:
            id_ = session.known(mailbox)
            return set() if id_ is None else filenames.file_names(session, id_, info)

    def record(self, mailbox: MailboxName, pairs: Collection[Pair]) -> None:
        """Insert or replace pairs by UID; intents of the same names are settled in the same transaction.

        A unique name is in one pair of a mailbox only: an older pair of the same name is replaced as well.
        """
        if pairs:
            with self._turn, self._session() as session:
                table.write(session, session.made(mailbox), pairs)

    def agree(self, mailbox: MailboxName, pairs: Collection[Pair]) -> None:
        """As `record`, and faster if every pair is there already, under the same name."""
        if pairs:
            with self._turn, self._session() as session:
                table.update(session, session.made(mailbox), pairs)

    def forget(self, mailbox: MailboxName, uids: Collection[Uid]) -> None:
        """Remove pairs; unknown UIDs are no error."""
        if uids:
            with self._turn, self._session() as session:
                table.remove(session, session.known(mailbox), uids)

    def move(self, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName, pairs: Collection[Pair]) -> None:
        """Remove pairs here and record pairs there, in one transaction."""
        with self._turn, self._session() as session:
            table.remove(session, session.known(mailbox), uids)
            if pairs:
                table.write(session, session.made(target), pairs)

    def intents(self, mailbox: MailboxName) -> tuple[Intent, ...]:
        """APPENDs that were announced and not settled, ordered by name."""
        with self._turn, self._session() as session:
            rows = session.connection.execute(_INTENTS, (session.known(mailbox),))
            return tuple(
                observations.Intent(UniqueName(to_text(name)), uidnext, date, sent=order is not None)
                for name, uidnext, date, order in rows
            )

    def announce(self, mailbox: MailboxName, intents: Collection[Intent]) -> None:
        """Record intents before the command is sent. An intent of the same name stays as it is.

        The older UIDNEXT counts.
        """
        if intents:
            with self._turn, self._session() as session:
                id_ = session.made(mailbox)
                rows = [(id_, to_bytes(intent.name), intent.uidnext, intent.internaldate) for intent in intents]
                session.connection.executemany(_ANNOUNCE, rows)

    def sent(self, mailbox: MailboxName, names: Sequence[UniqueName]) -> None:
        """The server took these APPENDs, in this order, and did not say the UIDs."""
        if names:
            with self._turn, self._session() as session:
                id_ = session.made(mailbox)
                (last,) = session.connection.execute(_LAST_SENT, (id_,)).fetchone()
                rows = [(order, id_, to_bytes(name)) for order, name in enumerate(names, start=last + 1)]
                session.connection.executemany(_SENT, rows)

    def settle(self, mailbox: MailboxName, names: Collection[UniqueName]) -> None:
        """Remove intents whose outcome is known."""
        if names:
            with self._turn, self._session() as session:
                table.settle(session, session.known(mailbox), names)

    def begin(self, mailbox: MailboxName, epoch: Epoch) -> None:
        """Record the counters of a mailbox that has none yet, before its first pair: UIDs mean nothing without them."""
        with self._turn, self._session() as session:
            passes.begin(session, mailbox, epoch)

    def finish(self, done: Collection[Finished], now: int) -> None:
        """A pass over these mailboxes ended without error, at `now`: record how far it came, and clear their errors."""
        if done:
            with self._turn, self._session() as session:
                passes.finish(session, done, now)

    def fail(self, mailbox: MailboxName, error: str) -> None:
        """Record why a pass over the mailbox did not end well."""
        with self._turn, self._session() as session:
            row = (to_bytes(error), session.made(mailbox))
            session.connection.execute("UPDATE mailbox SET error = ? WHERE id = ?", row)

    def hold(self, mailbox: MailboxName, sides: frozenset[str]) -> None:
        """Remember on which sides deletions are held back."""
        with self._turn, self._session() as session:
            row = (",".join(sorted(sides)) or None, session.made(mailbox))
            session.connection.execute("UPDATE mailbox SET held = ? WHERE id = ?", row)

    def note_deleted(self, mailbox: MailboxName, side: str, count: int, now: int) -> None:
        """Remember that messages were deleted on `side` ("server" or "local"), for the guard's sliding day."""
        if count:
            with self._turn, self._session() as session:
                session.connection.execute("DELETE FROM deletion WHERE at < ?", (now - KEEP_DELETIONS,))
                session.connection.execute(_NOTE_DELETED, (to_bytes(mailbox), side, count, now))

    def deleted_since(self, since: int) -> Mapping[tuple[MailboxName, str], int]:
        """How many messages were deleted, by mailbox and side, at or after `since` (seconds since the epoch)."""
        with self._turn, self._session() as session:
            rows = session.connection.execute(_DELETED_SINCE, (since,))
            return {(MailboxName(to_text(mailbox)), side): count for mailbox, side, count in rows}

    def tell(self, at: int, event: Event) -> None:
        """Put it into the journal, with the next transaction."""
        self._events.append((at, event))

    def next_run(self) -> None:
        """See `Index`."""
        with self._turn:
            self._run = None

    def close(self) -> None:
        """Close the database and give up the lock; a second time does nothing."""
        with self._turn:
            self._database.close()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """One transaction. The caller has taken its turn, and gives it up itself.

        An interrupt between the two lines of a generator's `with` leaves the generator suspended for as long as its
        traceback lives. If the turn was in there, whoever closes the index on the way out would wait forever.
        """
        memory, self._memory = self._memory, Memory()
        told = len(self._events)
        with self._database.transaction() as connection:
            if told:
                self._run = journal.write(connection, self._run, self._events[:told])
            yield Session(connection, memory)
        self._memory = memory
        written = self._events[:told]
        del self._events[:told]
        if self.follower is not None:
            for at, event in written:
                self.follower(at, event)

    def _meta(self, key: str) -> str | None:
        with self._turn, self._session() as session:
            row = session.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return None if row is None else to_text(row[0])

    def _set_meta(self, key: str, value: str) -> None:
        with self._turn, self._session() as session:
            session.connection.execute(_REMEMBER, (key, to_bytes(value)))
