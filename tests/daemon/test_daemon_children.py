"""One child process: what it is given, what is heard of it, and that it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from waiting import eventually, runs

from syncer.daemon.children import Bounds, Ended, Lines, home, inherited, run

ENVIRONMENT = {"PATH": os.environ["PATH"]}


class Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


class Over(Heard):
    """The child is to be ended as soon as it has printed a line."""

    def stopped(self) -> bool:
        return bool(self.lines)


def started(
    *command: str,
    document: bytes = b"",
    environment: Mapping[str, str] = ENVIRONMENT,
    directory: str = "/",
    bounds: Bounds | None = None,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> Ended:
    return run(
        command,
        document,
        environment=environment,
        directory=directory,
        bounds=bounds or Bounds(seconds=60),
        stopped=stopped,
        say=say,
    )


def python(script: str, *arguments: str, **options: object) -> Ended:
    return started(sys.executable, "-c", script, *arguments, **options)  # type: ignore[arg-type]


def sh(script: str, *arguments: str, **options: object) -> Ended:
    return started("/bin/sh", "-c", script, "sh", *arguments, **options)  # type: ignore[arg-type]


def test_it_gets_the_document_on_its_standard_input(tmp_path: Path) -> None:
    document = os.urandom(1_000_000)
    ended = sh('cat > "$1"', str(tmp_path / "seen"), document=document)
    assert (ended, (tmp_path / "seen").read_bytes()) == (Ended("itself", 0), document)


def test_it_need_not_read_the_document() -> None:
    assert started("true", document=bytes(10_000_000)) == Ended("itself", 0)


def test_it_may_print_much_before_it_reads() -> None:
    script = "import sys; print('x' * 1_000_000); sys.exit(len(sys.stdin.read()) != 1_000_000)"
    assert python(script, document=bytes(1_000_000)) == Ended("itself", 0)


def test_what_it_prints_is_heard_line_by_line_whichever_stream_it_takes() -> None:
    heard = Heard()
    assert sh("echo one; echo two >&2; printf 'three\\033[2J\\377'", say=heard).well
    assert heard.lines == ["one", "two", "three\\x1b[2J\\xff"]


def test_the_status_is_told() -> None:
    assert [sh("exit 3"), sh("kill -9 $$")] == [Ended("itself", 3), Ended("itself", -9)]
    assert [str(Ended("itself", 3)), str(Ended("time-out", -9)), str(Ended("time-out", None))] == [
        "exit status 3",
        "killed by signal 9",
        "did not end, not even by SIGKILL",
    ]
    assert [Ended("itself", 0).well, Ended("itself", 1).well, Ended("time-out", 0).well] == [True, False, False]


def test_a_command_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        started("/nowhere/command")
    with pytest.raises(ValueError, match="null byte"):
        started("a\0b")


def test_it_has_the_environment_and_the_directory_that_it_is_given(tmp_path: Path) -> None:
    heard = Heard()
    environment = {"PATH": os.environ["PATH"], "HOME": "/home/me"}
    assert sh("exec env", environment=environment, directory=str(tmp_path), say=heard).well
    assert dict(line.split("=", 1) for line in heard.lines) | {"PWD": ""} == {**environment, "PWD": ""}
    heard = Heard()
    assert started("pwd", "-P", directory=str(tmp_path), say=heard).well
    assert heard.lines == [os.path.realpath(tmp_path)]


def test_it_has_no_descriptors_of_ours_and_a_session_of_its_own() -> None:
    script = "import os; print(*sorted(os.listdir('/proc/self/fd'))[:-1], os.getsid(0) == os.getpgid(0) == os.getpid())"
    inheritable, other = os.pipe()
    os.set_inheritable(inheritable, True)
    heard = Heard()
    try:
        assert python(script, say=heard).well
    finally:
        os.close(inheritable)
        os.close(other)
    assert heard.lines == ["0 1 2 True"]


def test_one_that_takes_too_long_is_ended() -> None:
    assert sh("exec sleep 600", bounds=Bounds(seconds=0.2, grace=60)) == Ended("time-out", -signal.SIGTERM)


def test_one_that_is_to_end_is_asked_first() -> None:
    over = Over()
    ended = python(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('ending'), sys.exit(7)))\n"
        "print('begun', flush=True)\n"
        "time.sleep(600)",
        bounds=Bounds(seconds=60, grace=60),
        stopped=over.stopped,
        say=over,
    )
    assert (ended, over.lines) == (Ended("stopped", 7), ["begun", "ending"])


def test_one_that_does_not_listen_is_killed() -> None:
    over = Over()
    ended = sh(
        "trap '' TERM; echo begun; while :; do sleep 1; done",
        bounds=Bounds(seconds=60, grace=0.2),
        stopped=over.stopped,
        say=over,
    )
    assert ended == Ended("stopped", -signal.SIGKILL)


@pytest.mark.parametrize("trap", ["", "trap '' TERM;"])
@pytest.mark.parametrize("output", ["", ">/dev/null 2>&1"])
def test_with_one_that_is_ended_everything_ends_that_it_has_started(trap: str, output: str) -> None:
    over = Over()
    script = f'(trap "" TERM; exec sleep 600) {output} & {trap} echo $!; sleep 600; sleep 600'
    ended = sh(script, bounds=Bounds(seconds=60, grace=0.2), stopped=over.stopped, say=over)
    assert (ended.how, ended.well) == ("stopped", False)
    eventually(lambda: not runs(int(over.lines[0])))


def test_it_has_not_ended_while_somebody_can_still_print(tmp_path: Path) -> None:
    heard = Heard()
    assert sh("(sleep 0.3; echo later) & echo now", say=heard) == Ended("itself", 0)
    assert heard.lines == ["now", "later"]


def test_it_has_not_ended_when_it_has_only_closed_its_output() -> None:
    assert sh("exec >/dev/null 2>&1 </dev/null; sleep 0.3; exit 4", document=b"x") == Ended("itself", 4)


def test_one_that_has_closed_its_output_is_ended_as_well() -> None:
    script = "exec >/dev/null 2>&1 </dev/null; exec sleep 600"
    assert sh(script, bounds=Bounds(seconds=0.5, grace=60)) == Ended("time-out", -signal.SIGTERM)


def test_what_it_leaves_behind_on_purpose_goes_on(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    assert sh('sleep 600 >/dev/null 2>&1 & echo $! > "$1"', str(note)) == Ended("itself", 0)
    pid = int(note.read_text())
    try:
        assert runs(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_one_that_has_left_the_group_and_keeps_the_output_is_not_waited_for() -> None:
    over = Over()
    script = (
        "import os, time\nif os.fork():\n    os._exit(0)\nos.setsid()\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    )
    ended = python(script, bounds=Bounds(seconds=60, grace=0.2), stopped=over.stopped, say=over)
    pid = int(over.lines[0])
    assert (ended, runs(pid)) == (Ended("stopped", 0), True)
    os.kill(pid, signal.SIGKILL)


def test_one_that_fails_to_be_listened_to_does_not_stay() -> None:
    pids: list[int] = []

    def say(line: str) -> None:
        pids.append(int(line))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sh("echo $$; exec sleep 600", say=say)
    eventually(lambda: not runs(pids[0]))


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("signal.signal(signal.SIGCHLD, signal.SIG_IGN)", id="the kernel reaps"),
        pytest.param("del os.waitid", id="Python cannot ask without reaping"),
    ],
)
def test_that_it_has_exited_is_noticed_also_where(condition: str) -> None:
    script = (
        f"import os, signal; {condition}\n"
        "from syncer.daemon.children import Bounds, run\n"
        "ended = run(['true'], b'', environment={}, directory='/', bounds=Bounds(), stopped=lambda: False, say=print)\n"
        "print(ended.how)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "itself\n"


def said(octets: bytes, *, limit: int = 100_000, piece: int = 7) -> list[str]:
    heard = Heard()
    lines = Lines(limit, heard)
    for start in range(0, len(octets), piece):
        lines.feed(octets[start : start + piece])
    lines.end()
    return heard.lines


@pytest.mark.parametrize("piece", [1, 3, 100_000])
def test_lines_are_the_same_however_they_come(piece: int) -> None:
    octets = b"one\r\n\ntwo\n" + b"x" * 2500 + b"\nlast \xc3\xbc\xff"
    assert said(octets, piece=piece) == ["one", "two", "x" * 1000, "x" * 1000, "x" * 500, "last ü\\xff"]


def test_more_than_the_bound_is_only_counted() -> None:
    assert said(b"one\ntwo\nthree\nfour\n", limit=11) == [
        "one",
        "two",
        "thr",
        "and 8 more octets, which are not logged",
    ]


def test_nothing_printed_is_nothing_said() -> None:
    assert said(b"") == []


def test_only_what_is_known_to_be_needed_is_inherited() -> None:
    let_through = dict.fromkeys(
        (
            *("HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_TIME", "TZ", "TMPDIR"),
            *("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"),
            *("XAUTHORITY", "NOTMUCH_CONFIG", "NOTMUCH_PROFILE", "MAILDIR", "MUHOME"),
        ),
        "x",
    )
    kept_back = dict.fromkeys(
        (
            *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "CREDENTIALS_DIRECTORY"),
            *("IMAP_PASSWORD", "AWS_SECRET_ACCESS_KEY", "SYNCER_CONFIG", "PYTHONPATH", "LD_PRELOAD"),
        ),
        "x",
    )
    assert inherited({**let_through, **kept_back}) == let_through


def test_a_child_works_at_home_if_there_is_one(tmp_path: Path) -> None:
    homes: list[dict[str, str]] = [{"HOME": str(tmp_path)}, {"HOME": str(tmp_path / "gone")}, {"HOME": "here"}, {}]
    assert [home(environment) for environment in homes] == [str(tmp_path), "/", "/", "/"]
