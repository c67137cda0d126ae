"""What a pass did to the files of a Maildir, for whoever wants to be told of it."""

import os
import threading

from syncer.daemon.pending import Change
from syncer.reconcile.identity import MailboxName


class Followed:
    """Collects what is done to message files."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: dict[MailboxName, tuple[list[str], list[str], list[tuple[str, str]]]] = {}

    def __call__(self, mailbox: MailboxName, was: bytes | None, now: bytes | None) -> None:
        """Take one."""
        with self._lock:
            added, removed, changed = self._changes.setdefault(mailbox, ([], [], []))
            if was is not None and now is not None:
                changed.append((os.fsdecode(was), os.fsdecode(now)))
            elif now is not None:
                added.append(os.fsdecode(now))
            elif was is not None:
                removed.append(os.fsdecode(was))

    def take(self) -> list[Change]:
        """What there was since the last time."""
        with self._lock:
            changes, self._changes = self._changes, {}
        return [Change(mailbox, *lists) for mailbox, lists in changes.items()]
