"""The command as a process: usage, start-up, signals, pipes and closed streams."""

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_support import Ran

from syncer import __version__
from syncer.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent.parent
HEAVY = {"sqlalchemy", "alembic", "imapclient", "rich", "tomllib", "ssl", "tenacity", "watchdog", "dataclasses"}

STAND_IN = """
import os, sys, time, types
from syncer.report import AccountReport, Report
wiring = types.ModuleType("syncer.wiring")
def sync_accounts(config, targets, options, progress, stop):
    report = Report([AccountReport("work")])
    {body}
    return report
wiring.sync_accounts = sync_accounts
sys.modules["syncer.wiring"] = wiring
from syncer.cli.main import main
sys.exit(main())
"""


@contextmanager
def running(
    body: str, conf: Path, *words: str, errors: int = subprocess.PIPE, **environ: str
) -> Iterator["subprocess.Popen[str]"]:
    # Whoever runs the tests may ignore SIGHUP.
    program = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n{STAND_IN.format(body=body)}"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "-c", str(conf), *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env=os.environ | environ,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(body: str, conf: Path, *words: str, **environ: str) -> Ran:
    with running(body, conf, *words, **environ) as process:
        out, err = process.communicate(timeout=20)
        return Ran(process.returncode, out, err)


def module(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "syncer", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environ,
    )


