"""What one session leaves for the next: log-in and everything that follows it in one flight, and never for worse."""

import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted import Scripted, attempt, settings_for

from syncer.errors import ConnectError, LoginError
from syncer.imap.auth import Password
from syncer.imap.connection import connect
from syncer.imap.mailbox import ImapServer
from syncer.imap.memory import Memory, recall
from syncer.reconcile.identity import INBOX, MailboxName

FULL = b"IMAP4rev1 ENABLE CONDSTORE QRESYNC NAMESPACE LIST-EXTENDED LIST-STATUS UNSELECT COMPRESS=DEFLATE"
BEFORE = b"IMAP4rev1 SASL-IR AUTH=PLAIN"
GREETING = b"* OK [CAPABILITY " + BEFORE + b"] Dovecot ready.\r\n"
LISTED = (
    b'* LIST () "/" INBOX\r\n* STATUS INBOX (MESSAGES 3 UIDVALIDITY 7 UIDNEXT 10 HIGHESTMODSEQ 5)\r\n<tag> OK x\r\n'
)


def server(replies: dict[str, Any] | None = None, **options: Any) -> Scripted:
    """A server that says it is a Dovecot."""
    answers = {
        "LOGIN": b"<tag> OK [CAPABILITY " + FULL + b"] in\r\n",
        "ENABLE": b"* ENABLED CONDSTORE QRESYNC\r\n<tag> OK x\r\n",
        "LIST": LISTED,
        **(replies or {}),
    }
    return Scripted(answers, **{"greeting": GREETING, "capabilities": FULL, **options})


OPENED: list[ImapServer] = []


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def again(script: Scripted, memory: str | None, **changes: Any) -> ImapServer:
    """A second connection."""
    script.lines.clear()
    OPENED.append(connect(settings_for(script, **changes), memory=memory, early=True, attempts=1, sleep=lambda _: None))
    return OPENED[-1]


def remembered(script: Scripted, **changes: Any) -> str:
    client = again(script, None, **changes)
    client.mailboxes(counters=True)
    assert client.memory is not None
    return client.memory


def words(script: Scripted) -> list[bytes]:
    return [line.split()[1] for line in script.lines]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scripted, int], None]:
    """`held(script, n)`: the server says nothing to a log-in until it has n commands after it."""

    def hold(script: Scripted, commands: int) -> None:
        said = script.replies["LOGIN"]
        waiting: list[bytes] = []

        def silent(line: bytes) -> bytes:
            waiting.append(line.split()[0])
            return b""

        def speak(key: str, answer: bytes) -> None:
            def later(line: bytes) -> bytes:
                waiting.append(line.split()[0])
                texts.append(answer.replace(b"<tag>", line.split()[0]))
                if len(texts) < commands:
                    return b""
                assert isinstance(said, bytes)
                return said.replace(b"<tag>", waiting[0]) + b"".join(texts)

            script.replies[key] = later

        texts: list[bytes] = []
        for key in ("ENABLE", "NAMESPACE", "LIST"):
            answer = script.replies[key]
            assert isinstance(answer, bytes)
            speak(key, answer)
        script.replies["LOGIN"] = silent

    return hold


def test_with_a_memory_everything_leaves_behind_the_log_in(held: Callable[[Scripted, int], None]) -> None:
    with server() as script:
        memory = remembered(script)
        held(script, 3)
        found = again(script, memory).mailboxes(counters=True)
        assert words(script) == [b"LOGIN", b"ENABLE", b"NAMESPACE", b"LIST"]
        assert [(each.name, each.cursor and each.cursor.messages) for each in found] == [(INBOX, 3)]


def test_the_memory_stays_the_same_as_long_as_the_server_does() -> None:
    with server() as script:
        memory = remembered(script)
        assert again(script, memory).memory == memory
        assert "hunter2" not in memory


def test_without_a_memory_nothing_is_sent_before_the_reply_to_the_log_in() -> None:
    with server({"LOGIN": b"<tag> NO nope\r\n"}) as script, pytest.raises(LoginError):
        again(script, None)
    assert words(script) == [b"LOGIN"]


