"""Reading message files: fingerprints, and files on their way to the server."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from syncer.errors import MessageError, VanishedError
from syncer.maildir import eol, fsops
from syncer.maildir.box import Box
from syncer.maildir.scan import ATTEMPTS
from syncer.ports import Examined
from syncer.reconcile.fingerprint import Fingerprinter, of_octets, taken
from syncer.reconcile.identity import UniqueName
from syncer.reconcile.observations import Fingerprint

T = TypeVar("T")

PIECE = 1 << 15
"""Half of what may be sent at a time: every octet may be an LF that becomes two."""


class MessageFile:
    """The Outgoing port: a file, and what was found when its fingerprint was taken.

    The octets of a small file are kept until they were sent once, so that it is opened and read only once, and what is
    sent is what the fingerprint is of. Whoever wants them again has the file read again.
    """

    def __init__(self, box: Box, name: UniqueName) -> None:
        """Read the file once.

        Raises:
            VanishedError: it is gone, or was changed meanwhile.
            MessageError: it cannot be read.
        """
        self.name = name
        self._box = box
        self._octets: bytes | None = None
        with fsops.explained(f"read a message of {box.name}:", MessageError):
            fd, before = _open(box, name)
            try:
                self._identity = _identity(before)
                if before.st_size <= eol.SMALL:
                    octets = _whole(fd, before.st_size)
                    self._verbatim = b"\r" in octets
                    self._octets = octets if self._verbatim else octets.replace(b"\n", b"\r\n")
                    self.fingerprint = of_octets(self._octets)
                else:
                    self._verbatim, self.fingerprint = _examine(fd)
                self._insist(fd)
            finally:
                os.close(fd)
        self.internaldate = _seconds(before)

    def chunks(self) -> Iterator[bytes]:
        """The octets to send."""
        octets, self._octets = self._octets, None
        if octets is not None:
            yield from (octets[at : at + eol.CHUNK] for at in range(0, len(octets), eol.CHUNK))
            return
        with fsops.explained(f"read a message of {self._box.name}:", MessageError):
            fd, _ = _open(self._box, self.name)
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


def fingerprints(box: Box, names: Iterable[UniqueName]) -> dict[UniqueName, Fingerprint]:
    """Those of the files that can be read."""
    found: dict[UniqueName, Fingerprint] = {}
    for name in names:
        with suppress(MessageError):
            found[name] = MessageFile(box, name).fingerprint
    return found


def examine(box: Box, name: UniqueName) -> Examined:
    """Read a file anew, of any size; see `LocalStore.examine`.

    Raises:
        VanishedError: it is gone, or was changed meanwhile.
        MessageError: it cannot be read.
    """
    with fsops.explained(f"read a message of {box.name}:", MessageError):
        fd, before = _open(box, name)
        try:
            forms = _forms(_pieces(fd))
            if _identity(os.fstat(fd)) != _identity(before):
                raise VanishedError(f"{box.name}: {fsops.printable(name)} was changed while it was read; look again")
        finally:
            os.close(fd)
    return Examined(fsops.printable(box.path_of(box.hint(name) or box.find(name))), forms)


def _forms(pieces: Iterable[bytes]) -> tuple[Fingerprint, ...]:
    """With a CR it is as the server sent it; without any it came with CRLF, or with the LF that it has."""
    verbatim, converted, has_cr = Fingerprinter(), Fingerprinter(), False
    for piece in pieces:
        has_cr = has_cr or b"\r" in piece
        verbatim.update(piece)
        if not has_cr:
            converted.update(piece.replace(b"\n", b"\r\n"))
    return (verbatim.result(),) if has_cr else tuple(dict.fromkeys((converted.result(), verbatim.result())))


def internaldate(box: Box, name: UniqueName) -> int:
    """The date of a file's message, in seconds since the epoch, without reading it.

    Raises:
        VanishedError: it is gone.
        MessageError: it cannot be looked at.
    """
    with fsops.explained(f"look at a message of {box.name}:", MessageError):
        return _seconds(_reach(box, name, os.lstat))


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


def _reach(box: Box, name: UniqueName, use: Callable[[bytes], T]) -> T:
    """What `use` makes of the file's path, wherever the file is now."""
    where = box.hint(name)
    for _ in range(ATTEMPTS):
        path = box.path_of(where or box.find(name))
        try:
            return use(path)
        except FileNotFoundError:
            where = None
    raise VanishedError(
        f"{box.name}: {fsops.printable(name)} is renamed too often to be read; the next pass looks again"
    )


def _open(box: Box, name: UniqueName) -> tuple[int, os.stat_result]:
    fd = _reach(box, name, fsops.open_read)
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode):
        return fd, found
    os.close(fd)
    raise MessageError(f"{box.name}: {fsops.printable(name)} is not a regular file; it is not read")


def _examine(fd: int) -> tuple[bool, Fingerprint]:
    """Whether a large file is kept verbatim, and its fingerprint. It is read twice rather than hashed twice."""
    verbatim = eol.is_verbatim(_pieces(fd))
    return verbatim, taken(eol.server_form(_pieces(fd), verbatim=verbatim))


def _whole(fd: int, size: int) -> bytes:
    """Everything, in one read if the file has `size` octets."""
    octets = os.pread(fd, size + 1, 0)
    return octets if len(octets) == size else b"".join(_pieces(fd))


def _pieces(fd: int, length: int = eol.CHUNK) -> Iterator[bytes]:
    offset = 0
    while octets := os.pread(fd, length, offset):
        yield octets
        offset += len(octets)


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _seconds(found: os.stat_result) -> int:
    return found.st_mtime_ns // 1_000_000_000
