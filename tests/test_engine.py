"""One pass: what it looks at, what it leaves alone, what it reports and what it records."""

import copy
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from ears import server_hears, store_hears, well
from reconcile.test_scenarios import SCENARIOS, Scenario
from worlds import World, octets

from syncer.errors import AccountError, MailboxError, NoSuchMailboxError, StoppedError
from syncer.reconcile.actions import Action
from syncer.reconcile.guards import Limits
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import Epoch
from syncer.reconcile.policy import Policy
from syncer.report import COUNTERS, HeldDeletions, MailboxReport

WORK, JOB = MailboxName("Work"), MailboxName("Job")
FREE = Limits(max_delete=1.0)
ALL = Policy(limits=FREE, mailbox_changes="all")
SIZE = len(octets("a"))


def everything(world: World) -> Any:
    """The whole state of all three fakes, to compare."""
    index = world.index
    return copy.deepcopy(
        (
            world.server.mailboxes,
            world.store.directories,
            world.store.attic,
            (index.rows, index.deletions, index.identity, index.spellings),
        )
    )


def deaf(world: World) -> None:
    """Anything that changes a side is an error."""

    def alarm(what: str) -> None:
        assert what.split(maxsplit=1)[0] in {"LIST", "STATUS", "SELECT", "HEADERS", "scan", "read"}, what

    world.server.hears = world.store.hears = alarm


class TestDryRun:
    @pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
    def test_it_changes_nothing_and_says_what_would_be_done(self, scenario: Scenario) -> None:
        world = scenario.world()
        before = everything(world)
        deaf(world)
        report = world.sync(dry_run=True)
        assert everything(world) == before
        assert not any(getattr(mailbox, counter) for mailbox in report.mailboxes.values() for counter in COUNTERS)
        well(world)
        world.sync()
        assert report.plan == [str(action) for action in (world.plans[0].actions if world.plans else ())]

    @pytest.mark.parametrize("policy", [Policy(limits=FREE), ALL], ids=["create", "all"])
    def test_mailboxes_that_would_be_created_or_deleted(self, policy: Policy) -> None:
        world = World.of("Work/a:", "Job/b:", "Play/c: Job/b:")
        for mailbox, side in ((WORK, world.store.directories), (MailboxName("Play"), world.server.mailboxes)):
            del side[mailbox], world.index.rows[mailbox]  # type: ignore[attr-defined]
        del world.server.mailboxes[JOB]
        before = everything(world)
        deaf(world)
        report = world.sync(policy, dry_run=True)
        assert everything(world) == before
        last = {
            "create": "Job: forget the mailbox (missing on the server: to be created again from the Maildir)",
            "all": "Job: delete in the Maildir with 1 messages (the mailbox was deleted on the server)",
        }
        assert sorted(report.plan) == sorted(
            [
                "Play: create on the server (new in the Maildir)",
                "Work: create in the Maildir (new on the server)",
                "Play: append c (new in the Maildir)",
                "Work: download UID 1 (new on the server)",
                last[policy.mailbox_changes],
            ]
        )

    def test_held_and_refused_mailboxes_are_told(self) -> None:
        text = "a: b: c: d: e:"
        world = World.of(text, f"{text} Work/x:", f"{text} Work/x:")
        world.store.directories[INBOX].files.clear()
        world.rows(WORK).epoch = Epoch(UidValidity(3))
        before = everything(world)
        report = world.sync(Policy(), dry_run=True)
        assert everything(world) == before
        assert report.mailbox(INBOX).held == [
            HeldDeletions("server", 5, "all 5 messages of the mailbox are gone from the Maildir")
        ]
        assert report.mailbox(WORK).refused is not None


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


