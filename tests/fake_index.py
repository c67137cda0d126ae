"""The Index port in dictionaries. Every record is an effect. It passes the same contract suite as the real one."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from fake_server import by_name, rename_below
from mortality import Mortality

from syncer.ports import Finished, KnownMailbox
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.events import Event
from syncer.reconcile.flags import SYSTEM, Flags
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Intent, Pair, PairState
from syncer.reconcile.parking import LONGEST, Parked, pause
from syncer.values import replace


@dataclass
class FakeRows:
    epoch: Epoch | None = None
    pairs: dict[Uid, Pair] = field(default_factory=dict)
    intents: dict[UniqueName, Intent] = field(default_factory=dict)
    strays: set[UniqueName] = field(default_factory=set)
    parked: dict[Uid | UniqueName, Parked] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)
    synced_at: int | None = None
    error: str | None = None
    held: frozenset[str] = frozenset()
    messages: int | None = None
    local_state: str | None = None
    compared_at: int | None = None
    settings: str | None = None


@dataclass
class Deleted:
    mailbox: MailboxName
    side: str
    count: int
    at: int


class FakeIndex:
    """What both sides last agreed on."""

    def __init__(self) -> None:
        self.rows: dict[MailboxName, FakeRows] = {}
        self.deletions: list[Deleted] = []
        self.events: list[tuple[int, Event]] = []
        self.identity: str | None = None
        self.spellings: dict[str, str] = {}
        self.remembered: dict[str, str] = {}
        self.mortality = Mortality()
        self._lock = threading.RLock()

    @property
    def store_id(self) -> str | None:
        return self.identity

    def bind(self, store_id: str) -> None:
        self.identity = store_id

    def mailboxes(self) -> tuple[KnownMailbox, ...]:
        with self._lock:
            return tuple(
                KnownMailbox(
                    name,
                    r.epoch,
                    None,
                    dict(r.mapping),
                    r.synced_at,
                    r.error,
                    r.held,
                    r.messages,
                    r.local_state,
                    r.compared_at,
                    r.settings,
                    max(r.pairs, default=None),
                )
                for name in by_name(self.rows)
                for r in (self.rows[name],)
            )

    def recall(self, key: str) -> str | None:
        return self.remembered.get(key)

    def remember(self, key: str, value: str) -> None:
        self._transaction(lambda: self.remembered.update({key: value}))

    def totals(self) -> Mapping[MailboxName, int]:
        with self._lock:
            return {
                name: sum(pair.state is PairState.BOTH for pair in rows.pairs.values())
                for name, rows in self.rows.items()
            }

    def keywords(self) -> tuple[str, ...]:
        return tuple(self.spellings.values())

    def add_mailbox(self, mailbox: MailboxName) -> None:
        if mailbox not in self.rows:
            self._transaction(lambda: self._of(mailbox))

    def rename_mailbox(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        def do() -> None:
            rename_below(self.rows, mailbox, new_name)
            for deleted in self.deletions:
                names = {deleted.mailbox: deleted}
                rename_below(names, mailbox, new_name)
                (deleted.mailbox,) = names

        self._transaction(do)

    def forget_epoch(self, mailbox: MailboxName) -> None:
        if mailbox in self.rows:
            self._transaction(lambda: vars(self.rows[mailbox]).update(epoch=None, messages=None))

    def distrust(self, mailbox: MailboxName) -> None:
        if mailbox in self.rows:
            self._transaction(lambda: setattr(self.rows[mailbox], "compared_at", None))

    def renew(self, mailbox: MailboxName, epoch: Epoch, uids: Mapping[Uid, Uid], lost: Collection[UniqueName]) -> None:
        def do() -> None:
            rows = self._of(mailbox)
            kept = [replace(pair, uid=uids[uid], email_id=None) for uid, pair in rows.pairs.items() if uid in uids]
            rows.pairs = {pair.uid: pair for pair in kept}
            rows.strays = (rows.strays | set(lost)) - {pair.name for pair in kept}
            rows.intents = {name: replace(intent, uidnext=None) for name, intent in rows.intents.items()}
            rows.epoch, rows.messages, rows.local_state, rows.compared_at = epoch, None, None, None
            rows.held = frozenset({"local", "server"})
            rows.parked = {key: parked for key, parked in rows.parked.items() if isinstance(key, str)}

        self._transaction(do)

    def strays(self, mailbox: MailboxName) -> frozenset[UniqueName]:
        return frozenset(self.rows.get(mailbox, FakeRows()).strays)

    def forget_strays(self, mailbox: MailboxName, names: Collection[UniqueName]) -> None:
        if names and mailbox in self.rows:
            self._transaction(lambda: self.rows[mailbox].strays.difference_update(names))

    def park(self, mailbox: MailboxName, message: Uid | UniqueName, reason: str, now: int) -> None:
        def do() -> None:
            parked = self._of(mailbox).parked
            failures = parked[message].failures + 1 if message in parked else 1
            parked[message] = Parked(reason, failures, now + pause(failures))

        self._transaction(do)

    def parked(self, mailbox: MailboxName, now: int) -> Mapping[Uid | UniqueName, Parked]:
        parked = self.rows.get(mailbox, FakeRows()).parked
        return {message: one for message, one in parked.items() if now < one.until <= now + LONGEST}

    def forget_mailbox(self, mailbox: MailboxName) -> None:
        if mailbox in self.rows:
            self._transaction(lambda: self.rows.pop(mailbox))

    def pairs(self, mailbox: MailboxName) -> tuple[Pair, ...]:
        with self._lock:
            rows = self.rows.get(mailbox, FakeRows())
            return tuple(rows.pairs[uid] for uid in sorted(rows.pairs))

    def pairs_among(
        self,
        mailbox: MailboxName,
        *,
        uids: Collection[Uid] = (),
        ranges: Collection[tuple[Uid, Uid]] = (),
        names: Collection[UniqueName] = (),
    ) -> tuple[Pair, ...]:
        wanted, named = set(uids), set(names)
        return tuple(
            pair
            for pair in self.pairs(mailbox)
            if pair.uid in wanted or pair.name in named or any(first <= pair.uid <= last for first, last in ranges)
        )

    def holders(self, names: Collection[UniqueName]) -> frozenset[MailboxName]:
        with self._lock:
            return frozenset(name for name in self.rows if self.pairs_among(name, names=names))

    def latest(self, mailbox: MailboxName, count: int, below: Uid | None = None) -> tuple[Pair, ...]:
        descending = reversed(self.pairs(mailbox))
        return tuple([pair for pair in descending if below is None or pair.uid < below][: max(count, 0)])

    def base(self, mailbox: MailboxName) -> dict[Uid, Flags]:
        return {pair.uid: pair.flags for pair in self.pairs(mailbox)}

    def has_all(self, mailbox: MailboxName, uids: Collection[Uid]) -> bool:
        return self.base(mailbox).keys() >= set(uids)

    def file_names(self, mailbox: MailboxName, info: Callable[[Flags], str]) -> set[bytes]:
        pairs = [pair for pair in self.pairs(mailbox) if pair.state is not PairState.SERVER_ONLY]
        infos = {flags: info(flags) for flags in {pair.flags for pair in pairs}}
        return {f"{pair.name}{infos[pair.flags]}".encode("utf-8", "surrogateescape") for pair in pairs}

    def record(self, mailbox: MailboxName, pairs: Collection[Pair]) -> None:
        if pairs:
            self._transaction(lambda: self._record(mailbox, pairs))

    def agree(self, mailbox: MailboxName, pairs: Collection[Pair]) -> None:
        self.record(mailbox, pairs)

    def forget(self, mailbox: MailboxName, uids: Collection[Uid]) -> None:
        if uids:
            self._transaction(lambda: self._forget(mailbox, uids))

    def move(self, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName, pairs: Collection[Pair]) -> None:
        def do() -> None:
            self._forget(mailbox, uids)
            self._record(target, pairs)

        if uids or pairs:
            self._transaction(do)

    def intents(self, mailbox: MailboxName) -> tuple[Intent, ...]:
        return tuple(self.rows.get(mailbox, FakeRows()).intents.values())

    def announce(self, mailbox: MailboxName, intents: Collection[Intent]) -> None:
        def do() -> None:
            for intent in intents:
                self._of(mailbox).intents.setdefault(intent.name, intent)

        if intents:
            self._transaction(do)

    def sent(self, mailbox: MailboxName, names: Sequence[UniqueName]) -> None:
        def do() -> None:
            intents = self.rows[mailbox].intents
            for name in names:
                if name in intents:
                    intents[name] = replace(intents.pop(name), sent=True)

        if names:
            self.mortality.effect(do)

    def settle(self, mailbox: MailboxName, names: Collection[UniqueName]) -> None:
        def do() -> None:
            for name in names:
                self._of(mailbox).intents.pop(name, None)

        if names and mailbox in self.rows:
            self._transaction(do)

    def begin(self, mailbox: MailboxName, epoch: Epoch) -> None:
        if self.rows.get(mailbox, FakeRows()).epoch is None:
            self._transaction(lambda: setattr(self._of(mailbox), "epoch", epoch))

    def finish(self, done: Collection[Finished], now: int) -> None:
        def do() -> None:
            for one in done:
                rows = self._of(one.mailbox)
                if one.epoch is not None:
                    rows.epoch, rows.messages = one.epoch, one.messages
                if one.mapping is not None:
                    rows.mapping = dict(one.mapping)
                if one.compared:
                    rows.compared_at = now
                rows.local_state, rows.settings = one.local_state, one.settings
                rows.synced_at, rows.error = now, None

        if done:
            self._transaction(do)

    def fail(self, mailbox: MailboxName, error: str) -> None:
        self._transaction(lambda: setattr(self._of(mailbox), "error", error))

    def hold(self, mailbox: MailboxName, sides: frozenset[str]) -> None:
        self._of(mailbox).held = sides

    def note_deleted(self, mailbox: MailboxName, side: str, count: int, now: int) -> None:
        if count:
            self._transaction(lambda: self.deletions.append(Deleted(mailbox, side, count, now)))

    def deleted_since(self, since: int) -> Mapping[tuple[MailboxName, str], int]:
        totals: dict[tuple[MailboxName, str], int] = {}
        for deleted in self.deletions:
            if deleted.at >= since:
                key = deleted.mailbox, deleted.side
                totals[key] = totals.get(key, 0) + deleted.count
        return totals

    def tell(self, at: int, event: Event) -> None:
        self.events.append((at, event))

    def next_run(self) -> None:
        """Nobody asks for the number of a run here."""

    def close(self) -> None:
        """Nothing is open."""

    def _of(self, mailbox: MailboxName) -> FakeRows:
        return self.rows.setdefault(mailbox, FakeRows())

    def _record(self, mailbox: MailboxName, pairs: Collection[Pair]) -> None:
        rows = self._of(mailbox)
        for pair in pairs:
            rows.pairs.pop(pair.uid, None)
        for pair in pairs:
            for uid in [uid for uid, other in rows.pairs.items() if other.name == pair.name]:
                del rows.pairs[uid]
            rows.pairs[pair.uid] = replace(pair, flags=self._spelt(pair.flags))
            rows.intents.pop(pair.name, None)
            rows.strays.discard(pair.name)
            rows.parked.pop(pair.name, None)
            rows.parked.pop(pair.uid, None)

    def _spelt(self, flags: Flags) -> Flags:
        """Keywords in the spelling first seen."""
        keywords = sorted(flags - SYSTEM)
        return (flags & SYSTEM) | {self.spellings.setdefault(keyword.lower(), keyword) for keyword in keywords}

    def _forget(self, mailbox: MailboxName, uids: Collection[Uid]) -> None:
        for uid in uids:
            self.rows.get(mailbox, FakeRows()).pairs.pop(uid, None)

    def _transaction(self, do: Callable[[], object]) -> None:
        with self._lock:
            self.mortality.effect(do)
