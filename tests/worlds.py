"""Worlds in memory, written as text: what the server, the index and the Maildir hold, and what is planned.

A state is a list of messages: `a:S b: Work/c:FS` is message `a` with `\\Seen` and `b` without flags in INBOX, `c` in
the mailbox Work. The letters are those of Maildir; `{todo}` after them is a keyword. `Work/` alone is an empty mailbox.
The same letter twice is two equal messages. A message of the index may end in `@server` or `@local`: only that copy is
kept.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from fake_index import FakeIndex, FakeRows
from fake_server import FakeAccount, FakeServer, fingerprint
from fake_store import FakeDirectory, FakeStore
from mortality import Mortality

from syncer.crew import Crew
from syncer.engine import Order, Pass
from syncer.engine.rounds import Rounds
from syncer.observer.glance import Glance
from syncer.ports import Progress
from syncer.reconcile import actions as act
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.flags import ANSWERED, DELETED, DRAFT, FLAGGED, FORWARDED, SEEN, FlagDelta, Flags
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Pair, PairState
from syncer.reconcile.places import Places
from syncer.reconcile.policy import Limits, Policy
from syncer.report import AccountReport
from syncer.values import replace

LETTERS = {"D": DRAFT, "F": FLAGGED, "P": FORWARDED, "R": ANSWERED, "S": SEEN, "T": DELETED}
NAMES = {flag: letter for letter, flag in LETTERS.items()}
STATES = {"": PairState.BOTH, "@server": PairState.SERVER_ONLY, "@local": PairState.LOCAL_ONLY}
WORD = re.compile(r"(?:(?P<box>.+)/)?(?P<name>\w*):?(?P<flags>[A-Z]*)(?:\{(?P<words>[^}]*)\})?(?P<state>@\w+)?$")


@dataclass(frozen=True)
class Word:
    mailbox: MailboxName
    name: str
    flags: Flags
    state: PairState = PairState.BOTH


def words(text: str) -> Iterator[Word]:
    for part in text.split():
        found = WORD.match(part)
        assert found is not None, part
        flags = {LETTERS[letter] for letter in found["flags"]} | set((found["words"] or "").split(",")) - {""}
        mailbox = MailboxName(found["box"] or INBOX)
        yield Word(mailbox, found["name"], frozenset(flags), STATES[found["state"] or ""])


def octets(name: str) -> bytes:
    return f"Message-ID: <{name}@example.org>\r\nSubject: {name}\r\n\r\nThis is {name}.\r\n".encode()


def shown(flags: Flags) -> str:
    letters = "".join(sorted(NAMES[flag] for flag in flags if flag in NAMES))
    keywords = ",".join(sorted(flag for flag in flags if flag not in NAMES))
    return letters + (f"{{{keywords}}}" if keywords else "")


@dataclass
class World:
    """One account and its Maildir and index, in memory."""

    server: FakeAccount = field(default_factory=FakeAccount)
    store: FakeStore = field(default_factory=FakeStore)
    index: FakeIndex = field(default_factory=FakeIndex)
    policy: Policy = field(default_factory=lambda: Policy(limits=Limits(max_delete=1.0)))
    clock: int = 1_700_000_000
    plans: list[act.Plan] = field(default_factory=list)
    report: AccountReport = field(default_factory=lambda: AccountReport("test"))

    @classmethod
    def of(cls, server: str, index: str, local: str, **options: object) -> "World":
        """Build it. A message in more than one place is the same message: one UID, one unique name, one content."""
        world = cls(**options)  # type: ignore[arg-type]
        world.store.directories.clear()
        for word in [*words(server), *words(index), *words(local)]:
            world.server.create(word.mailbox)
            world.store.directories.setdefault(word.mailbox, FakeDirectory())
        world.store.directories.setdefault(INBOX, FakeDirectory())
        uids: dict[tuple[MailboxName, str, int], Uid] = {}
        for place in (index, server):
            for (mailbox, name, number), word in _numbered(place):
                box = world.server.create(mailbox)
                known = uids.get((mailbox, name, number))
                uid = known or world.server.deliver(mailbox, octets(name))
                uids[mailbox, name, number] = uid
                box.messages[uid].flags = word.flags
        for (mailbox, name, number), word in _numbered(index):
            uid = uids[mailbox, name, number]
            pair = Pair(uid, UniqueName(f"{name}{number or ''}"), word.flags, fingerprint(octets(name)))
            world.rows(mailbox).pairs[uid] = replace(pair, state=word.state)
        wanted = {key for key, _ in _numbered(server)}
        for (mailbox, name, number), uid in uids.items():
            if (mailbox, name, number) not in wanted:
                del world.server.mailboxes[mailbox].messages[uid]
        for (mailbox, name, number), word in _numbered(local):
            world.store.put(mailbox, UniqueName(f"{name}{number or ''}"), octets(name), word.flags)
        for mailbox in world.server.mailboxes:
            rows = world.rows(mailbox)
            box = world.server.mailboxes[mailbox]
            keywords = {k for pair in rows.pairs.values() for k in pair.flags if k not in NAMES}
            world.store.directories[mailbox].sayable(frozenset(keywords))
            rows.mapping = dict(world.store.directories[mailbox].mapping)
            rows.epoch = Epoch(box.uidvalidity)
        return world

    def rows(self, mailbox: MailboxName) -> FakeRows:
        return self.index.rows.setdefault(mailbox, FakeRows())

    def mortal(self, mortality: Mortality) -> None:
        self.server.mortality = self.store.mortality = self.index.mortality = mortality

    def sync(
        self,
        policy: Policy | None = None,
        *,
        wants: Callable[[str], bool] = lambda name: True,
        stop: threading.Event | None = None,
        progress: Progress | None = None,
        connections: int = 1,
        crew: Crew | None = None,
        **order: Any,
    ) -> AccountReport:
        """One pass; the plans of its rounds are in `plans`, and `report` stands even if it raises."""
        self.clock += 60
        self.report = AccountReport("test")
        self.plans = []
        stop = stop or threading.Event()
        wanted = Order("test", policy or self.policy, wants, **order)
        with nullcontext(crew) if crew else Crew(lambda: FakeServer(self.server), connections, stop) as crew:
            _Recorded(
                wanted,
                crew,
                self.store,
                self.index,
                self.report,
                progress or Quiet(),
                lambda: self.clock,
                stop,
                world=self,
            ).run()
        return self.report

    def planned(self) -> list[str]:
        """The first plan, in the short notation."""
        return [self.short(action) for action in self.plans[0].actions] if self.plans else []

    def held(self) -> list[str]:
        return [self.short(action) for hold in self.plans[0].holds for action in hold.actions]

    def short(self, action: act.Action) -> str:
        at = "" if action.mailbox == INBOX else f"{action.mailbox}/"
        match action:
            case act.Download():
                return f"{at}{self._subject(action.mailbox, action.message.uid)}: download"
            case act.Append():
                return f"{at}{action.message.name}: append"
            case act.Agree():
                steps = _steps("server", action.to_server) + _steps("local", action.to_local)
                return f"{at}{action.pair.name}: {', '.join(steps) or 'record'}"
            case act.Expunge():
                return f"{at}{action.pair.name}: " + (f"move to {action.trash}" if action.trash else "expunge")
            case act.RemoveLocal():
                return f"{at}{action.pair.name}: remove"
            case act.RemoveStray():
                return f"{at}{action.message.name}: remove stray"
            case act.Forget():
                return f"{at}{self._known(action.mailbox, action.uid)}: forget"
            case act.MoveOnServer():
                steps = ["server move to " + action.target, *_steps("server", action.to_server)]
                return f"{at}{action.pair.name}: {', '.join(steps + _steps('local', action.to_local))}"
            case act.MoveLocal():
                return f"{at}{action.pair.name}: local move to {action.target}"
            case act.RenameMailbox():
                return f"{action.mailbox}/: {action.side} rename to {action.new_name}"
            case act.CreateMailbox():
                return f"{action.mailbox}/: {action.side} create"
            case act.DeleteMailbox():
                return f"{action.mailbox}/: {action.side} delete"
            case act.ForgetMailbox():
                return f"{action.mailbox}/: forget"

    def state(self) -> tuple[str, str, str]:
        """What server, index and Maildir hold, in the notation; contents decide the names."""
        index = [
            f"{_at(mailbox)}{self._name_of(pair.fingerprint.content)}:{shown(pair.flags)}"
            + (
                ""
                if pair.state is PairState.BOTH
                else f"@{'server' if pair.state is PairState.SERVER_ONLY else 'local'}"
            )
            for mailbox, rows in self.index.rows.items()
            for pair in rows.pairs.values()
        ]
        return self.on_server(), " ".join(sorted(index)), self.in_maildir()

    def on_server(self) -> str:
        return " ".join(
            sorted(
                f"{_at(mailbox)}{_subject(message.octets)}:{shown(message.flags)}"
                for mailbox, box in self.server.mailboxes.items()
                for message in box.messages.values()
            )
        )

    def in_maildir(self) -> str:
        return " ".join(
            sorted(
                f"{_at(mailbox)}{_subject(file.octets)}:{shown(file.flags)}"
                for mailbox, directory in self.store.directories.items()
                for file in directory.files.values()
            )
        )

    def _name_of(self, content: bytes) -> str:
        return next((n for n in "abcdefghijklmnopqrstuvwxyz" if fingerprint(octets(n)).content == content), "?")

    def _subject(self, mailbox: MailboxName, uid: Uid) -> str:
        message = self.server.mailboxes[mailbox].messages.get(uid)
        return _subject(message.octets) if message else f"UID {uid}"

    def _known(self, mailbox: MailboxName, uid: Uid) -> str:
        return self.names.get((mailbox, uid), f"UID {uid}")

    @property
    def names(self) -> dict[tuple[MailboxName, Uid], str]:
        return self._names

    _names: dict[tuple[MailboxName, Uid], str] = field(default_factory=dict)

    def remember_names(self) -> None:
        self._names |= {(m, p.uid): p.name for m, rows in self.index.rows.items() for p in rows.pairs.values()}


class _Recorded(Pass):
    """A pass that keeps its plans."""

    world: World | None = None

    def work(self, glance: Glance, places: Places) -> None:
        assert self.world is not None
        rounds = Rounds(self, glance)
        applying = rounds.applying
        world, apply = self.world, applying.apply

        def recorded() -> None:
            world.remember_names()
            world.plans.append(applying._decision)
            apply()

        applying.apply = recorded  # type: ignore[method-assign]
        rounds.run(places)


class Quiet:
    """A Progress that hears nothing."""

    def mailboxes(self, account: str, total: int) -> None: ...
    def looked(self, account: str, mailbox: MailboxName) -> None: ...
    def planned(self, account: str, messages: int, octets: int) -> None: ...
    def transferred(self, account: str, messages: int, octets: int) -> None: ...


def _numbered(text: str) -> list[tuple[tuple[MailboxName, str, int], Word]]:
    """Equal messages of one mailbox are told apart by their number."""
    counts: dict[tuple[MailboxName, str], int] = {}
    result = []
    for word in words(text):
        if word.name:
            number = counts.get((word.mailbox, word.name), 0)
            counts[word.mailbox, word.name] = number + 1
            result.append(((word.mailbox, word.name, number), word))
    return result


def _steps(side: str, change: FlagDelta) -> list[str]:
    signs = [f"+{shown(change.add)}"] if change.add else []
    signs += [f"-{shown(change.remove)}"] if change.remove else []
    return [f"{side} {''.join(signs)}"] if signs else []


def _at(mailbox: MailboxName) -> str:
    return "" if mailbox == INBOX else f"{mailbox}/"


def _subject(octets: bytes) -> str:
    return octets.split(b"Subject: ")[1].split(b"\r\n")[0].decode()
