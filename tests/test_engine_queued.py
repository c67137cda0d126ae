"""What is queued: what the next pass would send to a server on which nothing has happened."""

from collections.abc import Callable
from typing import Any

import pytest
from worlds import World, octets

from syncer.engine import Order
from syncer.engine.queued import Queue
from syncer.errors import MailboxError
from syncer.findings import Queued
from syncer.reconcile.identity import INBOX, MailboxName, UniqueName
from syncer.reconcile.observations import Intent
from syncer.reconcile.policy import Limits, Policy

WORK, OTHER = MailboxName("Work"), MailboxName("Other")
ALL = Policy(mailbox_changes="all", limits=Limits(max_delete=1.0))
EIGHT = "a: b: c: d: e: f: g: h:"


def looked(
    world: World, policy: Policy | None = None, wants: Callable[[str], bool] = lambda _: True, **order: Any
) -> Queue:
    return Queue(world.store, world.index, Order("test", policy or world.policy, wants, **order), world.clock)


def queued(world: World, policy: Policy | None = None, **order: Any) -> dict[MailboxName, Queued]:
    return looked(world, policy, **order).queued


@pytest.mark.parametrize(
    ("index", "local", "expected"),
    [
        ("a:", "a:", {}),
        ("a:", "a: b:", {INBOX: Queued(new=1)}),
        ("a: b:S", "a:S b:", {INBOX: Queued(flags=2)}),
        ("a:{todo}", "a:", {INBOX: Queued(flags=1)}),
        ("a: b: c:", "b:F c: d: e:", {INBOX: Queued(new=2, flags=1, deleted=1)}),
        ("a: b:", "b: Work/a:", {INBOX: Queued(moved=1)}),
        ("a: b:", "b: Work/a:S", {INBOX: Queued(flags=1, moved=1)}),
        ("a: b: Work/c:", "Work/a: Work/b: c:", {INBOX: Queued(moved=2), WORK: Queued(moved=1)}),
        ("a: Work/b:", "a: Work/b: Work/a:", {WORK: Queued(new=1)}),
        ("a:@server", "", {}),
        ("a:@server", "a:", {}),
        ("a:@server", "a:S", {INBOX: Queued(flags=1)}),
        ("a:@local", "a:S", {}),
        ("a:@local", "", {}),
        (EIGHT, "", {INBOX: Queued(deleted=8)}),
    ],
)
def test_what_differs_in_the_maildir_is_queued(index: str, local: str, expected: dict[MailboxName, Queued]) -> None:
    world = World.of(index.replace("@server", "").replace("a:@local", ""), index, local)
    assert queued(world) == expected
    server = world.on_server()
    world.sync()
    assert (world.on_server() != server) == bool(expected)
    assert queued(world) == {}


def test_deletions_that_a_guard_would_hold_back_are_told_apart() -> None:
    world = World.of(EIGHT, EIGHT, "i:")
    limited = Policy(limits=Limits(max_delete=0.5))
    assert queued(world, limited) == {INBOX: Queued(new=1, held=8)}
    world.sync(limited)
    assert queued(world, limited) == {INBOX: Queued(held=8)}


def test_an_older_copy_of_the_maildir_queues_no_deletions() -> None:
    world = World.of("a: b: c:", "a: b: c:", "a: b: c:")
    world.store.put(INBOX, UniqueName("n"), octets("n"))
    world.sync()
    world.store.generation -= 1
    del world.store.directories[INBOX].files[UniqueName("a")]
    assert queued(world, Policy()) == {INBOX: Queued(held=1)}


def test_what_the_policy_forbids_is_not_queued() -> None:
    world = World.of("a: b:", "a: b:", "b:S c:")
    world.store.create(OTHER)
    assert queued(world, Policy(direction="pull")) == {}
    keep = queued(world, Policy(on_local_delete="keep"))
    assert keep == {INBOX: Queued(new=1, flags=1), OTHER: Queued(mailbox="create")}
    trash = queued(world, Policy(on_local_delete="trash"))
    assert trash == {INBOX: Queued(new=1, flags=1, deleted=1), OTHER: Queued(mailbox="create")}


def test_mailboxes_as_a_whole_are_queued_as_the_settings_have_it() -> None:
    world = World.of("Work/a: Work/b: Other/c:", "Work/a: Work/b: Other/c:", "")
    del world.store.directories[OTHER]
    world.store.directories[MailboxName("Job")] = world.store.directories.pop(WORK)
    for name in "ab":
        world.store.put(MailboxName("Job"), UniqueName(name), octets(name))
    assert queued(world, ALL) == {OTHER: Queued(deleted=1, mailbox="delete"), WORK: Queued(mailbox="rename")}
    assert queued(world) == {MailboxName("Job"): Queued(mailbox="create"), WORK: Queued(moved=2)}
    world.sync()
    assert world.on_server() == "Job/a: Job/b: Other/c:"


def test_a_file_in_a_mailbox_that_is_left_out_is_not_taken_for_deleted() -> None:
    world = World.of("a: b:", "a: b:", "b: Other/a:")
    world.index.rows.pop(OTHER)
    assert queued(world, wants=lambda name: name != OTHER) == {}


def test_what_is_parked_is_told_apart() -> None:
    world = World.of("a:", "a:", "a: b: n:")
    for _ in range(4):
        world.index.park(INBOX, UniqueName("n"), "over quota", world.clock)
    assert queued(world) == {INBOX: Queued(new=1, parked=1)}
    world.clock += 600
    assert queued(world) == {INBOX: Queued(new=2)}


def test_what_was_sent_already_is_not_queued() -> None:
    world = World.of("a:", "a:", "a: b: c:")
    world.index.announce(INBOX, [Intent(UniqueName("b"), None), Intent(UniqueName("c"), None)])
    world.index.sent(INBOX, [UniqueName("b")])
    assert queued(world) == {INBOX: Queued(new=1)}


def test_what_a_run_has_delivered_and_not_recorded_yet_is_not_queued() -> None:
    world = World.of("a:", "a:", "a:")
    world.sync()
    epoch = world.rows(INBOX).epoch
    assert epoch is not None
    assert epoch.uidnext is not None
    world.store.put(INBOX, UniqueName(f"INBOX!{epoch.uidvalidity}!{epoch.uidnext}@0"), octets("n"))
    assert queued(world) == {}
    put_back = UniqueName(f"INBOX!{epoch.uidvalidity}!{epoch.uidnext - 1}@0")
    world.store.put(INBOX, put_back, octets("n"))
    assert queued(world) == {INBOX: Queued(new=1)}


def test_a_mailbox_that_cannot_be_read_is_said_and_proves_nothing_about_the_others() -> None:
    world = World.of("a: b: Work/c:", "a: b: Work/c:", "a: d: Work/c:")
    assert queued(world) == {INBOX: Queued(new=1, deleted=1)}

    def unreadable(deed: str) -> None:
        if deed == "scan Work":
            raise MailboxError("cannot list Work")

    world.store.hears = unreadable
    queue = looked(world)
    assert (queue.queued, queue.problems) == ({INBOX: Queued(new=1)}, ["cannot list Work"])


def test_directories_that_are_as_they_were_are_not_read_unless_the_settings_are_others() -> None:
    world = World.of("a:", "a:", "a:")
    world.sync(settings="pull")
    world.store.put(INBOX, UniqueName("b"), octets("b"))
    world.index.rows[INBOX].local_state = world.store.state(INBOX)
    assert queued(world, settings="pull") == {}
    assert queued(world, settings="both") == {INBOX: Queued(new=1)}
