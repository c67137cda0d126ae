"""What a program that stays needs of a server: to be told when something happens."""

from __future__ import annotations

from typing import Protocol

from syncer.reconcile.identity import MailboxName
from syncer.values import Struct


class Heard(Struct, frozen=True):
    """Where something has happened. A hint: it says nothing about what, and may be wrong."""

    mailboxes: frozenset[MailboxName] = frozenset()
    everywhere: bool = False
    """In any mailbox, or to mailboxes as a whole."""

    @property
    def nothing(self) -> bool:
        """Nothing was heard."""
        return not (self.mailboxes or self.everywhere)


class Push(Protocol):
    """One connection on which the server tells of changes by itself. Belongs to one thread.

    Everything that happens after it was made is told, sooner or later; what happened before, the caller has to look at.
    Every method may raise `ConnectionLostError` and `ProtocolError`; the connection is then closed.
    """

    @property
    def covers(self) -> frozenset[MailboxName] | None:
        """The mailboxes of which it tells; None for all of them."""

    def hear(self, seconds: float, wake: int) -> Heard:
        """Wait until the server tells of something, at most `seconds`, or until the descriptor `wake` can be read."""

    def check(self) -> Heard:
        """Find out whether the connection still stands, by a command and its reply; what is told meanwhile.

        It is called from time to time so that neither a server nor anything on the way takes it for dead.
        """

    def close(self) -> None:
        """LOGOUT if the connection still stands, then close it. Never raises."""
