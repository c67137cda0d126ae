"""What is asked of the `Server` port in one conversation, step by step, the way in which the engine asks.

A step asks for what the server told before, true or not: UIDs that it listed, mailboxes that it named. Each answer is
shown to a `Witness`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from servers.mail import FIRST_DAY, note

from syncer.errors import ConnectionLostError, MailboxError, MessageError, ProtocolError
from syncer.imap.connection import ServerSettings, connect
from syncer.imap.mailbox import ImapServer
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import FlagDelta
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import Fingerprint
from torture.witness import Witness

HOME, AWAY = MailboxName("Lists/Zürich & Co"), MailboxName("Old mail")
NEW, LATER = MailboxName("New/Box"), MailboxName("Older")
_MOST = 30
"""So many of what a server names are asked about."""


@dataclass(frozen=True)
class Facts:
    """What is known when an errand begins: how HOME looked, and the server."""

    user: str
    validity: int
    uidnext: int | None
    modseq: int | None
    uids: list[int]
    memory: str | None

    @classmethod
    def of_now(cls, settings: ServerSettings) -> "Facts":
        """Look."""
        server = connect(settings)
        server.mailboxes(counters=True)
        listing = server.listing(HOME)
        server.close()
        epoch, uids = listing.epoch, sorted(listing.flags)
        return cls(settings.user, epoch.uidvalidity, epoch.uidnext, epoch.highestmodseq, [*uids], server.memory)

    def as_json(self) -> dict[str, Any]:
        """For `Facts(**raw)`."""
        return asdict(self)

    @property
    def cursor(self) -> Cursor:
        """Up to there everything in HOME is known."""
        uidnext = Uid(self.uidnext) if self.uidnext else None
        modseq = ModSeq(self.modseq) if self.modseq else None
        return Cursor(Epoch(UidValidity(self.validity), uidnext, modseq), len(self.uids))

    def uid(self, place: int) -> Uid:
        """The UID of a message of HOME."""
        return Uid(self.uids[place])


class Letter:
    """A message to be appended; see `Outgoing`."""

    def __init__(self, number: int) -> None:
        """Each number has octets of its own."""
        self.octets = note(f"n{number}", size=2000 * (number % 2))
        self.name = UniqueName(f"{number}.letter")
        self.fingerprint = Fingerprint(len(self.octets), b"", b"")
        self.internaldate = FIRST_DAY

    def chunks(self) -> Iterator[bytes]:
        """In two pieces."""
        half = len(self.octets) // 2
        yield self.octets[:half]
        yield self.octets[half:]


Step = Callable[[ImapServer, Facts, Witness], None]


@dataclass(frozen=True)
class Errand:
    """Steps of one conversation, and what they may change on the server."""

    name: str
    steps: tuple[Step, ...]
    early: bool = False
    """The connection has a memory of the server, and asks for everything at once."""
    changing: bool = False
    """HOME changes between the facts and the errand."""
    large: bool = False
    """One message is larger than what is read at once, on the first of the servers."""
    deletes: tuple[int, ...] = ()
    """Places of the messages of HOME that may be expunged or moved."""
    alters: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Places of those whose flags may be changed, and which."""
    words: frozenset[str] = frozenset()
    """Commands that change something and may be sent."""


def mailboxes(server: ImapServer, facts: Facts, witness: Witness) -> None:
    """Every mailbox, and then the counters of those that should not be there."""
    found = server.mailboxes(counters=True)
    witness.mailboxes(found)
    odd = [each.name for each in found if each.name not in (INBOX, HOME, AWAY, NEW, LATER)][:_MOST]
    for name in odd:
        attempt(lambda name=name: server.epoch(name), server, witness)  # type: ignore[misc]


def describe_home(server: ImapServer, facts: Facts, witness: Witness) -> None:
    """As a first pass does."""
    listing = server.listing(HOME, describe=True)
    witness.listing(listing)
    uids = sorted(listing.flags)[:_MOST]
    witness.described(server.describe(HOME, uids), uids)
    witness.headers(server.headers(HOME, uids[:4]), uids[:4])


def list_home(server: ImapServer, facts: Facts, witness: Witness) -> None:
    """As a full comparison does."""
    listing = server.listing(HOME)
    witness.listing(listing)
    witness.present(server.present(HOME))
    uids = sorted(listing.flags)[:_MOST:2]
    witness.described(server.describe(HOME, uids), uids)


