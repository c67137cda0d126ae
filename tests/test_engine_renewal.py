"""A mailbox in another epoch: versions of a draft do not change places, and little is read to know that."""

from collections.abc import Collection

import pytest
from fake_server import FakeServer
from test_engine_drafts import FIRST, SECOND
from worlds import World, octets

from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import ServerMessage
from syncer.reconcile.renewal import CHECKED
from syncer.values import replace

LONGER = FIRST + b"and an attachment\r\n"


def in_inbox(world: World) -> tuple[list[bytes], list[bytes]]:
    """What the server and the Maildir hold."""
    here, there = world.store.directories[INBOX].files, world.server.mailboxes[INBOX].messages
    return sorted(message.octets for message in there.values()), sorted(file.octets for file in here.values())


def crossed(world: World) -> list[tuple[bytes, bytes]]:
    """What the server and the Maildir have of pairs that are not one message."""
    here, there = world.store.directories[INBOX].files, world.server.mailboxes[INBOX].messages
    both = [(there[p.uid].octets, here[p.name].octets) for p in world.index.pairs(INBOX) if p.uid in there]
    return [(message, file) for message, file in both if message != file]


def in_another_epoch(world: World, *contents: bytes, date: int = 1_000_000_000) -> None:
    """INBOX holds these now, under another UIDVALIDITY; what was there keeps its date."""
    box = world.server.mailboxes[INBOX]
    dates = {stored.octets: stored.internaldate for stored in box.messages.values()}
    box.uidvalidity = UidValidity(box.uidvalidity + 5)
    box.messages.clear()
    for content in contents:
        world.server.deliver(INBOX, content, internaldate=dates.get(content, date))


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)])
def test_of_two_versions_in_another_epoch_the_one_that_was_here_is_recognised(order: tuple[bytes, bytes]) -> None:
    world = World()
    for content in (octets("a"), FIRST):
        world.server.deliver(INBOX, content)
    for _ in range(2):
        world.sync()
    in_another_epoch(world, octets("a"), *order)
    for _ in range(3):
        world.sync()
    assert crossed(world) == []
    assert in_inbox(world) == (sorted([octets("a"), FIRST, SECOND]),) * 2


def with_guessed_sizes(monkeypatch: pytest.MonkeyPatch) -> tuple[World, list[bytes]]:
    """Eighty messages on both sides, of dates of their own, of which the server tells sizes that are wrong."""
    describe = FakeServer.describe

    def guessed(server: FakeServer, mailbox: MailboxName, uids: Collection[Uid]) -> tuple[ServerMessage, ...]:
        return tuple(replace(message, size=message.size + 1) for message in describe(server, mailbox, uids))

    monkeypatch.setattr(FakeServer, "describe", guessed)
    world = World()
    contents = [octets(f"m{number:03}") for number in range(80)]
    for date, content in enumerate(contents, start=1_000_000_000):
        world.server.deliver(INBOX, content, internaldate=date)
    for _ in range(2):
        world.sync()
    return world, contents


def fetched(world: World) -> list[int]:
    """The UIDs of which one pass reads the octets."""
    heard: list[str] = []
    world.server.hears = heard.append
    world.sync()
    world.server.hears = lambda command: None
    return [int(command.split()[-1]) for command in heard if command.startswith("FETCH")]


def test_where_sizes_are_guessed_a_new_epoch_does_not_read_the_whole_mailbox_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, contents = with_guessed_sizes(monkeypatch)
    in_another_epoch(world, *reversed(contents))
    assert [uid for uid in fetched(world) if uid % CHECKED] == []
    assert world.sync().mailboxes == {}
    assert (crossed(world), in_inbox(world)) == ([], (contents, contents))


def test_but_if_one_of_those_that_are_read_is_another_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    world, contents = with_guessed_sizes(monkeypatch)
    box = world.server.mailboxes[INBOX]
    for uid in (16, 17, 48):
        box.messages[Uid(uid)].octets += b"edited\r\n"
    now = [message.octets for message in box.messages.values()]
    box.uidnext = 1
    in_another_epoch(world, *now)
    assert len(set(fetched(world))) == len(contents)
    for _ in range(2):
        world.sync()
    assert (crossed(world), in_inbox(world)[1]) == ([], sorted({*contents, *now}))


def test_a_version_that_was_edited_there_is_another_message_although_the_first_was_uploaded() -> None:
    world = World()
    world.server.deliver(INBOX, octets("a"))
    world.sync()
    world.store.put(INBOX, UniqueName("mine"), FIRST, mtime=1_234_567_890)
    for _ in range(2):
        world.sync()
    in_another_epoch(world, octets("a"), LONGER, date=1_300_000_000)
    for _ in range(3):
        world.sync()
    assert crossed(world) == []
    assert in_inbox(world)[1] == sorted([octets("a"), FIRST, LONGER])


def test_a_message_that_another_of_its_size_takes_for_its_date_is_asked_for() -> None:
    """Many messages, so that size and date are proof for most; two versions, of which one has the date."""
    world = World()
    numbers = range(100)
    for number in numbers:
        world.server.deliver(INBOX, octets("m" + "x" * number), internaldate=1_000_000_000 + number)
    world.server.deliver(INBOX, FIRST + b"z" * 500, internaldate=1_500_000_000)
    for _ in range(2):
        world.sync()
    kept = [octets("m" + "x" * number) for number in numbers]
    in_another_epoch(world, SECOND + b"z" * 500, *kept, FIRST + b"z" * 500, date=1_600_000_000)
    for _ in range(3):
        world.sync()
    assert crossed(world) == []
    assert in_inbox(world)[0] == in_inbox(world)[1]
