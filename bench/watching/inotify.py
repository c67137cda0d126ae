"""Events of directories as Linux tells them (inotify(7)), with the time at which they were read."""

import ctypes
import os
import pathlib
import select
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

CREATED, MOVED_HERE, MODIFIED = 0x100, 0x80, 0x2
HEAD: Final = struct.Struct("iIII")
ROOM: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Happened:
    """Something happened to a name in a directory; `at` is on the clock of `time.monotonic`."""

    at: float
    directory: pathlib.Path
    name: str


class Directories:
    """Hears of these events in these directories, from the moment that it is made."""

    def __init__(self, directories: Iterable[pathlib.Path], events: int) -> None:
        """`events` is a sum of the constants above.

        Raises:
            OSError: a directory cannot be watched.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._places: dict[int, pathlib.Path] = {}
        for directory in directories:
            number = libc.inotify_add_watch(self._descriptor, os.fsencode(directory), events)
            if number < 0:
                code = ctypes.get_errno()
                self.__exit__()
                raise OSError(code, os.strerror(code), os.fspath(directory))
            self._places[number] = directory

    def __enter__(self) -> Self:
        """It hears already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hear no more."""
        os.close(self._descriptor)

    def fileno(self) -> int:
        """For select: readable when something has happened."""
        return int(self._descriptor)

    def take(self) -> list[Happened]:
        """What has happened and was not taken yet."""
        now = time.monotonic()
        found: list[Happened] = []
        while True:
            try:
                data = os.read(self._descriptor, ROOM)
            except BlockingIOError:
                return found
            position = 0
            while position < len(data):
                number, _, _, length = HEAD.unpack_from(data, position)
                position += HEAD.size
                name = os.fsdecode(data[position : position + length].rstrip(b"\0"))
                position += length
                if number in self._places:
                    found.append(Happened(now, self._places[number], name))

    def wait(self, seconds: float) -> list[Happened]:
        """The same, as soon as there is anything; nothing after so many seconds."""
        select.select([self], [], [], max(0.0, seconds))
        return self.take()
