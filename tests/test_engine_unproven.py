"""What a side did not show, without proof that it is gone: nothing is recorded with it or deleted because of it."""

import pytest
from fake_store import FakeDirectory
from worlds import World, octets

from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName

WORK, JOB = MailboxName("Work"), MailboxName("Job")


def equal(world: World, state: str) -> None:
    for _ in range(2):
        world.sync()
    assert world.state() == (state,) * 3
    assert not any(plan.actions for plan in world.plans)


def expunge(world: World, uid: int, mailbox: MailboxName = INBOX) -> None:
    box = world.server.mailboxes[mailbox]
    del box.messages[Uid(uid)]
    box.settle()


class TestAMessageUnderANewUID:
    def test_it_does_not_get_the_file_that_somebody_deleted_before(self) -> None:
        world = World.of("a:", "a:", "")
        expunge(world, 1)
        world.server.deliver(INBOX, octets("a"))
        world.store.directories[INBOX].complete = False
        world.sync()
        assert [pair.uid for pair in world.index.pairs(INBOX)] == [1]
        world.store.directories[INBOX].complete = True
        equal(world, "a:")

    def test_it_gets_its_file_as_soon_as_that_is_seen(self) -> None:
        world = World.of("a:", "a:", "")
        expunge(world, 1)
        world.server.deliver(INBOX, octets("a"))
        directory = world.store.directories[INBOX]
        directory.complete = False
        report = world.sync()
        assert report.mailbox(INBOX).notes == [
            "1 messages under a new UID left alone: the Maildir changed while it was read, the next sync looks again"
        ]
        directory.complete = True
        world.store.put(INBOX, UniqueName("a"), octets("a"), frozenset())
        equal(world, "a:")
        assert [(pair.uid, pair.name) for pair in world.index.pairs(INBOX)] == [(2, "a")]
        assert not world.store.attic

    def test_moved_in_the_maildir_and_back_on_the_server_it_is_not_deleted(self) -> None:
        """The pair of its first place is still there: neither side was seen completely when it was moved."""
        world = World.of("Work/a: Work/b: c:", "Work/a: Work/b: c:", "Work/a: Work/b: c:")
        directories, work = world.store.directories, world.server.mailboxes[WORK]
        del directories[WORK].files[UniqueName("a")]
        world.store.put(INBOX, UniqueName("n"), octets("a"), frozenset())
        expunge(world, 1, WORK)
        there = world.server.deliver(INBOX, octets("a"))
        work.complete = directories[INBOX].complete = False
        world.sync()
        expunge(world, there)
        world.server.deliver(WORK, octets("a"))
        work.complete = directories[INBOX].complete = True
        directories[WORK].complete = False
        world.sync()
        directories[WORK].complete = True
        equal(world, "Work/a: Work/b: c:")


class TestAFileUnderANewName:
    def test_it_does_not_get_the_message_that_somebody_expunged_before(self) -> None:
        world = World.of("", "a:", "")
        world.store.put(INBOX, UniqueName("x"), octets("a"), frozenset())
        box = world.server.mailboxes[INBOX]
        box.complete = False
        report = world.sync()
        assert [pair.name for pair in world.index.pairs(INBOX)] == ["a"]
        assert "1 files under a new name left alone: the server did not list their messages" in (
            report.mailbox(INBOX).notes
        )
        box.complete = True
        equal(world, "a:")
        assert not world.store.attic

    def test_it_gets_its_message_as_soon_as_that_is_listed(self) -> None:
        world = World.of("a:", "a:", "")
        world.store.put(INBOX, UniqueName("x"), octets("a"), frozenset())
        box = world.server.mailboxes[INBOX]
        hidden, box.complete = box.messages.pop(Uid(1)), False
        world.sync()
        box.messages[Uid(1)], box.complete = hidden, True
        equal(world, "a:")
        assert [(pair.uid, pair.name) for pair in world.index.pairs(INBOX)] == [(1, "x")]


class TestAFileThatHasTwoPairs:
    """Both sides moved a message, only its new place was looked at, and its file was moved back."""

    @staticmethod
    def moved_back() -> World:
        world = World.of("a: b: Work/c:", "a: b: Work/c:", "a: b: Work/c:")
        files = {box: world.store.directories[box].files for box in (INBOX, WORK)}
        expunge(world, 1)
        world.server.deliver(WORK, octets("a"))
        files[WORK][UniqueName("a")] = files[INBOX].pop(UniqueName("a"))
        world.sync(mailbox=WORK)
        files[INBOX][UniqueName("a")] = files[WORK].pop(UniqueName("a"))
        return world

    def test_its_message_stays_while_it_is_not_known_whether_the_old_one_is_gone(self) -> None:
        world = self.moved_back()
        world.server.mailboxes[INBOX].complete = False
        world.sync()
        world.server.mailboxes[INBOX].complete = True
        equal(world, "Work/c: a: b:")

    def test_its_message_stays_while_another_that_cannot_be_read_may_be_the_old_one(self) -> None:
        world = self.moved_back()
        uid = world.server.deliver(INBOX, octets("a").replace(b"This", b"That"))
        world.server.hears = lambda command: "withhold" if command == f"FETCH INBOX {uid}" else None
        world.sync()
        world.server.hears = lambda command: None
        for _ in range(2):
            world.sync()
        assert (world.on_server(), world.in_maildir()) == ("Work/c: a: a: b:",) * 2
        assert not any(plan.actions for plan in world.plans)

    @pytest.mark.parametrize("disturbed", [WORK, JOB])
    def test_the_file_stays_while_it_is_not_known_whether_its_message_has_another(self, disturbed: MailboxName) -> None:
        world = self.moved_back()
        world.server.create(JOB)
        world.store.directories[JOB] = FakeDirectory()
        world.store.directories[disturbed].complete = False
        world.sync()
        world.store.directories[disturbed].complete = True
        equal(world, "Work/c: a: b:")