class TestARefusedMailbox:
    def world(self) -> World:
        world = World.of("a:S c: Work/x:", "a: b: Work/", "a: b: d: Work/")
        world.rows(INBOX).epoch = Epoch(UidValidity(3))
        return world

    def test_nothing_is_changed_in_it_and_the_others_are_done(self) -> None:
        world = self.world()
        report = world.sync()
        assert report.mailbox(INBOX) == MailboxReport(
            INBOX, refused="UIDVALIDITY changed from 3 to 1000: nothing was changed. Delete the index."
        )
        assert world.state() == ("Work/x: a:S c:", "Work/x: a: b:", "Work/x: a: b: d:")
        assert world.rows(INBOX).epoch == Epoch(UidValidity(3))
        assert (world.rows(INBOX).synced_at, world.rows(WORK).synced_at) == (None, world.clock)

    def test_a_file_in_it_is_not_deleted_elsewhere(self) -> None:
        world = self.world()
        world.server.deliver(WORK, octets("y"))
        world.sync()
        known = next(pair for pair in world.index.pairs(WORK) if pair.uid == 2)
        files = world.store.directories
        files[INBOX].files[known.name] = files[WORK].files.pop(known.name)
        report = world.sync()
        assert "Work/y:" in world.on_server()
        assert report.mailbox(WORK).notes != []

    def test_a_restored_server_is_recognised_by_a_uid_that_is_another_message(self) -> None:
        world = World()
        for name in "abc":
            world.server.deliver(INBOX, octets(name))
        world.sync()
        box = world.server.mailboxes[INBOX]
        box.messages[Uid(3)].octets = octets("z")
        world.server.deliver(INBOX, octets("y"))
        before = world.state()
        report = world.sync()
        assert (
            report.mailbox(INBOX).refused
            == "UID 3 is another message than it was: nothing was changed. Delete the index."
        )
        assert world.state() == before

    def test_a_server_whose_counters_went_back_is_recognised(self) -> None:
        world = World.of("a: b:", "a: b:", "a: b:")
        world.sync()
        box = world.server.mailboxes[INBOX]
        del box.messages[Uid(2)]
        box.uidnext = 2
        report = world.sync()
        assert report.mailbox(INBOX).refused == "UIDNEXT went back from 3 to 2: nothing was changed. Delete the index."
        assert world.in_maildir() == "a: b:"


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


class TestRounds:
    def test_a_pass_that_can_record_everything_looks_once(self) -> None:
        world = World.of("a: b:S", "b:", "b: c:")
        world.sync()
        assert len(world.plans) == 1

    def test_two_rounds_settle_what_could_not_be_recorded_at_first(self) -> None:
        world = World.of("a: Work/", "a:", "Work/a: b:")
        world.server.tells_uids = False
        world.sync()
        assert [len(plan.actions) for plan in world.plans] == [2, 3]
        assert world.state() == ("Work/a: b:",) * 3

    def test_a_mailbox_that_comes_back_is_filled_in_the_same_pass(self) -> None:
        world = World.of("Work/a:S", "Work/a:S", "Work/a:S")
        del world.server.mailboxes[WORK]
        world.sync()
        assert world.state() == ("Work/a:S",) * 3

    def test_a_pass_ends_although_there_is_always_something_left(self) -> None:
        world = World.of("", "", "")
        world.store.put(INBOX, UniqueName("f0"), octets("a"))
        names = iter(range(1, 100))

        def another() -> None:
            files = world.store.directories[INBOX].files
            files.clear()
            world.store.put(INBOX, UniqueName(f"f{next(names)}"), octets("a"))

        store_hears(world, open_INBOX=another)
        world.sync()
        assert len(world.plans) == 3


