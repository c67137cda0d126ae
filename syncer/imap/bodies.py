"""Messages on their way from the connection to whoever wants them, and how many are asked for at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from syncer.imap.transport import CHUNK
from syncer.imap.wire import Wire
from syncer.reconcile.identity import Uid
from syncer.values import Struct


class Part(Struct, frozen=True):
    """A message, or its header block, on its way."""

    uid: Uid
    flags: bytes | None
    """The words between the parentheses."""
    date: bytes | None
    size: int
    body: Iterator[bytes]


class Stream:
    """The octets of a literal that is larger than a chunk, straight from the connection."""

    __slots__ = ("_end", "_wire", "abandoned", "left")

    def __init__(self, wire: Wire, size: int, end: Callable[[bytes], object]) -> None:
        """`end` is given the last octets before these are handed out."""
        self.left = size
        self.abandoned = False
        self._wire = wire
        self._end = end

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> bytes:
        if self.abandoned:
            raise RuntimeError("a message's body was read after the next message was asked for")
        if not self.left:
            raise StopIteration
        chunk = self._wire.chunk(min(self.left, CHUNK))
        self._wire.renew()
        self.left -= len(chunk)
        if not self.left:
            self._end(chunk)
        return chunk

    def drain(self) -> None:
        """Read what is left, if anything."""
        if self.left:
            for _ in self:
                pass
            self.abandoned = True


def batches(uids: Sequence[Uid], sizes: Mapping[Uid, int], usual: int, octets: int) -> Iterator[list[Uid]]:
    """Batches of about 1 MiB; `usual` is the size of those that are not known, `octets` bounds a command."""
    limit = max(1, min(200, octets // 12))  # a UID and its comma are 11 octets at most
    batch: list[Uid] = []
    total = 0
    for uid in uids:
        size = sizes.get(uid, usual)
        if batch and (total + size > 1024 * 1024 or len(batch) >= limit):
            yield batch
            batch, total = [], 0
        batch.append(uid)
        total += size
    if batch:
        yield batch


class Spooled:
    """Octets in a temporary file, which goes with the last of them, or when nobody wants them any more."""

    def __init__(self) -> None:
        """Begin empty."""
        import tempfile  # noqa: PLC0415 - slow to load, and no real server needs it

        self._spool = tempfile.SpooledTemporaryFile(max_size=1024 * 1024)  # noqa: SIM115 - see below

    def write(self, octets: bytes) -> None:
        """Add some."""
        self._spool.write(octets)

    def __iter__(self) -> "Spooled":
        self._spool.seek(0)
        return self

    def __next__(self) -> bytes:
        chunk = b"" if self._spool.closed else self._spool.read(CHUNK)
        if not chunk:
            self._spool.close()
            raise StopIteration
        return chunk

    def __del__(self) -> None:
        self._spool.close()
