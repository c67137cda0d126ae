"""Appending several messages in one command, to servers that do what servers do."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from scripted import CAPABILITIES, SELECT, Scripted

from syncer.errors import ConnectionLostError, MailboxError, NoSuchMailboxError, ProtocolError, VanishedError
from syncer.imap.mailbox import ImapServer
from syncer.ports import Appended
from syncer.reconcile.flags import NONE, SEEN
from syncer.reconcile.identity import INBOX, MailboxName, UniqueName
from syncer.reconcile.observations import Fingerprint

Talk = Callable[..., ImapServer]
MULTI = CAPABILITIES + b" MULTIAPPEND"
MESSAGE = re.compile(rb" \(([^)]*)\) \"([^\"]*)\" \{(\d+)\+?\}\r\n")


@dataclass
class Message:
    """An `Outgoing`; one that vanishes does so when it is read for the `vanishes`th time."""

    name: UniqueName
    octets: bytes
    vanishes: int = 0
    internaldate: int = 837596665
    read: int = 0

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(len(self.octets), b"", b"")

    def chunks(self) -> Iterator[bytes]:
        self.read += 1
        yield self.octets[:10]
        if self.read == self.vanishes:
            raise VanishedError("the file is gone")
        yield self.octets[10:]


def notes(words: str, **vanishes: int) -> list[Message]:
    """A message for each word, which is its name and in it."""
    return [Message(UniqueName(word), b"Subject: %s\r\n\r\n" % word.encode(), vanishes.get(word, 0)) for word in words.split()]  # fmt: skip  # noqa: E501


@dataclass
class Mailbox:
    """What the server holds. Messages with `bad` in them are refused, and the whole command with them.

    With `atomic` off, those before stay, as on servers that append message by message. With `room` no more fit.
    """

    atomic: bool = True
    tells: bool = True
    room: int = 1_000_000
    largest: int = 1_000
    held: list[bytes] = field(default_factory=list)

    def append(self, command: bytes) -> bytes:
        got = taken_apart(command)
        if len(got) > self.largest:
            return b"<tag> BAD too many\r\n"
        before = len(self.held)
        for octets in got:
            full = len(self.held) >= self.room
            if full or b"bad" in octets:
                if self.atomic:
                    del self.held[before:]
                return b"<tag> NO [%s] no\r\n" % (b"OVERQUOTA" if full else b"CANNOT")
            self.held.append(octets)
        first, last = 10 + before, 9 + len(self.held)
        uids = b"%d" % first if first == last else b"%d:%d" % (first, last)
        return b"<tag> OK [APPENDUID 7 %s] done\r\n" % uids if self.tells else b"<tag> OK done\r\n"

    def status(self, command: bytes) -> bytes:
        name = b"INBOX" if b"INBOX" in command else b'"a\xffb"'
        return b"* STATUS " + name + b" (UIDVALIDITY 7 UIDNEXT %d)\r\n<tag> OK done\r\n" % (10 + len(self.held))

    def script(self, capabilities: bytes = MULTI, **options: object) -> Scripted:
        replies = {"APPEND": self.append, "STATUS": self.status}
        return Scripted(replies, capabilities=capabilities, **options)  # type: ignore[arg-type]

    @property
    def words(self) -> str:
        return " ".join(octets.split()[1].decode() for octets in self.held)


def taken_apart(command: bytes) -> list[bytes]:
    """The messages of an APPEND, whose syntax is checked (RFC 3502 section 6.3.11)."""
    head = re.match(rb"s\d+ APPEND (?:\"[^\"]*\"|\{\d+\+?\}\r\na\xffb)", command)
    assert head, command
    at, found = head.end(), []
    while (match := MESSAGE.match(command, at)) is not None:
        at = match.end() + int(match[3])
        found.append(command[match.end() : at])
    assert command[at:] == b"\r\n", command
    return found


def append(server: ImapServer, *messages: Message, mailbox: MailboxName = INBOX) -> list[Appended]:
    return list(server.append(mailbox, [(message, frozenset({SEEN})) for message in messages]))


def told(outcomes: list[Appended]) -> str:
    """`a:10` for one under UID 10, `a:` for one whose UID is not told, `a!` for one that was refused."""
    return " ".join(f"{each.name}!" if each.refused else f"{each.name}:{each.uid or ''}" for each in outcomes)


class TestInOneCommand:
    def test_messages_with_their_flags_and_dates(self, talk: Talk) -> None:
        with Mailbox().script() as script:
            assert told(append(talk(script), *notes("a b"))) == "a:10 b:11"
            date = b'"17-Jul-1996 09:44:25 +0000"'
            assert script.commands("APPEND") == [
                b'APPEND "INBOX" (\\Seen) %s {14+}\r\nSubject: a\r\n\r\n (\\Seen) %s {14+}\r\nSubject: b' % (date, date)
            ]

    def test_a_single_message_costs_no_look_at_uidnext(self, talk: Talk) -> None:
        with Mailbox().script() as script:
            assert told(append(talk(script), *notes("a"))) == "a:10"
            assert script.commands("STATUS") == []

    def test_at_most_a_hundred_messages(self, talk: Talk) -> None:
        names = " ".join(f"n{number}" for number in range(250))
        with (mailbox := Mailbox()).script() as script:
            outcomes = append(talk(script), *notes(names))
            assert [each.uid for each in outcomes] == list(range(10, 260))
            assert [line.count(b"Subject:") for line in script.commands("APPEND")] == [
                100,
                100,
                50,
            ]
            assert mailbox.words == names

    def test_at_most_a_mebibyte_and_what_is_larger_alone(self, talk: Talk) -> None:
        sizes = [300_000] * 5 + [1_048_577, 20]
        messages = [
            Message(UniqueName(str(at)), b"Subject: %d " % at + b"x" * (size - 11)) for at, size in enumerate(sizes)
        ]
        with (mailbox := Mailbox()).script() as script:
            assert [each.uid for each in append(talk(script), *messages)] == list(range(10, 17))
            assert [line.count(b"Subject:") for line in script.commands("APPEND")] == [3, 2, 1, 1]
            assert mailbox.held == [message.octets for message in messages]

    @pytest.mark.parametrize(
        ("capabilities", "commands"),
        [(b"IMAP4rev1 MULTIAPPEND", [1, 1, 1, 1, 1]), (b"IMAP4rev1 MULTIAPPEND LITERAL-", [2, 1, 2]), (MULTI, [5])],
    )
    def test_only_literals_that_need_no_leave(self, talk: Talk, capabilities: bytes, commands: list[int]) -> None:
        messages = notes("a b c d e")
        messages[2].octets = b"Subject: c\r\n\r\n".ljust(4097, b"x")
        with (mailbox := Mailbox()).script(capabilities) as script:
            assert told(append(talk(script), *messages)) == "a:10 b:11 c:12 d:13 e:14"
            assert [line.count(b"Subject:") for line in script.commands("APPEND")] == commands
            assert mailbox.held == [message.octets for message in messages]

    def test_an_odd_mailbox_name(self, talk: Talk) -> None:
        with (mailbox := Mailbox()).script() as script:
            append(talk(script), *notes("a b"), mailbox=MailboxName("a%FFb"))
            assert mailbox.words == "a b"

    def test_what_is_not_sent_has_its_turn_in_the_outcomes(self, talk: Talk) -> None:
        messages = notes("a b c d e f", c=1)
        messages[0].octets = messages[4].octets = b""
        messages[5].octets = b"x" * 101
        with (mailbox := Mailbox()).script(MULTI + b" APPENDLIMIT=100") as script:
            assert told(append(talk(script), *messages)) == "a! b:10 c! d:11 e! f!"
            assert (mailbox.words, len(script.commands("APPEND"))) == ("b d", 1)

    def test_a_mailbox_that_is_not_there(self, talk: Talk) -> None:
        mailbox = Mailbox()
        replies = {"APPEND": b"<tag> NO [TRYCREATE] no\r\n", "STATUS": mailbox.status}
        with Scripted(replies, capabilities=MULTI) as script:
            server = talk(script)
            with pytest.raises(NoSuchMailboxError):
                append(server, *notes("a b c"))
            assert len(script.commands("APPEND")) == 1
            assert server.listing(INBOX).epoch.uidvalidity == 7

    def test_without_a_uidnext_to_compare_with_each_alone(self, talk: Talk) -> None:
        status = b"* STATUS INBOX (UIDVALIDITY 7)\r\n<tag> OK done\r\n"
        with Scripted({"APPEND": Mailbox().append, "STATUS": status}, capabilities=MULTI) as script:
            assert told(append(talk(script), *notes("a b"))) == "a:10 b:11"
            assert len(script.commands("APPEND")) == 2


class TestUids:
    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (b"[APPENDUID 7 5:7]", "a:5 b:6 c:7"),
            (b"[APPENDUID 7 5,6:7]", "a:5 b:6 c:7"),
            (b"[APPENDUID 7 5,8,4294967295]", "a:5 b:8 c:4294967295"),
            *(
                (code, "a: b: c:")
                for code in (
                    b"",
                    b"[APPENDUID 7]",
                    b"[APPENDUID 7 5]",
                    b"[APPENDUID 7 5:6]",
                    b"[APPENDUID 7 5:8]",
                    b"[APPENDUID 7 1:4294967295]",
                    b"[APPENDUID 7 7:5]",
                    b"[APPENDUID 7 7,6,5]",
                    b"[APPENDUID 7 5,5,6]",
                    b"[APPENDUID 7 5:6,6]",
                    b"[APPENDUID 7 0:2]",
                    b"[APPENDUID 7 4294967294:4294967296]",
                    b"[APPENDUID 7 5:*]",
                    b"[APPENDUID 7 5,,6]",
                    b"[APPENDUID 7 (5 6 7)]",
                    b"[APPENDUID 7 5:7 9]",
                    b"[APPENDUID 0 5:7]",
                    b"[APPENDUID 8 5:7]",
                )
            ),
        ],
    )
    def test_they_are_as_many_and_ascending_or_unknown(self, talk: Talk, code: bytes, expected: str) -> None:
        replies = {"APPEND": b"<tag> OK " + code + b" done\r\n", "STATUS": Mailbox().status}
        with Scripted(replies, capabilities=MULTI) as script:
            server = talk(script)
            server.listing(INBOX)
            server.listing(MailboxName("other"))
            assert told(append(server, *notes("a b c"))) == expected

    def test_a_server_that_tells_none(self, talk: Talk) -> None:
        with (mailbox := Mailbox(tells=False)).script() as script:
            assert told(append(talk(script), *notes("a b bad1 c"))) == "a: b: bad1! c:"
            assert mailbox.words == "a b c"


class TestARefusal:
    @pytest.mark.parametrize("words", ["bad1 a b", "a bad1 b", "a b bad1", "bad1 bad2 a bad3", "bad1 bad2", "a b"])
    def test_costs_only_the_messages_that_are_to_blame(self, talk: Talk, words: str) -> None:
        with (mailbox := Mailbox()).script() as script:
            outcomes = append(talk(script), *notes(words))
            assert mailbox.words == " ".join(word for word in words.split() if "bad" not in word)
            assert [(each.name, each.refused) for each in outcomes] == [
                (word, "[CANNOT] no" if "bad" in word else None) for word in words.split()
            ]
            assert [each.uid for each in outcomes if each.uid] == list(range(10, 10 + len(mailbox.held)))

    def test_commands_that_are_under_way_behind_it_are_not_sent_again(self, talk: Talk) -> None:
        words = [f"n{number}" for number in range(900)]
        words[50] = words[450] = "bad1"
        with (mailbox := Mailbox()).script() as script:
            outcomes = append(talk(script), *notes(" ".join(words)))
            assert [each.name for each in outcomes] == words
            assert [each.name for each in outcomes if each.refused] == ["bad1", "bad1"]
            assert sorted(mailbox.words.split()) == sorted(word for word in words if word != "bad1")
            by_uid = dict(enumerate(mailbox.held, 10))
            assert all(by_uid[each.uid].split()[1].decode() == each.name for each in outcomes if each.uid)

    def test_over_quota_everything_is_refused_and_little_is_sent_twice(self, talk: Talk) -> None:
        words = [f"n{number}" for number in range(900)]
        with (mailbox := Mailbox(room=20)).script() as script:
            outcomes = append(talk(script), *notes(" ".join(words)))
            assert [each.name for each in outcomes if not each.refused] == words[:20]
            assert mailbox.words.split() == words[:20]
            sent = sum(line.count(b"Subject:") for line in script.commands("APPEND"))
            assert sent < 900 + 650

    def test_a_server_that_takes_only_a_few_at_a_time(self, talk: Talk) -> None:
        words = [f"n{number}" for number in range(1200)]
        with (mailbox := Mailbox(largest=10)).script() as script:
            outcomes = append(talk(script), *notes(" ".join(words)))
            assert [each.refused for each in outcomes] == [None] * 1200
            assert sorted(mailbox.words.split()) == sorted(words)

    def test_a_file_that_is_gone_when_it_is_to_be_sent_again(self, talk: Talk) -> None:
        with (mailbox := Mailbox()).script() as script:
            assert told(append(talk(script), *notes("a b bad1 c", b=2))) == "a:10 b! bad1! c:11"
            assert mailbox.words == "a c"

    def test_nothing_is_sent_again_to_a_server_that_kept_some(self, talk: Talk) -> None:
        with (mailbox := Mailbox(atomic=False)).script() as script:
            server = talk(script)
            with pytest.raises(MailboxError, match="may have kept"):
                append(server, *notes("a b bad1 c"))
            assert (mailbox.words, len(script.commands("APPEND"))) == ("a b", 1)
            # The next pass has found out which.
            assert told(append(server, *notes("bad1 c"))) == "bad1! c:12"
            assert mailbox.words == "a b c"

    def test_nor_if_somebody_else_delivers_at_that_moment(self, talk: Talk) -> None:
        mailbox = Mailbox()

        def append_and_deliver(command: bytes) -> bytes:
            said = mailbox.append(command)
            mailbox.held.append(b"Subject: foreign\r\n\r\n")
            return said

        with mailbox.script() as script:
            script.replies["APPEND"] = append_and_deliver
            with pytest.raises(MailboxError):
                append(talk(script), *notes("a bad1 c"))
            assert mailbox.words == "foreign"

    def test_of_a_literal_in_the_middle(self, talk: Talk) -> None:
        """A server that takes the rest and drops it, as RFC 7888 section 4 wants."""
        with (mailbox := Mailbox()).script() as script:
            script.refuse_after = 2
            assert told(append(talk(script), *notes("a b c d"))) == "a:10 b:11 c:12 d:13"
            assert mailbox.words == "a b c d"
            assert len(script.commands("APPEND")) == 5


class TestTheConnection:
    def test_a_bye_in_the_middle(self, talk: Talk) -> None:
        replies = {"APPEND": b"* BYE going down\r\n", "STATUS": Mailbox().status}
        with Scripted(replies, capabilities=MULTI) as script:
            with pytest.raises(ConnectionLostError, match="going down"):
                append(talk(script), *notes("a b c"))
            assert len(script.commands("APPEND")) == 1

    def test_cut_after_every_few_octets_nothing_is_sent_twice(self, talk: Talk) -> None:
        words = "a b bad1 c"
        ended = False
        cut = 0
        while not ended:
            mailbox = Mailbox()
            seen: list[Appended] = []
            with mailbox.script() as script:
                server = talk(script)
                script.cut_after = cut
                try:
                    seen += server.append(INBOX, [(message, NONE) for message in notes(words)])
                    ended = True
                except ConnectionLostError:
                    assert len(mailbox.held) == len(set(mailbox.held))
                    assert not any(each.refused for each in seen if each.name != "bad1")
                    assert {each.name for each in seen if each.uid} <= set(mailbox.words.split())
            cut += 3
        assert mailbox.words == "a b c"
        assert cut > 150

    def test_the_one_who_gives_the_messages_fails_in_the_middle(self, talk: Talk) -> None:
        def failing() -> Iterator[tuple[Message, frozenset[str]]]:
            yield from ((message, NONE) for message in notes("a b c"))
            raise MailboxError("the disk is full")

        with (mailbox := Mailbox()).script() as script:
            server = talk(script)
            with pytest.raises(MailboxError, match="disk"):
                list(server.append(INBOX, failing()))
            assert mailbox.words == "a b c"
            assert server.listing(INBOX).epoch.uidvalidity == 7

    def test_the_one_who_wants_the_outcomes_goes_away(self, talk: Talk) -> None:
        names = " ".join(f"n{number}" for number in range(600))
        with (mailbox := Mailbox()).script() as script:
            server = talk(script)
            outcomes = server.append(INBOX, [(message, NONE) for message in notes(names)])
            assert next(outcomes).uid == 10
            outcomes.close()  # type: ignore[attr-defined]
            assert 100 <= len(mailbox.held) < 600
            assert server.listing(INBOX).epoch.uidvalidity == 7

    def test_a_server_that_does_not_know_what_it_announces(self, talk: Talk) -> None:
        replies = {"APPEND": b"<tag> BAD what\r\nSubject: BAD what\r\n", "STATUS": Mailbox().status}
        with Scripted(replies, capabilities=MULTI) as script, pytest.raises(ProtocolError):
            append(talk(script), *notes("a b c"))

    def test_the_selected_mailbox_is_asked_for_its_uidnext_by_select(self, talk: Talk) -> None:
        select = [SELECT, SELECT, SELECT, SELECT.replace(b"UIDNEXT 10", b"UIDNEXT 11")]
        replies = {"APPEND": [b"<tag> NO no\r\n", b"<tag> NO no\r\n"], "SELECT": select}
        with Scripted(replies, capabilities=MULTI) as script:
            server = talk(script)
            server.listing(INBOX)
            with pytest.raises(MailboxError, match="may have kept"):
                append(server, *notes("a b"))
            assert script.commands("STATUS") == []

    def test_time_that_the_one_who_gives_the_messages_takes_is_not_the_servers(self, talk: Talk) -> None:
        def slow(server: ImapServer) -> Iterator[tuple[Message, frozenset[str]]]:
            for message in notes("a b c"):
                server._wire.transport.deadline = 0.0  # long ago
                yield message, NONE
            server._wire.transport.deadline = 0.0

        with (mailbox := Mailbox()).script() as script:
            server = talk(script)
            assert told(list(server.append(INBOX, slow(server)))) == "a:10 b:11 c:12"
            assert mailbox.words == "a b c"
