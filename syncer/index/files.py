"""The files of the index: private whatever the umask is, and one run at a time for each account."""

import fcntl
import math
import os
import stat
import time
from pathlib import Path

from syncer.errors import LockedError
from syncer.index import faults

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600
SIDECARS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database. It gives them the mode and the owner of the database (os_unix.c)."""

_POLL_SECONDS = 0.1

_NETWORK = frozenset(
    {
        "afs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)


def sibling(path: Path, suffix: str) -> Path:
    """The file beside `path` whose name is longer by `suffix`."""
    return path.with_name(path.name + suffix)


def make_directory(path: Path) -> None:
    """Make `path` and what is missing above it, for the owner only. A directory that exists stays as it is.

    Raises:
        OSError: it cannot be made, or is not a directory.
    """
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(PRIVATE_DIRECTORY, exist_ok=True)
        directory.chmod(PRIVATE_DIRECTORY)
        sync_directory(directory.parent)


def open_private(path: Path, flags: int) -> int:
    """Open a regular file of ours; it is made, or tightened, to be readable for the owner only.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_FILE)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != PRIVATE_FILE:
            os.fchmod(descriptor, PRIVATE_FILE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def on_network(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether `path` is on a file system of another host, as far as Linux tells (proc_pid_mountinfo(5))."""
    device = path.stat().st_dev
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False  # not Linux
    for line in lines:
        left, _, right = line.partition(" - ")
        if left.split()[2] == f"{os.major(device)}:{os.minor(device)}" and right.split()[0] in _NETWORK:
            return True
    return False


def sync_directory(path: Path) -> None:
    """Make what was created, renamed or removed in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_locked(path: Path, locks: Path = Path("/proc/locks")) -> bool:
    """Whether a run holds the lock that is this file, as far as Linux tells (proc_locks(5)).

    To try to take it would tell as well, and for that instant keep out a run that begins.
    """
    try:
        found, holder = path.stat(), path.read_text("ascii", "replace").strip()
        lines = locks.read_text("ascii", "replace").splitlines()
    except OSError:
        return False  # there was no run yet, or this is not Linux
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
    for line in lines:
        if " FLOCK " in line and "->" not in line:
            *_, process, place, _, _ = line.split()
            where, _, inode = place.rpartition(":")
            # Some file systems tell another device here than elsewhere.
            if inode == str(found.st_ino) and (where == device or process == holder):
                return True
    return False


class AccountLock:
    """Held as long as a run works on an account. The kernel releases it however the run ends.

    The file stays when the lock is released: removing it would let two runs lock two different files.
    """

    def __init__(self, path: Path, account: str, *, wait: bool | float = False) -> None:
        """Take the lock.

        Args:
            path: The lock file; made if it is missing. Holds the process id of the last holder, for people.
            account: For the message.
            wait: How long to wait for another run, in seconds; True waits until it ends. Any signal handler that
                raises ends the wait.

        Raises:
            LockedError: another run holds it.
            IndexFileError: the file cannot be opened.
        """
        try:
            self._descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise faults.from_os(path, error) from error
        try:
            self._acquire(account, math.inf if wait is True else time.monotonic() + wait)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            self.release()
            raise faults.from_os(path, error) from error
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the lock up; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _acquire(self, account: str, deadline: float) -> None:
        # Polled rather than blocked in the kernel: a thread that is not the main one could not be interrupted there.
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._locked(account) from error
                time.sleep(min(left, _POLL_SECONDS))
            else:
                return

    def _locked(self, account: str) -> LockedError:
        holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
        process = f" (process {holder})" if holder.isdecimal() else ""
        return LockedError(
            f"account {account}: another syncer{process} is working on it; let it finish, or wait for it with --wait"
        )
