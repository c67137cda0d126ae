"""By what the directories of a mailbox are recognised as unchanged, without reading them.

Three looks: at `new/`, at `cur/` and at `dovecot-keywords`, without which the letters in their names mean nothing.
"""

import os

from syncer.errors import MailboxError
from syncer.maildir import fsops

CUR, NEW, TMP = b"cur", b"new", b"tmp"
KEYWORDS = b"dovecot-keywords"

Stamp = tuple[int, int, int, int] | None
"""Device, inode, mtime and ctime in ns; None for what does not exist."""
Stamps = tuple[Stamp, Stamp]
KeywordsState = tuple[int, int, int, int] | None
"""Inode, size, mtime and ctime in ns."""


def stamps(directory: bytes) -> Stamps:
    """By what a change of `new/` and of `cur/` can be seen.

    Raises:
        MailboxError: one of them cannot be looked at.
    """
    return stamp(os.path.join(directory, NEW)), stamp(os.path.join(directory, CUR))


def keywords_state(directory: bytes) -> KeywordsState:
    """By what a change of `dovecot-keywords` can be seen; None where there is none."""
    try:
        found = os.lstat(os.path.join(directory, KEYWORDS))
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def state(directory: bytes) -> str | None:
    """See `LocalStore.state`.

    Raises:
        MailboxError: one of the directories cannot be looked at.
    """
    new, cur = stamps(directory)
    if new is None or cur is None:
        return None
    return " ".join(map(str, (*new, *cur, *(keywords_state(directory) or ()))))


def stamp(path: bytes) -> Stamp:
    """By what a change of one directory can be seen.

    Raises:
        MailboxError: it cannot be looked at.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MailboxError(f"cannot look at {fsops.printable(path)}: {error.strerror}") from error
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns
