"""Renaming a mailbox in the index, with those below it, in the caller's transaction."""

from collections.abc import Mapping

from sqlalchemy import Column, bindparam, delete, func, select, update
from sqlalchemy.engine import Connection

from syncer.errors import MailboxError
from syncer.index import tables
from syncer.reconcile.identity import MailboxName


def rename(connection: Connection, mailbox: MailboxName, new_name: MailboxName) -> None:
    """Rename a mailbox, those below it, and what was deleted from them lately. Pairs and intents stay theirs.

    A mailbox that has the new name and that nothing is known of gives way.

    Raises:
        MailboxError: a mailbox that has the new name has pairs or intents.
    """
    ids = {name: id_ for id_, name in connection.execute(select(tables.mailbox.c.id, tables.mailbox.c.name))}
    moving = {id_: _renamed(name, mailbox, new_name) for name, id_ in ids.items() if _within(name, mailbox)}
    for name in moving.values():
        if name in ids and ids[name] not in moving:
            _give_way(connection, ids[name], name, mailbox)
    # In two steps, because a new name may be the old one of a mailbox that is renamed as well. No mailbox's name has
    # a control character.
    _set_names(connection, tables.mailbox.c.name, {id_: f"\0{id_}" for id_ in moving})
    _set_names(connection, tables.mailbox.c.name, moving)
    deleted = connection.execute(select(tables.deletion.c.id, tables.deletion.c.mailbox))
    renamed = {id_: _renamed(name, mailbox, new_name) for id_, name in deleted if _within(name, mailbox)}
    _set_names(connection, tables.deletion.c.mailbox, renamed)


def _set_names(connection: Connection, column: Column[str], names: Mapping[int, str]) -> None:
    if names:
        statement = (
            update(column.table).where(column.table.c.id == bindparam("which")).values({column: bindparam("to")})
        )
        connection.execute(statement, [{"which": id_, "to": name} for id_, name in names.items()])


def _within(name: str, mailbox: MailboxName) -> bool:
    return name == mailbox or name.startswith(mailbox + "/")


def _renamed(name: str, mailbox: MailboxName, new_name: MailboxName) -> str:
    return new_name + name.removeprefix(mailbox)


def _give_way(connection: Connection, id_: int, name: str, mailbox: MailboxName) -> None:
    for table in (tables.pair, tables.intent):
        if connection.scalar(select(func.count()).select_from(table).where(table.c.mailbox_id == id_)):
            raise MailboxError(
                f"mailbox {mailbox} cannot be renamed in the index: messages of a mailbox {name} are known already; "
                "both are kept as they are, and the next sync compares them"
            )
    connection.execute(delete(tables.mailbox).where(tables.mailbox.c.id == id_))
