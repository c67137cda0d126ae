"""What the engine needs of the world: a server, a Maildir and an index, as three Protocols.

Adapters implement them, `tests/fakes.py` implements them in memory, and one contract suite per port
(`tests/contract/`) runs on both. Mailboxes are always named by `MailboxName`, messages by UID or unique name, never
by sequence number or path.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.identity import MailboxName, Uid, UidValidity, UniqueName

if TYPE_CHECKING:
    from syncer.reconcile.flags import FlagDelta, Flags
    from syncer.reconcile.observations import (
        Fingerprint,
        Intent,
        LocalListing,
        Pair,
        ServerDelta,
        ServerListing,
        ServerMessage,
    )


@dataclass(frozen=True, slots=True)
class ServerMailbox:
    r"""A mailbox that LIST shows and that can be selected (no `\Noselect`, no `\NonExistent`)."""

    name: MailboxName
    special_use: str | None = None
    r"""RFC 6154 attribute in lower case (`\trash`, `\drafts`, ...), where the server tells."""
    cursor: Cursor | None = None
    """The counters of STATUS, where `Server.mailboxes` was asked for them and the server told."""


@dataclass(frozen=True, slots=True)
class Fetched:
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


@dataclass(frozen=True, slots=True)
class Appended:
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

    def listing(self, mailbox: MailboxName) -> ServerListing:
        """Select the mailbox and list every UID with its flags.

        `complete` only if the command ended with OK and listed as many UIDs as there are messages.
        """

    def changes(self, mailbox: MailboxName, since: Cursor) -> ServerDelta | None:
        """Select the mailbox and ask only for what changed since a cursor: QRESYNC, else CONDSTORE's CHANGEDSINCE.

        None where that cannot be asked or trusted: no CONDSTORE, no modseqs in this mailbox (NOMODSEQ), another
        UIDVALIDITY, counters that went back, or a server that is known to lie. The caller then makes a `listing`.
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

    def store(self, mailbox: MailboxName, uids: Collection[Uid], change: FlagDelta) -> None:
        """`+FLAGS.SILENT` and `-FLAGS.SILENT`. UIDs that are gone are no error.

        Raises:
            ServerRefusedError: NO or BAD.
        """

    def expunge(self, mailbox: MailboxName, uids: Collection[Uid]) -> bool:
        r"""Set `\Deleted`, then UID EXPUNGE of exactly these UIDs (RFC 4315).

        Returns False where the server has no UIDPLUS: the messages then only carry `\Deleted`. Never a bare
        EXPUNGE or CLOSE.

        Raises:
            ServerRefusedError: NO or BAD.
        """

    def move(self, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName) -> Mapping[Uid, Uid]:
        r"""UID MOVE (RFC 6851), else COPY, STORE `\Deleted` and UID EXPUNGE.

        Returns the new UID for each UID that the server named in COPYUID; one that is not in it may or may not have
        been moved. The source is not touched when COPY fails.

        Raises:
            ServerRefusedError: NO or BAD; nothing was moved.
        """

    def close(self) -> None:
        """LOGOUT if the connection still stands, then close it. Never raises."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the index expects to find in a mailbox's directories."""

    names: Callable[[Callable[[Flags], str]], set[bytes]]
    """Every file name in octets, given what to put behind a unique name for its flags (`Index.file_names`)."""
    state: str | None = None
    """A `LocalStore.state` in which the directories held just that."""


class Delivery(Protocol):
    """A batch of files on their way into one mailbox. Files that were added and not committed are removed on exit."""

    def add(self, name: UniqueName, flags: Flags, internaldate: int, body: Iterable[bytes]) -> Fingerprint:
        """Write one message to `tmp/`; CRLF becomes LF if every line ending is CRLF, else it is kept verbatim.

        The file's mtime becomes `internaldate` (best effort).

        Raises:
            StoreError: no space, read-only, not permitted. The file is gone.
        """

    def commit(self) -> frozenset[UniqueName]:
        """Make every file durable, then visible in `cur/` (`new/` if it has no flags), then the directories durable.

        Returns the names that were in the mailbox already. Those files are left as they are, and ours are gone: mostly
        it is the same message from an interrupted run, which the caller has to make sure of.
        """


