"""Compares what the adapter reports with what the server really said, octet by octet, and looks at all that was sent.

It has readers of its own, and shares none with the adapter.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from syncer.errors import MailboxError, SyncerError
from syncer.imap.mailbox import ImapServer
from syncer.maildir.layout import to_path
from syncer.ports import Appended, Fetched, ServerMailbox
from syncer.reconcile.epoch import Cursor
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.observations import ServerDelta, ServerListing, ServerMessage
from torture.playback import Peer
from torture.streams import Command, responses

if TYPE_CHECKING:
    from torture.errands import Errand, Facts

MAX_UID = 2**32 - 1
_EXISTS = re.compile(rb"\* (\d+) EXISTS", re.IGNORECASE)
_EXPUNGE = re.compile(rb"\* \d+ EXPUNGE", re.IGNORECASE)
_VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([\d:,]+)", re.IGNORECASE)
_FLAG = re.compile(r'\\?[^\x00-\x20(){%*"\\\]\x7f]+', re.ASCII)
_LITERAL = re.compile(rb"\{(\d{1,20})\+?\}\r?\n")
_QUOTED = re.compile(rb'"((?:[^"\\\r\n]|\\[^\r\n])*)"')


class _Named(Protocol):
    @property
    def name(self) -> UniqueName: ...


class Witness:
    """Sees one conversation."""

    def __init__(self, peer: Peer | None) -> None:
        """None: with a real server, which is believed, and must refuse nothing."""
        self.peer = peer

    # -- errors

    def refused(self, server: ImapServer, error: SyncerError) -> None:
        """A method raised what leaves the connection usable; if it is not, the next one says so."""
        if self.peer is None:
            raise error
        printable(error)

    def lost(self, server: ImapServer, error: SyncerError) -> None:
        """A method raised what does not."""
        if self.peer is None:
            raise error
        printable(error)
        assert server._wire.closed is not None, f"the connection still stands after {error!r}"

    # -- answers

    def mailboxes(self, found: Sequence[ServerMailbox]) -> None:
        """Each once, INBOX first, and none that leads out of the Maildir."""
        names = [each.name for each in found]
        assert names == sorted(set(names), key=lambda name: (name != INBOX, name)), f"order: {names}"
        for name in names:
            _confined(name)

    def listing(self, found: ServerListing) -> None:
        """Complete only with as many UIDs as the server has messages."""
        _uids(found.flags)
        for flags in found.flags.values():
            _flags(flags)
        if found.complete:
            assert len(found.flags) in self._exists(), f"{len(found.flags)} UIDs are complete, told {self._exists()}"

    def present(self, found: Sequence[tuple[int, int]] | None) -> None:
        """As many as the server has messages."""
        if found is not None:
            _ascending(found)
            amount = _amount(found)
            assert amount in self._exists(), f"{amount} UIDs are all of them, told {self._exists()}"

    def delta(self, found: ServerDelta | None, since: Cursor) -> None:
        """What is gone was named by the server, and is as much as its counters say."""
        if found is None:
            return
        _uids(found.flags)
        if found.vanished is None:
            return
        _ascending(found.vanished)
        first = since.epoch.uidnext or 0
        assert not any(low <= uid <= high for uid in found.flags for low, high in found.vanished), "there, and gone"
        new = sum(first <= uid for uid in found.flags if uid < (found.cursor.epoch.uidnext or 0))
        gone = _amount([(low, min(high, first - 1)) for low, high in found.vanished if low < first])
        assert since.messages + new - gone in self._exists(), f"{gone} gone of {since.messages}, {new} new"
        named = list(self._vanished())
        for low, high in found.vanished:
            assert _covered(low, high, named), f"{low}:{high} is gone, and nobody said so: {named}"

    def described(self, found: Sequence[ServerMessage], asked: Collection[int]) -> None:
        """Those that were asked for, ascending, each once."""
        uids = [each.uid for each in found]
        assert uids == sorted(set(uids) & set(asked)), f"{uids} of {sorted(asked)}"
        for each in found:
            _flags(each.flags)
            assert 0 <= each.size < 2**64, f"a message of {each.size} octets"
            assert abs(each.internaldate) < 2**40, f"a date of {each.internaldate}"

    def headers(self, found: Mapping[Uid, bytes], asked: Collection[int]) -> None:
        """Those that were asked for."""
        assert set(found) <= set(asked), f"{sorted(found)} of {sorted(asked)}"
        assert all(len(digest) == 16 for digest in found.values())

    def fetched(self, found: Iterator[Fetched], asked: Collection[int], most: int | None = None) -> None:
        """Each once at most, and exactly the octets of a literal, or of a string."""
        seen: set[int] = set()
        for each in found:
            octets = b"".join(each.body)
            assert each.uid in asked, f"nobody asked for UID {each.uid}"
            assert each.uid not in seen, f"UID {each.uid} came twice"
            seen.add(each.uid)
            _flags(each.flags)
            assert len(octets) == each.size, f"UID {each.uid}: {len(octets)} octets, not {each.size}"
            assert self._was_said(octets), f"UID {each.uid}: nobody said {octets[:300]!r}"
            if most is not None and len(seen) >= most:
                break
        found.close()  # type: ignore[attr-defined] # it is a generator

    def appended(self, outcomes: Iterable[Appended], letters: Sequence[_Named]) -> None:
        """One outcome for each, and done only what the server says is done."""
        done = 0
        for letter, outcome in zip(letters, outcomes, strict=True):
            assert outcome.name == letter.name, f"{outcome.name} in place of {letter.name}"
            assert outcome.uid is None or 0 < outcome.uid <= MAX_UID, f"UID {outcome.uid}"
            done += outcome.refused is None
        assert done <= self._accepted("APPEND"), f"{done} messages appended, and the server took fewer"

    def stored(self, outcomes: Sequence[str | None]) -> None:
        """Done only what was not refused."""
        assert len(outcomes) == 2
        if outcomes == [None, None]:
            assert not self._refused("UID STORE"), "a STORE was refused, and nobody says so"

    def expunged(self, done: bool) -> None:
        """True only if the server did it."""
        assert not done or self._accepted("UID EXPUNGE"), "nothing was expunged"

    def moved(self, found: Mapping[Uid, Uid], asked: Collection[int]) -> None:
        """Those that were asked for, under UIDs that the server named."""
        assert set(found) <= set(asked), f"{sorted(found)} of {sorted(asked)}"
        _uids(found.values())

    # -- what the server said

    def _exists(self) -> set[int]:
        """How many messages there are, as the server told since the last SELECT; less what it took back."""
        said = self._since_select()
        told = {int(match[1]) for each in said if (match := _EXISTS.match(each))}
        gone = sum(_EXPUNGE.match(each) is not None for each in said)
        gone += sum(_amount(_ranges(match[2])) for each in said if (match := _VANISHED.match(each)) and not match[1])
        return _Any() if self.peer is None or self.peer.flooded else {
            count - less for count in told for less in range(min(gone, count, 100) + 1)
        }  # fmt: skip

    def _vanished(self) -> Iterator[tuple[int, int]]:
        if self.peer is None or self.peer.flooded:
            yield 1, MAX_UID
        for each in self._since_select():
            if match := _VANISHED.match(each):
                yield from _ranges(match[2])

    def _since_select(self) -> list[bytes]:
        if self.peer is None:
            return []
        begins = [begin for begin, command in zip(self.peer.begins, self.peer.commands, strict=True)
                  if command.word == "SELECT"]  # fmt: skip
        return responses(bytes(self.peer.said[begins[-1] if begins else 0 :]))

    def _was_said(self, octets: bytes) -> bool:
        if self.peer is None or self.peer.flooded:
            return True
        said = bytes(self.peer.said)
        for head in _LITERAL.finditer(said):
            if int(head[1]) == len(octets) and said.startswith(octets, head.end()):
                return True
        return any(re.sub(rb"(?s)\\(.)", rb"\1", match[1]) == octets for match in _QUOTED.finditer(said))

    def _answers(self, word: str) -> Iterator[tuple[Command, bytes]]:
        """Commands, with the reply where there is one."""
        if self.peer is None:
            return
        replies: dict[bytes, bytes] = {}
        for each in responses(bytes(self.peer.said)):
            replies.setdefault(each.partition(b" ")[0], each)  # a second reply to a command is none
        for command in self.peer.commands:
            if command.word == word:
                yield command, replies.get(command.tag, b"").upper()

    def _accepted(self, word: str) -> int:
        """How many messages the server took, or commands it did."""
        if self.peer is None or self.peer.flooded:
            return 1_000
        return sum(
            len(command.literals) or 1 for command, reply in self._answers(word) if reply.split()[1:2] == [b"OK"]
        )

    def _refused(self, word: str) -> bool:
        return any(
            reply.split()[1:2] in ([b"NO"], [b"BAD"]) and b"[EXPUNGEISSUED" not in reply
            for _, reply in self._answers(word)
        )


class _Any(set[int]):
    """Whatever it is."""

    def __contains__(self, _number: object) -> bool:
        return True


# -- what the client sent

_STRING = rb'(?:"(?:[^"\\\r\n\0]|\\["\\])*"|\{\d+\+?\}|INBOX)'
_SET = rb"\d+(?::\d+)?(?:,\d+(?::\d+)?)*"
_ITEMS = rb"[A-Z0-9. ]+(?:BODY\.PEEK\[(?:HEADER)?\])?"
_WORDS = rb'\((?:[^\x00-\x20(){%*"\]\x7f-\xff]+ ?)*\)'
_GRAMMAR = {
    "CAPABILITY": rb"", "NAMESPACE": rb"", "NOOP": rb"", "UNSELECT": rb"", "LOGOUT": rb"",
    "LOGIN": rb' [\w.@]+ (?:"[^"]*"|[\w-]+)', "ENABLE": rb"(?: CONDSTORE| QRESYNC)+",
    "AUTHENTICATE": rb" PLAIN [\w+/=]+", "COMPRESS": rb" DEFLATE",
    "LIST": rb' "" %b(?: RETURN \([A-Z ()-]+\))?' % _STRING, "LSUB": rb' "" %b' % _STRING,
    "STATUS": rb" %b \([A-Z ]+\)" % _STRING, "EXAMINE": rb" INBOX",
    "SELECT": rb" %b(?: \(CONDSTORE\)| \(QRESYNC \(\d+ \d+\)\))?" % _STRING,
    "CREATE": rb" " + _STRING, "DELETE": rb" " + _STRING, "SUBSCRIBE": rb" " + _STRING, "UNSUBSCRIBE": rb" " + _STRING,
    "RENAME": rb" %b %b" % (_STRING, _STRING),
    "UID FETCH": rb" (?:%b|\d+:\*) \(%b\)(?: \(CHANGEDSINCE \d+\))?" % (_SET, _ITEMS),
    "UID SEARCH": rb"(?: RETURN \(ALL\))? ALL",
    "UID STORE": rb" %b [+-]FLAGS\.SILENT %b" % (_SET, _WORDS), "UID EXPUNGE": rb" " + _SET,
    "UID COPY": rb" %b %b" % (_SET, _STRING), "UID MOVE": rb" %b %b" % (_SET, _STRING),
    "APPEND": rb' %b(?: %b "[\w :+-]+" \{\d+\+?\})+' % (_STRING, _WORDS),
}  # fmt: skip
_COMMANDS = {word: re.compile(re.escape(word.encode()) + rest) for word, rest in _GRAMMAR.items()}
_CHANGING = frozenset(
    ["APPEND", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "EXPUNGE", "CLOSE", "STORE", "COPY", "MOVE"]
) | {"UID STORE", "UID EXPUNGE", "UID COPY", "UID MOVE"}  # fmt: skip
_SAFE = frozenset({"\\Deleted"})


def check_sent(peer: Peer, errand: "Errand", facts: "Facts", home: Collection[bytes]) -> None:
    """Look at all that a client sent: only commands that the errand needs, in their grammar, one after the other.

    `home` are the names that the server has for HOME.
    """
    selected = b""
    for number, command in enumerate(peer.commands, 1):
        told = f"{command.tag!r} {command.text[:300]!r}"
        assert command.tag == b"s%d" % number, f"a command that nobody meant: {told}"
        grammar = _COMMANDS.get(command.word)
        assert grammar is not None, f"an unknown command: {told}"
        assert grammar.fullmatch(command.text), f"not in the grammar: {told}"
        assert command.word not in _CHANGING or command.word in errand.words, f"not part of the errand: {told}"
        if command.word == "SELECT":
            selected = command.text.split(b" ", 1)[1].split(b" (")[0]
        elif command.word in {"UID STORE", "UID EXPUNGE", "UID COPY", "UID MOVE"}:
            assert selected in home, f"{selected!r} is selected: {told}"
            _check_change(command, errand, facts)


def _check_change(command: Command, errand: "Errand", facts: "Facts") -> None:
    told = f"{command.text[:300]!r}"
    words = command.text.split(b" ", 3)
    deletes = {facts.uids[place] for place in errand.deletes}
    for low, high in _ranges(words[2]):
        for uid in range(low, min(high, low + 1000) + 1):
            allowed = set(deletes)
            if command.word == "UID STORE":
                flags = frozenset(words[3].partition(b" ")[2].strip(b"()").decode().split())
                allowed = {facts.uids[place] for place, known in errand.alters.items() if flags <= known}
                allowed |= deletes if flags == _SAFE else set()
            assert uid in allowed, f"UID {uid} was not meant: {told}"


# -- checks


def printable(error: SyncerError) -> None:
    """No control character of a server reaches a terminal."""
    assert str(error).isprintable(), f"unprintable: {str(error)!r}"


def _confined(name: MailboxName) -> None:
    assert name.isprintable() or not re.search("[\x00-\x1f\x7f]", name), f"{name!r} has control characters"
    for layout in ("fs", "maildir++"):
        try:
            path = to_path(name, layout)
        except MailboxError:
            continue
        parts = path.split(b"/")
        assert not path.startswith(b"/"), f"{name!r} is kept at {path!r}"
        assert not {b"..", b".", b"cur", b"new", b"tmp"} & set(parts), f"{name!r} is kept at {path!r}"
        assert all(parts) or not path, f"{name!r} is kept at {path!r}"
        assert b"\0" not in path, f"{name!r} is kept at {path!r}"


def _uids(uids: Iterable[int]) -> None:
    assert all(0 < uid <= MAX_UID for uid in uids), "a UID that is none"


def _flags(flags: Iterable[str]) -> None:
    for flag in flags:
        assert _FLAG.fullmatch(flag), f"{flag!r} is no flag"
        assert flag.lower() != "\\recent"


def _ranges(text: bytes) -> list[tuple[int, int]]:
    found = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        if first.isdigit() and (last or first).isdigit():
            low, high = sorted((int(first), int(last or first)))
            found.append((low, high))
    return found


def _ascending(ranges: Sequence[tuple[int, int]]) -> None:
    _uids(uid for each in ranges for uid in each)
    assert all(low <= high for low, high in ranges), f"ranges: {ranges}"
    assert all(one[1] < two[0] for one, two in pairwise(ranges)), f"ranges: {ranges}"


def _amount(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(high - low + 1 for low, high in ranges)


def _covered(low: int, high: int, named: Iterable[tuple[int, int]]) -> bool:
    for first, last in sorted(named):
        if first <= low <= last:
            low = last + 1
    return low > high