@pytest.mark.parametrize(
    "greeting", [b"* OK [CAPABILITY IMAP4rev1] Courier-IMAP ready.\r\n", b"* OK [CAPABILITY IMAP4rev1] hello\r\n"]
)
def test_nothing_is_sent_behind_the_log_in_of_a_server_that_is_not_known_to_take_it(greeting: bytes) -> None:
    with server(greeting=greeting) as script:
        memory = remembered(script)
        script.replies["LOGIN"] = b"<tag> NO nope\r\n"
        with pytest.raises(LoginError):
            again(script, memory)
        assert words(script) == [b"LOGIN"]


def test_another_greeting_makes_the_memory_void() -> None:
    with server() as script:
        memory = remembered(script)
        script.greeting = GREETING.replace(b"ready", b"2.4 ready")
        script.replies["LOGIN"] = b"<tag> NO nope\r\n"
        with pytest.raises(LoginError):
            again(script, memory)
        assert words(script) == [b"LOGIN"]


def test_a_server_without_authenticate_in_company_is_not_sent_anything_behind_it() -> None:
    capabilities = b"IMAP4rev1 SASL-IR AUTH=PLAIN LOGINDISABLED"
    said = b"<tag> OK [CAPABILITY " + FULL + b"] in\r\n"
    greeting = b"* OK [CAPABILITY " + capabilities + b"] Cyrus IMAP 3.6 ready\r\n"
    with server({"AUTHENTICATE": said}, greeting=greeting) as script:
        memory = remembered(script)
        script.replies["AUTHENTICATE"] = b"<tag> NO nope\r\n"
        with pytest.raises(LoginError):
            again(script, memory)
        assert words(script) == [b"AUTHENTICATE"]


def test_other_capabilities_than_remembered_count_at_once() -> None:
    with server() as script:
        memory = remembered(script)
        script.replies["LOGIN"] = b"<tag> OK [CAPABILITY IMAP4rev1 NAMESPACE MOVE] in\r\n"
        script.replies["ENABLE"] = b"<tag> BAD what\r\n"
        script.replies["LIST"] = [b"<tag> BAD what\r\n", b'* LIST () "/" INBOX\r\n<tag> OK x\r\n']
        client = again(script, memory)
        assert client.capabilities == {"IMAP4REV1", "NAMESPACE", "MOVE"}
        assert [each.name for each in client.mailboxes(counters=True)] == [INBOX]
        assert client.memory not in (None, memory)
        assert b"RETURN" not in script.commands("LIST")[-1]


def test_a_server_that_refuses_what_came_behind_the_log_in_is_asked_again_and_never_so_again() -> None:
    with server() as script:
        memory = remembered(script)
        script.replies["NAMESPACE"] = [b"<tag> BAD not yet\r\n", b'* NAMESPACE (("" "/")) NIL NIL\r\n<tag> OK x\r\n']
        client = again(script, memory)
        assert [each.name for each in client.mailboxes(counters=True)] == [INBOX]
        assert words(script).count(b"NAMESPACE") == 2
        script.replies["LOGIN"] = b"<tag> NO nope\r\n"
        with pytest.raises(LoginError):
            again(script, client.memory)
        assert words(script) == [b"LOGIN"]


def test_a_server_that_loses_what_came_behind_the_log_in_costs_one_more_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("syncer.imap.login.PATIENCE", 0.3)
    with server() as script:
        memory = remembered(script)
        lost = [b"", script.replies["ENABLE"]]
        script.replies.update({"ENABLE": lost, "NAMESPACE": [b"", script.replies["NAMESPACE"]], "LIST": [b"", LISTED]})  # type: ignore[dict-item, list-item]
        before = script.connections
        client = again(script, memory)
        assert [each.name for each in client.mailboxes(counters=True)] == [INBOX]
        assert script.connections == before + 2
        assert client.memory is not None
        remembered_now = recall(client.memory, GREETING.rstrip())
        assert remembered_now is not None
        assert remembered_now.alone
        assert again(script, client.memory).memory == client.memory
        script.replies["LOGIN"] = b"<tag> OK [CAPABILITY " + FULL + b" MOVE] in\r\n"
        assert "alone" not in (again(script, client.memory).memory or "alone")


def test_a_connection_that_breaks_at_the_log_in_is_tried_again_without_company() -> None:
    with server() as script:
        memory = remembered(script)
        script.replies["LOGIN"] = [None, b"<tag> NO nope\r\n"]
        script.lines.clear()
        with pytest.raises(LoginError):
            connect(settings_for(script), memory=memory, early=True, attempts=2, sleep=lambda _: None)
        assert words(script)[-1] == b"LOGIN"


