"""What is heard becomes a hint, and a connection that ends is made again, with a look at everything."""

import os
import queue
import select
import threading
from collections.abc import Callable

import pytest

from syncer.errors import ConnectError, ConnectionLostError
from syncer.ports.push import Heard, Push
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


def persistently(work: Callable[[], object], sleep: Callable[[float], None], stop: threading.Event) -> None:
    while True:
        try:
            work()
        except (ConnectError, ConnectionLostError):
            if stop.is_set():
                raise
            sleep(3600.0 if os.environ.get("PATIENT") else 0.0)
        else:
            return


class Scene:
    def __init__(self) -> None:
        self.hints = Hints()
        self.begun: queue.Queue[Ears] = queue.Queue()
        self.refusals = 0
        self.failed = threading.Event()

    def begin(self) -> Push | None:
        if self.refusals:
            self.refusals -= 1
            self.failed.set()
            raise ConnectError("no network")
        ears = Ears()
        self.begun.put(ears)
        return ears

    def listening(self, keepalive: float = 3600.0) -> Listening:
        return Listening(self.begin, self.hints, persistently, keepalive=keepalive)  # type: ignore[arg-type]


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
        listening.hurry()
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
        listening.hurry()
        threading.Event().wait(0.01)
    assert scene.hints.next() is None
    listening.end()


def test_a_server_that_cannot_tell_is_not_listened_to(scene: Scene) -> None:
    listening = Listening(
        lambda: None, scene.hints, persistently, keepalive=3600.0  # type: ignore[arg-type]
    )  # fmt: skip
    listening.start()
    listening.end()
    assert scene.hints.given.empty()
