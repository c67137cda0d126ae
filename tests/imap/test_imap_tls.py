"""TLS, STARTTLS and clear text."""

import hashlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted import Scripted, attempt, fetched

from syncer.errors import ConnectError, TlsError
from syncer.imap.arguments import Literal
from syncer.imap.mailbox import ImapServer
from syncer.reconcile.identity import INBOX

Talk = Callable[..., ImapServer]


def test_clear_text_goes_to_loopback_addresses_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted() as script:
        monkeypatch.setattr("syncer.imap.dial._peer", lambda _: "192.0.2.1")
        with pytest.raises(TlsError, match="allow_insecure"):
            attempt(script)
        assert script.lines == []
        attempt(script, allow_insecure=True)
        monkeypatch.setattr("syncer.imap.dial._peer", lambda _: "::ffff:127.0.0.1")
        attempt(script)


def test_tls_with_a_trusted_certificate(talk: Talk, certificate: Path, server_context: ssl.SSLContext) -> None:
    with Scripted(context=server_context, implicit=True) as script:
        server = talk(script, tls="implicit", tls_ca_file=str(certificate))
        assert server.listing(INBOX).epoch.uidvalidity == 7


def test_megabytes_pass_through_tls_both_ways(talk: Talk, certificate: Path, server_context: ssl.SSLContext) -> None:
    octets = b"x" * 3_000_000
    script = Scripted({"UID FETCH": fetched(4, octets) + b"<tag> OK done\r\n"}, context=server_context, implicit=True)
    with script:
        server = talk(script, tls="implicit", tls_ca_file=str(certificate))
        assert [b"".join(each.body) == octets for each in server.fetch(INBOX, [4])] == [True]
        server._wire.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        server._wire.run(Literal(octets))
        assert script.lines[-1].endswith(octets)


def test_a_certificate_that_nobody_vouches_for_is_refused_once(server_context: ssl.SSLContext) -> None:
    with Scripted(context=server_context, implicit=True) as script, pytest.raises(TlsError, match="not trusted"):
        attempt(script, tls="implicit")
    assert (script.connections, script.lines) == (1, [])


def test_a_certificate_for_another_host_is_refused(certificate: Path, server_context: ssl.SSLContext) -> None:
    script = Scripted(context=server_context, implicit=True, host="127.0.0.2")
    with script, pytest.raises(TlsError, match="not trusted"):
        attempt(script, tls="implicit", tls_ca_file=str(certificate))
    assert script.lines == []


def test_the_pinned_certificate_is_accepted_without_an_authority(
    talk: Talk, certificate: Path, server_context: ssl.SSLContext
) -> None:
    octets = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    pin = hashlib.sha256(octets).hexdigest().upper()
    colons = ":".join(pin[place : place + 2] for place in range(0, 64, 2))
    with Scripted(context=server_context, implicit=True, host="127.0.0.2") as script:
        assert talk(script, tls="implicit", tls_fingerprint=pin).capabilities
        assert talk(script, tls="implicit", tls_fingerprint=colons).capabilities


def test_any_other_certificate_is_refused_and_its_fingerprint_told(
    certificate: Path, server_context: ssl.SSLContext
) -> None:
    found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()
    with Scripted(context=server_context, implicit=True) as script, pytest.raises(TlsError, match=found):
        attempt(script, tls="implicit", tls_fingerprint="00" * 32)
    assert script.lines == []


def test_a_pin_does_not_replace_an_authority_that_was_given(certificate: Path, server_context: ssl.SSLContext) -> None:
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()
    with Scripted(context=server_context, implicit=True, host="127.0.0.2") as script, pytest.raises(TlsError):
        attempt(script, tls="implicit", tls_fingerprint=pin, tls_ca_file=str(certificate))


def test_a_missing_ca_file_is_told(server_context: ssl.SSLContext) -> None:
    with Scripted(context=server_context, implicit=True) as script, pytest.raises(TlsError, match="tls_ca_file"):
        attempt(script, tls="implicit", tls_ca_file="/nowhere/ca.pem")


