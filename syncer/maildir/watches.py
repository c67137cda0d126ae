"""The directories of a Maildir in which changes can be seen: each is watched, or polled where that cannot be had.

Watched: the system tells `news` of what happens in it. Polled: its times are compared now and then. A directory is
watched only if the one that it lies in is, for only there it is seen that it was exchanged for another one.
"""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Collection
from typing import Protocol

from syncer.errors import MailboxError
from syncer.maildir import fsops
from syncer.maildir.layout import Layout
from syncer.maildir.news import News
from syncer.maildir.places import Directory, Places
from syncer.maildir.scan import unsettled
from syncer.maildir.state import CUR, NEW, Stamp, stamp
from syncer.reconcile.identity import INBOX, MailboxName

_UNKNOWN: Stamp = (-1, 0, 0, 0)
"""No directory is ever like this."""

_LIMITS = {
    errno.ENOSPC: "the system's limit of watches is reached (raise fs.inotify.max_user_watches)",
    errno.EMFILE: "the limit of inotify instances or of open files is reached "
    "(raise fs.inotify.max_user_instances, or ulimit -n)",
    errno.ENFILE: "the system has too many open files",
    errno.ENOMEM: "the system is out of memory",
}


class Events(Protocol):
    """Where events come from; they are told to a `News`."""

    trustworthy: bool
    """It says so when events were lost."""

    @property
    def alive(self) -> bool:
        """More events may come."""

    def watch(self, directory: Directory) -> None:
        """Tell of what happens in the directory from now on. Raises OSError."""

    def unwatch(self, path: bytes) -> None:
        """Tell no more of what happens in it."""

    def close(self) -> None:
        """End the threads and free everything; nothing is told any more."""


class Watches:
    """Those of one Maildir. Close it when done."""

    def __init__(self, root: bytes, layout: Layout, news: News) -> None:
        """Nothing is watched or polled before `arrange` was called with the root."""
        self._root = root
        self._places = Places(root, layout)
        self._news = news
        self._events: Events | None = None
        self._identity: tuple[int, int] | None = None
        self._known: dict[bytes, Directory] = {}
        self._watched: set[bytes] = set()
        self._polled: dict[bytes, Stamp] = {}
        self._obstacle: OSError | None = None
        self._exhausted = False
        self._given_up: str | None = None

    def arrange(self, disturbed: Collection[bytes]) -> bool:
        """Forget what is disturbed and all that lies in it, list it again, and watch or poll what is new.

        With nothing disturbed all directories are listed. Returns whether anything was forgotten or is new: then it is
        not certain what happened.
        """
        if self._root in disturbed or self._identity != _identity(self._root):
            changed = self._forget_all()
            tops = {self._root}
        else:
            changed = self._forget_below(disturbed)
            tops = self._tops(disturbed)
        while not self._news.closed:
            there = {
                directory.path: directory
                for top in tops
                for directory in self._places.directories(top[len(self._root) + 1 :])
            }
            gone = [path for path in self._known if path not in there and self._lies_in(path, tops)]
            fresh = [directory for path, directory in there.items() if self._known.get(path) != directory]
            for path in gone:
                self._forget(path)
            if not fresh:
                return changed or bool(gone)
            # Others may have come in a directory before it was watched, so it is listed once more.
            changed = True
            self._take_up(fresh)
        return changed

    def poll(self) -> tuple[set[MailboxName], bool]:
        """Look at what is not watched, and try once more to watch it.

        Returns mailboxes in which something changed, and whether directories may have come, gone or been exchanged.
        """
        if self._events is not None and not self._events.alive:
            self._news.died("its thread ended")
        self._obstacle = None
        self._exhausted = False
        self._open()
        mailboxes: set[MailboxName] = set()
        # Given up, perhaps, in the middle of a listing.
        others = self._given_up is not None or self._identity != _identity(self._root)
        for path, before in list(self._polled.items()):
            directory = self._known[path]
            watched = self._watch(directory)
            now = self._look(path)
            if watched:
                del self._polled[path]
            else:
                self._polled[path] = _settled(now)
            if now != before:
                others |= not directory.holds_messages
                if directory.mailbox is not None:
                    mailboxes.add(directory.mailbox)
        return mailboxes, others

    def give_up(self, reason: str) -> None:
        """Poll everything from now on."""
        self._given_up = reason
        self.close()
        self._watched.clear()
        self._polled = {path: _settled(self._look(path)) for path in self._known}

    def close(self) -> None:
        """Nothing is watched any more."""
        events, self._events = self._events, None
        if events is not None:
            with contextlib.suppress(OSError):  # it is not used any more, whatever happened to it
                events.close()

    def degraded(self, poll_seconds: float) -> str | None:
        """What is not watched but polled, why, and what to do; None if everything is watched."""
        if not self._polled and self._given_up is None:
            return None
        how = f"looked at every {poll_seconds:g} seconds"
        number, all_of_them = len(self._polled), len(self._known)
        which = "its directories" if number == all_of_them else f"{number} of its {all_of_them} directories"
        maildir = fsops.printable(self._root)
        if self._given_up is not None:
            return f"{maildir}: watching ended unexpectedly ({self._given_up}); {which} are {how} instead"
        if self._obstacle is None:
            return f"{maildir}: events may be lost on this system, or with this watchdog; {which} are {how} as well"
        why = _LIMITS.get(self._obstacle.errno or 0) or self._obstacle.strerror or str(self._obstacle)
        return f"{maildir}: {which} cannot be watched: {why}; they are {how} instead"

    def _tops(self, disturbed: Collection[bytes]) -> set[bytes]:
        """Where to begin to list: as low as possible, for every directory is listed there that lies below."""
        tops = {os.path.dirname(path) if os.path.basename(path) in {NEW, CUR} else path for path in disturbed}
        if self._root in tops:
            return {self._root}
        return {top for top in tops if os.path.dirname(top) in self._known} or {self._root}

    def _forget_all(self) -> bool:
        """Begin anew, with another queue: ending the watches one by one would fill the one that there is."""
        self.close()
        self._known.clear()
        self._watched.clear()
        self._polled.clear()
        self._obstacle = None
        self._identity = _identity(self._root)
        self._open()
        return True

    def _forget_below(self, disturbed: Collection[bytes]) -> bool:
        below = [path for path in self._known if self._lies_in(path, disturbed)] if disturbed else []
        for path in below:
            self._forget(path)
        return bool(below)

    def _lies_in(self, path: bytes, directories: Collection[bytes]) -> bool:
        while path not in directories:
            if path == self._root:
                return False
            path = os.path.dirname(path)
        return True

    def _forget(self, path: bytes) -> None:
        del self._known[path]
        self._polled.pop(path, None)
        if path in self._watched:
            self._watched.discard(path)
            if self._events is not None:
                self._events.unwatch(path)

    def _take_up(self, fresh: list[Directory]) -> None:
        """Watch directories, or poll them. INBOX comes first, where there are too few watches for all."""
        self._exhausted = False
        self._forget_below({directory.path for directory in fresh if directory.path in self._known})
        for directory in sorted(fresh, key=lambda it: (it.path != self._root, it.mailbox != INBOX, it.path)):
            self._known[directory.path] = directory
            if not self._watch(directory):
                self._polled[directory.path] = _settled(self._look(directory.path))

    def _watch(self, directory: Directory) -> bool:
        """Whether it need not be polled."""
        path = directory.path
        if self._events is None:
            return False
        if path not in self._watched:
            if self._exhausted or (path != self._root and os.path.dirname(path) not in self._watched):
                return False
            try:
                self._events.watch(directory)
            except OSError as error:
                self._obstacle = error
                self._exhausted = error.errno in _LIMITS
                return False
            self._watched.add(path)
        return self._events.trustworthy

    def _look(self, path: bytes) -> Stamp:
        """What cannot be looked at is like what is not there: the pass that looks at the mailbox says why."""
        try:
            return stamp(os.path.join(path, b".") if path == self._root else path)  # the root may be a symbolic link
        except MailboxError:
            return None

    def _open(self) -> None:
        if self._events is None and self._given_up is None:
            try:
                self._events = _open_events(self._root, self._news)
            except OSError as error:
                self._obstacle = error


def _open_events(root: bytes, news: News) -> Events:
    """Raises OSError."""
    if sys.platform.startswith("linux"):
        try:
            from syncer.maildir.inotify import Inotify  # noqa: PLC0415 - watchdog is slow to import
        except ImportError:
            pass  # an older watchdog
        else:
            return Inotify(root, news)
    from syncer.maildir.observed import Observed  # noqa: PLC0415 - as above

    return Observed(root, news)


def _settled(found: Stamp) -> Stamp:
    """What to remember; if a change could still hide in the tick of the last one, nothing that is ever found again."""
    return _UNKNOWN if found is not None and unsettled(found, time.time_ns()) > 0 else found


def _identity(root: bytes) -> tuple[int, int] | None:
    """Which directory it is. No event tells that a symbolic link points elsewhere, or a file system was mounted."""
    try:
        found = os.stat(root)
    except OSError:
        return None
    return found.st_dev, found.st_ino
