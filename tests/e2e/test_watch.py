"""Both sides stay equal by themselves: whatever happens on either, and whatever happens in between."""

import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.watching import Watched
from e2e.world import World, run
from servers.base import Server
from servers.dovecot import Dovecot
from servers.mail import note
from servers.proxy import CountingProxy

from syncer.index import open_index

SERVERS = [
    pytest.param("dovecot", marks=pytest.mark.dovecot),
    pytest.param("dovecot-hides-NOTIFY", marks=pytest.mark.dovecot),
    pytest.param("dovecot-hides-NOTIFY,IDLE", marks=pytest.mark.dovecot),
    pytest.param("cyrus", marks=pytest.mark.cyrus),
    pytest.param("courier", marks=pytest.mark.courier),
]
EVERY = [SERVERS[0], *SERVERS[3:]]
"""With NOTIFY; with IDLE; with IDLE and without CONDSTORE."""
QUICK = {"poll_interval": "10s"}
Named = Callable[[str], Server]
Make = Callable[..., World]


def filled(world: World) -> World:
    """Two mailboxes on both sides."""
    world.client.create("Work")
    for number in range(6):
        world.client.append("INBOX", note(f"i{number}"), ())
        world.client.append("Work", note(f"w{number}"), ())
    return world


@pytest.mark.parametrize("name", SERVERS)
def test_whatever_happens_on_either_side_happens_on_the_other(server_named: Named, world_on: Make, name: str) -> None:
    world = filled(world_on(server_named(name), **QUICK))
    local, client = world.local, world.client
    with Watched(world) as watched:
        watched.until_equal(12)
        client.append("INBOX", note("new there"), ())
        watched.until_equal(13)
        client.append("Work", note("new in another"), ("\\Flagged",))
        watched.until_equal(14)
        client.store("INBOX", [1], "+FLAGS", ["\\Seen"])
        client.expunge("Work", [1])
        watched.until_equal(13)
        local.deliver("Work", note("new here"), ("\\Seen",))
        watched.until_equal(14)
        first, second, third, *_ = local.files("INBOX")
        local.change_flags("INBOX", first, add=["\\Flagged"])
        local.delete(second)
        local.move("INBOX", third, "Work", keep_name=True)
        watched.until_equal(13)
        local.create("Made here")
        client.create("Made there")
        client.append("Made there", note("in a new mailbox"), ())
        watched.until(lambda: client.mailboxes() == local.mailboxes(), "the same mailboxes")
        watched.until_equal(14)
    world.converged()


@pytest.mark.parametrize("name", [SERVERS[1], SERVERS[3]])
def test_a_message_that_is_moved_there_is_moved_here_although_only_inbox_is_listened_to(
    server_named: Named, world_on: Make, name: str
) -> None:
    world = filled(world_on(server_named(name), poll_interval="1d"))
    with Watched(world) as watched:
        watched.until_equal(12)
        for uid in (1, 2, 3):  # a pass that is under way may have seen INBOX before the move and Work after it
            world.client.move("INBOX", [uid], "Work")
            watched.until_equal(12)
        watched.until(lambda: "test:Work: 1 moved in the Maildir\n" in watched.said, "moved")
    world.converged()


@pytest.mark.dovecot
def test_a_server_that_tells_of_nothing_after_a_rename_is_looked_at_all_the_same(
    dovecot: Dovecot, world_on: Make
) -> None:
    world = filled(world_on(dovecot, keepalive="10s", **QUICK))
    with Watched(world) as watched:
        watched.until_equal(12)
        world.client.rename_mailbox("Work", "Elsewhere")
        watched.until(lambda: "Elsewhere" in world.local.mailboxes(), "renamed here")
        for number in range(3):
            world.client.create(f"New {number}")
            world.client.append(f"New {number}", note(f"after it {number}"), ())
        watched.until_equal(15)
    world.converged()


