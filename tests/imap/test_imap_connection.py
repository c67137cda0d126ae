"""Connecting and logging in, and every way in which that may not go on."""

import base64
import logging
import socket
import time
from collections.abc import Callable

import pytest
from scripted import Scripted, attempt, settings_for

from syncer.errors import ConnectError, ConnectionLostError, LoginError, ProtocolError
from syncer.imap.auth import Password
from syncer.imap.mailbox import ImapServer
from syncer.reconcile.identity import INBOX

Talk = Callable[..., ImapServer]


def test_capabilities_are_taken_from_the_reply_to_the_login(talk: Talk) -> None:
    with Scripted({"LOGIN": b"<tag> OK [CAPABILITY IMAP4rev1 move] in\r\n"}) as script:
        assert talk(script).capabilities == {"IMAP4REV1", "MOVE"}
        assert script.commands("CAPABILITY") == []


def test_capabilities_that_come_by_themselves_with_the_login_count_as_well(talk: Talk) -> None:
    with Scripted({"LOGIN": b"* CAPABILITY IMAP4rev1 move\r\n<tag> OK in\r\n"}) as script:
        assert talk(script).capabilities == {"IMAP4REV1", "MOVE"}
        assert script.commands("CAPABILITY") == []


def test_capabilities_are_asked_for_before_the_login_where_the_greeting_does_not_tell(talk: Talk) -> None:
    with Scripted(greeting=b"* OK ready\r\n") as script:
        talk(script)
        assert len(script.commands("CAPABILITY")) == 1


def test_capabilities_are_asked_for_again_after_a_login_that_does_not_tell(talk: Talk) -> None:
    asked = b"* CAPABILITY IMAP4rev1 NEW\r\n<tag> OK x\r\n"
    with Scripted({"LOGIN": b"<tag> OK in\r\n", "CAPABILITY": asked}, capabilities=b"IMAP4rev1 OLD") as script:
        assert talk(script).capabilities == {"IMAP4REV1", "NEW"}


def test_imap4rev2_brings_its_extensions(talk: Talk) -> None:
    with Scripted({"LOGIN": b"<tag> OK [CAPABILITY IMAP4rev1 IMAP4rev2] in\r\n"}) as script:
        assert {"MOVE", "UIDPLUS", "UNSELECT"} <= talk(script).capabilities


def test_a_plain_login_is_one_command_with_the_password_quoted(talk: Talk) -> None:
    with Scripted() as script:
        talk(script, user="me@example.org", password=Password('a"b\\c'))
        assert script.commands("LOGIN") == [rb'LOGIN me@example.org "a\"b\\c"']


def test_an_odd_user_name_is_quoted(talk: Talk) -> None:
    with Scripted() as script:
        talk(script, user='a "b')
        assert script.commands("LOGIN") == [rb'LOGIN "a \"b" "hunter2"']


@pytest.mark.parametrize("capabilities", [b"IMAP4rev1 AUTH=PLAIN", b"IMAP4rev1 AUTH=PLAIN LOGINDISABLED"])
def test_authenticate_plain_is_used_where_login_cannot_be(talk: Talk, capabilities: bytes) -> None:
    said: list[bytes] = []

    def finish(command: bytes) -> bytes:
        said.append(command)
        return b"+ \r\n"

    password = "hunter2" if b"LOGINDISABLED" in capabilities else "pässword"
    expected = b"\0me\0" + password.encode()
    with Scripted({"AUTHENTICATE": finish, "A": b"", "": b""}, capabilities=capabilities) as script:
        # The response is a bare line of base64, which the script takes for a command without arguments.
        script.replies[""] = lambda line: b"%s OK in\r\n" % said[0].split()[0]
        script.replies["CAPABILITY"] = b"* CAPABILITY " + capabilities + b"\r\n<tag> OK x\r\n"
        talk(script, password=Password(password))
        assert base64.b64decode(script.lines[1]) == expected
        assert not script.commands("LOGIN")


@pytest.mark.parametrize("password", ["hunter2", "pässword"])
def test_authenticate_plain_is_one_command_where_the_server_takes_it(talk: Talk, password: str) -> None:
    said = b"<tag> OK [CAPABILITY IMAP4rev1 MOVE] in\r\n"
    capabilities = b"IMAP4rev1 AUTH=PLAIN SASL-IR LOGINDISABLED"
    with Scripted({"AUTHENTICATE": said}, capabilities=capabilities) as script:
        assert talk(script, password=Password(password)).capabilities == {"IMAP4REV1", "MOVE"}
        (command,) = script.commands("AUTHENTICATE PLAIN ")
        assert base64.b64decode(command.split()[2]) == b"\0me\0" + password.encode()


@pytest.mark.parametrize("words", [b"NO [AUTHENTICATIONFAILED] wrong %s", b"BAD what is %s"])
def test_a_password_sent_at_once_is_refused_without_being_repeated(words: bytes) -> None:
    echo: Callable[[bytes], bytes] = lambda line: line.split()[0] + b" " + words % line.split()[3] + b"\r\n"  # noqa: E731
    script = Scripted({"AUTHENTICATE": echo}, capabilities=b"IMAP4rev1 AUTH=PLAIN SASL-IR LOGINDISABLED")
    with script, pytest.raises(LoginError, match="check user") as caught:
        attempt(script)
    assert base64.b64encode(b"\0me\0hunter2").decode() not in str(caught.value)
    assert script.connections == 1


