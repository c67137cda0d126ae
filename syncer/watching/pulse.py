"""Whether work that does not seem to end is stuck: what a service manager is not told to be alive any more.

Whatever waits for the network has a deadline of its own. So what is stuck is a fault of ours, such as two threads that
wait for each other, or a file system that does not answer. Neither has to be found soon, and nothing else may be taken
for it: a first sync over a slow line takes a day, and an account that is begun anew every hour would never be done.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from syncer.ports import Progress
from syncer.reconcile.identity import MailboxName

STUCK: Final = 7_200.0
"""Seconds without a message being transferred or a mailbox looked at, which is what progress is reported of."""
IDLE: Final = 0.2
"""Seconds of the processor that the whole program uses in such a time if there is really nothing that goes on."""


class Pulse:
    """Of one thread's work. Any thread may ask, and tell of a sign of life."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, processor: Callable[[], float] = time.process_time
    ) -> None:
        """Nothing is under way. `clock` and `processor` tell seconds: that have passed, and that were worked."""
        self._clock = clock
        self._processor = processor
        self._sign: tuple[float, float] | None = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Something is under way."""
        self._sign = self._now()
        try:
            yield
        finally:
            self._sign = None

    def sign(self) -> None:
        """It goes on."""
        if self._sign is not None:
            self._sign = self._now()

    @property
    def stuck(self) -> bool:
        """Whether nothing has gone on for very long."""
        sign = self._sign
        if sign is None:
            return False
        now, worked = self._now()
        return now - sign[0] > STUCK and worked - sign[1] < IDLE

    def _now(self) -> tuple[float, float]:
        return self._clock(), self._processor()


class Signs:
    """Progress, each report of which is a sign of life."""

    def __init__(self, progress: Progress, pulse: Pulse) -> None:
        self._progress = progress
        self._pulse = pulse

    def mailboxes(self, account: str, total: int) -> None:
        """See `Progress`, as for the others."""
        self._pulse.sign()
        self._progress.mailboxes(account, total)

    def looked(self, account: str, mailbox: MailboxName) -> None:
        """One more."""
        self._pulse.sign()
        self._progress.looked(account, mailbox)

    def planned(self, account: str, messages: int, octets: int) -> None:
        """So much more."""
        self._pulse.sign()
        self._progress.planned(account, messages, octets)

    def transferred(self, account: str, messages: int, octets: int) -> None:
        """So much more."""
        self._pulse.sign()
        self._progress.transferred(account, messages, octets)