class TestTheReport:
    def test_every_counter_says_what_was_changed_on_which_side(self) -> None:
        world = World.of("a: b: c:S d: e: g: Work/h:", "c: d: e: f: g: h:", "k: c: d:R f: Work/g: h:")
        document = world.sync().to_json()
        inbox = {
            "downloaded": 2, "uploaded": 1, "moved_local": 0, "moved_remote": 1, "flags_local": 1, "flags_remote": 1,
            "deleted_local": 1, "deleted_remote": 1, "bytes_down": 2 * SIZE, "bytes_up": SIZE,
        }  # fmt: skip
        extra = {"refused": None, "held": [], "problems": [], "notes": []}
        work = dict.fromkeys(inbox, 0) | {"moved_local": 1}
        assert document == {
            "name": "test",
            "ok": True,
            "error": None,
            "seconds": 0.0,
            "mailboxes": [
                {"name": "INBOX", "ok": True, "error": None, **inbox, **extra},
                {"name": "Work", "ok": True, "error": None, **work, **extra},
            ],
        }

    def test_nothing_to_do_is_nothing_to_report(self) -> None:
        world = World.of("a:S Work/b:", "a:S Work/b:", "a:S Work/b:")
        assert world.sync().to_json()["mailboxes"] == []

    def test_a_note_is_told_once_although_the_pass_looks_twice(self) -> None:
        world = World.of("b: c:", "a: b:", "a: b: d:")
        world.server.mailboxes[INBOX].complete = False
        world.server.uidplus = False
        report = world.sync()
        assert len(world.plans) == 2
        assert len(report.mailbox(INBOX).notes) == 1

    def test_the_plan_is_told_in_words(self) -> None:
        world = World.of("a:", "", "")
        assert world.sync().plan == ["INBOX: download UID 1 (new on the server)"]


@dataclass
class Heard:
    """A Progress that remembers."""

    lines: list[tuple[Any, ...]] = field(default_factory=list)

    def mailboxes(self, account: str, total: int) -> None:
        self.lines.append(("mailboxes", account, total))

    def looked(self, account: str, mailbox: MailboxName) -> None:
        self.lines.append(("looked", account, mailbox))

    def planned(self, account: str, messages: int, octets: int) -> None:
        self.lines.append(("planned", account, messages, octets))

    def transferred(self, account: str, messages: int, octets: int) -> None:
        self.lines.append(("transferred", account, messages, octets))


def test_progress_hears_what_is_looked_at_planned_and_transferred() -> None:
    world = World.of("a: Work/b:", "", "c: Work/")
    progress = Heard()
    world.sync(progress=progress)
    assert progress.lines == [
        ("mailboxes", "test", 2),
        ("looked", "test", INBOX),
        ("looked", "test", WORK),
        ("planned", "test", 3, 2 * SIZE),
        *[("transferred", "test", 1, SIZE)] * 3,
    ]


class TestWhatIsRecorded:
    def test_counters_letters_and_time_of_a_mailbox_that_ended_well(self) -> None:
        world = World.of("a:{todo} Work/b:", "", "Work/")
        server_hears(world, SELECT_Work=MailboxError("no"))
        world.sync()
        box = world.server.mailboxes[INBOX]
        rows = world.rows(INBOX)
        assert rows.epoch == Epoch(box.uidvalidity, Uid(box.uidnext), ModSeq(box.modseq))
        assert (rows.mapping, rows.synced_at, rows.error) == ({"a": "todo"}, world.clock, None)
        assert world.rows(WORK).synced_at is None

    def test_the_counters_are_those_before_our_own_changes(self) -> None:
        world = World.of("a:", "a:", "a:S b:")
        before = world.server.mailboxes[INBOX].modseq
        world.sync()
        assert world.rows(INBOX).epoch == Epoch(UidValidity(1000), Uid(2), ModSeq(before))
        assert world.server.mailboxes[INBOX].modseq > before

    def test_a_mailbox_that_failed_keeps_its_old_counters(self) -> None:
        world = World.of("a: Work/b:", "", "Work/")
        known = world.rows(WORK).epoch
        server_hears(world, FETCH_Work=MailboxError("no"))
        world.sync()
        assert world.rows(WORK).epoch == known

    def test_a_problem_with_one_message_is_shown_by_status_and_forgotten_when_it_is_solved(self) -> None:
        world = World.of("a: b:", "", "")
        server_hears(world, FETCH_INBOX_1=lambda: "withhold")
        world.sync()
        assert (world.rows(INBOX).error, world.rows(INBOX).synced_at) == (
            "UID 1 not downloaded: the server lists it but does not deliver it",
            world.clock,
        )
        well(world)
        world.sync()
        assert world.rows(INBOX).error is None

    def test_a_keyword_is_spelt_as_it_was_first_seen(self) -> None:
        world = World.of("a:{Todo}", "", "")
        world.sync()
        message = world.server.mailboxes[INBOX].messages[Uid(1)]
        message.flags = frozenset({"TODO"})
        assert (world.sync().mailboxes, world.planned()) == ({}, [])


