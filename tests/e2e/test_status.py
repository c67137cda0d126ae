"""What `syncer status` calls queued is what the next sync sends."""

import json
import random
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from e2e.watching import Watched
from e2e.world import World, run, run_here
from servers.dovecot import Dovecot
from servers.mail import note

from syncer.index import open_index

Make = Callable[..., World]
SENT = {"new": "uploaded", "flags": "flags_remote", "deleted": "deleted_remote", "moved": "moved_remote"}
"""What is queued, and the counter of a sync that has sent it."""


def filled(world: World, count: int = 8) -> World:
    """Two mailboxes that are equal on both sides."""
    world.client.create("Work")
    for number in range(count):
        world.client.append("INBOX", note(f"i{number}"), ())
        world.client.append("Work", note(f"w{number}"), ("\\Seen",))
    world.sync().done()
    world.sync().quiet()
    return world


def account(world: World) -> dict[str, Any]:
    """What is said of the account."""
    found = run_here("-c", str(world.configuration), "status", "--json")
    assert (found.status, found.err) == (0, ""), found
    document = json.loads(found.out)["accounts"][0]
    assert isinstance(document, dict)
    return document


def queued(world: World) -> dict[str, dict[str, Any]]:
    """What is queued, by mailbox, without what is not there."""
    there = {mailbox["name"]: mailbox["queued"] for mailbox in account(world)["mailboxes"]}
    some = {name: {key: found for key, found in queue.items() if found} for name, queue in there.items()}
    return {name: queue for name, queue in some.items() if queue}


def sent(world: World, *arguments: str) -> dict[str, dict[str, int]]:
    """What a sync sends, in the words of the queue."""
    (done,) = world.sync(*arguments).report["accounts"]
    counts = {box["name"]: {word: box[SENT[word]] for word in SENT if box[SENT[word]]} for box in done["mailboxes"]}
    return {name: count for name, count in counts.items() if count}


@pytest.mark.dovecot
def test_nothing_is_queued_after_a_sync(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot, here=True))
    assert queued(world) == {}
    out = run("-c", str(world.configuration), "status").out
    assert out.splitlines()[1:] == [
        "  16 messages in 2 mailboxes, last synced just now",
        "    INBOX        8  just now",
        "    Work         8  just now",
    ]


@pytest.mark.dovecot
def test_each_kind_of_change_is_counted_where_it_was_made(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot, here=True))
    local = world.local
    first, second, third, fourth, fifth, *_ = local.files("INBOX")
    local.deliver("INBOX", note("new"), ())
    local.deliver("Work", note("new too"), ("\\Flagged",))
    local.deliver("Work", note("another"), ())
    local.change_flags("INBOX", first, add=["\\Flagged"])
    local.change_flags("INBOX", second, add=["\\Seen", "later"])
    local.delete(third)
    local.move("INBOX", fourth, "Work", keep_name=True)
    local.copy("INBOX", fifth, "Work")
    local.create("Lists/some")
    local.deliver("Lists/some", note("in a new mailbox"), ())
    expected = {
        "INBOX": {"new": 1, "flags": 2, "deleted": 1, "moved": 1},
        "Work": {"new": 3},
        "Lists/some": {"new": 1, "mailbox": "create"},
    }
    assert queued(world) == expected
    lines = run_here("-c", str(world.configuration), "status").out.splitlines()
    assert lines[2:] == [
        "    INBOX             8  just now  queued: 1 new, 2 flags, 1 deleted, 1 moved",
        "    Work              8  just now  queued: 3 new",
        "    Lists/some        0  never  queued: to be created on the server, 1 new",
    ]
    del expected["Lists/some"]["mailbox"]
    assert sent(world) == expected
    assert queued(world) == {}
    world.converged()


@pytest.mark.dovecot
@pytest.mark.parametrize("seed", range(6))
def test_whatever_was_changed_is_queued_and_then_sent(dovecot: Dovecot, world_on: Make, seed: int) -> None:
    some = random.Random(seed)
    world = filled(world_on(dovecot, here=True, layout=some.choice(["fs", "maildir++"]), max_delete=1.0), 12)
    local = world.local
    for turn in range(4):
        changed = set[str]()  # by a unique name, once between two syncs
        for number in range(some.randint(1, 12)):
            mailbox, target = some.choice([("INBOX", "Work"), ("Work", "INBOX")])
            files = [file for file in local.files(mailbox) if file.unique not in changed]
            kind = some.choice(["new", "flags", "delete", "move", "flags and move"])
            if kind == "new" or not files:
                local.deliver(mailbox, note(f"{seed} {turn} {number}"), some.choice([(), ("\\Seen",), ("k",)]))
                continue
            file = some.choice(files)
            changed.add(file.unique)
            if "flags" in kind:
                local.change_flags(mailbox, file, add=["\\Answered", some.choice(["$Forwarded", "k", "\\Draft"])])
                (file,) = (each for each in local.files(mailbox) if each.unique == file.unique)
            if "move" in kind:
                local.move(mailbox, file, target, keep_name=True)
            if kind == "delete":
                local.delete(file)
        before = queued(world)
        assert before == sent(world), turn
        assert queued(world) == {}
    world.converged()


