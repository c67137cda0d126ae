"""A mailbox that is not in the epoch that the index knows: nothing is lost, doubled, mixed up or deleted."""

from collections.abc import Collection
from copy import deepcopy

import pytest
from fake_server import FakeServer
from mortality import Killed, Mortality
from worlds import World, octets

from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import PairState, ServerMessage
from syncer.reconcile.policy import Limits, Policy
from syncer.report import HeldDeletions

WORK = MailboxName("Work")
ALLOWED = Policy(limits=Limits(allowed=True))
RESTORE = Policy(limits=Limits(max_delete=1.0), restore=True)
CHANGED = "UIDVALIDITY changed from 1000 to 1005"
LOST = "the server lost 1 of them when it restored or renumbered the mailbox"


def synced(names: str = "abcd", policy: Policy | None = None) -> World:
    """These messages on both sides, after passes that left every shortcut."""
    world = World(policy=policy) if policy else World()
    for name in names:
        world.server.deliver(INBOX, octets(name))
    for _ in range(3):
        world.sync()
    return world


def renumbered(world: World, names: str) -> None:
    """The mailbox holds these messages now, under another UIDVALIDITY and other UIDs."""
    box = world.server.mailboxes[INBOX]
    old = {stored.octets: stored for stored in box.messages.values()}
    box.uidvalidity = UidValidity(box.uidvalidity + 5)
    box.messages.clear()
    box.uidnext = 40
    for name in names:
        stored = old.get(octets(name))
        world.server.deliver(INBOX, octets(name), stored.flags if stored else frozenset())


def test_the_same_messages_in_another_order_are_recognised_and_nothing_is_copied() -> None:
    world = synced()
    renumbered(world, "dbca")
    report = world.sync()
    assert not any(mailbox.changed for mailbox in report.mailboxes.values())
    (note,) = report.mailbox(INBOX).notes
    assert note == f"{CHANGED}: matched again by content, 4 messages recognised, 0 not on the server any more"
    assert (report.ok, world.state()) == (True, ("a: b: c: d:",) * 3)
    quiet = world.sync()
    assert (world.planned(), quiet.mailboxes) == ([], {})


def test_flags_and_keywords_that_changed_on_either_side_meanwhile_are_merged() -> None:
    world = synced("ab")
    renumbered(world, "ba")
    world.server.mailboxes[INBOX].messages[Uid(41)].flags = frozenset({"todo"})
    for file in world.store.directories[INBOX].files.values():
        file.flags = file.flags | {"\\Seen"}
    world.sync()
    assert world.state() == ("a:S{todo} b:S",) * 3


def test_what_the_server_lost_is_held_until_a_person_decides() -> None:
    world = synced()
    renumbered(world, "abe")
    report = world.sync()
    reason = f"{CHANGED}, and 2 known messages are missing from the server"
    assert report.mailbox(INBOX).held == [HeldDeletions("local", 2, reason)]
    assert world.state() == ("a: b: e:", "a: b: e:", "a: b: c: d: e:")
    for full in (False, True):
        again = world.sync(full=full)
        assert [(held.side, held.count) for held in again.mailbox(INBOX).held] == [("local", 2)]
        assert world.state() == ("a: b: e:", "a: b: e:", "a: b: c: d: e:")


def test_what_the_server_lost_is_uploaded_if_it_is_to_be_restored() -> None:
    world = synced()
    renumbered(world, "abe")
    world.sync()
    assert world.sync(RESTORE).mailbox(INBOX).uploaded == 2
    assert (world.sync().ok, world.state()) == (True, ("a: b: c: d: e:",) * 3)
    assert (world.planned(), world.rows(INBOX).held) == ([], frozenset())


def test_what_the_server_lost_goes_to_the_attic_if_that_is_allowed() -> None:
    world = synced()
    renumbered(world, "abe")
    world.sync()
    assert world.sync(ALLOWED).mailbox(INBOX).deleted_local == 2
    assert (world.sync().ok, world.state()) == (True, ("a: b: e:",) * 3)
    assert len(world.store.attic) == 2


def test_one_message_whose_size_the_server_does_not_tell_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = synced()
    renumbered(world, "dbca")
    describe = FakeServer.describe

    def silent(server: FakeServer, mailbox: MailboxName, uids: Collection[Uid]) -> tuple[ServerMessage, ...]:
        return tuple(message for message in describe(server, mailbox, uids) if message.uid != 42)

    monkeypatch.setattr(FakeServer, "describe", silent)
    assert world.sync().ok
    assert (world.sync().ok, world.state()) == (True, ("a: b: c: d:",) * 3)
    assert [pair.uid for pair in world.index.pairs(INBOX)] == [40, 41, 42, 43]


