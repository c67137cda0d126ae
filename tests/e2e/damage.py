"""What happens to mail that lies around, and what `syncer verify` says of it."""

import pathlib
import sqlite3
from typing import Any

import pytest
from e2e.maildirs import File
from e2e.world import Outcome, World, run, run_here
from servers.dovecot import Dovecot
from servers.mail import note

SERVERS = [
    pytest.param("dovecot", marks=pytest.mark.dovecot),
    pytest.param("cyrus", marks=pytest.mark.cyrus),
    pytest.param("courier", marks=pytest.mark.courier),
]
TOKENS = [f"m{number}" for number in range(1, 13)]
VERBATIM = {
    "lf": note("lf").replace(b"\r\n", b"\n"),
    "mixed": note("mixed") + b"bare\nlf\r\n",
    "no-end": note("no-end")[:-2],
}


def verify(world: World, *arguments: str) -> Outcome:
    call = run_here if world.here else run
    return call("-c", str(world.configuration), "verify", "--json", *arguments)


def found(outcome: Outcome, mailbox: str = "INBOX") -> dict[str, list[tuple[int, bool]]]:
    """By kind the UIDs, and whether they were repaired."""
    (account,) = outcome.report["accounts"]
    (box,) = (box for box in account["mailboxes"] if box["name"] == mailbox)
    kinds = {kind: ones for kind, ones in box.items() if isinstance(ones, list)}
    return {kind: [(one["uid"], one["repaired"]) for one in ones] for kind, ones in kinds.items() if ones}


def checked(outcome: Outcome) -> int:
    return sum(box["checked"] for account in outcome.report["accounts"] for box in account["mailboxes"])


def filled(world: World) -> World:
    """m1 to m12 with UIDs 1 to 12 in INBOX, some with flags, and three in Box that were uploaded."""
    for number, token in enumerate(TOKENS):
        world.client.append("INBOX", note(token, size=3_000), ["\\Seen", "\\Flagged"] if number % 2 else [])
    world.local.create("Box")
    for number in range(3):
        world.local.deliver("Box", note(f"b{number}"), ["\\Seen"])
    world.sync().done()
    return world


def file_of(world: World, token: str, mailbox: str = "INBOX") -> File:
    (file,) = (file for file in world.local.files(mailbox) if f"X-Token: {token}\n".encode() in file.octets)
    return file


def flip(path: pathlib.Path, at: int = -10) -> None:
    """Another bit somewhere in the body; the size stays."""
    octets = bytearray(path.read_bytes())
    octets[at] ^= 1
    with path.open("r+b") as file:
        file.write(octets)


def index(world: World) -> sqlite3.Connection:
    return sqlite3.connect(world.directory / "state" / "test.db")


def rows(world: World) -> list[Any]:
    with index(world) as connection:
        return [list(connection.execute(f"SELECT * FROM {table}")) for table in ("meta", "mailbox", "pair", "intent")]


def tree(root: pathlib.Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes() if p.is_file() else b"", p.stat().st_mtime_ns) for p in sorted(root.rglob("*"))}


def attic(world: World) -> list[bytes]:
    return sorted(path.read_bytes() for path in (world.directory / "state" / "attic").rglob("*") if path.is_file())


def on_servers_disk(world: World, token: str) -> pathlib.Path:
    """The file in which a Dovecot that stores in Maildirs, or a Courier, keeps a message."""
    server = world.server
    assert isinstance(server, Dovecot) or hasattr(server, "mail")
    files = [
        path for path in server.mail(world.user).rglob("*") if path.is_file() and path.parent.name in {"cur", "new"}
    ]
    (path,) = (path for path in files if f"X-Token: {token}".encode() in path.read_bytes())
    return path
