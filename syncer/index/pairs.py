"""The table that grows with the mail: reading and writing pairs of one mailbox, in the caller's transaction."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import Any, TypeVar

from syncer.index import parking
from syncer.index.codec import CODE, to_bytes, to_text
from syncer.index.session import Session
from syncer.reconcile.flags import Flags
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Pair, PairState

T = TypeVar("T")

_STATES = tuple(PairState)
_ABOVE_ALL = 2**32
"""Greater than any UID."""

_COLUMNS = f"uid, name, {CODE}, size, header, content, email_id, state"
_ALL = f"SELECT {_COLUMNS} FROM pair WHERE mailbox_id = ? ORDER BY uid"  # noqa: S608 (constants)
_LATEST = f"SELECT {_COLUMNS} FROM pair WHERE mailbox_id = ? AND uid < ? ORDER BY uid DESC LIMIT ?"  # noqa: S608 (same)
_BASE = f"SELECT uid, {CODE} FROM pair WHERE mailbox_id = ?"  # noqa: S608 (same)
_UIDS = "SELECT uid FROM pair WHERE mailbox_id = ? AND uid >= ? ORDER BY uid"
# What is asked for is joined as a table: SQLite then looks each row of it up, instead of going through the mailbox.
_WITHIN = f"""
    WITH wanted (first, last) AS (VALUES {{}})
    SELECT {_COLUMNS} FROM wanted CROSS JOIN pair WHERE mailbox_id = ? AND uid BETWEEN first AND last
"""  # noqa: S608 (same; what varies is the number of placeholders)
_NAMED = f"""
    WITH wanted (wanted_name) AS (VALUES {{}})
    SELECT {_COLUMNS} FROM wanted CROSS JOIN pair WHERE mailbox_id = ? AND name = wanted_name
"""  # noqa: S608 (same)
_HOLDERS = """
    WITH wanted (wanted_name) AS (VALUES {})
    SELECT DISTINCT mailbox.name FROM wanted CROSS JOIN mailbox
    CROSS JOIN pair WHERE pair.mailbox_id = mailbox.id AND pair.name = wanted_name
