"""What happened in a Maildir since somebody last asked: filled by the thread that reads events, taken by the watcher's.

It holds mailboxes and directories and no events, so that it stays small however much happens while nobody asks, and the
kernel's queue is always emptied.
"""

import threading

from syncer.reconcile.identity import MailboxName
from syncer.values import Struct

TOGETHER = 0.02
"""For how long (in seconds) we wait for more, once something happened.

A rename is two events, which the kernel queues one after the other; a link and an unlink, of a program that moves a
message in two steps, follow one another as soon. Short for a person who waits for the other device."""


class Batch(Struct, frozen=True):
    """What happened."""

    mailboxes: frozenset[MailboxName] = frozenset()
    """In these something came, went or was renamed."""
    directories: frozenset[bytes] = frozenset()
    """Of these, and of those in them, nothing is known any more."""
    death: str | None = None
    """Why no more events will come."""


class News:
    """Between two threads. `touched`, `disturbed` and `died` are called by one, the others by the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._there = threading.Event()
        self._closed = threading.Event()
        self._mailboxes: set[MailboxName] = set()
        self._directories: set[bytes] = set()
        self._halves: set[int] = set()
        self._death: str | None = None

    def touched(self, *mailboxes: MailboxName, leaves: int = 0, arrives: int = 0) -> None:
        """Something happened to messages. `leaves` and `arrives` name the two halves of one rename."""
        with self._lock:
            self._mailboxes.update(mailboxes)
            if leaves:
                self._halves.add(leaves)
            elif arrives:
                self._halves.discard(arrives)
            self._wake()

    def disturbed(self, directory: bytes) -> None:
        """It may be there or not, or be another one than before."""
        with self._lock:
            self._directories.add(directory)
            self._wake()

    def died(self, reason: str) -> None:
        """No more events will come."""
        with self._lock:
            self._death = reason
            self._wake()

    def close(self) -> None:
        """Whoever waits here waits no more."""
        self._closed.set()
        self._there.set()

    def take(self, timeout: float) -> Batch | None:
        """Wait until something happened, at most so many seconds, and return it all; None when closed.

        A rename is not taken apart if both of its halves come at all (out of the Maildir there is no second one).
        """
        if self._there.wait(timeout):
            self.rest(TOGETHER)
            if self._halves:
                self.rest(TOGETHER)
        if self.closed:
            return None
        with self._lock:
            batch = Batch(frozenset(self._mailboxes), frozenset(self._directories), self._death)
            for taken in (self._mailboxes, self._directories, self._halves):
                taken.clear()
            self._death = None
            if not self.closed:
                self._there.clear()
            return batch

    def rest(self, seconds: float) -> None:
        """Do nothing for so long, or until closed."""
        self._closed.wait(seconds)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed.is_set()

    def _wake(self) -> None:
        if not self._there.is_set():  # setting it costs more than all the rest that an event does
            self._there.set()
