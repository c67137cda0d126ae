"""Settings of the configuration that change what is done."""

import hashlib
import os
import pathlib
import shlex
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from e2e.world import World, run, write_configuration
from servers.dovecot import Dovecot
from servers.mail import note
from servers.proxy import CountingProxy

pytestmark = pytest.mark.dovecot


def tokens(copies: list[Any], mailbox: str = "INBOX") -> list[str]:
    return [token for where, token, _ in copies if where == mailbox]


@pytest.fixture
def filled(dovecot: Dovecot, world_on: Callable[..., World]) -> Callable[..., World]:
    """`filled(**settings)`: m1 to m4 in INBOX on both sides."""

    def make(**settings: Any) -> World:
        world = world_on(dovecot, **settings)
        for number in range(1, 5):
            world.client.append("INBOX", note(f"m{number}"))
        direction = world.settings.get("direction")
        world.configure(direction=None)
        world.sync().done()
        world.configure(direction=direction)
        return world

    return make


def file_of(world: World, token: str) -> Any:
    (file,) = (file for file in world.local.files("INBOX") if f"X-Token: {token}\n".encode() in file.octets)
    return file


def test_pull_never_changes_the_server(filled: Callable[..., World]) -> None:
    world = filled(direction="pull")
    world.local.delete(file_of(world, "m1"))
    world.local.change_flags("INBOX", file_of(world, "m2"), add=["\\Flagged"])
    world.local.deliver("INBOX", note("m5"))
    world.local.create("Here only")
    world.client.append("INBOX", note("m6"))
    world.client.expunge("INBOX", world.client.uids("INBOX")[2:3])
    before, mailboxes = world.on_server(), world.client.mailboxes()
    world.sync().done()
    world.sync().quiet()
    assert (world.on_server(), world.client.mailboxes()) == (before, mailboxes)
    local = tokens(world.on_disk())
    assert {"m2", "m4", "m5", "m6"} <= set(local)
    assert "m3" not in local


def test_push_never_changes_the_maildir(filled: Callable[..., World]) -> None:
    world = filled(direction="push")
    world.client.expunge("INBOX", world.client.uids("INBOX")[:1])
    world.client.store("INBOX", world.client.uids("INBOX")[:1], "+FLAGS", ["\\Flagged"])
    world.client.append("INBOX", note("m5"))
    world.client.create("There only")
    world.local.deliver("INBOX", note("m6"))
    world.local.delete(file_of(world, "m3"))
    before, mailboxes = world.on_disk(), world.local.mailboxes()
    world.sync().done()
    world.sync().quiet()
    assert (world.on_disk(), world.local.mailboxes()) == (before, mailboxes)
    server = tokens(world.on_server())
    assert {"m2", "m4", "m5", "m6"} <= set(server)
    assert "m3" not in server


def test_what_is_deleted_locally_can_be_kept_on_the_server(filled: Callable[..., World]) -> None:
    world = filled(on_local_delete="keep")
    world.local.delete(file_of(world, "m1"))
    said = "test:INBOX: 1 message gone from the Maildir, kept on the server; `syncer restore` copies what is missing"
    assert said in world.sync().done().err
    world.sync().quiet()
    assert tokens(world.on_server()) == ["m1", "m2", "m3", "m4"]
    assert tokens(world.on_disk()) == ["m2", "m3", "m4"]
    run("-c", str(world.configuration), "restore", "--json", "test").done()
    world.converged()


def test_what_is_deleted_locally_can_go_to_the_trash(filled: Callable[..., World]) -> None:
    world = filled(on_local_delete="trash")
    world.client.create("Trash")
    world.local.delete(file_of(world, "m1"))
    world.sync().done()
    world.sync().done()
    assert tokens(world.on_server()) == ["m2", "m3", "m4"]
    assert tokens(world.on_server(), "Trash") == ["m1"]
    world.converged()


