"""The proxy changes nothing but the time, and counts exactly. What is asserted are counters, never times."""

import hashlib
import random
import re
import socket
import threading
from collections.abc import Iterator

import pytest

from bench.counting import Commands, Tally, summed
from bench.proxy import Proxy

SAID = (
    b"a1 LOGIN {5}\r\nada 1 {3+}\r\nx\r\n\r\n"
    b'a2 APPEND INBOX {26+}\r\nb1 NOOP\r\nb2 UID FETCH\r\n\r\n ("x") {3}\r\nabc\r\n'
    b"a3 uid fetch 1:* (UID FLAGS)\r\na4 IDLE\r\nDONE\r\na5 LOGOUT\r\n"
)
NAMES = {"LOGIN": 1, "APPEND": 1, "UID FETCH": 1, "IDLE": 1, "LOGOUT": 1}


class TestCommands:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1_000])
    def test_are_found_however_the_stream_is_cut(self, size: int) -> None:
        commands = Commands()
        for start in range(0, len(SAID), size):
            commands.feed(SAID[start : start + size])
        assert commands.names == NAMES

    def test_on_long_lines_that_come_in_pieces_the_literal_at_the_end_counts(self) -> None:
        commands = Commands()
        said = b"a1 UID STORE " + b"1234567," * 5_000 + b"9 +FLAGS ({8}\r\na2 NOOP\n)\r\na3 CHECK\r\n"
        for start in range(0, len(said), 1_000):
            commands.feed(said[start : start + 1_000])
        assert commands.names == {"UID STORE": 1, "CHECK": 1}


class TestRoundTrips:
    def test_are_bursts_of_the_client_after_the_server_had_spoken(self) -> None:
        tally = Tally()
        tally.from_server(b"* OK\r\n")
        tally.from_client(b"a1 NOOP\r\n")
        assert tally.round_trips == 0, "the greeting is still on its way"
        tally.arrived()
        for _ in range(3):
            tally.from_client(b"a2 NOOP\r\n")
        tally.arrived()
        tally.from_client(b"a3 LOGOUT\r\n")
        assert tally.round_trips == 2

    def test_are_summed_and_the_longest_connection_is_told(self) -> None:
        one, two = Tally(to_server=5, round_trips=3), Tally(to_server=7, to_client=1, round_trips=4)
        one.commands.feed(b"a NOOP\r\n")
        two.commands.feed(b"a NOOP\r\nb LOGOUT\r\n")
        assert summed([one, two]) == {
            "connections": 2,
            "to_server": 12,
            "to_client": 1,
            "round_trips": 7,
            "longest": 4,
            "commands": {"LOGOUT": 1, "NOOP": 2},
        }
        assert summed([])["longest"] == 0


ANSWER = random.Random(1).randbytes(3_000_000)


@pytest.fixture
def server() -> Iterator[int]:
    """The port of a server that greets, answers each line, and sends ANSWER for GET; it says at LOGOUT what it got."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(client: socket.socket) -> None:
            digest = hashlib.sha256()
            with client, client.makefile("rb") as lines:
                client.sendall(b"* OK\r\n")
                for line in lines:
                    if literal := re.search(rb"\{(\d+)\+\}\r\n$", line):
                        digest.update(lines.read(int(literal[1])))
                    elif b"GET" in line:
                        client.sendall(ANSWER)
                    elif b"LOGOUT" in line:
                        client.sendall(digest.hexdigest().encode())
                        return
                    elif line.strip():
                        client.sendall(b"OK\r\n")

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=[client], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def exactly(client: socket.socket, octets: int) -> bytes:
    data = b""
    while len(data) < octets:
        more = client.recv(1 << 20)
        assert more, "the connection ended"
        data += more
    assert len(data) == octets
    return data


@pytest.mark.parametrize("milliseconds", [0, 5])
def test_everything_passes_unchanged_and_is_counted(server: int, milliseconds: int) -> None:
    sent = random.Random(2).randbytes(2_000_000)
    with Proxy(server, milliseconds) as proxy:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                exactly(client, 6)
                client.sendall(b"a1 NOOP\r\n")
                exactly(client, 4)
                client.sendall(b"a2 GET\r\n")
                assert exactly(client, len(ANSWER)) == ANSWER
                client.sendall(b"a3 APPEND x {%d+}\r\n%s\r\na4 LOGOUT\r\n" % (len(sent), sent))
                assert exactly(client, 64) == hashlib.sha256(sent).hexdigest().encode()
        count = proxy.count()
        octets = len(b"a1 NOOP\r\na2 GET\r\na3 APPEND x {2000000+}\r\n\r\na4 LOGOUT\r\n") + len(sent)
        assert count == {
            "open": 0,
            "connections": 2,
            "to_server": 2 * octets,
            "to_client": 2 * (6 + 4 + len(ANSWER) + 64),
            "round_trips": 6,
            "longest": 3,
            "commands": {"APPEND": 2, "GET": 2, "LOGOUT": 2, "NOOP": 2},
        }
        proxy.reset()
        assert proxy.count()["connections"] == 0


def test_what_a_client_does_not_wait_for_is_counted_all_the_same(server: int) -> None:
    with Proxy(server, 5) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            client.sendall(b"a1 NOOP\r\na2 LOGOUT\r\n")
            client.shutdown(socket.SHUT_WR)
            exactly(client, 6 + 4 + 64)
        assert proxy.count() == {
            "open": 0,
            "connections": 1,
            "to_server": 20,
            "to_client": 74,
            "round_trips": 0,
            "longest": 0,
            "commands": {"LOGOUT": 1, "NOOP": 1},
        }


def test_a_held_proxy_passes_nothing_and_loses_nothing(server: int) -> None:
    with Proxy(server, 0) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        exactly(client, 6)
        proxy.hold()
        client.sendall(b"a1 NOOP\r\n")
        with socket.create_connection(("127.0.0.1", proxy.port)) as late:
            for held in (client, late):
                held.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    held.recv(1)
                held.settimeout(60)
            proxy.release()
            assert exactly(client, 4) == b"OK\r\n"
            assert exactly(late, 6) == b"* OK\r\n"


def test_connections_that_stay_open_are_counted_from_nothing_again(server: int) -> None:
    with Proxy(server, 0) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        exactly(client, 6)
        client.sendall(b"a1 NOOP\r\n")
        exactly(client, 4)
        proxy.reset()
        client.sendall(b"a2 CHECK\r\n")
        exactly(client, 4)
        count = proxy.count(timeout=0)
        assert (count["open"], count["commands"]) == (1, {"CHECK": 1})
        assert (count["to_server"], count["to_client"], count["round_trips"]) == (10, 4, 1)
