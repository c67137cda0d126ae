"""What Prometheus is told, and the file that tells it."""

import logging
import os
import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from syncer.daemon.metrics import Counts, Metrics, after_pass, exposition
from syncer.errors import ConnectError
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import COUNTERS, AccountReport, HeldDeletions
from syncer.watching.standing import Standing

LISTS = MailboxName("Lists")
NONE = dict.fromkeys(COUNTERS, 0)
WORK = Standing(
    "work",
    since=1_700_000_000,
    notify=True,
    answered=1_700_000_060,
    well=1_700_000_050,
    troubles={INBOX: "3 messages failed", LISTS: "held"},
    held={LISTS: ("server",)},
)
COUNTS = Counts(7, {"message": 3}, {"downloaded": 30, "bytes_down": 12_345_678_901})
EXPOSITION = """\
# HELP syncer_server_answered_timestamp_seconds When the server was last known to answer.
# TYPE syncer_server_answered_timestamp_seconds gauge
syncer_server_answered_timestamp_seconds{account="work"} 1700000060
# HELP syncer_last_success_timestamp_seconds When a pass last ended with nothing that failed or is held; \
there is none while nothing happens.
# TYPE syncer_last_success_timestamp_seconds gauge
syncer_last_success_timestamp_seconds{account="work"} 1700000050
# HELP syncer_connection_up Whether there is a connection to the server.
# TYPE syncer_connection_up gauge
syncer_connection_up{account="work"} 1
# HELP syncer_mailboxes_in_trouble Mailboxes in which something is wrong, those with held deletions included.
# TYPE syncer_mailboxes_in_trouble gauge
syncer_mailboxes_in_trouble{account="work"} 2
# HELP syncer_mailboxes_held Mailboxes in which deletions wait for a person.
# TYPE syncer_mailboxes_held gauge
syncer_mailboxes_held{account="work"} 1
# HELP syncer_passes_total Passes over the account, whatever came of them.
# TYPE syncer_passes_total counter
syncer_passes_total{account="work"} 7
# HELP syncer_errors_total Errors by what they stopped.
# TYPE syncer_errors_total counter
syncer_errors_total{account="work",stopped="account"} 0
syncer_errors_total{account="work",stopped="mailbox"} 0
syncer_errors_total{account="work",stopped="message"} 3
# HELP syncer_changes_total Messages by what was done: *_local in the Maildir, *_remote on the server.
# TYPE syncer_changes_total counter
syncer_changes_total{account="work",change="downloaded"} 30
syncer_changes_total{account="work",change="uploaded"} 0
syncer_changes_total{account="work",change="moved_local"} 0
syncer_changes_total{account="work",change="moved_remote"} 0
syncer_changes_total{account="work",change="flags_local"} 0
syncer_changes_total{account="work",change="flags_remote"} 0
syncer_changes_total{account="work",change="deleted_local"} 0
syncer_changes_total{account="work",change="deleted_remote"} 0
# HELP syncer_transferred_bytes_total Octets of messages that were downloaded and uploaded.
# TYPE syncer_transferred_bytes_total counter
syncer_transferred_bytes_total{account="work",direction="down"} 12345678901
syncer_transferred_bytes_total{account="work",direction="up"} 0
"""


def test_the_whole_file() -> None:
    assert exposition([(WORK, COUNTS)]) == EXPOSITION


def test_each_metric_is_introduced_once_and_named_by_the_conventions() -> None:
    text = exposition([(WORK, COUNTS), (Standing("home", since=1), Counts())])
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert len(kinds) == text.count("# TYPE ") == text.count("# HELP ") == 9
    assert all(name.startswith("syncer_") for name in kinds)
    assert {name for name, kind in kinds.items() if kind == "counter"} == {n for n in kinds if n.endswith("_total")}
    samples = [line.partition("{")[0] for line in text.splitlines() if not line.startswith("#")]
    assert sorted(set(samples), key=samples.index) == list(kinds)


def test_what_never_was_has_no_time() -> None:
    assert "timestamp" not in exposition([(Standing("home", since=1), Counts())])


