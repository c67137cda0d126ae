"""Making the directories of a mailbox in the Maildir that the index knows messages of.

A directory that is missing proves nothing; one that is there and empty seems to prove that all it held was deleted.
"""

from syncer.observer.evidence import names_elsewhere, paired
from syncer.ports import Index, LocalStore
from syncer.reconcile.identity import MailboxName
from syncer.reconcile.observations import PairState


def make_here(store: LocalStore, index: Index, mailbox: MailboxName) -> None:
    """Make those of the mailbox's directories that are missing; the index forgets before what went with them.

    What is in another mailbox by now, and has no message there yet, was moved there and is not forgotten.

    Raises:
        MailboxError: they cannot be made.
    """
    if store.state(mailbox) is None:
        both = {pair.name: pair.uid for pair in index.pairs(mailbox) if pair.state is PairState.BOTH}
        found = names_elsewhere(store, store.mailboxes() if both else (), both).names
        left = set(found.get(mailbox, ()))
        for other in found.keys() - {mailbox}:
            left |= found[other] - paired(index, other, found[other])
        index.distrust(mailbox)
        index.forget(mailbox, [uid for name, uid in both.items() if name not in left])
    store.create(mailbox)
