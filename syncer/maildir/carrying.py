"""Moving, linking and copying a file, to another file system if need be; never over another file.

A file that is copied and then removed is in both places if the run is killed in between: `was_carried` tells.
"""

import errno
import os
import secrets
from collections.abc import Callable, Container

from syncer.maildir import fsops
from syncer.maildir.reading import is_same_message

_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK}


def moved(source: bytes, target: bytes) -> bool:
    """Move a file; False if there is one under the new name already."""
    return _done(fsops.rename_new, _carry, {errno.EXDEV}, source, target)


def was_carried(source: bytes, target: bytes) -> bool:
    """Whether a file was copied to another file system by a run that was killed before it removed the source."""
    ours, there = os.lstat(source), os.lstat(target)
    alike = (ours.st_size, ours.st_mtime_ns) == (there.st_size, there.st_mtime_ns)
    return ours.st_dev != there.st_dev and alike and is_same_message(source, target)


def linked(source: bytes, target: bytes) -> bool:
    """Give a file a second name, or copy it; False as `moved`."""
    return _done(fsops.link, copy, _NO_LINK, source, target)


def _done(
    put: Callable[[bytes, bytes], None],
    instead: Callable[[bytes, bytes], object],
    unable: Container[int | None],
    source: bytes,
    target: bytes,
) -> bool:
    """`put` the file there; `instead` where the file system is `unable` to; False if there is something already."""
    try:
        put(source, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in unable:
            raise
        if os.path.lexists(target):
            return False
        instead(source, target)
    return True


def copy(source: bytes, target: bytes) -> os.stat_result:
    """Copy a file, durably, and make it visible when it is whole; returns what the source was when it was read."""
    temporary = os.path.join(os.path.dirname(target), b".syncer." + secrets.token_hex(8).encode())
    copied = fsops.copy(source, temporary)
    fsops.publish(temporary, target)
    fsops.fsync_directory(os.path.dirname(target))
    return copied


def _carry(source: bytes, target: bytes) -> None:
    """Copy it, and remove the source unless that was changed meanwhile."""
    with open(fsops.open_read(source), "rb") as file:
        copied = copy(source, target)
        try:
            now = os.lstat(source)
            same = (now.st_ino, now.st_size, now.st_mtime_ns) == (copied.st_ino, copied.st_size, copied.st_mtime_ns)
            if same:
                fsops.unlink(source)
        except FileNotFoundError:
            if os.fstat(file.fileno()).st_nlink:  # it has another name by now, and is carried under that
                fsops.unlink(target)
                raise
            return
    if not same:
        raise FileNotFoundError(errno.ENOENT, "it was changed meanwhile", source)
