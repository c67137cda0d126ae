"""Events of directories where `inotify` cannot be used: another system, or an older watchdog.

watchdog's Observer watches the whole Maildir. It loses events without a word when there are many, so whoever uses it
has to look at the directories from time to time as well.
"""

import os
from typing import TYPE_CHECKING

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from syncer.maildir.news import News
from syncer.maildir.places import Directory
from syncer.maildir.state import KEYWORDS, TMP

if TYPE_CHECKING:
    from watchdog.observers.api import ObservedWatch

_EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
]


class Observed:
    """watchdog's Observer on the whole Maildir; tells `news`. Close it when done."""

    trustworthy = False
    """May lose events."""

    def __init__(self, root: bytes, news: News) -> None:
        self._root = root
        self._watch: ObservedWatch | None = None
        self._handler = _Handler(root, news)
        self._observer = Observer()
        self._observer.start()

    @property
    def alive(self) -> bool:
        """The thread that tells runs; those that read end with the directory that they read."""
        return self._observer.is_alive()

    def watch(self, directory: Directory) -> None:
        """Tell of what happens in the directory from now on. Raises OSError."""
        if directory.path == self._root:
            self._handler.real = os.path.realpath(self._root)
            self._watch = self._observer.schedule(
                self._handler, os.fsdecode(self._handler.real), recursive=True, event_filter=_EVENTS
            )
        self._handler.directories[directory.path] = directory

    def unwatch(self, path: bytes) -> None:
        """Tell no more of what happens in the directory."""
        del self._handler.directories[path]
        if path == self._root and self._watch is not None:
            self._observer.unschedule(self._watch)

    def close(self) -> None:
        """End the threads."""
        self._observer.stop()
        self._observer.join()


class _Handler(FileSystemEventHandler):
    """Hears of everything. `real` is the path that the system knows the root by, some follow symbolic links in it."""

    def __init__(self, root: bytes, news: News) -> None:
        self.real = root
        self.directories: dict[bytes, Directory] = {}
        self._root = root
        self._news = news

    def dispatch(self, event: FileSystemEvent) -> None:
        """A name came or went, or both."""
        paths = [self._root + os.fsencode(path)[len(self.real) :] for path in (event.src_path, event.dest_path) if path]
        if event.is_directory:
            for path in paths:
                if os.path.basename(path) != TMP:
                    self._news.disturbed(path)
            return
        homes = [(path, self.directories.get(os.path.dirname(path))) for path in paths]
        touched = [
            home.mailbox
            for path, home in homes
            if home is not None and home.mailbox is not None
            if home.holds_messages or os.path.basename(path) == KEYWORDS
        ]
        if touched:
            self._news.touched(*touched)
