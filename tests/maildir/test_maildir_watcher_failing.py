"""The watcher when a thread of it fails, and without inotify: it polls, says so, and misses nothing."""

import errno
import importlib
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from watchdog.observers import inotify_c
from watching import OFTEN, Hints, hint_of, make_mailbox, threads_and_descriptors, wait_until_watched

from syncer.maildir import inotify, watches
from syncer.maildir.watcher import Watcher

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs inotify")


# The end of a thread


def test_if_the_reader_dies_everything_is_hinted_and_polled(
    root: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = threads_and_descriptors()

    def broken(_: int, __: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with Watcher(str(root), "fs", hints, poll_seconds=OFTEN) as watcher:
        with monkeypatch.context() as patched:
            patched.setattr(inotify_c.os, "read", broken)
            (root / "INBOX/cur/1.one:2,").unlink()
            assert hints.until(bool)[0] is None
        assert watcher.degraded == (
            f"{root}: watching ended unexpectedly (OSError: [Errno 5] Input/output error); its directories are looked "
            "at every 0.02 seconds instead"
        )
        wait_until_watched(root / "Work/cur", hints, "Work")
        make_mailbox(root / "New")
        hints.until(lambda seen: None in seen)
    assert threads_and_descriptors() == before


@pytest.mark.parametrize("times", [1, 2])
def test_if_the_watcher_itself_fails_everything_is_hinted_and_polled(
    root: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Once when it lists the directories after an event; twice: when it polls for the first time, as well."""
    arrange = watches.Watches.arrange
    calls = 0

    def failing(self: watches.Watches, disturbed: frozenset[bytes]) -> bool:
        nonlocal calls
        calls += 1
        if 2 <= calls < 2 + times:
            raise ValueError("what nobody expects")
        return arrange(self, disturbed)

    monkeypatch.setattr(watches.Watches, "arrange", failing)
    with Watcher(str(root), "fs", hints, poll_seconds=OFTEN) as watcher:
        make_mailbox(root / "New")
        assert hints.until(lambda seen: len(seen) >= times)[:times] == [None] * times
        assert watcher.degraded is not None
        assert "watching ended unexpectedly (ValueError: what nobody expects)" in watcher.degraded
        wait_until_watched(root / "New/cur", hints, "New")


def test_if_it_fails_to_start_everything_is_polled(root: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> watches.Events:
        raise ValueError("what nobody expects")

    monkeypatch.setattr(watches, "_open_events", failing)
    with Watcher(str(root), "fs", hints, poll_seconds=OFTEN) as watcher:
        assert watcher.degraded is not None
        wait_until_watched(root / "Work/cur", hints, "Work")


def test_without_a_thread_for_the_reader_everything_is_polled(
    root: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: object) -> None:
        raise RuntimeError("can't start new thread")

    before = threads_and_descriptors()
    monkeypatch.setattr(inotify_c.InotifyFD, "start", no_thread)
    with Watcher(str(root), "fs", hints, poll_seconds=OFTEN) as watcher:
        assert threads_and_descriptors()[1] == before[1]
        assert watcher.degraded is not None
        assert "watching ended unexpectedly (RuntimeError: can't start new thread)" in watcher.degraded
        wait_until_watched(root / "Work/cur", hints, "Work")


def test_a_hint_that_raises_is_given_again_as_everything(root: Path) -> None:
    given: list[object] = []
    taken = threading.Event()

    def hint(mailboxes: object) -> None:
        given.append(mailboxes)
        if len(given) < 3:
            raise ValueError("cannot take it")
        taken.set()

    with Watcher(str(root), "fs", hint, poll_seconds=OFTEN) as watcher:
        (root / "INBOX/cur/1.one:2,").unlink()
        assert taken.wait(60)
        assert watcher.degraded is not None
        assert "(ValueError: cannot take it)" in watcher.degraded
    assert given[:3] == [hint_of("INBOX"), None, None]


# Other systems, and older versions of watchdog


@pytest.fixture
def without_inotify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "syncer.maildir.inotify", None)


def test_a_watchdog_that_says_nothing_of_lost_events_is_not_used_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(inotify_c.WatchCallback, "on_queue_overflow")
    with pytest.raises(ImportError, match="events were lost"):
        importlib.reload(inotify)


@pytest.mark.usefixtures("without_inotify")
def test_without_inotify_events_are_told_all_the_same(root: Path, hints: Hints) -> None:
    before = threads_and_descriptors()
    with Watcher(str(root), "fs", hints, poll_seconds=3600) as watcher:
        assert watcher.degraded == (
            f"{root}: events may be lost on this system, or with this watchdog; its directories are looked at every "
            "3600 seconds as well"
        )
        (root / "INBOX/tmp/3").write_bytes(b"not delivered yet")
        (root / "INBOX/cur/1.one:2,").rename(root / "Work/cur/1.one:2,")
        assert hints.first() == hint_of("INBOX", "Work")
        (root / "Work/dovecot-keywords").write_bytes(b"0 work\n")
        assert hints.first() == hint_of("Work")
        (root / "Work/Lists").rename(root / "Work/Lots")
        hints.until(lambda seen: None in seen)
    assert threads_and_descriptors() == before


@pytest.mark.filterwarnings(
    "ignore:Callback with id"
)  # the Observer's own, of directories that are made one after another
@pytest.mark.usefixtures("without_inotify")
def test_what_the_observer_misses_is_polled(root: Path, hints: Hints, tmp_path: Path) -> None:
    with Watcher(str(root), "fs", hints, poll_seconds=OFTEN) as watcher:
        make_mailbox(root / "New")
        hints.until(lambda seen: None in seen)
        wait_until_watched(root / "New/cur", hints, "New")
        root.rename(tmp_path / "away")
        hints.until(lambda seen: None in seen)
        (tmp_path / "away").rename(root)
        hints.until(lambda seen: None in seen)
        wait_until_watched(root / "Work/Lists/cur", hints, "Work/Lists")
        events: Any = watcher._watches._events
        events._observer.stop()
        hints.until(lambda seen: None in seen)
        assert watcher.degraded is not None
        assert "watching ended unexpectedly (its thread ended)" in watcher.degraded
        wait_until_watched(root / "Work/Lists/cur", hints, "Work/Lists")
