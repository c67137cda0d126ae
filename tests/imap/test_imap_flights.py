"""How often the client waits for the server: commands that do not depend on each other leave together."""

import contextlib
import hashlib
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from scripted import Scripted, settings_for
from servers.base import Server as RealServer
from servers.courier import Courier
from servers.cyrus import Cyrus
from servers.dovecot import Dovecot
from servers.proxy import CountingProxy

from syncer.errors import ConnectionLostError, LoginError
from syncer.imap.auth import Password
from syncer.imap.connection import ServerSettings, connect
from syncer.imap.mailbox import ImapServer
from syncer.imap.transport import Transport
from syncer.reconcile.epoch import Cursor
from syncer.reconcile.flags import FLAGGED, FlagDelta
from syncer.reconcile.identity import INBOX, MailboxName

NAMES = [MailboxName(f"Box {number}") for number in range(30)]


@pytest.fixture
def flights(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was sent between two waits, one entry for each round trip."""
    sent: list[bytes] = []
    waited = [True]
    send, receive = Transport.send, Transport.readinto

    def count(self: Transport, data: bytes) -> None:
        if waited[0]:
            sent.append(b"")
            waited[0] = False
        sent[-1] += data
        send(self, data)

    def wait(self: Transport, buffer: memoryview) -> int:
        waited[0] = True
        return receive(self, buffer)

    monkeypatch.setattr(Transport, "send", count)
    monkeypatch.setattr(Transport, "readinto", wait)
    return sent


@contextlib.contextmanager
def session(
    real: RealServer | CountingProxy,
    user: str,
    *,
    compress: bool = False,
    tls: Literal["off", "starttls", "implicit"] = "off",
    certificate: Path | None = None,
    **options: Any,
) -> Iterator[ImapServer]:
    port = real.tls_port if tls == "implicit" and isinstance(real, RealServer) else real.port
    password, trusted = Password(RealServer.password), str(certificate) if certificate else None
    assert port is not None
    settings = ServerSettings("test", "127.0.0.1", port, tls, user, password, trusted, compress=compress)
    server = connect(settings, **options)
    try:
        yield server
    finally:
        server.close()


@pytest.mark.dovecot
class TestDovecot:
    def test_log_in_and_the_state_of_every_mailbox_are_two_round_trips(
        self, dovecot: Dovecot, flights: list[bytes]
    ) -> None:
        user = dovecot.new_user()
        with session(dovecot, user) as server:
            for name in NAMES:
                server.create(name)
        flights.clear()
        with session(dovecot, user) as server:
            found = server.mailboxes(counters=True)
        assert {each.name for each in found} == {INBOX, *NAMES}
        assert all(each.cursor is not None for each in found)
        assert len(flights) == 2 + 1  # and LOGOUT, for which nobody waits
        assert [line.split()[1] for line in flights[1].splitlines()] == [b"ENABLE", b"NAMESPACE", b"LIST"]

    @pytest.mark.parametrize(("tls", "before"), [("off", 0), ("implicit", 0), ("starttls", 1)])
    def test_with_a_memory_they_are_one(
        self, dovecot: Dovecot, flights: list[bytes], tls: Literal["off", "starttls", "implicit"], before: int
    ) -> None:
        user = dovecot.new_user()
        options: dict[str, Any] = {"tls": tls, "certificate": dovecot.certificate}
        with session(dovecot, user, **options) as server:
            for name in NAMES:
                server.create(name)
            memory = server.memory
        flights.clear()
        with session(dovecot, user, **options, memory=memory, early=True) as server:
            found = server.mailboxes(counters=True)
            assert server.memory == memory
            assert len(server.listing(INBOX).flags) == 0
        assert {each.name for each in found} == {INBOX, *NAMES}
        assert all(each.cursor is not None for each in found)
        said = [[line.split()[1] for line in flight.splitlines()] for flight in flights]
        assert said[before] == [b"LOGIN", b"ENABLE", b"NAMESPACE", b"LIST"]
        assert said[:before] == [[b"STARTTLS"]] * before
        assert said[before + 1] == [b"SELECT", b"UID"]

    def test_from_the_greeting_to_every_mailboxs_state_is_one_round_trip_as_the_server_sees_it(
        self, dovecot: Dovecot
    ) -> None:
        user = dovecot.new_user()
        memory = None
        for round_trips in (2, 1):
            with CountingProxy(dovecot.port) as proxy, session(proxy, user, memory=memory, early=True) as server:
                assert server.mailboxes(counters=True)
                assert proxy.count.round_trips == round_trips
                memory = server.memory

    def test_compression_begins_in_that_round_trip(self, dovecot: Dovecot) -> None:
        user = dovecot.new_user()
        options: dict[str, Any] = {"early": True, "compress": True}
        for round_trips in (2, 1):
            with CountingProxy(dovecot.port) as proxy, session(proxy, user, **options) as server:
                assert server.mailboxes(counters=True)
                assert (proxy.count.round_trips, proxy.count.commands["COMPRESS"]) == (round_trips, 1)
                assert server.listing(INBOX).complete
                options["memory"] = server.memory

    def test_a_wrong_password_is_told_as_ever(self, dovecot: Dovecot) -> None:
        with session(dovecot, dovecot.new_user()) as server:
            memory = server.memory
        settings = ServerSettings("test", "127.0.0.1", dovecot.port, "off", "nobody", Password("wrong-horse"))
        with pytest.raises(LoginError, match="check user and password") as caught:
            connect(settings, memory=memory, early=True)
        assert "wrong-horse" not in str(caught.value)

    def test_without_list_status_it_is_one_more(
        self, dovecot_with: Callable[..., Dovecot], flights: list[bytes]
    ) -> None:
        dovecot = dovecot_with(hide=("QRESYNC", "ESEARCH", "LIST-STATUS"))
        user = dovecot.new_user()
        with session(dovecot, user) as server:
            for name in NAMES:
                server.create(name)
        flights.clear()
        with session(dovecot, user) as server:
            assert all(each.cursor is not None for each in server.mailboxes(counters=True))
        assert len(flights) == 3 + 1
        assert len(flights[2].splitlines()) == len(NAMES) + 1

    @pytest.mark.parametrize(
        ("hidden", "round_trips"), [((), 1), (("QRESYNC", "ESEARCH", "LIST-STATUS"), 2)], ids=["qresync", "condstore"]
    )
    def test_what_changed_costs_the_same_however_much_there_is(
        self, dovecot_with: Callable[..., Dovecot], flights: list[bytes], hidden: tuple[str, ...], round_trips: int
    ) -> None:
        dovecot = dovecot_with(hide=hidden) if hidden else dovecot_with()
        user = dovecot.new_user()
        octets = b"Subject: x\r\n\r\nx\r\n"
        with session(dovecot, user) as server, session(dovecot, user) as other:
            list(other.append(INBOX, ((Draft(str(number), octets), frozenset()) for number in range(200))))
            listing = server.listing(INBOX)
            uids = sorted(listing.flags)
            since = Cursor(listing.epoch, len(listing.flags))
            other.store(INBOX, [(uids[10:20], FlagDelta(frozenset({FLAGGED})))])
            other.expunge(INBOX, uids[50:55])
            flights.clear()
            delta = server.changes(INBOX, since)
            assert delta is not None
            if delta.vanished is None:
                server.present(INBOX)
            assert (sorted(delta.flags), len(flights)) == (uids[10:20], round_trips)

    @pytest.mark.parametrize("hidden", [(), ("QRESYNC", "ESEARCH", "LIST-STATUS")], ids=["qresync", "condstore"])
    def test_what_is_likely_to_be_asked_next_comes_along_with_what_changed_and_is_told_once(
        self, dovecot_with: Callable[..., Dovecot], flights: list[bytes], hidden: tuple[str, ...]
    ) -> None:
        dovecot = dovecot_with(hide=hidden) if hidden else dovecot_with()
        user = dovecot.new_user()
        with session(dovecot, user) as server, session(dovecot, user) as other:
            drafts = [Draft(str(number), b"Subject: %d\r\n\r\nx\r\n" % number) for number in range(4)]
            list(other.append(INBOX, ((each, frozenset()) for each in drafts[:3])))
            listing = server.listing(INBOX)
            one, two, three = sorted(listing.flags)
            since = Cursor(listing.epoch, 3)
            list(other.append(INBOX, [(drafts[3], frozenset({FLAGGED}))]))
            other.store(INBOX, [({two}, FlagDelta(frozenset({FLAGGED})))])
            flights.clear()
            delta = server.changes(INBOX, since, (one, three))
            assert delta is not None
            (new,) = delta.flags.keys() - {two}
            (described,) = server.describe(INBOX, [new])
            assert (described.uid, described.flags, described.size) == (new, {FLAGGED}, 17)
            headers = server.headers(INBOX, [one, three])
            assert len(flights) == 1
            assert headers == {
                uid: hashlib.sha256(b"Subject: %d\r\n\r\n" % place).digest()[:16]
                for uid, place in ((one, 0), (three, 2))
            }
            assert server.describe(INBOX, [new]) == (described,)
            assert server.headers(INBOX, [one, three]) == headers
            assert len(flights) == 3

    def test_a_listing_that_describes_everything_is_one_command(
        self, dovecot_with: Callable[..., Dovecot], flights: list[bytes]
    ) -> None:
        with session(dovecot_with(), dovecot_with().new_user()) as server:
            list(server.append(INBOX, [(Draft(str(size), b"x" * size), frozenset({FLAGGED})) for size in (1, 2, 3)]))
            plain = server.listing(INBOX)
            flights.clear()
            assert server.listing(INBOX, describe=True) == plain
            found = server.describe(INBOX, sorted(plain.flags))
            assert [(each.uid, each.size) for each in found] == list(zip(sorted(plain.flags), (1, 2, 3), strict=True))
            assert len(flights) == 1
            server.create(MailboxName("Empty"))
            assert dict(server.listing(MailboxName("Empty"), describe=True).flags) == {}

    def test_a_compressed_connection_works_as_any_other(self, dovecot: Dovecot) -> None:
        user = dovecot.new_user()
        octets = b"Subject: x\r\n\r\n" + b"the same line again and again\r\n" * 20_000
        with CountingProxy(dovecot.port) as proxy, session(proxy, user, compress=True) as server:
            list(server.append(INBOX, [(Draft("a", octets), frozenset({FLAGGED}))]))
            server.create(MailboxName("ä"))
            (uid,) = server.listing(INBOX).flags
            assert [b"".join(each.body) for each in server.fetch(INBOX, [uid])] == [octets]
            assert server.present(INBOX) == ((uid, uid),)
            assert proxy.count.commands["COMPRESS"] == 1
            assert proxy.count.to_server + proxy.count.to_client < 20_000


@pytest.mark.cyrus
def test_log_in_and_the_state_of_every_mailbox_are_two_round_trips_on_cyrus(cyrus: Cyrus, flights: list[bytes]) -> None:
    with session(cyrus, cyrus.new_user()) as server:
        (inbox,) = server.mailboxes(counters=True)
    assert inbox.cursor is not None
    assert len(flights) == 2 + 1


@pytest.mark.cyrus
def test_with_a_memory_they_are_one_on_cyrus(cyrus: Cyrus, flights: list[bytes]) -> None:
    user = cyrus.new_user()
    with session(cyrus, user) as server:
        memory = server.memory
    flights.clear()
    with session(cyrus, user, memory=memory, early=True) as server:
        (inbox,) = server.mailboxes(counters=True)
        assert server.memory == memory
    assert inbox.cursor is not None
    assert [line.split()[1] for line in flights[0].splitlines()] == [b"LOGIN", b"ENABLE", b"NAMESPACE", b"LIST"]
    assert len(flights) == 1 + 1


@pytest.mark.courier
def test_with_a_memory_courier_is_asked_everything_behind_the_reply_to_the_log_in(
    courier: Courier, flights: list[bytes]
) -> None:
    user = courier.new_user()
    with session(courier, user) as server:
        memory = server.memory
    flights.clear()
    with session(courier, user, memory=memory, early=True) as server:
        (inbox,) = server.mailboxes(counters=True)
        assert server.memory == memory
    assert inbox.cursor is not None
    assert [[line.split()[1] for line in flight.splitlines()] for flight in flights[:-1]] == [
        [b"LOGIN"],
        [b"CAPABILITY", b"NAMESPACE", b"LIST"],
        [b"STATUS"],
    ]


@pytest.mark.courier
def test_on_courier_nothing_is_sent_behind_the_log_in(courier: Courier, flights: list[bytes]) -> None:
    with session(courier, courier.new_user()) as server:
        (inbox,) = server.mailboxes(counters=True)
    assert inbox.cursor is not None
    assert [line.split()[1] for flight in flights for line in flight.splitlines()] == [
        b"LOGIN",
        b"CAPABILITY",
        b"NAMESPACE",
        b"LIST",
        b"STATUS",
        b"LOGOUT",
    ]
    assert len(flights) == 4 + 1


class Draft:
    """An `Outgoing` in memory."""

    internaldate = 1_234_567_890

    def __init__(self, name: str, octets: bytes) -> None:
        self.name, self.octets = name, octets

    @property
    def fingerprint(self) -> "Draft":
        return self

    @property
    def size(self) -> int:
        return len(self.octets)

    def chunks(self) -> Iterator[bytes]:
        for place in range(0, len(self.octets), 65_536):
            yield self.octets[place : place + 65_536]


def send_in_pieces(sock: socket.socket, octets: bytes, size: int) -> None:
    for place in range(0, len(octets), size):
        sock.sendall(octets[place : place + size])


class TestCompress:
    """COMPRESS=DEFLATE."""

    def test_octets_that_are_not_compressed_end_the_connection(self) -> None:
        with Scripted(capabilities=b"IMAP4rev1 NAMESPACE COMPRESS=DEFLATE") as script:
            script.replies["COMPRESS"] = b"<tag> OK go\r\n* OK this is in clear text\r\n"
            server = connect(settings_for(script, compress=True, read_seconds=1.0))
            with pytest.raises(ConnectionLostError, match="damaged"):
                server.listing(INBOX)
            server.close()

    @pytest.mark.parametrize("chunk", [1, 7, 65_536])
    def test_a_few_octets_that_stand_for_very_many_are_handed_out_piece_by_piece(self, chunk: int) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            transport = Transport(ours, 5.0)
            packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            packed = packer.compress(b"\0" * 3_000_000 + b"the end\r\n") + packer.flush(zlib.Z_SYNC_FLUSH)
            transport.compress()
            threading.Thread(target=send_in_pieces, args=(theirs, packed, chunk)).start()
            assert transport.reader.read(3_000_000) == b"\0" * 3_000_000
            assert transport.line() == b"the end\r\n"
            theirs.close()
            assert transport.line() == b""

    def test_what_came_with_the_answer_is_not_lost(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            transport = Transport(ours, 5.0)
            packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            packed = packer.compress(b"* OK hello\r\n") + packer.flush(zlib.Z_SYNC_FLUSH)
            theirs.sendall(b"s1 OK go\r\n" + packed)
            assert transport.line() == b"s1 OK go\r\n"
            transport.compress()
            assert transport.line() == b"* OK hello\r\n"
            transport.send(b"s2 NOOP\r\n")
            assert zlib.decompressobj(-zlib.MAX_WBITS).decompress(theirs.recv(100)) == b"s2 NOOP\r\n"

    def test_is_only_begun_if_it_is_wanted_and_offered(self) -> None:
        for wanted, offered in ((False, b" COMPRESS=DEFLATE"), (True, b"")):
            with Scripted(capabilities=b"IMAP4rev1 NAMESPACE" + offered) as script:
                connect(settings_for(script, compress=wanted)).close()
                assert script.commands("COMPRESS") == []

    def test_a_refusal_is_no_harm(self, talk: Callable[..., ImapServer]) -> None:
        replies = {"COMPRESS": b"<tag> NO [COMPRESSIONACTIVE] no\r\n"}
        with Scripted(replies, capabilities=b"IMAP4rev1 NAMESPACE COMPRESS=DEFLATE") as script:
            talk(script, compress=True).describe(INBOX, {1})
            assert len(script.commands("SELECT")) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("dovecot", [b"SELECT", b"UID"], marks=pytest.mark.dovecot),
        pytest.param("cyrus", [b"SELECT", b"UID"], marks=pytest.mark.cyrus),
        pytest.param("courier", [b"SELECT", b"STATUS", b"UID"], marks=pytest.mark.courier),
    ],
)
def test_looking_into_a_mailbox_is_one_round_trip(
    name: str, words: list[bytes], request: pytest.FixtureRequest, flights: list[bytes]
) -> None:
    real: RealServer = request.getfixturevalue(name)
    user, octets = real.new_user(), b"Subject: x\r\n\r\nx\r\n"
    with session(real, user) as server:
        server.mailboxes()
        list(server.append(INBOX, [(Draft(str(number), octets), frozenset()) for number in range(3)]))
        flights.clear()
        listing = server.listing(INBOX)
        assert (listing.complete, listing.messages, len(listing.flags)) == (True, 3, 3)
        assert [[line.split()[1] for line in flight.splitlines()] for flight in flights] == [words]
    for ask, what in (
        (lambda: server.describe(INBOX, listing.flags), 3),
        (lambda: server.headers(INBOX, listing.flags), 3),
        (lambda: [each.size for each in server.fetch(INBOX, sorted(listing.flags)) for _ in each.body], 3),
    ):
        with session(real, user) as server:
            server.mailboxes()
            flights.clear()
            assert len(ask()) == what
            assert [[line.split()[1] for line in flight.splitlines()] for flight in flights] == [words]
