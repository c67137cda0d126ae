"""The table that grows with the mail: reading and writing pairs of one mailbox, in the caller's transaction."""

import sqlite3
from collections.abc import Collection, Iterable

from syncer.index.codec import CODE, to_bytes, to_text
from syncer.index.session import Session
from syncer.reconcile.identity import Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Pair, PairState

_STATES = tuple(PairState)

_COLUMNS = f"uid, name, {CODE}, size, header, content, email_id, state"
_ALL = f"SELECT {_COLUMNS} FROM pair WHERE mailbox_id = ? ORDER BY uid"  # noqa: S608 (constants)

# Replaces by UID and, through the other unique constraint, by name: a UID and a unique name are in one pair only.
_RECORD = """
    INSERT OR REPLACE INTO pair (mailbox_id, uid, name, flags, keyword_set_id, size, header, content, email_id, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_FORGET = "DELETE FROM pair WHERE mailbox_id = ? AND uid BETWEEN ? AND ?"
_ANY_INTENT = "SELECT 1 FROM intent WHERE mailbox_id = ? LIMIT 1"
_SETTLE = "DELETE FROM intent WHERE mailbox_id = ? AND name = ?"


def read(session: Session, id_: int) -> list[Pair]:
    """Every pair of a mailbox, ascending by UID."""
    return _pairs(session, session.connection.execute(_ALL, (id_,)))


def write(session: Session, id_: int, pairs: Collection[Pair]) -> None:
    """Insert or replace pairs by UID and by name, and settle the intents of the same names."""
    encoded = session.codec.encoded
    rows = [
        (
            id_,
            pair.uid,
            to_bytes(pair.name),
            *encoded[pair.flags],
            pair.fingerprint.size,
            pair.fingerprint.header,
            pair.fingerprint.content,
            None if pair.email_id is None else to_bytes(pair.email_id),
            int(pair.state),
        )
        for pair in pairs
    ]
    session.save_keywords()
    session.connection.executemany(_RECORD, rows)
    if session.connection.execute(_ANY_INTENT, (id_,)).fetchone():
        session.connection.executemany(_SETTLE, [(id_, row[2]) for row in rows])


def settle(session: Session, id_: int | None, names: Iterable[UniqueName]) -> None:
    """Remove intents; None: of a mailbox that has none."""
    session.connection.executemany(_SETTLE, [(id_, to_bytes(name)) for name in names])


def remove(session: Session, id_: int | None, uids: Iterable[Uid]) -> None:
    """Remove the pairs of these UIDs, as far as there are any; None: of a mailbox that has none."""
    spans = merged((uid, uid) for uid in uids)
    session.connection.executemany(_FORGET, [(id_, first, last) for first, last in spans])


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers as inclusive ranges that are ascending and neither overlap nor adjoin."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            if last > found[-1][1]:
                found[-1] = (found[-1][0], last)
        elif first <= last:
            found.append((first, last))
    return found


def _pairs(session: Session, rows: sqlite3.Cursor) -> list[Pair]:
    flags = session.codec.decoded
    return [
        Pair(
            uid,
            UniqueName(to_text(name)),
            flags[code],
            Fingerprint(size, header, content),
            None if email_id is None else to_text(email_id),
            _STATES[state],
        )
        for uid, name, code, size, header, content, email_id, state in rows
    ]
