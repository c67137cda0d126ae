"""Threads that take turns."""

import threading
import time

import pytest

from syncer.turns import Turn, waiting


def test_one_thread_has_it_at_a_time() -> None:
    turn, inside = Turn(), 0

    def work() -> None:
        nonlocal inside
        for _ in range(20):
            with turn:
                ask()
                inside += 1
                assert inside == 1
                time.sleep(0.0001)
                inside -= 1

    run(work, work, work)


def test_who_waits_lets_another_have_it_and_takes_it_back() -> None:
    turn, came = Turn(), threading.Event()
    order: list[str] = []

    def first() -> None:
        with turn:
            ask()
            order.append("begins")
            with waiting():
                assert came.wait(10)
            order.append("goes on")

    def second() -> None:
        while not order:
            time.sleep(0.001)
        with turn:
            ask()
            came.set()
            time.sleep(0.01)
            order.append("meanwhile")

    run(first, second)
    assert order == ["begins", "meanwhile", "goes on"]


def test_an_error_gives_it_back() -> None:
    turn = Turn()
    with pytest.raises(OSError, match="broken"), turn, waiting():
        raise OSError("broken")
    with turn:
        ask()


def test_work_begins_without_waiting_for_those_who_have_the_turn() -> None:
    turn, begun = Turn(), threading.Event()

    def first() -> None:
        with turn:
            ask()
            assert begun.wait(10)

    def second() -> None:
        with turn:
            begun.set()
            ask()

    run(first, second)


def test_waiting_within_waiting_or_without_a_turn_is_nothing_special() -> None:
    with waiting():
        pass
    turn = Turn()
    with turn:
        with waiting(), waiting():
            pass
        ask()


def ask() -> None:
    """Put a question to a server that answers at once."""
    with waiting():
        pass


def run(*works: object) -> None:
    """Each in a thread of its own; what one of them raises is raised."""
    errors: list[BaseException] = []

    def guarded(work: object) -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    if errors:
        raise errors[0]
