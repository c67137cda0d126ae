"""The selected mailbox: what SELECT said, and what changed since. Pure.

Numbers that a server cannot mean (UIDVALIDITY 0, a HIGHESTMODSEQ of 0 or beyond 63 bits) count as not said.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from syncer.errors import ProtocolError
from syncer.imap.arguments import is_flag
from syncer.imap.responses import Code, Counted, Data, Response, Status, Value, names, number, object_id
from syncer.imap.sets import MAX_UID, amount, parse_set, united
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import SYSTEM, Flags
from syncer.reconcile.identity import MailboxName, ModSeq, Uid, UidValidity
from syncer.values import Struct, field, replace

if TYPE_CHECKING:
    from syncer.reconcile.observations import ServerMessage


class Selected(Struct):
    """One selection. `exists`, `expunged` and `stale` follow what the server says later."""

    mailbox: MailboxName
    epoch: Epoch
    exists: int | None
    writable: bool = True
    storable: Flags = SYSTEM
    any_keyword: bool = True
    qresync: bool = False
    """QRESYNC was enabled: VANISHED may come at any time, and counts."""
    expunged: bool = False
    """Something was expunged since the selection, or since it was last set to False."""
    stale: bool = False
    """The server announced another UIDVALIDITY: nothing known of the mailbox holds any more."""
    sizes: dict[Uid, int] = field(default_factory=dict)
    """RFC822.SIZE of messages that were described, for batches of a good size."""
    described: list[ServerMessage] = field(default_factory=list)
    """Messages that were described before anybody asked; given out once."""
    digests: dict[Uid, bytes] = field(default_factory=dict)
    """The same of headers."""

    def hear(self, response: Response) -> None:
        """Take in an untagged response."""
        match response:
            case Counted("EXISTS", count):
                self.exists = count
            case Counted("EXPUNGE"):
                self.expunged = True
                if self.exists:
                    self.exists -= 1
            case Data("VANISHED", values) if values and not isinstance(values[0], list):
                self.expunged = True
                self.exists = self._without(values[0])
            case Status(code=Code("UIDVALIDITY", values)):
                self.stale = self.stale or _first(values) != self.epoch.uidvalidity

    def _without(self, vanished: Value) -> int | None:
        """EXISTS after VANISHED, with which it is not sent (RFC 7162 section 3.2.10); None where nobody knows."""
        if not self.qresync or self.exists is None or not isinstance(vanished, bytes):
            return None
        try:
            left = self.exists - amount(united(parse_set(vanished)))
        except ProtocolError:
            return None
        return left if left >= 0 else None


def selection(mailbox: MailboxName, untagged: Iterable[Response], tagged: Status, *, modseqs: bool) -> Selected | None:
    """What SELECT answered; None without a UIDVALIDITY. `modseqs`: the server has CONDSTORE."""
    codes: dict[str, tuple[Value, ...]] = {}
    exists: int | None = None
    listed: Value = None
    for response in (*untagged, tagged):
        match response:
            case Status(code=Code("CLOSED")):
                codes, exists, listed = {}, None, None
            case Status(code=Code(name, values)):
                codes[name] = values
            case Counted("EXISTS", count):
                exists = count
            case Data("FLAGS", values):
                listed = values[0] if values else None
    epoch = epoch_of({name: values[0] for name, values in codes.items() if values}, modseqs=modseqs)
    if epoch is None:
        return None
    found = Selected(mailbox, epoch, exists, writable="READ-ONLY" not in codes)
    if "PERMANENTFLAGS" not in codes:
        # RFC 9051 section 7.1: without the code, all flags can be changed permanently.
        return replace(found, storable=SYSTEM | _flags(listed))
    permanent = codes["PERMANENTFLAGS"]
    words = permanent[0] if permanent else None
    return replace(found, storable=_flags(words), any_keyword=b"\\*" in names(words))


def epoch_of(items: dict[str, Value], *, modseqs: bool) -> Epoch | None:
    """The counters in the items of STATUS or the codes of SELECT; None without a UIDVALIDITY."""
    validity, uidnext = number(items.get("UIDVALIDITY")), number(items.get("UIDNEXT"))
    modseq = number(items.get("HIGHESTMODSEQ")) if modseqs else None
    if not validity or validity > MAX_UID:
        return None
    return Epoch(
        UidValidity(validity),
        Uid(uidnext) if uidnext and uidnext <= MAX_UID + 1 else None,
        ModSeq(modseq) if modseq and modseq < 2**63 else None,
        object_id(items.get("MAILBOXID")),
    )


def cursor_of(items: dict[str, Value], *, modseqs: bool) -> Cursor | None:
    """The counters in the items of STATUS; None unless UIDVALIDITY, UIDNEXT and MESSAGES are all there."""
    epoch, messages = epoch_of(items, modseqs=modseqs), number(items.get("MESSAGES"))
    if epoch is None or epoch.uidnext is None or messages is None or messages > MAX_UID:
        return None
    return Cursor(epoch, messages)


def parse_flags(words: Iterable[bytes]) -> Flags:
    r"""Flags as the server spells them, without `\Recent` and whatever does not fit the grammar of flags."""
    return frozenset(flag for word in words if is_flag(flag := word.decode("ascii", "replace")))


def _flags(value: Value) -> Flags:
    return parse_flags(names(value))


def _first(values: tuple[Value, ...]) -> int | None:
    return number(values[0]) if values else None
