"""What was seen: immutable values about one mailbox.

The planner is given changes, never listings; `comparing` makes the ones from the others. Absence needs proof: `gone`
is filled only from what is `complete`; what is missing from something that is not is `unproven`: neither seen nor
proved to be gone.
"""

import enum
from collections.abc import Mapping

from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import FORWARDED, SYSTEM, Flags
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.parking import Parked
from syncer.values import Struct, field


class PairState(enum.IntEnum):
    """Which copies of a pair still exist, as last agreed."""

    BOTH = 0
    SERVER_ONLY = 1
    """The local copy was deleted and the server's is kept on purpose (a setting, or a server without UIDPLUS)."""
    LOCAL_ONLY = 2
    """The server's copy was expunged and the local one is kept on purpose (`direction = "push"`)."""


class Fingerprint(Struct, frozen=True):
    """What a message's content is recognised by.

    Everything is taken over the message in the form the server has it (line endings CRLF unless the file is kept
    verbatim): `size` in octets, `header` the first 16 bytes of the SHA-256 of the header block up to and including the
    empty line that ends it (exactly what `BODY[HEADER]` returns), `content` the same of the whole message.
    """

    size: int
    header: bytes
    content: bytes


class Pair(Struct, frozen=True):
    """The index's statement that a UID and a unique name are one message, with the flags both sides last agreed on."""

    uid: Uid
    name: UniqueName
    flags: Flags
    fingerprint: Fingerprint
    email_id: str | None = None
    """RFC 8474 EMAILID, where the server has it."""
    state: PairState = PairState.BOTH


class Intent(Struct, frozen=True):
    """An APPEND announced in the index before it was sent, whose outcome is not recorded."""

    name: UniqueName
    uidnext: Uid | None
    """The mailbox's UIDNEXT before the command: what it created, if anything, is not below."""
    internaldate: int | None = None
    """The date that was sent along, in seconds since the epoch."""
    sent: bool = False
    """The server took it and did not say under which UID: it must never be sent again."""


class ServerMessage(Struct, frozen=True):
    """A message on the server that the index does not know."""

    uid: Uid
    flags: Flags
    size: int
    """RFC822.SIZE: a hint (some servers get it wrong), good for progress and for choosing what to compare."""
    internaldate: int
    """Seconds since the epoch."""
    email_id: str | None = None


class ServerListing(Struct, frozen=True):
    """Every message of a mailbox on the server, at one moment."""

    epoch: Epoch
    flags: Mapping[Uid, Flags]
    complete: bool
    """The command ended with OK and listed as many UIDs as the mailbox has messages (EXISTS)."""
    writable: bool = True
    storable: Flags = SYSTEM
    """Flags that PERMANENTFLAGS names (RFC 9051 section 7.1)."""
    any_keyword: bool = True
    r"""PERMANENTFLAGS has `\*`: new keywords may be made."""
    messages: int | None = None
    """EXISTS as SELECT told it, the moment to which `epoch` belongs; None where it was not told."""


class ServerDelta(Struct, frozen=True):
    """What a mailbox's server tells of the time since a cursor of the same UIDVALIDITY."""

    cursor: Cursor
    """The mailbox as it was selected: the next delta begins here, whatever changed while this one was asked for."""
    flags: Mapping[Uid, Flags]
    """Every message that is new or whose flags may have changed since."""
    vanished: tuple[tuple[Uid, Uid], ...] | None
    """UIDs that were expunged since, as inclusive ascending ranges (RFC 7162 section 3.2.6); may name UIDs that never
    were. None where the server does not tell, and the caller has to ask which UIDs are `present`."""
    writable: bool = True
    storable: Flags = SYSTEM
    any_keyword: bool = True


class LocalMessage(Struct, frozen=True):
    """A file in a mailbox's `new/` or `cur/`."""

    name: UniqueName
    flags: Flags


class Letters(Struct, frozen=True):
    """Which keywords the Maildir's file names can say at the moment, `$Forwarded` (always `P`) included.

    `trusted` keywords have a letter that means the same as when the index last looked, so that a file without the
    letter says "not set". `mapped` have a letter now. `room` says that letters are free for further keywords.
    """

    trusted: Flags = frozenset({FORWARDED})
    mapped: Flags = frozenset({FORWARDED})
    room: bool = True
    doubted: Flags = frozenset()
    """Keywords whose letter meant another keyword when the index last looked: a file that has the letter may say
    either, so it says nothing, and loses the letter."""


