"""Between a client and a server, the account is copied after each command that changes it."""

import imaplib

import pytest
from servers.dovecot import Dovecot
from servers.mail import note

from torture.stages import Stages

pytestmark = pytest.mark.dovecot


def test_a_client_that_is_cut_off_has_had_done_what_was_answered_and_may_have_had_what_it_sent(
    dovecot: Dovecot,
) -> None:
    user = dovecot.new_user()
    copies: list[tuple[int, int]] = []

    def count(number: int) -> None:
        with imaplib.IMAP4(dovecot.host, dovecot.port) as client:
            client.login(user, dovecot.password)
            copies.append((number, int(client.select("INBOX", readonly=True)[1][0] or b"0")))

    message = note("m", size=1000)
    append = b"a%d APPEND INBOX {%d+}\r\n" + message + b"\r\n"
    with Stages(dovecot.port, count) as stages:
        with imaplib.IMAP4("127.0.0.1", stages.port) as client:
            client.login(user, dovecot.password)
            stages.begin()
            # All at once: the server gets the second when the first has been answered and copied.
            client.send(append % (1, len(message)) + b"n NOOP\r\n" + append % (2, len(message)))
            sent = received = 0
            answers = []
            while not answers or not answers[-1].startswith(b"a2 "):
                answers.append(client.readline())
                received += len(answers[-1])
            sent = len(append % (1, len(message)))
            stages.end()
        assert stages.failures == []

    assert copies == [(0, 0), (1, 1), (2, 2)]
    first = next(index for index, line in enumerate(answers) if line.startswith(b"a1 "))
    told = sum(map(len, answers[: first + 1]))
    assert stages.possible(0, 0) == range(1)
    assert stages.possible(sent - 1, 0) == range(1)
    assert stages.possible(sent, 0) == range(2)
    assert stages.possible(sent, 1) == range(1, 2)
    assert stages.possible(2 * sent + 8, 0) == range(3)
    assert stages.possible(2 * sent + 8, told) == range(1, 3)
    assert stages.possible(2 * sent + 8, received) == range(2, 3)
