"""What a pass refuses, holds and keeps: the cases in which mail is lost if nobody looks."""

import pytest
from ears import server_hears, well
from fake_server import FakeServer
from worlds import World, octets

from syncer.engine.applying import NOT_LISTED, WOULD_RENEW
from syncer.errors import MessageError
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import INBOX, MailboxName, UidValidity, UniqueName
from syncer.reconcile.observations import ServerListing
from syncer.reconcile.policy import Limits, Policy
from syncer.report import HeldDeletions, MailboxReport
from syncer.values import replace

WORK, JOB = MailboxName("Work"), MailboxName("Job")
FREE = Limits(max_delete=1.0)
ALL = Policy(limits=FREE, mailbox_changes="all")


class TestARefusedMailbox:
    def world(self) -> World:
        world = World.of("a:S c: Work/x:", "a: b: Work/", "a: b: d: Work/")
        world.rows(INBOX).epoch = Epoch(UidValidity(3))
        return world

    def test_a_dry_run_says_that_it_would_be_matched_again_and_records_nothing(self) -> None:
        world = self.world()
        report = world.sync(dry_run=True)
        assert report.mailbox(INBOX) == MailboxReport(
            INBOX, refused=f"UIDVALIDITY changed from 3 to 1000: nothing was changed. {WOULD_RENEW}"
        )
        assert world.state() == ("Work/x: a:S c:", "a: b:", "a: b: d:")
        assert world.rows(INBOX).epoch == Epoch(UidValidity(3))

    def test_where_the_server_does_not_list_all_of_it_it_is_left_alone_and_the_others_are_done(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = self.world()
        listing = FakeServer.listing

        def short(server: FakeServer, mailbox: MailboxName, **options: bool) -> ServerListing:
            return replace(listing(server, mailbox, **options), complete=mailbox != INBOX)

        monkeypatch.setattr(FakeServer, "listing", short)
        report = world.sync()
        assert report.mailbox(INBOX) == MailboxReport(
            INBOX, refused=f"UIDVALIDITY changed from 3 to 1000: nothing was changed. {NOT_LISTED}"
        )
        assert world.state() == ("Work/x: a:S c:", "Work/x: a: b:", "Work/x: a: b: d:")
        assert (world.rows(INBOX).synced_at, world.rows(WORK).synced_at) == (None, world.clock)


class TestHeldDeletions:
    TEXT = "a: b: c: d: e:"

    def test_an_emptied_directory_expunges_nothing_and_the_rest_is_done(self) -> None:
        world = World.of(f"{self.TEXT} f:", self.TEXT, "g:")
        report = world.sync(Policy())
        assert (report.ok, report.mailbox(INBOX).held) == (
            False,
            [HeldDeletions("server", 5, "all 5 messages of the mailbox are gone from the Maildir")],
        )
        assert (world.on_server(), world.in_maildir()) == ("a: b: c: d: e: f: g:", "f: g:")
        assert world.rows(INBOX).error == "all 5 messages of the mailbox are gone from the Maildir"

    def test_what_was_held_is_held_the_next_time_although_new_messages_have_come(self) -> None:
        world = World.of(f"{self.TEXT} f:", self.TEXT, "")
        for _ in range(2):
            assert world.sync(Policy()).mailbox(INBOX).held != []
        assert world.on_server() == f"{self.TEXT} f:"

    def test_an_emptied_mailbox_on_the_server_removes_nothing(self) -> None:
        world = World.of("", self.TEXT, self.TEXT)
        report = world.sync(Policy())
        assert report.mailbox(INBOX).held == [
            HeldDeletions("local", 5, "all 5 messages of the mailbox are gone from the server")
        ]
        assert (world.in_maildir(), world.store.attic) == (self.TEXT, [])

    def test_allowed_they_are_done(self) -> None:
        world = World.of(self.TEXT, self.TEXT, "")
        world.sync(Policy())
        report = world.sync(Policy(limits=Limits(allowed=True)))
        assert (report.ok, world.state()) == (True, ("", "", ""))

    @pytest.mark.parametrize(
        "policy", [Policy(direction="pull"), Policy(on_local_delete="keep"), Policy(on_local_delete="trash")]
    )
    def test_restored_they_come_back_where_nothing_would_have_been_deleted(self, policy: Policy) -> None:
        world = World.of("a: b:", "a: b:", "b:", policy=policy)
        world.sync(replace(policy, restore=True))
        assert (world.sync().ok, world.state()) == (True, ("a: b:",) * 3)

    def test_restored_they_come_back_in_a_mailbox_that_is_read_only_on_the_server(self) -> None:
        world = World.of("a: b:", "a: b:", "b:")
        world.server.mailboxes[INBOX].writable = False
        world.sync(Policy(restore=True))
        assert (world.sync().ok, world.state()) == (True, ("a: b:",) * 3)

    def test_restored_they_are_pushed_again(self) -> None:
        world = World.of("b:", "a: b:", "a: b:", policy=Policy(direction="push"))
        world.sync(Policy(direction="push", restore=True))
        assert (world.sync().ok, world.state()) == (True, ("a: b:",) * 3)

    def test_restored_they_come_back(self) -> None:
        world = World.of(self.TEXT, self.TEXT, "")
        world.sync(Policy())
        report = world.sync(Policy(restore=True))
        assert (report.ok, world.state()) == (True, (self.TEXT,) * 3)

    def test_pass_by_pass_within_a_day_they_are_held_all_the_same(self) -> None:
        names = "abcdefghijklmnopqrstuv"
        text = " ".join(f"{name}:" for name in names)
        world = World.of(text, text, text)
        for name in names[:11]:
            del world.store.directories[INBOX].files[UniqueName(name)]
            assert world.sync(Policy()).ok
        del world.store.directories[INBOX].files[UniqueName("l")]
        assert world.sync(Policy()).mailbox(INBOX).held == [
            HeldDeletions(
                "server",
                1,
                "12 of 22 messages of the mailbox are gone from the Maildir within a day, "
                "more than max_delete = 0.5 allows",
            )
        ]
        world.clock += 24 * 60 * 60
        assert world.sync(Policy()).ok

    def test_a_deleted_mailbox_is_held_with_its_messages(self) -> None:
        text = " ".join(f"Work/{name}:" for name in "abcde")
        world = World.of(text, text, text)
        del world.store.directories[WORK]
        report = world.sync(Policy(mailbox_changes="all"))
        assert report.mailbox(WORK).held == [
            HeldDeletions("server", 5, "all 5 messages of the mailbox are gone from the Maildir")
        ]
        assert world.on_server() == text


class TestAbsenceNeedsProof:
    def test_a_listing_that_is_not_complete_removes_nothing(self) -> None:
        world = World.of("b:S c:", "a: b:", "a: b:")
        world.server.mailboxes[INBOX].complete = False
        report = world.sync()
        assert world.in_maildir() == "a: b:S c:"
        assert report.mailbox(INBOX).notes == [
            "the server did not list 1 known messages, without proof that they are gone: kept"
        ]

    def test_a_directory_that_changed_while_it_was_read_expunges_nothing(self) -> None:
        world = World.of("a: b:", "a: b:", "b:S c:")
        world.store.directories[INBOX].complete = False
        world.sync()
        assert world.on_server() == "a: b:S c:"

    def test_a_mailbox_that_list_leaves_out_is_asked_for(self) -> None:
        world = World.of("Work/a:S", "Work/a:", "Work/a:")
        world.server.unlisted.add(WORK)
        world.sync(ALL)
        assert world.state() == ("Work/a:S",) * 3

    def test_a_directory_that_is_not_listed_is_looked_at(self) -> None:
        world = World.of("Work/a:S", "Work/a:", "Work/a:")
        world.store.unlisted.add(WORK)
        world.sync(ALL)
        assert world.on_server() == "Work/a:S"
        world.store.unlisted.clear()
        world.sync(ALL)
        assert world.state() == ("Work/a:S",) * 3


class TestMovedIntoAMailboxThatIsMissingOnTheOtherSide:
    """The move cannot be followed, and the mailbox must not be deleted with the message in it."""

    def moved_here(self) -> World:
        world = World.of("a:", "a: Work/", "Work/a:")
        del world.server.mailboxes[WORK]
        return world

    def moved_there(self) -> World:
        world = World.of("Work/a:", "a: Work/", "a:")
        del world.store.directories[WORK]
        return world

    @pytest.mark.parametrize("side", ["here", "there"])
    def test_the_message_is_kept_when_deletions_are_propagated(self, side: str) -> None:
        world = self.moved_here() if side == "here" else self.moved_there()
        for _ in range(2):
            world.sync(ALL)
        assert (world.on_server(), world.in_maildir(), world.store.attic) == ("Work/a:", "Work/a:", [])

    @pytest.mark.parametrize("side", ["here", "there"])
    def test_one_sync_is_enough_and_nothing_fails(self, side: str) -> None:
        world = self.moved_here() if side == "here" else self.moved_there()
        report = world.sync()
        assert report.ok
        assert (world.on_server(), world.in_maildir()) == ("Work/a:", "Work/a:")

    @pytest.mark.parametrize("side", ["here", "there"])
    def test_by_default_it_ends_well(self, side: str) -> None:
        world = self.moved_here() if side == "here" else self.moved_there()
        for _ in range(2):
            world.sync()
        assert world.state() == ("Work/a:",) * 3


class TestADeletedMailbox:
    def test_a_message_that_arrives_before_the_delete_is_not_lost(self) -> None:
        world = World.of("x: Work/a:", "Work/a:", "Work/a:")
        del world.store.directories[WORK]
        server_hears(world, FETCH_INBOX=lambda: world.server.deliver(WORK, octets("b")))
        world.sync(ALL)
        well(world)
        world.sync(ALL)
        assert "Work/b:" in world.on_server()

    def test_a_directory_that_was_not_read_completely_keeps_it(self) -> None:
        world = World.of("Work/a: Job/", "Work/a: Job/", "Job/")
        del world.store.directories[WORK]
        world.store.directories[JOB].complete = False
        world.sync(ALL)
        assert world.on_server() == "Work/a:"


class TestAnOlderCopyOfTheMaildir:
    """The index is ahead of the number in the Maildir."""

    def world(self, policy: Policy | None = None) -> World:
        world = World(policy=policy or Policy())
        for name in "abcdefgh":
            world.server.deliver(INBOX, octets(name))
        world.sync()
        world.store.generation -= 1
        del world.store.directories[INBOX].files[next(iter(world.store.directories[INBOX].files))]
        return world

    def test_what_is_missing_in_it_is_held_until_a_person_decides(self) -> None:
        world = self.world()
        reason = "the Maildir was put back from an older copy, in which 1 are missing"
        assert world.sync().mailbox(INBOX).held == [HeldDeletions("server", 1, reason)]
        assert world.store.generation == int(world.index.recall("generation") or 0)
        (held,) = world.sync().mailbox(INBOX).held
        assert (held.side, held.count) == ("server", 1)
        assert len(world.server.mailboxes[INBOX].messages) == 8
        world.sync(Policy(limits=Limits(allowed=True)))
        assert len(world.server.mailboxes[INBOX].messages) == 7

    def test_as_long_as_not_everything_was_looked_at_it_stays_one(self) -> None:
        world = self.world()
        world.server.create(WORK)
        world.store.directories[INBOX].complete = False
        world.sync()
        assert world.store.generation < int(world.index.recall("generation") or 0)

    @pytest.mark.parametrize("policy", [Policy(direction="pull"), Policy(on_local_delete="keep")])
    def test_where_nothing_is_deleted_on_the_server_what_is_missing_is_fetched_again(self, policy: Policy) -> None:
        world = self.world(policy)
        report = world.sync()
        assert (report.ok, report.mailbox(INBOX).downloaded) == (True, 1)
        assert (world.sync().ok, world.state()) == (True, ("a: b: c: d: e: f: g: h:",) * 3)

    def test_what_cannot_be_decided_about_yet_is_held_later(self) -> None:
        world = self.world()
        world.server.mailboxes[INBOX].writable = False
        for _ in range(3):
            assert world.sync().mailbox(INBOX).held == []
        world.server.mailboxes[INBOX].writable = True
        for _ in range(2):
            (held,) = world.sync().mailbox(INBOX).held
            assert (held.side, held.count) == ("server", 1)
        assert len(world.server.mailboxes[INBOX].messages) == 8

    def test_what_is_missing_beside_an_unreadable_file_is_held_when_that_can_be_read(self) -> None:
        world = self.world()
        world.store.put(INBOX, UniqueName("odd"), octets("z"))

        def hears(deed: str) -> None:
            if deed in {"read INBOX odd", "open INBOX odd"}:
                raise MessageError("odd: permission denied")

        world.store.hears = hears
        for _ in range(2):
            assert world.sync().mailbox(INBOX).held == []
        world.store.hears = lambda deed: None
        assert [(held.side, held.count) for held in world.sync().mailbox(INBOX).held] == [("server", 1)]
        assert len(world.server.mailboxes[INBOX].messages) == 9

    def test_killed_between_the_two_numbers_nothing_is_held(self) -> None:
        world = self.world()
        world.store.generation += 2
        assert world.sync().mailbox(INBOX).held == []
        assert len(world.server.mailboxes[INBOX].messages) == 7

    def test_who_allows_deletions_in_the_pass_that_meets_it_is_told_first(self) -> None:
        world = self.world()
        (held,) = world.sync(Policy(limits=Limits(allowed=True))).mailbox(INBOX).held
        assert (held.count, len(world.server.mailboxes[INBOX].messages)) == (1, 8)
        world.sync(Policy(limits=Limits(allowed=True)))
        assert len(world.server.mailboxes[INBOX].messages) == 7

    def test_a_mailbox_that_is_left_out_for_the_moment_is_held_when_it_is_back(self) -> None:
        world = World(policy=Policy())
        for name in "abcdefgh":
            world.server.deliver(WORK, octets(name))
        world.sync()
        world.store.generation -= 1
        del world.store.directories[WORK].files[next(iter(world.store.directories[WORK].files))]
        world.server.deliver(INBOX, octets("n"))
        world.sync(wants=lambda name: name != WORK)
        assert world.store.generation == int(world.index.recall("generation") or 0)
        for _ in range(2):
            (held,) = world.sync().mailbox(WORK).held
            assert (held.side, held.count) == ("server", 1)
        assert len(world.server.mailboxes[WORK].messages) == 8


@pytest.mark.parametrize("policy", [Policy(direction="pull"), Policy(on_local_delete="keep")])
def test_a_mailbox_that_was_left_out_gets_back_what_an_older_copy_misses(policy: Policy) -> None:
    world = World(policy=policy)
    for name in "abcdefgh":
        world.server.deliver(WORK, octets(name))
    world.sync()
    world.store.generation -= 1
    del world.store.directories[WORK].files[next(iter(world.store.directories[WORK].files))]
    world.server.deliver(INBOX, octets("n"))
    world.sync(wants=lambda name: name != WORK)
    assert world.sync().mailbox(WORK).downloaded == 1
    everything = " ".join([*(f"Work/{name}:" for name in "abcdefgh"), "n:"])
    assert (world.sync().ok, world.in_maildir()) == (True, everything)


def test_what_an_older_copy_misses_is_marked_as_deleted_if_a_person_says_so() -> None:
    world = World(policy=Policy(direction="pull"))
    for name in "abcdefgh":
        world.server.deliver(WORK, octets(name))
    world.sync()
    world.store.generation -= 1
    del world.store.directories[WORK].files[next(iter(world.store.directories[WORK].files))]
    world.sync(wants=lambda name: name != WORK)
    world.sync(Policy(direction="pull", limits=Limits(allowed=True)))
    assert world.sync().mailbox(WORK).downloaded == 0
    assert len(world.store.directories[WORK].files) == 7


def test_who_has_allowed_what_was_held_before_is_told_first_what_an_older_copy_misses() -> None:
    world = World(policy=Policy())
    for name in "abcdefgh":
        world.server.deliver(INBOX, octets(name))
    world.sync()
    files = world.store.directories[INBOX].files
    backup = list(files.items())[:5]
    files.clear()
    (held,) = world.sync().mailbox(INBOX).held
    world.store.generation -= 1
    files.update(backup)
    allowed = Policy(limits=Limits(allowed=True))
    (held,) = world.sync(allowed).mailbox(INBOX).held
    assert (held.side, held.count) == ("server", 3)
    assert held.reason == "the Maildir was put back from an older copy, in which 3 are missing"
    assert world.sync(allowed).mailbox(INBOX).deleted_remote == 3


def test_who_allows_deletions_is_told_first_of_a_mailbox_that_was_left_out_when_the_older_copy_was_met() -> None:
    world = World(policy=Policy())
    for name in "abcdefgh":
        world.server.deliver(WORK, octets(name))
    world.sync()
    world.store.generation -= 1
    del world.store.directories[WORK].files[next(iter(world.store.directories[WORK].files))]
    world.server.deliver(INBOX, octets("n"))
    world.sync(wants=lambda name: name != WORK)
    allowed = Policy(limits=Limits(allowed=True))
    (held,) = world.sync(allowed).mailbox(WORK).held
    assert (held.side, held.count) == ("server", 1)
    assert world.sync(allowed).mailbox(WORK).deleted_remote == 1


def test_a_mailbox_that_is_left_out_for_good_and_misses_nothing_is_not_held() -> None:
    world = World(policy=Policy())
    for name in "ab":
        world.server.deliver(WORK, octets(name))
    world.sync()
    world.store.generation -= 1
    world.server.deliver(INBOX, octets("n"))
    world.sync(wants=lambda name: name != WORK)
    assert world.rows(WORK).held == frozenset()
