"""What the tests of the watcher share: a Maildir, and somebody who listens to hints."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from syncer.reconcile.identity import MailboxName

Hint = frozenset[MailboxName] | None

DEADLINE = 60.0
"""Seconds that nothing takes on the slowest machine."""

OFTEN = 0.02
"""How often (in seconds) is polled where that is what is tested."""


class Hints:
    """Every hint so far, in order; call it as the watcher does."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.all: list[Hint] = []

    def __call__(self, hint: Hint) -> None:
        with self._changed:
            self.all.append(hint)
            self._changed.notify_all()

    def until(self, enough: Callable[[list[Hint]], bool]) -> list[Hint]:
        """Wait until they are enough; returns them and begins anew."""
        with self._changed:
            assert self._changed.wait_for(lambda: enough(self.all), DEADLINE), self.all
            found, self.all = self.all, []
            return found

    def first(self) -> Hint:
        """Wait for one, which is the only one so far."""
        (hint,) = self.until(bool)
        return hint


def hint_of(*mailboxes: str) -> Hint:
    return frozenset(map(MailboxName, mailboxes))


def make_mailbox(directory: Path) -> None:
    for sub in ("tmp", "new", "cur"):
        (directory / sub).mkdir(parents=True)


def make_maildir(root: Path) -> Path:
    """INBOX with a message, Work and Work/Lists; returns the root."""
    for name in ("INBOX", "Work", "Work/Lists"):
        make_mailbox(root / name)
    (root / "INBOX" / "cur" / "1.one:2,").write_bytes(b"one")
    return root


def wait_for(true: Callable[[], bool]) -> None:
    """Look again and again until it is so."""
    waiting = threading.Event()
    for _ in range(int(DEADLINE / 0.005)):
        if true():
            return
        waiting.wait(0.005)
    raise AssertionError("it never came to be")


def wait_until_watched(directory: Path, hints: Hints, mailbox: str) -> None:
    """Until a change there is hinted by its mailbox; what happened before may still make some other hints."""
    seen: list[Hint] = []
    while len(seen) < 20:
        probe = directory / "probe:2,"
        probe.unlink() if probe.exists() else probe.write_bytes(b"probe")
        seen += hints.until(bool)
        if seen[-1] == {mailbox}:
            return
    raise AssertionError(seen)


def threads_and_descriptors() -> tuple[list[threading.Thread], list[str]]:
    """What must be the same before and after."""
    paths = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return threading.enumerate(), sorted(os.readlink(path) for path in paths if os.path.lexists(path))
