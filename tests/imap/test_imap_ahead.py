"""SELECT and the first question about the mailbox leave together; what changes anything waits for the reply."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from scripted import SELECT, Scripted, fetched

from syncer.errors import ConnectionLostError, MailboxError, NoSuchMailboxError
from syncer.imap import ahead
from syncer.imap.ahead import Question
from syncer.imap.mailbox import ImapServer
from syncer.imap.transport import Transport
from syncer.imap.wire import Wire
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import SEEN, FlagDelta
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity

Talk = Callable[..., ImapServer]

OTHER = MailboxName("other")
FLAGS = b"* 1 FETCH (UID 4 FLAGS (\\Seen))\r\n"
DESCRIBED = b'* 1 FETCH (UID 4 FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 3)\r\n'
HEADER = b"* 1 FETCH (UID 4 BODY[HEADER] {8}\r\nA: b\r\n\r\n)\r\n"
DONE = b"<tag> OK done\r\n"
REPLACED = SELECT.replace(b"UIDVALIDITY 7", b"UIDVALIDITY 8")


class Slow:
    """Answers SELECT only when the command behind it is there."""

    def __init__(self, script: Scripted, answers: dict[str, bytes], select: bytes = SELECT) -> None:
        self.select = select
        self.waiting: bytes | None = None
        script.replies["SELECT"] = self.hold
        for key, answer in answers.items():
            script.replies[key] = lambda line, answer=answer: self.speak(line, answer)  # type: ignore[misc]

    def hold(self, line: bytes) -> bytes:
        self.waiting = line.split()[0]
        return b""

    def speak(self, line: bytes, answer: bytes) -> bytes:
        tag, self.waiting = self.waiting, None
        before = self.select.replace(b"<tag>", tag) if tag else b""
        return before + answer.replace(b"<tag>", line.split()[0])


READS: dict[str, tuple[bytes, Callable[[ImapServer, MailboxName], Any]]] = {
    "listing": (FLAGS + DONE, lambda server, name: dict(server.listing(name).flags)),
    "describe": (DESCRIBED + DONE, lambda server, name: [each.size for each in server.describe(name, {Uid(4)})]),
    "headers": (HEADER + DONE, lambda server, name: list(server.headers(name, {Uid(4)}))),
    "fetch": (
        fetched(4, b"abc") + DONE,
        lambda server, name: [b"".join(each.body) for each in server.fetch(name, [Uid(4)])],
    ),
}
EXPECTED = {"listing": {4: frozenset({SEEN})}, "describe": [3], "headers": [4], "fetch": [b"abc"]}


@pytest.mark.parametrize("read", READS)
def test_a_question_leaves_with_the_select(talk: Talk, read: str) -> None:
    answer, ask = READS[read]
    with Scripted() as script:
        Slow(script, {"UID FETCH": answer})
        assert ask(talk(script, read_seconds=1.0), INBOX) == EXPECTED[read]


@pytest.mark.parametrize("read", READS)
def test_a_refused_select_is_told_as_ever_and_the_connection_goes_on(talk: Talk, read: str) -> None:
    answer, ask = READS[read]
    refused = {"SELECT": b"<tag> NO [NONEXISTENT] no\r\n", "UID FETCH": b"<tag> BAD no mailbox selected\r\n"}
    with Scripted(refused) as script:
        server = talk(script)
        with pytest.raises(NoSuchMailboxError):
            ask(server, OTHER)
        script.replies.update({"SELECT": SELECT, "UID FETCH": answer})
        assert ask(server, INBOX) == EXPECTED[read]


@pytest.mark.parametrize("read", ["describe", "headers", "fetch"])
def test_answers_about_a_mailbox_that_was_replaced_are_thrown_away(talk: Talk, read: str) -> None:
    answer, ask = READS[read]
    with Scripted({"SELECT": REPLACED, "UID FETCH": answer}) as script:
        server = talk(script)
        server.expect(INBOX, UidValidity(7))
        with pytest.raises(MailboxError, match="replaced"):
            ask(server, INBOX)
        script.replies["SELECT"] = SELECT
        server.expect(INBOX, UidValidity(7))
        assert ask(server, INBOX) == EXPECTED[read]


def test_a_large_body_of_a_mailbox_that_was_replaced_is_passed_over(talk: Talk) -> None:
    with Scripted({"SELECT": REPLACED, "UID FETCH": fetched(4, b"x" * 3_000_000) + DONE}) as script:
        server = talk(script)
        server.expect(INBOX, UidValidity(7))
        with pytest.raises(MailboxError, match="replaced"):
            list(server.fetch(INBOX, [Uid(4)]))
        script.replies["UID FETCH"] = DESCRIBED + DONE
        server.expect(INBOX, UidValidity(8))
        assert len(server.describe(INBOX, {Uid(4)})) == 1


def test_a_mailbox_without_uidvalidity_is_left_after_its_answers_were_passed_over(talk: Talk) -> None:
    select = SELECT.replace(b"* OK [UIDVALIDITY 7] ok\r\n", b"")
    with Scripted({"SELECT": select, "UID FETCH": FLAGS + DONE}) as script:
        server = talk(script)
        with pytest.raises(MailboxError, match="no UIDVALIDITY"):
            server.listing(INBOX)
        assert script.commands("UNSELECT")
        script.replies["SELECT"] = SELECT
        assert dict(server.listing(INBOX).flags) == EXPECTED["listing"]


def test_the_counters_are_those_of_the_select(talk: Talk) -> None:
    later = b"* 4 EXISTS\r\n* OK [UIDNEXT 11] more\r\n* OK [HIGHESTMODSEQ 99]\r\n"
    flags = b"".join(b"* %d FETCH (UID %d FLAGS ())\r\n" % (uid, uid) for uid in (1, 2, 3, 10))
    with Scripted({"UID FETCH": later + flags + DONE}) as script:
        found = talk(script).listing(INBOX)
        assert (found.epoch, found.messages, len(found.flags)) == (Epoch(7, 10, 5), 3, 4)
        assert found.complete


def test_messages_is_none_where_the_server_did_not_tell(talk: Talk) -> None:
    with Scripted({"SELECT": SELECT.replace(b"* 3 EXISTS\r\n", b""), "UID FETCH": FLAGS + DONE}) as script:
        assert talk(script).listing(INBOX).messages is None


@pytest.mark.parametrize(
    "change",
    [
        lambda server: server.store(INBOX, [({Uid(4)}, FlagDelta(frozenset({SEEN})))]),
        lambda server: server.expunge(INBOX, {Uid(4)}),
        lambda server: server.move(INBOX, {Uid(4)}, OTHER),
    ],
    ids=["store", "expunge", "move"],
)
def test_what_changes_a_mailbox_waits_for_the_select(talk: Talk, change: Callable[[ImapServer], object]) -> None:
    with Scripted({"SELECT": REPLACED}) as script:
        server = talk(script)
        server.expect(INBOX, UidValidity(7))
        with pytest.raises(MailboxError, match="replaced"):
            change(server)
        assert script.commands("UID") == []
        script.replies["SELECT"] = b""
        script.lines.clear()
        server.expect(INBOX, UidValidity(7))
        server._wire.transport._timeout = 0.2
        with pytest.raises(ConnectionLostError):
            change(server)
        assert script.commands("UID") == []


class TestUidnext:
    """A server that tells it with STATUS only, which has to be asked before the question."""

    SELECT = SELECT.replace(b"* OK [UIDNEXT 10] ok\r\n", b"")
    STATUS = b"* STATUS INBOX (UIDNEXT 12)\r\n<tag> OK done\r\n"

    def test_one_that_is_known_is_asked_all_at_once(self, talk: Talk) -> None:
        with Scripted(greeting=b"* OK [CAPABILITY IMAP4rev1] Courier-IMAP ready\r\n") as script:
            slow = Slow(script, {}, self.SELECT)
            tags: list[bytes] = []
            script.replies["STATUS"] = lambda line: tags.append(line.split()[0]) or b""
            script.replies["UID FETCH"] = lambda line: slow.speak(
                line, self.STATUS.replace(b"<tag>", tags[-1]) + FLAGS + DONE
            )
            found = talk(script, read_seconds=1.0).listing(INBOX)
            assert (found.epoch.uidnext, dict(found.flags)) == (12, EXPECTED["listing"])

    def test_one_that_is_not_is_asked_again(self, talk: Talk) -> None:
        replies = {"SELECT": self.SELECT, "STATUS": self.STATUS, "UID FETCH": FLAGS + DONE}
        with Scripted(replies) as script:
            server = talk(script)
            for _ in range(2):
                found = server.listing(INBOX)
                assert (found.epoch.uidnext, dict(found.flags)) == (12, EXPECTED["listing"])
            words = [b" ".join(line.split()[1:3]) for line in script.lines if b"SELECT" in line or b"UID" in line]
            first = [b'SELECT "INBOX"', b"UID FETCH", b'STATUS "INBOX"', b"UID FETCH"]
            # An incomplete listing is made twice.
            assert words[:4] == first
            assert words[4:7] == [b'SELECT "INBOX"', b'STATUS "INBOX"', b"UID FETCH"]

    def test_bodies_are_asked_for_again_as_well(self, talk: Talk) -> None:
        answer = fetched(4, b"abc") + DONE
        with Scripted({"SELECT": self.SELECT, "STATUS": self.STATUS, "UID FETCH": answer}) as script:
            assert READS["fetch"][1](talk(script), INBOX) == [b"abc"]
            assert len(script.commands("UID FETCH")) == 2

    def test_a_status_that_is_refused_is_told(self, talk: Talk) -> None:
        replies = {"SELECT": self.SELECT, "STATUS": b"<tag> NO [SERVERBUG] no\r\n", "UID FETCH": FLAGS + DONE}
        with Scripted(replies) as script:
            server = talk(script)
            for _ in range(2):
                with pytest.raises(MailboxError, match="STATUS"):
                    server.listing(INBOX)


class TestChanges:
    """CONDSTORE's question leaves with the SELECT."""

    SINCE = Cursor(Epoch(UidValidity(7), Uid(10), 4), 3)  # type: ignore[arg-type]

    def test_in_one_flight(self, talk: Talk) -> None:
        with Scripted() as script:
            Slow(script, {"UID FETCH": FLAGS + DONE})
            found = talk(script, read_seconds=1.0).changes(INBOX, self.SINCE)
            assert found is not None
            assert dict(found.flags) == EXPECTED["listing"]

    @pytest.mark.parametrize(
        "select",
        [REPLACED, SELECT.replace(b"HIGHESTMODSEQ 5", b"NOMODSEQ"), b"<tag> NO [INUSE] no\r\n"],
        ids=["replaced", "without modseqs", "refused"],
    )
    def test_an_answer_that_is_not_wanted_is_passed_over(self, talk: Talk, select: bytes) -> None:
        with Scripted({"SELECT": select, "UID FETCH": FLAGS + DONE}) as script:
            server = talk(script)
            assert server.changes(INBOX, self.SINCE) is None
            script.replies["SELECT"] = SELECT
            assert dict(server.listing(INBOX).flags) == EXPECTED["listing"]


