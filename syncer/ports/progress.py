"""Who wants to hear how a pass goes on."""

from __future__ import annotations

from typing import Protocol

from syncer.reconcile.identity import MailboxName


class Progress(Protocol):
    """Hears how a pass goes on. Called from several threads; must be quick and never raise."""

    def mailboxes(self, account: str, total: int) -> None:
        """This many mailboxes will be looked at."""

    def looked(self, account: str, mailbox: MailboxName) -> None:
        """A mailbox was observed on both sides."""

    def planned(self, account: str, messages: int, octets: int) -> None:
        """So much more is to be transferred."""

    def transferred(self, account: str, messages: int, octets: int) -> None:
        """So much more was transferred."""