def test_of_messages_of_which_the_server_tells_nothing_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    world = synced()
    renumbered(world, "dbca")
    with monkeypatch.context() as patched:
        patched.setattr(FakeServer, "describe", lambda *_: ())
        patched.setattr(FakeServer, "headers", lambda *_: {})
        assert world.sync().mailbox(INBOX).refused
    assert (len(world.index.pairs(INBOX)), world.index.strays(INBOX)) == (4, frozenset())
    assert world.sync().ok
    assert (world.sync().ok, world.state()) == (True, ("a: b: c: d:",) * 3)


def test_what_was_uploaded_and_changed_by_the_server_is_recognised_by_its_date() -> None:
    world = synced("ab")
    world.store.put(INBOX, UniqueName("local"), octets("c"), mtime=1_234_567_890)
    world.sync()
    box = world.server.mailboxes[INBOX]
    box.messages[Uid(3)].octets = b"Received: by us\r\n" + octets("c")
    kept = list(box.messages.values())
    renumbered(world, "")
    for message in kept:
        box.add(message)
    report = world.sync()
    assert (report.ok, report.mailbox(INBOX).held, report.mailbox(INBOX).downloaded) == (True, [], 0)
    assert [(pair.uid, pair.name) for pair in world.index.pairs(INBOX)][-1] == (42, "local")
    assert (world.sync().ok, world.in_maildir()) == (True, "a: b: c:")


def test_but_not_by_one_that_another_message_has_as_well() -> None:
    world = synced("ab")
    world.store.put(INBOX, UniqueName("local"), octets("c"))  # of the date of the others
    world.sync()
    renumbered(world, "abx")
    report = world.sync()
    assert [(held.side, held.count) for held in report.mailbox(INBOX).held] == [("local", 1)]
    assert world.in_maildir() == "a: b: c: x:"


def test_who_has_allowed_deletions_is_asked_about_an_epoch_that_ends_in_that_very_pass() -> None:
    world = synced()
    renumbered(world, "")
    reason = f"{CHANGED}, and 4 known messages are missing from the server"
    assert world.sync(ALLOWED).mailbox(INBOX).held == [HeldDeletions("local", 4, reason)]
    assert world.in_maildir() == "a: b: c: d:"
    world.sync(ALLOWED)
    assert (world.sync().ok, world.state()) == (True, ("",) * 3)


def test_what_is_held_for_it_holds_nothing_in_other_mailboxes() -> None:
    world = World(policy=Policy())
    for name in "abcdefghijkl":
        world.server.deliver(INBOX, octets(name))
    for name in "mnopqrst":
        world.server.deliver(WORK, octets(name))
    for _ in range(3):
        world.sync()
    renumbered(world, "a")
    world.sync()
    messages = world.server.mailboxes[WORK].messages
    del messages[next(iter(messages))]
    report = world.sync()
    assert [(name, box.held) for name, box in report.mailboxes.items() if box.held] == [
        (INBOX, [HeldDeletions("local", 11, "the server lost 11 of them when it restored or renumbered the mailbox")])
    ]
    assert report.mailbox(WORK).deleted_local == 1


def test_what_the_server_lost_and_has_again_is_recognised() -> None:
    world = synced()
    renumbered(world, "abc")
    reason = f"{CHANGED}, and 1 known messages are missing from the server"
    assert world.sync().mailbox(INBOX).held == [HeldDeletions("local", 1, reason)]
    assert world.sync().mailbox(INBOX).held == [HeldDeletions("local", 1, LOST)]
    world.server.deliver(INBOX, octets("d"))
    report = world.sync()
    assert (report.mailbox(INBOX).downloaded, report.mailbox(INBOX).held) == (0, [])
    assert (world.sync().ok, world.state()) == (True, ("a: b: c: d:",) * 3)


def test_a_file_that_is_deleted_while_it_is_held_is_gone() -> None:
    world = synced()
    renumbered(world, "abc")
    world.sync()
    files = world.store.directories[INBOX].files
    del files[next(name for name, file in files.items() if file.octets == octets("d"))]
    assert (world.sync().ok, world.state()) == (True, ("a: b: c:",) * 3)
    assert world.index.strays(INBOX) == frozenset()


