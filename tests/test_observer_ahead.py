"""What is read before it is asked for: it counts only while it is so."""

import threading
from collections.abc import Callable

import pytest
from ears import server_hears, store_hears
from worlds import World, octets

from syncer.errors import MailboxError
from syncer.observer.ahead import Ahead
from syncer.observer.glance import Shortcuts
from syncer.reconcile.flags import FLAGGED, SEEN
from syncer.reconcile.identity import INBOX, MailboxName, UniqueName
from syncer.reconcile.observations import LocalMessage

WORK, PLAY = MailboxName("Work"), MailboxName("Play")
TRUSTING, FULL = Shortcuts("", 1_700_000_100, 1000), Shortcuts("", 1_700_000_100, 1000, never=True)


class Bell:
    """Counts how often it was rung."""

    def __init__(self) -> None:
        self.rung = 0

    def __call__(self) -> None:
        self.rung += 1


def settled() -> World:
    """Three mailboxes in which every shortcut is there to be taken."""
    world = World()
    for mailbox in (INBOX, WORK, PLAY):
        world.server.create(mailbox)
        for name in "ab":
            world.server.deliver(mailbox, octets(name))
    for _ in range(3):
        world.sync()
    return world


def flag_one(world: World, mailbox: MailboxName, flag: str = FLAGGED) -> UniqueName:
    directory = world.store.directories[mailbox]
    name = min(directory.files)
    directory.files[name].flags |= {flag}
    directory.changed()
    return name


def ahead(
    world: World,
    wants: Callable[[str], bool] = lambda name: True,
    bell: Callable[[], object] = lambda: None,
    shortcuts: Shortcuts = TRUSTING,
) -> Ahead:
    return Ahead(world.store, world.index, shortcuts, wants, bell)


def test_what_has_changed_is_read_and_nothing_else() -> None:
    world, bell = settled(), Bell()
    name = flag_one(world, WORK)
    ear = store_hears(world)
    reading = ahead(world, bell=bell)
    (found,) = (listing for mailbox in (INBOX, WORK, PLAY) if (listing := reading.take(mailbox)) is not None)
    assert found.messages == {name: LocalMessage(name, frozenset({FLAGGED}))}
    assert ear.heard == ["scan Work"]
    assert bell.rung == 1
    assert reading.take(WORK) is None, "it is given out once"
    reading.end()


def test_what_changes_after_it_was_read_is_read_again() -> None:
    world = settled()
    flag_one(world, WORK)
    reading = ahead(world)
    reading.end()
    flag_one(world, WORK, SEEN)
    assert reading.take(WORK) is None


@pytest.mark.parametrize("shortcuts", [FULL, Shortcuts("other", 1_700_000_100, 1000)])
def test_nothing_is_read_where_everything_is_to_be_compared(shortcuts: Shortcuts) -> None:
    world, bell = settled(), Bell()
    flag_one(world, WORK)
    reading = ahead(world, bell=bell, shortcuts=shortcuts)
    assert (reading.take(WORK), bell.rung) == (None, 0)


def test_a_mailbox_that_is_left_out_is_not_read() -> None:
    world = settled()
    flag_one(world, WORK)
    flag_one(world, PLAY)
    reading = ahead(world, wants=lambda name: name != WORK)
    assert (reading.take(WORK) is None, reading.take(PLAY) is None) == (True, False)


def test_one_that_cannot_be_read_is_left_to_whoever_looks_at_it() -> None:
    world = settled()
    flag_one(world, PLAY)
    flag_one(world, WORK)
    ear = store_hears(world, scan=MailboxError("cannot be read: Input/output error"))
    reading = ahead(world)
    assert (reading.take(PLAY), reading.take(WORK)) == (None, None)
    assert len(ear.heard) == 1
    reading.end()


def test_a_pass_finds_what_changed_while_the_server_was_answering() -> None:
    world = settled()
    flag_one(world, WORK)
    server_hears(world, LIST=lambda: flag_one(world, WORK, SEEN))
    assert world.sync().ok
    assert world.on_server() == world.in_maildir() == "Play/a: Play/b: Work/a:FS Work/b: a: b:"


@pytest.mark.parametrize("further", [False, True], ids=["the same mailboxes", "one more on the server"])
def test_where_there_is_work_no_mailbox_counts_as_unchanged_for_what_it_was(further: bool) -> None:
    """A file that moved from one that was read to one that was not yet is not gone."""
    world = settled()
    flag_one(world, PLAY)
    if further:
        world.server.create(MailboxName("Further"))

    def change() -> None:
        for thread in threading.enumerate():
            if thread.name == "ahead":
                thread.join()
        flag_one(world, WORK, SEEN)

    server_hears(world, LIST=change)
    scans = store_hears(world)
    assert world.sync().ok
    assert scans.heard.index("scan Play") < scans.heard.index("scan Work")
    assert world.on_server() == world.in_maildir() == "Play/a:F Play/b: Work/a:S Work/b: a: b:"


def test_a_state_is_told_as_it_was_found() -> None:
    world = settled()
    before = world.store.state(WORK)
    reading = ahead(world)
    reading.end()
    flag_one(world, WORK)
    assert [reading.state(WORK), reading.state(WORK)] == [before, before]
    assert before != world.store.state(WORK)
