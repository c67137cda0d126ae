"""PURE: the book of what both sides must hold at the next quiet point, and what may be done before it.

A message is known by its token. Whoever touches one owns all its copies until the quiet point, so there is never a
conflict to be judged. What could not be told apart by anybody is left out as well: equal octets are not moved while
there are two of them, and the keywords of a file are not changed between two quiet points in which it also moves.
"""

import random
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

Flags = frozenset[str]
Copy = tuple[str, str, Flags]
"""Mailbox, token, flags."""

SIDES = ("server", "local")
BOTH = frozenset(SIDES)
MARKS = ("\\Seen", "\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$Forwarded")
KEYWORDS = ("work", "todo", "NonJunk")
KINDS = {"new": 6.0, "flags": 14.0, "delete": 5.0, "move": 6.0, "copy": 1.5, "create": 0.1}
"""What is done how often."""
LEFT = 8
"""A mailbox is not emptied below this."""
DELETED = 0.3
"""Of a mailbox no more is deleted on one side: the guards have tests of their own, and count a whole day."""
MAILBOXES = 16
"""No more are made."""
PARENT = "Archive"
"""Has others below it."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be done on one side."""

    side: str
    kind: str
    """One of `KINDS`, or rename."""
    mailbox: str
    token: str = ""
    target: str = ""
    """Where to move or copy it; the new name of a mailbox."""
    add: Flags = frozenset()
    remove: Flags = frozenset()
    keep_name: bool = False
    """Of a file that moves."""
    size: int = 0

    def __str__(self) -> str:
        """For the story."""
        words = [self.side, self.kind, self.token, self.mailbox, f"-> {self.target}" * bool(self.target)]
        words += [f"+{sorted(self.add)}" * bool(self.add), f"-{sorted(self.remove)}" * bool(self.remove)]
        return " ".join(filter(None, [*words, "same name" * self.keep_name]))


@dataclass(slots=True)
class Message:
    """Everything with one token."""

    size: int
    places: dict[str, Flags]
    """By mailbox; none: it was deleted."""
    owner: str | None = None
    """The side that has touched it since the last quiet point."""
    plural: bool = False
    """There were several copies since then."""
    transferred: bool = False
    worded: bool = False
    """Its keywords were changed since then."""


