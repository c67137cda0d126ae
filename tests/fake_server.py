"""The Server port in memory: `FakeAccount` is what the server holds, `FakeServer` a connection to it.

It keeps the preconditions of the real one and passes the same contract suite. What a test wants to go wrong it raises
in `FakeAccount.hears`.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from mortality import Mortality

from syncer.errors import MailboxError, NoSuchMailboxError, ServerRefusedError, VanishedError
from syncer.ports import Appended, Fetched, Outgoing, ServerMailbox, Standing
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import DELETED, SYSTEM, FlagDelta, Flags, apply
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity
from syncer.reconcile.observations import Fingerprint, ServerDelta, ServerListing, ServerMessage

T = TypeVar("T")

CHUNK = 64 * 1024
KEYWORD = re.compile(r"""[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]+""")
"""`flag-keyword` (RFC 9051 section 9): an atom."""


def digest(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()[:16]


def fingerprint(octets: bytes) -> Fingerprint:
    """The fingerprint of a message in the server's form."""
    end = octets.find(b"\r\n\r\n")
    header = octets[:2] if octets.startswith(b"\r\n") else octets if end < 0 else octets[: end + 4]
    return Fingerprint(len(octets), digest(header), digest(octets))


def by_name(names: Iterable[MailboxName]) -> tuple[MailboxName, ...]:
    return tuple(sorted(names, key=lambda name: (name != INBOX, name)))


def chunks(octets: bytes) -> Iterator[bytes]:
    return (octets[place : place + CHUNK] for place in range(0, len(octets), CHUNK))


def runs(uids: Iterable[Uid]) -> tuple[tuple[Uid, Uid], ...]:
    """Inclusive ascending ranges."""
    found: list[tuple[Uid, Uid]] = []
    for uid in sorted(uids):
        if found and uid == found[-1][1] + 1:
            found[-1] = (found[-1][0], uid)
        else:
            found.append((uid, uid))
    return tuple(found)


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
    modseq: int = field(default=1, compare=False)
    messages: dict[Uid, StoredMessage] = field(default_factory=dict)
    complete: bool = True
    writable: bool = True
    storable: Flags = SYSTEM
    any_keyword: bool = True
    mailbox_id: str | None = None
    history: dict[Uid, tuple[int, Flags | None]] = field(default_factory=dict, compare=False)
    """For every UID there ever was the modseq of its last change, and the flags since; None once it is gone."""

    def settle(self) -> None:
        """Give a modseq to whatever changed since the last time, however it was changed."""
        now = {uid: message.flags for uid, message in self.messages.items()}
        before = {uid: flags for uid, (_, flags) in self.history.items() if flags is not None}
        changed = {uid for uid in now.keys() | before.keys() if now.get(uid) != before.get(uid)}
        if changed:
            self.modseq += 1
            self.history.update({uid: (self.modseq, now.get(uid)) for uid in changed})

    def add(self, message: StoredMessage) -> Uid:
        uid = Uid(self.uidnext)
        self.uidnext += 1
        self.messages[uid] = message
        self.settle()
        return uid


@dataclass
class FakeAccount:
    """What the server holds. The switches take away what not every server has."""

    mailboxes: dict[MailboxName, FakeMailbox] = field(default_factory=dict)
    uidplus: bool = True
    atomic_move: bool = True
    tells_uids: bool = True
    """With UIDPLUS: APPENDUID and COPYUID are told (a mailbox may be UIDNOTSTICKY, RFC 4315 section 3)."""
    moves_at_most: int | None = None
    """So many messages are moved by one command, and the others are left where they are."""
    email_ids: bool = False
    special: dict[MailboxName, str] = field(default_factory=dict)
    unlisted: set[MailboxName] = field(default_factory=set)
    """Mailboxes that are there and that LIST leaves out."""
    rung: Literal["qresync", "condstore", "plain"] = "qresync"
    """How much it tells of what changed."""
    hears: Callable[[str], object] = lambda command: None
    """Told every command before it takes effect, and `done COMMAND` after it. What it raises, the client sees."""
    mortality: Mortality = field(default_factory=Mortality)
    _validity: Iterator[int] = field(default_factory=lambda: itertools.count(1000))

    def __post_init__(self) -> None:
        self.create(INBOX)

    def create(self, mailbox: MailboxName) -> FakeMailbox:
        return self.mailboxes.setdefault(mailbox, FakeMailbox(UidValidity(next(self._validity))))

    def deliver(
        self, mailbox: MailboxName, octets: bytes, flags: Flags = frozenset(), internaldate: int = 1_000_000_000
    ) -> Uid:
        return self.create(mailbox).add(StoredMessage(octets, flags, internaldate, self.email_id(octets)))

    def email_id(self, octets: bytes) -> str | None:
        return hashlib.sha256(octets).hexdigest() if self.email_ids else None