@pytest.mark.dovecot
def test_mail_that_the_server_leaves_out_beside_what_it_tells_is_looked_for(
    dovecot_with: Callable[..., Dovecot], world_on: Make
) -> None:
    """Dovecot 2.3 does so in INBOX, when its log was begun anew and another mailbox has just changed."""
    server = dovecot_with(extra="mail_index_log_rotate_min_size = 4k\nmail_index_log_rotate_min_age = 1s")
    world = filled(world_on(server))
    client, log = world.client, server.mailbox_directory(world.user, "INBOX") / "dovecot.index.log"
    with Watched(world) as watched:
        watched.until_equal(12)
        for number in range(4):
            before, sign = log.stat().st_ino, "+"
            while log.stat().st_ino == before:
                client.store("INBOX", client.uids("INBOX"), f"{sign}FLAGS", ["\\Flagged", "work", "home"])
                sign = "-" if sign == "+" else "+"
            watched.until_equal(12 + number)
            time.sleep(1.5)  # or what else happens makes it tell of all there was
            client.store("Work", client.uids("Work"), "+FLAGS" if number % 2 else "-FLAGS", ["\\Seen"])
            time.sleep(0.42)
            client.append("INBOX", note(f"left out {number}"), ())
            watched.until_equal(13 + number)
    world.converged()


@pytest.mark.parametrize("name", EVERY)
def test_many_edits_go_out_in_a_few_commands(server_named: Named, world_on: Make, name: str) -> None:
    with CountingProxy(server_named(name).port) as proxy:
        world = world_on(server_named(name), port=proxy.port)
        for number in range(300):
            world.client.append("INBOX", note(f"i{number}"), ())
        with Watched(world) as watched:
            watched.until_equal(300)
            before = len(proxy.count.lines)
            for file in world.local.files("INBOX"):
                world.local.change_flags("INBOX", file, add=["\\Seen"])
            watched.until_equal(300)
            assert len(proxy.count.lines) - before < 100, proxy.count.lines[before:]
        world.converged()


@pytest.mark.parametrize("name", EVERY)
def test_what_happened_while_it_did_not_run_is_found(server_named: Named, world_on: Make, name: str) -> None:
    world = filled(world_on(server_named(name)))
    with Watched(world) as watched:
        watched.until_equal(12)
    world.client.append("INBOX", note("meanwhile there"), ())
    world.local.deliver("INBOX", note("meanwhile here"), ())
    world.local.change_flags("INBOX", world.local.files("INBOX")[0], add=["\\Flagged"])
    with Watched(world) as watched:
        watched.until_equal(14)
    world.converged()


@pytest.mark.parametrize("name", EVERY)
def test_a_connection_that_is_cut_is_made_again_and_nothing_is_missed(
    server_named: Named, world_on: Make, name: str
) -> None:
    with CountingProxy(server_named(name).port) as proxy:
        world = filled(world_on(server_named(name), port=proxy.port))
        with Watched(world) as watched:
            watched.until_equal(12)
            for number in range(3):
                proxy.sever()
                world.client.append("INBOX", note(f"cut {number} there"), ())
                world.local.deliver("INBOX", note(f"cut {number} here"), ())
                watched.until(lambda: "tried again in" in watched.said, "said to be offline")
                proxy.mend()
                watched.until_equal(14 + 2 * number)
            assert "all is well again" in watched.said
        world.converged()


@pytest.mark.parametrize("name", EVERY)
def test_a_process_that_was_stopped_and_goes_on_misses_nothing(server_named: Named, world_on: Make, name: str) -> None:
    world = filled(world_on(server_named(name)))
    with Watched(world) as watched:
        watched.until_equal(12)
        watched.signal(signal.SIGSTOP)
        world.client.append("INBOX", note("while it slept there"), ())
        world.local.deliver("Work", note("while it slept here"), ())
        watched.signal(signal.SIGCONT)
        watched.until_equal(14)
    world.converged()


@pytest.mark.dovecot
def test_a_signal_makes_it_look_at_everything_now(world_on: Make, dovecot_with: Callable[..., Dovecot]) -> None:
    world = filled(world_on(dovecot_with(hide=("NOTIFY", "IDLE")), poll_interval="1d"))
    with Watched(world) as watched:
        watched.until_equal(12)
        world.client.append("Work", note("nobody tells of it"), ())
        watched.signal(signal.SIGUSR1)
        watched.until_equal(13)
    world.converged()


