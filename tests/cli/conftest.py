"""The commands run whole, on a wiring that the test writes."""

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_support import Ran

from syncer.cli.main import main

CONF = """
[accounts.work]
host = "imap.example.org"
user = "me"
password = "canary"
maildir = "Mail/work"
exclude = ["Spam"]

[accounts.home]
host = "mail.example.net"
user = "me"
password = "canary"
maildir = "Mail/home"
direction = "pull"
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "syncer.conf"
    path.write_text(CONF)
    path.chmod(0o600)
    return path


@pytest.fixture
def wiring(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`wiring(sync_accounts=..., ...)` is what the commands import; anything not given fails."""

    def stand_in(**functions: Any) -> None:
        module = types.ModuleType("syncer.wiring")
        vars(module).update(functions)
        monkeypatch.setitem(sys.modules, "syncer.wiring", module)

    stand_in()
    return stand_in


@pytest.fixture
def syncer(conf: Path, wiring: Callable[..., None], capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """`syncer("sync", "work")` runs the command with the configuration `conf`."""

    def run(*words: str) -> Ran:
        try:
            status = main(["-c", str(conf), *words])
        except SystemExit as leaving:
            status = int(leaving.code or 0)
        out, err = capfd.readouterr()
        return Ran(status, out.replace(str(conf), "CONF"), err.replace(str(conf), "CONF"))

    return run
