"""`syncer status --follow` shows live what happens, whoever comes and goes."""

import itertools
import json
import signal
import threading
from collections.abc import Callable

import pytest
from e2e.watching import Following, Watched
from e2e.world import World
from servers.base import Server
from servers.dovecot import Dovecot
from servers.mail import note
from servers.proxy import CountingProxy

Make = Callable[..., World]
Named = Callable[[str], Server]
NOBODY = "test: no `syncer watch` keeps it equal; waiting for one"
EQUAL = "test: both sides are equal; the server "
TELLS = [
    pytest.param("dovecot", "tells of every mailbox (NOTIFY)", marks=pytest.mark.dovecot),
    pytest.param(
        "dovecot-hides-NOTIFY", "tells of INBOX (IDLE), and is asked about the others", marks=pytest.mark.dovecot
    ),
    pytest.param("dovecot-hides-NOTIFY,IDLE", "is asked from time to time", marks=pytest.mark.dovecot),
]


def filled(world: World) -> World:
    """Six messages on both sides."""
    for number in range(6):
        world.client.append("INBOX", note(f"i{number}"), ())
    world.sync().done()
    return world


@pytest.mark.parametrize(("name", "tells"), TELLS)
def test_it_shows_what_the_watch_does(server_named: Named, world_on: Make, name: str, tells: str) -> None:
    world = filled(world_on(server_named(name), poll_interval="10s"))
    with Watched(world) as watched:
        watched.until_equal(6)
        with Following(world) as follower:
            follower.until("  6 messages in 1 mailboxes", "    INBOX        6  just now\n", f"{EQUAL}{tells}\n")
            world.client.append("INBOX", note("new there"), ())
            follower.until("test:INBOX: 1 downloaded\n")
            world.local.change_flags("INBOX", world.local.files("INBOX")[0], add=["\\Flagged"])
            follower.until("test:INBOX: 1 downloaded\n", "test:INBOX: 1 flags sent\n")


@pytest.mark.dovecot
def test_it_waits_for_a_watch_and_stays_when_that_is_started_again(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot))
    with Following(world) as follower:
        follower.until("  6 messages in 1 mailboxes", NOBODY)
        for number in range(2):
            with Watched(world):
                follower.until(*[NOBODY, EQUAL] * (number + 1))
                world.client.append("INBOX", note(f"new {number}"), ())
                follower.until(*[NOBODY, EQUAL, "test:INBOX: 1 downloaded\n"] * (number + 1))
            follower.until(*[NOBODY, EQUAL] * (number + 1), NOBODY)
        said = follower.said
        assert (said.count(NOBODY), said.count("another process")) == (3, 0), said


@pytest.mark.dovecot
def test_a_configuration_that_is_read_again_interrupts_nothing(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot))
    with Watched(world) as watched, Following(world) as follower:
        follower.until(EQUAL)
        watched.signal(signal.SIGHUP)
        watched.until(lambda: watched.said.count("watching test") == 2, "read again")
        changes = itertools.count()

        def told() -> bool:
            """What happens in the moment in which it follows anew, it may miss."""
            world.local.deliver("INBOX", note(f"new {next(changes)}"), ())
            return "uploaded" in follower.said

        watched.until(told, "followed again")
        assert NOBODY not in follower.said.partition(EQUAL)[2]


@pytest.mark.dovecot
def test_what_goes_wrong_is_told_and_when_it_is_over(dovecot: Dovecot, world_on: Make) -> None:
    with CountingProxy(dovecot.port) as proxy:
        world = filled(world_on(dovecot, port=proxy.port))
        with Watched(world) as watched, Following(world) as follower:
            follower.until(EQUAL)
            proxy.sever()
            world.local.deliver("INBOX", note("new"), ())
            follower.until(EQUAL, "syncer: account test", "test: tried again in")
            with Following(world) as second:
                second.until("queued: 1 new", "test: waiting for the network, until ")
                proxy.mend()
                for one in (follower, second):
                    one.until("test:INBOX: 1 uploaded\n")
            follower.until("tried again in", "test: all is well again\n")
            for file in world.local.files("INBOX"):
                world.local.delete(file)
            follower.until(
                "syncer: test:INBOX: 7 messages not deleted on the server", "test: not all is in order in INBOX;"
            )
            root, away = world.local.root, world.local.root.with_name("away")
            root.rename(away)
            follower.until("syncer: ", "the Maildir cannot be trusted", NOBODY)
            away.rename(root)
            watched.signal(signal.SIGUSR1)
            follower.until(NOBODY, "test: not all is in order in INBOX; the server tells of every mailbox")


@pytest.mark.dovecot
def test_one_that_is_stopped_keeps_neither_the_watch_nor_another_waiting(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot))
    with Watched(world) as watched:
        watched.until_equal(6)
        with Following(world) as other, Following(world) as stopped:
            for one in (other, stopped):
                one.until(EQUAL)
            before = watched.descriptors()
            stopped.signal(signal.SIGSTOP)
            for number in range(20):
                world.client.append("INBOX", note(f"new {number}"), ())
                watched.until_equal(7 + number)
            other.until(*["downloaded"] * 3)
            stopped.signal(signal.SIGCONT)
            stopped.until(*["downloaded"] * 3)
        watched.until(lambda: watched.descriptors() <= before - 2, "both forgotten")


@pytest.mark.dovecot
def test_a_sync_beside_it_is_another_process_until_it_is_over(dovecot: Dovecot, world_on: Make) -> None:
    with CountingProxy(dovecot.port) as proxy:
        world = filled(world_on(dovecot, port=proxy.port))
        with Following(world) as follower:
            follower.until(NOBODY)
            proxy.stall_after(0)
            world.client.append("INBOX", note("new"), ())
            syncing = threading.Thread(target=world.sync)
            syncing.start()
            follower.until("test: another process works on it, 6 messages so far\n")
            proxy.go_on()
            syncing.join(60)
            follower.until("another process", "  7 messages in 1 mailboxes", NOBODY)


@pytest.mark.dovecot
def test_each_line_is_a_document_for_a_program(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot))
    with Watched(world) as watched:
        watched.until_equal(6)
        with Following(world, "--json") as follower:
            follower.until('"event": "state"', '"by": "watch"')
            world.client.append("INBOX", note("new"), ())
            follower.until('"event": "passed"', '"downloaded": 1')
    lines = [json.loads(line) for line in follower.said.splitlines()]
    assert {(line["version"], line["account"]) for line in lines} == {(1, "test")}
    assert [line["event"] for line in lines[:2]] == ["status", "state"]
    assert lines[0]["status"]["mailboxes"][0]["messages"] == 6
    states = [line["watch"] for line in lines if line["event"] == "state"]
    assert (states[-1]["how"], states[-1]["connected"], states[-1]["last"]["ok"]) == ("notify", True, True)
    (report,) = (line["report"] for line in lines if line["event"] == "passed" and line["report"]["mailboxes"])
    assert (report["name"], report["mailboxes"][0]["downloaded"]) == ("test", 1)
