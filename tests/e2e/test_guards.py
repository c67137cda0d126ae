"""What protects from losing a mailbox by accident."""

import os
import pathlib
import shutil
from collections.abc import Callable

import pytest
from e2e.world import World, run
from servers.dovecot import Dovecot
from servers.mail import note, token_of

pytestmark = pytest.mark.dovecot
TWENTY = [f"m{number}" for number in range(1, 21)]


@pytest.fixture
def synced(world: World) -> World:
    """Twenty messages in `Box` and three in INBOX, on both sides."""
    world.client.create("Box")
    world.client.fill("Box", [(note(token), frozenset(), 1_500_000_000) for token in TWENTY])
    world.client.fill("INBOX", [(note(f"i{number}"), frozenset(), 1_500_000_000) for number in range(3)])
    world.sync().done()
    return world


def tokens(world: World, side: str, mailbox: str = "Box") -> list[str]:
    copies = world.on_server() if side == "server" else world.on_disk()
    return sorted((token for where, token, _ in copies if where == mailbox), key=lambda token: int(token[1:]))


def delete_locally(world: World, count: int) -> None:
    for file in world.local.files("Box")[:count]:
        world.local.delete(file)


def test_message_files_that_vanish_while_the_directories_stay_expunge_nothing(synced: World) -> None:
    for mailbox in ("Box", "INBOX"):
        for file in synced.local.files(mailbox):
            synced.local.delete(file)
    synced.sync().failed(4, "Box", "--allow-delete")
    assert tokens(synced, "server") == TWENTY


def test_a_missing_root_expunges_nothing_and_is_named(synced: World) -> None:
    shutil.rmtree(synced.local.root)
    outcome = synced.sync()
    assert outcome.status in {2, 4}
    outcome.failed(outcome.status, str(synced.local.root))
    assert tokens(synced, "server") == TWENTY
    assert len(tokens(synced, "server", "INBOX")) == 3


def test_an_empty_directory_in_place_of_the_root_expunges_nothing_and_is_named(synced: World) -> None:
    shutil.rmtree(synced.local.root)
    synced.local.root.mkdir()
    outcome = synced.sync()
    assert outcome.status in {2, 4}
    outcome.failed(outcome.status, str(synced.local.root))
    assert tokens(synced, "server") == TWENTY
    assert list(synced.local.root.iterdir()) == []


def test_another_accounts_maildir_in_place_of_the_root_expunges_nothing(
    synced: World, world_on: Callable[..., World]
) -> None:
    other = world_on(synced.server)
    other.client.append("INBOX", note("x1"))
    other.sync().done()
    shutil.rmtree(synced.local.root)
    shutil.copytree(other.local.root, synced.local.root)
    outcome = synced.sync()
    assert outcome.status in {2, 4}
    outcome.failed(
        outcome.status, str(synced.local.root), "sends the server what only this one holds after this: rm -f"
    )
    assert "gone for good" not in outcome.err
    assert tokens(synced, "server") == TWENTY
    assert tokens(synced, "local", "INBOX") == ["x1"]


def test_another_layout_than_before_is_refused_and_is_not_said_to_be_gone(synced: World) -> None:
    before = str(synced.settings["layout"])
    synced.configure(layout="maildir++")
    outcome = synced.sync().failed(4, "Set the layout back", "Once the Maildir is moved away", "rm -f")
    assert "gone for good" not in outcome.err
    assert tokens(synced, "server") == tokens(synced, "local") == TWENTY
    synced.configure(layout=before)
    synced.sync().quiet()


def test_a_mailbox_that_the_server_shows_empty_keeps_its_local_copies(synced: World) -> None:
    synced.client.expunge("Box", synced.client.uids("Box"))
    synced.sync().failed(4, "Box", "--allow-delete")
    assert tokens(synced, "local") == TWENTY
    synced.sync("--allow-delete", "test:Box").done()
    assert tokens(synced, "local") == []
    assert len(tokens(synced, "local", "INBOX")) == 3
    synced.converged()


