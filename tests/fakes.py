"""The three ports in memory. They keep the preconditions of the real ones and pass the same contract suites.

`FakeAccount` is the server's state and `FakeServer` a connection to it; `FakeStore` is a Maildir, `FakeIndex` an index. A fake can be told
to die at its n-th effect (`Mortality`), before or after it took place, as a killed process would.
"""

import hashlib
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from syncer.errors import MailboxError, NoSuchMailboxError, VanishedError
from syncer.ports import Appended, Fetched, KnownMailbox, Outgoing, ServerMailbox
from syncer.reconcile.flags import DELETED, FORWARDED, SYSTEM, FlagDelta, Flags, apply
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import (
    Epoch,
    Fingerprint,
    Intent,
    Letters,
    LocalListing,
    LocalMessage,
    Pair,
    ServerListing,
    ServerMessage,
)


def fingerprint(octets: bytes) -> Fingerprint:
    """The fingerprint of a message in the server's form."""
    end = octets.find(b"\r\n\r\n")
    header = octets[:2] if octets.startswith(b"\r\n") else octets if end < 0 else octets[: end + 4]
    digest = lambda data: hashlib.sha256(data).digest()[:16]  # noqa: E731
    return Fingerprint(len(octets), digest(header), digest(octets))


class Killed(BaseException):
    """The process is gone. Not an Exception: nothing may catch it."""


@dataclass
class Mortality:
    """Counts effects and kills at one of them."""

    at: int = 0
    """The effect to die at, counted from 1; 0 is never."""
    before: bool = False
    seen: int = 0

    def effect(self, do: Callable[[], object]) -> object:
        self.seen += 1
        if self.seen == self.at and self.before:
            raise Killed
        result = do()
        if self.seen == self.at:
            raise Killed
        return result


@dataclass
class StoredMessage:
    octets: bytes
    flags: Flags
    internaldate: int
    email_id: str | None = None


@dataclass
class FakeMailbox:
    uidvalidity: UidValidity
    uidnext: int = 1
    modseq: int = 1
    messages: dict[Uid, StoredMessage] = field(default_factory=dict)
    complete: bool = True
    writable: bool = True
    storable: Flags = SYSTEM
    any_keyword: bool = True

    def add(self, message: StoredMessage) -> Uid:
        uid = Uid(self.uidnext)
        self.uidnext += 1
        self.modseq += 1
        self.messages[uid] = message
        return uid


def _sorted_names(names: Iterable[MailboxName]) -> tuple[MailboxName, ...]:
    return tuple(sorted(names, key=lambda name: (name != INBOX, name)))


@dataclass
class FakeAccount:
    """What the server holds. The switches take away what not every server has."""

    mailboxes: dict[MailboxName, FakeMailbox] = field(default_factory=dict)
    uidplus: bool = True
    atomic_move: bool = True
    email_ids: bool = False
    special: dict[MailboxName, str] = field(default_factory=dict)
    refuse_append: Callable[[bytes], str | None] = lambda octets: None
    mortality: Mortality = field(default_factory=Mortality)
    _validity: Iterator[int] = field(default_factory=lambda: itertools.count(1000))

    def __post_init__(self) -> None:
        self.create(INBOX)

    def create(self, mailbox: MailboxName) -> FakeMailbox:
        return self.mailboxes.setdefault(mailbox, FakeMailbox(UidValidity(next(self._validity))))

    def deliver(
        self, mailbox: MailboxName, octets: bytes, flags: Flags = frozenset(), internaldate: int = 1_000_000_000
    ) -> Uid:
        identity = hashlib.sha256(octets).hexdigest() if self.email_ids else None
        return self.create(mailbox).add(StoredMessage(octets, flags, internaldate, identity))


