"""T9: another mail program renames files, 2,000 a second, in a mailbox of 20,000, while sync runs after sync.

`gale.py` is that program; it also delivers some and deletes some. On the server somebody does the same, slowly. A case
is a minute of it, in short storms. After each the ledger says: what is there is what was, and what was delivered, less
what was really deleted, once each; and the flags are those that the files have and that were set on the server.
"""

import json
import random
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e.world import World, environment
from servers.dovecot import Dovecot
from servers.mail import FIRST_DAY, note, token_of

from torture.contents import difference, on_disk, on_server
from torture.gale import Done
from torture.trials import Cases

MESSAGES, STORMS, SECONDS, RATE = 20_000, 12, 5.0, 2_000
OURS = frozenset({"\\Seen", "\\Flagged"})
"""The flags that the gale changes."""
ANSWERED = "\\Answered"
"""The one that changes on the server."""
SYNCS = 3
"""After the storm, so many syncs may find something to do."""

Flags = dict[str, frozenset[str]]
"""By token."""


@dataclass
class Storms:
    """One account for all cases, filled when the first wants it."""

    place: Path
    stack: ExitStack
    total: int | None = None
    _ledger: "Ledger | None" = None

    def play(self, number: int, place: Path) -> Mapping[str, int]:
        """A minute."""
        if self._ledger is None:
            server = self.stack.enter_context(Dovecot())
            world = World(server, self.place, here=True)
            self.stack.callback(world.close)
            self._ledger = Ledger(world)
            self._ledger.begin()
        rng = random.Random(zlib.crc32(f"storm {number}".encode()))
        counted: Counter[str] = Counter()
        for _ in range(STORMS):
            counted.update(self._ledger.storm(rng))
        self._ledger.octets_are_right()
        return counted


@dataclass
class Ledger:
    """What must be there."""

    world: World
    tokens: set[str] = field(default_factory=set)
    born: dict[str, bytes] = field(default_factory=dict)
    _uids: dict[int, str] = field(default_factory=dict)
    _first: dict[str, int] = field(default_factory=dict)
    """The UID under which a message was first seen: it keeps it."""
    _names: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Fill the mailbox, and sync for the first time."""
        self.born = {f"s{number}": note(f"s{number}") for number in range(MESSAGES)}
        self.tokens = set(self.born)
        self.world.client.fill("INBOX", [(octets, frozenset(), FIRST_DAY) for octets in self.born.values()])
        self.world.sync().done()

    def storm(self, rng: random.Random) -> Mapping[str, int]:
        """One storm, with syncs in it and after it."""
        directory = self.world.local.directory("INBOX")
        arguments = [directory, SECONDS, RATE, rng.random(), len(self.born)]
        command = [sys.executable, "-m", "torture.gale", *map(str, arguments)]
        wild = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment() | {"PYTHONPATH": _path()})
        counted: Counter[str] = Counter()
        try:
            while wild.poll() is None:
                self._on_server(rng)
                outcome = self.world.sync()
                assert "Traceback" not in outcome.err, outcome.err
                assert outcome.status in {0, 1}, f"status {outcome.status}\n{outcome.err}"
                counted.update({"syncs": 1, "syncs with messages that failed": outcome.status})
        finally:
            wild.kill()
            said, _ = wild.communicate()
        assert wild.returncode == 0, "the gale died"
        done = Done(**json.loads(said))
        self.born |= {token: note(token) for token in done.delivered}
        self.tokens = (self.tokens | set(done.delivered)) - set(done.deleted)
        counted.update({"renames": done.renames, "storm seconds": round(done.seconds)})
        counted.update({"delivered": len(done.delivered), "deleted": len(done.deleted)})
        self._settled()
        return counted

    def octets_are_right(self) -> None:
        """Read everything on both sides.

        Raises:
            AssertionError: the sides differ, or a message is not what it was.
        """
        there, here = on_server(self.world, self.born), on_disk(self.world, self.born)
        faults = difference("Maildir", there, here)
        assert not faults, "\n".join(faults)

    def _on_server(self, rng: random.Random) -> None:
        """Somebody reads mail there."""
        client = self.world.client
        uids = client.uids("INBOX")
        client.store("INBOX", rng.sample(uids, 10), rng.choice(["+FLAGS", "-FLAGS"]), [ANSWERED])
        token = f"t{len(self.born)}"
        self.born[token] = note(token)
        self.tokens.add(token)
        client.append("INBOX", self.born[token])
        if rng.random() < 0.3:
            uid = rng.choice(uids)
            self.tokens -= {self._there()[0][uid]}
            client.expunge("INBOX", [uid])

    def _settled(self) -> None:
        """Sync until there is nothing to do, and compare with the ledger."""
        before, answered = self._here(), self._there()[1]
        for _ in range(SYNCS):
            outcome = self.world.sync().done()
            if not outcome.totals:
                break
        assert not outcome.totals, f"still something to do: {outcome.totals}"
        here, there = self._here(), self._there()[1]
        for side, found in (("Maildir", here), ("server", there)):
            lost, more = self.tokens - found.keys(), found.keys() - self.tokens
            assert not lost, f"lost in the {side}: {sorted(lost)}"
            assert not more, f"back in the {side}: {sorted(more)}"
        assert here == there, f"other flags: {_other(here, there)}"
        assert {token: flags & OURS for token, flags in here.items()} == {
            token: before.get(token, frozenset()) & OURS for token in here
        }, "flags are not what the files said"
        wanted = {token: flags & {ANSWERED} for token, flags in answered.items() if token in there}
        found = {token: flags & {ANSWERED} for token, flags in there.items() if token in wanted}
        assert found == wanted, f"flags are not what the server said: {_other(wanted, found)}"

    def _here(self) -> Flags:
        """The Maildir, each message once."""
        found: dict[str, frozenset[str]] = {}
        for file in self.world.local.files("INBOX"):
            if file.unique not in self._names:
                self._names[file.unique] = token_of(file.octets)
            token = self._names[file.unique]
            assert token not in found, f"doubled in the Maildir: {token}"
            found[token] = file.flags
        return found

    def _there(self) -> tuple[dict[int, str], Flags]:
        """The server: UIDs, and each message once."""
        flags = self.world.client.flags("INBOX")
        fresh = flags.keys() - self._uids.keys()
        if fresh:
            self._uids |= self.world.client.tokens("INBOX", min(fresh), max(fresh))
        found: dict[str, frozenset[str]] = {}
        for uid, said in flags.items():
            token = self._uids[uid]
            assert token not in found, f"doubled on the server: {token}"
            assert self._first.setdefault(token, uid) == uid, f"expunged and uploaded again: {token}"
            found[token] = said
        return self._uids, found


def _other(one: Flags, two: Flags) -> list[tuple[str, list[str], list[str]]]:
    return [(t, sorted(one[t]), sorted(two[t])) for t in one if t in two and one[t] != two[t]][:20]


def _path() -> str:
    return ":".join(path for path in sys.path if path)


@contextmanager
def opened(place: Path, option: str) -> Iterator[Cases]:
    """The account is filled when a case first wants it."""
    with ExitStack() as stack:
        yield Storms(place, stack)