def test_over_half_of_twenty_deleted_is_held_until_it_is_allowed_and_all_else_is_done(synced: World) -> None:
    delete_locally(synced, 11)
    synced.client.append("Box", note("m21"))
    synced.client.store("INBOX", synced.client.uids("INBOX"), "+FLAGS", ["\\Flagged"])
    synced.sync().failed(4, "Box", "--allow-delete test:Box")
    assert tokens(synced, "server") == [*TWENTY, "m21"]
    assert len(tokens(synced, "local")) == 10
    assert all("\\Flagged" in file.flags for file in synced.local.files("INBOX"))

    allowed = synced.sync("--allow-delete", "test:Box").done()

    assert allowed.totals == {"deleted_remote": 11}
    assert len(tokens(synced, "server")) == 10
    synced.converged()


def test_half_of_twenty_is_not_held(synced: World) -> None:
    delete_locally(synced, 10)
    assert synced.sync().done().totals == {"deleted_remote": 10}
    assert len(tokens(synced, "server")) == 10


def test_deletions_are_counted_over_a_day(synced: World) -> None:
    delete_locally(synced, 6)
    assert synced.sync().done().totals == {"deleted_remote": 6}
    delete_locally(synced, 6)
    synced.sync().failed(4, "Box", "--allow-delete")
    assert len(tokens(synced, "server")) == 14


def test_all_of_four_is_not_held(synced: World) -> None:
    for file in synced.local.files("INBOX"):
        synced.local.delete(file)
    assert synced.sync().done().totals == {"deleted_remote": 3}


def test_a_changed_uidvalidity_deletes_nothing(synced: World) -> None:
    before = synced.client.uidvalidity("Box")
    synced.client.delete_mailbox("Box")
    synced.client.create("Box")
    synced.client.fill("Box", [(note(token), frozenset(), 1_500_000_000) for token in TWENTY[5:]])
    assert synced.client.uidvalidity("Box") != before
    synced.client.append("INBOX", note("i9"))
    synced.sync().failed(4, "Box", "UIDVALIDITY", "restore test:Box", "--allow-delete test:Box")
    assert tokens(synced, "local") == TWENTY
    assert tokens(synced, "server") == TWENTY[5:]
    assert tokens(synced, "local", "INBOX") == ["i0", "i1", "i2", "i9"]

    assert run("-c", str(synced.configuration), "restore", "--json", "test:Box").done().totals["uploaded"] == 5
    assert tokens(synced, "server") == TWENTY
    synced.converged()


def test_the_same_messages_under_another_uidvalidity_are_neither_downloaded_nor_uploaded(synced: World) -> None:
    synced.client.delete_mailbox("Box")
    synced.client.create("Box")
    synced.client.fill("Box", [(note(token), frozenset({"\\Seen"}), 1_500_000_000) for token in reversed(TWENTY)])
    assert synced.sync().done().totals == {"flags_local": 20}
    synced.converged()


@pytest.mark.parametrize("new", [0, 2, 5, 8], ids=lambda new: f"{new} new after the restore")
def test_a_server_restored_from_a_backup_pairs_no_old_file_with_a_new_message(
    synced: World, dovecot: Dovecot, new: int
) -> None:
    home, backup = dovecot.home(synced.user), synced.directory / "backup"
    synced.client.close()
    del synced.client
    shutil.copytree(home, backup, copy_function=shutil.copy2)
    lost = {f"m{number}" for number in range(21, 26)}
    synced.client.fill("Box", [(note(token), frozenset(), 1_500_000_000) for token in sorted(lost)])
    synced.sync().done()
    synced.client.close()
    del synced.client
    restore(home, backup)
    newer = {f"m{number}" for number in range(31, 31 + new)}
    synced.client.fill("Box", [(note(token), frozenset(), 1_500_000_000) for token in sorted(newer)])

    first = synced.sync()
    for file in synced.local.files("Box"):
        if token_of(file.octets) in lost:
            synced.local.change_flags("Box", file, add=["\\Flagged"])
    second = synced.sync()

    assert {*TWENTY, *lost} <= set(tokens(synced, "local")), (first.err, second.err)
    assert {*TWENTY, *newer} <= set(tokens(synced, "server")), (first.err, second.err)
    flagged = {token for where, token, flags in synced.on_server() if where == "Box" and "\\Flagged" in flags}
    assert flagged <= lost, "a flag meant for an old message was set on a new one"

    run("-c", str(synced.configuration), "restore", "--json", "test").done()
    assert {*TWENTY, *lost, *newer} == set(tokens(synced, "server")) == set(tokens(synced, "local"))
    synced.converged()


