"""`on_change`: real commands, told of what has changed, one at a time, and never in the way."""

import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually, has_lines, runs

from syncer.daemon.children import Bounds
from syncer.daemon.hooks import Hook
from syncer.daemon.pending import Change, Timing
from syncer.reconcile.identity import INBOX, MailboxName

ENVIRONMENT = {"PATH": os.environ["PATH"]}
AT_ONCE = Timing(quiet=0, longest=0)
NEVER = Timing(quiet=1000, longest=1000)


def hook(*command: str, timing: Timing = AT_ONCE, bounds: Bounds | None = None) -> Hook:
    return Hook(command, ENVIRONMENT, timing=timing, bounds=bounds)


def sh(script: str, *arguments: object, timing: Timing = AT_ONCE, bounds: Bounds | None = None) -> Hook:
    return hook("/bin/sh", "-c", script, "sh", *map(str, arguments), timing=timing, bounds=bounds)


def added(*paths: str, mailbox: MailboxName = INBOX) -> list[Change]:
    return [Change(mailbox, added=paths)]


def documents(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def expected(account: str, *paths: str, mailbox: str = "INBOX") -> dict[str, Any]:
    change = {"mailbox": mailbox, "added": list(paths), "removed": [], "changed": []}
    return {"version": 1, "account": account, "changes": [change]}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_command_is_told_what_has_changed(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with sh('cat >> "$1"', told) as on_change:
        on_change.note("work", added("/m/1"))
        eventually(has_lines(told, 1))
    assert documents(told) == [expected("work", "/m/1")]


def test_nothing_is_run_while_nothing_has_changed(tmp_path: Path) -> None:
    with sh('cat >> "$1"', tmp_path / "told") as on_change:
        on_change.note("work", [Change(INBOX)])
    assert documents(tmp_path / "told") == []


def test_changes_within_the_quiet_time_are_told_together(tmp_path: Path) -> None:
    told = tmp_path / "told"
    on_change = sh('cat >> "$1"', told, timing=NEVER)
    for number in range(50):
        on_change.note("work", added(f"/m/{number}"))
        if not number:
            time.sleep(0.2)  # a run that began too early would begin now
    on_change.close(patience=60)
    assert documents(told) == [expected("work", *(f"/m/{number}" for number in range(50)))]


def test_the_quiet_time_ends_by_itself(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with sh('cat >> "$1"', told, timing=Timing(quiet=0.2, longest=60)) as on_change:
        on_change.note("work", added("/m/1"))
        eventually(has_lines(told, 1))


def test_what_changes_while_it_runs_is_told_to_the_next_run(tmp_path: Path) -> None:
    told, gate = tmp_path / "told", tmp_path / "gate"
    os.mkfifo(gate)
    with sh('cat >> "$1"; read line < "$2"', told, gate) as on_change:
        on_change.note("work", added("/m/1"))
        eventually(has_lines(told, 1))
        on_change.note("work", added("/m/2"))
        on_change.note("work", added("/m/3"))
        gate.write_text("go on\n")
        eventually(has_lines(told, 2))
        gate.write_text("go on\n")
    assert documents(told) == [expected("work", "/m/1"), expected("work", "/m/2", "/m/3")]


def test_many_who_note_at_once_lose_nothing_and_two_runs_never_meet(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = 'cd "$1"; mkdir lock || echo overlap >> told; cat >> told; rmdir lock'
    accounts = ["a", "b", "c"]
    with sh(script, tmp_path) as on_change:

        def work(account: str) -> None:
            for number in range(100):
                on_change.note(account, added(f"/{account}/{number}"))

        threads = [threading.Thread(target=work, args=(account,)) for account in accounts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        on_change.close(patience=60)
    seen = [path for document in documents(told) for change in document["changes"] for path in change["added"]]
    assert sorted(seen) == sorted(f"/{account}/{number}" for account in accounts for number in range(100))


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["sh", "-c", "exit 3"], "on_change sh -c 'exit 3': failed: exit status 3"),
        (["sh", "-c", "kill -9 $$"], "on_change sh -c 'kill -9 $$': failed: killed by signal 9"),
        (
            ["/no/such\n"],
            "on_change '/no/such\\n': cannot be run: [Errno 2] No such file or directory: '/no/such\\n'",
        ),
        (["/"], "on_change /: cannot be run: [Errno 13] Permission denied: '/'"),
        (["a\0b"], "on_change 'a\\x00b': cannot be run: embedded null byte"),
    ],
)
def test_a_command_that_fails_is_a_warning_and_nothing_is_told_again(
    caplog: pytest.LogCaptureFixture, command: list[str], complaint: str
) -> None:
    with hook(*command) as on_change:
        for number in range(1, 4):
            on_change.note("work", added(f"/m/{number}"))
            eventually(lambda number=number: len(warnings(caplog)) == number)  # type: ignore[misc]
        assert on_change._pending.take() is None
    assert warnings(caplog) == [complaint] * 3


def test_a_command_that_takes_too_long_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with hook("sleep", "600", bounds=Bounds(seconds=0.2)) as on_change:
        on_change.note("work", added("/m/1"))
        eventually(lambda: bool(warnings(caplog)))
    assert warnings(caplog) == ["on_change sleep 600: not over after 0.2 seconds: killed by signal 15"]


def test_what_it_prints_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    on_change = sh("echo one; printf 'two\\a\\n' >&2; head -c 100000 /dev/zero", bounds=Bounds(octets=12))
    on_change.note("work", added("/m/1"))
    on_change.close(patience=60)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "on_change: one"),
        ("INFO", "on_change: two\\x07"),
        ("INFO", "on_change: \\x00\\x00\\x00"),
        ("INFO", "on_change: and 99997 more octets, which are not logged"),
    ]


