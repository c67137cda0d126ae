"""Uploading to real servers: how many commands and round trips it takes, and what arrives."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from servers.base import Server as RealServer
from servers.courier import Courier
from servers.cyrus import Cyrus
from servers.dovecot import Dovecot
from servers.proxy import CountingProxy

from syncer.imap.auth import Password
from syncer.imap.connection import ServerSettings, connect
from syncer.imap.mailbox import ImapServer
from syncer.imap.transport import Transport
from syncer.maildir.box import Box
from syncer.maildir.reading import MessageFile
from syncer.ports import Appended
from syncer.reconcile.flags import SEEN
from syncer.reconcile.identity import INBOX, UniqueName

FLAGS = frozenset({SEEN})


@contextlib.contextmanager
def session(real: RealServer, *, port: int | None = None, user: str | None = None) -> Iterator[ImapServer]:
    password = Password(RealServer.password)
    server = connect(ServerSettings("test", "127.0.0.1", port or real.port, "off", user or real.new_user(), password))
    try:
        yield server
    finally:
        server.close()


@dataclass
class Maildir:
    """One mailbox's directory; `put` makes files of it that are sent in this order."""

    path: Path

    def put(self, *contents: bytes) -> list[MessageFile]:
        for sub in ("cur", "new", "tmp"):
            (self.path / sub).mkdir(exist_ok=True)
        for number, octets in enumerate(contents):
            (self.path / "cur" / f"{number}.m:2,S").write_bytes(octets)
        box = Box(INBOX, bytes(self.path))
        return [MessageFile(box, UniqueName(f"{number}.m")) for number in range(len(contents))]


@pytest.fixture
def maildir(tmp_path: Path) -> Maildir:
    return Maildir(tmp_path)


def small(number: int) -> list[bytes]:
    return [b"From: a@example.org\nSubject: %d\n\nText.\n" % each for each in range(number)]


def append(server: ImapServer, files: list[MessageFile]) -> list[Appended]:
    return list(server.append(INBOX, [(file, FLAGS) for file in files]))


def held(server: ImapServer) -> dict[int, bytes]:
    uids = sorted(server.listing(INBOX).flags)
    return {each.uid: b"".join(each.body) for each in server.fetch(INBOX, uids)}


@pytest.mark.dovecot
class TestDovecot:
    def test_200_small_messages_are_a_few_commands(self, dovecot: Dovecot, maildir: Maildir) -> None:
        with CountingProxy(dovecot.port) as proxy, session(dovecot, port=proxy.port) as server:
            outcomes = append(server, maildir.put(*small(200)))
            assert proxy.count.commands["APPEND"] <= 4
            found = held(server)
        assert [found[each.uid] for each in outcomes if each.uid] == [m.replace(b"\n", b"\r\n") for m in small(200)]

    def test_round_trips_do_not_grow_with_the_messages(
        self, dovecot: Dovecot, maildir: Maildir, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits = count()
        receive = Transport._receive

        def counted(self: Transport, buffer: memoryview) -> int:
            next(waits)
            return receive(self, buffer)

        files = maildir.put(*small(400))
        with session(dovecot) as server:
            monkeypatch.setattr(Transport, "_receive", counted)
            used = []
            for number in (2, 50, 400):
                before = next(waits)
                assert all(each.uid for each in append(server, files[:number]))
                used.append(next(waits) - before - 1)
        assert used[0] == used[1] == 2  # one for UIDNEXT, one for the reply
        assert used[2] <= 2 + 3  # the replies to the four commands need not come together

    def test_over_quota_what_fits_arrives_and_the_rest_is_told(
        self, dovecot_with: Callable[..., Dovecot], maildir: Maildir
    ) -> None:
        dovecot = dovecot_with(quota="100k")
        contents = [b"Subject: %d\n\n" % number + b"text of a line\n" * 1000 for number in range(20)]
        with session(dovecot) as server:
            outcomes = append(server, maildir.put(*contents))
            taken = [number for number, each in enumerate(outcomes) if each.refused is None]
            assert 3 <= len(taken) <= 7
            assert all("OVERQUOTA" in (each.refused or "OVERQUOTA") for each in outcomes)
            found = held(server)
        assert [found[each.uid] for each in outcomes if each.uid] == [
            contents[number].replace(b"\n", b"\r\n") for number in taken
        ]
        assert len(found) == len(taken)

    @pytest.mark.parametrize("hide", [(), ("LITERAL+",), ("MULTIAPPEND",), ("LITERAL+", "MULTIAPPEND")], ids=str)
    def test_the_exact_octets_arrive(
        self, dovecot_with: Callable[..., Dovecot], maildir: Maildir, hide: tuple[str, ...]
    ) -> None:
        exactly_the_octets(dovecot_with(hide=hide) if hide else dovecot_with(), maildir)


@pytest.mark.cyrus
class TestCyrus:
    def test_the_exact_octets_arrive(self, cyrus: Cyrus, maildir: Maildir) -> None:
        exactly_the_octets(cyrus, maildir)

    def test_a_message_with_nul_is_refused_and_the_others_are_not(self, cyrus: Cyrus, maildir: Maildir) -> None:
        contents = small(9)
        contents[4] += b"a\0b\n"
        with CountingProxy(cyrus.port) as proxy, session(cyrus, port=proxy.port) as server:
            outcomes = append(server, maildir.put(*contents))
            assert [each.refused is not None for each in outcomes] == [number == 4 for number in range(9)]
            assert "NUL" in (outcomes[4].refused or "")
            assert proxy.count.commands["APPEND"] == 1 + 9
            found = held(server)
        del outcomes[4], contents[4]
        assert [found[each.uid] for each in outcomes if each.uid] == [m.replace(b"\n", b"\r\n") for m in contents]
        assert len(found) == 8


@pytest.mark.courier
def test_the_exact_octets_arrive_at_courier(courier: Courier, maildir: Maildir) -> None:
    exactly_the_octets(courier, maildir)


def exactly_the_octets(real: RealServer, maildir: Maildir) -> None:
    """LF is sent as CRLF, what has a CR is sent as it is, and 8-bit octets pass."""
    head = b"From: a@example.org\nSubject: x\n"
    contents = [
        head + b"\nLF\n",
        (head + b"\nCRLF\n").replace(b"\n", b"\r\n"),
        head + b"Content-Type: text/plain; charset=utf-8\n\n" + bytes(range(128, 256)) + b"\n",
        head + b"\n" + b"a line of text\n" * 10_000,
        head + b"\n)\n (\\Seen) {3+}\ns1 OK done\n",
    ]
    with session(real) as server:
        outcomes = append(server, maildir.put(*contents))
        assert [each.refused for each in outcomes] == [None] * len(contents)
        found = held(server)
    wanted = [octets if b"\r" in octets else octets.replace(b"\n", b"\r\n") for octets in contents]
    assert list(found.values()) == wanted
    if any(each.uid for each in outcomes):
        assert [found[each.uid] for each in outcomes if each.uid] == wanted