def test_a_deletion_here_that_no_pass_has_seen_is_held_as_well() -> None:
    world = synced()
    renumbered(world, "abcd")
    files = world.store.directories[INBOX].files
    del files[next(name for name, file in files.items() if file.octets == octets("a"))]
    report = world.sync()
    assert [(held.side, held.count) for held in report.mailbox(INBOX).held] == [("server", 1)]
    assert world.state() == ("a: b: c: d:", "a: b: c: d:", "b: c: d:")
    world.sync(ALLOWED)
    assert (world.sync().ok, world.state()) == (True, ("b: c: d:",) * 3)


def test_a_file_that_was_moved_meanwhile_is_moved_on_the_server() -> None:
    world = synced()
    world.server.create(WORK)
    world.sync()
    renumbered(world, "abcd")
    files = world.store.directories
    name = next(name for name, file in files[INBOX].files.items() if file.octets == octets("a"))
    files[WORK].files[name] = files[INBOX].files.pop(name)
    report = world.sync()
    assert (report.ok, report.mailbox(INBOX).moved_remote) == (True, 1)
    assert world.state() == ("Work/a: b: c: d:",) * 3


def test_no_old_file_is_paired_with_a_new_message_of_a_restored_server() -> None:
    world = synced("ab")
    backup = deepcopy(world.server.mailboxes[INBOX])
    for name in "cd":
        world.server.deliver(INBOX, octets(name))
    world.sync()
    world.server.mailboxes[INBOX] = backup
    for name in "xyz":
        uid = world.server.deliver(INBOX, octets(name))
        backup.messages[uid].internaldate += 1000
    report = world.sync()
    assert [(held.side, held.count) for held in report.mailbox(INBOX).held] == [("local", 2)]
    assert world.state() == ("a: b: x: y: z:", "a: b: x: y: z:", "a: b: c: d: x: y: z:")
    world.sync(RESTORE)
    assert (world.sync().ok, world.state()) == (True, ("a: b: c: d: x: y: z:",) * 3)


def test_copies_that_the_server_keeps_on_purpose_are_still_kept() -> None:
    world = synced("ab", Policy(on_local_delete="keep"))
    files = world.store.directories[INBOX].files
    del files[next(name for name, file in files.items() if file.octets == octets("a"))]
    world.sync()
    renumbered(world, "ba")
    report = world.sync()
    assert (report.ok, report.mailbox(INBOX).downloaded) == (True, 0)
    assert world.state() == ("a: b:", "a:@server b:", "b:")


def test_where_only_one_side_may_be_changed_nothing_is_asked() -> None:
    for direction in ("pull", "push"):
        world = synced("ab", Policy(direction=direction))  # type: ignore[arg-type]
        if direction == "push":
            for name in "ab":
                world.store.put(INBOX, UniqueName(name), octets(name))
            world.sync()
        renumbered(world, "a")
        report = world.sync()
        assert (report.ok, world.in_maildir()) == (True, "a: b:")
        assert (world.sync().ok, world.on_server()) == (True, "a:")


def test_an_append_of_unknown_outcome_is_looked_for_among_all_messages() -> None:
    world = synced("ab")
    world.store.put(INBOX, UniqueName("local"), octets("c"))
    world.mortal(Mortality(2))
    with pytest.raises(Killed):
        world.sync()
    world.mortal(Mortality())
    renumbered(world, "cab")
    world.sync()
    assert (world.sync().ok, world.state()) == (True, ("a: b: c:",) * 3)


def test_the_journal_has_it_together_with_the_new_numbers() -> None:
    world = synced()
    renumbered(world, "abcd")
    world.mortal(Mortality(1))
    with pytest.raises(Killed):
        world.sync()
    assert [pair.uid for pair in world.index.pairs(INBOX)] == [40, 41, 42, 43]
    assert world.index.events[-1][1].verb == "renumbered"


@pytest.mark.parametrize("before", [True, False])
def test_killed_anywhere_it_ends_the_same(before: bool) -> None:
    def world() -> World:
        made = synced("abcd")
        renumbered(made, "dabe")
        made.store.put(INBOX, UniqueName("local"), octets("f"))
        return made

    counting, counter = world(), Mortality()
    counting.mortal(counter)
    counting.sync()
    assert counter.seen > 4
    for at in range(1, counter.seen + 1):
        mortal = world()
        mortal.mortal(Mortality(at, before=before))
        with pytest.raises(Killed):
            mortal.sync()
        mortal.mortal(Mortality())
        mortal.sync()
        assert (at, mortal.on_server(), mortal.in_maildir()) == (at, "a: b: d: e: f:", "a: b: c: d: e: f:")
        assert [(held.side, held.count) for held in mortal.sync().mailbox(INBOX).held] == [("local", 1)]
        assert [pair.state for pair in mortal.index.pairs(INBOX)] == [PairState.BOTH] * 5
