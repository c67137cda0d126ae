"""What the engine needs of an index."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.values import Struct, field

if TYPE_CHECKING:
    from syncer.reconcile.events import Event
    from syncer.reconcile.flags import Flags
    from syncer.reconcile.observations import Intent, Pair
    from syncer.reconcile.parking import Parked


class KnownMailbox(Struct, frozen=True):
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


class Finished(Struct, frozen=True):
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

    def renew(self, mailbox: MailboxName, epoch: Epoch, uids: Mapping[Uid, Uid], lost: Collection[UniqueName]) -> None:
        """The mailbox has another `epoch`: its UIDs mean nothing, and no shortcut holds before all is compared.

        Pairs get the UIDs that `uids` gives them, the others are removed. The names in `lost` become strays: files
        whose message the server does not have any more, about which a person decides. Deletions on both sides are held
        until that has happened. Open intents may have been carried out under any UID.
        """

    def strays(self, mailbox: MailboxName) -> frozenset[UniqueName]:
        """The strays of a mailbox. A name for which a pair is recorded is none any more."""

    def forget_strays(self, mailbox: MailboxName, names: Collection[UniqueName]) -> None:
        """These are not to be decided about any more; unknown names are no error."""

    def park(self, mailbox: MailboxName, message: Uid | UniqueName, reason: str, now: int) -> None:
        """A message of the server, or a file, failed once more, at `now`; `reason` is for people."""

    def parked(self, mailbox: MailboxName, now: int) -> Mapping[Uid | UniqueName, Parked]:
        """Those that failed so often that they are to be left alone at `now`. What has a pair has not failed."""

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

    def holders(self, names: Collection[UniqueName]) -> frozenset[MailboxName]:
        """The mailboxes that have a pair of one of these unique names, whatever its state.

        What it costs follows how many are asked for and how many mailboxes there are, whatever these hold.
        """

    def latest(self, mailbox: MailboxName, count: int, below: Uid | None = None) -> tuple[Pair, ...]:
        """The `count` pairs of the highest UIDs, or of the highest below `below`, descending by UID."""

    def base(self, mailbox: MailboxName) -> dict[Uid, Flags]:
        """The UID of every pair, whatever its state, with the flags both sides last agreed on."""

    def has_all(self, mailbox: MailboxName, uids: Collection[Uid]) -> bool:
        """Whether there is a pair, whatever its state, of each of these UIDs, which are all different."""

    def file_names(self, mailbox: MailboxName, info: Callable[[Flags], str]) -> set[bytes]:
        """How the files of a mailbox are named, of which no flag changed since both sides last agreed.

        That is, for every pair that should have a local file (whose state is not SERVER_ONLY), its unique name
        followed by `info` of its flags, as the file system has it. `info` is asked once for the same flags, and its
        answer has no `/`.
        """

    def record(self, mailbox: MailboxName, pairs: Collection[Pair]) -> None:
        """Insert or replace pairs by UID; intents of the same names are settled in the same transaction."""

    def agree(self, mailbox: MailboxName, pairs: Collection[Pair]) -> None:
        """As `record`, and faster if every pair is there already, under the same name."""

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

    def tell(self, at: int, event: Event) -> None:
        """Put into the journal what was done `at` (seconds since the epoch).

        Told after the effect and before its record, with which it is written: one that was not recorded is done again,
        or found done, and told then.
        """

    def next_run(self) -> None:
        """What is told from now on was done by another run: a program that stays makes many."""

    def close(self) -> None:
        """Close the database and give up the lock."""