class FakeServer:
    """A connection to a FakeAccount."""

    def __init__(self, account: FakeAccount) -> None:
        self.account = account
        self.commands: list[str] = []

    @property
    def capabilities(self) -> frozenset[str]:
        have = {"UIDPLUS": self.account.uidplus, "MOVE": self.account.atomic_move, "OBJECTID": self.account.email_ids}
        return frozenset({"IMAP4REV1", *(name for name, there in have.items() if there)})

    def mailboxes(self) -> tuple[ServerMailbox, ...]:
        names = _sorted_names(self.account.mailboxes)
        return tuple(ServerMailbox(name, self.account.special.get(name)) for name in names)

    def exists(self, mailbox: MailboxName) -> bool:
        return mailbox in self.account.mailboxes

    def epoch(self, mailbox: MailboxName) -> Epoch:
        box = self._box(mailbox)
        return Epoch(box.uidvalidity, Uid(box.uidnext), ModSeq(box.modseq))

    def create(self, mailbox: MailboxName) -> None:
        self._effect(f"CREATE {mailbox}", lambda: self.account.create(mailbox))

    def rename(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        if new_name in self.account.mailboxes:
            raise MailboxError(f"{new_name} exists")
        self._box(mailbox)

        def move() -> None:
            for name in list(self.account.mailboxes):
                if name == mailbox or name.startswith(f"{mailbox}/"):
                    self.account.mailboxes[MailboxName(new_name + name[len(mailbox) :])] = self.account.mailboxes.pop(
                        name
                    )

        self._effect(f"RENAME {mailbox} {new_name}", move)

    def delete(self, mailbox: MailboxName) -> None:
        self._effect(f"DELETE {mailbox}", lambda: self.account.mailboxes.pop(mailbox, None))

    def listing(self, mailbox: MailboxName) -> ServerListing:
        box = self._box(mailbox)
        flags = {uid: message.flags for uid, message in box.messages.items()}
        return ServerListing(
            self.epoch(mailbox), flags, box.complete, box.writable, storable=box.storable, any_keyword=box.any_keyword
        )

    def describe(self, mailbox: MailboxName, uids: Collection[Uid]) -> tuple[ServerMessage, ...]:
        messages = self._box(mailbox).messages
        return tuple(
            ServerMessage(uid, m.flags, len(m.octets), m.internaldate, m.email_id)
            for uid in sorted(uids)
            if (m := messages.get(uid)) is not None
        )

    def headers(self, mailbox: MailboxName, uids: Collection[Uid]) -> Mapping[Uid, bytes]:
        messages = self._box(mailbox).messages
        return {uid: fingerprint(messages[uid].octets).header for uid in uids if uid in messages}

    def fetch(self, mailbox: MailboxName, uids: Sequence[Uid]) -> Iterator[Fetched]:
        self.commands.append(f"FETCH {mailbox} {len(uids)}")
        for uid in uids:
            message = self._box(mailbox).messages.get(uid)
            if message is not None:
                body = iter([message.octets[:10], message.octets[10:]])
                yield Fetched(uid, message.flags, message.internaldate, len(message.octets), body)

    def append(self, mailbox: MailboxName, messages: Iterable[tuple[Outgoing, Flags]]) -> Iterator[Appended]:
        box = self._box(mailbox)
        for outgoing, flags in messages:
            try:
                octets = b"".join(outgoing.chunks())
            except VanishedError as error:
                yield Appended(outgoing.name, refused=str(error))
                continue
            why = self.account.refuse_append(octets) if octets else "empty messages are not appended"
            if why is not None:
                yield Appended(outgoing.name, refused=why)
                continue
            identity = hashlib.sha256(octets).hexdigest() if self.account.email_ids else None
            stored = StoredMessage(octets, flags, outgoing.internaldate, identity)
            uid = self._effect(f"APPEND {mailbox}", lambda stored=stored: box.add(stored))
            yield Appended(outgoing.name, uid if self.account.uidplus else None)  # type: ignore[arg-type]

    def store(self, mailbox: MailboxName, uids: Collection[Uid], change: FlagDelta) -> None:
        box = self._box(mailbox)

        def do() -> None:
            box.modseq += 1
            for uid in uids:
                if uid in box.messages:
                    box.messages[uid].flags = apply(box.messages[uid].flags, change)

        if uids and change:
            self._effect(f"STORE {mailbox} {change}", do)

    def expunge(self, mailbox: MailboxName, uids: Collection[Uid]) -> bool:
        self.store(mailbox, uids, FlagDelta(add=frozenset({DELETED})))
        if self.account.uidplus and uids:
            self._effect(f"EXPUNGE {mailbox}", lambda: self._take(mailbox, uids))
        return self.account.uidplus

    def move(self, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName) -> Mapping[Uid, Uid]:
        box, there = self._box(mailbox), self._box(target)
        known = [uid for uid in sorted(uids) if uid in box.messages]
        if not known:
            return {}

        def copy() -> dict[Uid, Uid]:
            return {uid: there.add(replace(box.messages[uid])) for uid in known}

        def at_once() -> dict[Uid, Uid]:
            landed = copy()
            self._take(mailbox, known)
            return landed

        if self.account.atomic_move:
            landed = self._effect(f"MOVE {mailbox} {target}", at_once)
        else:
            landed = self._effect(f"COPY {mailbox} {target}", copy)
            self.expunge(mailbox, known)
        return landed if self.account.uidplus else {}  # type: ignore[return-value]

    def close(self) -> None:
        self.commands.append("LOGOUT")

    def _take(self, mailbox: MailboxName, uids: Collection[Uid]) -> None:
        box = self._box(mailbox)
        box.modseq += 1
        for uid in uids:
            box.messages.pop(uid, None)

    def _box(self, mailbox: MailboxName) -> FakeMailbox:
        if mailbox not in self.account.mailboxes:
            raise NoSuchMailboxError(f"there is no mailbox {mailbox} on the server")
        return self.account.mailboxes[mailbox]

    def _effect(self, command: str, do: Callable[[], object]) -> object:
        self.commands.append(command)
        return self.account.mortality.effect(do)


@dataclass
class StoredFile:
    octets: bytes
    flags: Flags
    mtime: int


@dataclass
class FakeDirectory:
    files: dict[UniqueName, StoredFile] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)
    complete: bool = True


