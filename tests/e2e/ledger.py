"""The oracle of the histories: what both sides must hold after a sync, given what was done on each since the last.

Both sides were the same before (the base). On each side every copy of a message suffers at most one deed besides
changes of its flags: it is deleted, moved, or copied. What must be true then:

- what only one side did counts;
- flags are merged three-way, flag by flag;
- deleted on one side, flags changed on the other: deleted;
- keywords changed in the Maildir and the file moved there before the next sync: the change may be missed, for the
  letters of a file that was moved may mean what they meant where it was or what they mean where it is;
- moved on one side, deleted on the other: it is at the target;
- moved on one side, flags changed on the other: at the target with those flags;
- moved on both sides to one mailbox: there once; to two mailboxes: in one of them or in both;
- where equal octets arrive in one mailbox from both sides they may be taken for one message.

A message is never nowhere unless a person has deleted it, and never more often anywhere than the above says.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from e2e.maildirs import LETTERS
from e2e.world import Copy

Flags = frozenset[str]
SIDES = ("server", "local")
SPOKEN: Flags = frozenset(LETTERS.values())
"""Flags whose letter is the same in every Maildir."""


@dataclass(slots=True)
class Deed:
    """What one side did to one copy since the last sync."""

    flags: Flags
    """The flags it has on this side now, or had when it was moved, copied or deleted."""
    kind: str = "kept"
    """kept, deleted, moved or copied."""
    target: str | None = None
    copied_flags: Flags = frozenset()


@dataclass(slots=True)
class Tracked:
    """A copy of the base, and what each side did to it."""

    token: str
    mailbox: str
    base: Flags
    deeds: dict[str, Deed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Nothing was done yet."""
        self.deeds = {side: Deed(self.base) for side in SIDES}

    def merged(self) -> Flags:
        """The flags after a sync in which it survives."""
        return self._merge(self.deeds["local"].flags)

    def merged_without_letters(self) -> Flags:
        """The same where the file's letters for keywords are taken to say nothing."""
        local = self.deeds["local"].flags
        return self._merge((local & SPOKEN) | (self.base - SPOKEN))

    def _merge(self, local: Flags) -> Flags:
        server = self.deeds["server"].flags
        return (server & local) | ((server | local) - self.base)


@dataclass(frozen=True, slots=True)
class Place:
    """One copy that will, or may, be in a mailbox."""

    mailbox: str
    least: Flags
    most: Flags
    arrived: Flags = frozenset()
    """The sides on which it came into this mailbox."""
    certain: bool = True


@dataclass(slots=True)
class Ledger:
    """The base, the deeds of both sides, and what is new on each."""

    copies: list[Tracked]
    born: list[tuple[str, Copy]] = field(default_factory=list)
    """New messages: the side on which each appeared, and what it is."""

    @classmethod
    def of(cls, base: Iterable[Copy]) -> "Ledger":
        """Nothing was done since both sides were like `base`."""
        return cls([Tracked(token, mailbox, flags) for mailbox, token, flags in base])

    def tokens(self, side: str, mailbox: str) -> Counter[str]:
        """What this side has in a mailbox now."""
        found = Counter(token for origin, (where, token, _) in self.born if (origin, where) == (side, mailbox))
        for copy in self.copies:
            deed = copy.deeds[side]
            found[copy.token] += copy.mailbox == mailbox and deed.kind in {"kept", "copied"}
            found[copy.token] += deed.target == mailbox
        return +found

    def faults(self, found: Iterable[Copy]) -> list[str]:
        """In words, everything in which `found` is not what must be after the sync."""
        by_token: dict[str, list[Copy]] = {}
        for copy in found:
            by_token.setdefault(copy[1], []).append(copy)
        expected = self._places()
        faults = [f"{token} came from nowhere: {by_token[token]}" for token in by_token.keys() - expected.keys()]
        for token, places in expected.items():
            faults += _compare(token, places, by_token.get(token, []))
        return sorted(faults)

    def _places(self) -> dict[str, list[Place]]:
        places: dict[str, list[Place]] = {copy.token: [] for copy in self.copies}
        for side, (mailbox, token, flags) in self.born:
            places.setdefault(token, []).append(Place(mailbox, flags, flags, frozenset({side})))
        for copy in self.copies:
            places[copy.token] += _places_of(copy)
        for token, found in places.items():
            copies = [copy for copy in self.copies if copy.token == token]
            if _ambiguous(copies, found):
                places[token] = _with_any_flags_of(copies, found)
        return places


