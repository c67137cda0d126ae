"""The service manager is told what changes, and that the program lives as long as it does."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncer.daemon.keeper import Keeper
from syncer.daemon.notify import Supervisor


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(30)
        manager.bind(str(tmp_path / "n"))
        yield manager


def supervised(manager: socket.socket, **others: str) -> Supervisor:
    return Supervisor.take({"NOTIFY_SOCKET": manager.getsockname(), **others}, os.getpid())


def heard(manager: socket.socket, number: int) -> list[bytes]:
    return [manager.recv(4096) for _ in range(number)]


def test_what_each_account_does_is_told_when_it_changes(manager: socket.socket) -> None:
    with Keeper(supervised(manager)) as keeper:
        keeper.ready()
        for words in ("equal", "equal", "offline"):
            keeper.tell("work", words)
        keeper.tell("home", "equal")
        keeper.stopping()
    assert heard(manager, 5) == [
        b"READY=1",
        b"STATUS=work: equal",
        b"STATUS=work: offline",
        b"STATUS=home: equal; work: offline",
        b"STOPPING=1",
    ]


def test_after_a_reload_nothing_is_known_of_the_accounts_before(manager: socket.socket) -> None:
    with Keeper(supervised(manager)) as keeper:
        keeper.tell("work", "equal")
        keeper.reloading()
        keeper.ready()
        keeper.tell("home", "equal")
    first, second, third, fourth = heard(manager, 4)
    assert (first, third, fourth) == (b"STATUS=work: equal", b"READY=1", b"STATUS=home: equal")
    assert second.startswith(b"RELOADING=1\n")


def test_that_it_is_alive_is_told_again_and_again_until_the_end(manager: socket.socket) -> None:
    before = threading.active_count()
    with Keeper(supervised(manager, WATCHDOG_USEC="20000")):
        assert heard(manager, 3) == [b"WATCHDOG=1"] * 3
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_an_account_that_is_stuck_is_accused_once_and_nobody_says_that_the_program_lives(
    manager: socket.socket, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = threading.Semaphore(0)

    def stuck() -> list[str]:
        asked.release()
        return ["work"]

    with Keeper(supervised(manager, WATCHDOG_USEC="20000")) as keeper:
        heard(manager, 1)
        keeper.stuck = stuck
        for _ in range(4):
            assert asked.acquire(timeout=30)
        keeper.stopping()
    said = [manager.recv(4096)]
    while said[-1] != b"STOPPING=1":
        said.append(manager.recv(4096))
    assert len(said) <= 3  # one that was on its way, and one between asking and being told
    assert caplog.messages == ["account work: stuck: nothing goes on, and this is where; please report it"]
    assert "most recent call first" in capfd.readouterr().err


def test_without_a_manager_nothing_is_said_and_no_thread_is_started() -> None:
    with Keeper(Supervisor.take({}, os.getpid())) as keeper:
        keeper.ready()
        keeper.tell("work", "equal")
        assert keeper._thread is None
