"""Reasons not to act: a mailbox that is not the one the index knows, and deletions that look like an accident.

Both incumbents of this field have wiped mailboxes with exit status 0. A guard never stops anything but what it is
about, says why in words that name the mailbox, and leaves the way on to the person.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from syncer.reconcile.actions import Action, DeleteMailbox, Expunge, Hold, RemoveLocal, RemoveStray
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import MailboxName, Side
from syncer.reconcile.observations import Observation
from syncer.reconcile.policy import LARGE, Limits

SMALL = 5
"""From this many messages on, losing all of a mailbox at once is held (CONTRACT: max_delete)."""

Deletion = Expunge | RemoveLocal | RemoveStray | DeleteMailbox
N = TypeVar("N", int, int | None)


def epoch_regression(known: Epoch | None, seen: Epoch) -> str | None:
    """Why `seen` cannot be the mailbox that the index knows, or None if it can.

    UIDVALIDITY and MAILBOXID do not change, UIDNEXT and HIGHESTMODSEQ do not fall within one epoch (RFC 9051 section
    2.3.1.1, RFC 7162 section 3.1.2, RFC 8474 section 4). A counter that one of the two does not have is not compared.
    """
    if known is None:
        return None
    if known.uidvalidity != seen.uidvalidity:
        return f"UIDVALIDITY changed from {known.uidvalidity} to {seen.uidvalidity}"
    if known.mailbox_id and seen.mailbox_id and known.mailbox_id != seen.mailbox_id:
        return f"MAILBOXID changed from {known.mailbox_id} to {seen.mailbox_id}"
    if known.uidnext and seen.uidnext and seen.uidnext < known.uidnext:
        return f"UIDNEXT went back from {known.uidnext} to {seen.uidnext}"
    if known.highestmodseq and seen.highestmodseq and seen.highestmodseq < known.highestmodseq:
        return f"HIGHESTMODSEQ went back from {known.highestmodseq} to {seen.highestmodseq}"
    return None


def not_the_same(here: Observation) -> str | None:
    """Why the mailbox on the server cannot be the one that the index knows, or None if it can."""
    regression = epoch_regression(here.known, here.server.epoch)
    if regression is None and here.impostor is not None:
        return f"UID {here.impostor} is another message than it was"
    return regression


def hold_deletions(
    observations: Sequence[Observation], actions: Sequence[Action], limits: Limits
) -> tuple[tuple[Action, ...], tuple[Hold, ...]]:
    """Take the deletions that are too many out of `actions`.

    Counted for each mailbox and for the account as a whole (many small mailboxes emptied at once are no less an
    accident), on each side, together with what was deleted in the last day. Strays are held for what they are, and
    count for nothing else. Who has allowed deletions was not told yet of an epoch that ended in this very pass, nor of
    an older copy of the Maildir in which this pass is the first to look at the mailbox.
    """
    holds: list[Hold] = []
    held_before = {o.mailbox: o.held for o in observations}
    renewed = {o.mailbox: o.renewed for o in observations}
    sides: tuple[Side, Side] = ("server", "local")
    for side in sides:
        deletions = {o.mailbox: _deletions(actions, o.mailbox, side) for o in observations}
        totals = {o.mailbox: (o.total, o.deleted_lately.get(side, 0)) for o in observations}
        planned = sum(_count(_of_pairs(found)) for found in deletions.values())
        present = sum(total for total, _ in totals.values())
        lately = sum(before for _, before in totals.values())
        everywhere = None
        if side in limits.others:
            present, lately = present + limits.others[side][0], lately + limits.others[side][1]
        if len(observations) > 1 or side in limits.others:
            everywhere = _excessive((planned, present, lately), side, "account", limits.max_delete)
        for mailbox, found in deletions.items():
            older = limits.older_copy and side == "server" and limits.max_delete < 1
            untold = renewed[mailbox] is not None or (older and side not in held_before[mailbox])
            untold |= side == "server" and mailbox in limits.untold and limits.max_delete < 1
            if not found or (limits.allowed and not untold):
                continue
            total, before = totals[mailbox]
            number = _count(found)
            reason = _epoch_reason(found, renewed[mailbox], side)
            if reason is None and older:
                reason = f"the Maildir was put back from an older copy, in which {number} are missing"
            reason = reason or _excessive((number, total, before), side, "mailbox", limits.max_delete) or everywhere
            if reason is None and side in held_before[mailbox] and limits.max_delete < 1:
                reason = f"of those that were held back before, {number} are still missing {_place(side)}"
            if reason is not None:
                at_once = _excessive((number, total, 0), side, "mailbox", limits.max_delete)
                unsure = older or at_once or everywhere or renewed[mailbox]
                stays = bool(unsure) or side in held_before[mailbox]
                holds.append(Hold(mailbox, side, found, reason, stays))
    held = {id(action) for hold in holds for action in hold.actions}
    return tuple(action for action in actions if id(action) not in held), tuple(holds)


def _deletions(actions: Iterable[Action], mailbox: MailboxName, side: Side) -> tuple[Deletion, ...]:
    return tuple(
        action
        for action in actions
        if action.mailbox == mailbox
        and (
            (isinstance(action, DeleteMailbox) and action.side == side)
            or isinstance(action, Expunge if side == "server" else RemoveLocal | RemoveStray)
        )
        and isinstance(action, Expunge | RemoveLocal | RemoveStray | DeleteMailbox)
    )


def _count(deletions: Iterable[Deletion]) -> int:
    return sum(action.messages if isinstance(action, DeleteMailbox) else 1 for action in deletions)


def _of_pairs(deletions: Iterable[Deletion]) -> list[Deletion]:
    """Those of messages that are among the ones that there are."""
    return [action for action in deletions if not isinstance(action, RemoveStray)]


def _place(side: Side) -> str:
    """Where the messages are missing that would be deleted on `side`."""
    return "from the Maildir" if side == "server" else "from the server"


def _epoch_reason(found: Sequence[Deletion], renewed: str | None, side: Side) -> str | None:
    """Why deletions wait for a person after the mailbox got another epoch; None if they have nothing to do with it."""
    if renewed is not None:
        return f"{renewed}, and {_count(found)} known messages are missing {_place(side)}"
    lost = sum(isinstance(action, RemoveStray) for action in found)
    return f"the server lost {lost} of them when it restored or renumbered the mailbox" if lost else None


def _excessive(count: tuple[int, int, int], side: Side, scope: str, max_delete: float) -> str | None:
    """Why deleting so many on `side` is too much; None if it is not.

    `count` is how many are planned, how many there are, and how many were deleted in the last day.
    """
    planned, present, lately = count
    if max_delete >= 1:
        return None
    deleted, total = planned + lately, present + lately
    gone = f"messages of the {scope} are gone {_place(side)}" + (" within a day" if lately else "")
    if not planned:
        return None
    if total >= SMALL and deleted >= total:
        return f"all {total} {gone}"
    if total >= LARGE and deleted > max_delete * total:
        return f"{deleted} of {total} {gone}, more than max_delete = {max_delete:g} allows"
    return None
