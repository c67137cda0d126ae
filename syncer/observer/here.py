"""How the Maildir's side of one mailbox differs from the index."""

from collections.abc import Mapping
from functools import partial

from syncer.ports import Expectation, Index, LocalStore
from syncer.reconcile.comparing import local_changes
from syncer.reconcile.flags import Spelling
from syncer.reconcile.identity import MailboxName
from syncer.reconcile.observations import LocalChanges, LocalListing, LocalMessage, Pair
from syncer.values import Struct, replace


class Here(Struct, frozen=True):
    """What was found of a mailbox in the Maildir."""

    changes: LocalChanges
    pairs: tuple[Pair, ...] = ()
    """Those that `changes` is about, or more."""
    mapping: Mapping[str, str] | None = None
    state: str | None = None
    """See `LocalListing.state`."""
    notes: tuple[str, ...] = ()

    @property
    def seen(self) -> bool:
        """Everything was listed, or there is nothing to list."""
        return self.changes.complete or self.changes.missing

    @property
    def idle(self) -> bool:
        """Nothing differs here."""
        return not self.changes.missing and idle(self.changes)

    @property
    def flags_alone(self) -> bool:
        """Nothing but flags differs here."""
        return bool(self.changes.flags) and not (self.changes.missing or self.changes.new or self.changes.gone)


def idle(changes: LocalChanges) -> bool:
    """Whether no message differs."""
    return not (changes.new or changes.flags or changes.gone)


def look_here(
    store: LocalStore,
    index: Index,
    mailbox: MailboxName,
    spelling: Spelling,
    *,
    mapping: Mapping[str, str],
    state: str | None,
    read: LocalListing | None = None,
) -> Here:
    """How the mailbox differs from the index in the Maildir.

    `mapping` are the letters as last recorded; `state` is one in which nothing differed, None to read in any case;
    `read` is what was read already, with both.

    Raises:
        MailboxError: it cannot be looked at.
    """
    found = read or store.scan(mailbox, mapping, Expectation(partial(index.file_names, mailbox), state))
    listing = _normal(found, spelling)
    pairs: tuple[Pair, ...] = ()
    if listing.missing:
        pairs = index.pairs(mailbox)
    elif listing.messages or listing.absent:
        pairs = index.pairs_among(mailbox, names={*listing.messages, *listing.absent})
    return Here(local_changes(listing, pairs), pairs, listing.mapping, listing.state, listing.notes)


def _normal(listing: LocalListing, spelling: Spelling) -> LocalListing:
    """The listing with its flags in the account's spelling."""
    normal, letters = spelling.normal, listing.letters
    spoken = replace(
        letters, trusted=normal(letters.trusted), mapped=normal(letters.mapped), doubted=normal(letters.doubted)
    )
    messages = {unique: LocalMessage(unique, normal(message.flags)) for unique, message in listing.messages.items()}
    return replace(listing, messages=messages, letters=spoken)
