"""A mailbox's counters: by what one knows that it is the same mailbox, and whether anything happened in it. Pure."""

from __future__ import annotations

from syncer.reconcile.identity import ModSeq, Uid, UidValidity
from syncer.values import Struct


class Epoch(Struct, frozen=True):
    """A mailbox's counters. Within one epoch none of them goes backwards and `mailbox_id` does not change."""

    uidvalidity: UidValidity
    uidnext: Uid | None = None
    highestmodseq: ModSeq | None = None
    """None where the server has no CONDSTORE or the mailbox no modseqs (RFC 7162 section 3.1.2.2)."""
    mailbox_id: str | None = None
    """RFC 8474 MAILBOXID, where the server has it."""


class Cursor(Struct, frozen=True):
    """How far a pass over a mailbox came on the server: its counters, and how many messages it held."""

    epoch: Epoch
    messages: int
    """MESSAGES of STATUS, or EXISTS."""

    def still(self, now: Cursor | None) -> bool:
        """Whether nothing happened in the mailbox until `now`, as far as its counters tell.

        Every change raises HIGHESTMODSEQ (RFC 7162 section 3.1.2); without modseqs nobody knows. A MAILBOXID that one
        of the two does not have is not compared.
        """
        if now is None or self.epoch.highestmodseq is None:
            return False
        known, seen = self.epoch, now.epoch
        same = known.mailbox_id is None or seen.mailbox_id is None or known.mailbox_id == seen.mailbox_id
        return same and (known.uidvalidity, known.uidnext, known.highestmodseq, self.messages) == (
            seen.uidvalidity,
            seen.uidnext,
            seen.highestmodseq,
            now.messages,
        )