def test_closing_ends_a_run_at_once_and_counts_what_was_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    note = tmp_path / "pid"
    on_change = sh('echo $$ > "$1"; exec sleep 600', note)
    on_change.note("work", added("/m/1"))
    eventually(has_lines(note, 1))
    on_change.note("work", added("/m/2", "/m/3"))
    on_change.note("home", added("/m/4"))
    on_change.close()
    command = f"on_change /bin/sh -c 'echo $$ > \"$1\"; exec sleep 600' sh {note}"
    assert not runs(int(note.read_text()))
    assert warnings(caplog) == [
        f"{command}: ended early, as syncer ends: killed by signal 15",
        f"{command}: not told of 3 changed files, as syncer ends",
    ]


def test_closing_with_patience_lets_it_end_and_tells_what_still_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = tmp_path / "told"
    on_change = sh('cat >> "$1"; sleep 0.3', told, timing=Timing(quiet=0, longest=0))
    on_change.note("work", added("/m/1"))
    eventually(has_lines(told, 1))
    on_change.note("work", added("/m/2"))
    on_change.note("home", added("/m/3"))
    on_change.close(patience=60)
    assert documents(told) == [expected("work", "/m/1"), expected("work", "/m/2"), expected("home", "/m/3")]
    assert warnings(caplog) == []


def test_after_it_was_closed_nothing_is_run(tmp_path: Path) -> None:
    told = tmp_path / "told"
    on_change = sh('cat >> "$1"', told)
    on_change.close()
    on_change.note("work", added("/m/1"))
    on_change.close()
    assert documents(told) == []


def test_a_path_that_is_not_utf_8_reaches_a_script_that_follows_the_documentation(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import base64, json, os, sys\n"
        "change = json.load(sys.stdin)['changes'][0]\n"
        "if 'added_base64' in change:\n"
        "    names = [base64.b64decode(name) for name in change['added_base64']]\n"
        "else:\n"
        "    names = [os.fsencode(name) for name in change['added']]\n"
        "for name in names:\n"
        "    os.unlink(name)\n"
    )
    odd = os.fsencode(tmp_path) + b"/\xff\n"
    with open(odd, "wb"):
        pass
    on_change = hook(sys.executable, str(script))
    on_change.note("work", added(os.fsdecode(odd)))
    on_change.close(patience=60)
    assert not os.path.lexists(odd)
