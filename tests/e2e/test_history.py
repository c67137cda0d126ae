"""What was done is told afterwards, and what was removed is brought back."""

import json
from collections.abc import Callable

import pytest
from e2e.world import World, run
from servers.dovecot import Dovecot
from servers.mail import note, token_of

pytestmark = pytest.mark.dovecot


@pytest.fixture
def synced(dovecot: Dovecot, world_on: Callable[..., World]) -> World:
    """Twelve messages in `Box`, then three of them expunged on the server, one flagged, one written here; synced."""
    world = world_on(dovecot)
    world.client.create("Box")
    world.client.fill("Box", [(note(f"m{number}"), frozenset(), 1_500_000_000) for number in range(12)])
    world.sync().done()
    world.client.expunge("Box", world.client.uids("Box")[:3])
    last = next(file for file in world.local.files("Box") if token_of(file.octets) == "m11")
    world.local.change_flags("Box", last, add=["\\Seen"])
    world.local.deliver("Box", note("new"))
    world.sync().done()
    return world


def told(world: World, *arguments: str) -> dict[str, list[dict[str, object]]]:
    outcome = run("-c", str(world.configuration), *arguments, "--json")
    assert outcome.status == 0, outcome.err
    found: dict[str, list[dict[str, object]]] = json.loads(outcome.out)
    return found


def in_box(world: World) -> list[str]:
    return sorted(token_of(file.octets) for file in world.local.files("Box"))


def test_the_log_tells_what_each_sync_did_and_why(synced: World) -> None:
    (account,) = told(synced, "log")["accounts"]
    events = account["events"]
    assert [
        (event["sync"], event["mailbox"], event["done"], event["messages"], event["reason"]) for event in events
    ] == [
        (1, "Box", "downloaded", 12, "new on the server"),
        (2, "Box", "flags sent", 1, "flags changed in the Maildir"),
        (2, "Box", "uploaded", 1, "new in the Maildir"),
        (2, "Box", "removed from the Maildir", 3, "expunged on the server"),
    ]
    outcome = run("-c", str(synced.configuration), "log", "-n", "1", "test:Box")
    assert (outcome.status, outcome.err) == (0, "")
    first, *rest = outcome.out.splitlines()
    assert first.endswith("  test, sync 2")
    assert rest[0] == "  Box: 1 flags sent +\\Seen, UID 12 (flags changed in the Maildir)"
    assert len(rest) == 3
    synced.sync().quiet()
    assert told(synced, "log")["accounts"] == [account]


def test_why_tells_the_history_of_a_message_by_file_by_uid_and_after_it_is_gone(synced: World) -> None:
    seen = next(file for file in synced.local.files("Box") if "\\Seen" in file.flags)
    by_file, by_uid = told(synced, "why", str(seen.path)), told(synced, "why", "test:Box", "12")
    assert by_file == by_uid
    assert (by_file["synced"], [event["done"] for event in by_file["events"]]) == (True, ["downloaded", "flags sent"])
    gone = told(synced, "why", "test:Box", "2")
    assert (gone["synced"], [event["done"] for event in gone["events"]]) == (
        False,
        ["downloaded", "removed from the Maildir"],
    )
    unknown = run("-c", str(synced.configuration), "why", "test:Box", "77")
    assert (unknown.status, "no sync has told of such a message" in unknown.err) == (1, True)
    elsewhere = run("-c", str(synced.configuration), "why", "/nowhere/cur/1")
    assert (elsewhere.status, "is not in the Maildir of any account" in elsewhere.err) == (2, True)


def test_what_a_sync_removed_is_brought_back_and_uploaded_again(synced: World) -> None:
    (account,) = told(synced, "log")["accounts"]
    before = in_box(synced)
    asked = [("--run", "2"), ("--deleted",), ("--since", "2020-01-01")]
    for arguments in asked:
        dry = told(synced, "restore", "test:Box", *arguments, "--dry-run")
        assert len(dry["accounts"][0]["restored"]) == 3  # type: ignore[arg-type]
    assert in_box(synced) == before
    assert told(synced, "restore", "test:Box", "--run", "1", "--dry-run")["accounts"][0]["restored"] == []
    assert told(synced, "restore", "test:Box", "--since", "2999-01-01")["accounts"][0]["restored"] == []
    unknown = run("-c", str(synced.configuration), "restore", "test", "--message", "/else/cur/nobody:2,S")
    assert (unknown.status, unknown.out, unknown.err) == (
        1,
        "",
        "syncer: nothing was brought back: no message in the attic has the file name nobody:2,S\n",
    )

    name = account["events"][-1]["names"][0]  # type: ignore[index]
    (one,) = told(synced, "restore", "test", "--message", f"{name}:2,S")["accounts"][0]["restored"]  # type: ignore[misc]
    assert one["mailbox"] == "Box"
    assert len(in_box(synced)) == len(before) + 1
    assert len(told(synced, "restore", "test", "--deleted")["accounts"][0]["restored"]) == 2  # type: ignore[arg-type]

    assert synced.sync().done().totals["uploaded"] == 3
    assert in_box(synced) == sorted(["new", *(f"m{number}" for number in range(12))])
    synced.converged()
    assert told(synced, "restore", "test", "--deleted")["accounts"][0]["restored"] == []


def test_of_a_sync_only_what_it_removed_is_brought_back_not_what_it_uploaded(synced: World) -> None:
    synced.client.expunge("Box", [13])  # what it has uploaded
    synced.sync().done()
    assert len(told(synced, "restore", "test", "--run", "2", "--dry-run")["accounts"][0]["restored"]) == 3  # type: ignore[arg-type]
    assert len(told(synced, "restore", "test", "--run", "3", "--dry-run")["accounts"][0]["restored"]) == 1  # type: ignore[arg-type]


def test_a_mailbox_that_was_deleted_comes_back_with_its_messages(
    dovecot: Dovecot, world_on: Callable[..., World]
) -> None:
    world = world_on(dovecot, mailbox_changes="all", max_delete=1.0)
    world.client.create("Box")
    world.client.fill(
        "Box", [(note(f"m{number}"), frozenset({"\\Flagged", "todo"}), 1_500_000_000) for number in range(4)]
    )
    world.sync().done()
    world.client.delete_mailbox("Box")
    world.sync().done()
    assert world.local.mailboxes() == {"INBOX"}
    (account,) = told(world, "log", "-n", "1")["accounts"]
    assert [(event["done"], event["messages"], event["reason"]) for event in account["events"]] == [  # type: ignore[index,attr-defined]
        ("removed from the Maildir", 4, "the mailbox was deleted on the server")
    ]
    assert len(told(world, "restore", "test", "--run", "2", "--dry-run")["accounts"][0]["restored"]) == 4  # type: ignore[arg-type]
    assert len(told(world, "restore", "test", "--deleted")["accounts"][0]["restored"]) == 4  # type: ignore[arg-type]
    world.sync().done()
    assert [(mailbox, sorted(flags)) for mailbox, _, flags in world.on_server()] == [("Box", ["\\Flagged", "todo"])] * 4
    world.converged()