class LocalStore(Protocol):
    """The Maildir of one account. May be used from several threads, in different mailboxes."""

    def mailboxes(self) -> tuple[MailboxName, ...]:
        """Every directory that looks like a mailbox, ordered by name with INBOX first.

        One that is missing here is not proved to be gone: `scan` tells.
        """

    def state(self, mailbox: MailboxName) -> str | None:
        """By what the mailbox's directories and its `dovecot-keywords` are recognised as unchanged; reads neither.

        None where one of the directories does not exist.
        """

    def scan(
        self, mailbox: MailboxName, mapping: Mapping[str, str], expected: Expectation | None = None
    ) -> LocalListing:
        """List `new/` and `cur/`. `mapping` is the one of `dovecot-keywords` as last recorded: letter to keyword.

        A `dovecot-keywords` file that lacks entries of `mapping` is completed from it. `trusted` are the keywords
        whose letter is the same in both.

        With `expected`, only files that are not as the index expects are in `messages`, and those that were not
        found so in `absent`; directories whose state is the expected one are not read.
        """

    def mapping(self, mailbox: MailboxName) -> Mapping[str, str]:
        """The letters of `dovecot-keywords` as the file says now."""

    def fingerprint(self, mailbox: MailboxName, name: UniqueName) -> Fingerprint:
        """Read the file. Raises VanishedError, or MessageError if it cannot be read."""

    def outgoing(self, mailbox: MailboxName, name: UniqueName) -> Outgoing:
        """The file as a message to append. Raises VanishedError, or MessageError if it cannot be read."""

    def internaldate(self, mailbox: MailboxName, name: UniqueName) -> int:
        """What `outgoing` would have as `internaldate`, without reading the file. Raises as `outgoing` does."""

    def delivery(self, mailbox: MailboxName) -> AbstractContextManager[Delivery]:
        """Begin a batch."""

    def unique_name(self, mailbox: MailboxName, epoch: Epoch, message: ServerMessage) -> UniqueName:
        """The name under which the message is delivered: derived from mailbox, UIDVALIDITY and UID, always the same."""

    def own_uid(self, mailbox: MailboxName, epoch: Epoch, name: UniqueName) -> Uid | None:
        """The UID in a name that `unique_name` made for this mailbox and UIDVALIDITY; None for any other name."""

    def change_flags(
        self, mailbox: MailboxName, name: UniqueName, change: FlagDelta, said: Flags = frozenset()
    ) -> None:
        """Rename from the current name with the delta applied; looks again if the file was renamed meanwhile.

        `said` is what its name said when it was last seen: where to look for it first, here and below.

        Keywords get a letter, a new one if letters are free; one without a letter is passed over. Letters and info
        that are not understood stay.

        Raises:
            VanishedError: no file has this unique name any more.
            MessageError: it cannot be changed.
        """

    def move(
        self,
        mailbox: MailboxName,
        name: UniqueName,
        target: MailboxName,
        new_name: UniqueName,
        change: FlagDelta,
        *,
        said: Flags = frozenset(),
    ) -> None:
        """Rename into another mailbox under another unique name, with the delta applied, durably.

        Keywords follow by name.

        Raises:
            VanishedError: no file has this unique name any more.
            MessageError: it cannot be moved.
        """

    def flush(self, mailbox: MailboxName) -> None:
        """Make durable what is about to be recorded of this mailbox's files.

        That is every change made here so far, and files that other programs wrote shortly before the last scan.
        """

    def remove(self, mailbox: MailboxName, name: UniqueName, said: Flags = frozenset()) -> None:
        """Take the file out of the Maildir, into the attic. One that is gone already is no error.

        Raises:
            VanishedError: it was not found, and its absence cannot be proved.
            MessageError: it cannot be removed.
        """

    def create(self, mailbox: MailboxName) -> None:
        """Make the directories; that they exist already is no error."""

    def rename(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        """Rename the mailbox and those below it."""

    def delete(self, mailbox: MailboxName) -> None:
        """Take every message into the attic, then remove the directories; mailboxes below it stay."""


@dataclass(frozen=True, slots=True)
class KnownMailbox:
    """What the index knows of a mailbox as a whole."""

    name: MailboxName
    epoch: Epoch | None
    """None until a pass over it was begun for the first time."""
    pairs: int | None = None
    """How many pairs it has; None where they were not counted."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """The letters of `dovecot-keywords`, as last seen."""
    synced_at: int | None = None
    """When a pass over it last ended without error, in seconds since the epoch."""
    error: str | None = None
    """What kept the last pass from ending well, for `status`."""
    held: frozenset[str] = frozenset()
    """The sides ("server", "local") on which deletions are held back until a person decides."""
    messages: int | None = None
    """How many messages the server held at `epoch`; None where its side has to be compared."""
    local_state: str | None = None
    """What the directories looked like when they were last read; None where they have to be read."""
    compared_at: int | None = None
    """When both sides were last compared without any shortcut, in seconds since the epoch."""
    settings: str | None = None
    """The settings of the pass that recorded all this, as far as they decide what is done."""
    highest: Uid | None = None
    """The highest UID of a pair."""

    @property
    def cursor(self) -> Cursor | None:
        """How far the last pass came on the server; None where its side has to be compared."""
        if self.epoch is None or self.messages is None:
            return None
        return Cursor(self.epoch, self.messages)


@dataclass(frozen=True, slots=True)
class Finished:
    """How a pass over one mailbox ended, without error."""

    mailbox: MailboxName
    epoch: Epoch | None
    """The counters to record; None: those that are recorded stay, with their `messages`."""
    messages: int | None
    """How many messages the server held at `epoch`, recorded with it; None: its side has to be compared next time."""
    mapping: Mapping[str, str] | None
    """The letters of `dovecot-keywords`; None: those that are recorded stay."""
    local_state: str | None
    """What the directories look like; None: they have to be read next time."""
    settings: str
    """A fingerprint of the settings of this pass, in ASCII."""
    compared: bool
    """Both sides were compared without any shortcut."""


class Index(Protocol):
    """What both sides looked like when they last agreed. Thread-safe.

    Each call is one transaction and durable on return.
    """

    @property
    def store_id(self) -> str | None:
        """The identity of the Maildir that this index belongs to; None before the first pass."""

    def bind(self, store_id: str) -> None:
        """Record the Maildir's identity."""

    def recall(self, key: str) -> str | None:
        """What was remembered under `key`; None if nothing was."""

    def remember(self, key: str, value: str) -> None:
        """Keep a small thing about the account, in place of what was remembered under `key`."""

    def mailboxes(self) -> tuple[KnownMailbox, ...]:
        """Every mailbox of the index, ordered by name with INBOX first. Their pairs are not counted."""

    def totals(self) -> Mapping[MailboxName, int]:
        """How many pairs of state BOTH each mailbox has; one that has none may be left out."""

    def keywords(self) -> tuple[str, ...]:
        """Every keyword ever recorded, in the spelling first seen."""

    def add_mailbox(self, mailbox: MailboxName) -> None:
        """Make a mailbox known; one that is known already is no error."""

    def rename_mailbox(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        """Rename it, with those below it."""

    def forget_epoch(self, mailbox: MailboxName) -> None:
        """Its UIDs hold, its counters do not: they are learned anew."""

    def distrust(self, mailbox: MailboxName) -> None:
        """Its cursor and state do not say any more what is in the index: no shortcut holds before all is compared."""

    def forget_mailbox(self, mailbox: MailboxName) -> None:
        """Remove it with its pairs and intents."""

    def pairs(self, mailbox: MailboxName) -> tuple[Pair, ...]:
        """Every pair, ascending by UID; empty for an unknown mailbox."""

    def pairs_among(
        self,
        mailbox: MailboxName,
        *,
        uids: Collection[Uid] = (),
        ranges: Collection[tuple[Uid, Uid]] = (),
        names: Collection[UniqueName] = (),
    ) -> tuple[Pair, ...]:
        """The pairs whose UID is in `uids` or in one of the inclusive `ranges`, or whose unique name is in `names`.

        Each once, ascending by UID. What it costs follows how many are asked for and found, whatever the mailbox holds.
        """

    def latest(self, mailbox: MailboxName, count: int, below: Uid | None = None) -> tuple[Pair, ...]:
        """The `count` pairs of the highest UIDs, or of the highest below `below`, descending by UID."""

    def base(self, mailbox: MailboxName) -> dict[Uid, Flags]:
        """The UID of every pair, whatever its state, with the flags both sides last agreed on."""

    def file_names(self, mailbox: MailboxName, info: Callable[[Flags], str]) -> set[bytes]:
        """How the files of a mailbox are named, of which no flag changed since both sides last agreed.

        That is, for every pair that should have a local file (whose state is not SERVER_ONLY), its unique name
        followed by `info` of its flags, as the file system has it. `info` is asked once for the same flags, and its
        answer has no `/`.
        """

    def record(self, mailbox: MailboxName, pairs: Collection[Pair]) -> None:
        """Insert or replace pairs by UID; intents of the same names are settled in the same transaction."""

    def forget(self, mailbox: MailboxName, uids: Collection[Uid]) -> None:
        """Remove pairs; unknown UIDs are no error."""

    def move(self, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName, pairs: Collection[Pair]) -> None:
        """Remove pairs here and record pairs there, in one transaction."""

    def intents(self, mailbox: MailboxName) -> tuple[Intent, ...]:
        """APPENDs that were announced and not settled; those that were sent last, in the order in which they were."""

    def announce(self, mailbox: MailboxName, intents: Collection[Intent]) -> None:
        """Record intents before the command is sent. An intent of the same name stays as it is.

        The older UIDNEXT counts.
        """

    def sent(self, mailbox: MailboxName, names: Sequence[UniqueName]) -> None:
        """The server took these APPENDs, in this order, and did not say the UIDs: they must not be sent again."""

    def settle(self, mailbox: MailboxName, names: Collection[UniqueName]) -> None:
        """Remove intents whose outcome is known."""

    def begin(self, mailbox: MailboxName, epoch: Epoch) -> None:
        """Record the counters of a mailbox that has none yet, before its first pair."""

    def finish(self, done: Collection[Finished], now: int) -> None:
        """A pass over these mailboxes ended without error, at `now`: record how far it came, and clear their errors.

        All in one transaction.
        """

    def fail(self, mailbox: MailboxName, error: str) -> None:
        """Record why a pass over the mailbox did not end well."""

    def hold(self, mailbox: MailboxName, sides: frozenset[str]) -> None:
        """Remember on which sides deletions are held back."""

    def note_deleted(self, mailbox: MailboxName, side: str, count: int, now: int) -> None:
        """Remember that messages were deleted on `side` ("server" or "local"), for the guard's sliding day."""

    def deleted_since(self, since: int) -> Mapping[tuple[MailboxName, str], int]:
        """How many messages were deleted, by mailbox and side, at or after `since` (seconds since the epoch)."""

    def close(self) -> None:
        """Close the database and give up the lock."""


class Progress(Protocol):
    """Hears how a pass goes on. Called from several threads; must be quick and never raise."""

    def mailboxes(self, account: str, total: int) -> None:
        """This many mailboxes will be looked at."""

    def looked(self, account: str, mailbox: MailboxName) -> None:
        """A mailbox was observed on both sides."""

    def planned(self, account: str, messages: int, octets: int) -> None:
        """So much more is to be transferred."""

    def transferred(self, account: str, messages: int, octets: int) -> None:
        """So much more was transferred."""
