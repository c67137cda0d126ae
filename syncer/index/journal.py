"""The journal: what syncs did to which messages, and why. Written in the caller's transaction, read without the lock.

One row for a batch of messages to which the same was done for the same reason, so that a first pull of a hundred
thousand messages leaves some fifty rows. It is written with the next record that follows an event: what was done and
not recorded is not in the journal either, and the pass that finds it done tells of that.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from syncer.errors import IndexFileError
from syncer.index import faults
from syncer.index.codec import to_bytes, to_text
from syncer.index.revision import HEAD, connect_read_only, revision_of
from syncer.reconcile.events import Event, Told, ranges_text
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import PairState

KEEP = 400 * 86400
"""Seconds for which the journal is kept: a year, and a month to notice."""

_NEXT_RUN = "SELECT ifnull(max(run), 0) + 1 FROM journal"
_WRITE = """
    INSERT INTO journal (run, at, mailbox, verb, reason, detail, count, uids, names) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PRUNE = "DELETE FROM journal WHERE at < ?"
_READ = """
    SELECT run, at, mailbox, verb, reason, detail, count, uids, names FROM journal WHERE {} ORDER BY id
"""
_RUNS = "SELECT DISTINCT run FROM journal ORDER BY run DESC LIMIT ?"
_FIND = """
    SELECT uid, pair.name, state FROM pair JOIN mailbox ON mailbox.id = mailbox_id WHERE mailbox.name = ? AND {} = ?
"""


def write(connection: sqlite3.Connection, run: int | None, events: Sequence[tuple[int, Event]]) -> int:
    """Write events with their times, under the number of the pass (None: the next one); returns that number."""
    if run is None:
        (run,) = connection.execute(_NEXT_RUN).fetchone()
        connection.execute(_PRUNE, (events[0][0] - KEEP,))
    connection.executemany(_WRITE, [(run, at, *_columns(event)) for at, event in events])
    return int(run)


def _columns(event: Event) -> tuple[Any, ...]:
    uids, names = event.uids, event.names
    if uids and names:
        together = sorted(zip(uids, names, strict=True))
        uids, names = [uid for uid, _ in together], [name for _, name in together]
    joined = b"/".join(map(to_bytes, names)) or None  # no unique name has a slash
    told = to_bytes(event.detail), max(len(uids), len(names)), ranges_text(sorted(uids)), joined
    return to_bytes(event.mailbox), event.verb, event.reason, *told


def read_journal(
    path: Path, *, mailbox: MailboxName | None = None, since: int | None = None, runs: int | None = None
) -> tuple[Told, ...]:
    """What the index at `path` tells, in order: of one mailbox, since a moment, of the last `runs` passes.

    Raises:
        IndexFileError: it cannot be read, or has another schema.
    """
    conditions, values = ["1"], list[Any]()
    if mailbox is not None:
        conditions.append("mailbox = ?")
        values.append(to_bytes(mailbox))
    if since is not None:
        conditions.append("at >= ?")
        values.append(since)
    with faults.translated(path):
        if not path.exists():
            return ()
        with closing(_opened(path)) as connection:
            if runs is not None:
                last = [run for (run,) in connection.execute(_RUNS, (runs,))]
                conditions.append("run >= ?")
                values.append(min(last, default=0))
            return tuple(_told(connection.execute(_READ.format(" AND ".join(conditions)), values)))


def find_pair(path: Path, mailbox: MailboxName, message: Uid | UniqueName) -> tuple[Uid, UniqueName, PairState] | None:
    """UID, unique name and sides of a message that the index knows now; None if it knows none.

    Raises:
        IndexFileError: as `read_journal`.
    """
    column, value = ("uid", message) if isinstance(message, int) else ("pair.name", to_bytes(message))
    with faults.translated(path):
        if not path.exists():
            return None
        with closing(_opened(path)) as connection:
            row = connection.execute(_FIND.format(column), (to_bytes(mailbox), value)).fetchone()
            return None if row is None else (Uid(row[0]), UniqueName(to_text(row[1])), PairState(row[2]))


def _opened(path: Path) -> sqlite3.Connection:
    connection = connect_read_only(path)
    revision = revision_of(connection)
    if revision == HEAD:
        return connection
    connection.close()
    if revision is None:
        raise faults.foreign(path)
    if revision > HEAD:
        raise faults.newer(path, revision)
    raise IndexFileError(f"the index {path} is of an older syncer; sync once to bring it up to date")


def _told(rows: sqlite3.Cursor) -> Iterator[Told]:
    for run, at, mailbox, verb, reason, detail, count, uids, names in rows:
        found = tuple(UniqueName(to_text(name)) for name in names.split(b"/")) if names else ()
        yield Told(run, at, MailboxName(to_text(mailbox)), verb, reason, to_text(detail), count, uids, found)
