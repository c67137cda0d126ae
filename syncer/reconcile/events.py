"""What was done, for the journal: values that say to which messages, on which side, and why. Pure."""

from collections.abc import Sequence
from typing import Literal, get_args

from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.values import Struct

Verb = Literal[
    "downloaded",
    "uploaded",
    "recognised",
    "flags received",
    "flags sent",
    "moved in the Maildir",
    "moved on the server",
    "removed from the Maildir",
    "deleted on the server",
    "moved to the trash",
    "forgotten",
    "renumbered",
]
VERBS: tuple[Verb, ...] = get_args(Verb)


class Event(Struct, frozen=True):
    """One thing that was done to some messages of a mailbox, for one reason."""

    mailbox: MailboxName
    verb: Verb
    reason: str
    """What was observed, on which side."""
    uids: Sequence[Uid] = ()
    """Under UIDVALIDITY of the mailbox at that time; as many as there are `names`, if both are told."""
    names: Sequence[UniqueName] = ()
    detail: str = ""
    """The flags that were changed, or the mailbox on the other end of a move."""


class Told(Struct, frozen=True):
    """An event as the journal has it."""

    run: int
    """The number of the pass."""
    at: int
    """Seconds since the epoch."""
    mailbox: MailboxName
    verb: str
    reason: str
    detail: str
    count: int
    uids: str
    """A sequence set; empty where they were not told."""
    names: tuple[UniqueName, ...]


def ranges_text(uids: Sequence[Uid]) -> str:
    """Ascending UIDs as a sequence set (RFC 9051 section 9): `1:5,9`."""
    parts: list[str] = []
    first = last = 0
    for uid in uids:
        if last and uid == last + 1:
            last = uid
            continue
        if last:
            parts.append(f"{first}:{last}" if last > first else str(first))
        first = last = uid
    if last:
        parts.append(f"{first}:{last}" if last > first else str(first))
    return ",".join(parts)


def within(uid: Uid, text: str) -> bool:
    """Whether a sequence set that `ranges_text` made holds `uid`."""
    for part in text.split(",") if text else ():
        first, _, last = part.partition(":")
        if int(first) <= uid <= int(last or first):
            return True
    return False
