"""FETCH responses without bodies: UIDs with their flags, by the hundred thousand, and descriptions.

A flag list is turned into a set once for each distinct spelling; messages share the sets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from syncer.imap.ahead import Question
from syncer.imap.responses import FLAGS_LINE, Fetch, Response, Status, names, number
from syncer.imap.selected import Selected, parse_flags
from syncer.imap.sets import MAX_MESSAGES, MAX_UID
from syncer.imap.wire import Wire
from syncer.reconcile.flags import Flags
from syncer.reconcile.identity import Uid

if TYPE_CHECKING:
    from syncer.imap.asking import Descriptions

_RENEW = 4096
_MAX_SETS = 50_000
_MAX_OCTETS = 64 * 1024 * 1024
"""Of all distinct spellings of one connection; they take many times as much when they are sets."""


class FlagSets:
    """From the words between the parentheses to the set, each distinct spelling once."""

    def __init__(self, fail: Callable[[str], NoReturn]) -> None:
        """`fail` is the wire's, for a server that always finds others."""
        self._known: dict[bytes, Flags] = {}
        self._fail = fail
        self._octets = 0

    def __getitem__(self, words: bytes) -> Flags:
        found = self._known.get(words)
        if found is None:
            if len(self._known) >= _MAX_SETS:
                self._known.clear()
            self._octets += len(words)
            if self._octets > _MAX_OCTETS:
                self._fail("the server sent more different flags than can be kept")
            found = self._known[words] = parse_flags(words.split())
        return found


class FlagLines:
    """Collects UIDs with their flags, from lines or from responses. The last word counts for a UID named twice."""

    def __init__(self, wire: Wire, flag_sets: FlagSets) -> None:
        self.found: dict[Uid, Flags] = {}
        self._wire = wire
        self._sets = flag_sets
        self._progress = _RENEW

    def line(self, line: bytes) -> bool:
        """Take a line, if it is one in the usual form."""
        match = FLAGS_LINE.fullmatch(line)
        if match is None:
            return False
        uid, words, other_words, other_uid = match.groups()
        self.found[Uid(int(uid or other_uid))] = self._sets[words if uid else other_words]
        if len(self.found) >= self._progress:
            self._go_on()
        return True

    def hear(self, response: Response) -> None:
        """Take a response, if it is about a message's flags; one without a UID says nothing about any."""
        if isinstance(response, Fetch):
            uid, flags = number(response.items.get("UID")), response.items.get("FLAGS")
            if uid and isinstance(flags, list):
                self.found[Uid(uid)] = self._sets[b" ".join(names(flags))]
                if len(self.found) >= self._progress:
                    self._go_on()

    def _go_on(self) -> None:
        """That was progress, but not without end."""
        if len(self.found) > MAX_MESSAGES:
            self._wire.fail(f"the server listed more than {MAX_MESSAGES} messages")
        self._wire.renew()
        self._progress += _RENEW

    def checked(self) -> dict[Uid, Flags]:
        """What was found. Closes the connection if one of it is no UID."""
        if any(uid > MAX_UID or uid == 0 for uid in self.found):
            self._wire.fail("the server sent a UID that is none")
        return self.found


ALL_FLAGS = b"UID FETCH 1:* (FLAGS)"


def list_flags(
    wire: Wire, selected: Selected, question: Question, flag_sets: FlagSets
) -> tuple[dict[Uid, Flags], Status | None]:
    """Every UID of the selected mailbox with its flags, and the reply to `question`, which is ALL_FLAGS.

    No reply where there was nothing when the mailbox was selected: servers may then refuse the question.
    """
    lines, empty = FlagLines(wire, flag_sets), selected.exists == 0
    if empty and not question.sent:
        return lines.found, None
    status = question.wait(lines.hear, lines.line)
    return lines.checked(), None if empty else status


def describe_all(selected: Selected, descriptions: Descriptions) -> tuple[dict[Uid, Flags], Status | None]:
    """As `list_flags`, with descriptions of everything, which are kept with the selection."""
    empty = selected.exists == 0
    if empty and not descriptions.sent:
        return {}, None
    refusal = descriptions.wait()
    selected.described = descriptions.found
    return {message.uid: message.flags for message in descriptions.found}, None if empty else refusal
