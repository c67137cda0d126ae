"""A server that asks to be left alone is understood, and left alone; one that only refuses something is not."""

import pytest
from imap.scripted import Scripted, attempt, settings_for

from syncer.errors import ConnectError, ConnectionLostError
from syncer.imap.connection import connect
from syncer.imap.throttling import LONGEST, UNTOLD, pause_in

EXCHANGE = "Request is throttled. Suggested Backoff Time: 299961 milliseconds"
GMAIL = "[ALERT] Account exceeded command or bandwidth limits. (Failure)"
YAHOO = "[LIMIT] LOGIN Rate limit hit."


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        (EXCHANGE, 299.961),
        ("[THROTTLED] slow down", UNTOLD),
        ("Request is throttled. Suggested Backoff Time: 30 seconds", 30.0),
        ("Request is throttled. Suggested Backoff Time: 1 milliseconds", 1.0),
        ("Request is throttled. Suggested Backoff Time: 999999999999 milliseconds", LONGEST),
        ("Request is throttled. Suggested Backoff Time: 9999999999999999999 milliseconds", UNTOLD),
        (GMAIL, UNTOLD),
        (YAHOO, UNTOLD),
        ("Too many requests", UNTOLD),
    ],
)
def test_what_asks_for_a_pause_is_known_and_for_how_long(words: str, seconds: float) -> None:
    assert pause_in(words) == seconds


@pytest.mark.parametrize(
    "words",
    [
        "[LIMIT] too many flags",
        "[OVERQUOTA] the mailbox is full",
        "[UNAVAILABLE] the disk is gone; backoff time 5 seconds",
        "Too many simultaneous connections. (Failure)",
        "",
    ],
)
def test_other_refusals_ask_for_none(words: str) -> None:
    assert pause_in(words) is None


@pytest.mark.parametrize("kind", ["NO", "BAD"])
def test_a_command_that_is_throttled_ends_the_connection_and_asks_for_a_pause(kind: str) -> None:
    with Scripted({"NOOP": f"<tag> {kind} {EXCHANGE}\r\n".encode()}) as script:
        server = connect(settings_for(script))
        with pytest.raises(ConnectionLostError, match="asks for a pause: Request is throttled") as caught:
            server.noop()
        assert caught.value.pause == 299.961
        with pytest.raises(ConnectionLostError, match="connection is closed"):
            server.noop()
        assert len(script.commands("NOOP")) == 1


def test_a_session_that_is_ended_because_of_too_much_asks_for_a_pause() -> None:
    with Scripted({"NOOP": f"* BYE {GMAIL}\r\n".encode()}) as script:
        server = connect(settings_for(script))
        with pytest.raises(ConnectionLostError, match="bandwidth limits") as caught:
            server.noop()
        assert caught.value.pause == UNTOLD


@pytest.mark.parametrize("reply", [f"<tag> NO {YAHOO}\r\n", f"* BYE {YAHOO}\r\n"])
def test_a_log_in_that_is_throttled_is_no_wrong_password_and_is_tried_once(reply: str) -> None:
    with Scripted({"LOGIN": reply.encode()}) as script:
        with pytest.raises(ConnectError, match="Rate limit hit") as caught:
            attempt(script)
        assert caught.value.pause == UNTOLD
        assert "broke" not in str(caught.value)
        assert len(script.commands("LOGIN")) == 1


def test_a_log_in_by_question_and_answer_likewise() -> None:
    capabilities = b"IMAP4rev1 AUTH=PLAIN LOGINDISABLED"
    with Scripted({"AUTHENTICATE": f"<tag> NO {YAHOO}\r\n".encode()}, capabilities=capabilities) as script:
        with pytest.raises(ConnectError, match="Rate limit hit") as caught:
            attempt(script)
        assert caught.value.pause == UNTOLD


def test_a_greeting_that_asks_for_a_pause_is_heard() -> None:
    with Scripted(greeting=f"* BYE {GMAIL}\r\n".encode()) as script:
        with pytest.raises(ConnectError, match="bandwidth limits") as caught:
            attempt(script)
        assert (caught.value.pause, script.connections) == (UNTOLD, 1)
