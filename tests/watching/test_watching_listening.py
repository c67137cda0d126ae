"""What is heard becomes a hint, and a connection that ends is made again, with a look at everything."""

import os
import queue
import select
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from syncer.errors import ConnectError, ConnectionLostError
from syncer.ports.push import Heard, Push
from syncer.ports.rest import Rest
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.watching.listening import Listening

LONG = 20.0
Said = Heard | ConnectionLostError


class Ears:
    """A connection that hears what a test says."""

    covers: frozenset[MailboxName] | None = None

    def __init__(self) -> None:
        self.said: queue.Queue[Said] = queue.Queue()
        self.checks = 0
        self.closed = threading.Event()
        self.checked = threading.Event()

    def hear(self, seconds: float, wake: int) -> Heard:
        end = threading.Event()
        for _ in range(int(min(seconds, LONG) * 100) + 1):
            if not self.said.empty():
                said = self.said.get()
                if isinstance(said, ConnectionLostError):
                    raise said
                return said
            if select_readable(wake):
                return Heard()
            end.wait(0.01)
        return Heard()

    def check(self) -> Heard:
        self.checks += 1
        self.checked.set()
        return Heard(frozenset({MailboxName("Checked")}))

    def close(self) -> None:
        self.closed.set()


def select_readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


class Hints:
    """In the place of the loop."""

    def __init__(self) -> None:
        self.given: queue.Queue[frozenset[MailboxName] | None] = queue.Queue()

    def hint(self, side: str, mailboxes: frozenset[MailboxName] | None) -> None:
        assert side == "server"
        self.given.put(mailboxes)

    def next(self) -> frozenset[MailboxName] | None:
        return self.given.get(timeout=LONG)


def persistently(work: Callable[[], object], rest: Rest, stop: threading.Event) -> None:
    while True:
        try:
            work()
        except (ConnectError, ConnectionLostError):
            if stop.is_set():
                raise
            rest(3600.0 if os.environ.get("PATIENT") else 0.0, "network")
        else:
            return


def not_deaf(error: Exception) -> None:
    raise AssertionError("it is not") from error


class Scene:
    def __init__(self) -> None:
        self.hints = Hints()
        self.begun: queue.Queue[Ears] = queue.Queue()
        self.refusals = 0
        self.failed = threading.Event()
        self.deaf: queue.Queue[Exception] = queue.Queue()

    def begin(self) -> Push | None:
        if self.refusals:
            self.refusals -= 1
            self.failed.set()
            raise ConnectError("no network")
        ears = Ears()
        self.begun.put(ears)
        return ears

    def listening(self, keepalive: float = 3600.0) -> Listening:
        return Listening(
            self.begin, partial(self.hints.hint, "server"), persistently, keepalive=keepalive, deaf=self.deaf.put
        )  # type: ignore[arg-type]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_at_the_beginning_everything_is_looked_at_and_then_what_is_told(scene: Scene) -> None:
    listening = scene.listening()
    listening.start()
    ears = scene.begun.get(timeout=LONG)
    assert scene.hints.next() is None
    ears.said.put(Heard(frozenset({INBOX})))
    assert scene.hints.next() == {INBOX}
    ears.said.put(Heard(everywhere=True))
    assert scene.hints.next() is None
    listening.end()
    assert ears.closed.is_set()


def test_after_a_lost_connection_another_is_made_and_everything_is_looked_at(scene: Scene) -> None:
    listening = scene.listening()
    listening.start()
    first = scene.begun.get(timeout=LONG)
    assert scene.hints.next() is None
    first.said.put(ConnectionLostError("gone"))
    second = scene.begun.get(timeout=LONG)
    assert scene.hints.next() is None
    assert first.closed.is_set()
    listening.end()
    assert second.closed.is_set()


def test_a_quiet_connection_is_checked_and_what_is_told_then_is_heard(scene: Scene) -> None:
    listening = scene.listening(keepalive=0.05)
    listening.start()
    ears = scene.begun.get(timeout=LONG)
    assert scene.hints.next() is None
    assert scene.hints.next() == {"Checked"}
    assert ears.checks >= 1
    listening.end()


