"""How a pass goes on, on a terminal: mailboxes, messages, bytes, rate and time left, one line for each account.

The pass only adds numbers under a lock. One thread draws them, and it loads rich only when the pass lasts longer
than most passes that have nothing to do.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from syncer.cli.output import on_terminal
from syncer.ports import Progress
from syncer.reconcile.identity import MailboxName
from syncer.values import Struct, replace

if TYPE_CHECKING:
    from rich.progress import Progress as Display
    from rich.progress import TaskID

_PATIENCE: Final = 0.5
_REDRAW: Final = 0.1


class Tally(Struct):
    """What has been heard of one account."""

    mailboxes: int = 0
    looked: int = 0
    messages: int = 0
    octets: int = 0
    messages_done: int = 0
    octets_done: int = 0


class Silent:
    """A `Progress` that shows nothing."""

    def mailboxes(self, account: str, total: int) -> None:
        """See `Progress`."""

    def looked(self, account: str, mailbox: MailboxName) -> None:
        """See `Progress`."""

    def planned(self, account: str, messages: int, octets: int) -> None:
        """See `Progress`."""

    def transferred(self, account: str, messages: int, octets: int) -> None:
        """See `Progress`."""


class Counting:
    """A `Progress` that adds up, for whoever draws."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[str, Tally] = {}

    def mailboxes(self, account: str, total: int) -> None:
        """See `Progress`."""
        with self._lock:
            self._tally(account).mailboxes += total

    def looked(self, account: str, mailbox: MailboxName) -> None:  # noqa: ARG002 - the port's signature
        """See `Progress`."""
        with self._lock:
            self._tally(account).looked += 1

    def planned(self, account: str, messages: int, octets: int) -> None:
        """See `Progress`."""
        with self._lock:
            tally = self._tally(account)
            tally.messages += messages
            tally.octets += octets

    def transferred(self, account: str, messages: int, octets: int) -> None:
        """See `Progress`."""
        with self._lock:
            tally = self._tally(account)
            tally.messages_done += messages
            tally.octets_done += octets

    def tallies(self) -> dict[str, Tally]:
        """Where every account stands, as copies."""
        with self._lock:
            return {account: replace(tally) for account, tally in self._tallies.items()}

    def _tally(self, account: str) -> Tally:
        return self._tallies.setdefault(account, Tally())


@contextmanager
def progress(*, wanted: bool, patience: float = _PATIENCE) -> Iterator[Progress]:
    """What a pass reports to: drawn on standard error if that is a terminal and it is `wanted`, else nothing."""
    if not (wanted and on_terminal(sys.stderr)):
        yield Silent()
        return
    counting = Counting()
    over = threading.Event()
    thread = threading.Thread(target=_draw, args=(counting, over, patience), name="progress", daemon=True)
    thread.start()
    try:
        yield counting
    finally:
        over.set()
        thread.join()


def _draw(counting: Counting, over: threading.Event, patience: float) -> None:
    if over.wait(patience):
        return
    with _display() as display:
        tasks: dict[str, TaskID] = {}
        while not over.wait(_REDRAW):
            for account, tally in counting.tallies().items():
                if account not in tasks:
                    tasks[account] = display.add_task(account, total=None, mailboxes="", messages="")
                display.update(
                    tasks[account],
                    total=tally.octets or None,
                    completed=tally.octets_done,
                    mailboxes=f"{tally.looked}/{tally.mailboxes} mailboxes",
                    messages=f"{tally.messages_done}/{tally.messages} messages" if tally.messages else "",
                )
            display.refresh()


def _display() -> "Display":
    from rich.console import Console  # noqa: PLC0415 - only for a long pass on a terminal
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.fields[mailboxes]}", markup=False),
        TextColumn("{task.fields[messages]}", markup=False),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    # Cleared at the end: the report says the same in words.
    return Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
