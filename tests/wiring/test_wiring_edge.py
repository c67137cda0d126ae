"""Several accounts side by side: what goes wrong in one is that one's alone."""

import threading
from pathlib import Path

import pytest
from worlds import Quiet

from syncer.config import Account, load_config
from syncer.report import AccountReport, SyncOptions
from syncer.wiring import passes

ACCOUNT = """
[accounts.{name}]
host = "imap.example.org"
user = "me"
password_command = "pass"
maildir = "Mail/{name}"
"""


def test_a_fault_of_ours_in_one_account_is_told_and_the_others_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    conf = tmp_path / "syncer.conf"
    conf.write_text("".join(ACCOUNT.format(name=name) for name in ("bad", "good")))
    conf.chmod(0o600)
    done: list[str] = []

    def sync(run: passes._Run, account: Account, targets: object, report: AccountReport) -> None:
        if account.name == "bad":
            raise ZeroDivisionError("nothing to divide by")
        done.append(account.name)

    monkeypatch.setattr(passes._Run, "sync", sync)
    config = load_config(conf, {"HOME": str(tmp_path)})
    report = passes.sync_accounts(config, [], SyncOptions(), Quiet(), threading.Event(), calls={})
    assert {account.name: account.error for account in report.accounts} == {
        "bad": "internal error, please report it: ZeroDivisionError: nothing to divide by",
        "good": None,
    }
    assert done == ["good"]
    assert "account bad: internal error" in caplog.text
