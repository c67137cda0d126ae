"""A message that fails stops no other, is tried less and less often, and is said by every pass."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from fake_server import FakeServer
from worlds import World, octets

from syncer.ports import Appended
from syncer.reconcile.identity import INBOX, UniqueName

NO = "n not uploaded: over quota"


@dataclass
class Refusing:
    names: set[str] = field(default_factory=lambda: {"n"})
    """Files that the server refuses."""
    asked: list[str] = field(default_factory=list)
    """Which of them it was asked to take."""


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Refusing:
    refusing, append = Refusing(), FakeServer.append

    def some(server: FakeServer, mailbox: Any, messages: Any) -> Any:
        for message, flags in messages:
            if message.name in refusing.names:
                refusing.asked.append(message.name)
                yield Appended(message.name, refused="over quota")
            else:
                yield from append(server, mailbox, iter([(message, flags)]))

    monkeypatch.setattr(FakeServer, "append", some)
    return refusing


def test_a_file_that_is_refused_again_and_again_is_tried_less_and_less_often(refusing: Refusing) -> None:
    world = World.of("a:", "a:", "a: b:")
    world.store.put(INBOX, UniqueName("n"), octets("n"))
    tries = []
    for number in range(12):  # each a minute after the one before
        report = world.sync()
        tries.append(len(refusing.asked))
        assert (number, report.ok) == (number, False)
        (problem,) = report.mailbox(INBOX).problems
        assert problem.startswith(NO)
    assert world.on_server() == "a: b:"
    assert tries == [1, 2, 3, 4, 4, 4, 4, 4, 5, 5, 5, 5]
    assert problem == f"{NO} (parked after 5 failures: tried again in 8 minutes, or by sync --full)"

    world.sync(full=True)
    assert len(refusing.asked) == 6
    refusing.names.clear()
    assert world.sync().mailbox(INBOX).problems != []
    assert world.sync(full=True).ok
    assert (world.on_server(), world.in_maildir()) == ("a: b: n:",) * 2
    assert (world.sync().ok, world.planned()) == (True, [])


def test_a_message_that_the_server_does_not_deliver_is_tried_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetch: Callable[..., Any] = FakeServer.fetch
    asked: list[int] = []

    def silent(server: FakeServer, mailbox: Any, uids: Any) -> Any:
        asked.extend(uids)
        return fetch(server, mailbox, [uid for uid in uids if uid != 2])

    monkeypatch.setattr(FakeServer, "fetch", silent)
    world = World()
    for name in "abc":
        world.server.deliver(INBOX, octets(name))
    for _ in range(6):
        (problem,) = world.sync().mailbox(INBOX).problems
        assert problem.startswith("UID 2 not downloaded: the server lists it but does not deliver it")
    assert (world.in_maildir(), asked.count(2)) == ("a: c:", 4)
    monkeypatch.undo()
    world.clock += 3600
    assert (world.sync().ok, world.in_maildir()) == (True, "a: b: c:")


def test_a_parked_file_whose_message_comes_by_another_way_is_no_problem_any_more(refusing: Refusing) -> None:
    world = World()
    world.store.put(INBOX, UniqueName("n"), octets("n"))
    for _ in range(5):
        assert not world.sync().ok
    world.server.deliver(INBOX, octets("n"))
    report = world.sync()
    assert (report.ok, report.mailbox(INBOX).problems) == (True, [])
    assert world.state() == ("n:",) * 3


def test_what_a_clock_has_parked_that_was_years_ahead_is_tried_again(refusing: Refusing) -> None:
    world = World()
    world.store.put(INBOX, UniqueName("n"), octets("n"))
    right, world.clock = world.clock, world.clock + 10 * 365 * 86400
    for _ in range(5):
        world.sync()
    refusing.names.clear()
    world.clock = right
    assert world.sync().ok
    assert world.on_server() == "n:"
