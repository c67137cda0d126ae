"""How the server's side of one mailbox differs from the index: the ladder of what a server can tell.

QRESYNC and CONDSTORE tell what changed since a cursor; what QRESYNC does not prove to be gone, or CONDSTORE does not
tell, the list of all UIDs does. Otherwise everything is listed. Each rung that fails leads to the next one below it.
"""

from collections.abc import Collection, Mapping

from syncer.ports import Index, Server
from syncer.reconcile.comparing import covered, differing, listed_changes, told_changes
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import Flags, Spelling
from syncer.reconcile.identity import MailboxName, Uid, UidValidity
from syncer.reconcile.observations import Pair, PairState, ServerChanges, ServerDelta, ServerListing, ServerMessage
from syncer.values import Struct, replace

Ranges = tuple[tuple[Uid, Uid], ...]
"""Of UIDs: the first and the last of each."""
NOWHERE = Epoch(UidValidity(0))


class There(Struct, frozen=True):
    """What was found of a mailbox on the server."""

    changes: ServerChanges
    pairs: tuple[Pair, ...] = ()
    """Those that `changes` is about, or more."""
    messages: int | None = None
    """How many messages it had at `changes.epoch`; None where that is not known for sure."""
    untold: int = 0
    """New messages of which the server does not tell the size."""
    compared: bool = False
    """Everything was listed, completely."""
    presumed: bool = False
    """The mailbox was not asked about: what only SELECT tells, and what happened just now, is not known."""


MISSING = There(ServerChanges(NOWHERE, missing=True))


def look_there(
    server: Server,
    index: Index,
    mailbox: MailboxName,
    spelling: Spelling,
    *,
    since: Cursor | None,
    now: Cursor | None,
    likely: Collection[Uid] = (),
) -> There:
    """How the mailbox differs from the index on the server.

    `since` is up to where the index knows of every change, None to compare everything; `now` is what the server lately
    told in passing; `likely` see `Server.changes`.

    Raises:
        MailboxError: it cannot be looked at.
    """
    if since is not None:
        if since.still(now):
            return There(ServerChanges(since.epoch), messages=since.messages, presumed=True)
        delta = server.changes(mailbox, since, likely)
        found = _from_delta(server, index, mailbox, spelling, delta) if delta is not None else None
        if found is not None:
            return found
    return _from_listing(server, index, mailbox, spelling)


def _from_delta(
    server: Server, index: Index, mailbox: MailboxName, spelling: Spelling, told: ServerDelta
) -> There | None:
    """None where it takes a listing to know what is gone."""
    normal = spelling.normal
    delta = replace(
        told, flags={uid: normal(flags) for uid, flags in told.flags.items()}, storable=normal(told.storable)
    )
    absent: set[Uid] = set()
    if delta.vanished is None:
        present = server.present(mailbox)
        if present is None:
            return None
        known = index.base(mailbox).keys()
        if not _accounted_for(present, known | delta.flags.keys(), delta.cursor.epoch.uidnext or 0):
            return None
        absent = known - covered(known, present)
    pairs = index.pairs_among(mailbox, uids={*delta.flags, *absent}, ranges=delta.vanished or ())
    absent |= covered((pair.uid for pair in pairs), delta.vanished or ())
    gone = {pair.uid for pair in pairs if pair.uid in absent and pair.state is not PairState.LOCAL_ONLY}
    unknown = delta.flags.keys() - {pair.uid for pair in pairs}
    new = _described(server, mailbox, unknown, spelling)
    changes = told_changes(delta, gone, pairs, new)
    return There(changes, pairs, delta.cursor.messages, len(unknown) - len(new))


def _accounted_for(present: Ranges, known: Collection[Uid], uidnext: int) -> bool:
    """Whether nothing is there that neither the index knows nor the server has told of, but for what came since."""
    there = sum(min(high, uidnext - 1) - low + 1 for low, high in present if low < uidnext)
    return there == len(covered((uid for uid in known if uid < uidnext), present))


def _from_listing(server: Server, index: Index, mailbox: MailboxName, spelling: Spelling) -> There:
    found, unknown = _compared(server, index, mailbox, spelling)
    new = _described(server, mailbox, unknown, spelling)
    changes = replace(found.changes, new=new)
    return replace(found, changes=changes, untold=len(unknown) - len(new))


def _compared(server: Server, index: Index, mailbox: MailboxName, spelling: Spelling) -> tuple[There, set[Uid]]:
    """What a listing shows, and the UIDs of which only that is known that they are there.

    The listing ends here: in a first pull it takes as much room as what is asked for next.
    """
    told = server.listing(mailbox, describe=not index.latest(mailbox, 1))
    listing = replace(told, flags=_normal(told, spelling), storable=spelling.normal(told.storable))
    base = index.base(mailbox)
    unknown = differing(listing, base)
    known = unknown & base.keys()
    unknown -= known
    pairs = index.pairs_among(mailbox, uids=known)
    messages = listing.messages if listing.complete else None
    found = There(listed_changes(listing, pairs), pairs, messages, compared=listing.complete)
    return found, unknown


def _normal(listing: ServerListing, spelling: Spelling) -> Mapping[Uid, Flags]:
    """The flags in the account's spelling. Listings share their sets, so that each is spelled once."""
    spelled = {flags: spelling.normal(flags) for flags in set(listing.flags.values())}
    if all(flags == normal for flags, normal in spelled.items()):
        return listing.flags
    return {uid: spelled[flags] for uid, flags in listing.flags.items()}


def _described(
    server: Server, mailbox: MailboxName, uids: Collection[Uid], spelling: Spelling
) -> tuple[ServerMessage, ...]:
    described = server.describe(mailbox, sorted(uids))
    spelled = {flags: spelling.normal(flags) for flags in {message.flags for message in described}}
    return tuple(
        message if spelled[message.flags] == message.flags else replace(message, flags=spelled[message.flags])
        for message in described
    )
