"""Asking a server for what changed instead of for everything: the ladder of QRESYNC, CONDSTORE and neither.

Whatever is refused, missing or does not fit costs a rung and never a message: the answer is then None, and the
caller compares everything.
"""

import re
from collections.abc import Iterable
from itertools import pairwise

from syncer.errors import MailboxError, NoSuchMailboxError, ProtocolError
from syncer.imap.ahead import Listeners, Question, Together
from syncer.imap.asking import Likely
from syncer.imap.delta import News, delta_of, follows
from syncer.imap.listing import ALL_FLAGS, FlagLines, FlagSets
from syncer.imap.responses import Data, Response
from syncer.imap.selected import Selected
from syncer.imap.session import Session
from syncer.imap.sets import MAX_UID, Range, amount, named, parse_set, ranges, united
from syncer.reconcile.epoch import Cursor
from syncer.reconcile.identity import MailboxName, Uid
from syncer.reconcile.observations import ServerDelta

_SEARCH = re.compile(rb"\* SEARCH((?: \d{1,10})*) ?(?:\(MODSEQ \d+\))?\r\n", re.IGNORECASE)
_LOOKS = 2
_MAX_SEARCH = 500_000
"""More UIDs than this are not asked for as one line of numbers."""


def can_tell(session: Session, since: Cursor) -> bool:
    """Whether the server can be asked for what changed since then."""
    return session.has_modseqs and follows(since.epoch, since.epoch)


def changes(
    session: Session, flag_sets: FlagSets, mailbox: MailboxName, since: Cursor, likely: Likely
) -> ServerDelta | None:
    """See `Server.changes`, of a server that `can_tell`."""
    session.expect(mailbox, since.epoch.uidvalidity)
    news, lines = News(session.wire, flag_sets, since), FlagLines(session.wire, flag_sets)
    listeners = Listeners(likely.newer, lines)
    question = Question(session.wire, ALL_FLAGS, b"(CHANGEDSINCE %d)" % (since.epoch.highestmodseq or 1))
    ahead = Together(likely) if session.qresync else Together(question, likely)
    try:
        selected = session.select(mailbox, afresh=True, news=news, ahead=ahead)
        messages = selected.exists
        if messages is None or news.odd or not follows(since.epoch, selected.epoch):
            return None
        likely.keep(selected, listeners)
        if session.qresync:
            return delta_of(since, selected, messages, news.lines.checked(), news.vanished)
        answered = _asked_for_changes(selected, since, question, listeners)
        session.check(selected)
    except NoSuchMailboxError:
        raise
    except MailboxError:
        # Another UIDVALIDITY, or a refusal that a listing will meet again. The caller's UIDs stay what they are.
        session.expect(mailbox, since.epoch.uidvalidity)
        return None
    finally:
        ahead.drop()
    proved = answered and not selected.expunged
    return delta_of(since, selected, messages, lines.checked(), None) if proved else None


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


def _asked_for_changes(selected: Selected, since: Cursor, question: Question, listeners: Listeners) -> bool:
    """Hear the flags of every message that changed, by CHANGEDSINCE (RFC 7162 section 3.1.4.1); False if refused."""
    nothing = not selected.exists or selected.epoch.highestmodseq == since.epoch.highestmodseq
    if nothing and not question.sent:
        return True
    return question.wait(listeners.hear, listeners.line).kind == "OK" or nothing


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
        if len(match[1]) > _MAX_SEARCH * len(" 4294967295"):
            self.odd = True
            return True
        uids = [int(word) for word in match[1].split()]
        self.odd |= any(not 0 < uid <= MAX_UID for uid in uids)
        self._find(ranges(uids))
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
                    self._find(parse_set(value))
                except ProtocolError:
                    self.odd = True

    def _find(self, parts: Iterable[Range]) -> None:
        self.found += parts
        if len(self.found) > _MAX_SEARCH:
            self.odd = True
            self.found.clear()
