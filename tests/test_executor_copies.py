"""A COPY that was announced by a run that was killed: nothing comes to the trash twice."""

from typing import Any

import pytest
from worlds import World, octets

from syncer.executor import mailbox as executor
from syncer.executor.bench import batches
from syncer.reconcile.identity import INBOX, MailboxName, UniqueName
from syncer.reconcile.policy import Limits, Policy
from syncer.values import replace

WORK, TRASH = MailboxName("Work"), MailboxName("Trash")
POLICY = Policy(limits=Limits(max_delete=1.0), on_local_delete="trash")


class Died(BaseException):
    """The process is gone."""


def synced(names: str) -> World:
    """These messages on both sides of a server without MOVE."""
    world = World(policy=POLICY)
    world.server.atomic_move = False
    for mailbox in (WORK, TRASH):
        world.server.create(mailbox)
    world.server.special[TRASH] = "\\trash"
    for name in names:
        world.server.deliver(INBOX, octets(name))
    for _ in range(3):
        world.sync()
    return world


def delete(world: World, *names: str) -> None:
    for name in names:
        del world.store.directories[INBOX].files[unique(world, name)]


def unique(world: World, name: str) -> UniqueName:
    files = world.store.directories[INBOX].files
    return next(found for found, file in files.items() if file.octets == octets(name))


def killed_after(world: World, command: str) -> None:
    def hears(told: str) -> None:
        if told == f"done {command}":
            raise Died

    world.server.hears = hears
    with pytest.raises(Died):
        world.sync()
    world.server.hears = lambda told: None


def test_a_move_out_of_the_mailbox_meanwhile_does_not_make_it_forgotten() -> None:
    world = synced("abc")
    delete(world, "a")
    killed_after(world, "COPY INBOX Trash")
    files, name = world.store.directories, unique(world, "b")
    files[WORK].files[name] = files[INBOX].files.pop(name)
    world.sync()
    assert world.sync().ok
    assert world.state() == ("Trash/a: Work/b: c:",) * 3
    assert not world.index.recall("copying: INBOX")


def test_nor_does_a_batch_of_others_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "batches", lambda items, size=2: batches(items, 2))
    world = synced("abcdef")
    delete(world, "c", "d")
    killed_after(world, "COPY INBOX Trash")
    delete(world, "a")
    world.sync()
    assert world.sync().ok
    assert world.state() == ("Trash/a: Trash/c: Trash/d: b: e: f:",) * 3


def test_one_copy_in_the_trash_stands_for_one_of_two_equal_messages() -> None:
    world = synced("aab")
    delete(world, "a")
    killed_after(world, "COPY INBOX Trash")
    delete(world, "a")
    world.sync()
    assert world.sync().ok
    assert world.state() == ("Trash/a: Trash/a: b:",) * 3


@pytest.mark.parametrize("side", ["server", "local"])
def test_nor_does_a_mailbox_that_is_renamed_before_the_next_pass(side: str) -> None:
    job = MailboxName("Job")
    world = synced("")
    world.policy = replace(POLICY, mailbox_changes="all")
    for name in "abcdefghijk":
        world.server.deliver(WORK, octets(name))
    for _ in range(2):
        world.sync()
    files = world.store.directories[WORK].files
    del files[next(found for found, file in files.items() if file.octets == octets("a"))]
    killed_after(world, "COPY Work Trash")
    boxes: dict[MailboxName, Any] = world.server.mailboxes if side == "server" else world.store.directories  # type: ignore[assignment]
    boxes[job] = boxes.pop(WORK)
    world.sync()
    assert world.sync().ok
    assert world.state() == (" ".join([*(f"Job/{name}:" for name in "bcdefghijk"), "Trash/a:"]),) * 3
    assert not world.index.recall("copying: Work")
    assert not world.index.recall("copying: Job")


def test_nor_does_a_trash_that_is_renamed_before_the_next_pass() -> None:
    waste = MailboxName("Waste")
    world = synced("abc")
    world.policy = replace(POLICY, mailbox_changes="all")
    delete(world, "b")
    world.sync()
    delete(world, "a")
    killed_after(world, "COPY INBOX Trash")
    world.server.mailboxes[waste] = world.server.mailboxes.pop(TRASH)
    world.server.special[waste] = world.server.special.pop(TRASH)
    world.sync()
    assert world.sync().ok
    assert world.state() == ("Waste/a: Waste/b: c:",) * 3


KEEPING = replace(POLICY, on_local_delete="keep")


@pytest.mark.parametrize(
    "policy",
    [POLICY, replace(POLICY, on_local_delete="expunge"), KEEPING, replace(POLICY, direction="push")],
    ids=["trash", "expunge", "keep", "push"],
)
@pytest.mark.parametrize("uidplus", [True, False])
def test_a_move_that_was_cut_off_leaves_no_old_copy_whatever_becomes_of_deletions(
    policy: Policy, *, uidplus: bool
) -> None:
    world = synced("abc")
    world.policy, world.server.uidplus = policy, uidplus
    files, name = world.store.directories, unique(world, "b")
    files[WORK].files[name] = files[INBOX].files.pop(name)
    killed_after(world, "COPY INBOX Work")
    world.sync()
    assert world.sync().ok
    assert (world.on_server(), world.in_maildir()) == (f"Work/b: a: {'' if uidplus else 'b:T '}c:", "Work/b: a: c:")
    assert not world.index.recall("copying: INBOX")


def test_what_is_kept_and_was_not_copied_stays_kept() -> None:
    world = synced("abc")
    world.policy = KEEPING
    files, name = world.store.directories, unique(world, "b")
    files[WORK].files[name] = files[INBOX].files.pop(name)
    killed_after(world, "COPY INBOX Work")
    world.server.mailboxes[WORK].messages.clear()
    world.store.directories[WORK].files.clear()
    world.sync()
    assert world.sync().ok
    assert (world.on_server(), world.in_maildir()) == ("a: b: c:", "a: c:")


def test_nothing_is_expunged_where_the_server_may_not_be_changed_any_more() -> None:
    world = synced("abc")
    files, name = world.store.directories, unique(world, "b")
    files[WORK].files[name] = files[INBOX].files.pop(name)
    killed_after(world, "COPY INBOX Work")
    world.policy = replace(POLICY, direction="pull")
    world.sync()
    assert world.sync().ok
    assert (world.on_server(), world.in_maildir()) == ("Work/b: a: b: c:", "Work/b: a: c:")


@pytest.mark.parametrize("command", ["COPY Work Job", "STORE Work +\\Deleted"])
def test_nor_is_it_fetched_again_where_the_whole_directory_has_another_name(command: str) -> None:
    world = synced("abc")
    for name in "de":
        world.server.deliver(WORK, octets(name))
    world.sync()
    world.store.directories[MailboxName("Job")] = world.store.directories.pop(WORK)
    killed_after(world, command)
    world.sync()
    assert world.sync().ok
    assert world.state() == ("Job/d: Job/e: a: b: c:",) * 3
    assert not world.index.recall("copying: Work")
