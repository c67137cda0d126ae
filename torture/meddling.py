"""T7 for the whole engine: a man in the middle between the program and a real Dovecot, who tells lies for one sync.

Two persons use the account, one on each side. Then a sync is lied to, and then the server is honest again. Nothing may
be lost, on either side, that no person has deleted; what a lie makes the program remove from the Maildir has to be in
the attic. Plain syncs have to bring both sides together again, each message once.

What a lie can do that nobody could know to be one, and what puts it right:

- flags told wrong count as changed by somebody: `--full` finds that they are not, where modseqs did not rise;
- a UIDNEXT, HIGHESTMODSEQ, APPENDUID or UIDVALIDITY told wrong makes the truth look like a mailbox that was restored
  from a backup. What a person has deleted meanwhile stays, exit status 4, until a person says `--allow-delete`;
- a mailbox that is named and is none is an empty one in the Maildir, until a person removes it there;
- a message that is gone by every number (EXISTS, and it is not listed or has VANISHED) goes to the attic, and comes
  back from the server with the next sync that is told the truth. If it was moved in the Maildir, it is uploaded to its
  new place, and comes back in the old one as well. Where the numbers are then what they would be without the lie (it
  was said to have vanished in the place of another; or the sync that was told one less has deleted one more, on a
  server that counts what vanishes and does not name it), `--full` finds it.
"""

import random
import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import tenacity
from e2e.costs import CONDSTORE, PLAIN
from e2e.world import Outcome, World, by_mailbox
from servers.base import Server
from servers.dovecot import Dovecot
from servers.mail import TOKEN, note

from torture.lies import Liar
from torture.memory import Growth
from torture.middle import Middle
from torture.stories import told
from torture.trials import Cases

_SYNCS = 5
_HELD = re.compile(r"syncer: test:\w+: \d+ messages? not deleted (?:on the server|in the Maildir): ")
_GONE = re.compile("one message less|one less, which vanished")
_VANISH = re.compile("vanish")
_GROWTH = 64 * 1024 * 1024


class Deceived:
    """Each number is a sync that is lied to."""

    total: int | None = None

    def __init__(self, servers: list[Dovecot]) -> None:
        """Play on these."""
        self._servers = servers

    def play(self, number: int, place: Path) -> Mapping[str, int]:
        """See `Cases`."""
        rng = random.Random(number)
        server = self._servers[number % len(self._servers)]
        middle = Middle(server.port)
        world = World(
            server, place, port=middle.port, here=True, layout=rng.choice(["fs", "maildir++"]),
            connections=rng.choice([1, 1, 3]), timeout="2s",
        )  # fmt: skip
        case = _Case(world, middle, rng, server.hide)
        try:
            case.play()
        except Exception as error:
            raise AssertionError(f"{told(error)}\n\non {server.directory}\n" + "\n".join(case.story)) from error
        finally:
            world.close()
            middle.close()
        return case.counted