@pytest.mark.dovecot
def test_a_signal_makes_it_read_the_configuration_again(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot, exclude=["Work"]))
    with Watched(world) as watched:
        watched.until(lambda: len(world.local.files("INBOX")) == 6, "INBOX")
        text = world.configuration.read_text()
        world.configuration.write_text(text + "nonsense\n")
        watched.signal(signal.SIGHUP)
        watched.until(lambda: "the configuration stays as it was" in watched.said, "said to be wrong")
        world.configure(exclude=[])
        watched.signal(signal.SIGHUP)
        watched.until_equal(12)
        world.client.append("Work", note("new there"), ())
        watched.until_equal(13)
    world.converged()


@pytest.mark.parametrize("name", EVERY)
def test_a_password_that_stops_working_is_parked_and_tried_again_on_a_signal(
    server_named: Named, world_on: Make, name: str
) -> None:
    with CountingProxy(server_named(name).port) as proxy:
        world = filled(world_on(server_named(name), port=proxy.port))
        right = world.settings["password"]
        world.configure(password="wrong")
        with Watched(world) as watched:
            watched.until(lambda: "tried again in 30 s" in watched.said, "said to be refused")
            assert 1 <= proxy.count.commands["LOGIN"] + proxy.count.commands["AUTHENTICATE"] <= 2
            world.configure(password=right)
            watched.signal(signal.SIGHUP)
            watched.until_equal(12)
        world.converged()


@pytest.mark.parametrize("name", EVERY)
def test_a_maildir_that_goes_away_and_comes_back_loses_nothing(server_named: Named, world_on: Make, name: str) -> None:
    world = filled(world_on(server_named(name)))
    root = world.local.root
    with Watched(world) as watched:
        watched.until_equal(12)
        away = root.with_name("away")
        root.rename(away)
        watched.until(lambda: "tried again in" in watched.said, "said to be gone")
        assert len(world.client.uids("INBOX")) == 6
        away.rename(root)
        world.client.append("INBOX", note("meanwhile"), ())
        watched.signal(signal.SIGUSR1)
        watched.until_equal(13)
    world.converged()


@pytest.mark.dovecot
def test_one_mailbox_can_be_watched_alone(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot))
    with Watched(world, "test:Work") as watched:
        watched.until(lambda: len(world.local.files("Work")) == 6, "Work")
        world.client.append("INBOX", note("not wanted"), ())
        world.client.append("Work", note("wanted"), ())
        watched.until(lambda: len(world.local.files("Work")) == 7, "the new one")
        assert "INBOX" not in world.local.mailboxes() or not world.local.files("INBOX")


@pytest.mark.dovecot
@pytest.mark.parametrize("command", ["verify", "restore --deleted"])
def test_nobody_waits_for_a_watch_who_wants_the_account_alone(dovecot: Dovecot, world_on: Make, command: str) -> None:
    world = filled(world_on(dovecot))
    with Watched(world) as watched:
        watched.until_equal(12)
        outcome = run("-c", str(world.configuration), *command.split(), "--wait", "test", timeout=30)
        outcome.failed(1, "a `syncer watch` keeps it equal", "end it")


@pytest.mark.parametrize("name", EVERY)
def test_connections_and_descriptors_do_not_grow(server_named: Named, world_on: Make, name: str) -> None:
    with CountingProxy(server_named(name).port) as proxy:
        world = filled(world_on(server_named(name), port=proxy.port))
        with Watched(world) as watched:
            watched.until_equal(12)
            descriptors = watched.descriptors()
            for number in range(5):
                world.client.append("INBOX", note(f"one of many {number}"), ())
                proxy.sever()
                proxy.mend()
                watched.until_equal(13 + number)
            watched.until(lambda: watched.descriptors() <= descriptors + 2, "descriptors closed")
        world.converged()


