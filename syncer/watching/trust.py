"""PURE: whether a server that has promised to tell of every change does so. Times are seconds on one clock.

Dovecot 2.3 does not: once a mailbox was renamed while somebody had NOTIFY set, its list index counts as corrupt, and it
tells of next to nothing from then on, on new connections as well, without a word. So everything is looked at from time
to time all the same, and what such a look finds must have been told of.

Nor does it tell of what happens in INBOX within half a second of something in another mailbox, if INBOX's log was begun
anew shortly before. So everything is looked at `AGAIN` seconds after it has told of anything, and what that finds is no
reason for mistrust.
"""

from collections.abc import Collection

from syncer.reconcile.identity import MailboxName

BEFORE = 60.0
"""Seconds between being told of a change and looking for it, where there was much to do."""

AGAIN = 2.0
"""Seconds after which everything is looked at, when it has told of something."""
BESIDE = 10.0
"""So many seconds after it has told of something it may leave out something else."""


class Trust:
    """In what one connection tells, which has promised to tell of every mailbox."""

    def __init__(self, now: float) -> None:
        """It has just promised."""
        self._looked = now
        """When the look before began."""
        self._all = now
        """When it told last that anything may have happened anywhere."""
        self._spoke = now - BESIDE
        """When it told last of some mailboxes."""
        self._told: dict[MailboxName, float] = {}
        self._untold: set[MailboxName] = set()
        """What was found and not told of, not even since."""

    def told(self, now: float, mailboxes: Collection[MailboxName] | None) -> None:
        """It tells of these mailboxes; None: of all of them."""
        if mailboxes is None:
            self._all = now
            self._untold.clear()
        else:
            self._spoke = now
            self._told.update(dict.fromkeys(mailboxes, now))
            self._untold.difference_update(mailboxes)

    def looked(
        self, began: float, changed: Collection[MailboxName], undone: Collection[MailboxName] = ()
    ) -> frozenset[MailboxName]:
        """Everything was looked at from `began` on, and in `changed` the server had changed.

        In `undone` something was left for the next look, which nobody has to tell of again. Returns those mailboxes
        that an earlier look had found, and of which it has not told since: a server may tell of a change some moments
        after it can be seen.
        """
        if began < self._spoke + BESIDE:
            self._told.update(dict.fromkeys(undone, began))
            return frozenset()
        lost = frozenset(self._untold)
        since = min(self._looked, began) - BEFORE
        self._looked = began
        if self._all < since:
            self._untold.update(name for name in changed if self._told.get(name, since - 1.0) < since)
        self._told.update(dict.fromkeys(undone, began))
        return lost
