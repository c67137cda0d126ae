"""What may not be on the disk yet, by mailbox, and making it durable before the index records it."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from syncer.maildir import fsops

if TYPE_CHECKING:
    from syncer.maildir.scan import Reading
    from syncer.reconcile.identity import MailboxName

WRITTEN_BACK_NS = 120 * 10**9
"""What was written longer ago than this is on the disk (Linux writes back after 30 s: vm.dirty_expire_centisecs)."""


class Unflushed:
    """Directories that we changed, and mailboxes that others changed just now. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._directories: dict[MailboxName, dict[bytes, None]] = {}
        self._young: set[MailboxName] = set()

    def changed(self, mailbox: MailboxName, *directories: bytes) -> None:
        """We renamed something in these directories."""
        with self._lock:
            self._directories.setdefault(mailbox, {}).update(dict.fromkeys(directories))

    def seen(self, mailbox: MailboxName, reading: Reading) -> None:
        """The mailbox was read; what others wrote shortly before need not be on the disk yet."""
        if reading.changed_since(time.time_ns() - WRITTEN_BACK_NS):
            with self._lock:
                self._young.add(mailbox)

    def flush(self, mailbox: MailboxName, path: bytes) -> None:
        """Make it durable. What failed is tried again by the next call.

        Raises:
            OSError: it could not be done.
        """
        with self._lock:
            directories = list(self._directories.get(mailbox, {}))
            young = mailbox in self._young
        for directory in filter(os.path.isdir, directories):
            fsops.fsync_directory(directory)
        if young and os.path.isdir(path):
            fsops.flush_everything(path)
        with self._lock:
            self._young.discard(mailbox)
            for directory in directories:
                self._directories.get(mailbox, {}).pop(directory, None)
