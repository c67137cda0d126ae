"""One pass: what it looks at, what it leaves alone, what it reports and what it records."""

import copy
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from ears import server_hears, store_hears, well
from reconcile.test_scenarios import SCENARIOS, Scenario
from worlds import World, octets

from syncer.errors import MailboxError, StoppedError
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.policy import Limits, Policy
from syncer.report import COUNTERS, HeldDeletions

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
        assert what.split(maxsplit=1)[0] in {"LIST", "STATUS", "SELECT", "HEADERS", "FETCH", "scan", "read"}, what

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
        world = World.of("a: b:", "a: b:", "b: d:")
        world.server.uidplus = False
        report = world.sync(Policy(on_local_delete="trash"))
        assert len(world.plans) == 2
        assert len(report.mailbox(INBOX).notes) == 1

    def test_the_plan_is_told_in_words(self) -> None:
        world = World.of("a:", "", "")
        assert world.sync(every_action=True).plan == ["INBOX: download UID 1 (new on the server)"]
        world.server.deliver(INBOX, octets("b"))
        assert world.sync().plan == []


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
    world.index.rows.clear()
    report = world.sync()
    assert not any(mailbox.changed for mailbox in report.mailboxes.values())
    assert world.state() == ("a: b: c:",) * 3


def test_a_message_that_left_and_came_back_on_the_server_is_the_file_that_has_stayed() -> None:
    world = World()
    world.server.deliver(INBOX, octets("a"))
    world.sync()
    (name,) = world.store.directories[INBOX].files
    world.server.deliver(INBOX, octets("a"))
    del world.server.mailboxes[INBOX].messages[Uid(1)]
    assert world.sync().mailbox(INBOX).downloaded == 0
    assert [(pair.uid, pair.name) for pair in world.index.pairs(INBOX)] == [(2, name)]
