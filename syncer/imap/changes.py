"""Asking a server for what changed instead of for everything: the ladder of QRESYNC, CONDSTORE and neither.

Whatever is refused, missing or does not fit costs a rung and never a message: the answer is then None, and the
caller compares everything.
"""

import re
from itertools import pairwise

from syncer.errors import MailboxError, NoSuchMailboxError, ProtocolError
from syncer.imap.ahead import Question
from syncer.imap.delta import News, delta_of, follows
from syncer.imap.listing import ALL_FLAGS, FlagLines, FlagSets
from syncer.imap.responses import Data, Response
from syncer.imap.selected import Selected
from syncer.imap.session import Session
from syncer.imap.sets import MAX_UID, Range, amount, named, parse_set, ranges, united
from syncer.reconcile.epoch import Cursor
from syncer.reconcile.flags import Flags
from syncer.reconcile.identity import MailboxName, Uid
from syncer.reconcile.observations import ServerDelta

_SEARCH = re.compile(rb"\* SEARCH((?: \d{1,10})*) ?(?:\(MODSEQ \d+\))?\r\n", re.IGNORECASE)
_LOOKS = 2
_MAX_SEARCH = 500_000
"""More UIDs than this are not asked for as one line of numbers."""


def changes(session: Session, flag_sets: FlagSets, mailbox: MailboxName, since: Cursor) -> ServerDelta | None:
    """See `Server.changes`."""
    if not session.has_modseqs or not follows(since.epoch, since.epoch):
        return None
    session.expect(mailbox, since.epoch.uidvalidity)
    news = News(session.wire, flag_sets, since)
    modifier = b"(CHANGEDSINCE %d)" % (since.epoch.highestmodseq or 1)
    question = Question(session.wire, ALL_FLAGS, modifier)
    try:
        selected = session.select(mailbox, afresh=True, news=news, ahead=None if session.qresync else question)
        messages = selected.exists
        if messages is None or news.odd or not follows(since.epoch, selected.epoch):
            return None
        if session.qresync:
            return delta_of(since, selected, messages, news.lines.checked(), news.vanished)
        flags = _changed(session, flag_sets, selected, since, question)
        session.check(selected)
    except NoSuchMailboxError:
        raise
    except MailboxError:
        # Another UIDVALIDITY, or a refusal that a listing will meet again. The caller's UIDs stay what they are.
        session.expect(mailbox, since.epoch.uidvalidity)
        return None
    finally:
        question.drop()
    return None if flags is None or selected.expunged else delta_of(since, selected, messages, flags, None)


def present(session: Session, mailbox: MailboxName) -> tuple[tuple[Uid, Uid], ...] | None:
    """See `Server.present`. What changes meanwhile makes an answer worthless as proof; it is asked for again, once."""
    selected = session.select(mailbox)
    for _ in range(_LOOKS):
        found = _search(session, selected)
        if found is not None:
            return named(found)
    return None


def _search(session: Session, selected: Selected) -> tuple[Range, ...] | None:
    """Every UID, unless something speaks against it.

    The selection may be older than messages that were appended since; NOOP makes the server look and tell. Servers
    may search before they have looked (Dovecot does), so anything that is expunged meanwhile spoils the answer.
    """
    wire, compact = session.wire, "ESEARCH" in session.capabilities
    if not compact and (selected.exists is None or selected.exists > _MAX_SEARCH):
        return None
    selected.expunged = False
    noop = wire.send(b"NOOP")
    answer = _Answer(wire.send(b"UID SEARCH RETURN (ALL) ALL" if compact else b"UID SEARCH ALL"))
    looked = wire.wait(noop, answer.hear, answer.line)
    done = wire.wait(answer.tag, answer.hear, answer.line)
    session.check(selected)
    if not looked.kind == done.kind == "OK" or answer.odd or selected.expunged:
        return None
    found = united(answer.found)
    return found if amount(found) == selected.exists else None


def _changed(
    session: Session, flag_sets: FlagSets, selected: Selected, since: Cursor, question: Question
) -> dict[Uid, Flags] | None:
    """The flags of every message that changed, by CHANGEDSINCE (RFC 7162 section 3.1.4.1)."""
    nothing = not selected.exists or selected.epoch.highestmodseq == since.epoch.highestmodseq
    if nothing and not question.sent:
        return {}
    lines = FlagLines(session.wire, flag_sets)
    status = question.wait(lines.hear, lines.line)
    return lines.checked() if nothing or status.kind == "OK" else None


class _Answer:
    """Collects the UIDs of SEARCH and ESEARCH responses (RFC 9051 section 7.3.4)."""

    def __init__(self, tag: bytes) -> None:
        self.tag = tag
        self.found: list[Range] = []
        self.odd = False

    def line(self, line: bytes) -> bool:
        """Take a SEARCH response."""
        match = _SEARCH.fullmatch(line)
        if match is None:
            return False
        uids = [int(word) for word in match[1].split()]
        self.odd |= any(not 0 < uid <= MAX_UID for uid in uids)
        self.found += ranges(uids)
        return True

    def hear(self, response: Response) -> None:
        """Take an ESEARCH response, if it is the one that was asked for and about UIDs."""
        if not isinstance(response, Data) or response.kind != "ESEARCH":
            return
        correlator, words = response.values[:1], [v.upper() if isinstance(v, bytes) else v for v in response.values]
        if b"UID" not in words or (isinstance(correlator[0], list) and correlator[0][1:] != [self.tag]):
            return
        for name, value in pairwise(words):
            if name == b"ALL" and isinstance(value, bytes):
                try:
                    self.found += parse_set(value)
                except ProtocolError:
                    self.odd = True
