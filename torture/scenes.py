"""What has happened on both sides before a sync is recorded: with a ledger, which says what must be true after it."""

import random
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass

from e2e.history import History
from e2e.ledger import Deed, Ledger
from e2e.world import Copy, World
from servers.mail import note

BOTH = ("server", "local")
BASE = 6
"""Messages that each mailbox is given before the first sync, beside those that every history begins with."""
LARGE = 1_200_000
SPARE = {"E1": 0, "E2": 0, "E3": 0, "D1": 2, "D2": 3}
"""Mailboxes that are there to be removed, and how many messages they hold."""
RUNGS: list[tuple[str, ...]] = [
    (), (), (), ("QRESYNC",), ("QRESYNC", "CONDSTORE"), ("LIST-STATUS", "LIST-EXTENDED"), ("MOVE",),
]  # fmt: skip
FIRST = ["discard", "rename", "remove", "create"]
"""What is done to mailboxes comes before what is done in them."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is done on which side since the last sync, and how often at most."""

    name: str
    deeds: tuple[tuple[str, str, int], ...] = ()
    first: bool = False
    """There never was a sync."""
    loose: bool = False
    """The mail program at the Maildir flushed what is in its files, and no names."""

    @property
    def changes_server(self) -> bool:
        """Whether the sync has to change something on the server."""
        return any(side == "local" for _, side, _ in self.deeds)

    @property
    def mailbox_changes(self) -> bool:
        """Whether mailboxes are renamed or deleted."""
        return any(deed in {"rename", "remove", "discard"} for deed, _, _ in self.deeds)

    @property
    def rungs(self) -> list[tuple[str, ...]]:
        """What a server may hide, mostly nothing. Without UIDPLUS it would not be told what to expunge."""
        ours = {deed for deed, side, _ in self.deeds if side == "local"}
        return RUNGS if ours & {"delete", "move", "discard"} else [*RUNGS, ("UIDPLUS",), ("MULTIAPPEND", "LITERAL+")]


def both(*deeds: tuple[str, int]) -> tuple[tuple[str, str, int], ...]:
    """Deeds that are done on both sides."""
    return tuple((deed, side, count) for deed, count in deeds for side in BOTH)


SCENES = (
    Scene("first pull", (("create", "server", 2), ("new", "server", 30), ("twins", "server", 1)), first=True),
    Scene("pull", (("new", "server", 30), ("twins", "server", 2), ("large", "server", 1))),
    Scene("push", (("new", "local", 16), ("twins", "local", 2))),
    Scene("push of loose files", (("new", "local", 14),), loose=True),
    Scene("flags", both(("flags", 10))),
    Scene("deletions", both(("delete", 4), ("flags", 3))),
    Scene("moves", both(("move", 5), ("copy", 2), ("flags", 3))),
    Scene("mailboxes", both(("create", 2), ("rename", 1), ("remove", 1), ("discard", 1), ("new", 4))),
    Scene("loose changes", (("move", "local", 4), ("flags", "local", 6), ("delete", "local", 3)), loose=True),
    Scene("everything", both(("new", 4), ("flags", 5), ("move", 3), ("copy", 1), ("delete", 2), ("create", 1))),
)


class Played:
    """A scene that was played in a world: up to the last sync at first, then, with `go_on`, up to the next."""

    def __init__(self, scene: Scene, world: World, rng: random.Random) -> None:
        """Fill both sides and sync, unless there never was a sync."""
        self.scene = scene
        self.history = History(world, rng, mailbox_changes=scene.mailbox_changes)
        if scene.first:
            return
        self.history._begin()
        if scene.mailbox_changes:
            self._spare_mailboxes()
        for mailbox in sorted(world.client.mailboxes() & world.local.mailboxes() - set(SPARE)):
            for _ in range(BASE):
                self.history._new(rng.choice(BOTH), mailbox)
        self.history._sync_and_check()
        self.history._begin_round()

    def _spare_mailboxes(self) -> None:
        """Mailboxes to remove: empty ones, and some with less in them than a guard would ask for."""
        for mailbox, count in SPARE.items():
            side = self.history.rng.choice(BOTH)
            self.history._create(side, mailbox)
            for _ in range(count):
                self.history._new(side, mailbox)

    def go_on(self) -> None:
        """Do what is done since."""
        history, rng = self.history, self.history.rng
        order = [
            (deed, side) for deed, side, most in self.scene.deeds for _ in range(rng.randint((most + 1) // 3, most))
        ]
        order.sort(key=lambda one: FIRST.index(one[0]) if one[0] in FIRST else len(FIRST))
        for deed, side in order:
            if deed == "create":
                history.names += 1
                history._create(side, ("" if self.scene.first else rng.choice(["", "A/"])) + f"M{history.names}")
            elif deed in {"rename", "remove"}:
                history._change_mailbox(side, deed)
            elif deed == "discard":
                self._discard(side)
            elif deed in {"new", "twins"}:
                history._new(side, rng.choice(history._mailboxes(side)), times=1 + (deed == "twins"))
            elif deed == "large":
                self._large()
            else:
                history._change_message(side, deed)

    def _large(self) -> None:
        """A message on the server that is written in pieces, and at last found not to have CRLF everywhere."""
        history = self.history
        history.born += 1
        token, mailbox = f"m{history.born}", history.rng.choice(history._mailboxes("server"))
        history.story.append(f"server: new large message {token} in {mailbox}")
        history.world.client.append(mailbox, note(token, size=LARGE) + b"no CR\n" * history.rng.randint(0, 1))
        history.ledger.born.append(("server", (mailbox, token, frozenset())))

    def _discard(self, side: str) -> None:
        """Delete a mailbox with what is in it."""
        history = self.history
        mailbox = next(name for name, count in SPARE.items() if count and name not in history.taken)
        history.story.append(f"{side}: delete the mailbox {mailbox} with what is in it")
        history.taken.add(mailbox)
        history.gone.add(mailbox)
        (history.world.client if side == "server" else history.world.local).delete_mailbox(mailbox)
        for tracked in history.ledger.copies:
            if tracked.mailbox == mailbox:
                tracked.deeds[side] = Deed(tracked.deeds[side].flags, "deleted")

    def deleted(self) -> set[str]:
        """What somebody has deleted on either side."""
        copies = self.history.ledger.copies
        return {one.token for one in copies if any(deed.kind == "deleted" for deed in one.deeds.values())}

    def faults(self, found: Iterable[Copy]) -> list[str]:
        """In words, everything in which `found` is not what must be after the sync."""
        found = list(found)
        ledger = self.history.ledger
        if not self.scene.loose:
            return ledger.faults(found)
        faults = []
        for token in {copy.token for copy in ledger.copies} | {one[1] for _, one in ledger.born}:
            here = [one for one in found if one[1] == token]
            options = [option.faults(here) for option in _without_some(_of(ledger, token))]
            faults += options[0] if all(options) else []
        return sorted(faults)


def _of(ledger: Ledger, token: str) -> Ledger:
    copies = [copy for copy in ledger.copies if copy.token == token]
    return Ledger(copies, [(side, one) for side, one in ledger.born if one[1] == token])


def _without_some(ledger: Ledger) -> Iterator[Ledger]:
    """The ledger, and what it would be if the last, or all, of what was done at the Maildir had been lost."""
    yield ledger
    born = [(side, one) for side, one in ledger.born if side != "local"]
    for flags_stay in (True, False):
        copies = deepcopy(ledger.copies)
        for tracked in copies:
            tracked.deeds["local"] = Deed(tracked.deeds["local"].flags if flags_stay else tracked.base)
        yield Ledger(copies, born)
