"""PURE: when files that are missing from the Maildir count as deleted by a person, for a program that sees them vanish.

A pass that comes after an accident sees all of it, and the guards judge it as a whole. A program that stays would see
the first few of a thousand files vanish, find nothing wrong with so few, and expunge them. So deletions rest until no
further file has vanished anywhere in the account for a while, and are then judged together.
"""

from collections.abc import Collection

from syncer.reconcile.identity import MailboxName, UniqueName

REST = 10.0
"""Seconds without a further deletion. What clears a Maildir file by file is faster, or is stopped by the guards."""

Missing = tuple[MailboxName, UniqueName]
"""A file; an empty name is the mailbox as a whole."""


class Deletions:
    """What is missing in one account and has not been carried to the server yet. Times are on a clock of one's own."""

    def __init__(self, rest: float = REST) -> None:
        self._rest = rest
        self._missing: set[Missing] = set()
        self._last = 0.0
        """When the last of them was first seen to be missing."""

    def count(self, now: float, mailboxes: Collection[MailboxName], missing: Collection[Missing]) -> bool:
        """Whether they count as deleted now, in a pass over these mailboxes in which these are missing."""
        kept = {each for each in self._missing if each[0] not in mailboxes}
        if not self._missing.issuperset(missing):
            self._last = now
        self._missing = kept.union(missing)
        if not missing or now < self._last + self._rest:
            return False
        self._missing = kept
        return True

    def looked(self, began: float, mailboxes: Collection[MailboxName] | None) -> None:
        """A pass over these mailboxes, None for all of them, has ended, which began then.

        What counted already when it began, and was not found by it, is waited for no longer: somebody else has carried
        it out, or its mailbox is gone or could not be looked at. Whoever sees it missing later finds it anew.
        """
        if began >= self._last + self._rest:
            self._missing = {each for each in self._missing if mailboxes is not None and each[0] not in mailboxes}

    def due(self, now: float) -> tuple[float, frozenset[MailboxName] | None] | None:
        """In how many seconds they count, and where to look then; None where nothing waits.

        For a mailbox as a whole that is everywhere (None): only then it is decided about.
        """
        if not self._missing:
            return None
        everywhere = any(not name for _, name in self._missing)
        mailboxes = frozenset(mailbox for mailbox, _ in self._missing)
        return max(0.0, self._last + self._rest - now), None if everywhere else mailboxes
