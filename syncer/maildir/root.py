"""The Maildir's root: which one it is, and that nobody else works on it.

The file `.syncer-store` holds a UUID. The index remembers it, so that a root that is missing, or empty because its
disk is not mounted, is never read as "the user deleted everything". Below it stands the generation, a number that only
grows: a root that was put back from an older copy has an older one. The file is locked as long as the store is open,
so that two programs with different indexes never work on one Maildir.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

from syncer.errors import LockedError, RefusedError, StoreError
from syncer.later import Later, later
from syncer.maildir import fsops

if TYPE_CHECKING:
    import uuid
else:
    uuid = Later("uuid")

MARKER = b".syncer-store"
_GONE = "If it is gone for good, the next sync fills a new one after this"
_OTHER = "If this one is to be used from now on, the next sync sends the server what only this one holds after this"
_UUID = later(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Root:
    """An open root. `path` is where it is, `store_id` which one it is."""

    def __init__(self, path: bytes, store_id: str, fd: int | None, generation: int = 0) -> None:
        self.path = path
        self.store_id = store_id
        self.generation = generation
        self._fd = fd

    @classmethod
    def open(cls, path: bytes, expected_id: str | None, *, read_only: bool = False, alone: bool = True) -> Root:
        """Open the root, or make it if the index knows none yet; unless `alone`, while another program works on it.

        Raises:
            RefusedError: it is not the root that the index knows. Nothing was changed.
            LockedError: another program has it open.
            StoreError: it cannot be used.
        """
        with fsops.explained("open the Maildir"):
            fd = _open_marker(path, read_only=read_only)
            if fd is None and expected_id is not None:
                raise RefusedError(_refusal(path, "it is missing, or has no file .syncer-store"), _GONE)
            if fd is None and read_only:
                return cls(path, str(uuid.uuid4()), None)
            if fd is None:
                _make_marker(path)
                fd = _open_marker(path, read_only=False)
        if fd is None:
            raise StoreError(f"{fsops.printable(path)}: the Maildir vanished while it was opened; run again")
        try:
            store_id, generation = _identify(path, fd, expected_id)
            if alone:
                _lock(path, fd)
            return cls(path, store_id, fd, generation)
        except BaseException:
            os.close(fd)
            raise

    def check(self) -> None:
        """Make sure that the root is still the one that was opened.

        Raises:
            RefusedError: it is not: unmounted, removed or replaced.
        """
        if self._fd is None:
            return
        try:
            now = os.lstat(os.path.join(self.path, MARKER))
        except OSError as error:
            raise RefusedError(_refusal(self.path, "it went away during the run")) from error
        if not os.path.samestat(now, os.fstat(self._fd)):
            raise RefusedError(_refusal(self.path, "it was replaced during the run"))

    def advance(self, generation: int) -> None:
        """Write down the generation, durably.

        Raises:
            StoreError: it cannot be written.
        """
        if self._fd is not None:
            with fsops.explained("write to"), fsops.named(os.path.join(self.path, MARKER)):
                fsops.write_all_at(self._fd, f"{self.store_id}\n{generation}\n".encode(), 0)
                fsops.fsync(self._fd)
        self.generation = generation

    def close(self) -> None:
        """Give up the lock."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _open_marker(path: bytes, *, read_only: bool) -> int | None:
    try:
        if not os.path.isdir(path):
            os.stat(path)
            raise StoreError(f"{fsops.printable(path)}: the Maildir is not a directory; check `maildir`")
        marker = os.path.join(path, MARKER)
        return fsops.open_read(marker) if read_only else fsops.open_existing(marker)
    except FileNotFoundError:
        return None


def _make_marker(path: bytes) -> None:
    missing = []
    level = os.path.abspath(path)
    while not os.path.isdir(level):
        missing.append(level)
        level = os.path.dirname(level)
    for directory in reversed(missing):
        fsops.make_directory(directory)
    temporary = os.path.join(path, MARKER + b"." + uuid.uuid4().hex.encode())
    fd = fsops.open_new(temporary)
    try:
        with fsops.named(temporary):
            fsops.write_all(fd, f"{uuid.uuid4()}\n".encode())
            fsops.fsync(fd)
        fsops.publish(temporary, os.path.join(path, MARKER))
    except (FileExistsError, FileNotFoundError):
        pass  # another program made it, and tidied up after us
    finally:
        os.close(fd)
    for name in os.listdir(path):
        if name.startswith(MARKER + b"."):
            fsops.unlink_if_there(os.path.join(path, name))
    fsops.fsync_directory(path)


def _identify(path: bytes, fd: int, expected_id: str | None) -> tuple[str, int]:
    """The UUID and the generation, 0 where none was written yet."""
    store_id, *rest = os.pread(fd, 100, 0).decode("ascii", "replace").split() or [""]
    if not _UUID.fullmatch(store_id) or not all(word.isdecimal() for word in rest):
        raise RefusedError(_refusal(path, "its file .syncer-store is damaged"))
    if expected_id not in {None, store_id}:
        why = _refusal(path, "it is another Maildir than the one that the index knows")
        raise RefusedError(f"{why}, or see whether `maildir` is right", _OTHER)
    return store_id, int(rest[0]) if rest else 0


def _lock(path: bytes, fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            raise LockedError(f"{fsops.printable(path)}: another program works on this Maildir; wait for it") from error
        raise StoreError(f"{fsops.printable(path)}: the Maildir cannot be locked: {error.strerror}") from error


def _refusal(path: bytes, why: str) -> str:
    return f"{fsops.printable(path)}: the Maildir cannot be trusted: {why}. Nothing was changed. Mount or restore it"
