"""One account, kept equal by itself: waits for hints, makes a pass where they point, and never gives up.

Everything that wakes the account goes through here: hints from both sides, a person who wants a pass now, a network
that has changed, the end. One thread makes the passes; any other may call `hint`, `hurry` and `end`.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Protocol

from syncer.errors import AccountError, StoppedError
from syncer.ports.rest import STRONGER, Hope, Rest
from syncer.reconcile.identity import MailboxName, Side
from syncer.wakeups import Due, Wakeups
from syncer.watching.pulse import Pulse
from syncer.workers import Task

EVERYTHING = Due({}, everything=True)
AGAIN = (60.0, 3_600.0)
"""Seconds after a pass in which some mailbox failed: at first, doubled each time, and at most."""


class Work(Protocol):
    """What the loop does."""

    def make_pass(self, due: Due) -> bool:
        """Look where it says; returns whether all went well.

        Raises:
            AccountError: the account cannot be worked on.
        """

    def keep(self) -> None:
        """Nothing has happened for a while: see that the connection is not taken for dead. Never raises."""


Persistently = Callable[[Callable[[], object], Rest, threading.Event], object]
"""Does work until it is done or the event is set; pauses with what it is given. See `syncer.imap.retry`."""


class Loop:
    """The passes of one account."""

    def __init__(
        self,
        work: Work,
        persistently: Persistently,
        stop: threading.Event,
        *,
        interval: float,
        keepalive: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Every `interval` seconds everything is looked at, whatever anybody tells.

        `persistently` tries again after an outage. `stop` ends it all; call `end` after it was set.
        """
        self._work = work
        self.persistently = persistently
        self._stop = stop
        self.pulse = Pulse()
        """Of the passes, and of all else that is done in between."""
        self.interval = interval
        """May be changed."""
        self._keepalive = keepalive
        self._clock = clock
        self._worked = clock()
        self._bell = threading.Condition()
        self._wakeups = Wakeups()
        self._hopes: set[Hope] = set()
        self._requests: deque[Task[object]] = deque()
        self._troubles = 0

    def hint(self, side: Side, mailboxes: Collection[MailboxName] | None) -> None:
        """Something may have happened on a side, in these mailboxes; None: anywhere."""
        with self._bell:
            self._wakeups.hint(self._clock(), side, mailboxes)
            self._bell.notify_all()

    def look_later(self, seconds: float, side: Side, mailboxes: Collection[MailboxName] | None) -> None:
        """Look at these mailboxes in so many seconds, at the latest; None: at everything."""
        with self._bell:
            self._wakeups.hint(self._clock() + seconds, side, mailboxes)
            self._bell.notify_all()

    def hurry(self, hope: Hope) -> None:
        """Look at everything now, and try again what is waited for: there is new hope."""
        with self._bell:
            self._hopes.update(STRONGER[hope])
            self._wakeups.hint(self._clock(), "server", None)
            self._bell.notify_all()

    def look_every(self, seconds: float) -> None:
        """From now on everything is looked at so often, and for the first time in so many seconds."""
        with self._bell:
            self.interval = seconds
            self._later(seconds)
            self._bell.notify_all()

    def request(self, work: Callable[[], object]) -> None:
        """Do a piece of work between two passes, or while one is waited for, and wait until it is done.

        Raises:
            StoppedError: the end came first.
        """
        task = Task(work)
        with self._bell:
            if self._stop.is_set():
                raise StoppedError("it is about to end; try again")
            self._requests.append(task)
            self._bell.notify_all()
        task.result()

    def end(self) -> None:
        """`stop` was set: whoever waits here waits no longer."""
        with self._bell:
            self._bell.notify_all()

    def run(self) -> None:
        """Make passes until `stop` is set; the first looks at everything."""
        due: Due | None = EVERYTHING
        try:
            while due is not None:
                try:
                    self.persistently(self._attempts(due), self.rest, self._stop)
                except AccountError:
                    if not self._stop.is_set():
                        raise
                due = self._next()
        finally:
            with self._bell:  # or a request that has just found `stop` not set would wait for ever
                while self._requests:
                    self._requests.popleft().fail(StoppedError("it ended before that was done; try again"))

    def _attempts(self, due: Due) -> Callable[[], object]:
        """The pass, for several attempts: after a failure nobody knows what was missed meanwhile."""
        attempts = iter((due,))

        def attempt() -> None:
            self._pass(next(attempts, EVERYTHING))

        return attempt

    def _pass(self, due: Due) -> None:
        began = self._clock()
        with self.pulse.working():
            well = self._work.make_pass(due)
        now = self._worked = self._clock()
        with self._bell:
            self._wakeups.spent(now, now - began, [None] if due.everything else [*due.mailboxes])
            self._troubles = 0 if well else self._troubles + 1
            if not well:
                first, most = AGAIN
                self._later(min(most, first * 2.0 ** min(self._troubles - 1, 32)))
            if due.everything:  # new mail must not wait for what fails for ever
                self._later(self.interval)

    def _later(self, seconds: float) -> None:
        self._wakeups.hint(self._clock() + seconds, "server", None)

    def _next(self) -> Due | None:
        """Wait until something is due; None at the end."""
        while not self._stop.is_set():
            self._serve()
            with self._bell:
                if self._requests or self._stop.is_set():  # while something was done that was requested, perhaps
                    continue
                now = self._clock()
                due = self._wakeups.take(now)
                if due is not None:
                    self._hopes.clear()
                    return due
                left = self._worked + self._keepalive - now
                if left > 0:
                    wait = self._wakeups.wait(now)
                    self._bell.wait(left if wait is None else min(wait, left))
                    continue
            with self.pulse.working():
                self._work.keep()
            self._worked = self._clock()
        return None

    def rest(self, seconds: float, hope: Hope) -> bool:
        """Pause after a failure; returns whether there is hope."""
        end = self._clock() + seconds
        while not self._stop.is_set() and (left := end - self._clock()) > 0:
            self._serve()
            with self._bell:
                self._bell.wait_for(lambda: hope in self._hopes or self._stop.is_set() or self._requests, left)
                if hope in self._hopes:
                    self._hopes.clear()
                    return True
        return False

    def _serve(self) -> None:
        """Do what was requested."""
        while self._requests:
            with self.pulse.working():
                self._requests.popleft().run()