def imported(importtime: str) -> set[str]:
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in importtime.splitlines() if "|" in line}


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_version_and_help_load_nothing_that_they_do_not_need(word: str) -> None:
    done = module(word)
    assert done.returncode == 0
    assert imported(done.stderr) & HEAVY == set()
    assert "argparse" in imported(done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_loads_no_library(command: str) -> None:
    done = module(command, "--help")
    assert done.returncode == 0
    assert imported(done.stderr) & (HEAVY - {"tomllib", "dataclasses"}) == set()


def test_version_is_the_package_s() -> None:
    assert module("--version").stdout == f"syncer {__version__}\n"


def test_help_names_every_command() -> None:
    text = module("--help").stdout
    assert [name for name in COMMANDS if f"\n  {name} " not in text] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], f"no command; there are {', '.join(COMMANDS)} (syncer --help says more)"),
        (["snyc"], "unknown command 'snyc'; did you mean 'sync'?"),
        (
            ["frobnicate"],
            "unknown command 'frobnicate'; there are sync, watch, restore, verify, log, why, status, check, mailbox",
        ),
    ],
)
def test_a_wrong_command_is_a_usage_error(syncer: Callable[..., Ran], words: list[str], expected: str) -> None:
    ran = syncer(*words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.endswith(f"syncer: error: {expected}\n")


def test_every_problem_of_the_configuration_is_a_line_and_status_2(syncer: Callable[..., Ran], conf: Path) -> None:
    conf.write_text("[accounts.work]\nhots = 1\n")
    ran = syncer("sync")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith('syncer: CONF: accounts.work.hots: unknown key; did you mean "host"?\n')
    assert len(ran.err.splitlines()) == 5


def test_what_is_logged_is_said_in_the_same_way(conf: Path) -> None:
    body = "import logging; logging.getLogger('syncer.x').warning('work: waiting for %d seconds', 9)"
    said = run(body, conf, "-q", "--log-format", "json", "sync").err.splitlines()
    assert [(line["level"], line["message"]) for line in map(json.loads, said)] == [
        ("warning", "work: waiting for 9 seconds")
    ]
    assert run(body, conf, "-q", "sync").err == "work: waiting for 9 seconds\n"


@pytest.mark.parametrize("words", [("--log-format", "json", "sync"), ("sync", "--log-format=json")])
def test_what_went_wrong_can_be_json(syncer: Callable[..., Ran], conf: Path, words: Sequence[str]) -> None:
    conf.write_text("[accounts.work]\nhots = 1\n")
    ran = syncer(*words)
    assert (ran.status, ran.out) == (2, "")
    said = [json.loads(line) for line in ran.err.splitlines()]
    assert (len(said), {line["level"] for line in said}) == (5, {"error"})
    assert said[0]["message"] == 'CONF: accounts.work.hots: unknown key; did you mean "host"?'


def test_without_a_configuration_it_shows_one_that_can_be_copied(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "SYNCER_CONFIG": ""}
    done = subprocess.run(
        [sys.executable, "-m", "syncer", "sync"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environ,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[1:3] == ["    [accounts.work]", '    host = "imap.example.org"']


WAITING = 'print("waiting", file=sys.stderr, flush=True); stop.wait(20)'


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_pass_cleanly(conf: Path, number: int, status: int) -> None:
    with running(WAITING, conf, "sync", "--json") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert process.returncode == status
    assert json.loads(out)["accounts"][0]["name"] == "work"
    assert sorted(err.splitlines()) == [
        "stopping after what is under way; once more to leave at once",
        "work: nothing to do (0.0 s)",
    ]


def test_a_second_signal_leaves_at_once(conf: Path) -> None:
    with running(f"{WAITING}; time.sleep(20)", conf, "sync") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith("stopping after")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


def test_a_signal_that_was_ignored_when_it_started_stays_ignored(conf: Path) -> None:
    body = "os.kill(os.getpid(), 1); assert not stop.wait(0.2)"
    program = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{STAND_IN.format(body=body)}"
    done = subprocess.run(
        [sys.executable, "-c", program, "-c", str(conf), "sync"], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_outside_a_pass_leaves_without_a_traceback(conf: Path, number: int, status: int) -> None:
    body = "pass"
    program = STAND_IN.format(body=body).replace(
        "sys.modules[",
        f"wiring.account_status = lambda config, account, queue: os.kill(os.getpid(), {int(number)})\nsys.modules[",
        1,
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "-c", str(conf), "status"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, "")


def test_a_reader_that_went_away_is_no_failure(conf: Path) -> None:
    body = 'report.accounts[0].plan += ["x" * 1000] * 1000; sys.stdout.flush()'
    with running(body, conf, "sync", "--dry-run") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        assert process.wait(10) == 0
    assert err == "work: 1000 actions planned, nothing was changed (0.0 s)\n"
    process.stdout = None


def test_a_result_that_cannot_be_stored_is_a_failure(conf: Path) -> None:
    program = STAND_IN.format(body="pass")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, "-c", str(conf), "sync", "--json"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"work: nothing to do (0.0 s)\n")


def test_closed_streams_do_not_give_their_numbers_to_files(conf: Path, tmp_path: Path) -> None:
    body = f"open({str(tmp_path / 'fd')!r}, 'w').write(str(os.open(os.devnull, 0)))"
    program = STAND_IN.format(body=body)
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", program, "-c", str(conf), "sync"],
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0
    assert int((tmp_path / "fd").read_text()) > 2


@pytest.mark.parametrize("locale", ["C", "POSIX", "de_DE.ISO-8859-1"])
def test_any_locale_can_print_any_name(conf: Path, locale: str) -> None:
    ran = run(
        'report.accounts[0].plan.append("下書き: create")',
        conf, "sync", "-n", LC_ALL=locale, LANG=locale, PYTHONIOENCODING="ascii" if "8859" in locale else "",
    )  # fmt: skip
    assert ran.status == 0
    assert ran.out in {"work: 下書き: create\n", "work: \\u4e0b\\u66f8\\u304d: create\n"}


def test_no_core_file_can_hold_the_password(conf: Path, tmp_path: Path) -> None:
    limit = "resource.getrlimit(resource.RLIMIT_CORE)"
    program = f"import resource; resource.setrlimit(resource.RLIMIT_CORE, ({limit}[1],) * 2)\n" + STAND_IN.format(
        body=f"open({str(tmp_path / 'core')!r}, 'w').write(str({limit}[0]))"
    )
    done = subprocess.run([sys.executable, "-c", program, "-c", str(conf), "sync"], cwd=ROOT, check=False)
    assert (done.returncode, (tmp_path / "core").read_text()) == (0, "0")


def test_a_process_that_goes_on_after_a_command_can_get_its_memory_back(
    syncer: Callable[..., Ran], wiring: Callable[..., None]
) -> None:
    wiring(check_account=lambda *_: iter(()))
    before = gc.get_freeze_count()
    assert syncer("check").status == 0
    assert gc.get_freeze_count() == before
