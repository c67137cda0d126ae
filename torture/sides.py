"""Three sides in memory for T1: a server, a Maildir and an index, as lean as millions of histories need them.

Contents are numbers. A look makes of them the observations that `syncer.observer` makes of real sides, with the same
pure functions; it may be told to miss something, as an incomplete listing or a disturbed scan does.
"""

from collections.abc import Collection, Mapping
from operator import attrgetter
from typing import Final

from syncer.reconcile.candidates import File as FileKey
from syncer.reconcile.candidates import Message as MessageKey
from syncer.reconcile.comparing import differing, listed_changes, local_changes, observe
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.flags import ANSWERED, DELETED, FLAGGED, FORWARDED, SEEN, SYSTEM, Flags
from syncer.reconcile.identity import INBOX, MailboxName, Side, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import (
    Fingerprint,
    Intent,
    Letters,
    LocalListing,
    LocalMessage,
    Observation,
    Pair,
    PairState,
    ServerListing,
    ServerMessage,
)
from syncer.reconcile.policy import Policy
from syncer.values import Struct, field, replace

NAMES: Final = (INBOX, MailboxName("Work"), MailboxName("Work/old"))
TRASH: Final = MailboxName("Trash")
TODO, LATER = "todo", "later"
FLAG_SETS: Final[tuple[Flags, ...]] = tuple(
    frozenset(flag for bit, flag in enumerate((SEEN, FLAGGED, ANSWERED, TODO, LATER)) if number >> bit & 1)
    for number in range(32)
)
CONTENTS: Final = tuple(Fingerprint(100 + n % 3, b"header %d" % n, b"content %d" % n) for n in range(200))
"""Many have the same size, so that sizes alone recognise nothing."""

SPOKEN: Final = SYSTEM | {FORWARDED, TODO, LATER}
AMPLE: Final = Letters(frozenset({FORWARDED, TODO, LATER}), frozenset({FORWARDED, TODO, LATER}))
FULL: Final = Letters(frozenset({FORWARDED, TODO}), frozenset({FORWARDED, TODO}), room=False)
"""No letter is left for `later`."""


class Message:
    """A message on the server. `life` says which message it is to a person; the planner does not see it."""

    __slots__ = ("content", "email_id", "flags", "life")

    def __init__(self, content: int, flags: Flags, life: int, email_id: str | None) -> None:
        self.content = content
        self.flags = flags
        self.life = life
        self.email_id = email_id


class File:
    """A message file, with the flags that its name says."""

    __slots__ = ("content", "flags", "life")

    def __init__(self, content: int, flags: Flags, life: int) -> None:
        self.content = content
        self.flags = flags
        self.life = life


class Box:
    """One mailbox on all three sides."""

    __slots__ = (
        "files", "held", "intents", "known", "messages", "name", "pairs", "uidnext", "uidvalidity", "writable",
    )  # fmt: skip

    def __init__(self, name: MailboxName) -> None:
        self.name = name
        self.uidvalidity = 1
        self.uidnext = 1
        self.writable = True
        self.messages: dict[int, Message] = {}
        self.files: dict[UniqueName, File] = {}
        self.pairs: dict[int, Pair] = {}
        self.intents: dict[UniqueName, Intent] = {}
        self.known: Epoch | None = None
        self.held: frozenset[Side] = frozenset()

    def record(self, pair: Pair) -> None:
        """As the index does: a UID and a unique name are in one pair only, and an intent of that name is settled."""
        for uid in [uid for uid, other in self.pairs.items() if other.name == pair.name]:
            del self.pairs[uid]
        self.pairs[pair.uid] = pair
        self.intents.pop(pair.name, None)

    def forget_everything(self) -> None:
        """What deleting the index does."""
        self.pairs.clear()
        self.intents.clear()
        self.known = None
        self.held = frozenset()


