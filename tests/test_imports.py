"""A run that needs no server, no index and no progress bar does not pay for loading what they are made of."""

import subprocess
import sys
from pathlib import Path

import pytest
from servers.dovecot import Dovecot

HEAVY = {"sqlalchemy", "alembic", "imapclient", "imaplib", "rich", "watchdog", "tenacity"}
SLOW = {
    "asyncio",
    "calendar",
    "concurrent",
    "dataclasses",
    "email",
    "inspect",
    "logging",
    "subprocess",
    "tempfile",
    "unittest",
    "xml",
}
"""What the standard library has that costs milliseconds."""
TLS = {"ssl", "hashlib", "secrets", "zlib"}
"""What a sync without TLS and without anything to do has no use for."""


def loaded(*arguments: str) -> set[str]:
    """The modules that a Python with these arguments loads, without what is below their first dot."""
    command = [sys.executable, "-X", "importtime", *arguments]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines() if "|" in line}


def test_the_version_is_told_without_loading_what_it_does_not_need() -> None:
    modules = loaded("-m", "syncer", "--version")
    assert "syncer" in modules
    assert modules.isdisjoint(HEAVY | SLOW)


def test_what_makes_a_pass_is_loaded_without_what_only_some_passes_need() -> None:
    modules = loaded("-c", "import syncer.wiring.passes, syncer.imap.mailbox, syncer.cli.main, syncer.cli.sync")
    assert "syncer" in modules
    assert modules.isdisjoint(HEAVY | SLOW)


@pytest.mark.dovecot
def test_a_sync_that_finds_nothing_to_do_loads_little_and_so_does_a_status_after_it(
    dovecot: Dovecot, tmp_path: Path
) -> None:
    settings = tmp_path / "syncer.conf"
    settings.write_text(
        f'state_dir = "state"\n[accounts.a]\nhost = "127.0.0.1"\nport = {dovecot.port}\ntls = "off"\n'
        f'user = "{dovecot.new_user()}"\npassword = "{dovecot.password}"\nmaildir = "mail"\n'
    )
    settings.chmod(0o600)
    arguments = ["-m", "syncer", "-c", str(settings)]
    for _ in range(3):
        loaded(*arguments, "sync")
    for command in ("sync", "status"):
        modules = loaded(*arguments, command)
        assert "syncer" in modules
        assert modules.isdisjoint(HEAVY | SLOW | TLS)
