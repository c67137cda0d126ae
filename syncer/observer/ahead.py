"""Reading the directories that have changed while the server has yet to answer.

Which those are is known before anything is known of the server, and reading a large one takes as long as several
answers on their way. What was read counts only if the directories are still the same when it is asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from syncer.errors import SyncerError
from syncer.ports import Expectation

if TYPE_CHECKING:
    from syncer.observer.glance import Shortcuts
    from syncer.ports import Index, KnownMailbox, LocalStore
    from syncer.reconcile.identity import MailboxName
    from syncer.reconcile.observations import LocalListing


class Ahead:
    """A thread that reads; used for one pass, and over when `end` returns."""

    def __init__(
        self,
        store: LocalStore,
        index: Index,
        shortcuts: Shortcuts,
        wants: Callable[[str], bool],
        load: Callable[[], object],
    ) -> None:
        """Begin. `wants` says which mailboxes matter; `load` is called as soon as one of them has changed."""
        self._store = store
        self._index = index
        self._shortcuts = shortcuts
        self._wants = wants
        self._load = load
        self._over = threading.Event()
        self._looked = threading.Event()
        self._changed: frozenset[MailboxName] = frozenset()
        self._states: dict[MailboxName, str | None] = {}
        self._listings: dict[MailboxName, LocalListing] = {}
        self._thread = threading.Thread(target=self._read, name="ahead", daemon=True)
        self._thread.start()

    def state(self, mailbox: MailboxName) -> str | None:
        """The state of a directory (see `LocalStore.state`) as it was found when the pass began.

        That will do to tell that there is nothing to do. Where there is, each has to be looked at anew: a file may have
        moved from a directory that was read to one that was not yet, and is not gone then.
        """
        self._looked.wait()
        return self._states[mailbox] if mailbox in self._states else self._store.state(mailbox)

    def has_changed(self, mailbox: MailboxName) -> bool:
        """Whether the directory was found in another state than the index knows; False where that is not known."""
        self._looked.wait()
        return mailbox in self._changed

    def take(self, mailbox: MailboxName) -> LocalListing | None:
        """What was read of a mailbox (see `LocalStore.scan`), if it still holds; given out once."""
        self._thread.join()
        listing = self._listings.pop(mailbox, None)
        if listing is None or listing.state is None or self._store.state(mailbox) != listing.state:
            return None
        return listing

    def end(self) -> None:
        """Read no further, and wait for what is being read."""
        self._over.set()
        self._thread.join()

    def _read(self) -> None:
        try:
            changed = self._look()
            if changed:
                self._load()
            for known in changed:
                if self._over.is_set():
                    return
                expected = Expectation(partial(self._index.file_names, known.name), known.local_state)
                self._listings[known.name] = self._store.scan(known.name, known.mapping, expected)
        except SyncerError:  # whoever looks at it next is told what is wrong
            return

    def _look(self) -> list[KnownMailbox]:
        try:
            changed = [known for known in self._index.mailboxes() if self._has_changed(known)]
            self._changed = frozenset(known.name for known in changed)
        finally:
            self._looked.set()
        return changed

    def _has_changed(self, known: KnownMailbox) -> bool:
        if not self._wants(known.name) or known.local_state is None or not self._shortcuts.hold(known):
            return False
        state = self._states[known.name] = self._store.state(known.name)
        return state not in {None, known.local_state}