class Sides(Struct):
    """An account, and what its server and its settings can do."""

    boxes: dict[MailboxName, Box]
    policy: Policy
    uidplus: bool = True
    tells_uids: bool = True
    atomic_move: bool = True
    email_ids: bool = False
    any_keyword: bool = True
    letters: Letters = AMPLE
    deletions: dict[tuple[MailboxName, str], int] = field(default_factory=dict)
    """What syncs deleted today, by mailbox and side."""
    own: dict[UniqueName, tuple[MailboxName, int, int]] = field(default_factory=dict)
    """The mailbox, UIDVALIDITY and UID in the unique names that the program has made."""
    look_again: bool = False
    _made: int = 0

    @property
    def regular(self) -> bool:
        """Nothing keeps one side from becoming like the other."""
        return self.policy.direction == "both" and all(box.writable for box in self.boxes.values())

    @property
    def says_all(self) -> bool:
        """Both sides can hold every flag."""
        return self.any_keyword and self.letters.room

    def number(self) -> int:
        """Another one each time, for names."""
        self._made += 1
        return self._made

    def arrive(self, box: Box, content: int, flags: Flags, life: int, email_id: str | None = None) -> int:
        """Put a message into a mailbox of the server; its UID."""
        uid = box.uidnext
        box.uidnext += 1
        if self.email_ids and email_id is None:
            email_id = f"E{self.number()}"
        box.messages[uid] = Message(content, self.storable(flags), life, email_id)
        return uid

    def storable(self, flags: Flags) -> Flags:
        """What the server can hold of flags."""
        return flags if self.any_keyword else flags & SYSTEM

    def sayable(self, flags: Flags) -> Flags:
        """What a file's name can say of flags."""
        return flags if self.letters.room else flags - {LATER}

    def own_name(self, box: Box, uid: int) -> UniqueName:
        """The unique name that is derived from mailbox, UIDVALIDITY and UID."""
        name = UniqueName(f"{box.name}!{box.uidvalidity}!{uid}")
        self.own[name] = (box.name, box.uidvalidity, uid)
        return name


class Sight(Struct):
    """What a look at one mailbox does not see; None: it is complete."""

    uids: Collection[int] | None = None
    names: Collection[UniqueName] | None = None


COMPLETE: Final = Sight()


def look(sides: Sides, sights: Mapping[MailboxName, Sight], only: MailboxName | None = None) -> list[Observation]:
    """Observe every mailbox or `only` one."""
    chosen = sides.boxes.values() if only is None else [sides.boxes[only]]
    seen = [_observe(sides, box, sights.get(box.name, COMPLETE)) for box in chosen]
    if any(o.server.gone or o.local.gone for o in seen):
        seen = [replace(o, total=total(sides.boxes[o.mailbox])) for o in seen]
    return seen


def total(box: Box) -> int:
    """How many messages the index has on both sides."""
    return sum(pair.state is PairState.BOTH for pair in box.pairs.values())


def _observe(sides: Sides, box: Box, sight: Sight) -> Observation:
    epoch = Epoch(UidValidity(box.uidvalidity), Uid(box.uidnext))
    hidden = sight.uids or ()
    listing = ServerListing(
        epoch,
        {Uid(uid): message.flags for uid, message in box.messages.items() if uid not in hidden},
        complete=sight.uids is None,
        writable=box.writable,
        any_keyword=sides.any_keyword,
    )
    differ = differing(listing, {pair.uid: pair.flags for pair in box.pairs.values()})
    known = [box.pairs[uid] for uid in differ if uid in box.pairs]
    server = listed_changes(listing, known, _described(box, differ))
    by_name = {pair.name: pair for pair in box.pairs.values()}
    found = _scan(sides, box, by_name, sight.names)
    named = [by_name[name] for name in (*found.messages, *found.absent) if name in by_name]
    local = local_changes(found, named)
    own = {m.name: Uid(uid) for m in local.new if (uid := own_uid(sides, box, m.name))}
    observation = observe(
        box.name,
        server,
        local,
        sorted({pair.uid: pair for pair in (*known, *named)}.values(), key=attrgetter("uid")),
        known=_not_before(box),
        held=box.held,
        intents=tuple(box.intents.values()) if local.new or server.new else (),
        own=own,
        deleted_lately={side: sides.deletions.get((box.name, side), 0) for side in ("server", "local")},
    )
    return replace(observation, impostor=_impostor(sides, box, server.gone)) if box.pairs else observation


