"""What becomes of a section of the configuration that gets another login."""

import pathlib
from collections.abc import Callable, Iterator

import pytest
from e2e.client import Client
from e2e.world import Outcome, World, run_here
from servers.dovecot import Dovecot
from servers.mail import note

pytestmark = pytest.mark.dovecot
DATE = 1_500_000_000


@pytest.fixture
def synced(world_on: Callable[..., World], dovecot: Dovecot) -> World:
    """A few messages in two mailboxes, on both sides."""
    world = world_on(dovecot, here=True)
    world.client.create("Box")
    for mailbox in ("Box", "INBOX"):
        world.client.fill(mailbox, [(note(f"{mailbox}{number}"), frozenset(), DATE) for number in range(3)])
    world.sync().done()
    return world


@pytest.fixture
def other(synced: World) -> Iterator[Client]:
    """The account of another login, which the configuration has now. It has one message, in a mailbox `Box`."""
    user = synced.server.new_user()
    synced.configure(user=user)
    server = synced.server
    client = Client(server.host, server.port, user, server.password, separator=server.separator, prefix=server.prefix)
    client.create("Box")
    client.fill("Box", [(note("theirs"), frozenset(), DATE)])
    yield client
    client.close()


def syncer(world: World, *arguments: str) -> Outcome:
    return run_here("-c", str(world.configuration), *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("sync",),
        ("sync", "--dry-run"),
        ("sync", "--full", "--allow-delete", "test"),
        ("restore", "test"),
        ("verify", "--repair", "test"),
        ("mailbox", "delete", "test", "Box", "--yes"),
    ],
    ids=" ".join,
)
def test_the_mail_of_one_login_does_not_meet_that_of_another(
    synced: World, other: Client, arguments: tuple[str, ...]
) -> None:
    before = synced.on_disk()
    told = syncer(synced, *arguments).failed(4, synced.user, str(synced.settings["user"]), "Nothing was changed")
    assert f"rm -f {synced.directory}/state/test.db " in told.err
    assert (other.mailboxes(), len(other.messages("Box")), synced.on_disk()) == ({"INBOX", "Box"}, 1, before)
    synced.configure(user=synced.user)
    synced.sync().quiet()


def test_check_says_that_the_login_was_another(synced: World, other: Client) -> None:
    user = synced.settings["user"]
    advice = f"it was synced as {synced.user}: the next sync goes on only if {user} has the same mail"
    assert advice in syncer(synced, "check").out


def test_after_what_the_refusal_names_both_sides_are_brought_together(synced: World, other: Client) -> None:
    told = synced.sync().failed(4, "copies to each side what only the other has")
    for path in told.err.split("rm -f ")[1].split():
        pathlib.Path(path).unlink(missing_ok=True)
    synced.sync().done()
    assert len(other.messages("Box")) == 4
    assert len(synced.local.files("Box")) == 4


def test_the_same_account_under_a_new_login_is_synced_on(synced: World, dovecot: Dovecot) -> None:
    new = f"{synced.user}.renamed"
    dovecot.home(new).symlink_to(dovecot.home(synced.user))
    synced.configure(user=new)
    synced.client.fill("Box", [(note("more"), frozenset(), DATE)])
    assert synced.sync().done().totals["downloaded"] == 1
    synced.client.delete_mailbox("Box")
    synced.client.expunge("INBOX", synced.client.uids("INBOX"))
    synced.configure(user=new)
    assert "login" not in synced.sync().err, "the new login is known from now on"


def test_a_login_that_has_synced_nothing_may_become_another(world_on: Callable[..., World], dovecot: Dovecot) -> None:
    world = world_on(dovecot, here=True)
    world.sync().done()
    user = dovecot.new_user()
    world.configure(user=user)
    world.sync().quiet()
