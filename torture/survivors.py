"""The life of one mailbox on both sides around a disaster (T8), and what must be true of it then.

Nothing is trusted but what is seen right before each sync: every message that is on a side then must still be there
afterwards, unless a person deleted it on the other side after they were last the same, or has agreed to lose it.
"""

import random
import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from e2e.world import Outcome, World, run_here
from servers.mail import FIRST_DAY, note, token_of

from torture.contents import Held, difference, on_disk, on_server

BOX = "Box"
FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Draft", "work")
SIZES = (0, 0, 300, 3_000)
"""Few, so that different messages have one size."""
SIDES = ("server", "local")
WAYS_OUT = re.compile(r"^  to (?:have|delete) .*?: syncer (-c .*)$|remove the index (\S+) and sync again", re.MULTILINE)
T = TypeVar("T")
Seen = dict[str, dict[str, frozenset[str]]]
"""By side and token: the flags."""


@dataclass
class Survivors:
    """One world, what happened in it, and what is known of its messages."""

    world: World
    rng: random.Random
    story: list[str]
    born: dict[str, bytes] = field(default_factory=dict)
    """The octets of every message, by token."""
    deleted: dict[str, set[str]] = field(default_factory=lambda: {side: set() for side in SIDES})
    """What persons deleted on a side since both were last the same."""
    held: int = 0
    """How many syncs held something back."""
    agreed: bool = False
    """A person has agreed to deletions."""

    @property
    def place(self) -> Path:
        """For copies."""
        return self.world.directory

    def tell(self, what: str) -> None:
        """Go on with the story."""
        self.story.append(what)

    # -- life

    def begin(self) -> None:
        """Messages of both origins, the same on both sides."""
        self.world.client.create(BOX)
        self.world.local.create(BOX)
        self.new("server", self.rng.randint(4, 20))
        self.new("local", self.rng.randint(1, 8))
        self.world.client.append("INBOX", self.octets("i00"))
        for _ in range(self.rng.randint(1, 3)):
            self.world.sync().done()
        self.forget_deletions()

    def forget_deletions(self) -> None:
        """Both sides are the same, or nothing can be known any more of what persons deleted: only what comes counts."""
        self.deleted = {side: set() for side in SIDES}

    def log_out(self) -> None:
        """The other mail program ends; it begins anew when it is next wanted."""
        if "client" in self.world.__dict__:
            self.world.client.close()
            del self.world.client

    def octets(self, token: str) -> bytes:
        """A message with this token."""
        if token not in self.born:
            date = FIRST_DAY + 3600 * self.rng.choice([0, 0, len(self.born)])
            self.born[token] = note(token, size=self.rng.choice(SIZES), date=date)
        return self.born[token]

    def new(self, side: str, count: int) -> None:
        """New messages, all of one date or each of its own; later ones than those before."""
        tokens = [f"m{len(self.born) + number:03}" for number in range(count)]
        if not tokens:
            return
        self.tell(f"{side}: new {tokens[0]} to {tokens[-1]}")
        apart = self.rng.choice([0, 60])
        for number, token in enumerate(tokens):
            octets, flags = self.octets(token), self._some_flags()
            date = FIRST_DAY + 86_400 * len(self.story) + apart * number
            if side == "server":
                self.world.client.append(BOX, octets, flags, date)
            else:
                self.world.local.deliver(BOX, octets, flags, date)

    def fill_up(self, side: str, count: int) -> None:
        """So many messages at least."""
        self.new(side, max(0, count - len(self.world.client.uids(BOX))))

    def change_flags(self, side: str) -> None:
        """Some flags of some messages."""
        changed = []
        if side == "server":
            for message in self._some(self.world.client.messages(BOX)):
                add, remove = self._change(message.flags)
                for how, flags in (("+FLAGS", add), ("-FLAGS", remove)):
                    if flags:
                        self.world.client.store(BOX, [message.uid], how, flags)
                changed.append(token_of(message.octets))
        else:
            for file in self._some(self.world.local.files(BOX)):
                changed.append(token_of(file.octets))
                self.world.local.change_flags(BOX, file, *self._change(file.flags))
        self.tell(f"{side}: other flags for {changed}")

    def meanwhile(self, *sides: str) -> None:
        """New messages, flags and at most one deletion, on these sides or on both."""
        for side in sides or SIDES:
            self.new(side, self.rng.choice([0, 0, 1, 2, 3]))
            self.change_flags(side)
            if self.rng.random() < 0.5:
                self._delete(side)

    def _delete(self, side: str) -> None:
        if side == "server":
            messages = self.world.client.messages(BOX)
            if len(messages) < 4:
                return
            message = self.rng.choice(messages)
            self.world.client.expunge(BOX, [message.uid])
            token = token_of(message.octets)
        else:
            files = self.world.local.files(BOX)
            if len(files) < 4:
                return
            file = self.rng.choice(files)
            token = token_of(file.octets)
            self.world.local.delete(file)
        self.tell(f"{side}: delete {token}")
        self.deleted[side].add(token)

    def _some(self, items: Sequence[T]) -> list[T]:
        return self.rng.sample(items, min(len(items), self.rng.randint(0, 4)))

    def _some_flags(self) -> frozenset[str]:
        return frozenset(self.rng.sample(FLAGS, self.rng.choice([0, 1, 2])))

    def _change(self, flags: frozenset[str]) -> tuple[set[str], set[str]]:
        changed = set(self.rng.sample(FLAGS, self.rng.randint(1, 2)))
        return changed - flags, changed & flags

    # -- what must be true

    def go_on(self, held: bool | None, afterwards: Callable[["Survivors"], None] | None) -> None:
        """Sync, take the ways out that are said, and come to two equal sides.

        Args:
            held: whether the first sync must end with status 4; None: it may.
            afterwards: happens after that sync.
        """
        before = self._seen()
        outcome = self._run(before, "sync")
        assert held is None or held is (outcome.status == 4), f"status {outcome.status}\n{outcome.err}"
        if afterwards is not None:
            afterwards(self)
            again = self._seen()
            before = {side: before[side] | again[side] for side in SIDES}
            outcome = self._run(again, "sync")
        for _ in range(4):
            if outcome.status != 4:
                break
            outcome = self._way_out(outcome)
        assert outcome.status == 0, f"status {outcome.status} in the end\n{outcome.err}"
        self._same()
        self._flags_fit(before, self._seen()["server"])
        self.world.sync().quiet()
        self.world.sync("--full").quiet()
        self._same()

    def not_crossed(self) -> None:
        """What is done to a message on one side happens to that very message on the other.

        An old file that was paired with another message would show here.
        """
        self.forget_deletions()
        wanted = dict(self._seen()["server"])
        for file in self.rng.sample(self.world.local.files(BOX), len(wanted) // 2):
            flags = frozenset({"\\Flagged"})
            wanted[token_of(file.octets)] ^= flags
            self.world.local.change_flags(BOX, file, add=flags - file.flags, remove=flags & file.flags)
        messages = self.world.client.messages(BOX)
        for message in self.rng.sample(messages, len(wanted) // 2):
            how = "-FLAGS" if "\\Answered" in message.flags else "+FLAGS"
            self.world.client.store(BOX, [message.uid], how, ["\\Answered"])
            wanted[token_of(message.octets)] ^= {"\\Answered"}
        if len(wanted) >= 6 and not self.agreed:
            for side in SIDES:
                self._delete(side)
        gone = self.deleted["server"] | self.deleted["local"]
        self.tell(f"flags of half of them changed on each side; deleted {sorted(gone)}")
        self.world.sync().done()
        self._same()
        assert self._seen()["server"] == {token: flags for token, flags in wanted.items() if token not in gone}

    def _way_out(self, outcome: Outcome) -> Outcome:
        """Take one that was printed."""
        self.held += 1
        ways = [(command, index) for command, index in WAYS_OUT.findall(outcome.err)]
        assert ways, f"held back, and no way out was said:\n{outcome.err}"
        command, index = self.rng.choice(ways)
        before = self._seen()
        if index:
            Path(index).unlink()
            return self._run(before, "sync")
        arguments = shlex.split(command)[2:]
        consent: set[str] = set()
        if "--allow-delete" in arguments:
            self.agreed = True
            consent = set(before["server"]) ^ set(before["local"])
        return self._run(before, *arguments, consent=consent)

    def _run(self, before: Seen, *arguments: str, consent: set[str] | None = None) -> Outcome:
        """Run a command, and compare with what was there before."""
        outcome = run_here("-c", str(self.world.configuration), *arguments, "--json")
        self.tell(f"{' '.join(arguments)}: status {outcome.status}, {outcome.totals}")
        assert "Traceback" not in outcome.err, outcome.err
        assert outcome.status in {0, 4}, f"status {outcome.status}\n{outcome.err}"
        after = self._seen()
        everything = before["server"].keys() | before["local"].keys()
        for side, other in (SIDES, SIDES[::-1]):
            allowed = self.deleted[other] | (consent or set())
            lost = before[side].keys() - after[side].keys() - allowed
            assert not lost, f"lost on the side {side}: {sorted(lost)}\n{outcome.err}"
            assert not after[side].keys() - everything
        return outcome

    def _seen(self) -> Seen:
        """What both sides hold now: each message once, with the octets it was born with."""
        held = {"server": on_server(self.world, self.born), "local": on_disk(self.world, self.born)}
        return {side: self._once(side, found) for side, found in held.items()}

    @staticmethod
    def _once(side: str, found: Held) -> dict[str, frozenset[str]]:
        messages = found.get(BOX, [])
        double = [token for token, count in Counter(token for token, _ in messages).items() if count > 1]
        assert not double, f"doubled on the side {side}: {sorted(double)}"
        return {token: frozenset(flags) for token, flags in messages}

    def _same(self) -> None:
        faults = difference("Maildir", on_server(self.world, self.born), on_disk(self.world, self.born))
        assert not faults, "not the same on both sides: " + "\n".join(faults)

    @staticmethod
    def _flags_fit(before: Seen, after: dict[str, frozenset[str]]) -> None:
        """Flags that one side had and the other had not may be on or off, by who changed them."""
        for token, flags in after.items():
            had = [before[side][token] for side in SIDES if token in before[side]]
            least, most = frozenset.intersection(*had), frozenset.union(*had)
            assert least <= flags <= most, f"{token} has {sorted(flags)}, and had {[sorted(one) for one in had]}"
