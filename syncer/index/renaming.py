"""Renaming a mailbox in the index, with those below it, in the caller's transaction."""

import sqlite3

from syncer.errors import MailboxError
from syncer.index.codec import to_bytes, to_text
from syncer.reconcile.identity import MailboxName

_NAME_MAILBOX = "UPDATE mailbox SET name = ? WHERE id = ?"
_NAME_DELETION = "UPDATE deletion SET mailbox = ? WHERE id = ?"
_IN_USE = (
    "SELECT EXISTS (SELECT 1 FROM pair WHERE mailbox_id = :id) OR EXISTS (SELECT 1 FROM intent WHERE mailbox_id = :id)"
)


def rename(connection: sqlite3.Connection, mailbox: MailboxName, new_name: MailboxName) -> None:
    """Rename a mailbox, those below it, and what was deleted from them lately. Pairs and intents stay theirs.

    A mailbox that has the new name and that nothing is known of gives way.

    Raises:
        MailboxError: a mailbox that has the new name has pairs or intents.
    """
    ids = {to_text(name): id_ for id_, name in connection.execute("SELECT id, name FROM mailbox")}
    moving = {id_: _renamed(name, mailbox, new_name) for name, id_ in ids.items() if _within(name, mailbox)}
    for name in moving.values():
        if name in ids and ids[name] not in moving:
            _give_way(connection, ids[name], name, mailbox)
    # In two steps, because a new name may be the old one of a mailbox that is renamed as well. No mailbox's name has
    # a control character.
    connection.executemany(_NAME_MAILBOX, [(b"\0%d" % id_, id_) for id_ in moving])
    connection.executemany(_NAME_MAILBOX, [(to_bytes(name), id_) for id_, name in moving.items()])
    deleted = [(id_, to_text(name)) for id_, name in connection.execute("SELECT id, mailbox FROM deletion")]
    renamed = [(to_bytes(_renamed(name, mailbox, new_name)), id_) for id_, name in deleted if _within(name, mailbox)]
    connection.executemany(_NAME_DELETION, renamed)


def _within(name: str, mailbox: MailboxName) -> bool:
    return name == mailbox or name.startswith(mailbox + "/")


def _renamed(name: str, mailbox: MailboxName, new_name: MailboxName) -> str:
    return new_name + name.removeprefix(mailbox)


def _give_way(connection: sqlite3.Connection, id_: int, name: str, mailbox: MailboxName) -> None:
    (in_use,) = connection.execute(_IN_USE, {"id": id_}).fetchone()
    if in_use:
        raise MailboxError(
            f"mailbox {mailbox} cannot be renamed in the index: messages of a mailbox {name} are known already; "
            "both are kept as they are, and the next sync compares them"
        )
    connection.execute("DELETE FROM stray WHERE mailbox_id = ?", (id_,))
    connection.execute("DELETE FROM parked WHERE mailbox_id = ?", (id_,))
    connection.execute("DELETE FROM mailbox WHERE id = ?", (id_,))
