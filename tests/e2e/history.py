"""A random two-sided history: a few rounds in which both persons act and then `syncer` runs, checked by the ledger."""

import random
from collections import Counter
from dataclasses import dataclass, field

from e2e.ledger import SIDES, Deed, Ledger, Tracked
from e2e.maildirs import File
from e2e.world import World, by_mailbox
from servers.mail import FIRST_DAY, note, token_of

FLAGS = ["\\Seen", "\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$Forwarded", "work", "todo", "NonJunk"]
DEEDS = {
    "new": 5, "twins": 1, "flags": 8, "move": 5, "copy": 2, "delete": 4, "create": 1, "rename": 1, "remove": 1,
}  # fmt: skip


@dataclass
class History:
    """One world and what happens in it. `story` tells it in words."""

    world: World
    rng: random.Random
    mailbox_changes: bool = False
    """Renaming and deleting of mailboxes is part of it."""
    story: list[str] = field(default_factory=list)
    ledger: Ledger = field(default_factory=lambda: Ledger([]))
    taken: set[str] = field(default_factory=set)
    """Mailboxes that were renamed or removed in this round: left alone by everything else."""
    used: set[str] = field(default_factory=set)
    """Mailboxes in which something was done in this round."""
    gone: set[str] = field(default_factory=set)
    """Mailboxes that must not be there after this round."""
    born: int = 0
    names: int = 0
    deaths: Counter[str] = field(default_factory=Counter)

    def play(self, rounds: int) -> None:
        """Fill both sides, then act, sync and check, `rounds` times; comparing everything then finds nothing more.

        Raises:
            AssertionError: with the story, and what is wrong.
        """
        try:
            self._begin()
            for number in range(1, rounds + 1):
                self.story.append(f"round {number}")
                self._begin_round()
                for _ in range(self.rng.randint(2, 9)):
                    self._act()
                self._sync_and_check()
            self.world.sync("--full").quiet()
        except Exception as error:
            told = "\n  ".join(self.story)
            raise AssertionError(f"{error}\n\nthe story:\n  {told}") from error

    def _begin(self) -> None:
        self.world.local.create("INBOX")
        for mailbox in ("A", "A/B", "C d"):
            side = self.rng.choice(SIDES)
            self._create(side, mailbox)
            for _ in range(self.rng.randint(1, 3)):
                self._new(side, mailbox)
        for side in SIDES:
            self._new(side, "INBOX")
        self._sync_and_check()

    def _begin_round(self) -> None:
        self.ledger = Ledger.of(self.world.on_server())
        self.taken, self.used, self.gone = set(), set(), set()

    # -- what a person does

    def _act(self) -> None:
        deeds = {deed: weight for deed, weight in DEEDS.items() if self.mailbox_changes or deed != "rename"}
        if not self.mailbox_changes:
            del deeds["remove"]
        deed = self.rng.choices(list(deeds), list(deeds.values()))[0]
        side = self.rng.choice(SIDES)
        if deed == "create":
            self.names += 1
            self._create(side, self.rng.choice(["", "A/"]) + f"M{self.names}")
        elif deed in {"rename", "remove"}:
            self._change_mailbox(side, deed)
        elif deed in {"new", "twins"}:
            mailbox = self.rng.choice(self._mailboxes(side))
            self._new(side, mailbox, times=2 if deed == "twins" else 1)
        else:
            self._change_message(side, deed)

    def _mailboxes(self, side: str) -> list[str]:
        world = self.world
        return sorted((world.client.mailboxes() if side == "server" else world.local.mailboxes()) - self.taken)

    def _create(self, side: str, mailbox: str) -> None:
        self.story.append(f"{side}: create mailbox {mailbox}")
        if side == "server":
            self.world.client.create(mailbox)
        else:
            self.world.local.create(mailbox)
        self.used.add(mailbox)

    def _new(self, side: str, mailbox: str, times: int = 1) -> None:
        self.born += 1
        token = f"m{self.born}"
        flags = frozenset(self.rng.sample(sorted(set(FLAGS)), self.rng.choice([0, 0, 1, 2])))
        octets = note(token, size=self.rng.choice([0, 300, 3000]), date=FIRST_DAY + self.born * 3600)
        self.story.append(f"{side}: new message {token} in {mailbox}, {times} times, {sorted(flags)}")
        for _ in range(times):
            if side == "server":
                self.world.client.append(mailbox, octets, flags)
            else:
                self.world.local.deliver(mailbox, octets, flags)
            self.ledger.born.append((side, (mailbox, token, flags)))
        self.used.add(mailbox)

    def _change_mailbox(self, side: str, deed: str) -> None:
        """Rename one that nothing else was done to; remove one that is empty as well."""
        filled = {copy.mailbox for copy in self.ledger.copies}
        both = set(self._mailboxes("server")) & set(self._mailboxes("local"))
        # A mailbox below is carried along, and may have been renamed on the other side.
        existing = self.world.client.mailboxes() if side == "server" else self.world.local.mailboxes()
        alone = {name for name in both if not any(other.startswith(f"{name}/") for other in existing)}
        free = sorted(alone - self.used - {"INBOX"} - (filled if deed == "remove" else set()))
        if not free:
            return
        mailbox = self.rng.choice(free)
        actor = self.world.client if side == "server" else self.world.local
        self.taken.add(mailbox)
        self.gone.add(mailbox)
        if deed == "remove":
            self.story.append(f"{side}: remove the empty mailbox {mailbox}")
            actor.delete_mailbox(mailbox)
            return
        self.names += 1
        new_name = f"R{self.names}"
        self.story.append(f"{side}: rename mailbox {mailbox} to {new_name}")
        actor.rename_mailbox(mailbox, new_name)
        self.taken.add(new_name)
        for copy in self.ledger.copies:
            if copy.mailbox == mailbox:
                copy.mailbox = new_name

    def _change_message(self, side: str, deed: str) -> None:
        """Flags, move, copy or delete, of a copy that this side still has where it was."""
        often = {token for mailbox in self._mailboxes(side) for token, n in self._seen(mailbox).items() if n > 1}
        copies = [
            copy
            for copy in self.ledger.copies
            if copy.deeds[side].kind == "kept" and copy.mailbox not in self.taken and copy.token not in often
        ]
        if not copies:
            return
        copy = self.rng.choice(copies)
        self.used.add(copy.mailbox)
        if deed == "flags":
            self._change_flags(side, copy)
        elif deed == "delete":
            self._delete(side, copy)
        else:
            self._transfer(side, deed, copy)

    def _seen(self, mailbox: str) -> Counter[str]:
        """Tokens that are, or were before this round, or will be, in a mailbox; the higher count of both sides."""
        before = Counter(copy.token for copy in self.ledger.copies if copy.mailbox == mailbox)
        return before | self.ledger.tokens("server", mailbox) | self.ledger.tokens("local", mailbox)

    def _change_flags(self, side: str, copy: Tracked) -> None:
        deed = copy.deeds[side]
        changed = set(self.rng.sample(FLAGS, self.rng.randint(1, 3)))
        add, remove = changed - deed.flags, changed & deed.flags
        self.story.append(f"{side}: {copy.token} in {copy.mailbox}: +{sorted(add)} -{sorted(remove)}")
        if side == "server":
            uid = self._uid(copy)
            for change, flags in (("+FLAGS", add), ("-FLAGS", remove)):
                if flags:
                    self.world.client.store(copy.mailbox, [uid], change, flags)
        else:
            self.world.local.change_flags(copy.mailbox, self._file(copy), add, remove)
        deed.flags = (deed.flags | add) - remove

    def _delete(self, side: str, copy: Tracked) -> None:
        # The guard against mass deletion has tests of its own: at most two in a mailbox, and never all of it.
        if self.deaths[copy.mailbox] >= 2 or sum(other.mailbox == copy.mailbox for other in self.ledger.copies) < 3:
            return
        self.deaths[copy.mailbox] += 1
        self.story.append(f"{side}: delete {copy.token} in {copy.mailbox}")
        if side == "server":
            self.world.client.expunge(copy.mailbox, [self._uid(copy)])
        else:
            self.world.local.delete(self._file(copy))
        copy.deeds[side] = Deed(copy.deeds[side].flags, "deleted")

    def _transfer(self, side: str, deed: str, copy: Tracked) -> None:
        there = [
            mailbox
            for mailbox in self._mailboxes(side)
            if mailbox != copy.mailbox
            and not self.ledger.tokens(side, mailbox)[copy.token]
            and not any((other.token, other.mailbox) == (copy.token, mailbox) for other in self.ledger.copies)
        ]
        if not there:
            return
        target, keep_name = self.rng.choice(there), self.rng.random() < 0.5
        name = f", {'same' if keep_name else 'new'} unique name" if (side, deed) == ("local", "move") else ""
        self.story.append(f"{side}: {deed} {copy.token} from {copy.mailbox} to {target}{name}")
        self.used.add(target)
        flags = copy.deeds[side].flags
        if side == "server":
            act = self.world.client.move if deed == "move" else self.world.client.copy
            act(copy.mailbox, [self._uid(copy)], target)
        elif deed == "move":
            self.world.local.move(copy.mailbox, self._file(copy), target, keep_name=keep_name)
        else:
            self.world.local.copy(copy.mailbox, self._file(copy), target)
        kind = "moved" if deed == "move" else "copied"
        copy.deeds[side] = Deed(flags, kind, target, flags if kind == "copied" else frozenset())

    def _uid(self, copy: Tracked) -> int:
        (uid,) = (m.uid for m in self.world.client.messages(copy.mailbox) if token_of(m.octets) == copy.token)
        return uid

    def _file(self, copy: Tracked) -> File:
        (file,) = (f for f in self.world.local.files(copy.mailbox) if token_of(f.octets) == copy.token)
        return file

    # -- what must be true then

    def _sync_and_check(self) -> None:
        outcome = self.world.sync().done()
        self.story.append(f"sync: {outcome.totals}")
        server, local = self.world.on_server(), self.world.on_disk()
        faults = self.ledger.faults(server)
        assert not faults, "\n".join(faults)
        assert by_mailbox(server) == by_mailbox(local)
        self.world.same_octets()
        assert not self.gone & self.world.client.mailboxes(), "a mailbox that was removed or renamed is still there"
        self.world.sync().quiet()
        assert self.world.on_server() == server
        assert self.world.on_disk() == local
