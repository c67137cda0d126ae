"""What a pass still finds that looks only at what changed."""

from copy import deepcopy
from typing import Any, Literal

import pytest
from fake_server import FakeServer
from mortality import Killed, Mortality
from worlds import World, octets

from syncer.reconcile.flags import SEEN
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.observations import ServerDelta
from syncer.reconcile.policy import Limits, Policy
from syncer.values import replace

WORK = MailboxName("Work")
FREE = Limits(max_delete=1.0)

Rung = Literal["qresync", "condstore", "plain"]
RUNGS: list[Rung] = ["qresync", "condstore", "plain"]


def settled(names: str = "abc", rung: Rung = "qresync") -> World:
    """INBOX and Work with these messages, after so many passes that every shortcut is there to be taken."""
    world = World()
    world.server.rung = rung
    for mailbox in (INBOX, WORK):
        for name in names:
            world.server.deliver(mailbox, octets(name))
    for _ in range(3):
        world.sync()
    return world


@pytest.mark.parametrize("rung", RUNGS)
class TestACopyThatIsLeftBehindTheCursor:
    """A pair was forgotten, so that the copy that is left is new to the other side: it has to be found."""

    def test_is_uploaded_again_when_it_is_restored(self, rung: Rung) -> None:
        world = settled(rung=rung)
        del world.server.mailboxes[INBOX].messages[min(world.server.mailboxes[INBOX].messages)]
        assert world.sync(Policy(restore=True)).mailbox(INBOX).uploaded == 1
        assert world.on_server() == world.in_maildir() == "Work/a: Work/b: Work/c: a: b: c:"

    def test_is_downloaded_again_when_it_is_restored(self, rung: Rung) -> None:
        world = settled(rung=rung)
        files = world.store.directories[INBOX].files
        del files[min(files)]
        assert world.sync(Policy(restore=True)).mailbox(INBOX).downloaded == 1
        assert world.on_server() == world.in_maildir() == "Work/a: Work/b: Work/c: a: b: c:"

    @pytest.mark.parametrize(
        "policy", [Policy(direction="pull", limits=FREE), Policy(on_local_delete="keep", limits=FREE)]
    )
    def test_is_downloaded_again_when_it_is_restored_after_other_passes(self, rung: Rung, policy: Policy) -> None:
        world = settled(rung=rung)
        world.policy = policy
        world.store.directories[INBOX].files.clear()
        for _ in range(3):
            world.sync()
        assert world.in_maildir() == "Work/a: Work/b: Work/c:"
        report = world.sync(replace(policy, restore=True))
        assert (report.mailbox(INBOX).downloaded, report.mailbox(INBOX).notes) == (3, [])
        assert world.on_server() == world.in_maildir() == "Work/a: Work/b: Work/c: a: b: c:"
        assert world.sync().mailboxes == {}

    def test_is_uploaded_again_when_it_is_restored_after_other_passes(self, rung: Rung) -> None:
        world = settled(rung=rung)
        world.policy = push = Policy(direction="push", limits=FREE)
        world.server.mailboxes[INBOX].messages.clear()
        for _ in range(3):
            world.sync()
        assert world.on_server() == "Work/a: Work/b: Work/c:"
        assert world.sync(replace(push, restore=True)).mailbox(INBOX).uploaded == 3
        assert world.on_server() == world.in_maildir() == "Work/a: Work/b: Work/c: a: b: c:"
        assert world.sync().mailboxes == {}

    def test_is_downloaded_again_when_the_directory_was_missing(self, rung: Rung) -> None:
        world = settled(rung=rung)
        del world.store.directories[WORK]
        assert world.sync().mailbox(WORK).downloaded == 3
        assert world.on_server() == world.in_maildir() == "Work/a: Work/b: Work/c: a: b: c:"

    @pytest.mark.parametrize("before", [True, False])
    @pytest.mark.parametrize("at", range(1, 10))
    def test_is_found_after_a_kill(self, rung: Rung, at: int, before: bool) -> None:
        world = settled("ab", rung)
        del world.store.directories[WORK]
        world.mortal(Mortality(at, before=before))
        try:
            world.sync()
        except Killed:
            world.mortal(Mortality())
            world.sync()
        assert world.state() == ("Work/a: Work/b: a: b:",) * 3


