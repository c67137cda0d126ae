"""Which of a mailbox's actions may run side by side, on several connections. Pure.

A large download is cut into lots of neighbouring UIDs, the newest first. Deletions wait until everything that might
have given a message another place is done. What is forgotten waits for all mailboxes: of a move that a killed run has
followed, only the old place tells what came to the new one.
"""

from collections.abc import Iterable, Sequence

from syncer.reconcile.actions import Action, Agree, Append, Download, Forget, MailboxAction
from syncer.values import Struct

LOT_MESSAGES = 2000
LOT_OCTETS = 32 * 1024 * 1024
CONNECTION_OCTETS = 2 * 1024 * 1024
"""A further connection is worth its log-in for so much to transfer."""
CONNECTION_APPENDS = 200
LARGE = 256 * 1024


class Portions(Struct, frozen=True):
    """The actions of one mailbox; `afterwards` are those that wait for every other one, also of other mailboxes."""

    side_by_side: tuple[tuple[Action, ...], ...]
    afterwards: tuple[Action, ...] = ()


def portions(actions: Sequence[Action]) -> Portions:
    """Cut the actions of one mailbox; most are one portion, and what is forgotten."""
    lots = list(_lots(action for action in actions if isinstance(action, Download)))
    if len(lots) < 2:
        now = tuple(action for action in actions if not isinstance(action, Forget | MailboxAction))
        last = tuple(action for action in actions if isinstance(action, Forget | MailboxAction))
        return Portions((now,), last)
    first = [action for action in actions if isinstance(action, Agree)]
    rest = tuple(action for action in actions if not isinstance(action, Agree | Download))
    return Portions(((*first, *lots[0]), *map(tuple, lots[1:])), rest)


def connections_for(actions: Iterable[Action]) -> int:
    """How many connections are worth it."""
    octets = appends = 0
    for action in actions:
        octets += action.message.size if isinstance(action, Download) else 0
        appends += isinstance(action, Append)
    return 1 + octets // CONNECTION_OCTETS + appends // CONNECTION_APPENDS


def are_large(actions: Iterable[Action]) -> bool:
    """Whether these are mostly large messages, which leave the interpreter to other threads most of the time."""
    sizes = [action.message.size for action in actions if isinstance(action, Download)]
    return sum(sizes) >= LARGE * len(sizes) > 0


def _lots(downloads: Iterable[Download]) -> Iterable[list[Download]]:
    lot: list[Download] = []
    octets = 0
    for action in sorted(downloads, key=lambda action: -action.message.uid):
        if lot and (len(lot) >= LOT_MESSAGES or octets + action.message.size > LOT_OCTETS):
            yield lot
            lot, octets = [], 0
        lot.append(action)
        octets += action.message.size
    if lot:
        yield lot