class _Case:
    """One world, and what happens in it."""

    def __init__(self, world: World, middle: Middle, rng: random.Random, hidden: Collection[str]) -> None:
        self.world, self.middle, self.rng, self.hidden = world, middle, rng, hidden
        self.story: list[str] = []
        self.counted: Counter[str] = Counter()
        self.born = 0
        self.deleted: set[str] = set()
        self.lies = ""
        self.carried_out = "none"
        """What a sync has to do on the server, with a message of A."""
        self.moved: dict[str, str] = {}
        """What was moved, by the side on which the message had to be taken away for it."""

    def play(self) -> None:
        """Fill, sync, change, be lied to, and sync until all is well."""
        self._fill()
        if self.rng.random() < 0.75:
            self._honest().done()
            self._change()
        before = self._where()
        self._lied_to()
        self._nothing_is_lost(before)
        self._forget_what_never_was()
        self._expunge_what_is_marked()
        self._settle()
        self._all_is_well()

    # -- the persons

    def _note(self, side: str, mailbox: str) -> None:
        self.born += 1
        octets = note(f"m{self.born}", size=self.rng.choice([0, 0, 500, 4000]))
        flags = self.rng.choice([(), (), ("\\Seen",), ("\\Seen", "work")])
        if side == "server":
            self.world.client.append(mailbox, octets, flags)
        else:
            self.world.local.deliver(mailbox, octets, flags)

    def _fill(self) -> None:
        self.world.client.create("A")
        for mailbox in ("INBOX", "A"):
            self.world.local.create(mailbox)
            for side in ("server", "server", "server", "server", "local"):
                self._note(side, mailbox)

    def _change(self) -> None:
        """Each person gets new messages, changes flags, and deletes or moves one."""
        world, rng = self.world, self.rng
        for side in ("server", "local", "server", "local"):
            self._note(side, rng.choice(["INBOX", "A"]))
        there = [message for message in world.client.messages("A") if _token(message.octets) in self._olds()]
        one, two, three, four = rng.sample(there, 4)
        world.client.store("A", [one.uid], "+FLAGS", ["\\Flagged"])
        world.client.store("INBOX", [world.client.uids("INBOX")[0]], "+FLAGS", ["\\Answered"])
        deed = rng.choice(["delete", "delete", "move", "none"])
        if deed == "delete":
            world.client.expunge("A", [two.uid])
            self.deleted.add(_token(two.octets))
        elif deed == "move":
            world.client.move("A", [two.uid], "INBOX")
            self.moved["local"] = _token(two.octets)
        self.story.append(f"server: {deed} {_token(two.octets)}")
        files = {_token(file.octets): file for file in world.local.files("A")}
        world.local.change_flags("A", files[_token(three.octets)], add=["\\Seen"])
        self.carried_out = deed = rng.choice(["delete", "delete", "move", "none"])
        if deed == "delete":
            world.local.delete(files[_token(four.octets)])
            self.deleted.add(_token(four.octets))
        elif deed == "move":
            world.local.move("A", files[_token(four.octets)], "INBOX", keep_name=rng.random() < 0.5)
            self.moved["server"] = _token(four.octets)
        self.story.append(f"local: {deed} {_token(four.octets)}")

    def _olds(self) -> set[str]:
        """What was there before the persons changed anything."""
        return {_token(file.octets) for file in self.world.local.files("A")}

    # -- the syncs

    def _sync(self, *arguments: str) -> Outcome:
        outcome = self.world.sync(*arguments)
        self.story.append(f"sync {' '.join(arguments)}: {outcome.status}\n{outcome.out[-600:]}\n{outcome.err}")
        assert outcome.status in {0, 1, 3, 4}, f"exit status {outcome.status}"
        assert not re.search(r"Traceback|Exception", outcome.err), "a traceback"
        assert all(line.isprintable() for line in outcome.err.splitlines()), f"unprintable: {outcome.err!r}"
        return outcome

    def _honest(self) -> Outcome:
        self.middle.liar = None
        return self._sync()

    def _lied_to(self) -> None:
        liar = self.middle.liar = Liar(self.rng)
        with Growth() as growth:
            status = self._sync().status
        self.middle.liar = None
        self.story += liar.told
        self.lies = "\n".join(liar.told)
        self.counted["lies"] += len(liar.told)
        self.counted[f"syncs that ended with {status}"] += 1
        assert growth.octets < _GROWTH, f"{growth.octets} octets of memory"
        words = {command.split(b" ")[0].upper() for command in self.middle.commands}
        assert not words & {b"EXPUNGE", b"CLOSE", b"DELETE", b"RENAME"}, words
        assert {each.name for each in self.world.directory.iterdir()} <= {"mail", "state", "syncer.conf"}

    def _settle(self) -> None:
        """Plain syncs, until one has nothing to do; and `--full` where flags still differ."""
        for number in range(1, _SYNCS + 1):
            outcome = self._honest()
            if outcome.status == 0 and not outcome.totals:
                break
            self.counted["max syncs until all was well"] = number
            complaints = [line for line in outcome.err.splitlines() if line.startswith("syncer: ")]
            if outcome.status == 4 and all(_HELD.match(line) for line in complaints):
                self.counted["syncs after which deletions had to be allowed"] += 1
                self.story.append("a person allows what is held")
                assert self._sync("test", "--allow-delete").status == 0, "not allowed after all"
        else:
            raise AssertionError(f"{_SYNCS} honest syncs, and there is still something to do")
        server, disk = self.world.on_server(), self.world.on_disk()
        messages = [[(mailbox, token) for mailbox, token, _ in side] for side in (server, disk)]
        if messages[0] != messages[1] and (_VANISH.search(self.lies) or self._counts_again()):
            self.counted["full comparisons for what was said to have vanished"] += 1
            self._sync("--full").done()
            server, disk = self.world.on_server(), self.world.on_disk()
            messages = [[(mailbox, token) for mailbox, token, _ in side] for side in (server, disk)]
        assert messages[0] == messages[1], f"server {by_mailbox(server)}\n disk {by_mailbox(disk)}"
        if server != disk:
            self.counted["full comparisons that were needed"] += 1
            self._sync("--full").done()

    def _counts_again(self) -> bool:
        """Whether what the liar took from the number of messages, the deletion that was carried out takes as well."""
        counts_only = "QRESYNC" in self.hidden and "CONDSTORE" not in self.hidden
        return counts_only and self.carried_out == "delete" and _GONE.search(self.lies) is not None

    def _forget_what_never_was(self) -> None:
        """A person removes the mailboxes that only the liar has named; they are empty."""
        root = self.world.local.root
        made = {path.parent for path in root.rglob("cur") if path.is_dir()}
        for path in sorted(made - {self.world.local.directory(name) for name in ("INBOX", "A")}):
            self.counted["mailboxes that never were"] += 1
            left = [file for part in ("cur", "new", "tmp") for file in (path / part).iterdir()]
            assert not left, f"messages in a mailbox that never was: {left}"
            shutil.rmtree(path)

    def _expunge_what_is_marked(self) -> None:
        """A person does on the server what it could not do by itself, as the liar has told its capabilities."""
        if "CAPABILITY" in self.lies:
            for mailbox in ("INBOX", "A"):
                there = self.world.client.messages(mailbox)
                gone = [m.uid for m in there if _token(m.octets) in self.deleted and "\\Deleted" in m.flags]
                self.world.client.expunge(mailbox, gone)
                self.counted.update({"marked, for it was said that UIDPLUS is missing": len(gone)} if gone else {})

    # -- what must be true then

    def _where(self) -> dict[str, set[str]]:
        """The tokens on each side; the attic is part of the Maildir's."""
        attic = {
            match[1].decode()
            for path in (self.world.directory / "state").rglob("*")
            if path.is_file() and "attic" in path.parts and (match := TOKEN.search(path.read_bytes()))
        }
        return {
            "server": {token for _, token, _ in self.world.on_server()},
            "local": {token for _, token, _ in self.world.on_disk()} | attic,
        }

    def _nothing_is_lost(self, before: Mapping[str, set[str]]) -> None:
        now = self._where()
        for side, tokens in before.items():
            other = now["local" if side == "server" else "server"]
            kept = now[side] | ({self.moved.get(side, "")} & other)  # it is where it was moved to, and not here yet
            lost = tokens - kept - self.deleted
            assert not lost, f"{side}: lost {sorted(lost)}"

    def _all_is_well(self) -> None:
        server, disk = self.world.on_server(), self.world.on_disk()
        assert by_mailbox(server) == by_mailbox(disk), f"server {by_mailbox(server)}\n disk {by_mailbox(disk)}"
        self.world.same_octets()
        times = Counter(token for _, token, _ in server)
        wanted = {f"m{number}" for number in range(1, self.born + 1)}
        assert wanted - self.deleted <= set(times) <= wanted, f"lost: {sorted(wanted - self.deleted - set(times))}"
        twice = {token for token, number in times.items() if number > 1}
        if twice and twice <= set(self.moved.values()) and max(times.values()) == 2 and _GONE.search(self.lies):
            self.counted["moved, and said to be gone: in both places"] += 1
            twice = set()
        assert not twice, f"doubled: {times}"
        self._honest().quiet()


def _token(octets: bytes) -> str:
    match = TOKEN.search(octets)
    assert match is not None
    return match[1].decode()


@contextmanager
def opened(place: Path) -> Iterator[Cases]:
    """Dovecot, on three rungs of the ladder. What waits before it tries again does not wait."""
    servers = [Dovecot(), *(Dovecot(hide=name.partition("-hides-")[2].split(",")) for name in (CONDSTORE, PLAIN))]
    with ThreadPoolExecutor() as pool, ExitStack() as stack:
        started = list(pool.map(Server.start, servers))
        stack.enter_context(mock.patch.object(tenacity, "wait_random_exponential", return_value=tenacity.wait_none()))
        try:
            yield Deceived(list(started))
        finally:
            list(pool.map(Server.stop, started))
