"""Messages that could not be compared in a pass: nothing is mixed up, doubled or removed for it."""

from collections.abc import Iterator, Sequence

import pytest
from fake_index import FakeIndex
from fake_server import FakeServer
from test_engine_drafts import FIRST, SECOND
from worlds import World, octets

from syncer.errors import MessageError
from syncer.ports import Fetched
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.policy import Policy
from syncer.values import replace


def test_twins_whose_octets_the_server_does_not_deliver_are_not_mixed_up_and_not_doubled() -> None:
    world = World()
    twins = [b"Subject: a\r\n\r\nbody one\r\n", b"Subject: a\r\n\r\nbody two\r\n"]
    for twin, name in zip(twins, "yx", strict=True):
        world.server.deliver(INBOX, twin)
        world.store.put(INBOX, UniqueName(name), twin)
    world.server.hears = lambda command: "withhold" if command.startswith("FETCH") else None
    for _ in range(3):
        (note,) = world.sync().mailbox(INBOX).notes
        assert note == "4 new messages not copied: they could not be compared, the next sync looks again"
    world.server.hears = lambda command: None
    assert world.sync().ok
    assert [(pair.uid, pair.name) for pair in world.index.pairs(INBOX)] == [(1, "y"), (2, "x")]
    assert (len(world.server.mailboxes[INBOX].messages), len(world.store.directories[INBOX].files)) == (2, 2)


def test_a_file_stays_while_a_new_message_that_may_be_its_own_cannot_be_read() -> None:
    world = World()
    for name in "ab":
        world.server.deliver(INBOX, octets(name))
    for _ in range(3):
        world.sync()
    box = world.server.mailboxes[INBOX]
    del box.messages[Uid(1)]
    box.settle()
    uid = world.server.deliver(INBOX, octets("a"))
    world.server.hears = lambda command: "withhold" if command == f"FETCH INBOX {uid}" else None
    for _ in range(3):
        report = world.sync()
        note = "messages gone on the server not removed: a new one there may be the same"
        assert any(note in told for told in report.mailbox(INBOX).notes)
    assert world.in_maildir() == "a: b:"
    world.server.hears = lambda command: None
    assert world.sync().ok
    assert world.state() == ("a: b:",) * 3


def test_without_an_index_a_file_that_cannot_be_read_is_still_the_message_in_its_name() -> None:
    world = World()
    for name in "abcd":
        world.server.deliver(INBOX, octets(name))
    for _ in range(3):
        world.sync()
    world.index = FakeIndex()
    files = world.store.directories[INBOX].files
    name = next(name for name, file in files.items() if file.octets == octets("d"))

    def hears(deed: str) -> None:
        if deed in {f"read INBOX {name}", f"open INBOX {name}"}:
            raise MessageError("no permission")

    world.store.hears = hears
    for _ in range(2):
        world.sync()
    world.store.hears = lambda deed: None
    for _ in range(3):
        world.sync(full=True)
    assert world.state() == ("a: b: c: d:",) * 3


def test_what_is_held_stays_held_while_it_waits_for_a_message_that_cannot_be_read() -> None:
    world = World(policy=Policy())
    for content in (*map(octets, "abcd"), FIRST):
        world.server.deliver(INBOX, content)
    for _ in range(3):
        world.sync()
    box = world.server.mailboxes[INBOX]
    others = {uid: message for uid, message in box.messages.items() if message.octets != FIRST}
    box.messages.clear()
    world.sync()
    box.messages.update(others)
    (held,) = world.sync().mailbox(INBOX).held
    assert (held.side, held.count) == ("local", 1)
    uid = world.server.deliver(INBOX, SECOND)
    world.server.hears = lambda command: "withhold" if command == f"FETCH INBOX {uid}" else None
    world.sync()
    world.server.hears = lambda command: None
    (held,) = world.sync().mailbox(INBOX).held
    assert (held.side, held.count) == ("local", 1)
    assert FIRST in {file.octets for file in world.store.directories[INBOX].files.values()}


def test_a_file_stays_while_a_new_message_that_may_be_its_own_is_delivered_without_octets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    for name in "ab":
        world.server.deliver(INBOX, octets(name))
    for _ in range(3):
        world.sync()
    box = world.server.mailboxes[INBOX]
    del box.messages[Uid(1)]
    box.settle()
    uid = world.server.deliver(INBOX, octets("a"))
    fetch = FakeServer.fetch

    def without_octets(server: FakeServer, mailbox: MailboxName, uids: Sequence[Uid]) -> Iterator[Fetched]:
        for message in fetch(server, mailbox, uids):
            yield replace(message, size=0, body=iter(())) if message.uid == uid else message

    with monkeypatch.context() as patched:
        patched.setattr(FakeServer, "fetch", without_octets)
        for _ in range(3):
            world.sync()
        assert (world.in_maildir(), world.store.attic) == ("a: b:", [])
    world.sync(full=True)
    assert world.state() == ("a: b:",) * 3


def test_a_message_that_cannot_be_read_holds_up_no_other_one_of_its_size() -> None:
    world = World()
    for name in "abcdefgh":
        world.server.deliver(INBOX, octets(name))
    for _ in range(3):
        world.sync()
    box = world.server.mailboxes[INBOX]
    for gone in (1, 2, 3):
        del box.messages[Uid(gone)]
    uid = world.server.deliver(INBOX, octets("a"))
    world.server.hears = lambda command: "withhold" if command == f"FETCH INBOX {uid}" else None
    for _ in range(2):
        world.sync()
    assert world.in_maildir() == "a: d: e: f: g: h:"
