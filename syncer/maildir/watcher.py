"""Watching a Maildir: events of its file system become hints that a mailbox is worth a look.

A hint is no truth. Nothing is remembered of a file, only that something happened in a mailbox, and whenever it is not
certain what happened (events were lost, a directory came, went or was exchanged) the hint is to look at everything. So
our own changes come back as hints too: a list of what to keep quiet about could swallow what a person did to the same
file, and a look that finds nothing is cheap.

Two threads: one takes events from the kernel as fast as they come (`inotify`, or else `observed`). The other, here,
takes all that has come by then (`news`), keeps the directories watched (`watches`), and hints.
"""

import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from syncer.maildir.layout import Layout
from syncer.maildir.news import Batch, News
from syncer.maildir.watches import Watches
from syncer.reconcile.identity import MailboxName

Hint = Callable[[frozenset[MailboxName] | None], None]

POLL_SECONDS = 30.0
CHECK_SECONDS = 540.0
"""Where everything is watched: that another file system was mounted over the root is nothing that anybody tells of."""


class Watcher:
    """Watches one Maildir from `start` to `close`, or as a context manager. It is started once.

    `hint` is called from a thread of the watcher's own, once for all that happened at the same time, with the mailboxes
    that are worth a look, or None for all of them, those that are new included. What happened before `start` returned
    is not hinted. While `hint` works, what happens is gathered for the next call. If it raises, the watcher polls from
    then on, and hints at everything until that is taken.
    """

    def __init__(
        self,
        root: str | bytes,
        layout: Layout,
        hint: Hint,
        *,
        poll_seconds: float = POLL_SECONDS,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        """What cannot be watched is looked at every `poll_seconds`, and every `check_seconds` whether all still is."""
        self._root = os.path.abspath(os.fsencode(root))
        self._news = News()
        self._watches = Watches(self._root, layout, self._news)
        self._hint = hint
        self._poll_seconds = poll_seconds
        self._check_seconds = check_seconds
        self._polled = 0.0
        self._everything = False
        self._degraded: str | None = None
        self._thread = threading.Thread(target=self._run, name="syncer-maildir", daemon=True)

    @property
    def degraded(self) -> str | None:
        """What is not watched but polled, why, and what to do, for a person; None if everything is watched."""
        return self._degraded

    def start(self) -> None:
        """Begin to watch. Whatever cannot be watched is polled, the root included where it is not there."""
        if self._thread.ident is not None:
            raise RuntimeError("a watcher is started once")
        try:
            self._watches.arrange({self._root})
        except Exception as error:  # noqa: BLE001 - as in `_run`
            self._give_up(error)
        self._polled = time.monotonic()
        self._degraded = self._watches.degraded(self._poll_seconds)
        try:
            self._thread.start()
        except RuntimeError:
            self._watches.close()
            raise

    def close(self) -> None:
        """End at once, or when a `hint` that is under way is done; nothing is hinted afterwards."""
        self._news.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _run(self) -> None:
        try:
            while (batch := self._news.take(self._next_poll() - time.monotonic())) is not None:
                mailboxes: frozenset[MailboxName] = frozenset()
                try:
                    mailboxes = self._notice(batch)
                except Exception as error:  # noqa: BLE001 - whatever it is, changes must still be noticed
                    self._give_up(error)
                self._degraded = self._watches.degraded(self._poll_seconds)
                try:
                    self._tell(mailboxes)
                except Exception as error:  # noqa: BLE001 - as above
                    self._give_up(error)
        finally:
            self._watches.close()

    def _notice(self, batch: Batch) -> frozenset[MailboxName]:
        """Keep the directories watched; returns where something happened."""
        mailboxes = batch.mailboxes
        if batch.death is not None:
            self._everything = True
            self._watches.give_up(batch.death)
        if batch.directories:
            self._everything |= self._watches.arrange(batch.directories)
        now = time.monotonic()
        if now >= self._next_poll():
            self._polled = now
            changed, others = self._watches.poll()
            mailboxes |= changed
            if others:
                self._everything |= self._watches.arrange(())
        return mailboxes

    def _next_poll(self) -> float:
        return self._polled + (self._check_seconds if self._degraded is None else self._poll_seconds)

    def _tell(self, mailboxes: frozenset[MailboxName]) -> None:
        if self._everything:
            self._hint(None)
            self._everything = False
        elif mailboxes:
            self._hint(mailboxes)

    def _give_up(self, error: Exception) -> None:
        self._everything = True
        self._watches.give_up(f"{type(error).__name__}: {error}")
        self._degraded = self._watches.degraded(self._poll_seconds)
