"""PURE: what a message's content is recognised by, taken while the octets pass by.

Both digests are over the form the server has (see `Fingerprint`). The header block reaches up to and including the
first empty line, that is through the first CRLF CRLF; a message that begins with CRLF has the header block CRLF; a
message without an empty line is all header. That is what `BODY[HEADER]` returns (RFC 9051 section 6.4.5.1).

The header block is where the message begins, so its digest is that of the whole, looked at on the way.
"""

import hashlib
from collections.abc import Iterable

from syncer.reconcile.observations import Fingerprint

DIGEST_SIZE = 16
_EMPTY_LINE = b"\r\n\r\n"


class Fingerprinter:
    """Takes octets in pieces of any size."""

    def __init__(self) -> None:
        self._size = 0
        self._content = hashlib.sha256()
        self._header: bytes | None = None
        """The digest of the header block, once its end was seen."""
        # As if an end of line came before the message: an empty first line then looks like any other empty line.
        self._before = b"\r\n"

    def update(self, octets: bytes) -> None:
        """Take the next octets."""
        self._size += len(octets)
        if self._header is None:
            end = self._end_of_header(octets)
            if end is not None:
                self._content.update(octets[:end])
                self._header = self._content.digest()[:DIGEST_SIZE]
                octets = octets[end:]
        self._content.update(octets)

    def result(self) -> Fingerprint:
        """The fingerprint of everything taken so far."""
        content = self._content.digest()[:DIGEST_SIZE]
        return Fingerprint(self._size, content if self._header is None else self._header, content)

    def _end_of_header(self, octets: bytes) -> int | None:
        seen = len(self._before)
        at = (self._before + octets[:3]).find(_EMPTY_LINE)
        if at < 0:
            at = octets.find(_EMPTY_LINE)
            seen = 0
        if at < 0:
            self._before = (self._before + octets[-3:])[-3:]
            return None
        return at + len(_EMPTY_LINE) - seen


def taken(pieces: Iterable[bytes]) -> Fingerprint:
    """The fingerprint of a message that comes in pieces of any size; none of it is kept."""
    taker = Fingerprinter()
    for piece in pieces:
        taker.update(piece)
    return taker.result()


def of_octets(octets: bytes) -> Fingerprint:
    """The fingerprint of a whole message."""
    return taken((octets,))
