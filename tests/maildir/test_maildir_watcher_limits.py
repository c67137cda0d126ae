"""The watcher when it cannot watch, or not all: what it polls instead, that it says so, and that nothing is missed."""

import ctypes
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from watchdog.observers import inotify_c
from watching import OFTEN, Hints, hint_of, make_mailbox, wait_for, wait_until_watched

from syncer.maildir import inotify, watches
from syncer.maildir.news import Batch, News
from syncer.maildir.watcher import Watcher
from syncer.reconcile.identity import INBOX

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs inotify")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None, int], None]:
    """Let the kernel give out so many watches from now on (None: as many as wanted), and say why no more."""
    left: list[Any] = [None, errno.ENOSPC]
    add_watch = inotify_c.inotify_add_watch

    def limited(*args: Any) -> int:
        if left[0] == 0:
            ctypes.set_errno(left[1])
            return -1
        left[0] = left[0] and left[0] - 1
        return add_watch(*args)

    def limit(number: int | None, error: int = errno.ENOSPC) -> None:
        left[:] = number, error

    monkeypatch.setattr(inotify_c, "inotify_add_watch", limited)
    return limit


# Lost events


def test_after_an_overflow_everything_is_hinted_and_watched_again(
    root: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, blocked = threading.Event(), threading.Event()
    read_events = inotify_c.InotifyFD.read_events

    def slow(reader: inotify_c.InotifyFD, **options: int) -> list[inotify_c.InotifyEvent]:
        blocked.set()
        reading.wait()
        return read_events(reader, **options)

    monkeypatch.setattr(inotify_c.InotifyFD, "read_events", slow)
    more_than_the_queue_holds = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) // 2 + 1
    with Watcher(str(root), "fs", hints, poll_seconds=3600) as watcher:
        assert blocked.wait(60)
        path = root / "Work/cur/2.two:2,"
        path.write_bytes(b"two")
        for number in range(more_than_the_queue_holds):
            path = path.rename(path.with_name(f"2.two:2,{'FS'[number % 2]}"))
        (root / "INBOX/cur/1.one:2,").unlink()
        make_mailbox(root / "New")
        reading.set()
        hints.until(lambda seen: None in seen)
        assert watcher.degraded is None
        wait_until_watched(root / "INBOX/cur", hints, "INBOX")
        wait_until_watched(root / "New/cur", hints, "New")


def test_a_file_system_that_is_unmounted_makes_everything_uncertain(root: Path, hints: Hints) -> None:
    with Watcher(str(root), "fs", hints, poll_seconds=3600) as watcher:
        callback = inotify._Messages(watcher._watches._events, watcher._watches._known[os.fsencode(root / "Work/cur")])  # type: ignore[arg-type]
        unmounted = inotify_c.InotifyConstants.IN_UNMOUNT
        callback.on_event(inotify_c.InotifyEvent(inotify_c.WatchDescriptor(1), unmounted, 0, b""))
        assert hints.first() is None
        wait_until_watched(root / "Work/cur", hints, "Work")


# Limits


def test_without_watches_for_all_the_rest_is_polled_until_there_are_enough(
    root: Path, hints: Hints, full: Callable[..., None]
) -> None:
    full(5)  # the root, INBOX and what it consists of, Work
    with Watcher(str(root), "fs", hints, poll_seconds=OFTEN) as watcher:
        assert watcher.degraded == (
            f"{root}: 5 of its 10 directories cannot be watched: the system's limit of watches is reached "
            "(raise fs.inotify.max_user_watches); they are looked at every 0.02 seconds instead"
        )
        full(0)
        wait_until_watched(root / "INBOX/cur", hints, "INBOX")
        wait_until_watched(root / "Work/cur", hints, "Work")
        make_mailbox(root / "Work/Lists/Deep")
        hints.until(lambda seen: None in seen)
        wait_until_watched(root / "Work/Lists/Deep/cur", hints, "Work/Lists/Deep")
        full(None)
        wait_for(lambda: watcher.degraded is None)
        wait_until_watched(root / "Work/Lists/cur", hints, "Work/Lists")


def test_what_is_polled_and_what_is_watched_may_change_at_the_same_time(
    root: Path, hints: Hints, full: Callable[..., None]
) -> None:
    full(5)
    watcher = Watcher(str(root), "fs", hints)
    watcher._watches.arrange({os.fsencode(root)})
    full(0)
    make_mailbox(root / "Work/Lists/Deep")
    happened = Batch(directories=frozenset({os.fsencode(root / "INBOX/nothing")}))
    watcher._notice(happened)  # a watcher that was never started has long since had to poll
    watcher._tell(frozenset())
    watcher._watches.close()
    assert hints.all == [None]


def test_a_directory_that_may_not_be_read_is_polled(root: Path, hints: Hints, full: Callable[..., None]) -> None:
    full(0, errno.EACCES)
    with Watcher(str(root), "fs", hints, poll_seconds=OFTEN) as watcher:
        assert watcher.degraded is not None
        assert "its directories cannot be watched: Permission denied; " in watcher.degraded
        wait_until_watched(root / "Work/cur", hints, "Work")


