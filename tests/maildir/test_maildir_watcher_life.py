"""The watcher's root, its beginning and its end."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from watching import OFTEN, Hints, hint_of, make_mailbox, threads_and_descriptors, wait_for, wait_until_watched

from syncer.maildir import fsops, places
from syncer.maildir.watcher import Watcher

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs inotify")

# The root


def test_a_root_that_is_a_symbolic_link_is_followed(root: Path, hints: Hints, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    with Watcher(str(tmp_path / "link"), "fs", hints, check_seconds=OFTEN) as watcher:
        assert watcher.degraded is None
        wait_until_watched(root / "INBOX/cur", hints, "INBOX")
        make_mailbox(tmp_path / "Other/Work")
        (tmp_path / "other link").symlink_to(tmp_path / "Other")
        (tmp_path / "other link").rename(tmp_path / "link")
        hints.until(lambda seen: None in seen)
        wait_until_watched(tmp_path / "Other/Work/cur", hints, "Work")


@pytest.mark.usefixtures("watcher")
def test_a_root_that_is_replaced_is_watched_as_it_is_then(root: Path, hints: Hints, tmp_path: Path) -> None:
    make_mailbox(tmp_path / "Other/Work")
    fsops.exchange(os.fsencode(root), os.fsencode(tmp_path / "Other"))
    hints.until(lambda seen: None in seen)
    wait_until_watched(root / "Work/cur", hints, "Work")
    (tmp_path / "Other/Work/new/1.one").write_bytes(b"one")
    (root / "Work/new/1.one").write_bytes(b"one")
    assert hints.first() == hint_of("Work")


def test_a_root_that_goes_away_and_comes_back_is_watched_again(root: Path, hints: Hints, tmp_path: Path) -> None:
    with Watcher(str(root), "fs", hints, poll_seconds=OFTEN) as watcher:
        root.rename(tmp_path / "away")
        hints.until(lambda seen: None in seen)
        wait_for(lambda: watcher.degraded is not None)
        assert watcher.degraded == (
            f"{root}: its directories cannot be watched: No such file or directory; they are looked at every 0.02 "
            "seconds instead"
        )
        (tmp_path / "away").rename(root)
        hints.until(lambda seen: None in seen)
        wait_for(lambda: watcher.degraded is None)
        wait_until_watched(root / "Work/Lists/cur", hints, "Work/Lists")


def test_a_root_that_is_not_there_yet_is_waited_for(hints: Hints, tmp_path: Path) -> None:
    with Watcher(str(tmp_path / "Mail"), "fs", hints, poll_seconds=OFTEN) as watcher:
        assert watcher.degraded is not None
        make_mailbox(tmp_path / "Mail/INBOX")
        hints.until(lambda seen: None in seen)
        wait_until_watched(tmp_path / "Mail/INBOX/cur", hints, "INBOX")


# Beginning and end


def test_it_leaves_no_thread_and_no_descriptor(root: Path, hints: Hints) -> None:
    before = threads_and_descriptors()
    with Watcher(str(root), "fs", hints):
        during = threads_and_descriptors()
        assert len(during[0]) == len(before[0]) + 2
        assert during[1].count("anon_inode:inotify") == before[1].count("anon_inode:inotify") + 1
    assert threads_and_descriptors() == before


def test_it_ends_while_events_pour_in(root: Path, hints: Hints) -> None:
    before = threads_and_descriptors()
    ended = threading.Event()

    def pour() -> None:
        path = root / "INBOX/cur/1.one:2,"
        while not ended.is_set():
            path = path.rename(path.with_name("1.one:2,F" if path.name == "1.one:2,S" else "1.one:2,S"))

    pouring = threading.Thread(target=pour)
    watcher = Watcher(str(root), "fs", hints)
    watcher.start()
    pouring.start()
    hints.until(bool)
    watcher.close()
    told = len(hints.all)
    watcher.close()
    ended.set()
    pouring.join()
    assert len(hints.all) == told
    assert threads_and_descriptors() == before


def test_it_may_be_closed_from_within_a_hint_and_without_having_been_started(root: Path, tmp_path: Path) -> None:
    before = threads_and_descriptors()
    closed = threading.Event()

    def close(_: object) -> None:
        watcher.close()
        closed.set()

    watcher = Watcher(str(root), "fs", close)
    watcher.start()
    (root / "INBOX/cur/1.one:2,").unlink()
    assert closed.wait(60)
    Watcher(str(root), "fs", close).close()
    wait_for(lambda: threads_and_descriptors() == before)
    with pytest.raises(RuntimeError, match="started once"):
        watcher.start()


def test_watchdog_is_loaded_by_the_start_only(root: Path) -> None:
    script = (
        "import sys; from syncer.maildir.watcher import Watcher; watcher = Watcher(sys.argv[1], 'fs', print)\n"
        "print('watchdog' in sys.modules); watcher.start(); print('watchdog' in sys.modules); watcher.close()"
    )
    done = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"False\nTrue\n", b"")


def test_neither_directories_of_messages_nor_what_is_hidden_are_ever_listed(
    root: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listed: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(places.os, "scandir", lambda path: listed.append(os.fsdecode(path)) or scandir(path))
    with Watcher(str(root), "fs", hints, poll_seconds=3600):
        (root / ".cache/deep").mkdir(parents=True)
        make_mailbox(root / "New")
        hints.until(lambda seen: None in seen)
        wait_until_watched(root / "New/cur", hints, "New")
    assert {os.path.relpath(path, root) for path in listed} == {".", "INBOX", "Work", "Work/Lists", "New"}