def restore(home: pathlib.Path, backup: pathlib.Path) -> None:
    owner = home.stat()
    shutil.rmtree(home)
    shutil.copytree(backup, home, copy_function=shutil.copy2)
    for path in (home, *home.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)


def test_the_first_sync_of_two_filled_sides_is_a_union(world: World) -> None:
    for mailbox in ("INBOX", "Box"):
        world.local.create(mailbox)
    world.client.create("Box")
    for token in ("m1", "m2", "m3"):
        world.client.append("Box", note(token), ["\\Seen"])
        world.local.deliver("Box", note(token), ["\\Flagged"])
    world.client.append("Box", note("m4"))
    world.local.deliver("Box", note("m5"))
    world.sync().done()
    assert tokens(world, "server") == tokens(world, "local") == ["m1", "m2", "m3", "m4", "m5"]
    assert {flags for _, token, flags in world.on_server() if token in {"m1", "m2", "m3"}} == {
        frozenset({"\\Seen", "\\Flagged"})
    }
    world.converged()


def test_a_dry_run_changes_nothing_on_either_side(synced: World) -> None:
    delete_locally(synced, 2)
    synced.local.deliver("INBOX", note("i8"))
    synced.client.append("Box", note("m21"))
    before = synced.on_server(), synced.on_disk()
    synced.sync("--dry-run")
    assert (synced.on_server(), synced.on_disk()) == before
    synced.sync().done()
    synced.converged()


@pytest.fixture
def settled(synced: World) -> World:
    """The same, after passes that found nothing to do."""
    for _ in range(3):
        synced.sync().quiet()
    return synced


def test_a_directory_that_was_removed_comes_back_with_its_messages(settled: World) -> None:
    settled.local.delete_mailbox("Box")
    settled.sync().done()
    settled.converged()
    assert tokens(settled, "local") == TWENTY
    settled.sync("--full").quiet()


def test_where_a_directory_of_a_mailbox_went_nothing_is_delivered_until_it_is_made_again(world: World) -> None:
    world.client.fill("INBOX", [(note(f"i{number}"), frozenset({"\\Seen"}), 1_500_000_000) for number in range(3)])
    world.sync().done()
    shutil.rmtree(world.local.directory("INBOX") / "cur")
    world.client.append("INBOX", note("i3"))
    for _ in range(2):
        world.sync().failed(1, "cur/ or new/ is missing")
    assert tokens(world, "server", "INBOX") == ["i0", "i1", "i2", "i3"]
    run("-c", str(world.configuration), "restore", "--json", "test:INBOX").done()
    assert tokens(world, "disk", "INBOX") == ["i0", "i1", "i2", "i3"]
    world.converged()


@pytest.mark.parametrize("side", ["server", "local"])
def test_what_was_deleted_on_a_side_is_restored_there(settled: World, side: str) -> None:
    if side == "server":
        settled.client.expunge("Box", settled.client.uids("Box")[:3])
    else:
        delete_locally(settled, 3)
    outcome = run("-c", str(settled.configuration), "restore", "--json", "test")
    assert outcome.done().totals["uploaded" if side == "server" else "downloaded"] == 3
    assert tokens(settled, "server") == tokens(settled, "local") == TWENTY
    settled.sync().quiet()
    settled.sync("--full").quiet()