@pytest.mark.parametrize("rung", RUNGS)
class TestAChangeHereWhereTheServersCountersStand:
    """STATUS tells that nothing happened there; what may be done there only SELECT tells."""

    def test_a_keyword_that_the_server_cannot_store_stays_here(self, rung: Rung) -> None:
        world = settled(rung=rung)
        world.server.mailboxes[INBOX].any_keyword = False
        directory = world.store.directories[INBOX]
        directory.files[min(directory.files)].flags = directory.sayable(frozenset({"todo"}))
        assert world.sync().ok
        assert (world.planned(), "todo" in world.on_server()) == ([], False)
        assert " a:{todo} b: c:" in world.in_maildir()

    def test_a_deletion_waits_while_the_mailbox_is_read_only(self, rung: Rung) -> None:
        world = settled(rung=rung)
        world.server.mailboxes[INBOX].writable = False
        directory = world.store.directories[INBOX]
        del directory.files[min(directory.files)]
        for _ in range(2):
            assert world.sync().mailbox(INBOX).notes == [
                "1 deleted messages not expunged: the mailbox is read-only on the server"
            ]
        world.server.mailboxes[INBOX].writable = True
        world.sync()
        assert world.planned() == ["INBOX!1000!1@1000000000: expunge"]

    def test_what_was_appended_without_a_reply_is_not_sent_again_when_status_is_a_moment_old(
        self, rung: Rung, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = settled(rung=rung)
        told = FakeServer(world.server).mailboxes(counters=True)
        world.store.put(INBOX, UniqueName("d"), octets("d"))
        world.server.mortality = Mortality(1)
        with pytest.raises(Killed):
            world.sync()
        world.mortal(Mortality())
        with monkeypatch.context() as patch:
            patch.setattr(FakeServer, "mailboxes", lambda _, *, counters=False: told)
            world.sync()
        world.sync()
        assert world.on_server() == world.in_maildir() == "Work/a: Work/b: Work/c: a: b: c: d:"

    def test_a_server_that_lost_what_was_appended_is_recognised(self, rung: Rung) -> None:
        world = settled(rung=rung)
        before = deepcopy(world.server.mailboxes[INBOX])
        world.store.put(INBOX, UniqueName("d"), octets("d"))
        world.sync()
        world.server.mailboxes[INBOX] = before
        (held,) = world.sync().mailbox(INBOX).held
        assert (held.side, held.count) == ("local", 1)
        assert world.in_maildir().endswith(" d:")

    def test_counters_from_before_an_append_are_no_reason_to_refuse_the_mailbox(
        self, rung: Rung, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = settled(rung=rung)
        told = FakeServer(world.server).mailboxes(counters=True)
        world.store.put(INBOX, UniqueName("d"), octets("d"))
        world.sync()
        with monkeypatch.context() as patch:
            patch.setattr(FakeServer, "mailboxes", lambda _, *, counters=False: told)
            assert world.sync().ok
        assert world.on_server() == world.in_maildir() == "Work/a: Work/b: Work/c: a: b: c: d:"

    def test_flags_wait_while_the_mailbox_is_read_only(self, rung: Rung) -> None:
        world = settled(rung=rung)
        world.server.mailboxes[INBOX].writable = False
        directory = world.store.directories[INBOX]
        directory.files[min(directory.files)].flags = frozenset({SEEN})
        for _ in range(2):
            world.sync()
            assert world.planned() == []
        world.server.mailboxes[INBOX].writable = True
        world.sync()
        assert world.on_server() == world.in_maildir() == "Work/a: Work/b: Work/c: a:S b: c:"


@pytest.mark.parametrize("rung", RUNGS)
def test_flags_that_changed_on_the_server_as_the_file_was_deleted_are_there_when_it_is_back(rung: Rung) -> None:
    world = settled(rung=rung)
    keep = Policy(limits=FREE, on_local_delete="keep")
    files = world.store.directories[INBOX].files
    name = min(files)
    file = files.pop(name)
    world.server.mailboxes[INBOX].messages[Uid(1)].flags = frozenset({SEEN})
    for _ in range(3):
        world.sync(keep)
    files[name] = file
    for _ in range(2):
        world.sync(keep)
    world.sync(keep, full=True)
    assert world.planned() == []
    assert world.on_server() == world.in_maildir()


def lie(world: World) -> None:
    """The server changes a flag and keeps HIGHESTMODSEQ as it was."""
    box = world.server.mailboxes[INBOX]
    uid = min(box.messages)
    box.messages[uid].flags = frozenset({SEEN})
    box.history[uid] = (box.history[uid][0], box.messages[uid].flags)


class TestAServerThatDoesNotTell:
    LINE = "comparing everything found changes that the server had not told of: 1"

    def test_is_believed_until_everything_is_compared_and_then_that_is_said(self) -> None:
        world = settled()
        lie(world)
        assert world.sync().mailboxes == {}
        assert world.in_maildir() == "Work/a: Work/b: Work/c: a: b: c:"
        report = world.sync(full=True)
        assert (report.mailbox(INBOX).flags_local, report.mailbox(INBOX).notes) == (1, [self.LINE])
        assert world.on_server() == world.in_maildir() == "Work/a: Work/b: Work/c: a:S b: c:"
        for full in (False, True, False):
            assert world.sync(full=full).mailboxes == {}

    @pytest.mark.parametrize("days", [6, 8])
    def test_is_found_out_when_the_interval_is_over(self, days: int) -> None:
        world = settled()
        lie(world)
        world.clock += days * 86_400
        assert world.sync().mailbox(INBOX).notes == [self.LINE] * (days > 7)

    def test_is_not_blamed_for_what_it_told(self) -> None:
        world = settled()
        world.server.mailboxes[INBOX].messages[Uid(1)].flags = frozenset({SEEN})
        report = world.sync(full=True)
        assert (report.mailbox(INBOX).flags_local, report.mailbox(INBOX).notes) == (1, [])

    def test_is_not_blamed_for_what_is_restored(self) -> None:
        world = settled()
        files = world.store.directories[INBOX].files
        for name in sorted(files)[1:]:
            del files[name]
        report = world.sync(Policy(restore=True))
        assert (report.mailbox(INBOX).downloaded, report.mailbox(INBOX).notes) == (2, [])


@pytest.mark.parametrize("settings", ["other", ""])
def test_under_other_settings_everything_is_compared_once(settings: str) -> None:
    world = settled()
    lie(world)
    assert world.sync(settings=settings).mailbox(INBOX).flags_local == (settings == "other")
    assert world.sync(settings=settings).mailbox(INBOX).flags_local == 0


def test_a_new_message_that_is_left_out_of_the_changes_is_found_among_what_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = settled(rung="condstore")
    del world.server.mailboxes[INBOX].messages[Uid(1)]
    new = world.server.deliver(INBOX, octets("d"))
    changes = FakeServer.changes

    def leaving_out(*asked: Any) -> ServerDelta | None:
        told = changes(*asked)
        assert told is not None
        return replace(told, flags={uid: flags for uid, flags in told.flags.items() if uid != new})

    monkeypatch.setattr(FakeServer, "changes", leaving_out)
    report = world.sync()
    assert (report.mailbox(INBOX).downloaded, report.mailbox(INBOX).deleted_local) == (1, 1)
    assert world.in_maildir() == "Work/a: Work/b: Work/c: b: c: d:"


def test_a_message_that_was_said_to_have_vanished_comes_back_when_anything_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = settled(rung="condstore")
    present = FakeServer.present
    monkeypatch.setattr(FakeServer, "present", lambda server, name: ((Uid(2), Uid(3)),))
    del world.server.mailboxes[INBOX].messages[Uid(3)]
    world.server.mailboxes[INBOX].settle()
    world.sync()
    monkeypatch.setattr(FakeServer, "present", present)
    assert world.in_maildir() == "Work/a: Work/b: Work/c: b: c:"
    del world.server.mailboxes[INBOX].messages[Uid(2)]
    world.server.mailboxes[INBOX].settle()
    world.sync()
    assert world.in_maildir() == "Work/a: Work/b: Work/c: a:"
