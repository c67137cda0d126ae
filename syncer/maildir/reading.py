"""Reading message files: fingerprints, and files on their way to the server."""

import os
import stat
from collections.abc import Iterator

from syncer.errors import MessageError, VanishedError
from syncer.maildir import eol, fsops
from syncer.maildir.box import Box
from syncer.maildir.fingerprint import Fingerprinter, of_octets
from syncer.maildir.scan import ATTEMPTS
from syncer.reconcile.identity import UniqueName
from syncer.reconcile.observations import Fingerprint

PIECE = 1 << 15
"""Half of what may be sent at a time: every octet may be an LF that becomes two."""


class MessageFile:
    """The Outgoing port: a file, and what was found when its fingerprint was taken."""

    def __init__(self, box: Box, name: UniqueName) -> None:
        """Read the file once.

        Raises:
            VanishedError: it is gone, or was changed meanwhile.
            MessageError: it cannot be read.
        """
        self.name = name
        self._box = box
        with fsops.explained(f"read a message of {box.name}:", MessageError):
            fd = _open(box, name)
            try:
                before = os.fstat(fd)
                self._identity = _identity(before)
                self._verbatim, self.fingerprint = _examine(fd, before.st_size)
                self._insist(fd)
            finally:
                os.close(fd)
        self.internaldate = before.st_mtime_ns // 1_000_000_000

    def chunks(self) -> Iterator[bytes]:
        """The octets to send."""
        with fsops.explained(f"read a message of {self._box.name}:", MessageError):
            fd = _open(self._box, self.name)
            try:
                self._insist(fd)
                yield from eol.server_form(_pieces(fd, PIECE), verbatim=self._verbatim)
                self._insist(fd)
            finally:
                os.close(fd)

    def _insist(self, fd: int) -> None:
        if _identity(os.fstat(fd)) != self._identity:
            raise VanishedError(
                f"{self._box.name}: {fsops.printable(self.name)} was changed while it was read; "
                "the next pass looks again"
            )


def is_same_message(one: bytes, other: bytes) -> bool:
    """Whether two files are one: the same inode, or the same octets."""
    first = fsops.open_read(one)
    try:
        second = fsops.open_read(other)
        try:
            a, b = os.fstat(first), os.fstat(second)
            if os.path.samestat(a, b):
                return True
            if a.st_size != b.st_size or not (stat.S_ISREG(a.st_mode) and stat.S_ISREG(b.st_mode)):
                return False
            return all(x == y for x, y in zip(_pieces(first), _pieces(second), strict=True))
        finally:
            os.close(second)
    finally:
        os.close(first)


def _open(box: Box, name: UniqueName) -> int:
    for _ in range(ATTEMPTS):
        path = box.path_of(box.find(name))
        try:
            fd = fsops.open_read(path)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
        raise MessageError(f"{fsops.printable(path)} is not a regular file; it is not read")
    raise VanishedError(
        f"{box.name}: {fsops.printable(name)} is renamed too often to be read; the next pass looks again"
    )


def _examine(fd: int, size: int) -> tuple[bool, Fingerprint]:
    """Whether the file is kept verbatim, and its fingerprint. A large file is read twice rather than hashed twice."""
    if size <= eol.SMALL:
        octets = b"".join(_pieces(fd, eol.SMALL))
        verbatim = eol.is_verbatim((octets,))
        return verbatim, of_octets(b"".join(eol.server_form((octets,), verbatim=verbatim)))
    verbatim = eol.is_verbatim(_pieces(fd))
    taker = Fingerprinter()
    for piece in eol.server_form(_pieces(fd), verbatim=verbatim):
        taker.update(piece)
    return verbatim, taker.result()


def _pieces(fd: int, length: int = eol.CHUNK) -> Iterator[bytes]:
    offset = 0
    while octets := os.pread(fd, length, offset):
        yield octets
        offset += len(octets)


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