def test_old_tls_is_refused(certificate: Path, server_context: ssl.SSLContext) -> None:
    server_context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="deprecated"):
        server_context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Scripted(context=server_context, implicit=True) as script, pytest.raises((TlsError, ConnectError)):
        attempt(script, tls="implicit", tls_ca_file=str(certificate))


def test_tls_to_a_port_without_it_is_told() -> None:
    with Scripted() as script, pytest.raises(TlsError, match="check tls and port"):
        attempt(script, tls="implicit")


def test_starttls_secures_the_connection_and_asks_for_the_capabilities_again(
    talk: Talk, certificate: Path, server_context: ssl.SSLContext
) -> None:
    asked = b"* CAPABILITY IMAP4rev1\r\n<tag> OK x\r\n"
    offered = b"IMAP4rev1 STARTTLS LOGINDISABLED"
    with Scripted({"CAPABILITY": asked}, capabilities=offered, context=server_context) as script:
        server = talk(script, tls="starttls", tls_ca_file=str(certificate))
        assert len(server.listing(INBOX).flags) == 0
        assert [line.split()[1] for line in script.lines[:3]] == [b"STARTTLS", b"CAPABILITY", b"LOGIN"]


def test_what_is_injected_before_starttls_does_not_survive_it(
    talk: Talk, certificate: Path, server_context: ssl.SSLContext
) -> None:
    injected = b'* LIST () "/" "../INJECTED"\r\n* CAPABILITY IMAP4rev1 INJECTED\r\n<tag> OK begin\r\n'
    asked = b"* CAPABILITY IMAP4rev1\r\n<tag> OK x\r\n"
    replies = {"STARTTLS": injected, "CAPABILITY": asked, "LOGIN": b"<tag> OK in\r\n"}
    with Scripted(replies, capabilities=b"IMAP4rev1 STARTTLS", context=server_context) as script:
        server = talk(script, tls="starttls", tls_ca_file=str(certificate))
        assert server.capabilities == {"IMAP4REV1"}
        assert server.mailboxes() == ()


def test_octets_between_starttls_and_the_handshake_are_an_attack(certificate: Path) -> None:
    reply = b"<tag> OK begin\r\ns1 OK injected\r\n"
    script = Scripted({"STARTTLS": reply}, capabilities=b"IMAP4rev1 STARTTLS")
    with script, pytest.raises(TlsError, match="attack"):
        attempt(script, tls="starttls", tls_ca_file=str(certificate))
    assert not script.commands("LOGIN")


@pytest.mark.parametrize("tls", ["starttls", "off"])
def test_a_preauth_greeting_in_clear_text_is_refused(tls: str) -> None:
    script = Scripted(greeting=b"* PREAUTH welcome\r\n", capabilities=b"IMAP4rev1 STARTTLS")
    with script, pytest.raises(TlsError, match="PREAUTH"):
        attempt(script, tls=tls)
    assert script.connections == 1


def test_a_preauth_greeting_over_tls_needs_no_login(
    talk: Talk, certificate: Path, server_context: ssl.SSLContext
) -> None:
    with Scripted(greeting=b"* PREAUTH welcome\r\n", context=server_context, implicit=True) as script:
        talk(script, tls="implicit", tls_ca_file=str(certificate)).listing(INBOX)
        assert not script.commands("LOGIN")


@pytest.mark.parametrize(
    ("capabilities", "reply"), [(b"IMAP4rev1", b"<tag> OK go\r\n"), (b"IMAP4rev1 STARTTLS", b"<tag> NO not now\r\n")]
)
def test_without_starttls_there_is_no_login(capabilities: bytes, reply: bytes) -> None:
    with Scripted({"STARTTLS": reply}, capabilities=capabilities) as script, pytest.raises(TlsError, match="STARTTLS"):
        attempt(script, tls="starttls")
    assert not script.commands("LOGIN")