def test_a_name_that_has_to_be_asked_for_is_sent_alone(talk: Talk) -> None:
    raw = b"caf\xe9"
    capabilities = b"IMAP4rev1 NAMESPACE UNSELECT"
    listed = b'* LIST () "/" {4}\r\n%s\r\n<tag> OK x\r\n' % raw
    select = SELECT.replace(b"* OK [UIDNEXT 10] ok\r\n", b"")
    replies = {"LIST": listed, "SELECT": select, "UID FETCH": FLAGS + DONE}
    replies["STATUS"] = b"* STATUS {4}\r\n" + raw + b" (UIDNEXT 12)\r\n<tag> OK done\r\n"
    with Scripted(replies, capabilities=capabilities) as script:
        server = talk(script)
        (mailbox,) = server.mailboxes()
        for _ in range(2):
            assert server.listing(mailbox.name).epoch.uidnext == 12


def trickle(sock: socket.socket, lines: Iterable[bytes]) -> None:
    with contextlib.suppress(OSError):
        for line in lines:
            time.sleep(0.05)
            sock.sendall(line)


@pytest.mark.parametrize("line", [FLAGS, DESCRIBED], ids=["flags", "descriptions"])
@pytest.mark.parametrize("ends", [True, False])
def test_what_is_thrown_away_is_progress_but_not_without_end(
    monkeypatch: pytest.MonkeyPatch, line: bytes, ends: bool
) -> None:
    monkeypatch.setattr(ahead, "MAX_UNTAGGED", 40)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(Transport(ours, 5), "test", command_seconds=1.0)
        question = Question(wire, b"UID FETCH 1:* (FLAGS)")
        question.send()
        lines = [line] * 30 + [b"s1 OK done\r\n"] if ends else itertools.repeat(line, 400)
        speaker = threading.Thread(target=trickle, args=(theirs, lines), daemon=True)
        speaker.start()
        # The time may be over while it is waited for, or just before.
        with contextlib.nullcontext() if ends else pytest.raises(ConnectionLostError, match=r"silent|in time"):
            question.drop()
        assert (wire.closed is None) is ends
        wire.shut("the test is over")
        speaker.join(5)
