"""What a login has no right to do on the server (RFC 4314) is told by every sync, until somebody may do it."""

from collections.abc import Callable, Sequence

import pytest
from e2e.world import World
from servers.dovecot import Dovecot
from servers.mail import note

pytestmark = pytest.mark.dovecot

Worlds = Callable[..., World]


@pytest.fixture
def shared(dovecot_with: Callable[..., Dovecot], world_on: Worlds) -> Callable[..., World]:
    """A mailbox with four messages in which everything is allowed, here and there; and another one."""

    def make(hide: Sequence[str] = ()) -> World:
        world = world_on(dovecot_with(acl=True, hide=hide), here=True)
        for mailbox in ("Shared", "Work"):
            world.client.create(mailbox)
        for text in ("a", "b", "c", "d"):
            world.client.append("Shared", note(text))
        world.sync().done()
        return world

    return make


def allow(world: World, rights: str) -> None:
    assert isinstance(world.server, Dovecot)
    path = world.server.mailbox_directory(world.user, "Shared") / "dovecot-acl"
    path.write_text(f"owner {rights}\n")
    path.chmod(0o644)


def numbers(world: World) -> dict[str, tuple[int, int]]:
    """How many messages each mailbox has, there and here."""
    return {name: (len(world.client.uids(name)), len(world.local.files(name))) for name in ("Shared", "Work")}


# Without t Dovecot takes STORE for done, without e UID EXPUNGE.
@pytest.mark.parametrize("rights", ["lrsw", "lrswt", "lrswe"])
@pytest.mark.parametrize("hide", [(), ("UIDPLUS", "MOVE")], ids=["expunged", "marked"])
def test_who_may_not_delete_is_told_so_until_he_may(
    rights: str, hide: Sequence[str], shared: Callable[..., World]
) -> None:
    world = shared(hide)
    allow(world, rights)
    for file in world.local.files("Shared")[:2]:
        world.local.delete(file)
    if hide and "t" in rights:
        world.sync().done()
        return
    for options in ([], [], ["--full"]):
        world.sync(*options).failed(1, "2 messages deleted here not expunged", "does this login have the right")
        assert numbers(world) == {"Shared": (4, 2), "Work": (0, 0)}
    allow(world, "lrswte")
    assert world.sync().done().totals == {"deleted_remote": 2}
    assert numbers(world) == {"Shared": (4 if hide else 2, 2), "Work": (0, 0)}
    world.sync().quiet()


def test_what_may_not_be_deleted_is_copied_once_where_it_was_moved_without_move(shared: Callable[..., World]) -> None:
    world = shared(["MOVE"])
    allow(world, "lrswt")
    for file in world.local.files("Shared")[:2]:
        file.path.rename(world.local.root / "Work" / "cur" / f"{file.path.name.partition(':')[0]}:2,")
    for options in ([], [], ["--full"]):
        world.sync(*options).failed(1, "does this login have the right")
        assert numbers(world) == {"Shared": (4, 2), "Work": (2, 2)}
    allow(world, "lrswte")
    world.sync().done()
    assert numbers(world) == {"Shared": (2, 2), "Work": (2, 2)}
    world.sync("--full").quiet()


def test_a_mailbox_that_may_not_be_seen_any_more_is_told_and_stays_here(shared: Callable[..., World]) -> None:
    world = shared()
    allow(world, "")
    world.local.deliver("Shared", note("new"))
    for options in ([], [], ["--full"]):
        world.sync(*options).failed(1, "Shared", "the server refused CREATE")
    assert len(world.local.files("Shared")) == 5
    allow(world, "lrswipte")
    assert world.sync().done().totals["uploaded"] == 1
    assert numbers(world) == {"Shared": (5, 5), "Work": (0, 0)}
    world.sync().quiet()