def _described(box: Box, differ: Collection[Uid]) -> list[ServerMessage]:
    new = sorted(uid for uid in differ if uid not in box.pairs)
    return [
        ServerMessage(uid, message.flags, CONTENTS[message.content].size, message.content, message.email_id)
        for uid in new
        for message in (box.messages[uid],)
    ]


def _scan(
    sides: Sides, box: Box, by_name: Mapping[UniqueName, Pair], hidden: Collection[UniqueName] | None
) -> LocalListing:
    """The files that are not as the index expects them, as `LocalStore.scan` gives them."""
    odd: dict[UniqueName, LocalMessage] = {}
    for name, file in box.files.items():
        if hidden and name in hidden:
            continue
        pair = by_name.get(name)
        if pair is None or pair.state is PairState.SERVER_ONLY or sides.sayable(pair.flags) != file.flags:
            odd[name] = LocalMessage(name, file.flags)
    absent = [
        name
        for name, pair in by_name.items()
        if pair.state is not PairState.SERVER_ONLY and (name not in box.files or (hidden and name in hidden))
    ]
    return LocalListing(odd, hidden is None, sides.letters, absent=frozenset(absent))


def own_uid(sides: Sides, box: Box, name: UniqueName) -> int:
    """The UID in a name that the program made in this mailbox and epoch, else 0."""
    mailbox, uidvalidity, uid = sides.own.get(name, ("", 0, 0))
    return uid if (mailbox, uidvalidity) == (box.name, box.uidvalidity) else 0


def _not_before(box: Box) -> Epoch | None:
    if box.known is None or not box.pairs:
        return box.known
    return replace(box.known, uidnext=Uid(max(box.known.uidnext or 0, *(uid + 1 for uid in box.pairs))))


def _impostor(sides: Sides, box: Box, gone: Collection[Uid]) -> Uid | None:
    """A downloaded message of high UID that is another one now, as the observer samples them."""
    sample = [uid for uid in sorted(box.pairs, reverse=True) if uid not in gone]
    for uid in [uid for uid in sample if own_uid(sides, box, box.pairs[uid].name) == uid][:3]:
        message = box.messages.get(uid)
        if message is not None and CONTENTS[message.content].header != box.pairs[uid].fingerprint.header:
            return Uid(uid)
    return None


def files_of(sides: Sides, wanted: Collection[FileKey]) -> dict[FileKey, Fingerprint]:
    """The fingerprints of files."""
    return {(box, name): CONTENTS[sides.boxes[box].files[name].content] for box, name in wanted}


def headers_of(sides: Sides, wanted: Collection[MessageKey]) -> dict[MessageKey, bytes]:
    """The header blocks' digests of messages."""
    return {(box, uid): CONTENTS[sides.boxes[box].messages[uid].content].header for box, uid in wanted}


def contents_of(sides: Sides, wanted: Collection[MessageKey]) -> dict[MessageKey, bytes]:
    """The digests of whole messages."""
    return {(box, uid): CONTENTS[sides.boxes[box].messages[uid].content].content for box, uid in wanted}


def marked(message: Message) -> bool:
    r"""Whether a message only waits to be expunged: `\Deleted`, on a server without UIDPLUS."""
    return DELETED in message.flags


def shown(sides: Sides) -> str:
    """All three sides, for the story of a case that failed."""
    lines = []
    for box in sides.boxes.values():
        lines.append(f"{box.name} uidnext {box.uidnext} known {box.known} held {set(box.held)} writable {box.writable}")
        lines += [
            f"  server {uid}: content {m.content} life {m.life} {sorted(m.flags)}" for uid, m in box.messages.items()
        ]
        lines += [
            f"  file {name}: content {f.content} life {f.life} {sorted(f.flags)}" for name, f in box.files.items()
        ]
        lines += [
            f"  pair {p.uid} {p.name}: {p.fingerprint.content.decode()} {p.state.name} {sorted(p.flags)}"
            for p in box.pairs.values()
        ]
        lines += [f"  intent {intent}" for intent in box.intents.values()]
    return "\n".join(lines)
