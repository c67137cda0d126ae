"""Whose mail does the index know? Under another login it must still be the same.

Who puts another `user` into a section that was synced would otherwise fill the other account with the mail of the
first: nothing of it is there, so all of it is new.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from syncer.errors import RefusedError
from syncer.index import LOGIN
from syncer.ports import Index, KnownMailbox, Server
from syncer.reconcile.identity import MailboxName, UidValidity

if TYPE_CHECKING:
    from syncer.config import Account
    from syncer.wiring.parts import Connect

MAILBOXES = 5
"""So many mailboxes are asked for, those with the most messages."""
SAMPLE = 20
"""So many messages of each, those of the highest UIDs."""


def insist_on_the_same_mail(account: "Account", index: Index, connect: "Connect", *, learn: bool) -> None:
    """Ask the server, where the index knows messages, and knows them of another login than the account has now.

    What is certain is kept in the index, if it may `learn`.

    Raises:
        RefusedError: nothing of what the index knows is there.
        AccountError: the server could not be asked.
    """
    known = index.recall(LOGIN)
    if known == account.user:
        return
    if known is not None and any(index.totals().values()):
        with closing(connect()) as server:
            if not _holds(server, index):
                raise _another(account, known)
    if learn:
        index.remember(LOGIN, account.user)


def _holds(server: Server, index: Index) -> bool:
    """Whether messages that the index knows are there: under their UIDs, and with their header blocks.

    UIDVALIDITY alone proves little: there are servers on which it is the same number in every account.
    """
    cursors = {mailbox.name: mailbox.cursor for mailbox in server.mailboxes(counters=True)}
    there = {name: cursor.epoch.uidvalidity for name, cursor in cursors.items() if cursor is not None}
    return any(_is_in(server, index, mailbox) for mailbox in _largest(index, there))


def _largest(index: Index, there: Mapping[MailboxName, UidValidity]) -> list[KnownMailbox]:
    """The mailboxes with the most messages, of those that are there with the UIDVALIDITY that the index knows."""
    totals = index.totals()
    same = [one for one in index.mailboxes() if one.epoch is not None and there.get(one.name) == one.epoch.uidvalidity]
    return sorted(same, key=lambda one: totals.get(one.name, 0), reverse=True)[:MAILBOXES]


def _is_in(server: Server, index: Index, mailbox: KnownMailbox) -> bool:
    """A server may change what is uploaded to it: it is enough that more are alike than not."""
    expected = {pair.uid: pair.fingerprint.header for pair in index.latest(mailbox.name, SAMPLE)}
    found = server.headers(mailbox.name, tuple(expected))
    alike = sum(header == expected[uid] for uid, header in found.items())
    return alike * 2 > len(found)


def _another(account: "Account", known: str) -> RefusedError:
    return RefusedError(
        f"{account.name}: what was synced is the mail of the login {known}, and none of it is in the account of"
        f" {account.user}. Nothing was changed. Put the old login back into the configuration, or give the other"
        " account a section and a Maildir of its own",
        "If your mail has moved to the other account, the next sync copies to each side what only the other has, after"
        " this",
    )