class FakeServer:
    """A connection to a FakeAccount."""

    def __init__(self, account: FakeAccount) -> None:
        self.account = account
        self.expected: dict[MailboxName, UidValidity] = {}
        self.selected: MailboxName | None = None

    @property
    def capabilities(self) -> frozenset[str]:
        have = {"UIDPLUS": self.account.uidplus, "MOVE": self.account.atomic_move, "OBJECTID": self.account.email_ids}
        return frozenset({"IMAP4REV1", *(name for name, there in have.items() if there)})

    def mailboxes(self, *, counters: bool = False) -> tuple[ServerMailbox, ...]:
        self.account.hears("LIST")
        names = by_name(self.account.mailboxes.keys() - self.account.unlisted)
        return tuple(
            ServerMailbox(name, self.account.special.get(name), self._cursor(name) if counters else None)
            for name in names
        )

    def exists(self, mailbox: MailboxName) -> bool:
        self.account.hears(f"STATUS {mailbox}")
        return mailbox in self.account.mailboxes

    def epoch(self, mailbox: MailboxName) -> Epoch:
        self.account.hears(f"STATUS {mailbox}")
        return self._cursor(mailbox).epoch

    def expect(self, mailbox: MailboxName, uidvalidity: UidValidity) -> None:
        self.expected[mailbox] = uidvalidity

    def create(self, mailbox: MailboxName) -> None:
        self._effect(f"CREATE {mailbox}", lambda: self.account.create(mailbox))

    def rename(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        if new_name in self.account.mailboxes:
            raise MailboxError(f"{new_name} exists")
        self._box(mailbox)
        self._effect(f"RENAME {mailbox} {new_name}", lambda: rename_below(self.account.mailboxes, mailbox, new_name))

    def delete(self, mailbox: MailboxName) -> None:
        self._effect(f"DELETE {mailbox}", lambda: self.account.mailboxes.pop(mailbox, None))

    def listing(self, mailbox: MailboxName, *, describe: bool = False) -> ServerListing:
        self.account.hears(f"SELECT {mailbox}")
        box = self._any(mailbox)
        self.selected = mailbox
        self.expected[mailbox] = box.uidvalidity
        flags = {uid: message.flags for uid, message in box.messages.items()}
        now = self._cursor(mailbox)
        return ServerListing(
            now.epoch, flags, box.complete, box.writable, box.storable, box.any_keyword, messages=now.messages
        )

    def changes(self, mailbox: MailboxName, since: Cursor, likely: Collection[Uid] = ()) -> ServerDelta | None:
        if self.account.rung == "plain" or since.epoch.highestmodseq is None:
            return None
        self.account.hears(f"CHANGES {mailbox}")
        self.selected = mailbox
        box, now = self._any(mailbox), self._cursor(mailbox)
        self.expected[mailbox] = since.epoch.uidvalidity
        if since.epoch.uidvalidity != box.uidvalidity or since.epoch.mailbox_id not in (None, box.mailbox_id):
            return None
        if since.epoch.highestmodseq > box.modseq or (since.epoch.uidnext or 0) > box.uidnext or not box.complete:
            return None
        later = {uid: flags for uid, (modseq, flags) in box.history.items() if modseq > since.epoch.highestmodseq}
        gone = runs(uid for uid, flags in later.items() if flags is None)
        return ServerDelta(
            now,
            {uid: flags for uid, flags in later.items() if flags is not None},
            gone if self.account.rung == "qresync" or not gone else None,
            box.writable,
            box.storable,
            box.any_keyword,
        )

    def standing(self, mailbox: MailboxName) -> Standing | None:
        box = self.account.mailboxes.get(mailbox)
        if box is None or self.selected != mailbox:
            return None
        return Standing(box.writable, box.storable, box.any_keyword)

    def present(self, mailbox: MailboxName) -> tuple[tuple[Uid, Uid], ...] | None:
        self.account.hears(f"SEARCH {mailbox}")
        box = self._box(mailbox)
        return runs(box.messages) if box.complete else None

    def describe(self, mailbox: MailboxName, uids: Collection[Uid]) -> tuple[ServerMessage, ...]:
        messages = self._box(mailbox).messages
        return tuple(
            ServerMessage(uid, m.flags, len(m.octets), m.internaldate, m.email_id)
            for uid in sorted(uids)
            if (m := messages.get(uid)) is not None
        )

    def headers(self, mailbox: MailboxName, uids: Collection[Uid]) -> Mapping[Uid, bytes]:
        if uids:
            self.account.hears(f"HEADERS {mailbox} {','.join(map(str, sorted(uids)))}")
        messages = self._box(mailbox).messages
        return {uid: fingerprint(messages[uid].octets).header for uid in uids if uid in messages}

    def fetch(self, mailbox: MailboxName, uids: Sequence[Uid]) -> Iterator[Fetched]:
        for uid in uids:
            if self.account.hears(f"FETCH {mailbox} {uid}") == "withhold":
                continue
            message = self._box(mailbox).messages.get(uid)
            if message is not None:
                octets = message.octets
                yield Fetched(uid, message.flags, message.internaldate, len(octets), chunks(octets))

    def append(self, mailbox: MailboxName, messages: Iterable[tuple[Outgoing, Flags]]) -> Iterator[Appended]:
        box = self._any(mailbox)
        for outgoing, flags in messages:
            try:
                octets = b"".join(outgoing.chunks())
                self._check(octets, flags)
                stored = StoredMessage(octets, flags, outgoing.internaldate, self.account.email_id(octets))
                uid = self._effect(f"APPEND {mailbox} {outgoing.name}", lambda stored=stored: box.add(stored))  # type: ignore[misc]
            except (ServerRefusedError, VanishedError) as error:
                yield Appended(outgoing.name, refused=str(error))
            else:
                yield Appended(outgoing.name, uid if self.account.tells_uids and self.account.uidplus else None)

    def store(self, mailbox: MailboxName, changes: Iterable[tuple[Collection[Uid], FlagDelta]]) -> list[str | None]:
        box = self._box(mailbox)
        return [self._store(mailbox, box, uids, change) for uids, change in changes]

    def _store(self, mailbox: MailboxName, box: FakeMailbox, uids: Collection[Uid], change: FlagDelta) -> str | None:
        def do() -> None:
            for uid in uids:
                if uid in box.messages:
                    box.messages[uid].flags = apply(box.messages[uid].flags, change)
            box.settle()

        try:
            self._check(b"any", change.add | change.remove)
            if uids and change:
                self._effect(f"STORE {mailbox} {change}", do)
        except ServerRefusedError as error:
            return str(error)
        return None

    def expunge(self, mailbox: MailboxName, uids: Collection[Uid]) -> bool:
        (refused,) = self.store(mailbox, [(uids, FlagDelta(add=frozenset({DELETED})))])
        if refused is not None:
            raise ServerRefusedError(refused)
        if self.account.uidplus and uids:
            self._effect(f"EXPUNGE {mailbox}", lambda: self._take(mailbox, uids))
        return self.account.uidplus

    def move(self, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName) -> Mapping[Uid, Uid]:
        if not uids:
            return {}
        box, there = self._box(mailbox), self._box(target)

        def copy() -> dict[Uid, Uid]:
            able = [uid for uid in sorted(uids) if uid in box.messages][: self.account.moves_at_most]
            return {uid: there.add(replace(box.messages[uid])) for uid in able}

        def at_once() -> dict[Uid, Uid]:
            landed = copy()
            self._take(mailbox, landed)
            return landed

        if self.account.atomic_move:
            landed = self._effect(f"MOVE {mailbox} {target}", at_once)
        else:
            landed = self._effect(f"COPY {mailbox} {target}", copy)
            self.expunge(mailbox, landed)
        return landed if self.account.tells_uids and self.account.uidplus else {}

    def noop(self) -> None:
        self.account.hears("NOOP")

    def close(self) -> None:
        """There is nothing to close."""

    @staticmethod
    def _check(octets: bytes, flags: Flags) -> None:
        if not octets:
            raise ServerRefusedError("an empty message is not appended")
        for flag in flags:
            if flag not in SYSTEM and not KEYWORD.fullmatch(flag):
                raise ServerRefusedError(f"{flag!r} is not a flag")

    def _take(self, mailbox: MailboxName, uids: Collection[Uid]) -> None:
        box = self._box(mailbox)
        for uid in uids:
            box.messages.pop(uid, None)
        box.settle()

    def _cursor(self, mailbox: MailboxName) -> Cursor:
        box = self._any(mailbox)
        box.settle()
        modseq = ModSeq(box.modseq) if self.account.rung != "plain" else None
        return Cursor(Epoch(box.uidvalidity, Uid(box.uidnext), modseq, box.mailbox_id), len(box.messages))

    def _any(self, mailbox: MailboxName) -> FakeMailbox:
        if mailbox not in self.account.mailboxes:
            raise NoSuchMailboxError(f"there is no mailbox {mailbox} on the server")
        return self.account.mailboxes[mailbox]

    def _box(self, mailbox: MailboxName) -> FakeMailbox:
        box = self._any(mailbox)
        if self.expected.get(mailbox, box.uidvalidity) != box.uidvalidity:
            raise MailboxError(f"mailbox {mailbox} was replaced on the server; sync again")
        return box

    def _effect(self, command: str, do: Callable[[], T]) -> T:
        self.account.hears(command)
        result = self.account.mortality.effect(do)
        self.account.hears(f"done {command}")
        return result


def rename_below(boxes: dict[MailboxName, T], mailbox: MailboxName, new_name: MailboxName) -> None:
    """Rename a mailbox and those below it."""
    moved = [name for name in boxes if name == mailbox or name.startswith(f"{mailbox}/")]
    taken = {MailboxName(new_name + name[len(mailbox) :]): boxes.pop(name) for name in moved}
    boxes.update(taken)
