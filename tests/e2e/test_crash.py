"""Killed at any moment, a further run finishes the work: nothing lost, nothing doubled."""

import random
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from e2e.costs import Metered
from e2e.world import World, by_mailbox, environment
from servers.dovecot import Dovecot
from servers.mail import note, token_of
from servers.proxy import CountingProxy

pytestmark = pytest.mark.dovecot
POINTS = 10
CUTS = 16
MAILBOXES = ("INBOX", "Box")


def kill_after(world: World, seconds: float) -> bool:
    """Start a sync and kill it; False if it had ended by then."""
    command = [sys.executable, "-m", "syncer", "-c", str(world.configuration), "sync"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    try:
        running.wait(seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        return True
    return False


def fill_server(world: World) -> None:
    world.client.create("Box")
    for mailbox in MAILBOXES:
        messages = [(note(f"{mailbox}{number}", size=2_000), frozenset(), 1_500_000_000) for number in range(200)]
        world.client.fill(mailbox, messages)


def fill_maildir(world: World) -> None:
    for mailbox in MAILBOXES:
        world.local.create(mailbox)
        for number in range(100):
            world.local.deliver(mailbox, note(f"{mailbox}{number}", size=2_000), ["\\Seen"] if number % 2 else [])


@pytest.mark.parametrize("fill", [fill_server, fill_maildir], ids=["pull", "push"])
def test_killed_at_any_moment_it_loses_and_doubles_nothing(
    fill: Callable[[World], None], dovecot: Dovecot, world_on: Callable[..., World]
) -> None:
    whole = world_on(dovecot)
    fill(whole)
    wanted = by_mailbox(whole.on_server() or whole.on_disk())
    begin = time.monotonic()
    whole.sync().done()
    duration = time.monotonic() - begin

    rng = random.Random(fill.__name__)
    killed = point = 0
    while point < POINTS or killed < POINTS:
        assert point < 4 * POINTS, f"killed {killed} times"
        world = world_on(dovecot)
        fill(world)
        # From after Python's start to a little before the end, and once more in what is left.
        if kill_after(world, duration * (0.15 + 0.85 * (point % POINTS + rng.random()) / POINTS)):
            killed += 1
        else:
            duration *= 0.9  # the whole run was slower, as the machine had other things to do
        killed += kill_after(world, duration * rng.uniform(0.2, 0.9))
        point += 1
        world.sync().done()
        assert by_mailbox(world.on_server()) == wanted
        assert by_mailbox(world.on_disk()) == wanted
        world.converged()
        world.close()
        del world.client


def delivered(world: World) -> set[str]:
    """The names of the files that every program sees."""
    mail = world.directory / "mail"
    return {path.name for place in ("cur", "new") for path in mail.glob(f"**/{place}/*")}


@pytest.mark.parametrize("connections", [1, 3])
def test_a_pull_that_was_killed_goes_on_where_it_stopped(connections: int, metered_on: Callable[..., Metered]) -> None:
    world = metered_on("dovecot", here=False, connections=connections)
    octets = [note(f"m{number}", size=20_000) for number in range(2000)]
    world.client.fill("INBOX", [(message, frozenset(), 1_500_000_000) for message in octets])
    whole = sum(map(len, octets))
    command = [sys.executable, "-m", "syncer", "-c", str(world.configuration), "sync"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    while len(delivered(world)) < 600:
        assert running.poll() is None
        time.sleep(0.01)
    running.kill()
    running.wait()

    kept = delivered(world)
    assert 600 <= len(kept) < len(octets)
    done, cost = world.measured()
    assert done["downloaded"] == len(octets) - len(kept)
    # What was visible and not yet recorded is recognised by its header block.
    assert cost.received < whole * (1 - len(kept) / len(octets)) * 1.1 + 1000 * len(kept)
    assert kept < delivered(world)
    world.converged()


@pytest.mark.parametrize("to_server", [True, False], ids=["from us", "from the server"])
@pytest.mark.parametrize("hide", [(), ("UIDPLUS",)], ids=["uids told", "uids not told"])
def test_cut_off_at_any_octet_of_an_upload_it_loses_and_doubles_nothing(
    dovecot_with: Callable[..., Dovecot], world_on: Callable[..., World], to_server: bool, hide: tuple[str, ...]
) -> None:
    dovecot = dovecot_with(hide=hide) if hide else dovecot_with()

    def fresh(proxy: CountingProxy) -> World:
        world = world_on(dovecot, port=proxy.port, here=True)
        world.local.create("INBOX")
        for number in range(60):
            world.local.deliver("INBOX", note(f"m{number % 50}", size=2_000), ["\\Seen"] if number % 2 else [])
        return world

    with CountingProxy(dovecot.port) as proxy:
        world = fresh(proxy)
        wanted = by_mailbox(world.on_disk())
        world.sync().done()
        whole = proxy.count.to_server if to_server else proxy.count.to_client
    for point in range(CUTS):
        with CountingProxy(dovecot.port) as proxy:
            world = fresh(proxy)
            proxy.cut_after(whole * (2 * point + 1) // (2 * CUTS), to_server=to_server)
            world.sync()
            assert proxy.cut.is_set()
            for _ in range(2):
                world.sync().done()
            assert by_mailbox(world.on_server()) == wanted
            assert by_mailbox(world.on_disk()) == wanted
            world.sync().quiet()
            world.close()
            del world.client


@pytest.mark.parametrize("left", [("cur", "tmp"), ("tmp",), ("new",)])
def test_a_mailbox_of_which_a_killed_run_left_only_a_part_is_deleted_by_the_next(
    dovecot: Dovecot, world_on: Callable[..., World], left: tuple[str, ...]
) -> None:
    world = world_on(dovecot, here=True, mailbox_changes="all")
    world.client.create("Old")
    world.client.append("Old", note("old"))
    world.sync().done()
    world.client.delete_mailbox("Old")
    for file in world.local.files("Old"):
        world.local.delete(file)  # it is in the attic
    for part in {"cur", "new", "tmp"} - set(left):
        (world.local.directory("Old") / part).rmdir()

    world.sync().done()
    assert not world.local.directory("Old").exists()
    world.sync().quiet()


@pytest.mark.parametrize("made", [("tmp",), ("tmp", "new")])
def test_a_mailbox_of_which_a_killed_run_made_only_a_part_holds_nothing_up(
    dovecot: Dovecot, world_on: Callable[..., World], made: tuple[str, ...]
) -> None:
    world = world_on(dovecot, here=True)
    for token in ("kept", "deleted"):
        world.client.append("INBOX", note(token))
    world.sync().done()
    world.client.create("New")
    world.client.append("New", note("new"))
    for part in made:
        (world.local.directory("New") / part).mkdir(parents=True)
    (deleted,) = (file for file in world.local.files("INBOX") if token_of(file.octets) == "deleted")
    world.local.delete(deleted)

    world.sync().done()
    wanted = {"INBOX": [("kept", [])], "New": [("new", [])]}
    assert (by_mailbox(world.on_server()), by_mailbox(world.on_disk())) == (wanted, wanted)
    world.sync().quiet()
