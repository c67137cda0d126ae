"""Our own files in a mailbox's `tmp/`: how they are named, and how leftovers are removed."""

import itertools
import os
import time

from syncer.later import later
from syncer.maildir import fsops

OURS = later(rb"syncer\.[0-9]+\.[0-9a-f]{16}\.[0-9]+")
STALE_AFTER = 36 * 3600
"""Seconds after which a file in `tmp/` is left over (Maildir specification, "How is a message delivered?")."""

_COUNT = itertools.count()


def _run() -> bytes:
    return b"syncer.%d.%b" % (os.getpid(), os.urandom(8).hex().encode())


_prefix = _run()


def _forked() -> None:
    """A forked process must not use the names of its parent."""
    global _prefix  # noqa: PLW0603 (asked for once, since every message needs it)
    _prefix = _run()


os.register_at_fork(after_in_child=_forked)


def temporary_name(directory: bytes) -> bytes:
    """A path in the `tmp/` of a mailbox's directory that nothing has or had."""
    return b"%b/tmp/%b.%d" % (directory, _prefix, next(_COUNT))


def remove_stale(directory: bytes) -> None:
    """Remove what an interrupted run of ours left in the `tmp/` of a mailbox, once nobody can still be writing it."""
    with os.scandir(os.path.join(directory, b"tmp")) as entries:
        for entry in entries:
            if OURS.fullmatch(entry.name) and _is_stale(entry):
                fsops.unlink_if_there(entry.path)


def _is_stale(entry: os.DirEntry[bytes]) -> bool:
    """Whether it is a file and was left over. Not by mtime, which may be the date of the message."""
    try:
        changed = entry.stat(follow_symlinks=False).st_ctime
        return entry.is_file(follow_symlinks=False) and time.time() - changed > STALE_AFTER
    except FileNotFoundError:  # another thread delivers to this mailbox
        return False
