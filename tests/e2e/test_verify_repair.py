"""`syncer verify --repair`, on real servers: every damage is mended from the side that is whole."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from e2e.damage import (
    SERVERS,
    VERBATIM,
    attic,
    checked,
    file_of,
    filled,
    flip,
    found,
    index,
    on_servers_disk,
    rows,
    tree,
    verify,
)
from e2e.world import World, environment
from servers.dovecot import Dovecot
from servers.mail import note, token_of
from servers.proxy import CountingProxy


@pytest.mark.parametrize("name", SERVERS)
class TestOnEveryServer:
    def test_what_was_synchronised_is_whole(self, name: str, world_at: Callable[..., World]) -> None:
        world = world_at(name)
        outcome = verify(world).done()
        assert (found(outcome), found(outcome, "Box"), checked(outcome)) == ({}, {}, 15)

    def test_damaged_files_are_found_and_repaired_and_a_sync_has_nothing_to_do(
        self, name: str, world_at: Callable[..., World]
    ) -> None:
        world = world_at(name)
        before = {path: octets for path, (octets, _) in tree(world.local.root).items() if octets}
        flipped, cut, empty, one, other = (file_of(world, token) for token in ("m2", "m4", "m6", "m8", "m11"))
        flip(flipped.path)
        os.truncate(cut.path, 700)
        os.truncate(empty.path, 0)
        one_octets, other_octets = one.octets, other.octets
        one.path.write_bytes(other_octets)
        other.path.write_bytes(one_octets)
        flip(file_of(world, "b1", "Box").path)
        damaged = sorted(file.octets for file in (flipped, cut, empty, one, other))

        outcome = verify(world).failed(1, "damaged", str(cut.path), "--repair")
        assert found(outcome) == {"damaged": [(uid, False) for uid in (2, 4, 6, 8, 11)]}
        outcome = verify(world, "--repair")
        assert outcome.status == 0, outcome.err
        assert found(outcome) == {"damaged": [(uid, True) for uid in (2, 4, 6, 8, 11)]}
        assert len(found(outcome, "Box")["damaged"]) == 1

        assert {path: octets for path, (octets, _) in tree(world.local.root).items() if octets} == before
        assert set(damaged) < set(attic(world))
        assert len(attic(world)) == 6
        verify(world).done()
        world.sync().quiet()
        world.sync("--full").quiet()
        world.converged()


@pytest.mark.dovecot
def test_messages_with_other_line_endings_are_whole(dovecot: Dovecot, world_on: Callable[..., World]) -> None:
    # Sent verbatim: Dovecot with sdbox keeps bare line feeds where the client sends them as such.
    world = world_on(dovecot, here=True)
    for octets in VERBATIM.values():
        world.client.append("INBOX", octets)
    world.sync().done()
    assert checked(verify(world).done()) == 3
    for file in world.local.files("INBOX"):
        flip(file.path)
    assert len(found(verify(world, "--repair"))["damaged"]) == 3
    verify(world).done()
    world.converged()


@pytest.mark.dovecot
@pytest.mark.parametrize("column", ["content", "header", "size"])
def test_a_wrong_index_is_corrected(whole: World, column: str) -> None:
    before = rows(whole)
    value = "size + 1" if column == "size" else "zeroblob(16)"
    with index(whole) as connection:
        connection.execute(f"UPDATE pair SET {column} = {value} WHERE uid = 5")
    connection.close()
    outcome = verify(whole).failed(1, "the index is wrong", "UID 5")
    assert found(outcome) == {"index_wrong": [(5, False)]}
    assert found(verify(whole, "--repair")) == {"index_wrong": [(5, True)]}
    assert rows(whole)[2] == before[2]
    verify(whole).done()
    whole.sync().quiet()


@pytest.mark.parametrize(
    "name", [pytest.param("maildir", marks=pytest.mark.dovecot), pytest.param("courier", marks=pytest.mark.courier)]
)
def test_a_body_that_changed_on_the_server_is_uploaded_beside_it(
    name: str, dovecot_with: Callable[..., Dovecot], request: pytest.FixtureRequest, world_on: Callable[..., World]
) -> None:
    server = dovecot_with(fmt="maildir") if name == "maildir" else request.getfixturevalue(name)
    world = filled(world_on(server, here=True))
    flip(on_servers_disk(world, "m4"))
    (damaged,) = (message for message in world.client.messages("INBOX") if message.uid == 4)
    assert token_of(damaged.octets) == "m4"
    mine = file_of(world, "m4").octets

    outcome = verify(world).failed(1, "the server has another copy", "UID 4", "--repair")
    assert found(outcome) == {"server_differs": [(4, False)]}
    before = tree(world.local.root)
    outcome = verify(world, "--repair")
    assert (outcome.status, found(outcome)) == (0, {"server_differs": [(4, True)]}), outcome.err
    messages = {message.uid: message.octets for message in world.client.messages("INBOX")}
    assert (messages[4], messages[13].replace(b"\r\n", b"\n")) == (damaged.octets, mine)
    assert tree(world.local.root) == before

    for _ in range(2):
        world.sync().quiet()
        verify(world).done()
    world.sync("--full").quiet()
    assert len(world.client.uids("INBOX")) == 13
    assert len(world.local.files("INBOX")) == 12
    world.client.expunge("INBOX", [4])
    world.sync().quiet()
    world.converged()


@pytest.mark.dovecot
def test_another_message_under_a_known_uid_is_left_alone(
    dovecot_with: Callable[..., Dovecot], world_on: Callable[..., World]
) -> None:
    world = filled(world_on(dovecot_with(fmt="maildir"), here=True))
    path = on_servers_disk(world, "m4")
    octets = path.read_bytes().replace(b"X-Token: m4\n", b"X-Token: zz\n")
    path.write_bytes(octets.replace(b"X-Token: m4\r\n", b"X-Token: zz\r\n").ljust(len(octets)))
    before = world.on_server(), world.on_disk(), rows(world)
    assert found(verify(world, "--repair").failed(1, "UID 4")) == {"server_differs": [(4, False)]}
    assert (world.on_server(), world.on_disk(), rows(world)) == before


@pytest.mark.dovecot
def test_killed_in_the_middle_of_a_repair_it_loses_nothing_and_goes_on(
    dovecot: Dovecot, world_on: Callable[..., World]
) -> None:
    world = world_on(dovecot)
    tokens = [f"k{number}" for number in range(150)]
    world.client.fill("INBOX", [(note(token, size=20_000), frozenset(), 1_500_000_000) for token in tokens])
    world.sync().done()
    names = [file.path.name for file in world.local.files("INBOX")]
    rng = random.Random(1)
    killed = 0
    for _ in range(6):
        for file in world.local.files("INBOX"):
            flip(file.path)
        command = [sys.executable, "-m", "syncer", "-c", str(world.configuration), "verify", "--repair"]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        wanted = rng.randrange(100)
        while running.poll() is None and len(attic(world)) < wanted:
            time.sleep(0.005)
        killed += running.poll() is None
        running.kill()
        running.wait()
        assert [file.path.name for file in world.local.files("INBOX")] == names
        world.sync().quiet()
        outcome = verify(world, "--repair")
        assert outcome.status == 0, outcome.err
        verify(world).done()
        world.sync().quiet()
        world.converged()
        shutil.rmtree(world.directory / "state" / "attic")
    assert killed >= 3


@pytest.mark.dovecot
@pytest.mark.parametrize("part", [0.3, 0.6, 0.97])
def test_a_connection_that_is_cut_off_is_made_again_and_what_was_read_is_not_read_again(
    dovecot: Dovecot, world_on: Callable[..., World], part: float
) -> None:
    tokens = [f"k{number}" for number in range(300)]
    with CountingProxy(dovecot.port) as proxy:
        world = world_on(dovecot, port=proxy.port, here=True, connections=1)
        world.client.fill("INBOX", [(note(token, size=20_000), frozenset(), 1_500_000_000) for token in tokens])
        world.sync().done()
        flip(file_of(world, "k7").path)
        before = proxy.count.to_client
        verify(world).failed(1, "damaged")
        once = proxy.count.to_client - before
    with CountingProxy(dovecot.port) as proxy:
        world.configure(port=proxy.port)
        proxy.cut_after(int(once * part), to_server=False)
        outcome = verify(world, "--repair")
        assert proxy.cut.is_set()
        assert (outcome.status, found(outcome), checked(outcome)) == (0, {"damaged": [(8, True)]}, 300), outcome.err
        assert proxy.count.to_client < once * 1.8
    world.configure(port=dovecot.port)
    world.converged()


@pytest.mark.dovecot
def test_memory_does_not_depend_on_the_size_of_a_message(dovecot: Dovecot, world_on: Callable[..., World]) -> None:
    world = world_on(dovecot)
    world.client.append("INBOX", note("small"))
    world.sync().done()
    small = peak(world, "verify", "--repair")
    world.client.append("INBOX", note("large", size=50_000_000))
    world.sync().done()
    flip(file_of(world, "large").path)
    large = peak(world, "verify", "--repair")
    verify(world).done()
    assert large < small + 12_000_000


def peak(world: World, *arguments: str) -> int:
    """The most memory that a run used, in octets."""
    program = (
        "import os, resource, sys\n"
        "pid = os.posix_spawn(sys.executable, [sys.executable, '-m', 'syncer', *sys.argv[1:]], os.environ)\n"
        "_, status, used = os.wait4(pid, 0)\n"
        "print(used.ru_maxrss * 1024)\n"
        "sys.exit(os.waitstatus_to_exitcode(status))\n"
    )
    command = [sys.executable, "-c", program, "-c", str(world.configuration), *arguments]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
    return int(ended.stdout)