@dataclass
class FakeOutgoing:
    name: UniqueName
    octets: bytes
    internaldate: int

    @property
    def fingerprint(self) -> Fingerprint:
        return fingerprint(self.octets)

    def chunks(self) -> Iterator[bytes]:
        yield self.octets


class FakeStore:
    """A Maildir whose files hold the server's form of a message."""

    def __init__(self, mortality: Mortality | None = None) -> None:
        self.directories: dict[MailboxName, FakeDirectory] = {}
        self.attic: list[tuple[MailboxName, UniqueName, bytes]] = []
        self.mortality = mortality or Mortality()

    def put(
        self,
        mailbox: MailboxName,
        name: UniqueName,
        octets: bytes,
        flags: Flags = frozenset(),
        mtime: int = 1_000_000_000,
    ) -> None:
        """What a foreign Maildir program does."""
        self._assign(self.directories.setdefault(mailbox, FakeDirectory()), flags)
        self.directories[mailbox].files[name] = StoredFile(octets, flags, mtime)

    def mailboxes(self) -> tuple[MailboxName, ...]:
        return _sorted_names(self.directories)

    def scan(self, mailbox: MailboxName, mapping: Mapping[str, str]) -> LocalListing:
        directory = self.directories.get(mailbox)
        if directory is None:
            return LocalListing({}, complete=False, missing=True)
        for letter, keyword in mapping.items():
            directory.mapping.setdefault(letter, keyword)
        now = directory.mapping
        trusted = {keyword for letter, keyword in mapping.items() if now.get(letter) == keyword}
        letters = Letters(frozenset({FORWARDED, *trusted}), frozenset({FORWARDED, *now.values()}), room=len(now) < 26)
        messages = {name: LocalMessage(name, self._said(directory, file)) for name, file in directory.files.items()}
        return LocalListing(messages, directory.complete, letters, dict(now))

    def mapping(self, mailbox: MailboxName) -> Mapping[str, str]:
        return dict(self._directory(mailbox).mapping)

    def fingerprint(self, mailbox: MailboxName, name: UniqueName) -> Fingerprint:
        return fingerprint(self._file(mailbox, name).octets)

    def outgoing(self, mailbox: MailboxName, name: UniqueName) -> FakeOutgoing:
        file = self._file(mailbox, name)
        return FakeOutgoing(name, file.octets, file.mtime)

    @contextmanager
    def delivery(self, mailbox: MailboxName) -> Iterator["FakeDelivery"]:
        self._directory(mailbox)
        yield FakeDelivery(self, mailbox)

    def unique_name(self, mailbox: MailboxName, epoch: Epoch, message: ServerMessage) -> UniqueName:
        return UniqueName(f"{mailbox}!{epoch.uidvalidity}!{message.uid}")

    def own_uid(self, mailbox: MailboxName, epoch: Epoch, name: UniqueName) -> Uid | None:
        start = f"{mailbox}!{epoch.uidvalidity}!"
        rest = name.removeprefix(start)
        return Uid(int(rest)) if name.startswith(start) and rest.isdecimal() else None

    def change_flags(self, mailbox: MailboxName, name: UniqueName, change: FlagDelta) -> None:
        file = self._file(mailbox, name)
        self._assign(self.directories[mailbox], change.add)
        if apply(file.flags, change) != file.flags:
            self.mortality.effect(lambda: setattr(file, "flags", apply(file.flags, change)))

    def move(
        self, mailbox: MailboxName, name: UniqueName, target: MailboxName, new_name: UniqueName, change: FlagDelta
    ) -> None:
        file, there = self._file(mailbox, name), self._directory(target)
        self._assign(there, file.flags | change.add)

        def do() -> None:
            there.files[new_name] = replace(file, flags=apply(file.flags, change))
            del self.directories[mailbox].files[name]

        self.mortality.effect(do)

    def flush(self, mailbox: MailboxName) -> None:
        """Memory is as durable as this fake gets."""

    def remove(self, mailbox: MailboxName, name: UniqueName) -> None:
        directory = self._directory(mailbox)
        if name in directory.files:

            def do() -> None:
                self.attic.append((mailbox, name, directory.files.pop(name).octets))

            self.mortality.effect(do)

    def create(self, mailbox: MailboxName) -> None:
        self.mortality.effect(lambda: self.directories.setdefault(mailbox, FakeDirectory()))

    def rename(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        def do() -> None:
            for name in list(self.directories):
                if name == mailbox or name.startswith(f"{mailbox}/"):
                    self.directories[MailboxName(new_name + name[len(mailbox) :])] = self.directories.pop(name)

        self.mortality.effect(do)

    def delete(self, mailbox: MailboxName) -> None:
        def do() -> None:
            for name, file in self.directories.pop(mailbox, FakeDirectory()).files.items():
                self.attic.append((mailbox, name, file.octets))

        self.mortality.effect(do)

    @staticmethod
    def _said(directory: FakeDirectory, file: StoredFile) -> Flags:
        """A file's name can say a keyword only by a letter."""
        return frozenset(flag for flag in file.flags if flag in SYSTEM | {FORWARDED, *directory.mapping.values()})

    @staticmethod
    def _assign(directory: FakeDirectory, flags: Flags) -> None:
        for keyword in sorted(flags - SYSTEM - {FORWARDED} - set(directory.mapping.values())):
            free = [letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter not in directory.mapping]
            if free:
                directory.mapping[free[0]] = keyword

    def _directory(self, mailbox: MailboxName) -> FakeDirectory:
        if mailbox not in self.directories:
            raise NoSuchMailboxError(f"there is no mailbox {mailbox} in the Maildir")
        return self.directories[mailbox]

    def _file(self, mailbox: MailboxName, name: UniqueName) -> StoredFile:
        file = self._directory(mailbox).files.get(name)
        if file is None:
            raise VanishedError(f"{mailbox}: there is no file {name} any more")
        return file


@dataclass
class FakeDelivery:
    store: FakeStore
    mailbox: MailboxName
    waiting: dict[UniqueName, StoredFile] = field(default_factory=dict)

    def add(self, name: UniqueName, flags: Flags, internaldate: int, body: Iterable[bytes]) -> Fingerprint:
        octets = b"".join(body)
        self.waiting[name] = StoredFile(octets, flags, internaldate)
        return fingerprint(octets)

    def commit(self) -> None:
        directory = self.store.directories[self.mailbox]
        for name, file in self.waiting.items():
            if name not in directory.files:
                self.store._assign(directory, file.flags)

                def do(name: UniqueName = name, file: StoredFile = file) -> None:
                    directory.files[name] = file

                self.store.mortality.effect(do)
        self.waiting.clear()


@dataclass
class FakeRows:
    epoch: Epoch | None = None
    pairs: dict[Uid, Pair] = field(default_factory=dict)
    intents: dict[UniqueName, Intent] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)
    synced_at: int | None = None
    error: str | None = None


