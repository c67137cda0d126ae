"""The LocalStore port in memory. Its files hold the server's form of a message.

It keeps the preconditions of the real one and passes the same contract suite. What a test wants to go wrong it raises
in `FakeStore.hears`.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from fake_server import by_name, chunks, fingerprint, rename_below
from mortality import Mortality

from syncer.errors import MessageError, NoSuchMailboxError, VanishedError
from syncer.ports import Examined, Expectation
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.flags import FORWARDED, NONE, SYSTEM, FlagDelta, Flags, apply
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Letters, LocalListing, LocalMessage, ServerMessage
from syncer.turns import waiting
from syncer.values import replace

VERSIONS = itertools.count()
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


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
    version: int = field(default_factory=VERSIONS.__next__, compare=False)
    """Another one after each change: a directory's mtime never comes back."""
    known: str = field(default="", compare=False)

    def changed(self) -> None:
        self.version = next(VERSIONS)

    def state(self) -> str:
        """What tests have put in or taken out by hand is a change as well."""
        files = sorted((name, sorted(self.said(file)), file.octets) for name, file in self.files.items())
        now = repr((files, sorted(self.mapping.items())))
        if now != self.known:
            self.known = now
            self.changed()
        return str(self.version)

    def sayable(self, flags: Flags) -> Flags:
        """What a file's name can say of `flags`; keywords get a letter while there are any."""
        for keyword in sorted(flags - self._spoken()):
            free = [letter for letter in ALPHABET if letter not in self.mapping]
            if free:
                self.mapping[free[0]] = keyword
        return flags & self._spoken()

    def said(self, file: StoredFile) -> Flags:
        return file.flags & self._spoken()

    def _spoken(self) -> Flags:
        return SYSTEM | {FORWARDED, *self.mapping.values()}


@dataclass
class FakeOutgoing:
    name: UniqueName
    octets: bytes
    internaldate: int

    @property
    def fingerprint(self) -> Fingerprint:
        return fingerprint(self.octets)

    def chunks(self) -> Iterator[bytes]:
        return chunks(self.octets)


