"""The attic: where messages go that a sync takes out of the Maildir.

`DAY/MAILBOX/FILE`, the day in UTC as YYYY-MM-DD, the mailbox as in the layout `fs` whatever the Maildir's is, the file
name kept. Nothing there is ever written over: a second file of the same name gets a number.
"""

import datetime as dt
import errno
import itertools
import os
import re
import secrets
from collections.abc import Callable

from syncer.maildir import fsops
from syncer.maildir.filename import split
from syncer.maildir.layout import to_path
from syncer.reconcile.identity import MailboxName

_DAY = re.compile(rb"\d{4}-\d\d-\d\d")


class Attic:
    """A directory outside the Maildir; made when it is needed."""

    def __init__(self, path: bytes, clock: Callable[[], float]) -> None:
        self.path = path
        self._clock = clock

    def keep(self, mailbox: MailboxName, source: bytes) -> bytes:
        """Move a file into the attic; returns the directory it went to, which is not flushed yet.

        Raises:
            FileNotFoundError: the source is gone.
        """
        directory = self._directory(mailbox)
        unique, info = split(os.path.basename(source).decode("utf-8", "surrogateescape"))
        for number in itertools.count():
            name = f"{unique}~{number}{info}" if number else unique + info
            target = os.path.join(directory, name.encode("utf-8", "surrogateescape"))
            try:
                fsops.rename_new(source, target)
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                if os.path.lexists(target):
                    continue
                self._copy(source, target)
            break
        return directory

    def purge(self, older_than_seconds: float, now: float) -> int:
        """Remove the days that ended longer ago than this; returns how many files went."""
        try:
            days = sorted(os.listdir(self.path))
        except FileNotFoundError:
            return 0
        return sum(_remove_tree(os.path.join(self.path, day)) for day in days if _end(day) <= now - older_than_seconds)

    def _directory(self, mailbox: MailboxName) -> bytes:
        day = dt.datetime.fromtimestamp(self._clock(), dt.UTC).date().isoformat().encode()
        path = os.path.abspath(os.path.join(self.path, day, to_path(mailbox, "fs")))
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for directory in reversed(missing):
            fsops.make_directory(directory)
        return missing[0] if missing else path

    def _copy(self, source: bytes, target: bytes) -> None:
        temporary = os.path.join(os.path.dirname(target), b".syncer." + secrets.token_hex(8).encode())
        copied = fsops.copy(source, temporary)
        fsops.publish(temporary, target)
        fsops.fsync_directory(os.path.dirname(target))
        now = os.lstat(source)
        if (now.st_ino, now.st_size, now.st_mtime_ns) != (copied.st_ino, copied.st_size, copied.st_mtime_ns):
            raise FileNotFoundError(errno.ENOENT, "it was changed meanwhile", source)
        fsops.unlink(source)


def _end(day: bytes) -> float:
    """When a day directory's day was over; never, for anything else."""
    if not _DAY.fullmatch(day):
        return float("inf")
    try:
        start = dt.datetime.fromisoformat(day.decode()).replace(tzinfo=dt.UTC)
    except ValueError:
        return float("inf")
    return start.timestamp() + 86400


def _remove_tree(path: bytes) -> int:
    """How many files were removed; links are removed, never followed."""
    if os.path.islink(path) or not os.path.isdir(path):
        fsops.unlink(path)
        return 1
    removed = sum(_remove_tree(os.path.join(path, name)) for name in os.listdir(path))
    fsops.remove_directory(path)
    return removed