"""
_PLACEHOLDERS = 800
"""At most so many in one statement; SQLite before 3.32 allows 999."""

# Replaces by UID and, through the other unique constraint, by name: a UID and a unique name are in one pair only.
_RECORD = """
    INSERT OR REPLACE INTO pair (mailbox_id, uid, name, flags, keyword_set_id, size, header, content, email_id, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = """
    UPDATE pair SET flags = ?, keyword_set_id = ?, size = ?, header = ?, content = ?, email_id = ?, state = ?
    WHERE mailbox_id = ? AND uid = ? AND name = ?
"""
_FORGET = "DELETE FROM pair WHERE mailbox_id = ? AND uid = ?"
_ANY_INTENT = "SELECT 1 FROM intent WHERE mailbox_id = ? LIMIT 1"
_ANY_STRAY = "SELECT 1 FROM stray WHERE mailbox_id = ? LIMIT 1"
_FOUND = "DELETE FROM stray WHERE mailbox_id = ? AND name = ?"
_SETTLE = "DELETE FROM intent WHERE mailbox_id = ? AND name = ?"


def read(session: Session, id_: int) -> list[Pair]:
    """Every pair of a mailbox, ascending by UID."""
    return _pairs(session, session.connection.execute(_ALL, (id_,)))


def among(
    session: Session,
    id_: int,
    *,
    uids: Iterable[Uid],
    ranges: Iterable[tuple[Uid, Uid]],
    names: Iterable[UniqueName],
) -> list[Pair]:
    """The pairs with one of these UIDs, or with a UID in one of these ranges, or with one of these names, by UID."""
    found: dict[Uid, Pair] = {}
    spans = merged(chain(((uid, uid) for uid in uids), ranges))
    for batch in _batches(spans, _PLACEHOLDERS // 2):
        statement = _WITHIN.format(",".join(["(?,?)"] * len(batch)))
        rows = session.connection.execute(statement, (*chain.from_iterable(batch), id_))
        found.update((pair.uid, pair) for pair in _pairs(session, rows))
    for wanted in _batches([to_bytes(name) for name in names], _PLACEHOLDERS):
        rows = session.connection.execute(_NAMED.format(",".join(["(?)"] * len(wanted))), (*wanted, id_))
        found.update((pair.uid, pair) for pair in _pairs(session, rows))
    return [found[uid] for uid in sorted(found)]


def holders(session: Session, names: Iterable[UniqueName]) -> frozenset[MailboxName]:
    """The mailboxes with a pair of one of these names."""
    found: set[MailboxName] = set()
    for wanted in _batches([to_bytes(name) for name in names], _PLACEHOLDERS):
        rows = session.connection.execute(_HOLDERS.format(",".join(["(?)"] * len(wanted))), wanted)
        found.update(MailboxName(to_text(name)) for (name,) in rows)
    return frozenset(found)


def latest(session: Session, id_: int, count: int, below: Uid | None) -> list[Pair]:
    """The `count` pairs of the highest UIDs below `below`, descending by UID."""
    limit = _ABOVE_ALL if below is None else below
    return _pairs(session, session.connection.execute(_LATEST, (id_, limit, max(count, 0))))


def base(session: Session, id_: int) -> dict[Uid, Flags]:
    """Every UID with its flags."""
    flags = session.codec.decoded
    return {uid: flags[code] for uid, code in session.connection.execute(_BASE, (id_,))}


def has_all(session: Session, id_: int, uids: Collection[Uid]) -> bool:
    """Whether each of the UIDs is there. They pass by one by one: there may be more than should be held twice."""
    wanted = sorted(uids)
    with closing(session.connection.execute(_UIDS, (id_, wanted[0] if wanted else _ABOVE_ALL))) as rows:
        there = (uid for (uid,) in rows)
        return all(uid in there for uid in wanted)


def write(session: Session, id_: int, pairs: Collection[Pair]) -> None:
    """Insert or replace pairs by UID and by name, and settle the intents and strays of the same names."""
    rows = _rows(session, id_, pairs)
    session.save_keywords()
    session.connection.executemany(_RECORD, rows)
    _settle(session, id_, rows)


def update(session: Session, id_: int, pairs: Collection[Pair]) -> None:
    """As `write`. A pair that keeps its UID and its name is changed in place: half the pages, a third of the time."""
    rows = _rows(session, id_, pairs)
    session.save_keywords()
    changed = session.connection.executemany(_UPDATE, [(*row[3:], *row[:3]) for row in rows]).rowcount
    if changed != len(rows):
        session.connection.executemany(_RECORD, rows)
    _settle(session, id_, rows)


def _rows(session: Session, id_: int, pairs: Iterable[Pair]) -> list[tuple[Any, ...]]:
    encoded = session.codec.encoded
    return [
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


def _settle(session: Session, id_: int, rows: Sequence[tuple[Any, ...]]) -> None:
    """A pair answers what was open about its message and its file."""
    parking.done(session, id_, ((row[1], row[2]) for row in rows))
    for any_, statement in ((_ANY_INTENT, _SETTLE), (_ANY_STRAY, _FOUND)):
        if session.connection.execute(any_, (id_,)).fetchone():
            session.connection.executemany(statement, [(id_, row[2]) for row in rows])


def settle(session: Session, id_: int | None, names: Iterable[UniqueName]) -> None:
    """Remove intents; None: of a mailbox that has none."""
    session.connection.executemany(_SETTLE, [(id_, to_bytes(name)) for name in names])


def remove(session: Session, id_: int | None, uids: Iterable[Uid]) -> None:
    """Remove the pairs of these UIDs, as far as there are any; None: of a mailbox that has none."""
    session.connection.executemany(_FORGET, [(id_, uid) for uid in uids])


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


def _batches(values: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


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
