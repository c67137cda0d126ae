"""What Prometheus is told, and the file that tells it."""

import logging
import os
import re
import stat
from pathlib import Path

import pytest

from syncer.daemon.metrics import AccountMetrics, MetricsFile, after_pass, exposition
from syncer.errors import ConnectError, RefusedError
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import COUNTERS, AccountReport, HeldDeletions

NONE = dict.fromkeys(COUNTERS, 0)
NO_ERRORS = {"connect": 0, "refused": 0, "other": 0, "mailbox": 0, "message": 0}

WORK = AccountMetrics(
    "work",
    last_success=1_700_000_000.25,
    passes=7,
    errors={"connect": 2},
    counters={"downloaded": 30, "bytes_down": 12_345_678_901},
    pending=1,
    parked=2,
    held={"server": 5},
    connected=True,
)

EXPOSITION = """\
# HELP syncer_last_success_timestamp_seconds When a pass last ended with nothing that failed or is held.
# TYPE syncer_last_success_timestamp_seconds gauge
syncer_last_success_timestamp_seconds{account="work"} 1700000000.25
# HELP syncer_passes_total Passes over the account, whatever came of them.
# TYPE syncer_passes_total counter
syncer_passes_total{account="work"} 7
# HELP syncer_errors_total Errors by what they stopped: the account (connect, refused, other), a mailbox, or a message.
# TYPE syncer_errors_total counter
syncer_errors_total{account="work",kind="connect"} 2
syncer_errors_total{account="work",kind="refused"} 0
syncer_errors_total{account="work",kind="other"} 0
syncer_errors_total{account="work",kind="mailbox"} 0
syncer_errors_total{account="work",kind="message"} 0
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
# HELP syncer_pending_local_changes Changes in the Maildir that have not been sent to the server yet.
# TYPE syncer_pending_local_changes gauge
syncer_pending_local_changes{account="work"} 1
# HELP syncer_parked_messages Messages that fail again and again, and are tried less and less often.
# TYPE syncer_parked_messages gauge
syncer_parked_messages{account="work"} 2
# HELP syncer_held_deletions Deletions that wait for a person, by the side on which they would be made.
# TYPE syncer_held_deletions gauge
syncer_held_deletions{account="work",side="server"} 5
syncer_held_deletions{account="work",side="local"} 0
# HELP syncer_connection_up Whether there is a connection to the server that changes are heard from.
# TYPE syncer_connection_up gauge
syncer_connection_up{account="work"} 1
"""


def test_the_whole_file() -> None:
    assert exposition([WORK]) == EXPOSITION


def test_each_metric_is_introduced_once_and_named_by_the_conventions() -> None:
    text = exposition([WORK, AccountMetrics("home")])
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert len(kinds) == text.count("# TYPE ") == text.count("# HELP ") == 9
    assert all(name.startswith("syncer_") for name in kinds)
    assert {name for name, kind in kinds.items() if kind == "counter"} == {n for n in kinds if n.endswith("_total")}
    samples = [line.partition("{")[0] for line in text.splitlines() if not line.startswith("#")]
    assert sorted(set(samples), key=samples.index) == list(kinds)


def test_a_success_that_never_was_has_no_time() -> None:
    assert "last_success" not in exposition([AccountMetrics("home")])


def test_without_accounts_there_is_nothing_to_tell() -> None:
    assert exposition([]) == ""


def test_labels_are_escaped() -> None:
    sample = exposition([AccountMetrics('a"b\\c\nd{e}')]).splitlines()[2]
    assert sample == 'syncer_passes_total{account="a\\"b\\\\c\\nd{e}"} 0'


def report_of_a_bad_pass() -> AccountReport:
    report = AccountReport("work")
    inbox, other = report.mailbox(INBOX), report.mailbox(MailboxName("Other"))
    inbox.downloaded, inbox.bytes_down, other.downloaded, other.flags_remote = 3, 1000, 2, 1
    inbox.problems += ["one", "two"]
    inbox.held += [HeldDeletions("server", 9, "too many"), HeldDeletions("local", 1, "too many")]
    other.error = "broken"
    report.mailbox(MailboxName("Third")).refused = "is another"
    return report


def test_a_pass_is_added_to_what_is_known() -> None:
    before = AccountMetrics("work", last_success=5.0, passes=1, errors={"message": 1}, counters={"downloaded": 10})
    assert after_pass(before, report_of_a_bad_pass(), now=9.0, parked=4) == AccountMetrics(
        "work",
        last_success=5.0,
        passes=2,
        errors={**NO_ERRORS, "refused": 1, "mailbox": 1, "message": 3},
        counters={**NONE, "downloaded": 15, "bytes_down": 1000, "flags_remote": 1},
        parked=4,
        held={"server": 9, "local": 1},
    )


def test_a_pass_that_went_well_ends_what_was_held() -> None:
    before = AccountMetrics("work", parked=3, held={"server": 9}, pending=2, connected=True)
    assert after_pass(before, AccountReport("work"), now=9.0) == AccountMetrics(
        "work",
        last_success=9.0,
        passes=1,
        errors=NO_ERRORS,
        counters=NONE,
        held={"server": 0, "local": 0},
        pending=2,
        connected=True,
    )


@pytest.mark.parametrize(
    ("error", "kind"), [(ConnectError("x"), "connect"), (RefusedError("x"), "refused"), (OSError("x"), "other")]
)
def test_an_account_that_was_given_up_is_an_error_of_its_kind(error: Exception, kind: str) -> None:
    report = AccountReport("work")
    report.fail(error)
    told = after_pass(AccountMetrics("work"), report, now=9.0)
    assert (told.last_success, told.errors) == (None, {**NO_ERRORS, kind: 1})


def test_the_file_can_be_read_by_others_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "syncer.prom"
    before = os.umask(0o077)
    try:
        assert MetricsFile(str(path)).write([WORK])
    finally:
        os.umask(before)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (EXPOSITION, 0o644)
    assert os.listdir(tmp_path) == ["syncer.prom"]


def test_who_reads_while_it_is_replaced_reads_all_of_one_moment(tmp_path: Path) -> None:
    path = tmp_path / "syncer.prom"
    file = MetricsFile(str(path))
    assert file.write([WORK])
    with open(path) as old:
        assert file.write([AccountMetrics("home")])
        assert (old.read(), path.read_text()) == (EXPOSITION, exposition([AccountMetrics("home")]))


def test_what_a_killed_process_left_is_in_nobodys_way(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("x")
    (tmp_path / ".syncer.prom.new").symlink_to(precious)
    assert MetricsFile(str(tmp_path / "syncer.prom")).write([WORK])
    assert sorted(os.listdir(tmp_path)) == ["precious", "syncer.prom"]
    assert (precious.read_text(), (tmp_path / "syncer.prom").read_text()) == ("x", EXPOSITION)


def test_that_it_cannot_be_written_is_said_once_until_it_can(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = tmp_path / "gone"
    file = MetricsFile(str(directory / "syncer.prom"))
    assert [file.write([]), file.write([])] == [False, False]
    directory.mkdir()
    assert file.write([WORK])
    (directory / "syncer.prom").unlink()
    directory.rmdir()
    assert not file.write([])
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert caplog.records[0].getMessage().startswith(f"the metrics cannot be written to {directory}/syncer.prom: ")
