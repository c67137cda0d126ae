"""PURE: when to look at which mailboxes, made of hints that something may have happened there. Time is an argument.

A hint waits until its mailbox was quiet for a moment, so that what belongs together (the two ends of a move, a
hundred flags) is looked at together; in a storm it waits no longer than a bound. Each mailbox has its own clock, and
one that took long to look at rests for a while, so that a storm in it leaves time for the others.
"""

from collections.abc import Collection, Mapping

from syncer.reconcile.identity import MailboxName, Side
from syncer.values import Struct

QUIET = 0.015
"""Seconds. The events of one deed of a mail program are some milliseconds apart."""
LONGEST = 0.2
"""Seconds that a hint waits at most for quiet."""
REST = 3.0
"""So many times as long as looking at it took a mailbox rests: a storm takes a quarter of the time, while"""
LONGEST_REST = 2.0
"""it takes no longer than this, in seconds: what took a minute because much had come is not a storm."""
BRIEF = 0.1
"""Seconds; who took no longer need not rest."""


class Due(Struct, frozen=True):
    """What to look at now."""

    mailboxes: Mapping[MailboxName, frozenset[Side]]
    """The mailboxes, each with the sides on which something may have happened."""
    everything: bool = False
    """Every mailbox, and where they are, whatever `mailboxes` says."""


class _Waiting(Struct):
    first: float
    last: float
    sides: frozenset[Side]


class Wakeups:
    """Collects hints and says what is due. Times are seconds on a clock that never goes back."""

    def __init__(self, quiet: float = QUIET, longest: float = LONGEST) -> None:
        self._quiet = quiet
        self._longest = longest
        self._waiting: dict[MailboxName | None, _Waiting] = {}
        """None is everything."""
        self._rests: dict[MailboxName | None, float] = {}
        """Until when."""

    def hint(self, now: float, side: Side, mailboxes: Collection[MailboxName] | None) -> None:
        """Something may have happened on a side, in these mailboxes; None: anywhere.

        A moment that is yet to come is one at which to look in any case.
        """
        for name in (None,) if mailboxes is None else mailboxes:
            waiting = self._waiting.setdefault(name, _Waiting(now, now, frozenset()))
            waiting.first, waiting.last = min(waiting.first, now), now
            waiting.sides |= {side}

    def wait(self, now: float) -> float | None:
        """Seconds until something is due, 0 if something is; None where nothing waits."""
        return max(0.0, min(map(self._moment, self._waiting)) - now) if self._waiting else None

    def take(self, now: float) -> Due | None:
        """What is due, which is then not waited for any more; None if nothing is."""
        due = [name for name in self._waiting if self._moment(name) <= now]
        if None in due:
            due = list(self._waiting)
        taken = {name: self._waiting.pop(name).sides for name in due}
        everything = taken.pop(None, None) is not None
        mailboxes = {name: sides for name, sides in taken.items() if name is not None}
        return Due(mailboxes, everything) if mailboxes or everything else None

    def spent(self, now: float, seconds: float, mailboxes: Collection[MailboxName | None]) -> None:
        """Looking at these mailboxes has just taken so long; None is everything."""
        self._rests = {name: until for name, until in self._rests.items() if until > now}
        if seconds > BRIEF:
            self._rests.update(dict.fromkeys(mailboxes, now + min(LONGEST_REST, REST * seconds)))

    def _moment(self, name: MailboxName | None) -> float:
        waiting = self._waiting[name]
        moment = min(waiting.last + self._quiet, waiting.first + self._longest)
        return max(moment, self._rests.get(name, moment))
