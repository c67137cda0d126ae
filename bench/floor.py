"""What no program can undercut here: the server's answers into the bin, and the files durably onto the disk.

Neither parses anything, and neither knows what the other does. The floor of a workload is the larger of both.
"""

import contextlib
import ctypes
import itertools
import os
import pathlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

BATCH: Final = 500
"""Files that share one syncfs."""


@dataclass(slots=True)
class Stopwatch:
    """Seconds, once the `with` block of `timed` has ended."""

    seconds: float = 0.0


@contextlib.contextmanager
def timed() -> Iterator[Stopwatch]:
    """How long the block takes."""
    watch = Stopwatch()
    begin = time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - begin


def write_durably(root: pathlib.Path, lengths: Iterable[Iterable[int]]) -> float:
    """Write files of these sizes, a directory for each inner list; returns the seconds from the first to the last.

    For every 500 files: write them to tmp, one syncfs, rename them all, fsync the directory.
    """
    lists = [list(inner) for inner in lengths]
    directories = [root / str(number) for number in range(len(lists))]
    for directory in directories:
        for part in ("tmp", "cur"):
            (directory / part).mkdir(parents=True)
    content = memoryview(os.urandom(max((length for inner in lists for length in inner), default=0)))
    anchor = os.open(root, os.O_RDONLY)
    os.sync()
    with timed() as watch:
        every = ((directory, number, length) for directory, inner in zip(directories, lists, strict=True)
                 for number, length in enumerate(inner))  # fmt: skip
        while batch := list(itertools.islice(every, BATCH)):
            for directory, number, length in batch:
                file = os.open(directory / "tmp" / str(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                written = 0
                while written < length:
                    written += os.write(file, content[written:length])
                os.close(file)
            syncfs(anchor)
            for directory, number, _ in batch:
                os.rename(directory / "tmp" / str(number), directory / "cur" / str(number))
            for directory in {directory for directory, _, _ in batch}:
                fsync_directory(directory / "cur")
    os.close(anchor)
    return watch.seconds


def syncfs(descriptor: int) -> None:
    """Flush the filesystem of an open file; everything where the system has no syncfs."""
    if function := getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None):
        if function(descriptor):
            raise OSError(ctypes.get_errno(), "syncfs")
    else:
        os.sync()


def fsync_directory(path: pathlib.Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def listing(directories: Iterable[pathlib.Path]) -> float:
    """The seconds that it takes to list these directories."""
    with timed() as watch:
        for directory in directories:
            os.listdir(directory)
    return watch.seconds


def reading(directories: Iterable[pathlib.Path]) -> float:
    """The seconds that it takes to read every file in these directories."""
    with timed() as watch:
        for directory in directories:
            for name in os.listdir(directory):
                (directory / name).read_bytes()
    return watch.seconds
