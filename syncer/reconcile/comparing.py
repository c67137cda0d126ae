"""From what was seen to what differs from the index. Pure.

Whether a side was asked for everything or only for what changed since the last pass, the same changes come out, so
that there is one planner. The rows of the index are needed for what differs only: the caller finds out what that is
(`differing`, the keys of a delta, the names of a listing), reads those rows and hands them in.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from syncer.reconcile.flags import SYSTEM, FlagDelta, Flags
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import (
    Letters,
    LocalChanges,
    LocalListing,
    Observation,
    Pair,
    PairState,
    ServerChanges,
    ServerDelta,
    ServerListing,
    ServerMessage,
)


def observe(
    mailbox: MailboxName,
    server: ServerChanges,
    local: LocalChanges,
    pairs: Iterable[Pair],
    **known: Any,
) -> Observation:
    """Put an observation together; of `pairs`, the ones that nothing happened to are left out.

    `known` are the fields of Observation that come from the index.
    """
    every = server.missing or local.missing
    touched = [
        pair
        for pair in pairs
        if every
        or pair.uid in server.gone
        or pair.uid in server.unproven
        or pair.uid in server.flags
        or pair.name in local.gone
        or pair.name in local.unproven
        or pair.name in local.flags
    ]
    return Observation(mailbox, server, local, tuple(touched), **known)


def differing(listing: ServerListing, base: Mapping[Uid, Flags]) -> set[Uid]:
    """The UIDs that are on one side only, or have other flags than the base."""
    differ = {uid for uid, flags in listing.flags.items() if base.get(uid) != flags}
    differ |= base.keys() - listing.flags.keys()
    return differ


def listed_changes(
    listing: ServerListing, pairs: Iterable[Pair], described: Iterable[ServerMessage] = ()
) -> ServerChanges:
    """What a listing of everything shows. `pairs` are those of the UIDs that are `differing`, or more."""
    changed: dict[Uid, Flags] = {}
    absent: set[Uid] = set()
    for pair in pairs:
        flags = listing.flags.get(pair.uid)
        if flags is None:
            if pair.state is not PairState.LOCAL_ONLY:
                absent.add(pair.uid)
        elif flags != pair.flags:
            changed[pair.uid] = flags
    return ServerChanges(
        epoch=listing.epoch,
        new=tuple(described),
        flags=changed,
        gone=frozenset(absent) if listing.complete else frozenset(),
        unproven=frozenset() if listing.complete else frozenset(absent),
        complete=listing.complete,
        writable=listing.writable,
        storable=listing.storable,
        any_keyword=listing.any_keyword,
    )


def told_changes(
    delta: ServerDelta, gone: Collection[Uid], pairs: Iterable[Pair], described: Iterable[ServerMessage] = ()
) -> ServerChanges:
    """What a server told of the time since a cursor. `pairs` are those of the UIDs that it named, or more.

    `gone` are known UIDs of which it is proved that they were expunged.
    """
    changed = {
        pair.uid: flags for pair in pairs if (flags := delta.flags.get(pair.uid)) is not None and flags != pair.flags
    }
    return ServerChanges(
        epoch=delta.cursor.epoch,
        new=tuple(described),
        flags=changed,
        gone=frozenset(gone),
        writable=delta.writable,
        storable=delta.storable,
        any_keyword=delta.any_keyword,
    )


def covered(uids: Iterable[Uid], ranges: Iterable[tuple[Uid, Uid]]) -> set[Uid]:
    """Those of the UIDs that are in one of the ranges, which are inclusive and ascending."""
    found: set[Uid] = set()
    parts = iter(ranges)
    part = next(parts, None)
    for uid in sorted(uids):
        while part is not None and uid > part[1]:
            part = next(parts, None)
        if part is None:
            break
        if uid >= part[0]:
            found.add(uid)
    return found


def resolved(here: Observation, pairs: Collection[Pair], *, arrived: bool) -> tuple[bool, bool]:
    """Whether everything that was seen of the server, and of the Maildir, is in the index now.

    Then nothing of it has to be seen again by the next pass. `arrived` is whether the index has now all messages that
    were new on the server; `pairs` are its pairs of new files and of what was gone. Changed flags are not asked about:
    what an action about them failed to do is known. Nobody says anything of those that a read-only mailbox did not
    take, and it may take them another time; nor of those of a message whose file is missing and does not count as
    deleted yet, and it may be back.
    """
    both = [pair for pair in pairs if pair.state is PairState.BOTH]
    names = {pair.name for pair in pairs}
    server = here.server.complete and arrived
    server = server and not any(pair.name in here.local.gone and pair.uid in here.server.flags for pair in both)
    local = here.local.complete and names.issuperset(message.name for message in here.local.new)
    local = local and (here.server.writable or not here.local.flags)
    return (
        server and here.server.gone.isdisjoint(pair.uid for pair in both),
        local and here.local.gone.isdisjoint(pair.name for pair in both),
    )


def local_changes(listing: LocalListing, pairs: Iterable[Pair]) -> LocalChanges:
    """What a listing of the directories shows. `pairs` are those that it names in `messages` or `absent`, or more."""
    known: set[UniqueName] = set()
    changed: dict[UniqueName, Flags] = {}
    absent: set[UniqueName] = set()
    for pair in pairs:
        known.add(pair.name)
        message = listing.messages.get(pair.name)
        if message is None:
            if pair.state is not PairState.SERVER_ONLY and (listing.missing or pair.name in listing.absent):
                absent.add(pair.name)
        elif pair.state is PairState.SERVER_ONLY or _differs(message.flags, pair.flags, listing.letters):
            changed[pair.name] = message.flags
    new = tuple(message for name, message in listing.messages.items() if name not in known)
    proved = listing.complete and not listing.missing
    return LocalChanges(
        new=new,
        flags=changed,
        gone=frozenset(absent) if proved else frozenset(),
        unproven=frozenset() if proved else frozenset(absent),
        complete=proved,
        letters=listing.letters,
        missing=listing.missing,
    )


def meant(said: Flags, base: Flags, letters: Letters) -> Flags:
    """The flags a file's name means: what it says, and from the base the keywords that it has no trusted letter for."""
    return (said - letters.doubted) | (base - SYSTEM - letters.trusted)


def sayable(change: FlagDelta, letters: Letters) -> FlagDelta:
    """The part of `change` that a file's name can say."""
    unsayable = frozenset() if letters.room else change.add - SYSTEM - letters.mapped
    return FlagDelta(change.add - unsayable, change.remove)


def _differs(said: Flags, base: Flags, letters: Letters) -> bool:
    if said == base:
        return False
    return meant(said, base, letters) != base or bool((base - said) & letters.mapped or said & letters.doubted)
