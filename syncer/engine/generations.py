"""Is the Maildir an older copy of itself? Then what is missing there was not deleted by anybody.

Index and Maildir both keep a number. It grows before the first effect of each pass that has one, in the Maildir first:
killed in between, the Maildir is ahead, which means nothing. An index that is ahead has met a Maildir that was put back
from before its last passes. Who allows deletions has to be told first what is missing in it, mailbox by mailbox.
"""

import json
from collections.abc import Iterable

from syncer.ports import Index, LocalStore
from syncer.reconcile.identity import MailboxName

KEY = "generation"
UNTOLD = "untold of an older copy"


class Generations:
    """The numbers in one pass."""

    def __init__(self, store: LocalStore, index: Index) -> None:
        """Compare them."""
        self._store, self._index = store, index
        self._known = int(index.recall(KEY) or 0)
        self._written = False
        self.older_copy = self._known > store.generation
        """The Maildir is one."""
        met, names = json.loads(index.recall(UNTOLD) or "[0, []]")
        if self.older_copy and met != self._known:
            names = [mailbox.name for mailbox in index.mailboxes()]
        self.untold = frozenset(MailboxName(name) for name in names)
        """Mailboxes of which nobody was told yet what is missing in the last one that was met."""

    def begin(self) -> None:
        """The first effect comes next. An older copy stays one until `trust`."""
        if not (self.older_copy or self._written):
            self._advance()

    def trust(self) -> None:
        """Everything was looked at, and what is missing in an older copy is held until a person decides."""
        if self.older_copy:
            self._advance()

    def tell(self, mailboxes: Iterable[MailboxName]) -> None:
        """What is missing in these was told."""
        left = self.untold.difference(mailboxes)
        if self.untold:
            self._index.remember(UNTOLD, json.dumps([self._known, sorted(left)]))

    def _advance(self) -> None:
        generation = max(self._known, self._store.generation) + 1
        self._store.advance(generation)
        self._index.remember(KEY, str(generation))
        self._written = True
