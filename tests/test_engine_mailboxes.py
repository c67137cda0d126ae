"""Which mailboxes a pass looks at, and what becomes of those that fail."""

import pytest
from ears import server_hears, store_hears, well
from worlds import World, octets

from syncer.errors import AccountError, MailboxError, NoSuchMailboxError
from syncer.reconcile.actions import Action
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.policy import Limits, Policy
from syncer.report import MailboxReport

WORK, JOB = MailboxName("Work"), MailboxName("Job")

FREE = Limits(max_delete=1.0)


ALL = Policy(limits=FREE, mailbox_changes="all")


class TestAMailboxThatFails:
    def test_its_listing_does_not_stop_the_others(self) -> None:
        world = World.of("a: Work/b: Job/c:", "", "Work/ Job/d:")
        server_hears(world, SELECT_Work=MailboxError("Work: the server says: not now"))
        report = world.sync()
        assert (report.ok, report.error) == (False, None)
        assert report.mailbox(WORK) == MailboxReport(WORK, error="Work: the server says: not now")
        assert world.in_maildir() == "Job/c: Job/d: a:"
        assert world.index.rows[WORK].error == "Work: the server says: not now"
        well(world)
        assert world.sync().ok
        assert world.index.rows[WORK].error is None
        assert world.state() == ("Job/c: Job/d: Work/b: a:",) * 3

    def test_its_directory_does_not_stop_the_others(self) -> None:
        world = World.of("a: Work/b:", "Work/b:", "Work/b:S")
        store_hears(world, scan_Work=MailboxError("Work: cannot be read"))
        report = world.sync()
        assert report.mailbox(WORK).error == "Work: cannot be read"
        assert world.in_maildir() == "Work/b:S a:"

    def test_it_keeps_files_of_the_same_name_from_being_deleted_elsewhere(self) -> None:
        world = World.of("a: Work/", "a:", "Work/a:")
        server_hears(world, SELECT_Work=MailboxError("Work: the server says: not now"))
        report = world.sync()
        assert world.on_server() == "a:"
        assert report.mailbox(INBOX).notes == [
            "1 missing messages not expunged: a file of the same name is in another mailbox"
        ]
        well(world)
        world.sync()
        assert world.state() == ("Work/a:",) * 3

    def test_a_directory_that_cannot_be_listed_keeps_files_from_being_deleted_elsewhere(self) -> None:
        world = World.of("a: Work/", "a:", "Work/x:")
        store_hears(world, scan_Work=MailboxError("Work: cannot be read"))
        report = world.sync()
        assert world.on_server() == "a:"
        assert report.mailbox(INBOX).notes == [
            "1 missing messages not expunged: the Maildir changed while it was read, the next sync looks again"
        ]

    def test_its_creation_does_not_stop_the_others(self) -> None:
        world = World.of("a:", "", "Work/b: Job/c:")
        for mailbox in (WORK, JOB):
            del world.server.mailboxes[mailbox], world.index.rows[mailbox]
        server_hears(world, CREATE_Work=MailboxError("Work: the server says: not permitted"))
        report = world.sync()
        assert report.mailbox(WORK).error == "Work: the server says: not permitted"
        assert (world.on_server(), world.in_maildir()) == ("Job/c: a:", "Job/c: Work/b: a:")
        well(world)
        world.sync()
        assert world.state() == ("Job/c: Work/b: a:",) * 3

    def test_a_move_out_of_it_does_not_stop_the_others(self) -> None:
        world = World.of("a: Work/b: Job/", "a: Work/b:", "a:S Job/b:")
        server_hears(world, MOVE_Work=NoSuchMailboxError("Work: the server says: no such mailbox"))
        report = world.sync()
        assert report.mailbox(WORK).error == "Work: the server says: no such mailbox"
        assert world.on_server() == "Work/b: a:S"
        well(world)
        world.sync()
        assert world.state() == ("Job/b: a:S",) * 3

    def test_it_is_not_looked_at_again_in_the_same_pass(self) -> None:
        world = World.of("Work/a:", "", "b: Work/")
        world.server.uidplus = False
        ear = server_hears(world, FETCH_Work=MailboxError("Work: the server says: no"))
        world.sync()
        assert (ear.heard.count("SELECT INBOX"), ear.heard.count("SELECT Work")) == (2, 1)

    def test_messages_that_cannot_be_compared_are_not_copied(self) -> None:
        world = World.of("a: Work/b:", "", "Work/b:")
        server_hears(world, HEADERS_Work=MailboxError("Work: the server says: not now"))
        world.sync()
        assert (world.on_server(), world.in_maildir()) == ("Work/b: a:", "Work/b: a:")

    def test_asking_for_it_by_name_does_not_stop_the_others(self) -> None:
        world = World.of("a: Work/b:", "Work/b:", "Work/b:")
        world.server.unlisted.add(WORK)
        server_hears(world, STATUS_Work=MailboxError("Work: the server says: not permitted"))
        world.sync()
        assert (world.on_server(), world.in_maildir()) == ("Work/b: a:", "Work/b: a:")