@pytest.mark.dovecot
def test_a_server_that_is_started_again_is_found_again(world_on: Make) -> None:
    # A short path: servers keep sockets below it.
    with (
        tempfile.TemporaryDirectory(prefix="watch-", ignore_cleanup_errors=True) as directory,
        Dovecot(Path(directory) / "dovecot") as server,
        CountingProxy(server.port) as proxy,
    ):
        Path(directory).chmod(0o755)
        world = filled(world_on(server, port=proxy.port))
        with Watched(world) as watched:
            watched.until_equal(12)
            world.close()
            del world.client
            proxy.sever()
            server.stop()
            world.local.deliver("INBOX", note("meanwhile"), ())
            watched.until(lambda: "tried again in" in watched.said, "said to be offline")
            server.start()
            proxy.mend()
            watched.until_equal(13)
        world.converged()


@pytest.mark.dovecot
def test_a_service_manager_is_told(dovecot: Dovecot, world_on: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = filled(world_on(dovecot))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(30)
        manager.bind(f"\0watch-{world.user}-{os.getpid()}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@watch-{world.user}-{os.getpid()}")
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        with Watched(world) as watched:
            watched.until_equal(12)
            heard = {manager.recv(4096) for _ in range(10)}
        while b"STOPPING=1" not in heard:
            heard.add(manager.recv(4096))
    assert heard == {b"READY=1", b"WATCHDOG=1", b"STATUS=test: both sides are equal", b"STOPPING=1"}


@pytest.mark.dovecot
def test_a_command_is_told_which_files_have_changed(dovecot: Dovecot, world_on: Make, tmp_path: Path) -> None:
    told = tmp_path / "told"
    world = filled(world_on(dovecot))
    world.configuration.write_text(
        f'on_change = ["sh", "-c", "cat >> {told}; echo heard"]\n' + world.configuration.read_text()
    )

    def changes() -> list[tuple[str, list[str], list[str], list[list[str]]]]:
        lines = told.read_text().splitlines() if told.exists() else []
        each = [change for line in lines for change in json.loads(line)["changes"]]
        return [(change["mailbox"], change["added"], change["removed"], change["changed"]) for change in each]

    with Watched(world) as watched:
        watched.until_equal(12)
        watched.until(lambda: sum(len(added) for _, added, _, _ in changes()) == 12, "all told of")
        assert {path for _, added, _, _ in changes() for path in added} == {
            str(file.path) for mailbox in ("INBOX", "Work") for file in world.local.files(mailbox)
        }
        before = {file.octets: str(file.path) for file in world.local.files("INBOX")}
        first, second = world.client.messages("INBOX")[:2]
        world.client.store("INBOX", [first.uid], "+FLAGS", ["\\Flagged"])
        world.client.expunge("INBOX", [second.uid])
        watched.until_equal(11)
        watched.until(lambda: any(removed for _, _, removed, _ in changes()), "told of what was removed")
        watched.until(lambda: any(changed for _, _, _, changed in changes()), "told of what was changed")
        (removed,) = (path for _, _, removed, _ in changes() for path in removed)
        ((old, new),) = (pair for _, _, _, changed in changes() for pair in changed)
        after = {file.octets: str(file.path) for file in world.local.files("INBOX")}
        assert removed == next(path for octets, path in before.items() if octets not in after)
        assert (old, new) == next(
            (before[octets], after[octets]) for octets in after if before[octets] != after[octets]
        )
        assert "heard" in watched.said
    world.converged()


@pytest.mark.dovecot
def test_prometheus_is_told_and_what_is_said_can_be_json(dovecot: Dovecot, world_on: Make, tmp_path: Path) -> None:
    told = tmp_path / "syncer.prom"
    world = filled(world_on(dovecot))
    world.configuration.write_text(f'metrics_file = "{told}"\n' + world.configuration.read_text())
    with Watched(world, "--log-format", "json") as watched:
        watched.until_equal(12)
        watched.until(
            lambda: 'syncer_changes_total{account="test",change="downloaded"} 12' in told.read_text(), "all are counted"
        )
        assert {
            'syncer_connection_up{account="test"} 1',
            'syncer_mailboxes_in_trouble{account="test"} 0',
            'syncer_errors_total{account="test",stopped="message"} 0',
        } <= set(told.read_text().splitlines())
        said = [json.loads(line) for line in watched.said.splitlines()]
        assert {("info", "test", "INBOX"), ("info", "test", "Work")} <= {
            (line["level"], line["account"], line["mailbox"]) for line in said if "downloaded" in line["message"]
        }
    assert not told.exists()
    world.converged()


@pytest.mark.dovecot
def test_a_sync_asks_the_watch_and_prints_what_it_would_print_alone(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot, poll_interval="1d", max_delete=0.5))
    with Watched(world) as watched:
        watched.until_equal(12)
        world.sync().quiet()
        world.sync("--full").quiet()
        for file in world.local.files("Work"):
            world.local.delete(file)
        held = world.sync()
        assert (held.status, "6 messages not deleted on the server" in held.err) == (4, True)
        assert len(world.client.uids("Work")) == 6
        plan = world.sync("--dry-run", "--allow-delete", "test:Work")
        assert plan.status == 0
        assert len(world.client.uids("Work")) == 6
        allowed = world.sync("--allow-delete", "test:Work").done()
        assert allowed.totals == {"deleted_remote": 6}
        world.sync("test:INBOX").quiet()
        unknown = run("-c", str(world.configuration), "sync", "test:Nowhere")
        assert unknown.status != 0
        assert "Traceback" not in unknown.err
    world.converged()