def _places_of(copy: Tracked) -> list[Place]:
    deeds, merged = copy.deeds, copy.merged()
    kinds = {deed.kind for deed in deeds.values()}
    places = [
        Place(deed.target, deed.copied_flags, deed.copied_flags, frozenset({side}))
        for side, deed in deeds.items()
        if deed.kind == "copied" and deed.target
    ]
    movers = {side: deed for side, deed in deeds.items() if deed.kind == "moved"}
    if len(movers) == 2:
        targets = {side: deed.target or "" for side, deed in movers.items()}
        one_target = targets["server"] == targets["local"]
        # Without a common base at the target the flags of both are taken.
        least, most = _range(deed.flags for deed in deeds.values())
        places += [
            Place(target, least, most, frozenset() if one_target else frozenset({side}), certain=one_target)
            for side, target in targets.items()
            if side == "server" or not one_target
        ]
    elif movers:
        ((side, deed),) = movers.items()
        # What the other side did to the flags of a copy that it then deleted may or may not come along.
        least, most = _range([deed.flags, merged]) if "deleted" in kinds else (merged, merged)
        if side == "local":
            least, most = _range([least, copy.merged_without_letters()])[0], most | copy.merged_without_letters()
        places.append(Place(deed.target or "", least, most, frozenset({side})))
    elif "deleted" not in kinds:
        places.append(Place(copy.mailbox, merged, merged))
    return places


def _range(flags: Iterable[Flags]) -> tuple[Flags, Flags]:
    """What all have, and what any has."""
    sets = list(flags)
    return frozenset.intersection(*sets), frozenset.union(*sets)


def _ambiguous(copies: list[Tracked], places: list[Place]) -> bool:
    """Equal octets cannot be told apart, so neither can which of them was moved with which flags."""
    busy = any(deed.kind != "kept" for copy in copies for deed in copy.deeds.values())
    arrivals = {(place.mailbox, side) for place in places for side in place.arrived}
    meet = any((mailbox, "server") in arrivals and (mailbox, "local") in arrivals for mailbox, _ in arrivals)
    return (len(copies) > 1 and busy) or meet


def _with_any_flags_of(copies: list[Tracked], places: list[Place]) -> list[Place]:
    seen = [deed.flags for copy in copies for deed in copy.deeds.values()] + [copy.base for copy in copies]
    least, most = _range(seen + [flags for place in places for flags in (place.least, place.most)])
    return [Place(place.mailbox, least, most, place.arrived, place.certain) for place in places]


def _compare(token: str, places: list[Place], found: list[Copy]) -> list[str]:
    faults = []
    uncertain = {place.mailbox for place in places if not place.certain}
    if uncertain and not any(mailbox in uncertain for mailbox, _, _ in found):
        faults.append(f"{token} was moved on both sides and is in none of {sorted(uncertain)}: lost")
    for mailbox in sorted({place.mailbox for place in places} | {mailbox for mailbox, _, _ in found}):
        here = [place for place in places if place.mailbox == mailbox]
        flags = [flags for where, _, flags in found if where == mailbox]
        certain = sum(place.certain for place in here)
        from_both = min(sum(side in place.arrived for place in here) for side in SIDES)
        least, most = max(certain - from_both, min(certain, 1)), len(here)
        if not least <= len(flags) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            faults.append(f"{token} is in {mailbox} {len(flags)} times, not {wanted}")
        elif not _assignable(here, flags):
            allowed = [(sorted(place.least), sorted(place.most)) for place in here]
            faults.append(f"{token} in {mailbox} has {[sorted(one) for one in flags]}, allowed are {allowed}")
    return faults


def _assignable(places: list[Place], found: list[Flags]) -> bool:
    """Whether each set of flags can be given to a place of its own that allows it."""
    if not found:
        return True
    fitting = [place for place in places if place.least <= found[0] <= place.most]
    return any(_assignable([other for other in places if other is not place], found[1:]) for place in fitting)