@pytest.mark.dovecot
def test_what_the_settings_forbid_is_not_queued(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot, here=True))
    world.local.delete(world.local.files("INBOX")[0])
    world.local.deliver("Work", note("new"), ())
    world.local.create("Other")
    assert queued(world) == {"INBOX": {"deleted": 1}, "Work": {"new": 1}, "Other": {"mailbox": "create"}}
    world.configure(on_local_delete="keep", exclude=["Other"])
    assert queued(world) == {"Work": {"new": 1}}
    world.configure(direction="pull")
    assert queued(world) == {}
    world.configure(direction="both", on_local_delete="expunge", exclude=[])
    assert queued(world) == {"INBOX": {"deleted": 1}, "Work": {"new": 1}, "Other": {"mailbox": "create"}}


@pytest.mark.dovecot
def test_deletions_that_would_be_held_back_are_not_called_queued(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot, here=True))
    for file in world.local.files("Work"):
        world.local.delete(file)
    world.local.deliver("Work", note("new"), ())
    assert queued(world) == {"Work": {"new": 1, "held": 8}}
    assert world.sync().status == 4
    assert queued(world) == {"Work": {"held": 8}}
    lines = run_here("-c", str(world.configuration), "status").out.splitlines()
    assert "  8 deletions to be held back  failed: " in lines[3]
    assert lines[4].startswith("      deletions are held back on the server")
    assert sent(world, "--allow-delete", "test:Work") == {"Work": {"deleted": 8}}
    assert queued(world) == {}


@pytest.mark.dovecot
def test_a_mailbox_that_is_gone_here_is_queued_only_where_its_deletion_is_sent(
    dovecot: Dovecot, world_on: Make
) -> None:
    world = filled(world_on(dovecot, here=True))
    world.client.create("Small")
    world.client.append("Small", note("one"), ())
    world.sync().done()
    world.local.delete_mailbox("Small")
    assert queued(world) == {}
    world.configure(mailbox_changes="all")
    assert queued(world) == {"Small": {"mailbox": "delete", "deleted": 1}}
    world.local.rename_mailbox("Work", "Job")
    assert queued(world) == {"Small": {"mailbox": "delete", "deleted": 1}, "Work": {"mailbox": "rename"}}
    assert sent(world) == {"Small": {"deleted": 1}}
    assert world.client.mailboxes() == {"INBOX", "Job"}
    assert queued(world) == {}


@pytest.mark.dovecot
def test_a_maildir_that_is_not_there_is_said_in_a_line(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot, here=True))
    world.local.root.rename(world.local.root.with_name("away"))
    said = account(world)
    assert [mailbox["queued"] for mailbox in said["mailboxes"]] == [None, None]
    assert "the Maildir cannot be trusted: it is missing" in said["unseen"][0]
    shown = run_here("-c", str(world.configuration), "status")
    assert (shown.status, shown.err) == (0, "")
    assert "  not known what is queued: " in shown.out
    world.local.root.mkdir()
    assert "it is missing, or has no file .syncer-store" in account(world)["unseen"][0]


@pytest.mark.dovecot
def test_it_is_told_while_another_program_has_the_account(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot, poll_interval="1d", here=True))
    with Watched(world) as watched:
        watched.until_equal(16)
        watched.until(lambda: queued(world) == {}, "nothing queued")
        watched.until(lambda: account(world)["by"] == "watch", "seen")
        world.local.delete(world.local.files("Work")[0])  # rests for some seconds before it counts
        assert queued(world) == {"Work": {"deleted": 1}}
        watched.until_equal(15)
        watched.until(lambda: queued(world) == {}, "nothing queued any more")
    assert account(world)["by"] is None
    with closing(open_index(world.directory / "state" / "test.db", "test")):
        assert account(world)["by"] == "run"


@pytest.mark.dovecot
def test_nothing_is_changed_by_looking(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot, here=True))
    world.local.deliver("INBOX", note("new"), ("odd",))
    world.local.delete(world.local.files("Work")[0])

    def stamps() -> Counter[tuple[str, int, int]]:
        kept = [*world.local.root.rglob("*"), *(world.directory / "state").rglob("*.db")]
        return Counter((str(path), path.lstat().st_mtime_ns, path.lstat().st_size) for path in kept)

    before = stamps()
    assert queued(world) == {"INBOX": {"new": 1}, "Work": {"deleted": 1}}
    assert stamps() == before