@pytest.mark.dovecot
def test_a_sync_that_asks_is_told_that_there_is_no_connection(dovecot: Dovecot, world_on: Make) -> None:
    with CountingProxy(dovecot.port) as proxy:
        world = filled(world_on(dovecot, port=proxy.port))
        with Watched(world) as watched:
            watched.until_equal(12)
            proxy.sever()
            world.sync().failed(3, "test")
            proxy.mend()
            watched.until(lambda: world.sync().status == 0, "back")
        world.converged()


@pytest.mark.dovecot
def test_each_thing_that_is_done_is_a_line_for_those_who_follow(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot))
    with Watched(world, "--events") as watched:
        watched.until_equal(12)
        world.local.change_flags("Work", world.local.files("Work")[0], add=["\\Seen"])
        watched.until_equal(12)
        world.client.expunge("INBOX", [2])
        watched.until_equal(11)
        watched.until(lambda: "removed from the Maildir" in watched.said, "told")
    lines = [json.loads(line) for line in watched.said.splitlines() if line.startswith("{")]
    done = [(line["account"], line["mailbox"], line["event"], line["messages"]) for line in lines]
    assert sorted(done[:2]) == [("test", "INBOX", "downloaded", 6), ("test", "Work", "downloaded", 6)]
    assert done[2:] == [("test", "Work", "flags sent", 1), ("test", "INBOX", "removed from the Maildir", 1)]
    journal = json.loads(run("-c", str(world.configuration), "log", "--json").out)["accounts"][0]["events"]
    assert [(event["mailbox"], event["done"], event["messages"]) for event in journal] == [row[1:] for row in done]
    assert len({event["sync"] for event in journal}) == 3
    world.converged()


@pytest.mark.dovecot
def test_what_needs_the_account_for_itself_says_that_it_is_watched(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot))
    with Watched(world) as watched:
        watched.until_equal(12)
        for words in (["verify", "test"], ["mailbox", "create", "test", "Other"], ["watch"]):
            ran = run("-c", str(world.configuration), *words)
            assert (ran.status != 0, "a `syncer watch` keeps it equal" in ran.err) == (True, True), ran.err
        for words in (["mailbox", "list", "test"], ["check", "test"]):
            looked = run("-c", str(world.configuration), *words)
            assert (looked.status, "another program" in looked.out + looked.err) == (0, False), looked


