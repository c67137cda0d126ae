r"""Which copy of a message is whole: what the index remembers, what the file holds, what the server has. Pure.

Two that agree are believed against the third, for they came to it by different ways:

| index | file | server | verdict | remedy |
| --- | --- | --- | --- | --- |
| a | a | a | whole | |
| a | b | a | DAMAGED: the file | the server's copy, in its place |
| a | cannot be read | a | UNREADABLE | the same |
| a | a | b | SERVER_DIFFERS, or REWRITTEN | see below |
| a | b | b | INDEX_WRONG | record what both have |
| a | b | c | UNDECIDED | a person's |
| a | b | gone | DAMAGED | a person's: no other copy is left |
| a | gone | any | MISSING_LOCAL: deleted or moved there | the next sync's |
| a | a | gone | MISSING_SERVER: the same there | the next sync's |

File and index are no two witnesses against the server where the index has its digest from that file: a message that was
uploaded, or matched. Many servers change what is uploaded, its header block first. So a copy of the server with another
header block is never acted upon: it is the server's version (REWRITTEN), or, where the message was downloaded, perhaps
another message under its UID. With the same header block it is the same message with another body, and the file's is
put beside it on the server; which of the two is the whole one is not ours to say, so both stay there.
"""

import enum

from syncer.reconcile.identity import Uid
from syncer.reconcile.observations import Fingerprint, Pair
from syncer.values import Struct

SMALL = 5
"""From so many messages on, most of them differing is no damage."""


class Absence(enum.Enum):
    """Why there is no copy to compare."""

    GONE = "gone"
    """It is proved not to be there."""
    UNSEEN = "unseen"
    """It was not found, or not delivered, without proof that it is gone."""
    UNREADABLE = "unreadable"
    """The file is there and cannot be read."""
    APART = "apart"
    """It is not meant to be there (`PairState`)."""


File = tuple[Fingerprint, ...] | Absence
"""What a file holds, in each form in which a server may have sent it."""

Server = Fingerprint | Absence


class Kind(enum.Enum):
    """What is wrong with a message; the values are the keys of `verify --json`, in its order."""

    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    SERVER_DIFFERS = "server_differs"
    INDEX_WRONG = "index_wrong"
    UNDECIDED = "undecided"
    MISSING_LOCAL = "missing_local"
    MISSING_SERVER = "missing_server"
    NOT_READ = "not_read"
    REWRITTEN = "rewritten"


HARMLESS = frozenset({Kind.REWRITTEN})
"""Nothing is lost or damaged."""


class Remedy(enum.Enum):
    """What a repair would do."""

    NONE = "none"
    FETCH = "fetch"
    """Put the server's copy in the place of the file."""
    UPLOAD = "upload"
    """Append the file's copy as a new message; the server's stays."""
    RECORD = "record"
    """Record what file and server have."""


class Finding(Struct, frozen=True):
    """A message that is not the same in all its places."""

    kind: Kind
    remedy: Remedy
    pair: Pair
    file: File
    server: Server


class Subset(Struct, frozen=True):
    """The `part`-th of `of` parts of the messages, counted from 1. Every UID is in exactly one."""

    part: int = 1
    of: int = 1

    def takes(self, uid: Uid) -> bool:
        """Whether the message is in this part. New messages go round, and no message ever changes its part."""
        return uid % self.of == self.part % self.of


def judge(pair: Pair, file: File, server: Server, *, downloaded: bool) -> Finding | None:
    """What is wrong with a message; None if nothing is, or if nobody has it any more.

    `downloaded`: its name says that the file came from the server.
    """
    if isinstance(file, Absence):
        kind, remedy = _without_file(pair.fingerprint, file, server)
    elif isinstance(server, Absence):
        kind, remedy = _without_server(server, whole=pair.fingerprint in file)
    else:
        kind, remedy = _compared(pair.fingerprint, file, server, downloaded=downloaded)
    return None if kind is None else Finding(kind, remedy, pair, file, server)


def excessive(differing: int, compared: int) -> bool:
    """Whether so many of a mailbox differ on the server that it rather shows all messages otherwise than before."""
    return compared >= SMALL and 2 * differing > compared


Verdict = tuple[Kind | None, Remedy]


def _without_file(known: Fingerprint, file: Absence, server: Server) -> Verdict:
    if {file, server} <= {Absence.GONE, Absence.APART}:
        return None, Remedy.NONE
    if file is Absence.GONE:
        return Kind.MISSING_LOCAL, Remedy.NONE
    if Absence.UNSEEN in {file, server}:
        return Kind.NOT_READ, Remedy.NONE
    if file is Absence.UNREADABLE:
        return Kind.UNREADABLE, Remedy.FETCH if server == known else Remedy.NONE
    return (None if server == known else Kind.UNDECIDED), Remedy.NONE


def _without_server(server: Absence, *, whole: bool) -> Verdict:
    if not whole:
        return Kind.DAMAGED, Remedy.NONE
    return {Absence.GONE: Kind.MISSING_SERVER, Absence.UNSEEN: Kind.NOT_READ}.get(server), Remedy.NONE


def _compared(known: Fingerprint, file: tuple[Fingerprint, ...], server: Fingerprint, *, downloaded: bool) -> Verdict:
    if server == known:
        return (None, Remedy.NONE) if known in file else (Kind.DAMAGED, Remedy.FETCH)
    if known not in file:
        return (Kind.INDEX_WRONG, Remedy.RECORD) if server in file else (Kind.UNDECIDED, Remedy.NONE)
    if server.header != known.header:
        return Kind.SERVER_DIFFERS if downloaded or not server.size else Kind.REWRITTEN, Remedy.NONE
    if server.size > known.size and not downloaded:
        return Kind.REWRITTEN, Remedy.NONE
    return Kind.SERVER_DIFFERS, Remedy.UPLOAD
