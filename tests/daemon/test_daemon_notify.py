"""What the service manager hears, on real sockets."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncer.daemon.notify import Supervisor

OTHERS = {"HOME": "/home/me", "PATH": "/bin"}


def bound(address: str | bytes) -> socket.socket:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(30)
    manager.bind(address)
    return manager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with bound(str(tmp_path / "n")) as manager:
        yield manager


def supervised(manager: socket.socket, **others: str) -> Supervisor:
    return Supervisor.take({"NOTIFY_SOCKET": manager.getsockname(), **others}, os.getpid())


@pytest.mark.parametrize(
    ("say", "heard"),
    [
        (Supervisor.ready, b"READY=1"),
        (Supervisor.alive, b"WATCHDOG=1"),
        (Supervisor.stopping, b"STOPPING=1"),
        (lambda supervisor: supervisor.status("3 Postfächer"), "STATUS=3 Postfächer".encode()),
        (lambda supervisor: supervisor.status("a\nREADY=1\udcff"), b"STATUS=a\\nREADY=1\\xff"),
        (lambda supervisor: supervisor.status("x" * 10_000), b"STATUS=" + b"x" * 500),
    ],
)
def test_each_message_is_one_datagram(manager: socket.socket, say: Callable[[Supervisor], bool], heard: bytes) -> None:
    assert say(supervised(manager))
    assert manager.recv(4096) == heard


def test_a_reload_tells_when_it_began(manager: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    assert supervised(manager).reloading()
    after = time.monotonic_ns() // 1000
    first, second = manager.recv(4096).decode().split("\n")
    name, _, usec = second.partition("=")
    assert (first, name, before <= int(usec) <= after) == ("RELOADING=1", "MONOTONIC_USEC", True)


def test_a_socket_may_be_in_the_abstract_namespace() -> None:
    name = f"syncer-test-{os.getpid()}"
    with bound(f"\0{name}") as manager:
        assert Supervisor.take({"NOTIFY_SOCKET": f"@{name}"}, 1).ready()
        assert manager.recv(4096) == b"READY=1"


def test_a_path_need_not_be_utf_8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff"
    with bound(path) as manager:
        assert Supervisor.take({"NOTIFY_SOCKET": os.fsdecode(path)}, 1).ready()
        assert manager.recv(4096) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "@", "vsock:2:1234", "relative"])
def test_where_nobody_supervises_nothing_is_said(address: str | None) -> None:
    environment = {**OTHERS, "WATCHDOG_USEC": "1000000"} | ({} if address is None else {"NOTIFY_SOCKET": address})
    supervisor = Supervisor.take(environment, os.getpid())
    assert supervisor == Supervisor(None, None)
    assert not supervisor.ready()
    assert not supervisor.reloading()


def test_a_socket_that_is_gone_is_no_error(manager: socket.socket) -> None:
    supervisor = supervised(manager)
    manager.close()
    assert not supervisor.ready()
    os.unlink(supervisor.address or b"")
    assert not supervisor.ready()


def test_a_path_that_no_socket_can_have_is_no_error() -> None:
    assert not Supervisor.take({"NOTIFY_SOCKET": "/" + "x" * 200}, 1).ready()


def test_a_manager_that_does_not_read_does_not_keep_us_waiting_for_ever(manager: socket.socket) -> None:
    supervisor = supervised(manager)
    told = 0
    while supervisor.alive():
        told += 1
    assert told  # the queue of the socket is full
    manager.recv(4096)
    assert supervisor.ready()


def test_children_are_not_told_of_the_supervisor(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", **OTHERS}
    Supervisor.take(environment, 1)
    assert environment == OTHERS


@pytest.mark.parametrize(
    ("variables", "interval"),
    [
        ({"WATCHDOG_USEC": "120000000"}, 60.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "77"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "seven"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_to_be_petted_at_half_of_its_time(variables: dict[str, str], interval: float | None) -> None:
    assert Supervisor.take({"NOTIFY_SOCKET": "/run/n", **variables}, 77) == Supervisor(b"/run/n", interval)