def test_a_mailbox_that_is_renamed_out_of_what_is_watched_is_not_deleted_here(dovecot: Dovecot, world_on: Make) -> None:
    world = world_on(dovecot, mailbox_changes="all")
    world.client.create("Work")
    for number in range(3):
        world.client.append("Work", note(f"w{number}"), ())
    with Watched(world, "test:Work", "test:INBOX") as watched:
        watched.until(lambda: len(world.local.files("Work")) == 3, "Work")
        world.client.rename_mailbox("Work", "Elsewhere")
        world.client.append("INBOX", note("a sign that everything was looked at"), ())
        watched.until(lambda: len(world.local.files("INBOX")) == 1, "INBOX")
        watched.signal(signal.SIGUSR1)
        watched.until(lambda: "Work" in watched.said.partition("INBOX: 1 downloaded")[2], "said something of Work")
        assert len(world.local.files("Work")) == 3


@pytest.mark.dovecot
def test_it_says_that_it_waits_for_another_run_and_then_goes_on(dovecot: Dovecot, world_on: Make) -> None:
    world = filled(world_on(dovecot))
    (world.directory / "state").mkdir(mode=0o700)
    other = open_index(world.directory / "state" / "test.db", "test")
    with Watched(world) as watched:
        watched.until(lambda: "is working on it" in watched.said, "said to wait")
        assert world.local.mailboxes() == set()
        other.close()
        watched.until_equal(12)
    world.converged()


@pytest.mark.dovecot
def test_it_ends_in_time_while_a_server_does_not_greet(dovecot: Dovecot, world_on: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world = world_on(dovecot, port=silent.getsockname()[1])
        with Watched(world):
            silent.settimeout(30)
            connection = silent.accept()[0]
        connection.close()


@pytest.mark.dovecot
def test_deletions_that_are_held_back_a_second_time_are_told_a_second_time(
    dovecot: Dovecot, world_on: Make, tmp_path: Path
) -> None:
    world = filled(world_on(dovecot, poll_interval="1d"))
    with Watched(world) as watched:
        watched.until_equal(12)
        for times in (1, 2):
            files = [file.path for file in world.local.files("Work")]
            for path in files:
                path.rename(tmp_path / path.name)
            watched.until(
                lambda times=times: watched.said.count("6 messages not deleted on the server") >= times,  # type: ignore[misc]
                "told",
                seconds=20,
            )
            for path in files:
                (tmp_path / path.name).rename(path)
            watched.until(lambda: world.sync().status == 0, "all is well")
    assert len(world.client.uids("Work")) == 6


@pytest.mark.dovecot
def test_files_that_vanish_one_by_one_are_judged_together(dovecot: Dovecot, world_on: Make) -> None:
    world = world_on(dovecot)
    for number in range(60):
        world.client.append("INBOX", note(f"m{number}"), ())
    with Watched(world) as watched:
        watched.until_equal(60)
        for file in world.local.files("INBOX"):
            world.local.delete(file)
            time.sleep(0.03)
        watched.until(lambda: "messages not deleted on the server" in watched.said, "held")
        assert len(world.client.uids("INBOX")) == 60


@pytest.mark.dovecot
def test_a_deletion_in_a_mailbox_that_is_renamed_meanwhile_leaves_nothing_to_look_for(
    dovecot: Dovecot, world_on: Make
) -> None:
    with CountingProxy(dovecot.port) as proxy:
        world = filled(world_on(dovecot, port=proxy.port, mailbox_changes="all"))

        def quiet() -> bool:
            before = len(proxy.count.lines)
            time.sleep(1.0)
            return len(proxy.count.lines) == before

        with Watched(world) as watched:
            watched.until_equal(12)
            world.local.delete(world.local.files("Work")[0])
            watched.until(quiet, "seen to be missing")
            world.client.rename_mailbox("Work", "Elsewhere")
            watched.until(lambda: "test:Elsewhere: 1 deleted on the server" in watched.said, "deleted")
            watched.until(quiet, "nothing more to do", seconds=20)
        world.converged()


@pytest.mark.dovecot
def test_a_mailbox_that_is_deleted_here_is_deleted_there_when_nothing_more_vanishes(
    dovecot: Dovecot, world_on: Make
) -> None:
    world = filled(world_on(dovecot, mailbox_changes="all", max_delete=1.0))
    with Watched(world) as watched:
        watched.until_equal(12)
        world.local.delete_mailbox("Work")
        watched.until(lambda: world.client.mailboxes() == {"INBOX"}, "deleted")
    world.converged()
