"""How the flags of one message come to agree: which delta goes to which side, and what is recorded as the new base.

The merge itself never conflicts (flags.py). What makes this a page of its own is that a side may be unable to hold
a flag: a server that does not store it (PERMANENTFLAGS), a Maildir whose 26 letters are used up, a side that the
settings protect. The base then keeps what it said about that flag, so that nothing is taken for a change that is
only an inability.
"""

from syncer.reconcile.comparing import meant, sayable
from syncer.reconcile.flags import FORWARDED, SYSTEM, FlagDelta, Flags, apply, delta, merge
from syncer.reconcile.observations import Letters, ServerChanges
from syncer.reconcile.policy import Policy
from syncer.values import Struct, replace

NOTHING = FlagDelta()


class Agreement(Struct, frozen=True):
    """What to send where, and the base that holds afterwards."""

    to_server: FlagDelta
    to_local: FlagDelta
    agreed: Flags

    def changes(self, base: Flags) -> bool:
        """Whether anything has to be done or recorded."""
        return bool(self.to_server or self.to_local or self.agreed != base)


class Seen(Struct, frozen=True):
    """The three states of one message's flags: the base, the server's, and what the file's name says."""

    base: Flags
    server: Flags
    said: Flags


def agree(seen: Seen, server: ServerChanges, letters: Letters, policy: Policy) -> Agreement:
    """Merge the flags of a message in a mailbox with `letters`."""
    merged = merge(seen.base, seen.server, meant(seen.said, seen.base, letters))
    to_server = _to_server(seen.server, merged, server, policy)
    wanted = delta(seen.said, merged)
    possible = sayable(wanted, letters)
    to_local = possible if policy.to_local else NOTHING
    local_after = apply(seen.said, to_local) | (wanted.add - possible.add)
    return Agreement(to_server, to_local, _majority(seen.base, apply(seen.server, to_server), local_after))


def agree_after_local_move(seen: Seen, server: ServerChanges, letters: Letters, policy: Policy) -> Agreement:
    """Merge the flags of a message whose file was moved into a mailbox with `letters`.

    A program that moves a file keeps its letters, whatever they stand for in the new place. So the keywords that
    the name says there mean nothing: they are those of the base, and the file is corrected.
    """
    spoken = SYSTEM | {FORWARDED}
    honest = (seen.said & spoken) | (seen.base - spoken)
    result = agree(replace(seen, said=honest), server, letters, policy)
    to_local = sayable(delta(seen.said, apply(honest, result.to_local)), letters) if policy.to_local else NOTHING
    return Agreement(result.to_server, to_local, result.agreed)


def agree_after_server_move(seen: Seen, server: ServerChanges, letters: Letters, policy: Policy) -> Agreement:
    """Merge the flags of a message whose file follows it out of a mailbox with `letters`.

    Keywords may have other letters where the file goes, so its delta names every flag: those to have, and those that it
    may say now and must not.
    """
    merged = merge(seen.base, seen.server, meant(seen.said, seen.base, letters))
    to_server = _to_server(seen.server, merged, server, policy)
    to_local = FlagDelta(merged, (seen.said | seen.base) - merged)
    return Agreement(to_server, to_local, _majority(seen.base, apply(seen.server, to_server), merged))


def storable(flags: Flags, server: ServerChanges) -> Flags:
    """The flags that the server's mailbox can hold (PERMANENTFLAGS, RFC 9051 section 7.1)."""
    if server.any_keyword:
        return (flags & server.storable) | (flags - SYSTEM)
    return flags & server.storable


def _to_server(flags: Flags, merged: Flags, server: ServerChanges, policy: Policy) -> FlagDelta:
    if not policy.to_server or not server.writable:
        return NOTHING
    wanted = delta(flags, merged)
    return FlagDelta(storable(wanted.add, server), storable(wanted.remove, server))


def _majority(base: Flags, server: Flags, local: Flags) -> Flags:
    """Where both sides say the same of a flag, that; where they do not, what the base said."""
    return (server & local) | ((server | local) & base)
