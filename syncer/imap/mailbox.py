"""`ImapServer`: the `Server` port over one connection.

What this module decides: when a mailbox is selected (afresh for every listing, since only then does the server show
what others did, and its counters with it), which extension serves an operation, and what a refusal means. Nothing is
ever sent that could remove a message which was not named: no bare EXPUNGE, no CLOSE, no sequence numbers. What a run
that finds nothing to do does not need is loaded where it is used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from syncer.errors import ConnectionLostError, ProtocolError, ServerRefusedError
from syncer.imap.ahead import Question
from syncer.imap.arguments import flag_list
from syncer.imap.dates import parse_date
from syncer.imap.listing import ALL_FLAGS, FlagSets, list_flags
from syncer.imap.responses import MODSEQ_LINE, Code, Response, Status, number
from syncer.imap.session import Session
from syncer.imap.sets import paired, parse_set, uid_sets
from syncer.imap.wire import Reply
from syncer.later import Later
from syncer.ports import Appended, Fetched, Outgoing, ServerMailbox
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import DELETED, FlagDelta, Flags
from syncer.reconcile.identity import MailboxName, Uid, UidValidity

if TYPE_CHECKING:
    import hashlib

    from syncer.imap import describing
    from syncer.reconcile import observations
    from syncer.reconcile.observations import ServerDelta, ServerListing, ServerMessage
else:
    hashlib, describing = Later("hashlib"), Later("syncer.imap.describing")
    observations = Later("syncer.reconcile.observations")

_HEADER_SIZE = 4096
_UNKNOWN_SIZE = 16_384
_LISTINGS = 2


class ImapServer:
    """One logged-in connection; see `Server`."""

    def __init__(self, session: Session, *, now: Callable[[], float] = time.time, memory: str | None = None) -> None:
        """`now` is for messages whose INTERNALDATE the server does not tell."""
        self.memory = memory
        """What `connect` makes use of the next time; None where there is nothing to keep."""
        self._session = session
        self._wire = session.wire
        self._line = session.quirks.line_octets
        self._now = now
        self._flag_sets = FlagSets()

    @property
    def capabilities(self) -> frozenset[str]:
        """See `Server`."""
        return self._session.capabilities

    def mailboxes(self, *, counters: bool = False) -> tuple[ServerMailbox, ...]:
        """See `Server`."""
        return self._session.mailboxes(counters=counters)

    def exists(self, mailbox: MailboxName) -> bool:
        """See `Server`."""
        return self._session.directory.exists(mailbox)

    def epoch(self, mailbox: MailboxName) -> Epoch:
        """See `Server`."""
        return self._session.epoch(mailbox)

    def expect(self, mailbox: MailboxName, uidvalidity: UidValidity) -> None:
        """See `Server`."""
        self._session.expect(mailbox, uidvalidity)

    def create(self, mailbox: MailboxName) -> None:
        """See `Server`."""
        self._session.directory.create(mailbox)

    def rename(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        """See `Server`."""
        self._session.leave()
        self._session.validities.clear()
        self._session.directory.rename(mailbox, new_name)

    def delete(self, mailbox: MailboxName) -> None:
        """See `Server`."""
        self._session.leave()
        self._session.validities.pop(mailbox, None)
        self._session.directory.delete(mailbox)

    def listing(self, mailbox: MailboxName) -> ServerListing:
        """See `Server`. What is expunged meanwhile makes a listing worthless as proof; it is then made again, once."""
        for _ in range(_LISTINGS):
            question = Question(self._wire, ALL_FLAGS)
            selected = self._session.select(mailbox, afresh=True, new_epoch=True, ahead=question)
            messages = selected.exists
            flags, status = list_flags(self._wire, selected, question, self._flag_sets)
            self._session.check(selected)
            if status is not None and status.kind != "OK" and not flags:
                raise self._session.directory.refusal(mailbox, status, "FETCH")
            done = status is None or status.kind == "OK"
            complete = done and not selected.expunged and len(flags) == selected.exists
            if complete:
                break
        return observations.ServerListing(
            selected.epoch, flags, complete, selected.writable, selected.storable, selected.any_keyword, messages
        )

    def changes(self, mailbox: MailboxName, since: Cursor) -> ServerDelta | None:
        """See `Server`."""
        from syncer.imap.changes import changes  # noqa: PLC0415 - see above

        return changes(self._session, self._flag_sets, mailbox, since)

    def present(self, mailbox: MailboxName) -> tuple[tuple[Uid, Uid], ...] | None:
        """See `Server`."""
        from syncer.imap.changes import present  # noqa: PLC0415 - see above

        return present(self._session, mailbox)

    def describe(self, mailbox: MailboxName, uids: Collection[Uid]) -> tuple[ServerMessage, ...]:
        """See `Server`."""
        if not uids:
            return ()
        found: dict[Uid, ServerMessage | None] = dict.fromkeys(uids)
        items = b"(UID FLAGS INTERNALDATE RFC822.SIZE"
        items += b" EMAILID)" if "OBJECTID" in self.capabilities else b")"
        questions = [Question(self._wire, b"UID FETCH", each, items) for each in uid_sets(found, self._line)]
        selected = self._session.select(mailbox, ahead=questions[0])

        def take(message: ServerMessage | None) -> bool:
            if message is not None and message.uid in found:
                if found[message.uid] is None:
                    self._wire.renew()
                found[message.uid] = message
                selected.sizes[message.uid] = message.size
            return message is not None

        def hear(response: Response) -> None:
            take(describing.described(response, self._flag_sets, self._now))

        def line(text: bytes) -> bool:
            return take(describing.described_by(text, self._flag_sets, self._now))

        for question in questions:
            status = question.wait(hear, line)
            if status.kind != "OK" and not any(found.values()):
                raise self._session.directory.refusal(mailbox, status, "FETCH")
        self._session.check(selected)
        return tuple(message for uid in sorted(found) if (message := found[uid]) is not None)

    def headers(self, mailbox: MailboxName, uids: Collection[Uid]) -> Mapping[Uid, bytes]:
        """See `Server`."""
        if not uids:
            return {}
        from syncer.imap.transfer import Download  # noqa: PLC0415 - see above

        digests: dict[Uid, bytes] = {}
        download = Download(self._wire, sorted(uids), b"(UID BODY.PEEK[HEADER])", lambda _: _HEADER_SIZE, self._line)
        selected = self._session.select(mailbox, ahead=download)
        with closing(download.parts()) as parts:
            for part in parts:
                digest = hashlib.sha256()
                for chunk in part.body:
                    digest.update(chunk)
                digests[part.uid] = digest.digest()[:16]
        self._session.check(selected)
        return digests

    def fetch(self, mailbox: MailboxName, uids: Sequence[Uid]) -> Iterator[Fetched]:
        """See `Server`."""
        if not uids:
            return
        from syncer.imap.transfer import Download  # noqa: PLC0415 - see above

        sizes, items = self._session.sizes(mailbox), b"(UID FLAGS INTERNALDATE BODY.PEEK[])"
        download = Download(self._wire, uids, items, lambda uid: sizes.get(uid, _UNKNOWN_SIZE), self._line)
        selected = self._session.select(mailbox, ahead=download)
        with closing(download.parts()) as parts:
            for part in parts:
                self._session.check(selected)
                date = parse_date(part.date) if part.date is not None else None
                flags = self._flag_sets[part.flags or b""]
                yield Fetched(part.uid, flags, int(self._now()) if date is None else date, part.size, part.body)

    def append(self, mailbox: MailboxName, messages: Iterable[tuple[Outgoing, Flags]]) -> Iterator[Appended]:
        """See `Server`."""
        from syncer.imap.upload import Upload  # noqa: PLC0415 - see above

        known = self._session.validities.get(mailbox)
        target, limit = self._session.directory.argument(mailbox), self._session.append_limit()
        uidnext = (lambda: self._session.epoch(mailbox).uidnext) if "MULTIAPPEND" in self.capabilities else None
        upload = Upload(self._wire, target, limit, lambda validity: known in (None, validity), uidnext)
        with closing(upload.outcomes(messages)) as outcomes:
            yield from outcomes

    def store(self, mailbox: MailboxName, uids: Collection[Uid], change: FlagDelta) -> None:
        """See `Server`."""
        if not uids or not change:
            return
        self._session.select(mailbox)
        for sign, flags in ((b"+", change.add), (b"-", change.remove)):
            if flags:
                self._store(mailbox, uids, sign, flags)

    def expunge(self, mailbox: MailboxName, uids: Collection[Uid]) -> bool:
        """See `Server`."""
        able = "UIDPLUS" in self.capabilities
        if not uids:
            return able
        self._session.select(mailbox)
        self._store(mailbox, uids, b"+", frozenset({DELETED}))
        if able:
            for uid_set in uid_sets(uids, self._line):
                reply = self._wire.run(b"UID EXPUNGE", uid_set)
                if not reply.ok:
                    raise self._session.refused(mailbox, reply.status, "UID EXPUNGE")
        return able

    def move(self, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName) -> Mapping[Uid, Uid]:
        """See `Server`. A server that fails half way is not asked further; what it named until then counts."""
        if not uids:
            return {}
        moving = "MOVE" in self.capabilities
        # A message that this selection does not know yet would be skipped by COPY and hit by the EXPUNGE after it.
        selected = self._session.select(mailbox, afresh=not moving)
        if not selected.writable or not (moving or DELETED.lower() in {flag.lower() for flag in selected.storable}):
            raise ServerRefusedError(f"{self._wire.where}: mailbox {mailbox!r} cannot be changed; nothing was moved")
        command, destination = b"UID MOVE" if moving else b"UID COPY", self._session.directory.argument(target)
        moved: dict[Uid, Uid] = {}
        for place, uid_set in enumerate(uid_sets(uids, self._line)):
            reply = self._wire.run(command, uid_set, destination)
            named = self._copied(reply, uids, target)
            moved.update(named)
            if not reply.ok and not moved and not place:
                if reply.status.has("TRYCREATE", "NONEXISTENT"):
                    raise self._session.directory.refusal(target, reply.status, "MOVE")
                raise self._session.refused(mailbox, reply.status, "MOVE")
            if not reply.ok:
                break
            if not moving:
                self.expunge(mailbox, named.keys() or _within(uid_set, uids))
        return moved

    def close(self) -> None:
        """See `Server`."""
        try:
            if not self._wire.closed:
                self._wire.send(b"LOGOUT")
                self._wire.flush()
        except (ConnectionLostError, ProtocolError):
            return  # then there is nothing to log out of
        finally:
            self._wire.shut("it was closed")

    def _store(self, mailbox: MailboxName, uids: Iterable[Uid], sign: bytes, flags: Flags) -> None:
        try:
            words = flag_list(flags)
        except ValueError as error:
            raise ServerRefusedError(f"{self._wire.where}: mailbox {mailbox!r}: {error}; rename the keyword") from None
        for uid_set in uid_sets(uids, self._line - len(words) if len(words) < self._line // 2 else self._line):
            reply = self._wire.run(b"UID STORE", uid_set, sign + b"FLAGS.SILENT", words, line=_tells_modseq)
            # RFC 2180 section 4.2: servers say NO if some of the messages are gone; the others were changed.
            if not reply.ok and not reply.status.has("EXPUNGEISSUED"):
                raise self._session.refused(mailbox, reply.status, "STORE")

    def _copied(self, reply: Reply, uids: Collection[Uid], target: MailboxName) -> dict[Uid, Uid]:
        """COPYUID, from an untagged OK (RFC 6851 section 4.3) or the tagged reply (RFC 4315 section 3)."""
        moved: dict[Uid, Uid] = {}
        for status in (*reply.untagged, reply.status):
            match status:
                case Status(code=Code("COPYUID", (bytes(validity), bytes(old), bytes(new)))):
                    if self._session.validities.get(target) in (None, number(validity)):
                        moved.update(paired(old, new, uids))
        return moved


def _tells_modseq(line: bytes) -> bool:
    """Whether a line only tells that a message has a new modseq, as one does for each that a STORE has changed."""
    return MODSEQ_LINE.fullmatch(line) is not None


def _within(uid_set: bytes, uids: Iterable[Uid]) -> set[Uid]:
    """The UIDs of a set that was made of `uids`."""
    parts = parse_set(uid_set)
    return {uid for uid in uids if any(low <= uid <= high for low, high in parts)}