@dataclass(slots=True)
class Book:
    """All messages and mailboxes."""

    most: int
    """About so many messages are kept."""
    messages: dict[str, Message] = field(default_factory=dict)
    mailboxes: dict[str, frozenset[str]] = field(default_factory=dict)
    """Each with the sides on which something may be done in it before the next quiet point."""
    deleted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By side and mailbox."""
    made: int = 0
    """Mailboxes, for their names."""

    def expected(self) -> dict[str, dict[str, Flags]]:
        """Flags by mailbox and token."""
        found: dict[str, dict[str, Flags]] = {mailbox: {} for mailbox in self.mailboxes}
        for token, message in self.messages.items():
            for mailbox, flags in message.places.items():
                found[mailbox][token] = flags
        return found

    def count(self) -> int:
        """Copies in all mailboxes."""
        return sum(len(message.places) for message in self.messages.values())

    def settle(self) -> None:
        """A quiet point: everything may be touched on either side again."""
        self.messages = {token: message for token, message in self.messages.items() if message.places}
        for message in self.messages.values():
            message.owner, message.transferred, message.worded = None, False, False
            message.plural = len(message.places) > 1
        self.mailboxes = dict.fromkeys(self.mailboxes, BOTH)

    # -- what may be done

    def propose(self, rng: random.Random, side: str) -> Deed | None:
        """Something that may be done on this side; None if what was thought of may not."""
        weights = dict(KINDS)
        if self.count() > self.most:
            weights["new"] = weights["copy"] = 1.0
        else:
            weights["delete"] = 3.0
        kind = rng.choices(list(weights), list(weights.values()))[0]
        if kind == "create":
            return self._create(rng, side)
        if kind == "new":
            return self.new(rng, side, rng.choice(self._open(side)))
        mailbox = rng.choice(self._open(side))
        tokens = [token for token, message in self.messages.items() if _free(message, side, mailbox)]
        if not tokens:
            return None
        token = rng.choice(tokens)
        if kind == "flags":
            return self._flags(rng, side, mailbox, token)
        if kind == "delete":
            return self._delete(side, mailbox, token)
        return self._transfer(rng, side, kind, mailbox, token)

    def new(self, rng: random.Random, side: str, mailbox: str) -> Deed:
        """A new message."""
        flags = frozenset(rng.sample(sorted({*MARKS, *KEYWORDS}), rng.choice([0, 0, 0, 1, 2])))
        size = rng.choice([0, 300, 300, 3_000, 3_000, 20_000])
        return Deed(side, "new", mailbox, f"t{rng.getrandbits(48):012x}", add=flags, size=size)

    def rename(self, rng: random.Random, side: str) -> Deed | None:
        """A mailbox with nothing in it or below it that was touched since the last quiet point gets another name."""
        touched = {mailbox for message in self.messages.values() if message.owner for mailbox in message.places}
        free = [
            name
            for name, sides in self.mailboxes.items()
            if sides == BOTH and name not in {"INBOX", PARENT, *touched} and not self._below(name)
        ]
        if not free:
            return None
        return Deed(side, "rename", rng.choice(free), target=self._name(rng))

    def _open(self, side: str) -> list[str]:
        return [name for name, sides in self.mailboxes.items() if side in sides]

    def _below(self, name: str) -> bool:
        return any(other.startswith(f"{name}/") for other in self.mailboxes)

    def _name(self, rng: random.Random) -> str:
        return rng.choice(["", f"{PARENT}/"]) + f"M{self.made + 1}"

    def _create(self, rng: random.Random, side: str) -> Deed | None:
        return Deed(side, "create", self._name(rng)) if len(self.mailboxes) < MAILBOXES else None

    def _flags(self, rng: random.Random, side: str, mailbox: str, token: str) -> Deed:
        message = self.messages[token]
        flags = message.places[mailbox]
        words = () if side == "local" and message.transferred else KEYWORDS
        changed = set(rng.sample([*MARKS, *words], rng.randint(0 if side == "local" else 1, 3)))
        return Deed(side, "flags", mailbox, token, add=frozenset(changed - flags), remove=frozenset(changed & flags))

    def _delete(self, side: str, mailbox: str, token: str) -> Deed | None:
        present = sum(mailbox in message.places for message in self.messages.values())
        deleted = self.deleted[side, mailbox] + 1
        allowed = present > LEFT and deleted <= DELETED * (present + deleted)
        return Deed(side, "delete", mailbox, token) if allowed else None

    def _transfer(self, rng: random.Random, side: str, kind: str, mailbox: str, token: str) -> Deed | None:
        message = self.messages[token]
        present = sum(mailbox in other.places for other in self.messages.values())
        targets = [name for name in self._open(side) if name not in message.places]
        if message.plural or not targets or present <= LEFT or (side == "local" and message.worded):
            return None
        return Deed(side, kind, mailbox, token, rng.choice(targets), keep_name=rng.random() < 0.5)

    # -- what was done

    def record(self, deed: Deed) -> None:
        """It was done."""
        if deed.kind == "create":
            self.made += 1
            self.mailboxes[deed.mailbox] = frozenset({deed.side})
        elif deed.kind == "rename":
            self._renamed(deed)
        elif deed.kind == "new":
            self.messages[deed.token] = Message(deed.size, {deed.mailbox: deed.add}, deed.side)
        else:
            self._touched(self.messages[deed.token], deed)

    def _renamed(self, deed: Deed) -> None:
        self.made += 1
        del self.mailboxes[deed.mailbox]
        self.mailboxes[deed.target] = frozenset()
        for message in self.messages.values():
            if deed.mailbox in message.places:
                message.places[deed.target] = message.places.pop(deed.mailbox)
                message.owner = "nobody"
        for side in SIDES:
            self.deleted[side, deed.target] = self.deleted.pop((side, deed.mailbox), 0)

    def _touched(self, message: Message, deed: Deed) -> None:
        message.owner = deed.side
        flags = message.places[deed.mailbox]
        if deed.kind == "flags":
            message.places[deed.mailbox] = (flags | deed.add) - deed.remove
            message.worded |= bool((deed.add | deed.remove) & set(KEYWORDS))
        elif deed.kind == "delete":
            del message.places[deed.mailbox]
            self.deleted[deed.side, deed.mailbox] += 1
        else:
            if deed.kind == "move":
                del message.places[deed.mailbox]
            message.places[deed.target] = flags
            message.transferred = True
            message.plural |= deed.kind == "copy"


def _free(message: Message, side: str, mailbox: str) -> bool:
    return mailbox in message.places and message.owner in {None, side}


def differences(book: Book, side: str, mailboxes: Collection[str], found: Iterable[Copy]) -> list[str]:
    """In words, everything in which this side is not what the book says."""
    expected = book.expected()
    lines = [f"{side}: no mailbox {name}" for name in sorted(expected.keys() - set(mailboxes))]
    lines += [f"{side}: a mailbox {name} too many" for name in sorted(set(mailboxes) - expected.keys())]
    held: dict[tuple[str, str], list[Flags]] = {}
    for mailbox, token, flags in found:
        held.setdefault((mailbox, token), []).append(flags)
    wanted = {(mailbox, token): flags for mailbox, tokens in expected.items() for token, flags in tokens.items()}
    somewhere = {token for _, token in held}
    for (mailbox, token), flags in wanted.items():
        there = held.pop((mailbox, token), [])
        if not there:
            lines.append(f"{side}: {'not in its place' if token in somewhere else 'lost'}: {token} in {mailbox}")
        elif len(there) > 1:
            lines.append(f"{side}: doubled: {token} is in {mailbox} {len(there)} times")
        elif there[0] != flags:
            lines.append(f"{side}: flags: {token} in {mailbox} has {sorted(there[0])}, not {sorted(flags)}")
    return sorted([*lines, *(f"{side}: too many: {token} in {mailbox}" for mailbox, token in held)])
