"""A run that needs no server, no index and no progress bar does not pay for loading what they are made of."""

import subprocess
import sys

HEAVY = ("sqlalchemy", "alembic", "imapclient", "rich", "watchdog", "tenacity")


def test_the_version_is_told_without_loading_what_it_does_not_need() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "syncer", "--version"]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    assert ended.stdout.startswith("syncer ")
    assert "syncer" in loaded
    assert loaded.isdisjoint(HEAVY)
