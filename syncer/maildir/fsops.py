"""The only module that changes files.

Every write, rename, link, unlink and flush of the Maildir goes through one of these small functions, so that a test can
make each of them fail, and a reader can see what is done to the disk. Paths are bytes. Files are created 0600 and
directories 0700 whatever the umask is, never through a symbolic link and never over something that exists.

They raise OSError; `explained` turns it into the error for the person who reads it.
"""

import contextlib
import errno
import os
import re
import sys
from collections.abc import Sequence
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING

from syncer.errors import MailboxError, MessageError, StoreError

if TYPE_CHECKING:
    import ctypes

FILE_MODE, DIRECTORY_MODE = 0o600, 0o700
FEW = 4
"""Up to so many files are flushed one by one: syncfs would also wait for what every other program wrote."""

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
_ADVICE = {
    errno.ENOSPC: "the disk is full; make room and run again",
    errno.EDQUOT: "the disk quota is used up; make room and run again",
    errno.EROFS: "the file system is read-only; mount it writable and run again",
    errno.EMFILE: "too many open files; raise the limit (ulimit -n) and run again",
    errno.ENFILE: "the system has too many open files; run again later",
    errno.ENOMEM: "the system is out of memory; run again later",
}
_HINTS = {
    errno.EACCES: "permission denied; check who owns it and its mode",
    errno.EPERM: "not permitted; check who owns it and its attributes",
    errno.EIO: "the disk reports an error; check it before the next run",
    errno.ENAMETOOLONG: "the file name would become too long",
    errno.ELOOP: "it is a symbolic link, which is not followed inside a Maildir",
}


class explained:  # noqa: N801 (used like a function; a generator would cost every message two microseconds)
    """Turn an OSError into an error that says what could not be done, to which path, and what to do.

    What would fail for every file (no space, read-only) is a StoreError, anything else is of the `kind` given.
    """

    __slots__ = ("_doing", "_kind")

    def __init__(
        self, doing: str, kind: type[StoreError] | type[MailboxError] | type[MessageError] = StoreError
    ) -> None:
        self._doing = doing
        self._kind = kind

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, OSError):
            return
        path = error.filename2 or error.filename
        where = f" {printable(path)}" if path is not None else ""
        why = _ADVICE.get(error.errno or 0)
        chosen = self._kind if why is None else StoreError
        why = why or _HINTS.get(error.errno or 0) or error.strerror or "unknown error"
        doing = self._doing if where else self._doing.rstrip(":")
        raise chosen(f"cannot {doing}{where}: {why}") from error


class named:  # noqa: N801 (see `explained`)
    """Let an error that was met through a descriptor say which file that was, for `explained`."""

    __slots__ = ("_path",)

    def __init__(self, path: bytes) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = self._path


def printable(path: object) -> str:
    """A path for a message: control characters and octets that are not UTF-8 are escaped."""
    text = path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else str(path)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def umask_is_harmless() -> bool:
    """Whether files are created with the mode asked for, so that it need not be set (Linux 4.7 on tells)."""
    try:
        with open("/proc/self/status", "rb") as status:
            found = re.search(rb"^Umask:\t([0-7]+)$", status.read(), re.MULTILINE)
    except OSError:
        return False
    return found is not None and not int(found[1], 8) & FILE_MODE


def open_new(path: bytes, *, mode_holds: bool = False) -> int:
    """Create a file, for writing and reading back. `mode_holds`: the umask is known to be harmless."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    if not mode_holds:
        with named(path):
            os.fchmod(fd, FILE_MODE)
    return fd


def open_read(path: bytes) -> int:
    """Open a file for reading; does not wait for a FIFO's writer."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def open_existing(path: bytes) -> int:
    """Open a file for reading and writing (some file systems lock only what may be written)."""
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def write_all(fd: int, octets: bytes) -> None:
    """Write everything at the current position."""
    written = os.write(fd, octets)
    while written < len(octets):
        written += os.write(fd, memoryview(octets)[written:])


def write_all_at(fd: int, octets: bytes, offset: int) -> None:
    """Write everything at `offset`, without moving the position."""
    written = 0
    while written < len(octets):
        written += os.pwrite(fd, memoryview(octets)[written:], offset + written)


def seek_end(fd: int) -> None:
    """Continue to write at the file's end."""
    os.lseek(fd, 0, os.SEEK_END)


def set_mtime(target: int | bytes, seconds: int) -> None:
    """Set the modification time, by descriptor or path; what the file system cannot hold raises OSError."""
    os.utime(target, (seconds, seconds))


def fsync(fd: int) -> None:
    """Make one file or directory durable."""
    os.fsync(fd)


def fsync_directory(path: bytes) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with named(path):
            fsync(fd)
    finally:
        os.close(fd)


def fsync_path(path: bytes) -> None:
    """Make one file durable, by name."""
    fd = open_read(path)
    try:
        with named(path):
            fsync(fd)
    finally:
        os.close(fd)


