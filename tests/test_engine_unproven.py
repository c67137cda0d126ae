"""What one side has lost and the other did not show: it is not recognised in what is new before it was seen."""

from worlds import World, octets

from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName

WORK = MailboxName("Work")


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
