"""The oracle of T1. It knows what people did on either side and nothing of how the planner decides.

A life is one message as a person sees it. From one agreement of both sides to the next, it tells where people put it,
which flags they gave it, whether they deleted it, and whether that is enough to say exactly what must come out. It is
not where a message was touched again while a killed run had half carried out the first touch, or where the index lost
what it knew of it: then there are bounds. The lower one never gives way: a message that nobody deleted is there.
"""

from syncer.reconcile.flags import ANSWERED, FLAGGED, SEEN, Flags
from syncer.reconcile.identity import MailboxName, Side
from torture.sides import TRASH

SPOKEN = frozenset({SEEN, FLAGGED, ANSWERED})
"""Flags whose letters mean the same in every mailbox."""

Copy = tuple[MailboxName, Flags]


class Deeds:
    """What people did to one message on one side."""

    __slots__ = ("flags", "place", "placed", "renamed", "round", "shaky")

    def __init__(self, place: MailboxName | None, flags: Flags) -> None:
        self.place = place
        self.flags = flags
        self.placed = False
        """It was moved, deleted or renamed."""
        self.renamed = False
        """Its file has another unique name, or its message another UID."""
        self.round = 0
        """The last in which something was done to it; 0 is none."""
        self.shaky = False
        """The index did not know what was touched, or a pass was half through with it."""


class Life:
    """One message since both sides last agreed. `place` is None for one that came since, on the side `born`."""

    __slots__ = (
        "base", "begun", "born", "content", "deleted", "here", "high", "lonely", "place", "sure", "there", "touched",
    )  # fmt: skip

    def __init__(self, content: int, place: MailboxName | None, base: Flags, born: Side | None = None) -> None:
        self.content = content
        self.place = place
        self.base = base
        self.born = born
        self.there = Deeds(place, base)
        self.here = Deeds(place, base)
        self.begun = 0
        """The round in which it came, or something was done to it first; 0: none yet."""
        self.sure = True
        self.deleted = 0
        """How often it was deleted."""
        self.lonely = False
        """It is on one side only, on purpose."""
        self.high = 1
        """How many copies there may be in the end."""
        self.touched: Flags = frozenset()
        """Flags that anybody changed."""

    def outcome(self, *, trash: bool) -> list[Copy]:
        """What a person expects, where it is sure. `trash`: what is deleted here goes to the trash."""
        if self.born is not None:
            deeds = self.there if self.born == "server" else self.here
            return [(deeds.place, deeds.flags)] if deeds.place is not None else []
        there, here, home = self.there, self.here, self.place
        said = here.flags if here.place == home else (here.flags & SPOKEN) | (self.base - SPOKEN)
        merged = (there.flags & said) | ((there.flags | said) - self.base)
        apart = [(place, deeds.flags) for deeds in (there, here) if (place := deeds.place) is not None]
        for mine, other in ((there, here), (here, there)):
            # As good as moved: nobody can tell that it is the same.
            if mine.renamed and mine.place == home != other.place:
                return apart
        same_file = here.place == home and not here.renamed  # which the message meets again under its new UID
        if there.renamed and there.place == home and not same_file:
            return [(place, there.flags) for place, _ in apart[:1]]
        if there.place == here.place:
            return [(here.place, merged)] if here.place is not None else []
        if there.place == home and here.place is None:
            return [(TRASH, there.flags)] if trash and home != TRASH else []
        if home in {there.place, here.place}:
            moved = here.place if there.place == home else there.place
            return [(moved, merged)] if moved is not None else []
        return apart