class FakeIndex:
    """The index in dictionaries. Every record is an effect."""

    def __init__(self, mortality: Mortality | None = None) -> None:
        self.rows: dict[MailboxName, FakeRows] = {}
        self.deletions: list[tuple[MailboxName, str, int, int]] = []
        self.identity: str | None = None
        self.spellings: dict[str, str] = {}
        self.mortality = mortality or Mortality()

    @property
    def store_id(self) -> str | None:
        return self.identity

    def bind(self, store_id: str) -> None:
        self.identity = store_id

    def mailboxes(self) -> tuple[KnownMailbox, ...]:
        return tuple(
            KnownMailbox(name, r.epoch, len(r.pairs), dict(r.mapping), r.synced_at, r.error)
            for name in _sorted_names(self.rows)
            for r in (self.rows[name],)
        )

    def keywords(self) -> tuple[str, ...]:
        return tuple(self.spellings.values())

    def add_mailbox(self, mailbox: MailboxName) -> None:
        if mailbox not in self.rows:
            self.mortality.effect(lambda: self.rows.setdefault(mailbox, FakeRows()))

    def rename_mailbox(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        def do() -> None:
            for name in list(self.rows):
                if name == mailbox or name.startswith(f"{mailbox}/"):
                    self.rows[MailboxName(new_name + name[len(mailbox) :])] = self.rows.pop(name)

        self.mortality.effect(do)

    def forget_mailbox(self, mailbox: MailboxName) -> None:
        if mailbox in self.rows:
            self.mortality.effect(lambda: self.rows.pop(mailbox))

    def pairs(self, mailbox: MailboxName) -> tuple[Pair, ...]:
        rows = self.rows.get(mailbox, FakeRows())
        return tuple(rows.pairs[uid] for uid in sorted(rows.pairs))

    def record(self, mailbox: MailboxName, pairs: Collection[Pair]) -> None:
        if pairs:
            self.mortality.effect(lambda: self._record(mailbox, pairs))

    def forget(self, mailbox: MailboxName, uids: Collection[Uid]) -> None:
        if uids:
            self.mortality.effect(lambda: self._forget(mailbox, uids))

    def move(self, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName, pairs: Collection[Pair]) -> None:
        def do() -> None:
            self._forget(mailbox, uids)
            self._record(target, pairs)

        if uids or pairs:
            self.mortality.effect(do)

    def intents(self, mailbox: MailboxName) -> tuple[Intent, ...]:
        return tuple(self.rows.get(mailbox, FakeRows()).intents.values())

    def announce(self, mailbox: MailboxName, intents: Collection[Intent]) -> None:
        def do() -> None:
            for intent in intents:
                self.rows[mailbox].intents.setdefault(intent.name, intent)

        if intents:
            self.mortality.effect(do)

    def settle(self, mailbox: MailboxName, names: Collection[UniqueName]) -> None:
        for name in names:
            self.rows[mailbox].intents.pop(name, None)

    def finish(self, mailbox: MailboxName, epoch: Epoch, mapping: Mapping[str, str], now: int) -> None:
        rows = self.rows[mailbox]
        rows.epoch, rows.mapping, rows.synced_at, rows.error = epoch, dict(mapping), now, None

    def fail(self, mailbox: MailboxName, error: str) -> None:
        self.rows[mailbox].error = error

    def note_deleted(self, mailbox: MailboxName, side: str, count: int, now: int) -> None:
        self.deletions.append((mailbox, side, count, now))

    def deleted_since(self, since: int) -> Mapping[tuple[MailboxName, str], int]:
        totals: dict[tuple[MailboxName, str], int] = {}
        for mailbox, side, count, at in self.deletions:
            if at >= since:
                totals[mailbox, side] = totals.get((mailbox, side), 0) + count
        return totals

    def close(self) -> None:
        """Nothing is open."""

    def _record(self, mailbox: MailboxName, pairs: Collection[Pair]) -> None:
        rows = self.rows[mailbox]
        for pair in pairs:
            rows.pairs[pair.uid] = pair
            rows.intents.pop(pair.name, None)
            for keyword in sorted(pair.flags - SYSTEM):
                self.spellings.setdefault(keyword.lower(), keyword)

    def _forget(self, mailbox: MailboxName, uids: Collection[Uid]) -> None:
        for uid in uids:
            self.rows[mailbox].pairs.pop(uid, None)