class FakeStore:
    """A Maildir."""

    def __init__(self) -> None:
        self.directories: dict[MailboxName, FakeDirectory] = {}
        self.attic: list[tuple[MailboxName, UniqueName, bytes]] = []
        self.generation = 0
        self.unlisted: set[MailboxName] = set()
        """Mailboxes that are there and that `mailboxes` leaves out, for the moment."""
        self.mortality = Mortality()
        self.hears: Callable[[str], object] = lambda deed: None
        """Told everything that is about to be read or changed. What it raises, the caller sees."""

    def put(
        self,
        mailbox: MailboxName,
        name: UniqueName,
        octets: bytes,
        flags: Flags = frozenset(),
        mtime: int = 1_000_000_000,
    ) -> None:
        """What a foreign Maildir program does."""
        directory = self.directories.setdefault(mailbox, FakeDirectory())
        directory.files[name] = StoredFile(octets, directory.sayable(flags), mtime)

    def mailboxes(self) -> tuple[MailboxName, ...]:
        return by_name(self.directories.keys() - self.unlisted)

    def state(self, mailbox: MailboxName) -> str | None:
        directory = self.directories.get(mailbox)
        return directory.state() if directory is not None else None

    def scan(
        self, mailbox: MailboxName, mapping: Mapping[str, str], expected: Expectation | None = None
    ) -> LocalListing:
        state = self.state(mailbox)
        unchanged = expected is not None and state is not None and state == expected.state
        if not unchanged:
            self.hears(f"scan {mailbox}")
        directory = self.directories.get(mailbox)
        if directory is None:
            return LocalListing({}, complete=False, missing=True)
        for letter, keyword in mapping.items():
            directory.mapping.setdefault(letter, keyword)
        now = directory.mapping
        trusted = {keyword for letter, keyword in mapping.items() if now.get(letter) == keyword}
        letters = Letters(
            frozenset({FORWARDED, *trusted}), frozenset({FORWARDED, *now.values()}), room=len(now) < len(ALPHABET)
        )
        if unchanged:
            return LocalListing({}, complete=True, letters=letters, mapping=dict(now), state=state)
        messages = {name: LocalMessage(name, directory.said(file)) for name, file in directory.files.items()}
        listing = LocalListing(messages, directory.complete, letters, dict(now))
        listing = replace(listing, state=self.state(mailbox) if directory.complete else None)
        return listing if expected is None else self._sifted(listing, expected)

    @staticmethod
    def _sifted(listing: LocalListing, expected: Expectation) -> LocalListing:
        """Names are spelled `name:flag,flag`, keywords without a letter left out."""
        spoken = SYSTEM | listing.letters.mapped
        doubted = {
            word for letter, word in listing.mapping.items() if word in listing.letters.mapped - listing.letters.trusted
        }

        def spell(flags: Flags) -> str:
            return ":\0" if flags & doubted else ":" + ",".join(sorted(flags & spoken))

        names = {raw.decode("utf-8", "surrogateescape").rpartition(":") for raw in expected.names(spell)}
        wanted = {UniqueName(name): flags for name, _, flags in names}
        odd = {
            name: message
            for name, message in listing.messages.items()
            if wanted.get(name) != ",".join(sorted(message.flags))
        }
        absent = frozenset(wanted.keys() - listing.messages.keys())
        return replace(listing, messages=odd, absent=absent)

    def mapping(self, mailbox: MailboxName) -> Mapping[str, str]:
        return dict(self._directory(mailbox).mapping)

    def fingerprints(self, mailbox: MailboxName, names: Iterable[UniqueName]) -> dict[UniqueName, Fingerprint]:
        found = {}
        for name in names:
            with suppress(MessageError):
                self.hears(f"read {mailbox} {name}")
                found[name] = fingerprint(self._file(mailbox, name).octets)
        return found

    def examine(self, mailbox: MailboxName, name: UniqueName) -> Examined:
        self.hears(f"examine {mailbox} {name}")
        return Examined(f"{mailbox}/{name}", (fingerprint(self._file(mailbox, name).octets),))

    def mend(
        self, mailbox: MailboxName, name: UniqueName, whole: Fingerprint, internaldate: int, body: Iterable[bytes]
    ) -> bool:
        self.hears(f"mend {mailbox} {name}")
        octets, file = b"".join(body), self._file(mailbox, name)
        if fingerprint(octets) != whole:
            return False

        def do() -> None:
            self.attic.append((mailbox, name, file.octets))
            file.octets, file.mtime = octets, internaldate

        self._effect(do, self._directory(mailbox))
        return True

    def outgoing(self, mailbox: MailboxName, name: UniqueName) -> FakeOutgoing:
        self.hears(f"open {mailbox} {name}")
        file = self._file(mailbox, name)
        return FakeOutgoing(name, file.octets, file.mtime)

    def internaldate(self, mailbox: MailboxName, name: UniqueName) -> int:
        self.hears(f"look {mailbox} {name}")
        return self._file(mailbox, name).mtime

    @contextmanager
    def delivery(self, mailbox: MailboxName) -> Iterator["FakeDelivery"]:
        self._directory(mailbox)
        yield FakeDelivery(self, mailbox)

    def advance(self, generation: int) -> None:
        self.generation = generation

    def unique_name(self, mailbox: MailboxName, epoch: Epoch, message: ServerMessage) -> UniqueName:
        return UniqueName(f"{mailbox}!{epoch.uidvalidity}!{message.uid}@{message.internaldate}")

    def own_uid(self, mailbox: MailboxName, epoch: Epoch, name: UniqueName) -> Uid | None:
        start = f"{mailbox}!{epoch.uidvalidity}!"
        rest = name.removeprefix(start).partition("@")[0]
        return Uid(int(rest)) if name.startswith(start) and rest.isdecimal() else None

    def change_flags(self, mailbox: MailboxName, name: UniqueName, change: FlagDelta, said: Flags = NONE) -> None:
        self.hears(f"flags {mailbox} {name}")
        file, directory = self._file(mailbox, name), self._directory(mailbox)
        after = directory.sayable(apply(file.flags, change))
        if after != file.flags:
            self._effect(lambda: setattr(file, "flags", after), directory)

    def move(
        self,
        mailbox: MailboxName,
        name: UniqueName,
        target: MailboxName,
        new_name: UniqueName,
        change: FlagDelta,
        *,
        said: Flags = NONE,
    ) -> None:
        self.hears(f"move {mailbox} {name} {target}")
        file, there = self._file(mailbox, name), self._directory(target)
        flags = there.sayable(apply(file.flags, change))

        def do() -> None:
            there.files[new_name] = StoredFile(file.octets, flags, file.mtime)
            del self.directories[mailbox].files[name]

        self._effect(do, there, self.directories[mailbox])

    def flush(self, mailbox: MailboxName) -> None:
        """Memory is as durable as this fake gets."""

    def remove(self, mailbox: MailboxName, name: UniqueName, said: Flags = NONE) -> None:
        self.hears(f"remove {mailbox} {name}")
        directory = self._directory(mailbox)
        files = directory.files
        if name in files:
            self._effect(lambda: self.attic.append((mailbox, name, files.pop(name).octets)), directory)

    def create(self, mailbox: MailboxName) -> None:
        self.hears(f"create {mailbox}")
        self.mortality.effect(lambda: self.directories.setdefault(mailbox, FakeDirectory()))

    def rename(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        self.mortality.effect(lambda: rename_below(self.directories, mailbox, new_name))

    def delete(self, mailbox: MailboxName) -> None:
        def do() -> None:
            for name, file in self.directories.pop(mailbox, FakeDirectory()).files.items():
                self.attic.append((mailbox, name, file.octets))

        self.mortality.effect(do)

    def _effect(self, do: Callable[[], object], *directories: FakeDirectory) -> None:
        self.mortality.effect(do)
        for directory in directories:
            directory.changed()

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
        self.store.hears(f"deliver {self.mailbox} {name}")
        octets = b"".join(body)
        self.waiting[name] = StoredFile(octets, flags, internaldate)
        return fingerprint(octets)

    def commit(self) -> frozenset[UniqueName]:
        with waiting():
            self.store.hears(f"commit {self.mailbox}")
        directory = self.store._directory(self.mailbox)
        taken = frozenset(self.waiting.keys() & directory.files.keys())
        for name, file in self.waiting.items():
            if name not in directory.files:
                file.flags = directory.sayable(file.flags)
                self.store._effect(lambda name=name, file=file: directory.files.update({name: file}), directory)  # type: ignore[misc]
        self.waiting.clear()
        return taken
