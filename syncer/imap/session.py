"""What one connection knows of its server: capabilities, quirks, mailboxes' epochs, and which mailbox is selected.

What the rest of the session rests on is sent as soon as it is known, together and without waiting: ENABLE and
NAMESPACE, and where the caller will want it the state of every mailbox. Their replies are read when something depends
on them.

UIDs only mean something together with a UIDVALIDITY. Once a mailbox's was told to the caller, by a listing or an
epoch, a selection under another one is refused: the caller's UIDs would hit other messages.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from syncer.errors import MailboxError, ServerRefusedError
from syncer.imap.ahead import Ahead
from syncer.imap.mailboxes import Directory
from syncer.imap.quirks import Quirks
from syncer.imap.responses import Data, Response, Status, names, number
from syncer.imap.selected import Selected, epoch_of, selection
from syncer.imap.wire import Reply, Wire
from syncer.ports import ServerMailbox
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import MailboxName, Uid, UidValidity
from syncer.values import replace

if TYPE_CHECKING:
    from syncer.imap.delta import News

_IMPLIED = frozenset(
    {"UIDPLUS", "MOVE", "UNSELECT", "NAMESPACE", "LITERAL-", "ENABLE", "ESEARCH", "LIST-EXTENDED", "LIST-STATUS"}
)
"""What IMAP4rev2 contains (RFC 9051 appendix E), as far as we use it."""
_ENABLED = frozenset({"CONDSTORE", "QRESYNC"})
"""What we enable."""


class Session:
    """The state of a logged-in connection."""

    def __init__(self, wire: Wire, quirks: Quirks, capabilities: frozenset[str], *, early: bool = False) -> None:
        """`capabilities` as `known_capabilities` gives them; `early`: see `connect`."""
        self.wire = wire
        self.quirks = quirks
        self.capabilities = capabilities - quirks.distrusted
        self.validities: dict[MailboxName, UidValidity] = {}
        self._selected: Selected | None = None
        self._enabled: set[str] = set()
        self._enabling = self._enable()
        self._tells_uidnext = quirks.select_uidnext
        self.directory = Directory(wire, self.capabilities, self._items())
        if early:
            self.directory.ask()
        wire.observe = self._hear
        wire.literal_plus = "LITERAL+" in self.capabilities
        wire.literal_minus = "LITERAL-" in self.capabilities

    @property
    def has_modseqs(self) -> bool:
        """HIGHESTMODSEQ means something here (RFC 7162); some servers send one without."""
        return bool(self.capabilities & {"CONDSTORE", "QRESYNC"})

    @property
    def qresync(self) -> bool:
        """The server said that it enabled QRESYNC (RFC 5161 section 3.2); asking for it is not enough."""
        self._enable_answered()
        return "QRESYNC" in self._enabled & self.capabilities

    def compress(self) -> bytes:
        """Send COMPRESS as the last of what the session begins with; returns the tag.

        Nothing may be sent until the reply is there (RFC 4978 section 3).
        """
        tag = self.wire.send(b"COMPRESS DEFLATE")
        self.directory.confirm()
        return tag

    def begun(self) -> bool:
        """Wait for the replies to what the session began with; False if the server refused any of it."""
        enabled, directory = self._enable_answered(), self.directory.begun()
        return enabled and directory

    def mailboxes(self, *, counters: bool) -> tuple[ServerMailbox, ...]:
        """See `Server.mailboxes`. STATUS is not for the selected mailbox (RFC 9051 section 6.3.11)."""
        if counters and self._selected is not None and "UNSELECT" in self.capabilities:
            self._selected = None
            self.wire.send(b"UNSELECT")
        found = self.directory.mailboxes(counters=counters)
        stale = self._selected.mailbox if self._selected is not None else None
        return tuple(replace(each, cursor=None) if each.name == stale else each for each in found)

    def select(
        self,
        mailbox: MailboxName,
        *,
        afresh: bool = False,
        new_epoch: bool = False,
        news: "News | None" = None,
        ahead: Ahead | None = None,
    ) -> Selected:
        """The mailbox's selection: the one that stands, or a new one. `new_epoch`: whatever its UIDVALIDITY.

        `news` collects what the server tells of the time since its cursor, where it can (QRESYNC). `ahead` is sent in
        the same flight, unless the selection stands or something speaks against it.

        Raises:
            NoSuchMailboxError: there is no such mailbox.
            MailboxError: it cannot be selected, has no UIDVALIDITY, or not the one that the caller knows.
        """
        before = self._selected
        if not afresh and before is not None and before.mailbox == mailbox:
            self.check(before)
            return before
        self._selected = None
        select = self._send_select(mailbox, news)
        count = self._send_count(mailbox)
        if ahead is not None and (count is not None or self._tells_uidnext):
            ahead.send()
        try:
            return self._take_in(mailbox, self._selection(select, news), count, before, ahead, new_epoch=new_epoch)
        except MailboxError:
            if ahead is not None:
                ahead.drop()
            raise

    def _take_in(
        self,
        mailbox: MailboxName,
        reply: Reply,
        count: bytes | None,
        before: Selected | None,
        ahead: Ahead | None,
        *,
        new_epoch: bool,
    ) -> Selected:
        """The selection that a reply to SELECT makes; `count` is the tag of the STATUS that followed."""
        counted = self.wire.collect(count) if count is not None else None
        selected = selection(mailbox, reply.untagged, reply.status, modseqs=self.has_modseqs) if reply.ok else None
        if selected is None:
            if ahead is not None:
                ahead.drop()
            if not reply.ok:
                raise self.directory.refusal(mailbox, reply.status, "SELECT")
            self.leave()
            raise self._no_uidvalidity(mailbox)
        selected.qresync = "QRESYNC" in self._enabled & self.capabilities
        self._selected = selected
        if selected.epoch.uidnext is None:
            self._tells_uidnext = False
            if counted is None and ahead is not None:
                # What it answers may be newer than the UIDNEXT that STATUS is going to tell.
                ahead.drop()
            items = (
                self.directory.status(mailbox, b"(UIDNEXT)")
                if counted is None
                else self.directory.counted(mailbox, counted)
            )
            uidnext = number(items.get("UIDNEXT"))
            selected.epoch = replace(selected.epoch, uidnext=Uid(uidnext) if uidnext else None)
        known = self.validities.setdefault(mailbox, selected.epoch.uidvalidity)
        if known != selected.epoch.uidvalidity:
            selected.stale = not new_epoch
            self.check(selected)
            self.validities[mailbox] = selected.epoch.uidvalidity
        elif before is not None and before.mailbox == mailbox:
            selected.sizes = before.sizes
        return selected

    def standing(self, mailbox: MailboxName) -> Selected | None:
        """The selection, if it is of this mailbox."""
        return self._selected if self._selected is not None and self._selected.mailbox == mailbox else None

    def expect(self, mailbox: MailboxName, uidvalidity: UidValidity) -> None:
        """The caller's UIDs are of this UIDVALIDITY, whoever listed them."""
        self.validities[mailbox] = uidvalidity
        if self._selected is not None and self._selected.mailbox == mailbox:
            self._selected.stale |= self._selected.epoch.uidvalidity != uidvalidity

    def check(self, selected: Selected) -> None:
        """Raise MailboxError if the mailbox is not the one any more that the caller knows."""
        if selected.stale:
            self._selected = None
            self.validities.pop(selected.mailbox, None)
            raise MailboxError(
                f"{self.wire.where}: mailbox {selected.mailbox!r} was replaced on the server meanwhile"
                " (another UIDVALIDITY); sync again"
            )

    def leave(self) -> None:
        """Have no mailbox selected that matters, without CLOSE, which would expunge."""
        self._selected = None
        self.wire.run(b"UNSELECT" if "UNSELECT" in self.capabilities else b"EXAMINE INBOX")

    def epoch(self, mailbox: MailboxName) -> Epoch:
        """The counters, by STATUS, and by SELECT for the selected mailbox, which STATUS is not for (RFC 9051 6.3.11).

        The UIDVALIDITY that a listing told stays the one that is insisted on: only a listing shows the caller new UIDs.
        """
        if self._selected is not None and self._selected.mailbox == mailbox:
            return self.select(mailbox, afresh=True).epoch
        epoch = epoch_of(self.directory.status(mailbox, b"(" + self._items() + b")"), modseqs=self.has_modseqs)
        if epoch is None:
            raise self._no_uidvalidity(mailbox)
        self.validities.setdefault(mailbox, epoch.uidvalidity)
        return epoch

    def append_limit(self) -> int | None:
        """APPENDLIMIT's number, where the server tells one for all mailboxes (RFC 7889)."""
        values = (name.removeprefix("APPENDLIMIT=") for name in self.capabilities if name.startswith("APPENDLIMIT="))
        return next((limit for value in values if (limit := number(value.encode())) is not None), None)

    def refused(self, mailbox: MailboxName, status: Status, command: str) -> ServerRefusedError:
        """The server's NO or BAD to a command about messages."""
        return ServerRefusedError(
            f"{self.wire.where}: mailbox {mailbox!r}: the server refused {command}: {status.words}"
        )

    def _enable(self) -> bytes | None:
        """Both in one command; iCloud tells HIGHESTMODSEQ only after an ENABLE that names CONDSTORE."""
        wanted = [name for name in sorted(_ENABLED) if name in self.capabilities]
        if not wanted or "ENABLE" not in self.capabilities:
            return None
        return self.wire.send(b"ENABLE", *(name.encode() for name in wanted))

    def _enable_answered(self) -> bool:
        tag, self._enabling = self._enabling, None
        return tag is None or self.wire.wait(tag).kind == "OK"

    def _items(self) -> bytes:
        """The counters to ask for with STATUS."""
        items = b"UIDVALIDITY UIDNEXT"
        items += b" HIGHESTMODSEQ" if self.has_modseqs else b""
        return items + (b" MAILBOXID" if "OBJECTID" in self.capabilities and self.quirks.status_mailboxid else b"")

    def _send_select(self, mailbox: MailboxName, news: "News | None") -> bytes:
        name = self.directory.argument(mailbox)
        if news is None or not self.qresync:
            return self.wire.send(b"SELECT", name, *((b"(CONDSTORE)",) if self.has_modseqs else ()))
        epoch = news.since.epoch
        known = b"(QRESYNC (%d %d))" % (epoch.uidvalidity, epoch.highestmodseq or 1)
        return self.wire.send(b"SELECT", name, known)

    def _send_count(self, mailbox: MailboxName) -> bytes | None:
        """Ask for UIDNEXT where SELECT does not tell it, if that can be asked without waiting."""
        name = self.directory.argument(mailbox)
        if self._tells_uidnext or not isinstance(name, bytes):
            return None
        return self.wire.send(b"STATUS", name, b"(UIDNEXT)")

    def _selection(self, tag: bytes, news: "News | None") -> Reply:
        if news is None or not self.qresync:
            return self.wire.collect(tag)
        reply = self.wire.collect(tag, line=news.line)
        news.hear(reply.untagged)
        return reply

    def _hear(self, response: Response) -> None:
        if isinstance(response, Data) and response.kind == "ENABLED":
            enabled = {name.decode("ascii", "replace").upper() for name in names(list(response.values))}
            self._enabled |= enabled & _ENABLED
        self.directory.hear(response)
        if self._selected is not None:
            self._selected.hear(response)

    def _no_uidvalidity(self, mailbox: MailboxName) -> MailboxError:
        return MailboxError(
            f"{self.wire.where}: mailbox {mailbox!r} has no UIDVALIDITY, so its UIDs mean nothing"
            " from one session to the next; it cannot be synchronised"
        )


def known_capabilities(told: Iterable[str]) -> frozenset[str]:
    """What the server told after the log-in, with what that implies."""
    known = frozenset(told)
    return known | _IMPLIED if "IMAP4REV2" in known else known
