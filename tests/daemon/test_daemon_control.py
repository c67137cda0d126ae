"""One program asks another of the same person, on real sockets."""

import errno
import os
import socket
import stat
import threading
import time
from pathlib import Path

import pytest

from syncer.daemon import control
from syncer.daemon.control import LONGEST, Control, ask, listens


def shout(question: bytes) -> bytes:
    return question.strip().upper()


def test_a_question_gets_its_answer_and_several_do_at_once(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=30)

    def together(question: bytes) -> bytes:
        both.wait()
        return shout(question)

    answers: list[bytes | None] = []
    with Control(tmp_path / "work.sock", together):
        asking = [
            threading.Thread(target=lambda word=word: answers.append(ask(tmp_path / "work.sock", word)))  # type: ignore[misc]
            for word in (b"one", b"two")
        ]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(30)
    assert sorted(filter(None, answers)) == [b"ONE\n", b"TWO\n"]


def test_only_the_same_user_may_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "work.sock"
    with Control(path, shout):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        monkeypatch.setattr(control.os, "geteuid", lambda: os.getuid() + 1)
        assert ask(path, b"one") is None


def test_where_nobody_listens_there_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "work.sock"
    assert ask(path, b"one") is None
    with Control(path, shout):
        assert listens(path)
    assert not listens(path)
    assert not path.exists()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    assert (listens(path), ask(path, b"one")) == (False, None)


def test_what_a_killed_one_has_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "work.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with Control(path, shout):
        assert ask(path, b"one") == b"ONE\n"


def test_a_path_that_is_too_long_for_a_socket_works_as_well(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 30)
    directory.mkdir()
    with Control(directory / "work.sock", shout):
        assert ask(directory / "work.sock", b"one") == b"ONE\n"
    assert list(directory.iterdir()) == []


def test_a_question_without_end_is_not_answered(tmp_path: Path) -> None:
    path = tmp_path / "work.sock"
    with Control(path, shout):
        assert ask(path, b"x" * (LONGEST + 1)) is None
        assert ask(path, b"one") == b"ONE\n"


def test_who_does_not_want_to_wait_any_more_does_not(tmp_path: Path) -> None:
    held = threading.Event()

    def slow(question: bytes) -> bytes:
        held.wait(30)
        return question

    path = tmp_path / "work.sock"
    with Control(path, slow):
        looks = iter([True, True, False])
        assert ask(path, b"one", lambda: next(looks)) is None
        held.set()


def test_one_question_that_cannot_be_taken_leaves_the_others_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are no descriptors left for a moment, who asks waits, and not for ever."""
    path, accept, failed = tmp_path / "work.sock", socket.socket.accept, threading.Event()

    def scarce(listener: socket.socket) -> object:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", scarce)
    ends = time.monotonic() + 10
    with Control(path, shout):
        assert ask(path, b"one", lambda: time.monotonic() < ends) == b"ONE\n"


def test_who_asks_believes_only_the_same_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "work.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        monkeypatch.setattr(control.os, "geteuid", lambda: os.getuid() + 1)
        looks = iter([True] * 3 + [False])
        asked: list[bytes] = []

        def listen() -> None:
            asker, _ = other.accept()
            with asker:
                asked.append(asker.recv(100))

        thread = threading.Thread(target=listen)
        thread.start()
        assert ask(path, b"one", lambda: next(looks)) is None
        thread.join(30)
        assert asked == [b""]
