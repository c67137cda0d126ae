"""Appending to servers that do what servers do."""

import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from scripted import CAPABILITIES, Scripted

from syncer.errors import (
    ConnectionLostError,
    NoSuchMailboxError,
    VanishedError,
)
from syncer.imap.mailbox import ImapServer
from syncer.ports import Appended
from syncer.reconcile.flags import NONE, SEEN
from syncer.reconcile.identity import INBOX, MailboxName, UniqueName
from syncer.reconcile.observations import Fingerprint

Talk = Callable[..., ImapServer]
OK = b"<tag> OK done\r\n"
NAME = UniqueName("name")
BARE = b"IMAP4rev1"


@dataclass
class Message:
    """An `Outgoing` that can go wrong half way."""

    octets: bytes = b"abc\r\n"
    size: int | None = None
    vanishes: bool = False
    name: UniqueName = NAME
    internaldate: int = 837596665
    read: list[int] = field(default_factory=list)

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(len(self.octets) if self.size is None else self.size, b"", b"")

    def chunks(self) -> Iterator[bytes]:
        for place in range(0, len(self.octets), 65_536):
            self.read.append(place)
            yield self.octets[place : place + 65_536]
        if self.vanishes:
            raise VanishedError("the file is gone")


def append(server: ImapServer, *messages: Message) -> list[Appended]:
    return list(server.append(INBOX, [(message, frozenset({SEEN, "work"})) for message in messages]))


