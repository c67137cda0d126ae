"""What happens to the three sides of T1 between two passes: what people do, and what becomes of index and server.

Everything is chosen at random, is done to the model, and is told to the ledger and to the story of the case.
"""

import random
from collections.abc import Callable, Iterable
from typing import Any

from syncer.reconcile.flags import DELETED, Flags
from syncer.reconcile.identity import Side, UniqueName
from syncer.values import replace
from torture.ledger import Ledger
from torture.lives import Life
from torture.sides import CONTENTS, FLAG_SETS, Box, File, Message, Sides, marked, own_uid


class People:
    """Somebody on the server, somebody in the Maildir, and accidents."""

    def __init__(self, sides: Sides, rng: random.Random, story: list[str]) -> None:
        self.sides = sides
        self.random = rng.random
        self.story = story
        self.round = 0
        self.contents = 0
        self.ledger = Ledger(sides)

    def begin(self) -> None:
        """Both sides agree."""
        self.ledger = Ledger(self.sides)
        self.round = 0

    def act(self) -> None:
        """Up to three deeds, seldom an accident."""
        self.round += 1
        for _ in range(int(self.random() * 4)):
            DEEDS[int(self.random() * len(DEEDS))](self)
        if self.random() < 0.12:
            ACCIDENTS[int(self.random() * len(ACCIDENTS))](self)

    def content(self) -> int:
        """Mostly another one, sometimes a twin."""
        if self.contents and self.random() < 0.06:
            return int(self.random() * self.contents)
        self.contents += 1
        return self.contents - 1

    def flags(self) -> Flags:
        """Some, mostly none."""
        return FLAG_SETS[int(self.random() * 32)] if self.random() < 0.5 else FLAG_SETS[0]

    def name(self) -> UniqueName:
        """One that another program makes."""
        return UniqueName(f"n{self.sides.number()}")

    def box(self) -> Box:
        """One of the mailboxes."""
        boxes = list(self.sides.boxes.values())
        return boxes[int(self.random() * len(boxes))]

    def _message(self) -> tuple[Box, int, Message] | None:
        found = [(b, uid, m) for b in self.sides.boxes.values() for uid, m in b.messages.items() if not marked(m)]
        return found[int(self.random() * len(found))] if found else None

    def _file(self) -> tuple[Box, UniqueName, File] | None:
        found = [(box, name, file) for box in self.sides.boxes.values() for name, file in box.files.items()]
        return found[int(self.random() * len(found))] if found else None

    def _touch(self, side: Side, box: Box, key: Any, copy: Message | File, *, placed: bool) -> Life:
        known = self._knows(box, key) if side == "server" else any(pair.name == key for pair in box.pairs.values())
        life = self.ledger.lives[copy.life]
        self.ledger.touch(life, side, self.round, placed=placed, known=known)
        return life

    def _knows(self, box: Box, uid: int) -> bool:
        """Whether the index has a message of the server in a pair, whatever another one had its UID before."""
        if uid not in box.pairs or box.known is None or box.known.uidvalidity != box.uidvalidity:
            return False
        return box.pairs[uid].fingerprint is CONTENTS[box.messages[uid].content]

    def _leaves(self, box: Box, uid: int) -> None:
        """A message goes from a mailbox of the server; one that had its UID before seems to go instead."""
        file = box.files.get(box.pairs[uid].name) if uid in box.pairs else None
        if file is not None and file.life != box.messages[uid].life:
            self.ledger.lives[file.life].deleted += 1
            self.ledger.lives[file.life].sure = False
        del box.messages[uid]

    def _was_anothers(self, box: Box, name: UniqueName, life: int) -> bool:
        """Whether the index has a name in a pair of another message, which somebody who moves a file cannot mean."""
        return any(
            pair.name == name and (uid not in box.messages or box.messages[uid].life != life)
            for uid, pair in box.pairs.items()
        )

    def flags_there(self) -> None:
        """Somebody changes the flags of a message on the server."""
        if found := self._message():
            box, uid, message = found
            life = self._touch("server", box, uid, message, placed=False)
            flags = self.sides.storable(FLAG_SETS[int(self.random() * 32)])
            life.touched |= flags ^ message.flags
            life.there.flags = message.flags = flags
            self.story.append(f"server: {box.name} {uid} gets {sorted(flags)}")

    def flags_here(self) -> None:
        """Somebody changes the flags of a file."""
        if found := self._file():
            box, name, file = found
            life = self._touch("local", box, name, file, placed=False)
            flags = self.sides.sayable(FLAG_SETS[int(self.random() * 32)]) | (file.flags & {DELETED})
            life.touched |= flags ^ file.flags
            life.here.flags = file.flags = flags
            self.story.append(f"Maildir: {box.name} {name} gets {sorted(flags)}")

    def move_there(self) -> None:
        """Somebody moves a message on the server."""
        found, target = self._message(), self.box()
        if found and found[0] is not target:
            box, uid, message = found
            life = self._touch("server", box, uid, message, placed=True)
            life.there.place, life.there.renamed = target.name, True
            self._leaves(box, uid)
            new = self.sides.arrive(target, message.content, message.flags, message.life, message.email_id)
            self.story.append(f"server: {box.name} {uid} moved to {target.name} {new}")

    def move_here(self) -> None:
        """Somebody moves a file to another mailbox, under its name or another."""
        found, target = self._file(), self.box()
        if found:
            box, name, file = found
            free = box is not target and name not in target.files and not self._was_anothers(target, name, file.life)
            new = name if free and self.random() < 0.6 else self.name()
            life = self._touch("local", box, name, file, placed=new != name or box is not target)
            life.here.place = target.name
            life.here.renamed |= new != name
            del box.files[name]
            target.files[new] = file
            self.story.append(f"Maildir: {box.name} {name} moved to {target.name} {new}")

    def delete_there(self) -> None:
        """Somebody expunges a message."""
        if found := self._message():
            box, uid, message = found
            life = self._touch("server", box, uid, message, placed=True)
            life.there.place = None
            life.deleted += 1
            self._leaves(box, uid)
            self.story.append(f"server: {box.name} {uid} deleted")

    def delete_here(self) -> None:
        """Somebody removes a file."""
        if found := self._file():
            box, name, file = found
            life = self._touch("local", box, name, file, placed=True)
            life.here.place = None
            life.deleted += 1
            del box.files[name]
            self.story.append(f"Maildir: {box.name} {name} deleted")

    def arrive_there(self) -> None:
        """A message comes on the server."""
        box, content, flags = self.box(), self.content(), self.sides.storable(self.flags())
        uid = self.sides.arrive(box, content, flags, self.ledger.born(content, box.name, flags, "server"))
        self.ledger.lives[-1].begun = self.ledger.lives[-1].there.round = self.round
        self.story.append(f"server: {box.name} {uid} arrives, content {content}")

    def arrive_here(self) -> None:
        """A file comes."""
        box, content, flags, name = self.box(), self.content(), self.sides.sayable(self.flags()), self.name()
        box.files[name] = File(content, flags, self.ledger.born(content, box.name, flags, "local"))
        self.ledger.lives[-1].begun = self.ledger.lives[-1].here.round = self.round
        self.story.append(f"Maildir: {box.name} {name} arrives, content {content}")

    def arrive_on_both(self) -> None:
        """The same message comes on both sides, as with a backup that was put back into both."""
        box, content = self.box(), self.content()
        flags, said = self.sides.storable(self.flags()), self.sides.sayable(self.flags())
        life = self.ledger.born(content, box.name, flags)
        made = self.ledger.lives[life]
        made.base, made.here.flags, made.touched = frozenset(), said, flags | said
        made.begun = made.there.round = made.here.round = self.round
        made.there.shaky = made.here.shaky = True
        uid, name = self.sides.arrive(box, content, flags, life), self.name()
        box.files[name] = File(content, said, life)
        self.story.append(f"both: {box.name} {uid} {name} arrive, content {content}")

    def vanish_here(self) -> None:
        """All files of a mailbox vanish, as if the disk were not mounted."""
        box = self.box()
        for name, file in list(box.files.items()):
            life = self._touch("local", box, name, file, placed=True)
            life.here.place = None
            life.deleted += 1
            del box.files[name]
        self.story.append(f"Maildir: {box.name} is empty")

    def vanish_there(self) -> None:
        """The server shows a mailbox empty."""
        box = self.box()
        for uid, message in list(box.messages.items()):
            if not marked(message):
                life = self._touch("server", box, uid, message, placed=True)
                life.there.place = None
                life.deleted += 1
                self._leaves(box, uid)
        self.story.append(f"server: {box.name} is empty")

    def lose_pairs(self) -> None:
        """Rows of the index are lost, as after a crash of the machine."""
        box = self.box()
        lost = [uid for uid in box.pairs if self.random() < 0.5]
        self._disturb(box, lost)
        for uid in lost:
            del box.pairs[uid]
        self.story.append(f"index: {box.name} pairs {lost} lost")

    def old_flags(self) -> None:
        """The index has flags from before."""
        box = self.box()
        self._disturb(box, box.pairs)
        for uid, pair in box.pairs.items():
            old = self.flags() | (pair.flags & {DELETED})
            box.pairs[uid] = replace(pair, flags=self.sides.storable(self.sides.sayable(old)))
        self.story.append(f"index: {box.name} flags are old")

    def lose_index(self) -> None:
        """All that the index knew of a mailbox is lost."""
        self.lose(self.box())

    def renumber(self) -> None:
        """The server gives a mailbox another UIDVALIDITY, and its messages other UIDs."""
        box = self.box()
        self._disturb(box, box.pairs)
        box.uidvalidity += 1
        messages = list(box.messages.values())
        box.messages = dict(enumerate(messages, 1))
        box.uidnext = len(messages) + 1
        self.story.append(f"server: {box.name} has another UIDVALIDITY")

    def restore(self) -> None:
        """The server restores a mailbox from a backup: its newest messages are not there, and UIDNEXT is as then."""
        box = self.box()
        there = [uid for uid, message in box.messages.items() if not marked(message)]
        oldest = there[-2:][0] if there else 0
        made_by_us = (own_uid(self.sides, box, pair.name) == uid for uid, pair in box.pairs.items() if uid >= oldest)
        if oldest and all(made_by_us):  # only what was downloaded is recognised once its UID is used again
            self._disturb(box, box.pairs)
            for uid in [uid for uid in box.messages if uid >= oldest]:
                if not self._knows(box, uid) or box.pairs[uid].name not in box.files:
                    self.ledger.lives[box.messages[uid].life].deleted += 1  # nobody else need have it
                self.ledger.lives[box.messages[uid].life].lonely = True
                self.ledger.disturb([box.messages.pop(uid)])
            box.uidnext = oldest
            self.story.append(f"server: {box.name} is as it was before {oldest}")

    def lose(self, box: Box) -> None:
        """Somebody deletes what the index knows of a mailbox, or a disk does."""
        self._disturb(box, box.pairs)
        box.forget_everything()
        self.story.append(f"index: {box.name} lost")

    def _disturb(self, box: Box, uids: Iterable[int]) -> None:
        uids = list(uids)
        self.ledger.disturb(box.messages[uid] for uid in uids if uid in box.messages)
        names = {box.pairs[uid].name for uid in uids}
        self.ledger.disturb(file for name, file in box.files.items() if name in names)
        self.ledger.forget({box.pairs[uid].fingerprint for uid in uids})


DEEDS: tuple[Callable[[People], None], ...] = (
    *(People.flags_there, People.flags_here, People.move_there, People.move_here, People.delete_there) * 3,
    *(People.delete_here, People.arrive_there, People.arrive_here) * 3,
    People.arrive_on_both,
    People.vanish_here,
    People.vanish_there,
)
ACCIDENTS: tuple[Callable[[People], None], ...] = (
    People.lose_pairs,
    People.old_flags,
    People.lose_index,
    People.renumber,
    People.restore,
)
