"""Versions of one draft, with the same header block and size: each is a message of its own, and none is lost."""

from collections.abc import Iterator, Sequence

import pytest
from fake_server import FakeServer
from test_executor_copies import TRASH, Died
from test_executor_copies import synced as without_move
from worlds import World, octets

from syncer.errors import ServerRefusedError
from syncer.ports import Fetched
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.values import replace

HEADERS = b"Message-ID: <d@example.org>\r\nSubject: d\r\n\r\n"
FIRST, SECOND, THIRD = HEADERS + b"one\r\n", HEADERS + b"two\r\n", HEADERS + b"six\r\n"
Bodies = list[tuple[MailboxName, bytes]]


def on_server(world: World) -> Bodies:
    boxes = world.server.mailboxes.items()
    return sorted((name, message.octets) for name, box in boxes for message in box.messages.values())


def in_maildir(world: World) -> Bodies:
    directories = world.store.directories.items()
    return sorted((name, file.octets) for name, directory in directories for file in directory.files.values())


def delete_here(world: World, content: bytes) -> None:
    files = world.store.directories[INBOX].files
    del files[next(name for name, file in files.items() if file.octets == content)]


def with_first(*, email_ids: bool) -> World:
    """The first version on both sides, among others."""
    world = World()
    world.server.email_ids = email_ids
    for content in (FIRST, octets("a"), octets("b")):
        world.server.deliver(INBOX, content)
    for _ in range(3):
        world.sync()
    return world


def test_a_draft_that_was_edited_there_comes_down_though_its_header_block_and_size_stayed() -> None:
    world = World()
    world.server.deliver(INBOX, FIRST)
    world.sync()
    world.server.deliver(INBOX, SECOND)
    del world.server.mailboxes[INBOX].messages[Uid(1)]
    assert world.sync().mailbox(INBOX).downloaded == 1
    assert in_maildir(world) == [(INBOX, SECOND)]


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("email_ids", [False, True])
def test_edited_on_both_sides_at_once_both_versions_are_on_both(replaced: bool, email_ids: bool) -> None:
    world = with_first(email_ids=email_ids)
    if replaced:
        messages = world.server.mailboxes[INBOX].messages
        del messages[next(uid for uid, message in messages.items() if message.octets == FIRST)]
    world.server.deliver(INBOX, SECOND)
    delete_here(world, FIRST)
    world.store.put(INBOX, UniqueName("edited"), THIRD)
    for _ in range(3):
        world.sync()
    assert world.sync().ok
    others = [(INBOX, octets("a")), (INBOX, octets("b"))]
    assert on_server(world) == in_maildir(world) == sorted([(INBOX, SECOND), (INBOX, THIRD), *others])


def deleted_with_a_copy_that_failed(failure: BaseException) -> World:
    """The second version was deleted here, and its COPY to the trash did not come about."""
    world = without_move("ab")
    world.server.deliver(INBOX, SECOND)
    for _ in range(2):
        world.sync()
    delete_here(world, SECOND)

    def hears(command: str) -> None:
        if command == "COPY INBOX Trash":
            raise failure

    world.server.hears = hears
    try:
        world.sync()
    except Died:
        assert isinstance(failure, Died)
    world.server.hears = lambda command: None
    return world


@pytest.mark.parametrize("failure", [ServerRefusedError("over quota"), Died()])
def test_another_version_in_the_trash_is_not_the_copy_that_was_announced(failure: BaseException) -> None:
    world = deleted_with_a_copy_that_failed(failure)
    world.server.deliver(TRASH, FIRST)
    for _ in range(3):
        world.sync()
    others = [(INBOX, octets("a")), (INBOX, octets("b"))]
    assert on_server(world) == sorted([(TRASH, FIRST), (TRASH, SECOND), *others])


def test_a_version_that_comes_while_another_is_held_for_a_person_to_decide_comes_down() -> None:
    world = with_first(email_ids=False)
    box = world.server.mailboxes[INBOX]
    others = [message for message in box.messages.values() if message.octets != FIRST]
    box.uidvalidity += 5  # type: ignore[assignment]
    box.messages.clear()
    for message in others:
        world.server.deliver(INBOX, message.octets)
    for _ in range(2):
        world.sync()
    world.server.deliver(INBOX, SECOND)
    for _ in range(3):
        world.sync()
    assert {content for _, content in in_maildir(world)} == {FIRST, SECOND, octets("a"), octets("b")}


def test_a_version_of_another_size_is_another_message_also_in_another_epoch() -> None:
    world = World()
    whole = FIRST + b"and an attachment\r\n"
    for content in (octets("a"), whole):
        world.server.deliver(INBOX, content)
    for _ in range(2):
        world.sync()
    box = world.server.mailboxes[INBOX]
    box.uidvalidity += 5  # type: ignore[assignment]
    box.messages.clear()
    for content in (FIRST, octets("a")):
        world.server.deliver(INBOX, content)
    for _ in range(3):
        world.sync()
    assert {content for _, content in in_maildir(world)} == {FIRST, whole, octets("a")}


def test_the_copy_in_the_trash_is_not_proved_by_messages_that_come_without_octets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = deleted_with_a_copy_that_failed(ServerRefusedError("over quota"))
    world.server.deliver(TRASH, FIRST)
    fetch = FakeServer.fetch

    def without_octets(server: FakeServer, mailbox: MailboxName, uids: Sequence[Uid]) -> Iterator[Fetched]:
        return (replace(message, size=0, body=iter(())) for message in fetch(server, mailbox, uids))

    with monkeypatch.context() as patched:
        patched.setattr(FakeServer, "fetch", without_octets)
        world.sync()
    assert any(content == SECOND for _, content in on_server(world))
