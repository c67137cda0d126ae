"""What a pass leaves in the row of a mailbox: how far it came. In the caller's transaction."""

from collections.abc import Collection

from syncer.index.codec import to_bytes, to_json
from syncer.index.session import Session
from syncer.ports import Finished
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import MailboxName

_FORGET = """
    UPDATE mailbox SET uidvalidity = NULL, uidnext = NULL, highestmodseq = NULL, object_id = NULL, messages = NULL
    WHERE id = ?
"""
_DISTRUST = "UPDATE mailbox SET compared_at = NULL WHERE id = ?"
_BEGIN = """
    UPDATE mailbox SET uidvalidity = ?, uidnext = ?, highestmodseq = ?, object_id = ?
    WHERE id = ? AND uidvalidity IS NULL
"""
_COUNTERS = """
    UPDATE mailbox SET uidvalidity = ?, uidnext = ?, highestmodseq = ?, object_id = ?, messages = ? WHERE id = ?
"""
_FINISH = """
    UPDATE mailbox SET mapping = ifnull(?, mapping), local_state = ?, settings = ?,
        compared_at = ifnull(?, compared_at), synced_at = ?, error = NULL
    WHERE id = ?
"""


def forget_epoch(session: Session, mailbox: MailboxName) -> None:
    """Forget the counters, and with them how many messages there were."""
    session.connection.execute(_FORGET, (session.known(mailbox),))


def distrust(session: Session, mailbox: MailboxName) -> None:
    """Forget when it was compared, without which no shortcut holds."""
    session.connection.execute(_DISTRUST, (session.known(mailbox),))


def begin(session: Session, mailbox: MailboxName, epoch: Epoch) -> None:
    """Record the counters of a mailbox that has none."""
    session.connection.execute(_BEGIN, (*_counters(epoch), session.made(mailbox)))


def finish(session: Session, done: Collection[Finished], now: int) -> None:
    """Record how passes ended, and clear the errors of those before."""
    counters: list[tuple[object, ...]] = []
    others: list[tuple[object, ...]] = []
    for one in done:
        id_ = session.made(one.mailbox)
        if one.epoch is not None:
            counters.append((*_counters(one.epoch), one.messages, id_))
        mapping = None if one.mapping is None else to_json(one.mapping)
        compared_at = now if one.compared else None
        others.append((mapping, _verbatim(one.local_state), one.settings, compared_at, now, id_))
    session.connection.executemany(_COUNTERS, counters)
    session.connection.executemany(_FINISH, others)


def _counters(epoch: Epoch) -> tuple[object, ...]:
    return epoch.uidvalidity, epoch.uidnext, epoch.highestmodseq, _verbatim(epoch.mailbox_id)


def _verbatim(text: str | None) -> bytes | None:
    return None if text is None else to_bytes(text)
