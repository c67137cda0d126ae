"""STORE on servers that do what servers do."""

import time
from collections.abc import Callable

import pytest
from scripted import Scripted

from syncer.errors import ServerRefusedError
from syncer.imap.mailbox import ImapServer
from syncer.imap.responses import Status
from syncer.imap.storing import Stores
from syncer.reconcile.flags import SEEN, FlagDelta
from syncer.reconcile.identity import INBOX

Talk = Callable[..., ImapServer]
MANY = range(1, 8001, 2)
"""A set that needs several commands."""


def flags_of(**changes: frozenset[str]) -> FlagDelta:
    return FlagDelta(**changes)


def test_adds_with_one_command_and_removes_with_another(talk: Talk) -> None:
    with Scripted() as script:
        talk(script).store(INBOX, [({3, 1, 2}, flags_of(add=frozenset({"b", "\\Seen"}), remove=frozenset({"a"})))])
        assert script.commands("UID STORE") == [
            b"UID STORE 1:3 +FLAGS.SILENT (\\Seen b)",
            b"UID STORE 1:3 -FLAGS.SILENT (a)",
        ]


def test_lines_are_bounded(talk: Talk) -> None:
    with Scripted() as script:
        talk(script).store(INBOX, [(MANY, flags_of(add=frozenset({"k" * 500})))])
        assert len(script.commands("UID STORE")) > 1
        assert max(map(len, script.lines)) <= 8192


def test_line_ends_in_a_keyword_never_reach_the_server(talk: Talk) -> None:
    bad = flags_of(add=frozenset({SEEN}), remove=frozenset({"x)\r\nz9 DELETE INBOX"}))
    with Scripted() as script:
        (refused,) = talk(script).store(INBOX, [({1}, bad)])
        assert "cannot be sent" in (refused or "")
        assert script.commands("UID STORE") == []
        assert not any(b"DELETE" in line for line in script.lines)


def test_no_because_of_expunged_messages_is_no_error(talk: Talk) -> None:
    with Scripted({"UID STORE": b"<tag> NO [EXPUNGEISSUED] some are gone\r\n"}) as script:
        assert talk(script).store(INBOX, [({1}, flags_of(add=frozenset({SEEN})))]) == [None]


@pytest.mark.parametrize("reply", [b"NO [NOPERM] not yours", b"BAD what"])
def test_a_refusal_is_told(talk: Talk, reply: bytes) -> None:
    with Scripted({"UID STORE": b"<tag> " + reply + b"\r\n"}) as script:
        (refused,) = talk(script).store(INBOX, [({1}, flags_of(add=frozenset({SEEN})))])
        assert (refused or "").endswith(f"the server refused STORE: {reply.split(maxsplit=1)[1].decode()}")


def test_a_refusal_stops_no_other_change(talk: Talk) -> None:
    changes = [({uid}, flags_of(add=frozenset({keyword}))) for uid, keyword in ((1, "a"), (2, "b\n"), (3, "c"))]
    answers = [b"<tag> NO [OVERQUOTA] no more\r\n", b"<tag> OK done\r\n"]
    with Scripted({"UID STORE": answers}) as script:
        first, second, third = talk(script).store(INBOX, changes)
        assert "no more" in (first or "")
        assert "rename the keyword" in (second or "")
        assert third is None
        assert len(script.commands("UID STORE")) == 2


class Deaf:
    """A wire on which no reply comes before it is waited for; knows how many octets were under way at most."""

    def __init__(self) -> None:
        self.under_way: dict[bytes, int] = {}
        self.most = self.commands = 0

    def send(self, *arguments: bytes) -> bytes:
        self.commands += 1
        tag = b"s%d" % self.commands
        self.under_way[tag] = len(b" ".join(arguments))
        self.most = max(self.most, sum(self.under_way.values()))
        return tag

    def wait(self, tag: bytes, line: object) -> Status:
        del self.under_way[tag]
        return Status(tag, "OK", None, "done")

    def renew(self) -> None:
        pass


@pytest.mark.parametrize(("in_turn", "most"), [(False, range(12_000, 17_000)), (True, range(4_000, 8_200))])
def test_no_more_is_under_way_than_what_can_lie_on_the_line(in_turn: bool, most: range) -> None:
    changes = [(range(number, 40_000, 20), flags_of(add=frozenset({f"k{number}"}))) for number in range(1, 20, 2)]
    wire = Deaf()
    stores = Stores(wire, 8000, in_turn=in_turn)  # type: ignore[arg-type]
    stores.run(changes)
    assert (stores.refused, wire.under_way) == ({}, {})
    assert wire.commands >= 20
    assert wire.most in most


def test_each_command_has_its_own_time(talk: Talk) -> None:
    def slowly(line: bytes) -> bytes:
        time.sleep(0.3)
        return b"* 1 FETCH (UID 1 MODSEQ (9))\r\n<tag> OK done\r\n"

    changes = [({1}, flags_of(add=frozenset({f"k{number}"}))) for number in range(6)]
    with Scripted({"UID STORE": slowly}) as script:
        assert talk(script, command_seconds=1.0).store(INBOX, changes) == [None] * 6


def test_of_what_is_to_be_expunged_nothing_is_marked_after_a_refusal(talk: Talk) -> None:
    with Scripted({"UID STORE": b"<tag> NO no\r\n"}) as script, pytest.raises(ServerRefusedError):
        talk(script).expunge(INBOX, MANY)
    assert len(script.commands("UID STORE")) == 1
