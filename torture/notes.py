"""PURE: what must come of what was done to a message since both sides were the same; the oracle of T10.

A message is known by its token, and has one note for all its copies. What only one side has touched must be exactly
where it was put there, with those flags. What both have touched must be somewhere unless it was deleted, and nowhere
more often than it was brought there. Two things are left open: keywords of a file that was moved, for its letters may
mean what they meant where it was or what they mean where it is; and how often and with which flags a message is in the
trash whose file was deleted or moved, for a pass that sees only that the file is gone takes the one for the other.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from syncer.reconcile.flags import NONE, SYSTEM, Flags
from syncer.reconcile.identity import MailboxName, Side

TRASH = MailboxName("Trash")

Place = tuple[MailboxName, Flags]
"""A copy with a token that is known from elsewhere."""


@dataclass(slots=True)
class Note:
    """One message."""

    places: dict[MailboxName, Flags]
    """Where it is, as who has touched it sees it."""
    touched: set[Side] = field(default_factory=set)
    born: bool = False
    """It is new."""
    deleted: bool = False
    """Some copy was, for good."""
    thrown_away: bool = False
    """Its file is gone from where it was, which brings the message to the trash if it was on the server."""
    left_alone: bool = False
    """It is in a mailbox more than once, which none of us would understand."""
    moved_here: bool = False
    """In the Maildir."""
    brought: Counter[MailboxName] = field(default_factory=Counter)
    """How often it came where."""

    def __post_init__(self) -> None:
        """It is where it is."""
        self.brought.update(self.places.keys())

    def put(self, mailbox: MailboxName, flags: Flags) -> None:
        """A copy was made, or it came from elsewhere, or is there anew."""
        self.brought[mailbox] += 1
        self.places[mailbox] = flags

    def fault(self, found: Sequence[Place], ignored: Flags = NONE) -> str | None:
        """In words, what is wrong where these are all its copies on both sides; None if nothing is.

        `ignored` are flags about which nothing is said.
        """
        alone = len(self.touched) < 2
        may_be_gone = self.deleted or (self.thrown_away and (self.born or self.brought[TRASH] or not alone))
        if not (found or may_be_gone):
            return f"lost, which was in {said(self.places.items())}"
        kept, wanted = self._sure(found, ignored), self._sure(self.places.items(), ignored)
        if alone and not self.left_alone:
            return None if kept == wanted else f"in {said(found)}, not in {said(self.places.items())}"
        often = Counter(mailbox for mailbox, _ in kept)
        return f"in {said(found)}, which is too often" if often - self.brought else None

    def _sure(self, places: Iterable[Place], ignored: Flags) -> list[tuple[MailboxName, list[str]]]:
        """What is not left open of them, in order."""
        return sorted(
            (mailbox, sorted((flags & SYSTEM if self.moved_here else flags) - ignored))
            for mailbox, flags in places
            if not (self.thrown_away and mailbox == TRASH)
        )


def said(places: Iterable[Place]) -> str:
    """For the story."""
    return ", ".join(f"{mailbox} {sorted(flags)}" for mailbox, flags in places) or "nowhere"
