"""Messages that failed, in the caller's transaction: how often, and until when they are left alone."""

from collections.abc import Iterable
from typing import Any

from syncer.index.codec import to_bytes, to_text
from syncer.index.session import Session
from syncer.reconcile.identity import Uid, UniqueName
from syncer.reconcile.parking import LONGEST, Parked, pause

_FAILURES = "SELECT failures FROM parked WHERE mailbox_id = ? AND uid = ? AND name = ?"
_PARK = "INSERT OR REPLACE INTO parked (mailbox_id, uid, name, failures, until, reason) VALUES (?, ?, ?, ?, ?, ?)"
_PARKED = "SELECT uid, name, reason, failures, until FROM parked WHERE mailbox_id = ? AND until > ? AND until <= ?"
_ANY = "SELECT 1 FROM parked WHERE mailbox_id = ? LIMIT 1"
_DONE = "DELETE FROM parked WHERE mailbox_id = ? AND (uid = ? OR name = ?)"


def park(session: Session, id_: int, message: Uid | UniqueName, reason: str, now: int) -> None:
    """It failed once more."""
    key = (message, b"") if isinstance(message, int) else (0, to_bytes(message))
    row = session.connection.execute(_FAILURES, (id_, *key)).fetchone()
    failures = 1 + (row[0] if row else 0)
    session.connection.execute(_PARK, (id_, *key, failures, now + pause(failures), to_bytes(reason)))


def parked(session: Session, id_: int | None, now: int) -> dict[Uid | UniqueName, Parked]:
    """Those that are to be left alone now; None: of a mailbox that has none.

    One that would have to wait for longer than the longest pause was parked by a clock that was wrong.
    """
    rows = session.connection.execute(_PARKED, (id_, now, now + LONGEST))
    return {
        Uid(uid) if uid else UniqueName(to_text(name)): Parked(to_text(reason), failures, until)
        for uid, name, reason, failures, until in rows
    }


def done(session: Session, id_: int, rows: Iterable[tuple[Any, ...]]) -> None:
    """These (UID, name) have pairs now."""
    if session.connection.execute(_ANY, (id_,)).fetchone():
        session.connection.executemany(_DONE, [(id_, uid, name) for uid, name in rows])
