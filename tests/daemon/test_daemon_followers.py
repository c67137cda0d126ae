"""Those who follow are told all that happens from when they came, and keep nobody waiting."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import eventually

from syncer.daemon.control import Answer, Control, ask, follow
from syncer.daemon.followers import Followers

NOW = 1_700_000_000


def dropped(at: int, lines: int) -> bytes:
    return b"%d dropped at %d\n" % (lines, at)


class Told:
    """What one follower has read so far, in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self.lines: list[bytes] = []
        self.stop = threading.Event()
        self._path = path
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in follow(self._path, b"follow", lambda: not self.stop.is_set()):
            self.lines.append(line)

    def until(self, *lines: bytes) -> None:
        eventually(lambda: self.lines == [*lines])

    def ended(self) -> bool:
        return not self._thread.is_alive()


@contextmanager
def desk(path: Path, followers: Followers) -> Iterator[None]:
    """Somebody to follow."""

    def attend(follower: socket.socket) -> None:
        if not followers.attend(follower, lambda: b"first\n"):
            follower.sendall(b"too many\n")

    def answer(question: bytes) -> Answer:
        return attend if question == b"follow\n" else b""

    with followers, Control(path, answer):
        yield


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def say(followers: Followers, line: bytes) -> None:
    followers.tell(NOW, lambda: line + b"\n")


def test_each_is_told_what_is_and_then_what_happens(tmp_path: Path) -> None:
    followers, path = Followers(dropped), tmp_path / "work.sock"
    with desk(path, followers):
        one = Told(path)
        one.until(b"first")
        say(followers, b"a")
        one.until(b"first", b"a")
        other = Told(path)
        other.until(b"first")
        say(followers, b"b")
        one.until(b"first", b"a", b"b")
        other.until(b"first", b"b")
        assert ask(path, b"anything else") == b"\n"
    eventually(lambda: one.ended() and other.ended())


def test_while_nobody_follows_no_line_is_made(tmp_path: Path) -> None:
    followers, path = Followers(dropped), tmp_path / "work.sock"

    def made() -> bytes:
        raise AssertionError

    followers.tell(NOW, made)
    with desk(path, followers):
        followers.tell(NOW, made)
        one = Told(path)
        one.until(b"first")
        one.stop.set()
        eventually(lambda: not followers._streams)
        followers.tell(NOW, made)


def test_one_that_vanishes_is_forgotten(tmp_path: Path) -> None:
    followers, path = Followers(dropped), tmp_path / "work.sock"
    with desk(path, followers):
        before = descriptors()
        for _ in range(50):
            one = Told(path)
            one.until(b"first")
            one.stop.set()
            eventually(one.ended)
        eventually(lambda: descriptors() == before)
        eventually(lambda: not followers._streams)


def test_one_that_does_not_read_keeps_nobody_waiting_and_learns_what_it_missed(tmp_path: Path) -> None:
    followers, path = Followers(dropped, octets=10_000), tmp_path / "work.sock"
    line = b"x" * 999
    with desk(path, followers), socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(path))
        idle.sendall(b"follow\n")
        other = Told(path)
        other.until(b"first")
        eventually(lambda: len(followers._streams) == 2)
        for number in range(2000):
            say(followers, line)
            if number % 5 == 0:  # one that reads is given the time to
                eventually(lambda number=number: len(other.lines) == number + 2)  # type: ignore[misc]
        assert set(other.lines) == {b"first", line}
        read = idle.makefile("rb")
        assert read.readline() == b"first\n"
        missed = seen = 0
        while seen + missed < 2000:
            told = read.readline()
            if told == line + b"\n":
                seen += 1
            else:
                missed += int(told.split()[0])
        assert (seen + missed, missed > 0) == (2000, True)


def test_one_that_does_not_read_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    followers, path = Followers(dropped), tmp_path / "work.sock"
    with socket.socket(socket.AF_UNIX) as idle:
        with desk(path, followers):
            idle.connect(str(path))
            idle.sendall(b"follow\n")
            eventually(lambda: len(followers._streams) == 1)
            for _ in range(2000):
                say(followers, b"x" * 999)
        assert followers._attended == 0
        assert not path.exists()


def test_what_was_told_last_is_read_before_the_end(tmp_path: Path) -> None:
    followers, path = Followers(dropped), tmp_path / "work.sock"
    with desk(path, followers):
        one = Told(path)
        one.until(b"first")
        for number in range(500):
            say(followers, b"%d" % number)
    eventually(one.ended)
    assert one.lines == [b"first", *(b"%d" % number for number in range(500))]


def test_more_than_there_may_be_are_told_so(tmp_path: Path) -> None:
    followers, path = Followers(dropped, most=2), tmp_path / "work.sock"
    with desk(path, followers):
        two = [Told(path), Told(path)]
        for one in two:
            one.until(b"first")
        third = Told(path)
        third.until(b"too many")
        eventually(third.ended)
        two[0].stop.set()
        eventually(lambda: len(followers._streams) == 1)
        Told(path).until(b"first")


def test_it_may_begin_anew(tmp_path: Path) -> None:
    followers, path = Followers(dropped), tmp_path / "work.sock"
    for _ in range(2):
        with desk(path, followers):
            one = Told(path)
            one.until(b"first")
        eventually(one.ended)
    here, there = socket.socketpair()
    with here, there:
        assert followers.attend(here, lambda: b"first\n")
        here.close()
        assert there.recv(100) == b""


@pytest.mark.parametrize("pieces", [[b"a\nb", b"\nc\n"], [b"a\n", b"b\n", b"c\n", b"cut o"]])
def test_lines_come_whole_and_one_that_was_cut_off_does_not(tmp_path: Path, pieces: list[bytes]) -> None:
    def answer(_: bytes) -> Answer:
        def say_all(asker: socket.socket) -> None:
            for piece in pieces:
                asker.sendall(piece)

        return say_all

    with Control(tmp_path / "work.sock", answer):
        assert list(follow(tmp_path / "work.sock", b"follow")) == [b"a", b"b", b"c"]
    assert list(follow(tmp_path / "work.sock", b"follow")) == []
