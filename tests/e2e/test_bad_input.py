"""What goes wrong around it: one clear line, the right exit status, the rest done, nothing lost."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from e2e.world import Outcome, World, environment, run, write_configuration
from servers.base import MAIL_UID, free_port
from servers.cyrus import Cyrus
from servers.dovecot import Dovecot
from servers.mail import note
from servers.proxy import CountingProxy

pytestmark = pytest.mark.dovecot


def two_accounts(good: World, **bad: Any) -> Outcome:
    """Sync an account that is in order and one that is not, in one run."""
    other = good.settings | {"maildir": str(good.directory / "other")} | bad
    accounts = {"bad": other, "good": good.settings}
    write_configuration(good.configuration, accounts, state_dir=str(good.directory / "state"))
    return good.sync()


def one_line(outcome: Outcome) -> None:
    assert len(outcome.err.strip().splitlines()) <= 2, outcome.err


def test_a_server_that_cannot_be_reached(world: World) -> None:
    port = free_port()
    world.configure(port=port)
    one_line(world.sync().failed(3, "test", "127.0.0.1", str(port)))


def test_a_host_that_does_not_exist(world: World) -> None:
    world.configure(host="nowhere.invalid", tls="implicit")
    one_line(world.sync().failed(3, "test", "nowhere.invalid"))


def test_a_wrong_password_is_said_and_never_shown(world: World) -> None:
    world.configure(password="wrong horse")
    outcome = world.sync().failed(3, "test", world.user)
    one_line(outcome)
    assert "wrong horse" not in outcome.err + outcome.out


def test_a_password_command_that_fails(world: World) -> None:
    world.configure(password=None, password_command="sh -c 'echo the store is locked >&2; exit 7'")
    world.sync().failed(3, "test", "password_command")


@pytest.mark.parametrize("fault", [{"password": "wrong"}, {"port": 1}], ids=["wrong password", "no connection"])
def test_one_account_that_fails_does_not_stop_the_other(world: World, fault: dict[str, Any]) -> None:
    world.client.append("INBOX", note("m1"))
    outcome = two_accounts(world, **fault)
    outcome.failed(outcome.status, "bad")
    assert outcome.status in {1, 3}
    assert [account["ok"] for account in sorted(outcome.report["accounts"], key=lambda one: one["name"])] == [
        False,
        True,
    ]
    assert [token for _, token, _ in world.on_disk()] == ["m1"]


def test_a_mailbox_that_cannot_be_selected(world: World, dovecot: Dovecot) -> None:
    if os.geteuid() != 0:
        pytest.skip("the server's files are ours, so it can read them whatever their mode")
    for mailbox in ("Closed", "Open"):
        world.client.create(mailbox)
        world.client.append(mailbox, note(mailbox.lower()))
    closed = dovecot.mailbox_directory(world.user, "Closed")
    closed.chmod(0)
    os.chown(closed, 0, 0)
    outcome = world.sync().failed(1, "Closed")
    assert {token for _, token, _ in world.on_disk()} == {"open"}
    assert {mailbox["name"]: mailbox["ok"] for mailbox in outcome.report["accounts"][0]["mailboxes"]}["Closed"] is False
    closed.chmod(0o700)
    os.chown(closed, MAIL_UID, MAIL_UID)
    world.sync().done()
    world.converged()


def test_a_known_mailbox_that_cannot_be_selected_any_more_loses_nothing(world: World, dovecot: Dovecot) -> None:
    if os.geteuid() != 0:
        pytest.skip("the server's files are ours, so it can read them whatever their mode")
    world.client.create("Closed")
    for number in range(4):
        world.client.append("Closed", note(f"m{number}"))
    world.sync().done()
    closed = dovecot.mailbox_directory(world.user, "Closed")
    closed.chmod(0)
    os.chown(closed, 0, 0)
    world.local.change_flags("Closed", world.local.files("Closed")[0], add=["\\Seen"])
    world.sync().failed(1, "Closed")
    assert len(world.local.files("Closed")) == 4
    closed.chmod(0o700)
    os.chown(closed, MAIL_UID, MAIL_UID)
    world.sync().done()
    assert sum("\\Seen" in flags for _, _, flags in world.on_server()) == 1
    world.converged()


@pytest.mark.cyrus
def test_messages_that_the_server_refuses_stay_and_the_others_go(cyrus: Cyrus, world_on: Callable[..., World]) -> None:
    world = world_on(cyrus)
    world.local.create("INBOX")
    world.local.deliver("INBOX", note("good1"))
    world.local.deliver("INBOX", note("nul") + b"\0\r\n")
    world.local.deliver("INBOX", b"no header at all, X-Token: none\r\n")
    world.local.deliver("INBOX", note("good2"))
    for _ in range(2):
        world.sync().failed(1, "INBOX")
        assert [token for _, token, _ in world.on_server()] == ["good1", "good2"]
        assert len(world.local.files("INBOX")) == 4


def test_a_message_over_the_quota_stays_and_the_others_go(
    dovecot_with: Callable[..., Dovecot], world_on: Callable[..., World]
) -> None:
    world = world_on(dovecot_with(quota="50k"))
    world.local.create("INBOX")
    for token, size in (("small1", 100), ("large", 200_000), ("small2", 100)):
        world.local.deliver("INBOX", note(token, size=size))
    world.sync().failed(1, "INBOX", "quota")
    assert [token for _, token, _ in world.on_server()] == ["small1", "small2"]
    assert len(world.local.files("INBOX")) == 3


def test_an_empty_file_is_not_sent_and_stays(world: World) -> None:
    world.local.create("INBOX")
    world.local.deliver("INBOX", b"")
    world.local.deliver("INBOX", note("m1"))
    world.sync()
    assert [token for _, token, _ in world.on_server()] == ["m1"]
    assert len(world.local.files("INBOX")) == 2


def test_a_file_in_the_way_of_a_mailbox(world: World) -> None:
    for mailbox in ("Blocked", "Free"):
        world.client.create(mailbox)
        world.client.append(mailbox, note(mailbox.lower()))
    world.client.append("INBOX", note("inbox"))
    world.local.root.mkdir()
    (world.local.root / "Blocked").write_text("not a Maildir")
    world.sync().failed(1, "Blocked")
    assert {token for _, token, _ in world.on_disk()} == {"free", "inbox"}
    (world.local.root / "Blocked").unlink()
    world.sync().done()
    world.converged()


def read_only(world: World, path: object) -> Outcome:
    """Sync while `path` is read-only: for root, whom modes do not stop, in a mount namespace of its own."""
    arguments = ["-c", str(world.configuration), "sync", "--json"]
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, str(path), sys.executable, "-m", "syncer", *arguments]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment())
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


def test_a_maildir_that_cannot_be_written(world: World) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    world.client.append("INBOX", note("m1"))
    world.sync().done()
    world.client.append("INBOX", note("m2"))
    world.local.deliver("INBOX", note("m3"))
    outcome = read_only(world, world.local.root)
    outcome.failed(1, "INBOX" if "INBOX" in outcome.err else str(world.local.root))
    assert {"m1", "m2"} <= {token for _, token, _ in world.on_server()}
    world.sync().done()
    assert {token for _, token, _ in world.on_disk()} == {"m1", "m2", "m3"}
    world.converged()


def test_one_mailbox_that_cannot_be_written(world: World) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    world.client.create("Other")
    world.sync().done()
    for mailbox in ("INBOX", "Other"):
        world.client.append(mailbox, note(mailbox.lower()))
    read_only(world, world.local.directory("Other")).failed(1, "Other")
    assert [token for _, token, _ in world.on_disk()] == ["inbox"]
    world.sync().done()
    world.converged()


def test_one_mailbox_of_which_a_part_cannot_be_listed(world: World) -> None:
    world.client.create("Other")
    world.client.append("Other", note("m1"))
    world.sync().done()
    new = world.local.directory("Other") / "new"
    shutil.move(new, world.directory / "aside")
    new.write_text("a file in its place")
    for mailbox in ("INBOX", "Other"):
        world.client.append(mailbox, note(mailbox.lower()))
    world.sync().failed(1, "Other", "cannot list", str(new))
    checked = run("-c", str(world.configuration), "check")
    line = f"FAILED  test: Maildir: {world.local.root}: cannot list {new}: not a directory\n"
    assert (checked.status, line in checked.out) == (1, True), checked.out
    assert {token for _, token, _ in world.on_server()} == {"m1", "inbox", "other"}
    assert [path.name for path in (world.local.directory("INBOX") / "new").iterdir()]
    new.unlink()
    shutil.move(world.directory / "aside", new)
    world.sync().done()
    world.converged()


@pytest.mark.parametrize(
    "command",
    ["sync", "sync --dry-run", "verify", "restore test", "restore test --deleted", "mailbox create test New", "log"],
)
def test_a_state_directory_at_which_nobody_may_look_is_said_once_by_every_command(world: World, command: str) -> None:
    write_configuration(world.configuration, {"test": world.settings}, state_dir=f"/{'x' * 300}")
    outcome = run("-c", str(world.configuration), *command.split()).failed(1, "the index needs", "File name too long")
    assert "internal error" not in outcome.err
    assert outcome.err.count("File name too long") == 1


def test_a_check_of_an_index_that_cannot_be_read_goes_on_with_the_rest(world: World) -> None:
    world.sync().done()
    write_configuration(world.configuration, {"test": world.settings}, state_dir=f"/{'x' * 300}")
    outcome = run("-c", str(world.configuration), "check")
    said = [
        (line[:7].strip(), line[8:].split(": ")[1])
        for line in outcome.out.splitlines()
        if line[8:].startswith("test: ")
    ]
    expected = [("FAILED", "index"), ("ok", "Maildir"), ("ok", "server"), ("ok", "capabilities"), ("ok", "mailboxes")]
    assert (outcome.status, said) == (1, expected)


@contextmanager
def stalled(dovecot: Dovecot, world: World) -> Iterator[tuple[CountingProxy, "subprocess.Popen[bytes]"]]:
    """A run that hangs in the middle of its download, holding the lock."""
    for number in range(50):
        world.client.append("INBOX", note(f"m{number}", size=5_000))
    with CountingProxy(dovecot.port) as proxy:
        proxy.stall_after(60_000)
        world.configure(port=proxy.port)
        command = [sys.executable, "-m", "syncer", "-c", str(world.configuration), "sync"]
        first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        try:
            assert proxy.stalled.wait(30)
            yield proxy, first
        finally:
            first.kill()
            first.wait()


def test_a_second_run_says_that_the_first_works_on_the_account_and_leaves(world: World, dovecot: Dovecot) -> None:
    with stalled(dovecot, world) as (proxy, first):
        one_line(world.sync().failed(1, "test", "--wait"))
        proxy.go_on()
        assert first.wait(60) == 0
    assert len(world.on_disk()) == 50


def test_a_second_run_waits_where_it_is_told_to(world: World, dovecot: Dovecot) -> None:
    with stalled(dovecot, world) as (proxy, first):
        command = [sys.executable, "-m", "syncer", "-c", str(world.configuration), "sync", "--wait"]
        second = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1.5)
        proxy.go_on()
        assert (first.wait(60), second.wait(60)) == (0, 0)
    assert len(world.on_disk()) == 50
    world.configure(port=dovecot.port)
    world.converged()


def test_a_restore_from_the_attic_waits_where_it_is_told_to(world: World, dovecot: Dovecot) -> None:
    with stalled(dovecot, world) as (proxy, first):
        command = [
            sys.executable,
            "-m",
            "syncer",
            "-c",
            str(world.configuration),
            "restore",
            "test",
            "--deleted",
            "--wait",
        ]
        second = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1.5)
        proxy.go_on()
        assert (first.wait(60), second.wait(60)) == (0, 0)


def test_a_configuration_with_faults_names_all_of_them_and_tries_nothing(world: World) -> None:
    world.configure(layout="flat", connections="three", colour="red")
    outcome = world.sync().failed(2, str(world.configuration), "layout", "connections", "colour")
    assert "maildir++" in outcome.err
    assert not world.local.root.exists()


def test_a_configuration_that_is_not_there(world: World) -> None:
    missing = world.directory / "missing.conf"
    run("-c", str(missing), "sync").failed(2, str(missing))


def test_an_unknown_target(world: World) -> None:
    world.sync("nobody").failed(2, "nobody")


def test_no_plain_text_to_another_machine(world: World) -> None:
    world.configure(host="192.0.2.1")
    world.sync().failed(2, "tls", "allow_insecure")
