"""Connections to a scripted server."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted import NOW, Scripted, settings_for
from servers.base import make_certificate

from syncer.imap.connection import connect
from syncer.imap.mailbox import ImapServer


@pytest.fixture
def talk() -> Iterator[Callable[..., ImapServer]]:
    """`talk(script)` connects and logs in; the connection is closed at the end."""
    opened: list[ImapServer] = []

    def to(script: Scripted, **changes: Any) -> ImapServer:
        server = connect(settings_for(script, **changes), attempts=1, sleep=lambda _: None, now=lambda: float(NOW))
        opened.append(server)
        return server

    yield to
    for server in opened:
        server.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for `localhost` and 127.0.0.1; its key is beside it."""
    directory = tmp_path_factory.mktemp("tls")
    make_certificate(directory)
    return directory / "cert.pem"


@pytest.fixture
def server_context(certificate: Path) -> ssl.SSLContext:
    """The server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context
