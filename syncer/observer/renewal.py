"""A mailbox that is not in the epoch that the index knows: its pairs are given the UIDs that their messages have now.

That is recorded at once, in one transaction, and both sides are then looked at as always. The deletions that come out
of that look are held until a person decides: who changes the epoch of a mailbox may have lost some of it.
"""

from collections.abc import Callable, Mapping

from syncer.errors import MessageError
from syncer.ports import Index, LocalStore, Server
from syncer.ports.contents import contents_of
from syncer.reconcile.flags import NONE
from syncer.reconcile.identity import MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import Pair, PairState, ServerListing, ServerMessage
from syncer.reconcile.renewal import Answers, Renewal, renew, wanted_contents, wanted_headers

UNTOLD = -1
"""The date of a message of which the server tells neither size nor date."""


def renew_mailbox(
    server: Server,
    store: LocalStore,
    index: Index,
    name: MailboxName,
    tell: Callable[[Renewal], None],
    *,
    unless: UidValidity | None = None,
) -> Renewal | None:
    """Recognise the messages of a mailbox and record their UIDs, and with them what `tell` puts into the journal.

    None, and nothing recorded, if not all are listed, if one seems to be lost that may be there and is not described,
    or if the mailbox has this UIDVALIDITY.

    Raises:
        MailboxError: it cannot be looked at.
    """
    listing = server.listing(name, describe=True)
    if listing.epoch.uidvalidity == unless or not listing.complete:
        return None
    messages = _messages(server, name, listing)
    server.expect(name, listing.epoch.uidvalidity)
    pairs = index.pairs(name)
    dates = _dates(store, name, pairs)
    sent = _sent(store, index, name, pairs)
    told = Answers()
    while True:  # what a content tells may cast doubt on another message
        if wanted := wanted_headers(pairs, dates, messages, told):
            headers: Mapping[Uid, bytes] = server.headers(name, sorted(wanted))
            told.headers.update((uid, headers.get(uid)) for uid in wanted)
        elif wanted := wanted_contents(pairs, dates, messages, told, sent):
            alike = {uid: header for uid in wanted if (header := told.headers.get(uid)) is not None}
            contents = contents_of(server, name, alike)
            told.contents.update((uid, contents.get(uid)) for uid in wanted)
        else:
            break
    renewal = renew(pairs, dates, messages, told, sent)
    untold = any(message.internaldate == UNTOLD and not told.headers.get(message.uid) for message in messages)
    if renewal.lost and untold:
        return None  # what seems to be lost may be one of which the server tells nothing at all
    tell(renewal)
    index.renew(name, listing.epoch, renewal.uids, renewal.lost)
    return renewal


def _messages(server: Server, name: MailboxName, listing: ServerListing) -> tuple[ServerMessage, ...]:
    """Every message of the mailbox; one of which the server tells neither size nor date has its header block left."""
    told = server.describe(name, sorted(listing.flags))
    untold = listing.flags.keys() - {message.uid for message in told}
    return (*told, *(ServerMessage(uid, NONE, size=0, internaldate=UNTOLD) for uid in sorted(untold)))


def _sent(store: LocalStore, index: Index, name: MailboxName, pairs: tuple[Pair, ...]) -> set[UniqueName]:
    """The names that were not made here for a message that came in the epoch that has ended."""
    epoch = next((known.epoch for known in index.mailboxes() if known.name == name), None)
    return {pair.name for pair in pairs if epoch is not None and store.own_uid(name, epoch, pair.name) is None}


def _dates(store: LocalStore, name: MailboxName, pairs: tuple[Pair, ...]) -> dict[UniqueName, int]:
    """The times of modification of the files that are there."""
    dates: dict[UniqueName, int] = {}
    if store.scan(name, {}).missing:
        return dates
    for pair in pairs:
        if pair.state is PairState.BOTH:
            try:
                dates[pair.name] = store.internaldate(name, pair.name)
            except MessageError:  # gone, or not to be looked at: recognised by its header block instead
                continue
    return dates