def test_who_is_in_a_hurry_has_it_checked_now(scene: Scene) -> None:
    listening = scene.listening()
    listening.start()
    ears = scene.begun.get(timeout=LONG)
    assert scene.hints.next() is None
    for _ in range(3):
        ears.checked.clear()
        listening.hurry("network")
        assert ears.checked.wait(LONG)
        assert scene.hints.next() == {"Checked"}
    listening.end()


def test_who_is_in_a_hurry_ends_the_pause_before_another_attempt(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATIENT", "1")
    scene.refusals = 1
    listening = scene.listening()
    listening.start()
    assert scene.failed.wait(LONG)
    while scene.begun.empty():  # the pause may not have begun yet
        listening.hurry("network")
        threading.Event().wait(0.01)
    assert scene.hints.next() is None
    listening.end()


def test_a_server_that_cannot_tell_is_not_listened_to(scene: Scene) -> None:
    listening = Listening(
        lambda: None, partial(scene.hints.hint, "server"), persistently, keepalive=3600.0, deaf=not_deaf  # type: ignore[arg-type]
    )  # fmt: skip
    listening.start()
    listening.end()
    assert scene.hints.given.empty()


def test_who_is_in_a_hurry_too_late_touches_no_other_file(scene: Scene, tmp_path: Path) -> None:
    listening = scene.listening()
    listening.start()
    scene.begun.get(timeout=LONG)
    listening.end()
    others = [os.open(tmp_path / f"message{number}", os.O_CREAT | os.O_WRONLY) for number in range(8)]
    try:
        listening.hurry("network")
    finally:
        for other in others:
            os.close(other)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b""] * 8


def test_who_is_in_a_hurry_while_an_attempt_fails_has_it_tried_again_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATIENT", "1")
    trying, fail = threading.Event(), threading.Event()
    begin = scene.begin

    def slowly() -> Push | None:
        if not fail.is_set():
            trying.set()
            assert fail.wait(LONG)
            raise ConnectError("no network")
        return begin()

    monkeypatch.setattr(scene, "begin", slowly)
    listening = scene.listening()
    listening.start()
    assert trying.wait(LONG)
    listening.hurry("network")
    fail.set()
    try:
        assert scene.hints.next() is None
    finally:
        listening.end()


def test_hurrying_very_often_keeps_nobody_waiting() -> None:
    """A pipe holds 65536 octets, and where the server cannot tell nobody takes them out."""
    hints = Hints()
    listening = Listening(lambda: None, partial(hints.hint, "server"), persistently, keepalive=3600.0, deaf=not_deaf)  # type: ignore[arg-type]

    def often() -> None:
        for _ in range(70_000):
            listening.hurry("network")

    hurrying = threading.Thread(target=often, daemon=True)
    hurrying.start()
    hurrying.join(LONG)
    assert not hurrying.is_alive()
    listening.end()


def test_two_who_are_in_a_hurry_at_the_same_time_do_not_keep_it_busy(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has said so, and has yet to wake the thread, when the first is heard."""
    listening = scene.listening()
    listening.start()
    ears = scene.begun.get(timeout=LONG)
    assert scene.hints.next() is None
    write, heard = os.write, threading.Event()
    hears = ears.hear
    turns: list[int] = []

    def slowly(descriptor: int, octets: bytes) -> int:
        if threading.current_thread().name == "second":
            heard.wait(1.0)  # until the first was heard, unless it is kept waiting until we are done
        return write(descriptor, octets)

    def counted(seconds: float, wake: int) -> Heard:
        turns.append(1)
        return hears(seconds, wake)

    monkeypatch.setattr("syncer.watching.listening.os.write", slowly)
    monkeypatch.setattr(ears, "hear", counted)
    monkeypatch.setattr(ears, "check", lambda: (heard.set(), Heard())[1])
    second = threading.Thread(target=listening.hurry, args=("network",), name="second")
    second.start()
    listening.hurry("network")
    second.join(LONG)
    assert heard.wait(LONG)
    threading.Event().wait(0.3)
    assert len(turns) < 20
    listening.end()


def test_a_fault_of_ours_is_told_to_those_who_then_have_to_look_for_themselves(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(_seconds: float, _wake: int) -> Heard:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(Ears, "hear", lambda _ears, seconds, wake: faulty(seconds, wake))
    listening = scene.listening()
    listening.start()
    assert str(scene.deaf.get(timeout=LONG)) == "a fault"
    listening.end()