def test_without_accounts_there_is_nothing_to_tell() -> None:
    assert exposition([]) == ""


def test_labels_are_escaped() -> None:
    sample = exposition([(Standing('a"b\\c\nd{e}', since=1), Counts())]).splitlines()[2]
    assert sample == 'syncer_connection_up{account="a\\"b\\\\c\\nd{e}"} 0'


def report_of_a_bad_pass() -> AccountReport:
    report = AccountReport("work")
    inbox, other = report.mailbox(INBOX), report.mailbox(LISTS)
    inbox.downloaded, inbox.bytes_down, other.downloaded, other.flags_remote = 3, 1000, 2, 1
    inbox.problems += ["one", "two"]
    inbox.held += [HeldDeletions("server", 9, "too many")]
    other.error = "broken"
    report.mailbox(MailboxName("Third")).refused = "is another"
    return report


def test_a_pass_is_added_to_what_is_counted() -> None:
    before = Counts(1, {"message": 1}, {"downloaded": 10})
    assert after_pass(before, report_of_a_bad_pass()) == Counts(
        2, {"account": 0, "mailbox": 2, "message": 3}, {**NONE, "downloaded": 15, "bytes_down": 1000, "flags_remote": 1}
    )


def test_an_account_that_was_given_up_is_an_error() -> None:
    report = AccountReport("work")
    report.fail(ConnectError("no network"))
    assert after_pass(Counts(), report) == Counts(1, {"account": 1, "mailbox": 0, "message": 0}, NONE)


def until(happened: Callable[[], object]) -> None:
    end = threading.Event()
    for _ in range(3000):
        try:
            if happened():
                return
        except FileNotFoundError:
            pass
        end.wait(0.01)
    raise AssertionError("not in time")


def test_others_can_read_the_file_whatever_the_umask_and_it_is_gone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "syncer.prom"
    before = os.umask(0o077)
    try:
        with Metrics(path) as metrics:
            metrics.passed(AccountReport("work"))
            metrics.stands(WORK)
            expected = exposition([(WORK, after_pass(Counts(), AccountReport("work")))])
            until(lambda: path.read_text() == expected)
            assert stat.S_IMODE(path.stat().st_mode) == 0o644
            assert os.listdir(tmp_path) == ["syncer.prom"]
    finally:
        os.umask(before)
    assert os.listdir(tmp_path) == []


def test_who_reads_while_it_is_replaced_reads_all_of_one_moment(tmp_path: Path) -> None:
    path = tmp_path / "syncer.prom"
    first = exposition([(WORK, Counts())])
    with Metrics(path) as metrics:
        metrics.stands(WORK)
        until(lambda: path.read_text() == first)
        with open(path) as old:
            metrics.stands(Standing("home", since=1))
            until(lambda: "home" in path.read_text())
            assert old.read() == first


def test_what_a_killed_process_left_is_in_nobodys_way(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("x")
    (tmp_path / ".syncer.prom.new").symlink_to(precious)
    with Metrics(tmp_path / "syncer.prom") as metrics:
        metrics.stands(WORK)
        until(lambda: "work" in (tmp_path / "syncer.prom").read_text())
        assert sorted(os.listdir(tmp_path)) == ["precious", "syncer.prom"]
    assert precious.read_text() == "x"


def test_that_it_cannot_be_written_is_said_once_until_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncer.daemon.metrics._QUIET", 0.0)
    directory = tmp_path / "gone"
    tried = threading.Semaphore(0)
    write = Metrics._write
    monkeypatch.setattr(Metrics, "_write", lambda metrics, text: (write(metrics, text), tried.release())[0])
    with Metrics(directory / "syncer.prom") as metrics:
        for made in (False, False, True, False):
            if made:
                directory.mkdir()
            elif directory.exists():
                (directory / "syncer.prom").unlink()
                directory.rmdir()
            metrics.stands(WORK)
            assert tried.acquire(timeout=30)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert caplog.messages[0] == (
        f"the metrics cannot be written to {directory}/syncer.prom: No such file or directory; see metrics_file"
    )
