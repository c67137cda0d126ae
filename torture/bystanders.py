"""The two persons of T10: one at the server, one at the Maildir. What must come of their deeds is noted."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from fake_store import StoredFile
from worlds import World, octets

from syncer.reconcile.flags import ANSWERED, FLAGGED, SEEN, Flags
from syncer.reconcile.identity import MailboxName, Side, Uid, UniqueName
from torture.notes import TRASH, Note

SIDES: tuple[Side, Side] = ("server", "local")
MARKS = (SEEN, ANSWERED, FLAGGED, "todo")
KINDS = {"new": 4, "flags": 6, "move": 6, "copy": 2, "delete": 3, "renew": 1, "restore": 2}
"""What is done how often."""
CREATE = 0.02
"""How often a mailbox is made instead."""
ON_SERVER_STILL = 0.5
"""How often one touches what was deleted in the Maildir, and may come back."""
FIRST_DATE = 1_000_000_000
NO_UID, NO_NAME = Uid(0), UniqueName("")


@dataclass(frozen=True, slots=True)
class Copy:
    """A message on one side, as the person there sees it."""

    mailbox: MailboxName
    token: str
    flags: Flags
    uid: Uid = NO_UID
    name: UniqueName = NO_NAME


class Bystanders:
    """Both persons. `hint` is told of every deed, with the side and the mailbox."""

    def __init__(
        self,
        world: World,
        rng: random.Random,
        story: list[str],
        hint: Callable[[Side, MailboxName], None],
        *,
        clashes: float,
        trash: bool,
    ) -> None:
        """`clashes`: how often one touches what the other has touched; `trash`: what is deleted here goes there."""
        self.world, self.rng, self.story, self._hint = world, rng, story, hint
        self._clashes, self._trash = clashes, trash
        self._tokens: dict[bytes, str] = {}
        self._notes: dict[str, Note] = {}
        self._bin: list[tuple[Copy, StoredFile]] = []
        """What was deleted in the Maildir since both sides were the same."""
        self._made = 0
        self.out: MailboxName | None = None
        """They do nothing in this mailbox."""
        self.meanwhile = False
        """They act while a pass is under way: what it may be about is then touched by both sides."""

    def fill(self, messages: int) -> None:
        """The mail that there is at the beginning."""
        for _ in range(messages):
            self._new("server")

    def act(self) -> None:
        """One deed, unless what was thought of may not be done.

        Raises:
            AssertionError: a message is not where nobody else has touched it.
        """
        side = self.rng.choice(SIDES)
        if self.rng.random() < CREATE:
            self._create(side)
            return
        (kind,) = self.rng.choices([*KINDS], [*KINDS.values()])
        if kind == "restore":
            self._restore()
            return
        if kind == "new":
            self._new(side)
            return
        copies = [copy for copy in self.copies(side) if copy.mailbox != self.out and self._may_touch(side, copy)]
        if copies:
            {"flags": self._flag, "delete": self._delete, "renew": self._renew, "move": self._move, "copy": self._copy}[
                kind
            ](side, self.rng.choice(copies))

    def mailboxes(self, side: Side) -> list[MailboxName]:
        """Those of one side."""
        return sorted(self.world.server.mailboxes if side == "server" else self.world.store.directories)

    def copies(self, side: Side) -> list[Copy]:
        """Everything on one side."""
        if side == "server":
            boxes = self.world.server.mailboxes.items()
            return [
                Copy(mailbox, self._token(message.octets), message.flags, uid=uid)
                for mailbox, box in boxes
                for uid, message in box.messages.items()
            ]
        directories = self.world.store.directories.items()
        return [
            Copy(mailbox, self._token(file.octets), directory.said(file), name=name)
            for mailbox, directory in directories
            for name, file in directory.files.items()
        ]

    def differences(self) -> list[str]:
        """In words, everything in which the two sides differ."""
        there, here = (
            Counter(f"{copy.token} in {copy.mailbox} {sorted(copy.flags)}" for copy in self.copies(side))
            for side in SIDES
        )
        return sorted(
            [f"only on the server: {one}" for one in (there - here).elements()]
            + [f"only in the Maildir: {one}" for one in (here - there).elements()]
        )

    def faults(self, ignored: Flags) -> list[str]:
        """In words, everything in which the server is not what must have come of the deeds, but for these flags."""
        found: dict[str, list[tuple[MailboxName, Flags]]] = {token: [] for token in self._notes}
        for copy in self.copies("server"):
            found.setdefault(copy.token, []).append((copy.mailbox, copy.flags))
        faults = [f"{token} came from nowhere" for token in found.keys() - self._notes.keys()]
        told = ((token, note.fault(found[token], ignored)) for token, note in self._notes.items())
        return sorted([*faults, *(f"{token} is {fault}" for token, fault in told if fault)])

    def settle(self) -> None:
        """Both sides are the same: everything may be touched on either again."""
        self._notes, self._bin = {}, []
        for copy in self.copies("server"):
            note = self._notes.setdefault(copy.token, Note({}))
            note.left_alone |= copy.mailbox in note.places
            note.put(copy.mailbox, copy.flags)

    # -- what they do

    def _create(self, side: Side) -> None:
        self._made += 1
        mailbox = MailboxName(f"M{self._made}")
        self.story.append(f"{side}: create {mailbox}")
        if side == "server":
            self.world.server.create(mailbox)
        else:
            self.world.store.create(mailbox)
        self._hint(side, mailbox)

    def _new(self, side: Side) -> None:
        mailbox, token = self.rng.choice(self._open(side)), f"t{len(self._tokens)}"
        content, date = octets(token) + b"." * self.rng.choice([0, 0, 50]), FIRST_DATE + 60 * len(self._tokens)
        self._tokens[content] = token
        flags = frozenset(self.rng.sample(MARKS, self.rng.choice([0, 0, 1])))
        self.story.append(f"{side}: new {token} in {mailbox} {sorted(flags)}")
        if side == "server":
            self.world.server.deliver(mailbox, content, flags, date)
        else:
            self.world.store.put(mailbox, self._name(), content, flags, date)
        self._notes[token] = Note({mailbox: flags}, {side}, born=True)
        self._hint(side, mailbox)

    def _flag(self, side: Side, copy: Copy) -> None:
        flags = copy.flags ^ frozenset(self.rng.sample(MARKS, self.rng.choice([1, 1, 2])))
        self.story.append(f"{side}: {copy.token} in {copy.mailbox} has {sorted(flags)}")
        if side == "server":
            box = self.world.server.mailboxes[copy.mailbox]
            box.messages[copy.uid].flags = flags
            box.settle()
        else:
            directory = self.world.store.directories[copy.mailbox]
            directory.files[copy.name].flags = directory.sayable(flags)
        self._touched(side, copy).places[copy.mailbox] = flags
        self._hint(side, copy.mailbox)

    def _delete(self, side: Side, copy: Copy) -> None:
        self.story.append(f"{side}: delete {copy.token} in {copy.mailbox}")
        note = self._touched(side, copy)
        note.places.pop(copy.mailbox, None)
        if self._trash and side == "local" and copy.mailbox != TRASH:
            note.thrown_away = True
        else:
            note.deleted = True
        if side == "local":
            self._bin.append((copy, self.world.store.directories[copy.mailbox].files[copy.name]))
        self._remove(side, copy)

    def _restore(self) -> None:
        """Somebody wants a file back, which has kept its name."""
        held = {(copy.mailbox, copy.token) for copy in self.copies("local")}
        free = [(copy, file) for copy, file in self._bin if (copy.mailbox, copy.token) not in held]
        if not free or self.meanwhile:
            return
        copy, file = self.rng.choice(free)
        self._bin.remove((copy, file))
        self.story.append(f"local: {copy.token} is back in {copy.mailbox}")
        note = self._notes[copy.token]
        note.touched.add("local")
        note.put(copy.mailbox, copy.flags)
        self.world.store.directories[copy.mailbox].files[copy.name] = file
        self._hint("local", copy.mailbox)

    def _renew(self, side: Side, copy: Copy) -> None:
        """A file gets another name, or a message another UID."""
        self.story.append(f"{side}: {copy.token} in {copy.mailbox} is there anew")
        self._put(side, copy, copy.mailbox)
        self._remove(side, copy)
        self._touched(side, copy).put(copy.mailbox, copy.flags)

    def _move(self, side: Side, copy: Copy) -> None:
        target = self._target(side, copy)
        if target is None:
            return
        name = copy.name if side == "local" and self.rng.random() < 0.6 else None
        note = self._touched(side, copy)
        note.moved_here |= side == "local"
        note.thrown_away |= self._trash and side == "local" and copy.mailbox != TRASH
        note.places.pop(copy.mailbox, None)
        note.put(target, copy.flags)
        words = f"{side}: move {copy.token} from {copy.mailbox} to {target}"
        self.story.append(words + (" under its name" if name else ""))
        self._put(side, copy, target, name)
        self._remove(side, copy)

    def _copy(self, side: Side, copy: Copy) -> None:
        target = self._target(side, copy)
        if target is None:
            return
        name = copy.name if side == "local" and self.rng.random() < 0.7 else None
        words = f"{side}: copy {copy.token} from {copy.mailbox} to {target}"
        self.story.append(words + (" under its name" if name else ""))
        note = self._touched(side, copy)
        note.moved_here |= side == "local"
        note.put(target, copy.flags)
        self._put(side, copy, target, name)

    def _target(self, side: Side, copy: Copy) -> MailboxName | None:
        """Where it is not, and only if it has no equal: nobody could tell which of two has gone there."""
        note = self._notes[copy.token]
        held = {other.mailbox for other in self.copies(side) if other.token == copy.token}
        free = [mailbox for mailbox in self._open(side) if mailbox not in held | note.places.keys()]
        return self.rng.choice(free) if free and len(held) == 1 and len(note.places) == 1 else None

    def _touched(self, side: Side, copy: Copy) -> Note:
        note = self._notes[copy.token]
        if self.meanwhile and note.touched:
            note.touched.update(SIDES)
        note.touched.add(side)
        alone = len(note.touched) == 1
        assert not alone or copy.mailbox in note.places, f"{copy} is not where the {side} has it: {note}"
        return note

    def _may_touch(self, side: Side, copy: Copy) -> bool:
        note = self._notes.get(copy.token)
        assert note is not None, f"{copy} came from nowhere"
        undecided = note.left_alone or (note.thrown_away and copy.mailbox == TRASH)
        clashes = ON_SERVER_STILL if copy.token in (binned.token for binned, _ in self._bin) else self._clashes
        return not undecided and (note.touched <= {side} or self.rng.random() < clashes)

    def _put(self, side: Side, copy: Copy, target: MailboxName, name: UniqueName | None = None) -> None:
        if side == "server":
            boxes = self.world.server.mailboxes
            boxes[target].add(replace(boxes[copy.mailbox].messages[copy.uid]))
        else:
            directories = self.world.store.directories
            file = directories[copy.mailbox].files[copy.name]
            flags = directories[target].sayable(copy.flags)
            directories[target].files[name or self._name()] = StoredFile(file.octets, flags, file.mtime)
        self._hint(side, target)

    def _remove(self, side: Side, copy: Copy) -> None:
        if side == "server":
            box = self.world.server.mailboxes[copy.mailbox]
            del box.messages[copy.uid]
            box.settle()
        else:
            del self.world.store.directories[copy.mailbox].files[copy.name]
        self._hint(side, copy.mailbox)

    def _open(self, side: Side) -> list[MailboxName]:
        return [mailbox for mailbox in self.mailboxes(side) if mailbox != self.out]

    def _name(self) -> UniqueName:
        self._made += 1
        return UniqueName(f"p{self._made}")

    def _token(self, content: bytes) -> str:
        return self._tokens.get(content, "a message of nobody")
