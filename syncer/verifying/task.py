"""What is to be verified, and how the sides of a mailbox were found, as values."""

from collections.abc import Callable

from syncer.observer.here import Here
from syncer.observer.there import There
from syncer.reconcile.identity import MailboxName, Uid
from syncer.reconcile.verdicts import Subset
from syncer.values import Struct


class Task(Struct, frozen=True):
    """What is to be verified, and what a repair may change."""

    account: str
    wants: Callable[[str], bool]
    """Whether the settings include a mailbox."""
    mailboxes: frozenset[MailboxName] | None = None
    """Only these; None: all."""
    subset: Subset = Subset()
    repair: bool = False
    to_local: bool = True
    """The Maildir may be changed."""
    to_server: bool = True


class Sight(Struct, frozen=True):
    """How both sides of a mailbox differ from the index."""

    mailbox: MailboxName
    there: There
    here: Here
    uids: tuple[Uid, ...]
    """The messages of the index to be read."""
