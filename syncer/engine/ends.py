"""The other ends of moves, which a pass that is told where to look may not be told of.

A file that is missing may be in a mailbox that was not looked at, and one that is new may come from there. Who looks at
one end only copies the message, and deletes it at the other end or forgets to; who looks at both follows the move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncer.observer.evidence import Elsewhere, names_elsewhere
from syncer.reconcile.candidates import file_left
from syncer.reconcile.planner import refuse

if TYPE_CHECKING:
    from syncer.engine.passing import Pass
    from syncer.observer.look import Look
    from syncer.reconcile.identity import MailboxName


def elsewhere(one: Pass, look: Look) -> Elsewhere:
    """Where files that were missed are, in mailboxes that were not looked at or are left alone."""
    accepted, _ = refuse(look.observations)
    missing = {pair.name for observation in accepted for pair in file_left(observation)}
    if not missing:
        return Elsewhere({})
    planned = {observation.mailbox for observation in accepted}
    others = [mailbox for mailbox in one.store.mailboxes() if mailbox not in planned]
    return names_elsewhere(one.store, one.index, others, missing)


def other_ends(one: Pass, look: Look, found: Elsewhere) -> set[MailboxName]:
    """The mailboxes to look at as well; `found` is where missed files are."""
    new = {message.name for observation in look.observations for message in observation.local.new}
    ends = {*found.names, *(one.index.holders(new) if new else ())}
    known = {mailbox.name for mailbox in one.index.mailboxes()} if ends else set()
    looked_at = look.sights.keys() | look.errors.keys() | one.failed
    return {mailbox for mailbox in ends & known - looked_at if one.order.wants(mailbox)}
