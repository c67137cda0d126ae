"""What the engine needs of a server."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.identity import MailboxName, Uid, UidValidity, UniqueName
from syncer.values import Struct

if TYPE_CHECKING:
    from syncer.reconcile.flags import FlagDelta, Flags
    from syncer.reconcile.observations import Fingerprint, ServerDelta, ServerListing, ServerMessage


class ServerMailbox(Struct, frozen=True):
    r"""A mailbox that LIST shows and that can be selected (no `\Noselect`, no `\NonExistent`)."""

    name: MailboxName
    special_use: str | None = None
    r"""RFC 6154 attribute in lower case (`\trash`, `\drafts`, ...), where the server tells."""
    cursor: Cursor | None = None
    """The counters of STATUS, where `Server.mailboxes` was asked for them and the server told."""


class Standing(Struct, frozen=True):
    """What a selection that stands has told of its mailbox; see `ServerListing`."""

    writable: bool
    storable: Flags
    any_keyword: bool


class Fetched(Struct, frozen=True):
    """One message of a FETCH.

    `body` streams the octets as the server gives them and must be used up before the next message is asked for.
    """

    uid: Uid
    flags: Flags
    internaldate: int
    size: int
    """The length of the literal: what the server really sends, whatever RFC822.SIZE said."""
    body: Iterator[bytes]


class Outgoing(Protocol):
    """A message file that is about to be appended."""

    @property
    def name(self) -> UniqueName:
        """The file's unique name."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Of the octets that `chunks` yields; `fingerprint.size` is the length of the literal."""

    @property
    def internaldate(self) -> int:
        """The file's mtime, in seconds since the epoch."""

    def chunks(self) -> Iterator[bytes]:
        """The octets to send, at most 64 KiB at a time: LF sent as CRLF unless the file is kept verbatim.

        May be asked for again; small messages are kept in memory until they were asked for once.

        Raises:
            VanishedError: the file is gone, or is not what it was when the fingerprint was taken.
        """


class Appended(Struct, frozen=True):
    """How the APPEND of one message went."""

    name: UniqueName
    uid: Uid | None = None
    """The new UID from APPENDUID (RFC 4315); None where the server did not tell."""
    refused: str | None = None
    """The server's words, or what went wrong with the file, where the message was not appended."""