@pytest.mark.parametrize(
    ("password", "capabilities"), [("x", b"IMAP4rev1 LOGINDISABLED"), ("ä", b"IMAP4rev1"), ("a\r\nb", b"IMAP4rev1")]
)
def test_a_login_that_is_not_possible_is_not_tried(password: str, capabilities: bytes) -> None:
    with Scripted(capabilities=capabilities) as script, pytest.raises(LoginError, match="account work"):
        attempt(script, password=Password(password))
    assert not script.commands("LOGIN")
    assert script.connections == 1


@pytest.mark.parametrize("words", [b"NO [AUTHENTICATIONFAILED] wrong", b"NO nope", b"BAD what"])
def test_a_wrong_password_is_a_login_error_and_not_tried_again(words: bytes) -> None:
    with Scripted({"LOGIN": b"<tag> " + words + b"\r\n"}) as script, pytest.raises(LoginError, match="check user"):
        attempt(script)
    assert script.connections == 1


def test_a_server_that_cannot_log_anybody_in_now_is_tried_again() -> None:
    refusal = b"<tag> NO [UNAVAILABLE] backend down\r\n"
    with Scripted({"LOGIN": [refusal, refusal, b"<tag> OK in\r\n"]}) as script:
        assert len(attempt(script)) == 2
    assert script.connections == 3


def test_the_password_is_in_no_message_log_or_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo: Callable[[bytes], bytes] = lambda line: b"%s NO cannot %s\r\n" % (line.split()[0], line.strip())  # noqa: E731
    with Scripted({"LOGIN": echo}) as script, pytest.raises(LoginError) as caught:
        attempt(script)
    error: BaseException | None = caught.value
    seen = [caplog.text, repr(settings_for(script)), str(Password("hunter2"))]
    while error is not None:
        seen.append(repr(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert not any("hunter2" in text for text in seen)


def test_nobody_listening_is_a_connect_error_after_three_attempts() -> None:
    script = Scripted()
    script._listener.close()
    with pytest.raises(ConnectError, match=r"account work \(127.0.0.1:\d+\): nothing listens there"):
        attempt(script)
    assert len(script.pauses) == 2  # type: ignore[attr-defined]


def test_a_host_that_cannot_be_resolved_is_a_connect_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with Scripted() as script:
        monkeypatch.setattr(socket, "getaddrinfo", fail)
        with pytest.raises(ConnectError, match="cannot be resolved"):
            attempt(script, host="imap.invalid")


@pytest.mark.parametrize(
    "greeting", [b"* BYE too many connections\r\n", b"HTTP/1.1 400 Bad Request\r\n", b"+ what\r\n", b"\r\n"]
)
def test_a_greeting_that_is_none_ends_it(greeting: bytes) -> None:
    with Scripted(greeting=greeting) as script, pytest.raises(ConnectError, match="account work"):
        attempt(script)
    assert not script.commands("LOGIN")


def test_a_server_that_closes_at_once_is_a_connect_error() -> None:
    with Scripted(cut_after=0) as script, pytest.raises(ConnectError):
        attempt(script)
    assert script.connections == 3


def test_a_server_that_is_silent_is_given_up() -> None:
    with Scripted({"LOGIN": b""}) as script, pytest.raises(ConnectError, match="silent"):
        attempt(script, read_seconds=0.1)


def test_a_flood_before_the_login_is_given_up() -> None:
    with Scripted({"LOGIN": b"* OK wait\r\n" * 20_000}) as script, pytest.raises((ConnectError, ProtocolError)):
        attempt(script)


def test_a_huge_literal_before_the_login_is_given_up() -> None:
    with Scripted(greeting=b"* OK {99999999999}\r\n") as script, pytest.raises(ConnectError, match="literal"):
        attempt(script)


def test_a_lost_connection_leaves_an_object_that_says_so(talk: Talk) -> None:
    with Scripted({"SELECT": None}) as script:
        server = talk(script)
        for _ in range(2):
            with pytest.raises(ConnectionLostError, match="account work"):
                server.listing(INBOX)
        server.close()


def test_a_server_that_pads_its_reply_for_ever_is_given_up_at_the_deadline(talk: Talk) -> None:
    with Scripted({"UID FETCH": b"* OK still here\r\n" * 500_000}) as script:
        server = talk(script, read_seconds=60, command_seconds=0.3)
        begun = time.monotonic()
        with pytest.raises(ConnectionLostError):
            server.listing(INBOX)
        assert time.monotonic() - begun < 5


def test_bye_is_a_lost_connection_with_the_servers_words(talk: Talk) -> None:
    script = Scripted({"SELECT": b"* BYE [UNAVAILABLE] maintenance\r\n"})
    with script, pytest.raises(ConnectionLostError, match="maintenance"):
        talk(script).listing(INBOX)


def test_a_reply_to_a_command_that_was_not_sent_is_a_protocol_error(talk: Talk) -> None:
    with Scripted({"SELECT": b"zz9 OK done\r\n"}) as script, pytest.raises(ProtocolError, match="not sent"):
        talk(script).listing(INBOX)
