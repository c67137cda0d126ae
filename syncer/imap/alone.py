"""One message in an APPEND of its own, while no other command is under way.

That is the way of messages too large to be kept in memory, and of servers that want to be asked for each literal.
"""

from collections.abc import Iterator

from syncer.errors import MessageError
from syncer.imap.arguments import Argument, Literal, flag_list
from syncer.imap.dates import format_date
from syncer.imap.wire import Wire
from syncer.ports import Outgoing
from syncer.reconcile.flags import Flags


class NotSentError(Exception):
    """The file is not what its fingerprint says."""


def head(outgoing: Outgoing, flags: Flags) -> bytes:
    """What stands before a message's literal: flags and INTERNALDATE.

    Raises:
        ValueError: a flag cannot be sent.
    """
    return b' %b "%b"' % (flag_list(flags), format_date(outgoing.internaldate))


def exactly(chunks: Iterator[bytes], size: int) -> list[bytes]:
    """All of `chunks`.

    Raises:
        NotSentError: they are more or less than `size` octets.
        MessageError: they cannot be read.
    """
    found = []
    total = 0
    for chunk in chunks:
        found.append(chunk)
        total += len(chunk)
        if total > size:
            break
    if total != size:
        raise NotSentError(f"the file changed while it was read: it has not {size} octets any more; sync again")
    return found


def append_alone(wire: Wire, target: Argument, outgoing: Outgoing, flags: Flags, *, ask: bool) -> bytes:
    """Send the command; returns its tag, whose reply is still to come unless the server refused a literal.

    With `ask` (a large message) the server is asked in any case and the octets stream, else they are read before.

    Raises:
        MessageError, NotSentError, ValueError: nothing was sent.
        ConnectionLostError: the file changed in the middle; there is no other way out.
    """
    words = head(outgoing, flags)
    size = outgoing.fingerprint.size
    chunks = outgoing.chunks()
    first = next(chunks, b"") if ask else b"".join(exactly(chunks, size))
    tag = wire.next_tag()
    if _announced(wire, tag, target, words, size, ask=ask):
        _stream(wire, outgoing, first, chunks)
    return tag


def _announced(wire: Wire, tag: bytes, target: Argument, words: bytes, size: int, *, ask: bool) -> bool:
    line = tag + b" APPEND "
    if isinstance(target, Literal):
        if not wire.announce(tag, line, len(target.octets)):
            return False
        line, target = b"", target.octets
    return wire.announce(tag, line + target + words + b" ", size, ask=ask)


def _stream(wire: Wire, outgoing: Outgoing, first: bytes, chunks: Iterator[bytes]) -> None:
    size, sent = outgoing.fingerprint.size, 0
    chunk = first
    try:
        while chunk:
            sent += len(chunk)
            if sent > size:
                break
            wire.write(chunk)
            wire.renew()
            chunk = next(chunks, b"")
    except MessageError as error:
        wire.break_off(f"{outgoing.name} changed while it was sent: {error}")
    except BaseException:
        wire.shut(f"{outgoing.name} was sent in part")
        raise
    if sent != size:
        wire.break_off(f"{outgoing.name} changed while it was sent: it has not {size} octets any more")
    wire.write(b"\r\n")