class TestAppend:
    def test_says_flags_date_and_size(self, talk: Talk) -> None:
        with Scripted({"APPEND": b"<tag> OK [APPENDUID 7 12] done\r\n"}) as script:
            assert append(talk(script), Message()) == [Appended(NAME, 12)]
            assert script.commands("APPEND") == [
                b'APPEND "INBOX" (\\Seen work) "17-Jul-1996 09:44:25 +0000" {5+}\r\nabc'
            ]

    @pytest.mark.parametrize(
        "code",
        [
            b"",
            b"[APPENDUID 7]",
            b"[APPENDUID 0 4]",
            b"[APPENDUID 7 0]",
            b"[APPENDUID 7 4294967296]",
            b"[APPENDUID x y]",
        ],
    )
    def test_an_outcome_without_a_usable_uid_has_none(self, talk: Talk, code: bytes) -> None:
        with Scripted({"APPEND": b"<tag> OK " + code + b"\r\n"}) as script:
            assert append(talk(script), Message()) == [Appended(NAME)]

    def test_a_uid_of_another_uidvalidity_is_not_believed(self, talk: Talk) -> None:
        with Scripted({"APPEND": b"<tag> OK [APPENDUID 8 12] done\r\n"}) as script:
            server = talk(script)
            server.listing(INBOX)
            assert append(server, Message()) == [Appended(NAME)]

    @pytest.mark.parametrize("capabilities", [BARE, BARE + b" LITERAL-", BARE + b" LITERAL+"])
    def test_literals_are_announced_as_the_server_wants_them(self, talk: Talk, capabilities: bytes) -> None:
        with Scripted(capabilities=capabilities) as script:
            small, large = Message(b"x" * 4096), Message(b"y" * 4097)
            assert [each.refused for each in append(talk(script), small, large, small)] == [None] * 3
            heads = [re.search(rb"\{\d+\+?\}", line)[0] for line in script.commands("APPEND")]  # type: ignore[index]
            plus = {BARE: (b"", b""), BARE + b" LITERAL-": (b"+", b""), BARE + b" LITERAL+": (b"+", b"+")}[capabilities]
            assert heads == [b"{4096%s}" % plus[0], b"{4097%s}" % plus[1], b"{4096%s}" % plus[0]]

    def test_a_large_message_is_announced_even_where_it_need_not_be(self, talk: Talk) -> None:
        with Scripted() as script:
            message = Message(b"x" * 3_000_000)
            assert append(talk(script), message)[0].refused is None
            (line,) = script.commands("APPEND")
            assert b" {3000000}\r\n" in line
            assert line.endswith(b"\r\n" + b"x" * 3_000_000)

    @pytest.mark.parametrize("capabilities", [BARE, CAPABILITIES])
    def test_a_refused_message_does_not_stop_the_next(self, talk: Talk, capabilities: bytes) -> None:
        replies = [OK, b"<tag> NO [OVERQUOTA] full\r\n", b"<tag> BAD invalid header\r\n", OK]
        with Scripted({"APPEND": replies}, capabilities=capabilities) as script:
            outcomes = append(talk(script), *[Message(name=UniqueName(name)) for name in "abcd"])
            assert [(each.name, each.refused) for each in outcomes] == [
                ("a", None),
                ("b", "[OVERQUOTA] full"),
                ("c", "invalid header"),
                ("d", None),
            ]

    @pytest.mark.parametrize("size", [5, 2_000_000])
    def test_a_refused_literal_is_a_refused_message(self, talk: Talk, size: int) -> None:
        with Scripted(capabilities=BARE, refuse_literal=b"<tag> NO [TOOBIG] too big\r\n") as script:
            message = Message(b"x" * size)
            server = talk(script)
            assert append(server, message, message)[1].refused == "[TOOBIG] too big"
            assert server.listing(INBOX).epoch.uidvalidity == 7

    def test_appendlimit_spares_the_server_the_message(self, talk: Talk) -> None:
        with Scripted(capabilities=CAPABILITIES + b" APPENDLIMIT=4") as script:
            (outcome,) = append(talk(script), Message())
            assert outcome.refused is not None
            assert "APPENDLIMIT" in outcome.refused
            assert script.commands("APPEND") == []

    def test_a_missing_mailbox_is_told(self, talk: Talk) -> None:
        with Scripted({"APPEND": b"<tag> NO [TRYCREATE] no\r\n"}) as script:
            server = talk(script)
            with pytest.raises(NoSuchMailboxError):
                append(server, Message(), Message())
            assert server.listing(INBOX).epoch.uidvalidity == 7

    @pytest.mark.parametrize(
        "message", [Message(vanishes=True), Message(size=9), Message(size=2), Message(b"", size=3)]
    )
    def test_a_small_file_that_changed_is_not_sent_at_all(self, talk: Talk, message: Message) -> None:
        with Scripted() as script:
            first, second = append(talk(script), message, Message())
            assert first.refused is not None
            assert second.refused is None
            assert len(script.commands("APPEND")) == 1

    @pytest.mark.parametrize(
        "message",
        [
            Message(b"x" * 2_000_000, vanishes=True, size=3_000_000),
            Message(b"x" * 2_000_000, size=2_000_001),
            Message(b"x" * 2_000_000, size=1_999_999),
        ],
    )
    def test_a_large_file_that_changed_half_way_breaks_the_connection_off(self, talk: Talk, message: Message) -> None:
        with Scripted() as script:
            server = talk(script)
            with pytest.raises(ConnectionLostError, match="changed"):
                append(server, message)
            assert script.commands("APPEND") == []
            with pytest.raises(ConnectionLostError):
                server.listing(INBOX)

    def test_a_large_file_that_is_gone_before_it_is_announced_costs_only_itself(self, talk: Talk) -> None:
        with Scripted() as script:
            first, second = append(talk(script), Message(b"", size=2_000_000, vanishes=True), Message())
            assert (first.refused, second.refused) == ("the file is gone", None)

    def test_replies_out_of_order_reach_their_messages(self, talk: Talk) -> None:
        tags: list[bytes] = []

        def answer(command: bytes) -> bytes:
            tags.append(command.split()[0])
            if len(tags) < 3:
                return b""
            return b"%s OK [APPENDUID 7 3] x\r\n%s NO second\r\n%s OK [APPENDUID 7 1] x\r\n" % tuple(reversed(tags))

        with Scripted({"APPEND": answer}) as script:
            outcomes = append(talk(script), Message(), Message(), Message())
            assert [(each.uid, each.refused) for each in outcomes] == [(1, None), (None, "second"), (3, None)]

    def test_a_server_that_talks_while_we_send_does_not_lock_us_up(self, talk: Talk) -> None:
        chatter = b"* 1 FETCH (FLAGS (%s))\r\n" % (b"x" * 900)
        with Scripted({"APPEND": OK + chatter * 1000}, buffers=4096) as script:
            server = talk(script, read_seconds=2)
            server._wire.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            outcomes = append(server, *[Message(b"x" * 500_000) for _ in range(6)])
            assert [each.refused for each in outcomes] == [None] * 6

    def test_messages_are_read_as_they_are_sent(self, talk: Talk) -> None:
        with Scripted() as script:
            outcomes = talk(script).append(INBOX, ((message, NONE) for message in iter(Message, None)))
            next(outcomes)
            outcomes.close()  # type: ignore[attr-defined]
            assert 1 <= len(script.commands("APPEND")) <= 400

    @pytest.mark.parametrize("capabilities", [BARE, CAPABILITIES])
    def test_a_connection_lost_before_the_reply_is_told_as_such(self, talk: Talk, capabilities: bytes) -> None:
        with Scripted({"APPEND": [OK, None]}, capabilities=capabilities) as script:
            outcomes = talk(script).append(INBOX, [(Message(), NONE)] * 3)
            assert next(outcomes).refused is None
            with pytest.raises(ConnectionLostError):
                next(outcomes)

    def test_an_odd_mailbox_name_is_sent_as_a_literal(self, talk: Talk) -> None:
        with Scripted() as script:
            assert [each.refused for each in talk(script).append(MailboxName("a%FFb"), [(Message(), NONE)])] == [None]
            assert script.commands("APPEND")[0].startswith(b"APPEND {3+}\r\na\xffb () ")

    @pytest.mark.parametrize("size", [5, 2_000_000])
    def test_an_odd_mailbox_name_is_announced_where_it_must_be(self, talk: Talk, size: int) -> None:
        with Scripted(capabilities=BARE) as script:
            sent = [(Message(b"x" * size), NONE)]
            assert [each.refused for each in talk(script).append(MailboxName("a%FFb"), sent)] == [None]
            assert script.commands("APPEND")[0].startswith(b"APPEND {3}\r\na\xffb () ")

    def test_an_odd_mailbox_name_that_is_refused_is_a_refused_message(self, talk: Talk) -> None:
        with Scripted(capabilities=BARE, refuse_literal=b"<tag> NO no literals\r\n") as script:
            sent = [(Message(b"x" * 2_000_000), NONE), (Message(), NONE)]
            outcomes = list(talk(script).append(MailboxName("a%FFb"), sent))
            assert [each.refused for each in outcomes] == ["no literals"] * 2