def fetch_home(server: ImapServer, facts: Facts, witness: Witness) -> None:
    """Every body."""
    uids = [Uid(uid) for uid in facts.uids]
    witness.fetched(server.fetch(HOME, uids), uids)


def fetch_some(server: ImapServer, facts: Facts, witness: Witness) -> None:
    """Two bodies, and the caller has enough after the first."""
    messages = server.fetch(HOME, [facts.uid(0), facts.uid(4)])
    witness.fetched(messages, [facts.uid(0), facts.uid(4)], most=1)
    witness.fetched(server.fetch(INBOX, [Uid(1)]), [Uid(1)])


def changes(server: ImapServer, facts: Facts, witness: Witness) -> None:
    """What changed since the facts."""
    likely = [facts.uid(0), facts.uid(3)]
    delta = server.changes(HOME, facts.cursor, likely)
    witness.delta(delta, facts.cursor)
    new = [uid for uid in delta.flags if uid >= (facts.uidnext or 0)][:_MOST] if delta is not None else likely
    witness.described(server.describe(HOME, new), new)
    witness.headers(server.headers(HOME, likely), likely)
    if delta is not None and delta.vanished is None:
        witness.present(server.present(HOME))
    witness.fetched(server.fetch(HOME, new), new)


def append(server: ImapServer, facts: Facts, witness: Witness) -> None:
    """Three messages together, and one alone."""
    server.epoch(AWAY)
    flags = frozenset({"\\Seen", "work"})
    for numbers in ((1, 2, 4), (3,)):
        letters = [Letter(number) for number in numbers]
        witness.appended(server.append(AWAY, [(letter, flags) for letter in letters]), letters)


def store(server: ImapServer, facts: Facts, witness: Witness) -> None:
    """Flags of some messages."""
    server.expect(HOME, UidValidity(facts.validity))
    changed = [facts.uid(place) for place in (0, 1, 3)]
    added, removed = FlagDelta(add=frozenset({"\\Seen", "todo"})), FlagDelta(remove=frozenset({"\\Seen"}))
    witness.stored(server.store(HOME, [(changed, added), ([facts.uid(4)], removed)]))


def expunge(server: ImapServer, facts: Facts, witness: Witness) -> None:
    """One message."""
    witness.expunged(server.expunge(HOME, [facts.uid(1)]))


def move(server: ImapServer, facts: Facts, witness: Witness) -> None:
    """Two messages."""
    uids = [facts.uid(5), facts.uid(6)]
    witness.moved(server.move(HOME, uids, AWAY), uids)


def make_mailboxes(server: ImapServer, facts: Facts, witness: Witness) -> None:
    """Create, rename and delete."""
    attempt(lambda: server.create(NEW), server, witness)
    attempt(lambda: server.exists(NEW), server, witness)
    attempt(lambda: server.epoch(HOME), server, witness)
    attempt(lambda: server.rename(AWAY, LATER), server, witness)
    attempt(lambda: server.delete(NEW), server, witness)


ERRANDS = (
    Errand("first pass", (mailboxes, describe_home, fetch_home)),
    Errand("bodies", (fetch_home, fetch_some), large=True),
    Errand("comparison", (mailboxes, list_home), early=True),
    Errand("changes", (mailboxes, changes), early=True, changing=True),
    Errand("uploads", (mailboxes, append), early=True, words=frozenset({"APPEND"})),
    Errand(
        "alterations",
        (store, expunge, move),
        deletes=(1, 5, 6),
        alters={place: frozenset({"\\Seen", "todo"}) for place in (0, 1, 3, 4)},
        words=frozenset({"UID STORE", "UID EXPUNGE", "UID MOVE", "UID COPY"}),
    ),
    Errand(
        "mailboxes",
        (mailboxes, make_mailboxes, mailboxes),
        words=frozenset({"CREATE", "RENAME", "DELETE", "SUBSCRIBE", "UNSUBSCRIBE"}),
    ),
)


def attempt(act: Callable[[], object], server: ImapServer, witness: Witness) -> None:
    """Do it; a refusal is an answer."""
    try:
        act()
    except (MailboxError, MessageError) as error:
        witness.refused(server, error)


def perform(errand: Errand, server: ImapServer, facts: Facts, witness: Witness) -> None:
    """Do every step, until the connection is lost."""
    try:
        for step in errand.steps:
            attempt(lambda step=step: step(server, facts, witness), server, witness)  # type: ignore[misc]
    except (ConnectionLostError, ProtocolError) as error:
        witness.lost(server, error)