class LocalListing(Struct, frozen=True):
    """The message files of one mailbox, at one moment: every one, or those that are not as the index expects."""

    messages: Mapping[UniqueName, LocalMessage]
    complete: bool
    """The directories did not change while they were read, and everything in them could be read."""
    letters: Letters = field(default_factory=Letters)
    mapping: Mapping[str, str] = field(default_factory=dict)
    """The letters `a`-`z` in use and the keyword that each stands for."""
    notes: tuple[str, ...] = ()
    """For the report: what was passed over and why (a directory named like a message, the same message twice)."""
    missing: bool = False
    """The mailbox's directory does not exist. `messages` is empty and says nothing."""
    absent: frozenset[UniqueName] = frozenset()
    """Names that the index expects and that were not found as it expects them."""
    state: str | None = None
    """By what the directories are recognised as unchanged (`LocalStore.state`); None where that is not sure."""


class ServerChanges(Struct, frozen=True):
    """How the server differs from the index, in one mailbox."""

    epoch: Epoch
    new: tuple[ServerMessage, ...] = ()
    flags: Mapping[Uid, Flags] = field(default_factory=dict)
    """Known UIDs whose flags are not the base."""
    gone: frozenset[Uid] = frozenset()
    """Known UIDs, proved to be absent."""
    unproven: frozenset[Uid] = frozenset()
    """Known UIDs that were not listed, without proof that they are gone."""
    complete: bool = True
    """Everything was listed: what is not in `new` is not there."""
    writable: bool = True
    storable: Flags = SYSTEM
    any_keyword: bool = True
    missing: bool = False
    """The mailbox does not exist on the server; nothing else here means anything."""


class LocalChanges(Struct, frozen=True):
    """How the Maildir differs from the index, in one mailbox."""

    new: tuple[LocalMessage, ...] = ()
    flags: Mapping[UniqueName, Flags] = field(default_factory=dict)
    """Known names that mean other flags than the base, or could say more of it.

    The flags are those that the name says.
    """
    gone: frozenset[UniqueName] = frozenset()
    """Known names, proved to be absent from this mailbox."""
    unproven: frozenset[UniqueName] = frozenset()
    """Known names that were not found, without proof that they are gone."""
    complete: bool = True
    """Everything was listed: what is not in `new` is not there."""
    letters: Letters = field(default_factory=Letters)
    missing: bool = False
    """The mailbox's directory does not exist; its messages are neither here nor proved to be deleted."""


class Observation(Struct, frozen=True):
    """Everything about one mailbox that the planner decides from: how both sides differ, and the rows for that only."""

    mailbox: MailboxName
    server: ServerChanges
    local: LocalChanges
    pairs: tuple[Pair, ...] = ()
    """The pairs that either side names as changed, gone or unproven; all where the mailbox is missing on a side."""
    total: int = 0
    """How many pairs of state BOTH the index holds for the mailbox."""
    known: Epoch | None = None
    """The counters as last recorded."""
    intents: tuple[Intent, ...] = ()
    own: Mapping[UniqueName, Uid] = field(default_factory=dict)
    """For new names that are what we would call a new message, by mailbox, UIDVALIDITY, UID and date: its UID."""
    impostor: Uid | None = None
    """A known UID under which the server has another message than before."""
    renewed: str | None = None
    """Why the mailbox got another epoch in this pass."""
    strays: frozenset[UniqueName] = frozenset()
    """Files whose message the server lost with an epoch: a person decides about them."""
    parked: Mapping[Uid | UniqueName, Parked] = field(default_factory=dict)
    """New messages and files that failed so often that they are left alone in this pass."""
    held: frozenset[str] = frozenset()
    """The sides on which a guard held deletions in the last pass; they stay held until a person decides."""
    deleted_lately: Mapping[str, int] = field(default_factory=dict)
    """How many messages syncs deleted in the last day, by side."""
    apart: tuple[Pair, ...] = ()
    """The pairs of which a copy is kept on one side alone; given only where they may be restored."""
