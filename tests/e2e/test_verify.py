"""`syncer verify`, on a real server: what it finds, says and leaves alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from e2e.damage import (
    attic,
    file_of,
    flip,
    found,
    index,
    rows,
    tree,
    verify,
)
from e2e.world import World, environment, run_here
from servers.dovecot import Dovecot
from servers.mail import note
from servers.proxy import CountingProxy


@pytest.mark.dovecot
def test_without_repair_nothing_is_changed_anywhere(whole: World) -> None:
    flip(file_of(whole, "m2").path)
    whole.local.delete(file_of(whole, "m3"))
    whole.local.deliver("INBOX", note("new"))
    with index(whole) as connection:
        connection.execute("UPDATE pair SET content = zeroblob(16) WHERE uid = 5")
    connection.close()
    whole.client.append("INBOX", note("newer"))
    before = tree(whole.local.root), rows(whole), whole.on_server(), attic(whole)
    for arguments in ((), ("--subset", "1/2"), ("test:INBOX",)):
        verify(whole, *arguments)
        assert (tree(whole.local.root), rows(whole), whole.on_server(), attic(whole)) == before


@pytest.mark.dovecot
def test_what_was_deleted_on_one_side_is_left_to_the_sync(whole: World) -> None:
    whole.local.delete(file_of(whole, "m3"))
    whole.client.expunge("INBOX", [5])
    before = whole.on_server(), whole.on_disk()
    outcome = verify(whole, "--repair").failed(1, "UID 3", "UID 5", "not yet synced", "restore")
    assert found(outcome) == {"missing_local": [(3, False)], "missing_server": [(5, False)]}
    assert (whole.on_server(), whole.on_disk()) == before
    whole.sync().done()
    verify(whole).done()


@pytest.mark.dovecot
def test_thirty_parts_are_disjoint_and_complete(whole: World) -> None:
    for file in whole.local.files("INBOX"):
        flip(file.path)
    parts = [found(verify(whole, "test:INBOX", "--subset", f"{part}/5")) for part in range(1, 6)]
    assert [[uid for uid, _ in part["damaged"]] for part in parts] == [[1, 6, 11], [2, 7, 12], [3, 8], [4, 9], [5, 10]]
    assert found(verify(whole, "test:INBOX", "--subset", "2/5", "--repair")) == {
        "damaged": [(2, True), (7, True), (12, True)]
    }
    assert len(found(verify(whole, "test:INBOX"))["damaged"]) == 9


@pytest.mark.dovecot
class TestStatuses:
    def test_another_run_on_the_account_is_said_as_a_sync_does(self, whole: World) -> None:
        import fcntl  # noqa: PLC0415

        with (whole.directory / "state" / "test.db.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            said = [call.failed(1).err for call in (whole.sync(), verify(whole))]
        assert "another syncer" in said[0]
        assert said[1].splitlines()[0] == said[0].splitlines()[0]

    @pytest.mark.parametrize("instead", [None, "empty", "foreign"])
    def test_a_maildir_that_is_not_the_one_the_index_knows_is_refused(self, whole: World, instead: str | None) -> None:
        shutil.move(whole.local.root, whole.directory / "elsewhere")
        if instead is not None:
            whole.local.create("INBOX")
        if instead == "foreign":
            (whole.local.root / ".syncer-store").write_text("00000000-0000-4000-8000-000000000000\n")
        for arguments in ((), ("--repair",)):
            verify(whole, *arguments).failed(4, str(whole.local.root), "cannot be trusted")
        assert len(whole.client.uids("INBOX")) == 12

    def test_an_account_that_was_never_synchronised_is_left_as_it_is(
        self, dovecot: Dovecot, world_on: Callable[..., World]
    ) -> None:
        world = world_on(dovecot, here=True)
        verify(world, "--repair").failed(1, "never synchronised", "syncer sync test")
        assert list(world.directory.iterdir()) == [world.configuration]

    def test_a_server_that_cannot_be_reached_is_status_3(self, whole: World) -> None:
        whole.configure(port=1)
        verify(whole).failed(3, "127.0.0.1")

    def test_a_mailbox_that_was_replaced_is_status_4(self, whole: World) -> None:
        whole.client.delete_mailbox("Box")
        whole.client.create("Box")
        verify(whole).failed(4, "test:Box", "UIDVALIDITY changed")

    @pytest.mark.parametrize("word", ["0/3", "4/3", "3", "a/b", "-1/3", "1/0", "1/3/5"])
    def test_an_impossible_part_is_a_usage_error(self, whole: World, word: str) -> None:
        verify(whole, f"--subset={word}").failed(2, "K/N")


@pytest.mark.dovecot
def test_it_stops_cleanly_when_it_is_asked_to(dovecot: Dovecot, world_on: Callable[..., World]) -> None:
    world = world_on(dovecot)
    world.client.fill("INBOX", [(note(f"k{n}", size=200_000), frozenset(), 1_500_000_000) for n in range(300)])
    world.sync().done()
    with CountingProxy(dovecot.port) as proxy:
        world.configure(port=proxy.port)
        proxy.stall_after(10_000_000)
        command = [sys.executable, "-m", "syncer", "-c", str(world.configuration), "verify", "--json"]
        running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True
        )
        assert proxy.stalled.wait(30)
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        assert "stopping after what is under way" in running.stderr.readline()
        proxy.go_on()
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "stopped before everything was read" in err
    assert "Traceback" not in err
    assert json.loads(out)["ok"] is False


@pytest.mark.dovecot
def test_a_person_reads_what_is_wrong_and_what_to_do(whole: World) -> None:
    file = file_of(whole, "m4")
    os.truncate(file.path, 700)
    command = ("-c", str(whole.configuration), "verify")
    outcome = run_here(*command).failed(1)
    size, cut = len(note("m4", size=3_000)), len(file.octets.replace(b"\n", b"\r\n"))
    sizes = f"{size} octets in the index, {cut} in the file, {size} on the server"
    assert outcome.out == ""
    assert outcome.err.splitlines()[:-1] == [
        f"syncer: test:INBOX: UID 4: the file is damaged ({sizes})",
        f"  {file.path}",
        f"  of these, 1 can be repaired: syncer -c {whole.configuration} verify --repair test:INBOX",
    ]
    assert "15 messages read, 1 damaged in the Maildir" in outcome.err.splitlines()[-1]
    quiet = run_here(*command, "-q").failed(1)
    assert quiet.err.splitlines() == outcome.err.splitlines()[:-1]
    repaired = run_here(*command, "--repair")
    assert repaired.status == 0
    assert "UID 4: the file is damaged" in repaired.err
    assert "; repaired" in repaired.err
    assert (run_here(*command, "-q").status, run_here(*command, "-q").err) == (0, "")
    assert "15 messages read, all whole" in run_here(*command).err
