"""Line endings: what the server sends as CRLF is stored as LF, if every line ending of the message is CRLF.

Anything else is stored verbatim, so a file without a single CR was converted and one with a CR was not: reading back
needs no further mark. The one thing that a file cannot tell is whether a message without any CR came that way from the
server; it is then sent with CRLF, and the index, which remembers the server's size, knows better.

Small messages are decided in memory. Larger ones are written converted, and turned back in place at the first line
ending that is not CRLF: the file is not visible yet.
"""

import os
from collections.abc import Iterable, Iterator

from syncer.maildir import fsops
from syncer.reconcile.fingerprint import Fingerprinter, of_octets
from syncer.reconcile.observations import Fingerprint

SMALL = 1 << 20
"""Up to so many octets are kept in memory."""
CHUNK = 1 << 16


def converted(octets: bytes) -> bytes | None:
    """The octets with LF for CRLF; None if a CR or an LF is not part of a CRLF.

    Decided by turning them back. Replacing single octets is several times faster than looking for pairs.
    """
    stored = octets.replace(b"\r", b"")
    return stored if stored.replace(b"\n", b"\r\n") == octets else None


def write(fd: int, body: Iterable[bytes]) -> Fingerprint:
    """Write a message from the server to an empty file; returns the fingerprint of what the server sent."""
    pieces = iter(body)
    start: list[bytes] = []
    length = 0
    for piece in pieces:
        start.append(piece)
        length += len(piece)
        if length > SMALL:
            return _write_large(fd, b"".join(start), pieces)
    octets = b"".join(start)
    stored = converted(octets)
    fsops.write_all(fd, octets if stored is None else stored)
    return of_octets(octets)


def is_verbatim(pieces: Iterable[bytes]) -> bool:
    """Whether a file is kept as the server sent it, from its octets: it has a CR."""
    return any(b"\r" in piece for piece in pieces)


def server_form(pieces: Iterable[bytes], *, verbatim: bool) -> Iterator[bytes]:
    """The octets of a file as the server has them, piece by piece (a piece may become twice as long)."""
    return iter(pieces) if verbatim else (piece.replace(b"\n", b"\r\n") for piece in pieces)


def _write_large(fd: int, start: bytes, pieces: Iterator[bytes]) -> Fingerprint:
    taker = Fingerprinter()
    carry, verbatim, line_feeds, written = b"", False, 0, 0
    for piece in _chain(start, pieces):
        taker.update(piece)
        if verbatim:
            fsops.write_all(fd, piece)
            continue
        # A CR at the end of a piece is not decided before the next one comes.
        octets = carry + piece
        carry = b"\r" if octets.endswith(b"\r") else b""
        octets = octets[: len(octets) - len(carry)]
        stored = converted(octets)
        if stored is not None:
            fsops.write_all(fd, stored)
            written += len(stored)
            line_feeds += len(octets) - len(stored)
        else:
            _turn_back(fd, written, line_feeds)
            fsops.write_all(fd, octets + carry)
            verbatim, carry = True, b""
    if carry:
        _turn_back(fd, written, line_feeds)
        fsops.write_all(fd, carry)
    return taker.result()


def _chain(start: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from pieces


def _turn_back(fd: int, size: int, line_feeds: int) -> None:
    """Turn the LFs of the first `size` octets into CRLFs, from the end so that nothing unread is written over."""
    target = size + line_feeds
    while size > 0:
        begin = max(0, size - CHUNK)
        octets = os.pread(fd, size - begin, begin)
        octets = octets.replace(b"\n", b"\r\n")
        target -= len(octets)
        fsops.write_all_at(fd, octets, target)
        size = begin
    fsops.seek_end(fd)
