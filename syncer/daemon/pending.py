"""PURE: which changes wait for the next run of a hook, when that is due, and what it is told.

Changes are collected for each account until none came for a quiet time, but no longer than a longest wait after the
first. What is collected is the net change: paths that are told were there before the first of the changes (`removed`,
the old ones of `changed`) or are there after the last (`added`, the new ones). The same path may be in several lists:
they are meant in the order removed, changed, added, and all pairs of `changed` at once.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from syncer.daemon.texts import json_line, listed, listed_pairs, readable
from syncer.reconcile.identity import MailboxName
from syncer.values import Struct, field

VERSION: Final = 1
"""Of the document. More keys may be added to it; those that are there stay."""


class Change(Struct, frozen=True):
    """What happened to the files of one mailbox, in one pass. Paths are text with surrogate escapes (os.fsdecode)."""

    mailbox: MailboxName
    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    changed: Sequence[tuple[str, str]] = ()
    """Renamed, from and to: other flags, another unique name, or `new/` and `cur/`."""

    def __bool__(self) -> bool:
        """A change of nothing is false."""
        return bool(self.added or self.removed or self.changed)


class Batch(Struct, frozen=True):
    """What one run of a hook is about."""

    account: str
    changes: tuple[Change, ...]

    @property
    def files(self) -> int:
        """How many files it tells of."""
        return sum(len(change.added) + len(change.removed) + len(change.changed) for change in self.changes)


class Timing(Struct, frozen=True):
    """How long changes are collected, in seconds."""

    quiet: float = 2.0
    """A run begins when no change came for so long."""
    longest: float = 30.0
    """No change waits longer than this, unless another run is under way."""


class Net(Struct):
    """The net change of one mailbox."""

    added: dict[str, None] = field(default_factory=dict)
    removed: dict[str, None] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    """Of every renamed file, by its path now, the path that it had at first."""

    def follow(self, change: Change) -> None:
        """Add what happened next. Everything in one change happened at the same time."""
        gone = [(path, *self._before(path)) for path in change.removed]
        renamed = [(new, *self._before(old)) for old, new in change.changed]
        for _, origin, was_told in gone:
            if was_told:
                self.removed[origin] = None
        for new, origin, was_told in renamed:
            if not was_told:
                self.added[new] = None
            elif origin != new:
                self.origins[new] = origin
        self.added.update(dict.fromkeys(change.added))

    def as_change(self, mailbox: MailboxName) -> Change:
        """The net change as a value."""
        changed = tuple((origin, path) for path, origin in self.origins.items())
        return Change(mailbox, tuple(self.added), tuple(self.removed), changed)

    def _before(self, path: str) -> tuple[str, bool]:
        """The path that a file had at first, and whether it was there at first. Forgets where it is now."""
        if path in self.added:
            del self.added[path]
            return path, False
        return self.origins.pop(path, path), True


class _Waiting(Struct):
    """What waits of one account."""

    first: float
    last: float
    mailboxes: dict[MailboxName, Net] = field(default_factory=dict)


class Pending:
    """Changes that wait for a run. Every time is an argument, from one clock that never goes back."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._accounts: dict[str, _Waiting] = {}

    def add(self, now: float, account: str, changes: Iterable[Change]) -> None:
        """These happened just now."""
        for change in filter(None, changes):
            waiting = self._accounts.setdefault(account, _Waiting(now, now))
            waiting.last = now
            waiting.mailboxes.setdefault(change.mailbox, Net()).follow(change)

    def due(self) -> float | None:
        """When the next run is due; None if nothing waits."""
        return min(map(self._due, self._accounts.values()), default=None)

    def take(self, now: float = math.inf) -> Batch | None:
        """What the run that is due first is about, which then waits no more; None if none is due yet.

        Without `now` nothing is waited for.
        """
        for account, waiting in sorted(self._accounts.items(), key=lambda item: self._due(item[1])):
            if self._due(waiting) > now:
                return None
            del self._accounts[account]
            changes = (net.as_change(mailbox) for mailbox, net in waiting.mailboxes.items())
            if told := tuple(filter(None, changes)):
                return Batch(account, told)
        return None

    def _due(self, waiting: _Waiting) -> float:
        return min(waiting.last + self._timing.quiet, waiting.first + self._timing.longest)


def document(batch: Batch) -> bytes:
    """What a run of the hook reads: one JSON document on one line."""
    return json_line(
        {"version": VERSION, "account": readable(batch.account), "changes": [_as_json(c) for c in batch.changes]}
    )


def _as_json(change: Change) -> dict[str, Any]:
    return {
        "mailbox": readable(change.mailbox),
        **listed("added", change.added),
        **listed("removed", change.removed),
        **listed_pairs("changed", change.changed),
    }