class TestOneMailbox:
    """`sync ACCOUNT:MAILBOX`."""

    def test_the_others_are_left_alone(self) -> None:
        world = World.of("a: Work/b:", "", "Work/c:")
        report = world.sync(mailbox=WORK)
        assert world.state() == ("Work/b: Work/c: a:", "Work/b: Work/c:", "Work/b: Work/c:")
        assert list(report.mailboxes) == [WORK]

    def test_a_file_moved_out_of_it_is_not_deleted(self) -> None:
        world = World.of("a: Work/", "a:", "Work/a:")
        report = world.sync(mailbox=INBOX)
        assert (world.on_server(), world.in_maildir()) == ("a:", "Work/a:")
        assert report.mailbox(INBOX).notes == [
            "1 missing messages not expunged: a file of the same name is in another mailbox"
        ]
        world.sync()
        assert world.state() == ("Work/a:",) * 3

    def test_while_another_directory_changes_nothing_is_deleted(self) -> None:
        world = World.of("a: Work/", "a:", "Work/b:")
        world.store.directories[WORK].complete = False
        world.sync(mailbox=INBOX)
        assert world.on_server() == "a:"
        world.store.directories[WORK].complete = True
        world.sync(mailbox=INBOX)
        assert world.on_server() == ""

    def test_a_new_one_is_created_and_no_other(self) -> None:
        world = World()
        world.store.create(INBOX)
        for mailbox in (WORK, JOB):
            world.server.deliver(mailbox, octets("a"))
        world.sync(mailbox=WORK)
        assert sorted(world.store.directories) == ["INBOX", "Work"]
        assert world.in_maildir() == "Work/a:"

    def test_one_that_is_nowhere_is_an_error_that_names_some(self) -> None:
        world = World.of("Work/a:", "", "")
        with pytest.raises(AccountError, match="there is no mailbox Jobs on either side; there are: INBOX, Work"):
            world.sync(mailbox=MailboxName("Jobs"))


class TestMailboxesThatAreLeftOut:
    def test_they_are_not_touched(self) -> None:
        world = World.of("a: Work/b:", "", "Work/c:")
        world.sync(wants=lambda name: name != "Work")
        assert (world.on_server(), world.in_maildir()) == ("Work/b: a:", "Work/c: a:")
        assert world.index.pairs(WORK) == ()

    def test_a_file_moved_into_one_is_not_deleted(self) -> None:
        world = World.of("a: Work/", "a:", "Work/a:")
        world.sync(wants=lambda name: name != "Work")
        assert world.on_server() == "a:"

    def test_one_that_was_synchronised_before_is_not_deleted(self) -> None:
        world = World.of("Work/b:", "Work/b:", "Work/b:")
        world.sync(ALL, wants=lambda name: name != "Work")
        assert world.state() == ("Work/b:",) * 3


class TestRenamedMailboxes:
    def test_a_mailbox_renamed_here_with_one_below_it(self) -> None:
        text = "Work/a: Work/b: Work/x/c: Work/x/d:"
        world = World.of(text, text, text, policy=ALL)
        for name in ("Work", "Work/x"):
            world.store.directories[MailboxName("Job" + name[4:])] = world.store.directories.pop(MailboxName(name))
        ear = server_hears(world)
        world.sync()
        assert world.state() == ("Job/a: Job/b: Job/x/c: Job/x/d:",) * 3
        assert [what for what in ear.heard if "RENAME" in what] == ["RENAME Work Job", "done RENAME Work Job"]
        assert not any(what.startswith(("FETCH", "APPEND", "EXPUNGE", "DELETE")) for what in ear.heard)
        assert (world.sync().mailboxes, world.planned()) == ({}, [])

    def test_by_default_a_renamed_mailbox_is_another_one_and_nothing_is_deleted(self) -> None:
        text = "Work/a: Work/b:"
        world = World.of(text, text, text)
        world.store.directories[JOB] = world.store.directories.pop(WORK)
        world.sync()
        assert (world.on_server(), world.in_maildir()) == ("Job/a: Job/b:",) * 2
        assert sorted(world.server.mailboxes) == sorted(world.store.directories) == ["INBOX", "Job", "Work"]


def actions(world: World) -> list[Action]:
    return [action for plan in world.plans for action in plan.actions]


def test_a_mailbox_deleted_on_both_sides_is_forgotten() -> None:
    world = World.of("Work/a:", "Work/a:", "Work/a:")
    del world.server.mailboxes[WORK], world.store.directories[WORK]
    world.sync()
    assert world.planned() == ["Work/: forget"]
    assert (list(world.index.rows), actions(world)[1:]) == (["INBOX"], [])


def test_a_mailbox_deleted_on_the_server_is_not_deleted_with_a_file_that_came_in_for_one_that_was_gone() -> None:
    world = World.of("a: Work/b: Work/c:", "Work/b: Work/c:", "Work/c:", policy=ALL)
    del world.server.mailboxes[WORK]
    server_hears(world, FETCH_INBOX=lambda: world.store.put(WORK, UniqueName("new"), octets("new")))
    report = world.sync()
    assert report.mailbox(WORK).error == "Work: not deleted, for there are other messages in it; sync again"
    assert (world.in_maildir(), world.store.attic) == ("Work/c: Work/new: a:", [])
    well(world)
    world.sync()
    assert world.sync().mailboxes == {}
    assert (world.on_server(), world.in_maildir()) == ("Work/new: a:",) * 2


@pytest.mark.parametrize("kept", [True, False], ids=["the UIDs stay", "numbered anew"])
def test_a_server_that_gives_a_renamed_mailbox_another_uidvalidity_copies_nothing(kept: bool) -> None:
    text = "Work/a: Work/b:S"
    world = World.of(text, text, text, policy=ALL)
    world.store.directories[JOB] = world.store.directories.pop(WORK)

    def renumber() -> None:
        box = world.server.mailboxes[JOB]
        box.uidvalidity = UidValidity(7777)
        if not kept:
            box.messages = {Uid(uid + 40): message for uid, message in box.messages.items()}
            box.uidnext += 40

    server_hears(world, done_RENAME=renumber)
    report = world.sync()
    assert report.ok
    assert not any(mailbox.downloaded or mailbox.uploaded for mailbox in report.mailboxes.values())
    assert world.state() == ("Job/a: Job/b:S",) * 3
    assert world.sync().mailboxes == {}