@pytest.mark.parametrize("code", [b"", b"[AUTHENTICATIONFAILED] "])
def test_a_refused_log_in_is_told_as_ever(code: bytes) -> None:
    with server() as script:
        memory = remembered(script)
        script.replies["LOGIN"] = lambda line: b"%s NO %sno %s\r\n" % (line.split()[0], code, line.strip())
        script.replies.update(dict.fromkeys(("ENABLE", "NAMESPACE", "LIST"), b"<tag> BAD please log in first\r\n"))
        with pytest.raises(LoginError, match="check user") as caught:
            again(script, memory)
        assert "hunter2" not in str(caught.value)
        assert script.connections == 2
        script.replies["LOGIN"] = b"<tag> NO [UNAVAILABLE] later\r\n"
        with pytest.raises(ConnectError, match="later"):
            again(script, memory)


def test_an_answer_that_came_before_it_was_wanted_is_not_used_after_anything_else_was_done() -> None:
    with server() as script:
        client = again(script, remembered(script))
        script.replies["LIST"] = LISTED.replace(b"<tag>", b'* LIST () "/" new\r\n<tag>')
        client.create(MailboxName("new"))
        assert [each.name for each in client.mailboxes(counters=True)] == [INBOX, "new"]
        assert len(script.commands("LIST")) == 2


def test_an_answer_that_came_before_it_was_wanted_is_not_taken_for_another() -> None:
    with server({"STATUS": b"<tag> NO nope\r\n"}) as script:
        script.replies['LIST "" "INBOX"'] = b"<tag> OK none\r\n"
        assert not again(script, remembered(script)).exists(INBOX)


def test_compression_begins_in_the_same_flight(held: Callable[[Scripted, int], None]) -> None:
    refused = b"<tag> NO [COMPRESSIONACTIVE] no\r\n"
    with server({"COMPRESS": refused}) as script:
        memory = remembered(script, compress=True)
        client = again(script, memory, compress=True)
        assert words(script) == [b"LOGIN", b"ENABLE", b"NAMESPACE", b"LIST", b"COMPRESS"]
        assert [each.name for each in client.mailboxes(counters=True)] == [INBOX]


class TestStartTls:
    """What the server offers after the handshake is remembered as well."""

    def reply(self, offered: bytes) -> dict[str, Any]:
        return {"CAPABILITY": b"* CAPABILITY " + offered + b"\r\n<tag> OK x\r\n"}

    def options(self, context: ssl.SSLContext) -> dict[str, Any]:
        return {"greeting": GREETING.replace(b"SASL-IR", b"STARTTLS LOGINDISABLED"), "context": context}

    def test_nothing_is_asked_between_the_handshake_and_the_log_in(
        self, certificate: Path, server_context: ssl.SSLContext
    ) -> None:
        tls = {"tls": "starttls", "tls_ca_file": str(certificate)}
        with server(self.reply(BEFORE), **self.options(server_context)) as script:
            memory = remembered(script, **tls)
            assert words(script)[:3] == [b"STARTTLS", b"CAPABILITY", b"LOGIN"]
            client = again(script, memory, **tls)
            client.mailboxes(counters=True)
            assert words(script) == [b"STARTTLS", b"LOGIN", b"ENABLE", b"NAMESPACE", b"LIST"]
            assert client.memory == memory

    def test_a_refusal_because_the_server_wants_another_way_now_is_none(
        self, certificate: Path, server_context: ssl.SSLContext
    ) -> None:
        tls = {"tls": "starttls", "tls_ca_file": str(certificate)}
        with server(self.reply(BEFORE), **self.options(server_context)) as script:
            memory = remembered(script, **tls)
            script.replies.update(self.reply(b"IMAP4rev1 LOGINDISABLED SASL-IR AUTH=PLAIN"))
            script.replies["LOGIN"] = b"<tag> NO disabled\r\n"
            script.replies["AUTHENTICATE"] = b"<tag> OK [CAPABILITY " + FULL + b"] in\r\n"
            client = again(script, memory, **tls)
            assert words(script).count(b"LOGIN") == 1
            assert b"AUTHENTICATE" in words(script)
            assert client.memory != memory

    def test_a_password_that_is_wrong_is_not_tried_twice(
        self, certificate: Path, server_context: ssl.SSLContext
    ) -> None:
        tls = {"tls": "starttls", "tls_ca_file": str(certificate)}
        with server(self.reply(BEFORE), **self.options(server_context)) as script:
            memory = remembered(script, **tls)
            script.replies["LOGIN"] = b"<tag> NO wrong\r\n"
            with pytest.raises(LoginError, match="wrong"):
                again(script, memory, **tls)
            assert words(script).count(b"LOGIN") == 1


