"""The other ends of moves, which a pass that is told where to look may not be told of.

A file that is missing may be in a mailbox that was not looked at, and one that is new may come from there. Who looks at
one end only copies the message, and deletes it at the other end or forgets to; who looks at both follows the move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncer.errors import MailboxError
from syncer.observer.evidence import Elsewhere, names_elsewhere, paired
from syncer.reconcile.candidates import file_left, stayed_here

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from syncer.engine.passing import Pass
    from syncer.observer.look import Look, Sight
    from syncer.ports import Index, LocalStore
    from syncer.reconcile.identity import MailboxName, Side, UniqueName
    from syncer.reconcile.observations import Observation

BOTH_SIDES: frozenset[Side] = frozenset({"server", "local"})
LOCAL: frozenset[Side] = frozenset({"local"})


def elsewhere(
    store: LocalStore, index: Index, wants: Callable[[MailboxName], bool], looked_at: Sequence[Observation]
) -> Elsewhere:
    """Where files that were missed are, and messages of files that are left, in mailboxes that were not looked at.

    In mailboxes that the settings leave out only files without a message of their own count: nobody would ever look.
    """
    planned = {here.mailbox for here in looked_at}
    missing = {pair.name for here in looked_at for pair in file_left(here)}
    others = [mailbox for mailbox in store.mailboxes() if mailbox not in planned] if missing else []
    left = {pair.name for here in looked_at for pair in stayed_here(here)}
    holders = index.holders(left) - planned if left else ()
    doubled = {name: paired(index, name, left) for name in sorted(holders) if wants(name)}
    found = names_elsewhere(store, others, missing)
    names = {name: files if wants(name) else files - paired(index, name, files) for name, files in found.names.items()}
    return Elsewhere({name: files for name, files in names.items() if files}, found.complete, doubled)


def other_ends(one: Pass, look: Look, found: Elsewhere) -> dict[MailboxName, frozenset[Side]]:
    """The mailboxes to look at as well, and at which sides of them; `found` is where missed files are.

    A file that has a message of its own where it is, is no other end, as long as that message is there: so the server
    is asked as well. And a file of which the message is gone may be that of another message elsewhere (see
    `reconcile.twins`).
    """
    new = _new(look)
    ends = {*found.names, *found.doubled, *(one.index.holders(new) if new else ())}
    known = {mailbox.name for mailbox in one.index.mailboxes()} if ends else set()
    looked_at = look.sights.keys() | look.errors.keys() | one.failed
    return {
        mailbox: BOTH_SIDES
        if found.doubled.get(mailbox) or paired(one.index, mailbox, found.names.get(mailbox, ()))
        else LOCAL
        for mailbox in ends & known - looked_at
        if one.order.wants(mailbox)
    }


def outdated(one: Pass, look: Look) -> set[MailboxName]:
    """The mailboxes to look at once more: out of them files were moved after the look, which are new elsewhere.

    Between the looks at two mailboxes lies at least a round trip, and on a line that stands still any time.
    """
    new = _new(look)
    changed = [name for name, sight in look.sights.items() if new and _has_changed(one, name, sight)]
    return {
        name
        for name in changed
        if one.index.pairs_among(name, names=new.difference(look.sights[name].observation.local.gone))
    }


def _new(look: Look) -> set[UniqueName]:
    return {message.name for observation in look.observations for message in observation.local.new}


def _has_changed(one: Pass, name: MailboxName, sight: Sight) -> bool:
    """Whether the mailbox's directory is not known to be as it was looked at."""
    if sight.observation.local.missing:
        return False
    try:
        return sight.here.state is None or one.store.state(name) != sight.here.state
    except MailboxError:  # what is wrong with it shows when it is read
        return True
