"""Events of directories from the Linux kernel, through `InotifyFD` of watchdog; an ImportError if it has none.

watchdog's Observer spends 200 µs on an event, half a second on a message that leaves the Maildir, and loses what it has
no time for without a word. Its reader of the kernel's queue, which this is made of, spends 6 µs and says so.
See inotify(7).

Which events: names that come and go (IN_CREATE, IN_DELETE, IN_MOVE). A message that is written where it lies, instead
of being moved there as the Maildir specification wants it, is announced by IN_CREATE, a link as well. IN_MODIFY and
IN_CLOSE_WRITE are not asked for: they would announce what was written under a name that is known already, and that is
no change that a pass looks for (a message that was rewritten in place is for `verify`). Nor are IN_OPEN, IN_ACCESS and
IN_ATTRIB: a program that reads all messages would fill the queue, and so would our own deliveries, which now cost one
event each.
"""

import errno
import logging
import os

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

from syncer.maildir.news import TOGETHER, News
from syncer.maildir.places import Directory
from syncer.maildir.state import KEYWORDS, TMP

if not hasattr(WatchCallback, "on_queue_overflow"):
    raise ImportError("this watchdog keeps it to itself when events were lost")

_FROM, _TO = InotifyConstants.IN_MOVED_FROM, InotifyConstants.IN_MOVED_TO
_NAMES = _FROM | _TO | InotifyConstants.IN_CREATE | InotifyConstants.IN_DELETE | InotifyConstants.IN_ONLYDIR
_ROOT = Mask(_NAMES | InotifyConstants.IN_MOVE_SELF)  # it may be a symbolic link
_BELOW = Mask(_NAMES | InotifyConstants.IN_DONT_FOLLOW)
_LOST = InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_UNMOUNT
_IS_DIRECTORY = InotifyConstants.IN_ISDIR

_PAUSE = TOGETHER / 2
"""For how long (in seconds) the next events may gather. Woken up for every single one of them, this thread would cost
whoever delivers messages in the same process three times as much."""
_BUFFER = 1 << 20
"""Octets: more events than come in that time."""

logging.getLogger("watchdog").addHandler(logging.NullHandler())  # it warns of lost events, of which we hear anyway


class Inotify:
    """One inotify instance and the thread that reads from it; tells `news`. Close it when done."""

    trustworthy = True
    """Says so when events were lost."""

    def __init__(self, root: bytes, news: News) -> None:
        """Raises OSError if there is no inotify instance to be had."""
        self.root = root
        self.news = news
        self._reader = _Reader(news)
        self._watched: dict[bytes, tuple[WatchDescriptor, CallbackId]] = {}
        self._reader.start()

    @property
    def alive(self) -> bool:
        """The thread runs."""
        return self._reader.is_alive()

    def watch(self, directory: Directory) -> None:
        """Tell of what happens in the directory from now on. Raises OSError."""
        path = directory.path
        kind = _Messages if directory.holds_messages else _Holder
        callback = kind(self, directory)
        number = CallbackId(id(callback))  # the descriptor keeps it alive; one directory may have two paths
        mask = _ROOT if path == self.root else _BELOW
        descriptor = self._reader.add_callback(path, mask, callback, number)
        if descriptor == -1:  # the one error that watchdog keeps to itself
            self._reader.remove_callbacks([(descriptor, number)])
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), path)
        self._watched[path] = descriptor, number

    def unwatch(self, path: bytes) -> None:
        """Tell no more of what happens in the directory."""
        self._reader.remove_callbacks([self._watched.pop(path)])

    def close(self) -> None:
        """End the thread and give everything back to the kernel; nothing is told any more."""
        self.news = News()  # watchdog says of every watch that it ended, which is for nobody
        self._reader.stop()
        self._reader.join()


class _Reader(InotifyFD):
    """watchdog's thread; it does not die in silence."""

    def __init__(self, news: News) -> None:
        self._news = news
        try:
            super().__init__()
        except OSError:
            instance = self.__dict__.get("_inotify_fd")
            if instance is not None:  # there was an instance, but no descriptor for the rest
                os.close(instance)
            raise
        os.set_inheritable(self._inotify_fd, False)  # noqa: FBT003 - as it is called
        self.name = "syncer-inotify"

    def start(self) -> None:
        """Start the thread; where there cannot be one, nothing is left open."""
        try:
            super().start()
        except RuntimeError:
            self._is_reading = False  # watchdog sets it beforehand, and then leaves the closing to the thread
            self.close()
            raise

    def run(self) -> None:
        """Read events and call the callbacks until stopped."""
        try:
            while self.should_keep_running():
                for event in self.read_events(event_buffer_size=_BUFFER):
                    self.handle_event(event)
                self.stopped_event.wait(_PAUSE)
        except Exception as error:  # noqa: BLE001 - whatever it is, the watcher must hear of it
            self._is_reading = False  # or the descriptors would stay open, waiting for this thread to close them
            self._news.died(f"{type(error).__name__}: {error}")


class _Callback:
    """Hears what happens in one directory, and tells it to the news of `home`."""

    def __init__(self, home: Inotify, directory: Directory) -> None:
        self._home = home
        self._path = directory.path
        self._mailbox = directory.mailbox

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:  # noqa: ARG002 - watchdog's
        """The directory is gone, or its file system (IN_IGNORED)."""
        self._home.news.disturbed(self._path)

    def on_queue_overflow(self) -> None:
        """Events were lost: of messages, or of directories that were made, renamed or removed."""
        self._home.news.disturbed(self._home.root)


class _Messages(_Callback):
    """For `new` and `cur`."""

    def on_event(self, event: InotifyEvent) -> None:
        """A name came or went."""
        mask = event.mask
        if mask & _LOST:
            self._home.news.disturbed(self._path)
        elif self._mailbox is not None:
            cookie = event.cookie
            self._home.news.touched(self._mailbox, leaves=mask & _FROM and cookie, arrives=mask & _TO and cookie)


class _Holder(_Callback):
    """For directories of which others are made."""

    def on_event(self, event: InotifyEvent) -> None:
        """A name came or went: of a directory, or of `dovecot-keywords`, which tells what letters in others mean."""
        if event.mask & _LOST:
            self._home.news.disturbed(self._path)
        elif event.mask & _IS_DIRECTORY and event.name != TMP:
            self._home.news.disturbed(os.path.join(self._path, event.name))
        elif event.name == KEYWORDS and self._mailbox is not None:
            self._home.news.touched(self._mailbox)
