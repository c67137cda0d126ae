"""`ImapServer`: the `Server` port over one connection.

What this module decides: when a mailbox is selected (afresh for every listing, since only then does the server show
what others did, and its counters with it), which extension serves an operation, and what a refusal means. Nothing is
ever sent that could remove a message which was not named: no bare EXPUNGE, no CLOSE, no sequence numbers. What a run
that finds nothing to do does not need is loaded where it is used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from syncer.errors import ConnectionLostError, ProtocolError, ServerRefusedError
from syncer.imap.ahead import Question
from syncer.imap.dates import parse_date
from syncer.imap.listing import ALL_FLAGS, FlagSets, describe_all, list_flags
from syncer.imap.responses import Code, Status, number
from syncer.imap.session import Session
from syncer.imap.sets import MAX_UID, paired, parse_set, uid_sets
from syncer.imap.wire import Reply
from syncer.later import Later
from syncer.ports import Appended, Fetched, Outgoing, ServerMailbox, Standing
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import DELETED, FlagDelta, Flags
from syncer.reconcile.identity import MailboxName, Uid, UidValidity

if TYPE_CHECKING:
    from syncer.imap import asking
    from syncer.ports.push import Push
    from syncer.reconcile import observations
    from syncer.reconcile.observations import ServerDelta, ServerListing, ServerMessage
else:
    asking = Later("syncer.imap.asking")
    observations = Later("syncer.reconcile.observations")

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
        self._flag_sets = FlagSets(self._wire.fail)

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

    def listing(self, mailbox: MailboxName, *, describe: bool = False) -> ServerListing:
        """See `Server`. What is expunged meanwhile makes a listing worthless as proof; it is then made again, once."""
        for turn in range(_LISTINGS):
            described = self._descriptions((b"1:*",), range(1, MAX_UID + 1)) if describe and not turn else None
            question = Question(self._wire, ALL_FLAGS)
            selected = self._session.select(mailbox, afresh=True, new_epoch=True, ahead=described or question)
            messages = selected.exists
            if described is not None:
                flags, status = describe_all(selected, described)
            else:
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

    def changes(self, mailbox: MailboxName, since: Cursor, likely: Collection[Uid] = ()) -> ServerDelta | None:
        """See `Server`."""
        from syncer.imap.changes import can_tell, changes  # noqa: PLC0415 - see above

        if not can_tell(self._session, since):
            return None
        uidnext = since.epoch.uidnext or MAX_UID
        # RFC 9051 section 9, seq-range: `n:*` names the last message even if that is below n.
        newer = self._descriptions((b"%d:*" % uidnext,), range(uidnext, MAX_UID + 1))
        headers = asking.Headers(self._wire, likely, self._line) if likely else None
        return changes(self._session, self._flag_sets, mailbox, since, asking.Likely(newer, headers))

    def standing(self, mailbox: MailboxName) -> Standing | None:
        """See `Server`."""
        selected = self._session.standing(mailbox)
        if selected is None or selected.stale or self._wire.closed:
            return None
        return Standing(selected.writable, selected.storable, selected.any_keyword)

    def present(self, mailbox: MailboxName) -> tuple[tuple[Uid, Uid], ...] | None:
        """See `Server`."""
        from syncer.imap.changes import present  # noqa: PLC0415 - see above

        return present(self._session, mailbox)

    def describe(self, mailbox: MailboxName, uids: Collection[Uid]) -> tuple[ServerMessage, ...]:
        """See `Server`."""
        standing = self._session.standing(mailbox)
        told = _told(standing.described, uids) if standing is not None else {}
        left = [uid for uid in uids if uid not in told]
        if left:
            asked = self._descriptions(uid_sets(left, self._line), frozenset(left))
            standing = self._session.select(mailbox, ahead=asked)
            refusal = asked.wait()
            if refusal is not None and not asked.found:
                raise self._session.directory.refusal(mailbox, refusal, "FETCH")
            told |= _told(asked.found, left)
        if standing is not None:
            self._session.check(standing)
            standing.described = []
            standing.sizes.update((uid, message.size) for uid, message in told.items())
        return tuple(told[uid] for uid in sorted(told))

    def headers(self, mailbox: MailboxName, uids: Collection[Uid]) -> Mapping[Uid, bytes]:
        """See `Server`."""
        standing = self._session.standing(mailbox)
        told = dict(standing.digests) if standing is not None else {}
        left = [uid for uid in uids if uid not in told]
        if left:
            asked = asking.Headers(self._wire, left, self._line)
            standing = self._session.select(mailbox, ahead=asked)
            told |= asked.wait()
            if asked.endless:
                told |= asking.Headers(self._wire, asked.endless, self._line, whole=True).wait()
        if standing is not None:
            self._session.check(standing)
            standing.digests = {}
        return {uid: told[uid] for uid in uids if uid in told}

    def fetch(self, mailbox: MailboxName, uids: Sequence[Uid]) -> Iterator[Fetched]:
        """See `Server`."""
        if not uids:
            return
        from syncer.imap.transfer import Download  # noqa: PLC0415 - see above

        standing, items = self._session.standing(mailbox), b"(UID FLAGS INTERNALDATE BODY.PEEK[])"
        sizes = standing.sizes if standing is not None else {}
        download = Download(self._wire, uids, items, sizes, self._line)
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

    def store(self, mailbox: MailboxName, changes: Iterable[tuple[Collection[Uid], FlagDelta]]) -> list[str | None]:
        """See `Server`."""
        return self._store(mailbox, list(changes), in_turn=False)

    def expunge(self, mailbox: MailboxName, uids: Collection[Uid]) -> bool:
        """See `Server`."""
        able = "UIDPLUS" in self.capabilities
        if not uids:
            return able
        self._session.select(mailbox)
        (refused,) = self._store(mailbox, [(uids, FlagDelta(add=frozenset({DELETED})))], in_turn=True)
        if refused is not None:
            raise ServerRefusedError(refused)
        if able:
            for uid_set in uid_sets(uids, self._line):
                reply = self._wire.run(b"UID EXPUNGE", uid_set)
                if not reply.ok:
                    raise self._session.refused(mailbox, reply.status, "UID EXPUNGE")
        self._insist_deleted(mailbox, uids, able=able)
        return able

    def _insist_deleted(self, mailbox: MailboxName, uids: Collection[Uid], *, able: bool) -> None:
        r"""Ask whether they are gone, or marked: of whom lacks the right to, Dovecot takes both commands for done."""
        asked = self._descriptions(uid_sets(uids, self._line), frozenset(uids))
        asked.wait()
        marked = DELETED.lower()
        left = {m.uid for m in asked.found if able or marked not in {flag.lower() for flag in m.flags}}
        if left:
            undone = f"{'expunge' if able else 'mark'} {len(left)} of {len(uids)} messages"
            raise ServerRefusedError(
                f"{self._wire.where}: mailbox {mailbox!r}: the server did not {undone}, though it said so;"
                " does this login have the right to delete there?"
            )

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
        # Without either nothing was expunged: the old copies are left as after any deletion, and are not forgotten.
        return moved if self.capabilities & {"MOVE", "UIDPLUS"} else {}

    def noop(self) -> None:
        """See `Server`."""
        self._wire.run(b"NOOP")

    def listen(self, mailbox: MailboxName, *, notify: bool = True) -> Push | None:
        """Hear of changes on this connection from now on, and do nothing else with it; None if the server cannot tell.

        Where it can tell of one mailbox only, or `notify` is false, it is this one.

        Raises:
            MailboxError: the mailbox cannot be selected.
        """
        from syncer.imap.push import listen  # noqa: PLC0415 - see above

        return listen(self._session, mailbox, self.close, notify=notify)

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

    def _store(
        self, mailbox: MailboxName, changes: Sequence[tuple[Collection[Uid], FlagDelta]], *, in_turn: bool
    ) -> list[str | None]:
        from syncer.imap.storing import Stores  # noqa: PLC0415 - see above

        stores = Stores(self._wire, self._line, in_turn=in_turn)
        if any(uids and change for uids, change in changes):
            self._session.select(mailbox)
            stores.run(changes)
        where = f"{self._wire.where}: mailbox {mailbox!r}"
        refused = {place: f"{where}: {reason}" for place, reason in stores.refused.items()}
        return [refused.get(place) for place in range(len(changes))]

    def _descriptions(self, sets: Iterable[bytes], wanted: Container[int]) -> asking.Descriptions:
        items = asking.items_for(self.capabilities)
        return asking.Descriptions(self._wire, items, sets, wanted, (self._flag_sets, self._now))

    def _copied(self, reply: Reply, uids: Collection[Uid], target: MailboxName) -> dict[Uid, Uid]:
        """COPYUID, from an untagged OK (RFC 6851 section 4.3) or the tagged reply (RFC 4315 section 3)."""
        moved: dict[Uid, Uid] = {}
        for status in (*reply.untagged, reply.status):
            match status:
                case Status(code=Code("COPYUID", (bytes(validity), bytes(old), bytes(new)))):
                    if self._session.validities.get(target) in (None, number(validity)):
                        moved.update(paired(old, new, uids))
        return moved


def _told(described: Iterable[ServerMessage], uids: Collection[Uid]) -> dict[Uid, ServerMessage]:
    """Those of the messages that have one of these UIDs."""
    told = {message.uid: message for message in described}
    if len(told) == len(uids) and all(uid in told for uid in uids):
        return told
    return {uid: told[uid] for uid in uids if uid in told}


def _within(uid_set: bytes, uids: Iterable[Uid]) -> set[Uid]:
    """The UIDs of a set that was made of `uids`."""
    parts = parse_set(uid_set)
    return {uid for uid in uids if any(low <= uid <= high for low, high in parts)}