def test_a_mailbox_deleted_on_one_side_keeps_its_messages_unless_told_otherwise(filled: Callable[..., World]) -> None:
    world = filled()
    for mailbox in ("Here", "There"):
        world.client.create(mailbox)
        world.client.append(mailbox, note(mailbox.lower()))
    world.sync().done()
    world.client.delete_mailbox("There")
    world.local.delete_mailbox("Here")
    world.sync()
    assert tokens(world.on_disk(), "There") == ["there"]
    assert tokens(world.on_server(), "Here") == ["here"]


def test_a_mailbox_that_was_deleted_on_both_sides_comes_back_as_it_is_said_then(filled: Callable[..., World]) -> None:
    world = filled()
    world.client.create('A "b" c')
    world.client.append('A "b" c', note("kept"), ["\\Seen"])
    world.sync().done()
    deleted = run("-c", str(world.configuration), "mailbox", "delete", "test", 'A "b" c', "--yes")
    _, _, command = deleted.err.splitlines()[-1].partition(": ")
    world.sync().quiet()
    assert tokens(world.on_disk(), 'A "b" c') == []
    restored = run(*shlex.split(command)[1:])
    assert (restored.status, restored.err) == (0, ""), restored
    world.sync().done()
    assert tokens(world.on_server(), 'A "b" c') == ["kept"]
    world.converged()


def test_a_connection_is_compressed_where_that_is_wanted(filled: Callable[..., World]) -> None:
    world = filled()
    with CountingProxy(world.server.port) as proxy:
        for wanted in (False, True):
            world.configure(port=proxy.port, compress=wanted)
            world.client.append("INBOX", note(f"compressed {wanted}"))
            world.sync().done()
            assert bool(proxy.count.commands["COMPRESS"]) is wanted
    world.configure(port=world.server.port)
    world.converged()


SERVERS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("dovecot", "cyrus", "courier")]


@pytest.mark.parametrize("side", ["server", "local"])
@pytest.mark.parametrize("server", SERVERS)
def test_mailboxes_deleted_and_renamed_are_deleted_and_renamed_where_that_is_wanted(
    server: str, side: str, request: pytest.FixtureRequest, world_on: Callable[..., World]
) -> None:
    world = world_on(request.getfixturevalue(server), mailbox_changes="all")
    for mailbox in ("Old", "Gone"):
        world.client.create(mailbox)
        world.client.append(mailbox, note(mailbox.lower()), ["work"])
    world.sync().done()
    actor = world.client if side == "server" else world.local
    actor.rename_mailbox("Old", "New")
    actor.delete_mailbox("Gone")
    outcome = world.sync().done()
    assert world.client.mailboxes() == world.local.mailboxes() == {"INBOX", "New"}
    assert tokens(world.on_server(), "New") == tokens(world.on_disk(), "New") == ["old"]
    assert "downloaded" not in outcome.totals
    assert "uploaded" not in outcome.totals
    world.converged()


@pytest.mark.parametrize("server", SERVERS)
def test_a_rename_after_which_the_server_counts_its_uids_afresh_crosses_no_messages(
    server: str, request: pytest.FixtureRequest, world_on: Callable[..., World]
) -> None:
    # Courier gives 1 2 4 5 the UIDs 1 2 3 4 when it renames: some still fit, the others are another message's.
    world = world_on(request.getfixturevalue(server), mailbox_changes="all")
    world.client.create("Old")
    for number in range(1, 6):
        world.client.append("Old", note(f"m{number}"), ["\\Flagged"] if number == 5 else [])
    world.sync().done()
    world.client.expunge("Old", world.client.uids("Old")[2:3])
    world.sync().done()
    before = [(token, flags) for _, token, flags in world.on_server()]
    world.local.rename_mailbox("Old", "New")
    world.sync().done()
    assert world.on_disk() == world.on_server() == [("New", token, flags) for token, flags in before]
    world.converged()