def flush_files(directory: int, paths: Sequence[bytes], *, together: bool = True) -> None:
    """Make files durable that were written below `directory`, a descriptor opened before the first was written.

    One syncfs is 7 to 10 times cheaper than a flush of each file, but it flushes what other programs wrote as well. It
    reports errors of writes since the descriptor was opened, but only from Linux 5.8 on; elsewhere, and if not
    `together`, each file is flushed, in several threads.
    """
    if len(paths) > FEW and together and _syncfs_reports_errors():
        _check(_libc().syncfs(directory), os.path.dirname(paths[0]))
    elif len(paths) > FEW:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - seldom needed, slow to import

        with ThreadPoolExecutor(max_workers=16) as pool:
            list(pool.map(fsync_path, paths))
    else:
        for path in paths:
            fsync_path(path)


def flush_everything(directory: bytes) -> None:
    """Make everything durable on the file system that holds `directory`, whoever wrote it."""
    if not hasattr(_libc(), "syncfs"):
        os.sync()
        return
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _check(_libc().syncfs(fd), directory)
    finally:
        os.close(fd)


def publish(source: bytes, target: bytes) -> None:
    """Give a file of ours its final name, never over something that exists (FileExistsError).

    Where the kernel cannot do that in one step: link and unlink, as the Maildir specification says. Nobody else knows
    the file's old name, so nobody renames it in between.
    """
    if not _rename_noreplace(source, target):
        os.link(source, target, follow_symlinks=False)
        os.unlink(source)


def rename_new(source: bytes, target: bytes) -> None:
    """Rename something that others may rename too, never over something that exists (FileExistsError).

    Where the kernel cannot do that in one step, look and rename: with link and unlink a message would be lost if
    another program renamed it back in between.
    """
    if not _rename_noreplace(source, target):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), source, None, target)
        os.rename(source, target)


def replace(source: bytes, target: bytes) -> None:
    """Rename over what is there: for control files that are replaced as a whole."""
    os.replace(source, target)


def exchange(source: bytes, target: bytes) -> None:
    """Let two files change places in one step; FileNotFoundError if the target is not there any more.

    Where the kernel cannot do that, the target is replaced, and `source` is not there any more.
    """
    if not _rename_exchange(source, target):
        os.lstat(target)
        os.replace(source, target)


def link(source: bytes, target: bytes) -> None:
    """Give a file a second name."""
    os.link(source, target, follow_symlinks=False)


def unlink(path: bytes) -> None:
    """Remove a name."""
    os.unlink(path)


def unlink_if_there(path: bytes) -> None:
    """Remove a name that may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        unlink(path)


def make_directory(path: bytes) -> bool:
    """Create one directory and make its name durable; False if it exists."""
    try:
        os.mkdir(path, DIRECTORY_MODE)
    except FileExistsError:
        if os.path.isdir(path):
            return False
        raise
    os.chmod(path, DIRECTORY_MODE)
    fsync_directory(os.path.dirname(path) or b".")
    return True


def copy(source: bytes, target: bytes) -> os.stat_result:
    """Copy a file's octets and mtime to a new file, durably; returns what the source was."""
    reading = open_read(source)
    try:
        before = os.fstat(reading)
        writing = open_new(target)
        try:
            while octets := os.read(reading, 1 << 16):
                write_all(writing, octets)
            os.utime(writing, ns=(before.st_mtime_ns, before.st_mtime_ns))
            fsync(writing)
        except OSError:
            unlink(target)
            raise
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    return before


def remove_directory(path: bytes) -> None:
    """Remove an empty directory."""
    os.rmdir(path)


def _rename_noreplace(source: bytes, target: bytes) -> bool:
    """False if this system or file system cannot rename without replacing."""
    return _renamed(source, target, _RENAME_NOREPLACE)


def _rename_exchange(source: bytes, target: bytes) -> bool:
    """False if this system or file system cannot let two files change places."""
    return _renamed(source, target, _RENAME_EXCHANGE)


def _renamed(source: bytes, target: bytes, how: int) -> bool:
    """False if this system or file system cannot rename in this way (renameat2(2))."""
    if not hasattr(_libc(), "renameat2"):
        return False
    result = _libc().renameat2(_AT_FDCWD, source, _AT_FDCWD, target, how)
    if result == 0:
        return True
    try:
        _check(result, source, target)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    return True


def _check(result: int, *paths: bytes | None) -> None:
    if result != 0:
        import ctypes  # noqa: PLC0415 - loaded already by _libc

        code = ctypes.get_errno()
        first, second = [*paths, None][:2]
        raise OSError(code, os.strerror(code), first, None, second)


@cache
def _syncfs_reports_errors() -> bool:
    version = re.match(r"(\d+)\.(\d+)", os.uname().release)
    recent = version is not None and (int(version[1]), int(version[2])) >= (5, 8)
    return sys.platform.startswith("linux") and recent and hasattr(_libc(), "syncfs")


@cache
def _libc() -> "ctypes.CDLL":
    import ctypes  # noqa: PLC0415 - a pass that changes nothing does not need it

    library = ctypes.CDLL(None, use_errno=True)
    if hasattr(library, "renameat2"):
        library.renameat2.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return library