def test_a_pass_that_is_stopped_before_it_begins_does_nothing() -> None:
    world = World.of("a:", "", "b:")
    before = everything(world)
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        world.sync(stop=stop)
    assert everything(world) == before


def test_the_trash_is_the_mailbox_that_the_server_names() -> None:
    world = World.of("a: Trash/ Bin/", "a: Trash/ Bin/", "Trash/ Bin/")
    world.server.special[MailboxName("Bin")] = "\\trash"
    world.sync(Policy(on_local_delete="trash"))
    assert world.on_server() == "Bin/a:"


def test_without_a_trash_mailbox_nothing_is_deleted_and_it_is_said() -> None:
    world = World.of("a: Trash/", "a: Trash/", "Trash/")
    report = world.sync(Policy(on_local_delete="trash"))
    assert world.on_server() == "a:"
    assert "names no \\Trash mailbox" in report.mailbox(INBOX).notes[0]


@pytest.mark.parametrize("connections", [1, 3])
def test_several_connections_come_to_the_same_end(connections: int) -> None:
    boxes = [f"m{number}" for number in range(8)]
    server = " ".join(f"{box}/a: {box}/b:S {box}/e:" for box in boxes)
    index = " ".join(f"{box}/b: {box}/c: {box}/e:" for box in boxes)
    local = " ".join(f"{box}/b:F {box}/c: {box}/d:" for box in boxes)
    world = World.of(server, index, local)
    report = world.sync(connections=connections)
    end = " ".join(f"{box}/a: {box}/b:FS {box}/d:" for box in boxes)
    assert (report.ok, world.state()) == (True, (end,) * 3)


def test_a_lost_index_copies_and_deletes_nothing() -> None:
    text = "a:S b: b: Work/c:{todo}"
    world = World.of(text, text, text)
    world.sync()
    world.index.rows.clear()
    report = world.sync()
    assert not any(mailbox.changed for mailbox in report.mailboxes.values())
    assert world.state() == (" ".join(sorted(text.split())),) * 3


def test_a_lost_index_and_a_name_of_ours_that_holds_another_message() -> None:
    world = World()
    world.server.deliver(INBOX, octets("a"))
    world.sync()
    world.index.rows.clear()
    world.server.mailboxes[INBOX].messages[Uid(1)].octets = octets("another")
    world.sync()
    assert (world.on_server(), world.in_maildir()) == ("a: another:", "a: another:")


def test_a_changed_uidvalidity_after_the_index_is_deleted_matches_by_content() -> None:
    world = World()
    for name in "abc":
        world.server.deliver(INBOX, octets(name))
    world.sync()
    world.server.mailboxes[INBOX].uidvalidity = UidValidity(77)
    assert not world.sync().ok
    world.index.rows.clear()
    report = world.sync()
    assert not any(mailbox.changed for mailbox in report.mailboxes.values())
    assert world.state() == ("a: b: c:",) * 3


def actions(world: World) -> list[Action]:
    return [action for plan in world.plans for action in plan.actions]


def test_a_mailbox_deleted_on_both_sides_is_forgotten() -> None:
    world = World.of("Work/a:", "Work/a:", "Work/a:")
    del world.server.mailboxes[WORK], world.store.directories[WORK]
    world.sync()
    assert world.planned() == ["Work/: forget"]
    assert (list(world.index.rows), actions(world)[1:]) == (["INBOX"], [])