def test_only_what_is_included_and_not_excluded_is_looked_at(dovecot: Dovecot, world_on: Callable[..., World]) -> None:
    world = world_on(dovecot, include=["INBOX", "Work/*"], exclude=["Work/Spam"])
    names = ["Private", "Work/One", "Work/Spam"]
    for name in names:
        world.client.create(name)
        world.client.append(name, note(name.replace("/", "-")))
    world.local.create("INBOX")
    world.local.create("Elsewhere")
    world.local.deliver("Elsewhere", note("m1"))
    world.sync().done()
    assert {token for _, token, _ in world.on_disk()} == {"m1", "Work-One"}
    assert "Elsewhere" not in world.client.mailboxes()


def test_a_filter_that_is_narrowed_deletes_nothing(filled: Callable[..., World]) -> None:
    world = filled()
    world.client.create("Box")
    world.client.append("Box", note("m9"))
    world.sync().done()
    before = world.on_server(), world.on_disk()
    world.configure(exclude=["Box"])
    world.sync().quiet()
    assert (world.on_server(), world.on_disk()) == before


def test_a_target_is_all_that_is_looked_at(filled: Callable[..., World]) -> None:
    world = filled()
    world.client.create("Box")
    world.client.append("Box", note("m5"))
    world.client.append("INBOX", note("m6"))
    world.sync("test:Box").done()
    assert tokens(world.on_disk(), "Box") == ["m5"]
    assert "m6" not in tokens(world.on_disk())
    world.sync("test").done()
    assert "m6" in tokens(world.on_disk())


def test_two_accounts_in_one_run(dovecot: Dovecot, world_on: Callable[..., World]) -> None:
    first, second = world_on(dovecot), world_on(dovecot)
    first.client.append("INBOX", note("first"))
    second.client.append("INBOX", note("second"))
    accounts = {"one": first.settings, "two": second.settings}
    write_configuration(first.configuration, accounts, state_dir=str(first.directory / "state"))
    outcome = first.sync().done()
    assert sorted(account["name"] for account in outcome.report["accounts"]) == ["one", "two"]
    assert [tokens(world.on_disk()) for world in (first, second)] == [["first"], ["second"]]


@pytest.mark.parametrize("how", ["implicit", "starttls", "fingerprint", "password_file", "password_command"])
def test_ways_to_connect_and_to_log_in(how: str, dovecot: Dovecot, filled: Callable[..., World]) -> None:
    world = filled()
    secret = world.directory / "secret"
    secret.touch(mode=0o600)
    secret.write_text(dovecot.password + "\n")
    certificate = ssl.PEM_cert_to_DER_cert(dovecot.certificate.read_text())
    encrypted = {"host": "localhost", "tls": "implicit", "port": dovecot.tls_port}
    world.configure(
        **{
            "implicit": encrypted | {"tls_ca_file": str(dovecot.certificate)},
            "starttls": encrypted | {"tls": "starttls", "port": dovecot.port, "tls_ca_file": str(dovecot.certificate)},
            "fingerprint": encrypted | {"tls_fingerprint": hashlib.sha256(certificate).hexdigest()},
            "password_file": {"password": None, "password_file": str(secret)},
            "password_command": {"password": None, "password_command": f"cat {secret}"},
        }[how]
    )
    world.client.append("INBOX", note("m5"))
    assert world.sync().done().totals["downloaded"] == 1


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    tls: str, dovecot: Dovecot, filled: Callable[..., World]
) -> None:
    world = filled()
    world.configure(tls=tls, port=dovecot.tls_port if tls == "implicit" else dovecot.port)
    world.sync().failed(3, "certificate")
    world.configure(tls_fingerprint="00" * 32)
    world.sync().failed(3, "fingerprint")


def test_the_index_is_where_the_configuration_says_and_readable_by_its_owner_only(filled: Callable[..., World]) -> None:
    world = filled()
    state = world.directory / "state"
    files = [path for path in state.rglob("*") if path.is_file()]
    assert files
    assert all(not path.stat().st_mode & 0o077 for path in files)
    assert not any(os.path.relpath(pathlib.Path(path), world.local.root).startswith("..") is False for path in files)
