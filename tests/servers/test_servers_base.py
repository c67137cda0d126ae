"""The servers of the tests, where something is in their way."""

import imaplib
import socket

import pytest
from servers import base
from servers.dovecot import Dovecot


@pytest.mark.dovecot
@pytest.mark.parametrize("seen", [True, False])
def test_a_server_whose_port_is_taken_when_it_starts_gets_another_one(
    seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not seen:
        monkeypatch.setattr(base, "is_free", lambda _port: True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Dovecot()
        server.port = port = taken.getsockname()[1]
        with server, imaplib.IMAP4(server.host, server.port) as client:
            assert server.port != port
            client.login(server.new_user(), server.password)


@pytest.mark.dovecot
def test_nobody_takes_the_server_that_has_the_port_for_the_one_that_was_started() -> None:
    with Dovecot() as first:
        second = Dovecot()
        second.port = first.port
        with second:
            assert second.port != first.port
            assert second.process is not None
            assert second.process.poll() is None
