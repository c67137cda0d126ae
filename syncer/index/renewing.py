"""A mailbox in a new epoch: its pairs get other UIDs, in the caller's transaction.

Files whose message the server does not have any more become strays, about which a person decides.
"""

from collections.abc import Collection, Iterable, Mapping

from syncer.index import pairs as table
from syncer.index.codec import to_bytes, to_text
from syncer.index.session import Session
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.values import replace

_REMOVE_PAIRS = "DELETE FROM pair WHERE mailbox_id = ?"
_ADD_STRAY = "INSERT OR IGNORE INTO stray (mailbox_id, name) VALUES (?, ?)"
_STRAYS = "SELECT name FROM stray WHERE mailbox_id = ? ORDER BY name"
_FORGET = "DELETE FROM stray WHERE mailbox_id = ? AND name = ?"
# An intent may have been carried out in either epoch: it is looked for among all messages.
_INTENTS = "UPDATE intent SET uidnext = NULL WHERE mailbox_id = ?"
_UNPARK = "DELETE FROM parked WHERE mailbox_id = ? AND uid > 0"
_MAILBOX = """
    UPDATE mailbox SET uidvalidity = ?, uidnext = ?, highestmodseq = ?, object_id = ?, messages = NULL,
        local_state = NULL, compared_at = NULL, held = 'local,server'
    WHERE id = ?
"""


def renew(
    session: Session, mailbox: MailboxName, epoch: Epoch, uids: Mapping[Uid, Uid], lost: Collection[UniqueName]
) -> None:
    """Give pairs their new UIDs, and remove those that got none; both sides are held, no shortcut is left."""
    id_ = session.made(mailbox)
    kept = [replace(pair, uid=uids[pair.uid], email_id=None) for pair in table.read(session, id_) if pair.uid in uids]
    session.connection.execute(_REMOVE_PAIRS, (id_,))
    table.write(session, id_, kept)
    session.connection.executemany(_ADD_STRAY, [(id_, to_bytes(name)) for name in lost])
    session.connection.execute(_INTENTS, (id_,))
    session.connection.execute(_UNPARK, (id_,))
    object_id = None if epoch.mailbox_id is None else to_bytes(epoch.mailbox_id)
    counters = epoch.uidvalidity, epoch.uidnext, epoch.highestmodseq, object_id
    session.connection.execute(_MAILBOX, (*counters, id_))


def strays(session: Session, id_: int | None) -> frozenset[UniqueName]:
    """The strays of a mailbox; None: of one that has none."""
    return frozenset(UniqueName(to_text(name)) for (name,) in session.connection.execute(_STRAYS, (id_,)))


def forget(session: Session, id_: int | None, names: Iterable[UniqueName]) -> None:
    """Names that are strays no more."""
    session.connection.executemany(_FORGET, [(id_, to_bytes(name)) for name in names])