@pytest.mark.parametrize(("limit", "number", "words"), [
    ("watches", 5, "5 of its 10 directories cannot be watched: the system's limit of watches is reached"),
    ("instances", 0, "its directories cannot be watched: the limit of inotify instances or of open files is reached"),
])  # fmt: skip
def test_the_limits_of_the_kernel_itself(root: Path, limit: str, number: int, words: str) -> None:
    script = f"echo {number} > /proc/sys/user/max_inotify_{limit} && exec {sys.executable} -c '{PROBE}' {root}"
    if subprocess.run(["unshare", "-Ur", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs a user namespace")
    done = subprocess.run(["unshare", "-Ur", "sh", "-c", script], capture_output=True, check=True, text=True)
    assert words in done.stdout.splitlines()[0]
    assert done.stdout.splitlines()[1:] == ["changed: Work"]
    assert done.stderr == ""


def test_with_too_many_open_files_it_polls_until_there_are_fewer(root: Path) -> None:
    script = """
import os, resource, sys, threading
from syncer.maildir import inotify
from syncer.maildir.news import Batch, News
from syncer.maildir.watcher import Watcher
told = threading.Event()
watcher = Watcher(sys.argv[1], "fs", lambda hint: told.set(), poll_seconds=0.02)
taken = [os.open("/", os.O_RDONLY)]
resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + int(sys.argv[2]), 4096))
for _ in range(int(sys.argv[2]) - 2):
    taken.append(os.open("/", os.O_RDONLY))
before = len(os.listdir("/proc/self/fd"))
watcher.start()
print(watcher.degraded)
os.unlink(sys.argv[1] + "/INBOX/cur/1.one:2,")
print(told.wait(60), len(os.listdir("/proc/self/fd")) - before)
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
while watcher.degraded:
    threading.Event().wait(0.02)
watcher.close()
print(len(os.listdir("/proc/self/fd")) - before)
"""
    done = subprocess.run([sys.executable, "-c", script, root, "4"], capture_output=True, check=True, text=True)
    first, *rest = done.stdout.splitlines()
    assert first == (
        f"{root}: its directories cannot be watched: the limit of inotify instances or of open files is reached "
        "(raise fs.inotify.max_user_instances, or ulimit -n); they are looked at every 0.02 seconds instead"
    )
    assert rest == ["True 0", "0"]
    assert done.stderr == ""


# Polling


def test_polling_sees_everything_and_hints_at_nothing_else(root: Path, hints: Hints, full: Callable[..., None]) -> None:
    full(0)
    with Watcher(str(root), "fs", hints, poll_seconds=OFTEN) as watcher:
        settled(watcher, hints)
        (root / "INBOX/cur/1.one:2,").rename(root / "INBOX/cur/1.one:2,S")
        assert set(settled(watcher, hints)) == {hint_of("INBOX")}
        (root / "INBOX/cur/1.one:2,S").rename(root / "Work/new/1.one")
        assert frozenset().union(*settled(watcher, hints)) == {INBOX, "Work"}  # type: ignore[arg-type]
        (root / "Work/dovecot-keywords").write_bytes(b"0 work\n")
        assert set(settled(watcher, hints)) == {hint_of("Work")}
        make_mailbox(root / "New")
        assert None in settled(watcher, hints)
        (root / "New").rename(root / "Newer")
        assert None in settled(watcher, hints)
        fresh = root / "Work/new"
        fresh.rename(root / "Work/old")
        assert None in settled(watcher, hints)
        assert settled(watcher, hints) == []


def test_a_time_that_may_hide_a_further_change_is_not_relied_on(
    root: Path, full: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    full(0)
    now = 1_700_000_000_123_000_000
    monkeypatch.setattr(watches, "stamp", lambda _: (1, 2, now, now))
    found = watches.Watches(os.fsencode(root), "fs", News())
    polls = []
    for elapsed in (0, 1_000_000, 1_000_000_000, 2_000_000_000):
        monkeypatch.setattr(watches.time, "time_ns", lambda elapsed=elapsed: now + elapsed)
        if not elapsed:
            found.arrange({os.fsencode(root)})
        polls.append(found.poll())
    found.close()
    assert polls == [({INBOX, "Work", "Work/Lists"}, True)] * 3 + [(set(), False)]


PROBE = """
import sys, threading
from syncer.maildir.news import Batch, News
from syncer.maildir.watcher import Watcher
told = threading.Event()
def hint(mailboxes):
    if mailboxes == {"Work"}:
        told.set()
with Watcher(sys.argv[1], "fs", hint, poll_seconds=0.02) as watcher:
    print(watcher.degraded)
    open(sys.argv[1] + "/Work/cur/2.two:2,", "x").close()
    told.wait(60) and print("changed: Work")
"""


def settled(watcher: Watcher, hints: Hints) -> list[Any]:
    """Every hint until the directories are so long unchanged that their times can be trusted, and were polled again."""
    polled = watcher._watches._polled

    def trusted() -> bool:
        return watches._UNKNOWN not in list(polled.values()) and all(
            watcher._watches._look(path) == seen for path, seen in list(polled.items())
        )

    wait_for(trusted)
    for _ in range(2):
        before = watcher._polled
        wait_for(lambda before=before: watcher._polled != before)  # type: ignore[misc]
    return hints.until(lambda _: True)
