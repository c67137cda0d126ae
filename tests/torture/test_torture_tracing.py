"""What is seen of a program's system calls, how it is stopped at one of them, and what a loss of power could undo."""

import errno
import json
import pathlib
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest

from torture import tracer, tracing
from torture.durable import unsafe_after
from torture.tracer import Call, Job

PROGRAM = """
import os, threading
from pathlib import Path

top = Path({top!r})

def work(name):
    file = os.open(top / name, os.O_RDWR | os.O_CREAT)
    try:
        os.write(file, b"some")
    except OSError as error:
        print(error.strerror)
    os.close(file)

(top.parent / "elsewhere").mkdir()
for name in ("a", "b"):  # the second in a thread of its own
    if name == "b":
        thread = threading.Thread(target=work, args=(name,))
        thread.start()
        thread.join()
    else:
        work(name)
os.open(top / "a", os.O_RDONLY)
os.rename(top / "a", top / "c")
print("done")
"""


def run(place: pathlib.Path, **how: Any) -> tuple["subprocess.CompletedProcess[str]", list[Call]]:
    top = place / "top"
    top.mkdir()
    command = [sys.executable, "-S", "-c", PROGRAM.format(top=str(top))]
    names = [*tracing.CHANGING, *tracing.OPENING]
    job = Job(
        **{"command": command, "below": [str(top)], "names": names, "opening": False, "log": str(place / "log")} | how
    )
    started = [sys.executable, tracer.__file__, json.dumps(asdict(job))]
    ended = subprocess.run(started, check=False, capture_output=True, text=True, timeout=60)
    return ended, [Call(**call) for call in json.loads((place / "log").read_text())]


def seen(calls: list[Call], place: pathlib.Path) -> list[tuple[str, list[str], bool]]:
    below = [[path.removeprefix(f"{place}/top/") for path in call.places] for call in calls]
    return [(call.name, paths, call.injected) for call, paths in zip(calls, below, strict=True)]


def test_calls_of_all_threads_about_files_below_are_seen_and_nothing_else(tmp_path: pathlib.Path) -> None:
    ended, calls = run(tmp_path)

    assert (ended.returncode, ended.stdout) == (0, "done\n")
    assert seen(calls, tmp_path) == [
        ("openat", ["a"], False),
        ("write", ["a"], False),
        ("openat", ["b"], False),
        ("write", ["b"], False),
        ("rename", ["a", "c"], False),
    ]
    assert [call.result for call in calls if call.name != "openat"] == [4, 4, 0]
    assert len({call.thread for call in calls}) == 2


def test_those_that_only_open_count_where_that_is_wanted(tmp_path: pathlib.Path) -> None:
    _, calls = run(tmp_path, opening=True)

    assert [call.name for call in calls] == ["openat", "write", "openat", "write", "openat", "rename"]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_killed_at_a_call_it_has_done_everything_before_and_nothing_of_that(
    tmp_path: pathlib.Path, number: int
) -> None:
    ended, calls = run(tmp_path, first=number)

    assert (ended.returncode, ended.stdout) == (tracing.KILLED, "")
    assert [call.injected for call in calls] == [False] * (number - 1) + [True]
    files = {path.name: path.read_bytes() for path in (tmp_path / "top").iterdir()}
    assert files == [{}, {"a": b""}, {"a": b"some"}, {"a": b"some", "b": b""}, {"a": b"some", "b": b"some"}][number - 1]


def test_a_call_that_shall_fail_does_and_has_no_effect(tmp_path: pathlib.Path) -> None:
    ended, calls = run(tmp_path, first=4, last=4, error=errno.EDQUOT)

    assert (ended.returncode, ended.stdout) == (0, "Disk quota exceeded\ndone\n")
    assert [(call.result, call.injected) for call in calls[3:]] == [(-errno.EDQUOT, True), (0, False)]
    assert {path.name: path.read_bytes() for path in (tmp_path / "top").iterdir()} == {"c": b"some", "b": b""}


def test_all_later_calls_fail_where_that_is_wanted(tmp_path: pathlib.Path) -> None:
    ended, calls = run(tmp_path, first=2, last=100, error=errno.EIO)

    assert ended.returncode == 1
    assert "Input/output error" in ended.stderr
    assert [call.injected for call in calls] == [False] + [True] * (len(calls) - 1)


def test_it_ends_as_the_command_does(tmp_path: pathlib.Path) -> None:
    ended, calls = run(tmp_path, command=["/bin/sh", "-c", "exit 7"])

    assert (ended.returncode, calls) == (7, [])


def test_where_it_may_not_trace_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    forbidden = tmp_path / "forbidden.py"
    forbidden.write_text("raise SystemExit('ptrace: Operation not permitted')")
    monkeypatch.setattr(tracer, "__file__", str(forbidden))

    with pytest.raises(tracing.MissingError, match=r"permission to use ptrace\(2\).*: Operation not permitted"):
        tracing.insist()


def called(name: str, *places: str, failed: bool = False) -> Call:
    return Call(1, name, list(places), -errno.EIO if failed else 0)


FLUSH = called("fsync", "/m/A/tmp/x")
FLUSH_FAILED = called("fsync", "/m/A/tmp/x", failed=True)
PUBLISH = called("renameat2", "/m/A/tmp/x", "/m/A/cur/x:2,S")
FLUSH_DIRECTORY = called("fsync", "/m/A/cur")
FLUSH_ALL = called("syncfs", "/m/A/tmp")
FLUSH_ALL_FAILED = called("syncfs", "/m/A/tmp", failed=True)
CHANGE_FLAGS = called("renameat2", "/m/A/cur/x:2,S", "/m/A/cur/x:2,RS")


@pytest.mark.parametrize(
    ("calls", "safe"),
    [
        ([FLUSH, PUBLISH, FLUSH_DIRECTORY], True),
        ([FLUSH_ALL, PUBLISH, FLUSH_DIRECTORY], True),
        ([PUBLISH, FLUSH_ALL], True),
        ([FLUSH, PUBLISH], False),
        ([FLUSH, PUBLISH, called("fsync", "/m/B/cur")], False),
        ([FLUSH_FAILED, PUBLISH, FLUSH_DIRECTORY], False),
        ([FLUSH_ALL_FAILED, PUBLISH, FLUSH_DIRECTORY], False),
        ([FLUSH_ALL, FLUSH_ALL_FAILED, PUBLISH, FLUSH_DIRECTORY], False),
        ([FLUSH_FAILED, FLUSH, PUBLISH, FLUSH_DIRECTORY, FLUSH_ALL], False),
        ([FLUSH_ALL_FAILED, PUBLISH, FLUSH_ALL], False),
        ([PUBLISH, FLUSH_DIRECTORY], False),
        ([FLUSH, PUBLISH, FLUSH_DIRECTORY, CHANGE_FLAGS], False),
        ([FLUSH, PUBLISH, FLUSH_DIRECTORY, CHANGE_FLAGS, FLUSH_DIRECTORY], True),
    ],
)
def test_a_message_is_safe_when_its_octets_and_then_its_name_were_flushed(calls: list[Call], safe: bool) -> None:
    assert unsafe_after(calls, []) == (set() if safe else {("/m/A", "x")})


def test_what_was_written_before_is_safe_when_everything_was_flushed() -> None:
    young = {("/m/A", "y")}

    assert unsafe_after([FLUSH_DIRECTORY], young) == young
    assert unsafe_after([FLUSH_ALL_FAILED], young) == young
    assert unsafe_after([FLUSH_ALL], young) == set()
