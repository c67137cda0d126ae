"""A connection that is under way before anybody wants it."""

import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted import Scripted, settings_for

from syncer.errors import ConnectError, TlsError
from syncer.imap.connection import ServerSettings, connect
from syncer.imap.dial import Call, Endpoint, _context
from syncer.imap.mailbox import ImapServer
from syncer.reconcile.identity import INBOX


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def closed(script: Scripted) -> bool:
    """Whether the client has closed the first connection."""
    return bool(script._open) and script._open[0].fileno() == -1


def taken(settings: ServerSettings, call: Call) -> ImapServer:
    return connect(settings, call=call, attempts=1, sleep=lambda _: None)


def test_the_connection_that_is_under_way_is_used() -> None:
    with Scripted() as script:
        settings = settings_for(script)
        call = Call(settings.endpoint)
        until(lambda: script.connections == 1)
        server = taken(settings, call)
        assert server.listing(INBOX).epoch.uidvalidity == 7
        call.hang_up()
        assert server.exists is not None
        assert script.connections == 1
        server.close()


def test_over_tls_as_well(certificate: Path, server_context: ssl.SSLContext) -> None:
    with Scripted(context=server_context, implicit=True) as script:
        settings = settings_for(script, tls="implicit", tls_ca_file=str(certificate))
        server = taken(settings, Call(settings.endpoint))
        assert server.listing(INBOX).epoch.uidvalidity == 7
        server.close()
        assert script.connections == 1


def test_what_went_wrong_is_told_where_the_connection_is_wanted(server_context: ssl.SSLContext) -> None:
    with Scripted(context=server_context, implicit=True) as script:
        settings = settings_for(script, tls="implicit")
        with pytest.raises(TlsError, match="not trusted"):
            taken(settings, Call(settings.endpoint))
    with pytest.raises(ConnectError, match="nothing listens there"):
        taken(settings_for(script), Call(settings_for(script).endpoint))


def test_only_the_first_attempt_takes_it_over() -> None:
    with Scripted({"LOGIN": [b"<tag> NO [UNAVAILABLE] later\r\n", b"<tag> OK in\r\n"]}) as script:
        settings = settings_for(script)
        connect(settings, call=Call(settings.endpoint), sleep=lambda _: None).close()
        assert script.connections == 2


def test_one_that_has_waited_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Call, "FRESH", 0.0)
    with Scripted() as script:
        settings = settings_for(script)
        taken(settings, Call(settings.endpoint)).close()
        assert script.connections == 2


def test_one_that_is_not_wanted_is_closed() -> None:
    with Scripted() as script:
        call = Call(settings_for(script).endpoint)
        call._thread.join()
        call.hang_up()
        until(lambda: closed(script))
        assert script.lines == []


def test_one_that_is_not_wanted_before_it_is_made_is_closed_then(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    going: list[Call] = []

    def dial(_: Endpoint) -> socket.socket:
        until(lambda: bool(going))
        going[0].hang_up()
        return ours

    monkeypatch.setattr("syncer.imap.dial.dial", dial)
    with theirs:
        going.append(Call(Endpoint("a", "h", 1, "off")))
        going[0]._thread.join()
        assert theirs.recv(1) == b""


def test_the_authorities_are_loaded_once_and_again_after_a_certificate_was_not_trusted(
    certificate: Path, server_context: ssl.SSLContext
) -> None:
    _context.cache_clear()
    with Scripted(context=server_context, implicit=True) as script:
        trusting = settings_for(script, tls="implicit", tls_ca_file=str(certificate))
        for _ in range(3):
            connect(trusting, attempts=1).close()
        assert (_context.cache_info().misses, _context.cache_info().hits) == (1, 2)
        with pytest.raises(TlsError):
            connect(settings_for(script, tls="implicit"), attempts=1)
        assert _context.cache_info().currsize == 0


def test_a_pin_without_an_authority_loads_none() -> None:
    assert _context(None, by_pin_only=True).cert_store_stats()["x509"] == 0
    assert _context(None, by_pin_only=False).verify_mode == ssl.CERT_REQUIRED
    assert _context(None, by_pin_only=False).check_hostname