class Server(Protocol):
    r"""One logged-in connection. Belongs to one thread at a time.

    Every method may raise `ConnectionLostError` (the effect of the command is unknown) and `ProtocolError`; the
    connection is then closed and the object useless. `NoSuchMailboxError` and `MailboxError` (the server's words in
    it) leave it usable. UID sets are never empty on the wire: a method given none does nothing. Flags are passed
    and returned as the server spells them, without `\Recent`.
    """

    @property
    def capabilities(self) -> frozenset[str]:
        """In upper case, as after log-in."""

    def mailboxes(self, *, counters: bool = False) -> tuple[ServerMailbox, ...]:
        """Every selectable mailbox of the personal namespace, each once, ordered by name with INBOX first.

        With `counters`, the state of each in the same round trip (LIST-STATUS, RFC 5819), else by one pipeline of
        STATUS. Only to decide where to look: servers may tell counters that are a moment old.
        """

    def exists(self, mailbox: MailboxName) -> bool:
        """Ask for this one mailbox (STATUS); a mailbox that LIST left out may still be there."""

    def epoch(self, mailbox: MailboxName) -> Epoch:
        """The mailbox's counters, by STATUS."""

    def expect(self, mailbox: MailboxName, uidvalidity: UidValidity) -> None:
        """UIDs given from now on are of this UIDVALIDITY.

        A mailbox that has another one when it is selected is refused with MailboxError. A connection that listed the
        mailbox itself expects what it listed.
        """

    def create(self, mailbox: MailboxName) -> None:
        """CREATE, and subscribe. A mailbox that exists already is no error."""

    def rename(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        """RENAME, and carry the subscription over."""

    def delete(self, mailbox: MailboxName) -> None:
        """DELETE, with everything in it. A mailbox that does not exist is no error."""

    def listing(self, mailbox: MailboxName, *, describe: bool = False) -> ServerListing:
        """Select the mailbox and list every UID with its flags.

        With `describe`, what `describe` tells is asked for at once, since it will be wanted of most messages.
        `complete` only if the command ended with OK and listed as many UIDs as there are messages.
        """

    def changes(self, mailbox: MailboxName, since: Cursor, likely: Collection[Uid] = ()) -> ServerDelta | None:
        """Select the mailbox and ask only for what changed since a cursor: QRESYNC, else CONDSTORE's CHANGEDSINCE.

        Descriptions of new messages come in the same flight, and the headers of those that will `likely` be asked for:
        the next call of `describe` and of `headers` waits for nothing.

        None where that cannot be asked or trusted: no CONDSTORE, no modseqs in this mailbox (NOMODSEQ), another
        UIDVALIDITY, counters that went back, or a server that is known to lie. The caller then makes a `listing`.
        """

    def standing(self, mailbox: MailboxName) -> Standing | None:
        """The selection, if it is of this mailbox and still good: a command about it then costs one round trip.

        As long as it stands the mailbox is the one that was looked at, in this session.
        """

    def present(self, mailbox: MailboxName) -> tuple[tuple[Uid, Uid], ...] | None:
        """Every UID of the mailbox as inclusive ascending ranges, as compactly as the server can (ESEARCH, RFC 4731).

        None if they are not as many as there are messages: then nothing is proved.
        """

    def describe(self, mailbox: MailboxName, uids: Collection[Uid]) -> tuple[ServerMessage, ...]:
        """Size, date and flags of messages, ascending by UID; those that are gone are left out."""

    def headers(self, mailbox: MailboxName, uids: Collection[Uid]) -> Mapping[Uid, bytes]:
        """For each message the digest of its header block (see `Fingerprint.header`).

        Those that are gone are left out.
        """

    def fetch(self, mailbox: MailboxName, uids: Sequence[Uid]) -> Iterator[Fetched]:
        r"""The messages' flags, dates and octets, in whatever order the server sends them.

        Peeks (no `\Seen` is set).

        What is gone, refused, or has no body is left out: the caller sees which UIDs are missing. Nothing else may
        be called on this connection until the iterator is used up or closed.
        """

    def append(self, mailbox: MailboxName, messages: Iterable[tuple[Outgoing, Flags]]) -> Iterator[Appended]:
        """Append message by message, with flags and INTERNALDATE; yields one outcome for each, in order.

        A refused message does not stop the next. An empty message is refused without being sent.
        """

    def store(self, mailbox: MailboxName, changes: Iterable[tuple[Collection[Uid], FlagDelta]]) -> list[str | None]:
        """`+FLAGS.SILENT` and `-FLAGS.SILENT`, for each change; in one flight. UIDs that are gone are no error.

        Returns for each change why the server refused it, None where it did not. Something of a refused change may
        have been made.
        """

    def expunge(self, mailbox: MailboxName, uids: Collection[Uid]) -> bool:
        r"""Set `\Deleted`, then UID EXPUNGE of exactly these UIDs (RFC 4315).

        Returns False where the server has no UIDPLUS: the messages then only carry `\Deleted`. Never a bare
        EXPUNGE or CLOSE.

        Raises:
            ServerRefusedError: NO or BAD, or it was not done.
        """

    def move(self, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName) -> Mapping[Uid, Uid]:
        r"""UID MOVE (RFC 6851), else COPY, STORE `\Deleted` and UID EXPUNGE.

        Returns the new UID for each UID that the server named in COPYUID; one that is not in it may or may not have
        been moved. The source is not touched when COPY fails.

        Raises:
            ServerRefusedError: NO or BAD; nothing was moved.
        """

    def noop(self) -> None:
        """See that the connection stands, and that nobody takes it for dead."""

    def close(self) -> None:
        """LOGOUT if the connection still stands, then close it. Never raises."""