def test_in_clear_text_a_server_is_asked_what_it_offers_whatever_is_remembered() -> None:
    with server(greeting=b"* OK Dovecot ready\r\n") as script:
        memory = remembered(script)
        again(script, memory)
        assert words(script)[:2] == [b"CAPABILITY", b"LOGIN"]


def test_a_server_that_never_tells_is_asked_together_with_all_the_rest() -> None:
    greeting = b"* OK [CAPABILITY IMAP4rev1] hello\r\n"
    with server({"LOGIN": b"<tag> OK in\r\n"}, greeting=greeting) as script:
        memory = remembered(script)
        said: list[bytes] = []

        def silent(line: bytes) -> bytes:
            said.append(line.split()[0])
            return b""

        def all_at_once(line: bytes) -> bytes:
            return b"* CAPABILITY %s\r\n%s OK x\r\n%s" % (FULL, said[0], LISTED.replace(b"<tag>", line.split()[0]))

        script.replies.update({"CAPABILITY": silent, "LIST": all_at_once})
        assert [each.name for each in again(script, memory).mailboxes(counters=True)] == [INBOX]


def test_the_text_of_a_memory_survives_the_round_trip_and_nothing_else_is_believed() -> None:
    memory = Memory(b"* OK hello", ("IMAP4REV1", "MOVE"), ("AUTH=PLAIN",), alone=True)
    text = memory.text()
    assert text is not None
    assert recall(text, b"* OK hello") == memory
    assert recall(text, b"* OK hellO") is None
    for odd in (None, "", "{}", "1\n\n", text.replace("1", "2", 1), text + "\n"):
        assert recall(odd, b"* OK hello") is None
    empty = Memory(b"* OK", (), ())
    assert recall(empty.text(), b"* OK") == empty
    assert recall(Memory(b"* OK", ()).text(), b"* OK") == Memory(b"* OK", ())


@pytest.mark.parametrize("odd", [b"* OK \xff", b"* OK \0", b"* OK \x1b[0m", b"* OK " + b"x" * 20_000])
def test_a_greeting_that_is_not_fit_to_be_kept_is_not(odd: bytes) -> None:
    assert Memory(odd, ("IMAP4REV1",)).text() is None


def test_a_capability_that_is_not_fit_to_be_kept_makes_no_memory() -> None:
    assert Memory(b"* OK", ("IMAP4REV1", "A\nB")).text() is None


@pytest.mark.parametrize("words", [b"NO [AUTHENTICATIONFAILED] no", b"BAD what"])
def test_a_log_in_by_question_and_answer_that_is_refused(words: bytes) -> None:
    replies: dict[str, Any] = {"AUTHENTICATE": lambda line: said.append(line.split()[0]) or b"+ \r\n", "A": b""}
    said: list[bytes] = []
    script = Scripted(replies, capabilities=b"IMAP4rev1 AUTH=PLAIN LOGINDISABLED")
    script.replies[""] = lambda line: b"%s %s %s\r\n" % (said[-1], words, line.strip())
    with script, pytest.raises(LoginError, match="check user") as caught:
        attempt(script)
    assert not re.search("hunter2|AG1lAGh1bnRlcjI", str(caught.value))
    assert script.connections == 1


def test_a_log_in_by_question_and_answer_that_breaks() -> None:
    script = Scripted({"AUTHENTICATE": None}, capabilities=b"IMAP4rev1 AUTH=PLAIN LOGINDISABLED")
    with script, pytest.raises(ConnectError, match="while logging in"):
        attempt(script)
    assert script.connections == 3


def test_a_password_with_quotes_is_not_repeated_either() -> None:
    echo: Callable[[bytes], bytes] = lambda line: b"%s NO cannot %s\r\n" % (line.split()[0], line.strip())  # noqa: E731
    with Scripted({"LOGIN": echo}) as script, pytest.raises(LoginError) as caught:
        attempt(script, password=Password('a"secret\\b'))
    assert "secret" not in str(caught.value)
