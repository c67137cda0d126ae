"""Where the mailboxes of an account are. Pure."""

from collections.abc import Mapping

from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import MailboxName, UniqueName
from syncer.values import Struct, field


class Places(Struct, frozen=True):
    """Where the mailboxes of an account are. Mailboxes that the settings leave out are not here."""

    known: Mapping[MailboxName, Epoch | None]
    """In the index, with the counters last recorded."""
    server: frozenset[MailboxName]
    local: frozenset[MailboxName]
    unknown: Mapping[MailboxName, str] = field(default_factory=dict)
    """Mailboxes of which the server would not say whether they exist, and what it said instead; nowhere else here."""
    server_epochs: Mapping[MailboxName, Epoch] = field(default_factory=dict)
    """For renames on the server: the counters of mailboxes that only the server has and that hold known messages."""
    known_names: Mapping[MailboxName, frozenset[UniqueName]] = field(default_factory=dict)
    """For renames in the Maildir: the names that the index holds for mailboxes missing from the Maildir."""
    local_names: Mapping[MailboxName, frozenset[UniqueName]] = field(default_factory=dict)
    """For renames in the Maildir: the names in mailboxes that only the Maildir has."""

    @property
    def settled(self) -> bool:
        """Every mailbox is on both sides and in the index."""
        return not self.unknown and self.server == self.local == self.known.keys()


def same_mailbox(known: Epoch | None, seen: Epoch) -> bool:
    """MAILBOXID decides where there is one (RFC 8474 section 4); else UIDVALIDITY and a UIDNEXT that did not fall."""
    if known is None or known.uidvalidity != seen.uidvalidity:
        return False
    if known.mailbox_id and seen.mailbox_id:
        return known.mailbox_id == seen.mailbox_id
    return (seen.uidnext or 0) >= (known.uidnext or 0) > 1
