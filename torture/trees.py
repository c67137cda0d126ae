"""Directory trees read from a real disk and written to one, and what another program did between two readings."""

import os
from collections.abc import Callable
from pathlib import Path

from torture.disk import Disk, File, Tree


def read(root: Path) -> Tree:
    """Everything below `root`."""
    top = os.fsencode(root)
    files: dict[bytes, File] = {}
    directories: set[bytes] = set()
    for directory, below, names in os.walk(top):
        directories |= {_relative(top, directory, name) for name in below}
        for name in names:
            path = _relative(top, directory, name)
            found = os.stat(os.path.join(top, path))
            with open(os.path.join(top, path), "rb") as file:
                files[path] = File(found.st_ino, file.read(), found.st_mtime_ns)
    return Tree(files, frozenset(directories))


def write(tree: Tree, root: Path) -> None:
    """Make it below `root`. Two names of one file become that again."""
    top = os.fsencode(root)
    for directory in sorted(tree.directories):
        os.mkdir(os.path.join(top, directory), 0o700)
    written: dict[int, bytes] = {}
    for path, file in tree.files.items():
        target = os.path.join(top, path)
        if file.inode in written:
            os.link(written[file.inode], target)
            continue
        written[file.inode] = target
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
            made.write(file.octets)
        if file.mtime is not None:
            os.utime(target, ns=(file.mtime, file.mtime))


def catch_up(disk: Disk, before: Tree, after: Tree, is_loose: Callable[[bytes], bool]) -> None:
    """Do to a disk that is as `before` what somebody did to make it `after`, by adding, renaming and removing files.

    As a well-behaved program does it: what a file holds is flushed. Names are where their directory is not loose.
    """
    assert before.directories <= after.directories, "directories were removed"
    for directory in sorted(after.directories - before.directories):
        disk.make_directory(directory)
    # The number alone says nothing: it may have been given to another file meanwhile.
    names = {(file.inode, file.octets): path for path, file in before.files.items()}
    for path, file in after.files.items():
        old = names.pop((file.inode, file.octets), None)
        if old is None:
            draft = _draft(path)
            inode = disk.create(draft)
            disk.write(inode, 0, file.octets)
            disk.date(inode, file.mtime or 0)
            disk.flush(inode)
            disk.rename(draft, path)
        elif old != path:
            disk.rename(old, path)
    for path in names.values():
        if path not in after.files:
            disk.unlink(path)
    for directory in (b"", *after.directories):
        if not is_loose(directory):
            disk.flush(disk.find(directory))


def _draft(path: bytes) -> bytes:
    """Where a file is written before it gets its name: a message in `tmp`."""
    directory, name = os.path.split(path)
    mailbox, part = os.path.split(directory)
    return os.path.join(mailbox, b"tmp", name) if part in {b"cur", b"new"} else path + b".draft"


def _relative(top: bytes, directory: bytes, name: bytes) -> bytes:
    return os.path.relpath(os.path.join(directory, name), top)
