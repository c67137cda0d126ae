"""`syncer mailbox` on a real server: what is created, renamed and deleted there and in the Maildir at once."""

import shutil
from collections.abc import Callable

import pytest
from e2e.world import Outcome, World, by_mailbox, run_here
from servers.base import Server
from servers.mail import note

pytestmark = pytest.mark.dovecot

LONG = "山" * 88
"""More octets than a file name may have, and fewer than the server allows for a mailbox."""
DEEP = "/".join(["level" * 20] * 3)
"""The same, where a mailbox is a single directory."""


def mailbox(world: World, *words: str) -> Outcome:
    return run_here("-c", str(world.configuration), "mailbox", words[0], "test", *words[1:])


def filled(world: World, *mailboxes: str) -> World:
    """A synced world with a message in each of these."""
    for number, name in enumerate(mailboxes):
        world.client.create(name)
        world.client.append(name, note(f"m{number}"))
    world.sync().done()
    return world


@pytest.mark.parametrize(
    ("layout", "name"), [("fs", LONG), ("maildir++", LONG), ("maildir++", DEEP)], ids=["level", "name", "levels"]
)
def test_what_the_maildir_cannot_hold_is_neither_created_nor_renamed_to_on_the_server(
    world_on: Callable[..., World], dovecot: Server, layout: str, name: str
) -> None:
    world = filled(world_on(dovecot, here=True, layout=layout), "Old")
    mailbox(world, "create", name).failed(1, "too long")
    mailbox(world, "rename", "Old", name).failed(1, "too long")
    assert world.client.mailboxes() == {"INBOX", "Old"}
    world.converged()


def test_a_mailbox_is_not_renamed_where_one_below_it_would_get_a_name_that_is_too_long(
    world_on: Callable[..., World], dovecot: Server
) -> None:
    below = "y" * 200
    world = filled(world_on(dovecot, here=True, layout="maildir++"), "Old", f"Old/{below}")
    mailbox(world, "rename", "Old", "z" * 100).failed(1, "too long")
    assert world.client.mailboxes() == {"INBOX", "Old", f"Old/{below}"}
    world.converged()


@pytest.mark.parametrize("layout", ["fs", "maildir++"])
def test_mailboxes_are_renamed_with_the_one_above_them_that_is_on_the_server_alone(
    world_on: Callable[..., World], dovecot: Server, layout: str
) -> None:
    world = filled(world_on(dovecot, here=True, layout=layout), "Lists/python")
    world.client.create("Lists")
    assert mailbox(world, "rename", "Lists", "New") == Outcome(0, "", "test:Lists: renamed to New on both sides\n")
    assert by_mailbox(world.on_disk()) == {"New/python": [("m0", [])]}
    world.sync().done()
    assert by_mailbox(world.on_server()) == {"New/python": [("m0", [])]}
    world.converged()


def test_a_mailbox_that_the_maildir_will_not_give_up_is_not_deleted_on_the_server_either(world: World) -> None:
    filled(world, "Lists")
    (world.local.directory("Lists") / "cur" / "notes").mkdir()
    mailbox(world, "delete", "Lists", "--yes").failed(1, "not deleted", "notes")
    assert by_mailbox(world.on_server()) == {"Lists": [("m0", [])]}


def with_an_attic(world: World) -> World:
    """A mailbox with two messages, from which a third has gone to the attic."""
    world.client.create("Box")
    for token in ("m0", "m1", "m2"):
        world.client.append("Box", note(token), ["\\Seen"])
    world.sync().done()
    world.client.expunge("Box", [1])
    world.sync().done()
    return world


def test_a_mailbox_that_went_from_the_maildir_and_is_created_again_gets_its_messages_back(world: World) -> None:
    shutil.rmtree(with_an_attic(world).local.directory("Box"))
    mailbox(world, "create", "Box")
    world.sync().done()
    assert by_mailbox(world.on_server()) == {"Box": [("m1", ["\\Seen"]), ("m2", ["\\Seen"])]}
    world.converged()


@pytest.mark.parametrize("gone", ["", "cur"])
def test_what_comes_back_from_the_attic_into_a_mailbox_that_went_deletes_none_of_its_messages(
    world: World, gone: str
) -> None:
    shutil.rmtree(with_an_attic(world).local.directory("Box") / gone)
    assert run_here("-c", str(world.configuration), "restore", "test:Box", "--deleted").status == 0
    world.sync().done()
    assert by_mailbox(world.on_server()) == {"Box": [(token, ["\\Seen"]) for token in ("m0", "m1", "m2")]}
    world.converged()


def test_a_mailbox_that_went_from_the_server_and_is_created_again_gets_its_messages_back(world: World) -> None:
    filled(world, "Box")
    world.client.delete_mailbox("Box")
    mailbox(world, "create", "Box")
    world.sync().done()
    assert by_mailbox(world.on_disk()) == {"Box": [("m0", [])]}
    world.converged()


@pytest.mark.parametrize("command", [("mailbox", "create", "test", "Box"), ("restore", "test:Box", "--deleted")])
def test_what_was_moved_out_of_a_mailbox_with_its_directory_is_moved_though_the_mailbox_is_made_anew(
    world: World, command: tuple[str, ...]
) -> None:
    with_an_attic(world).local.directory("Box").rename(world.local.directory("Other"))
    assert run_here("-c", str(world.configuration), *command).status == 0
    assert world.sync().done().totals.get("moved_remote") == 2
    back = {"Box": [("m0", ["\\Seen"])]} if command[0] == "restore" else {}
    assert by_mailbox(world.on_server()) == {**back, "Other": [("m1", ["\\Seen"]), ("m2", ["\\Seen"])]}
    world.converged()
