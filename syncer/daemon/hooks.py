"""`on_change`: a command of the person's that is run after something has changed in the Maildir.

It is a list of words, no shell reads it. On its standard input it gets one JSON document (`pending.document`):

    {"version": 1, "account": "work", "changes": [
      {"mailbox": "INBOX", "added": ["/path/to/Mail/work/INBOX/new/1.a"], "removed": [],
       "changed": [["/path/to/Mail/work/INBOX/new/1.b", "/path/to/Mail/work/INBOX/cur/1.b:2,S"]]}]}

`texts` says how a path is told that is not UTF-8. There is never more than one run at a time; what changes meanwhile
waits for the next. A run that fails is logged and its changes are not told again: the command would fail again, and
most commands look for themselves.
"""

import shlex
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from syncer.daemon import children
from syncer.daemon.children import Bounds
from syncer.daemon.pending import Batch, Change, Pending, Timing, document
from syncer.daemon.texts import octets_of, shown
from syncer.later import Later

if TYPE_CHECKING:
    import logging
else:
    logging = Later("logging")


class Hook:
    """Runs one command, for one account or for several, in a thread of its own. Thread-safe."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        timing: Timing | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        """`environment` is ours; the command gets of it what `children.inherited` lets through."""
        self._command = tuple(command)
        self._environment = children.inherited(environment)
        self._bounds = bounds or Bounds()
        self._pending = Pending(timing or Timing())
        self._ready = threading.Condition()
        self._until: float | None = None
        """Once it is closed: when a run is ended that is still under way."""
        self._thread = threading.Thread(target=self._serve, name="on_change", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def note(self, account: str, changes: Iterable[Change]) -> None:
        """These changes were just made in the Maildir of `account`. Waits for nothing; too late once it is closed."""
        with self._ready:
            if self._until is None:
                self._pending.add(time.monotonic(), account, changes)
                self._ready.notify_all()

    def close(self, patience: float = 0.0) -> None:
        """End: at once, or after up to `patience` seconds for the run under way and one with what still waits.

        Returns when no process of a run is left, at the latest after `patience` and three times the grace. What was not
        told to the command by then is counted in a warning.
        """
        with self._ready:
            if self._until is None:
                self._until = time.monotonic() + patience
            self._ready.notify_all()
        self._thread.join()

    def _serve(self) -> None:
        while (batch := self._next()) is not None:
            self._run(batch)
        untold = 0
        while (batch := self._pending.take()) is not None:
            untold += batch.files
        if untold:
            self._log().warning("%s: not told of %d changed files, as syncer ends", self, untold)

    def _next(self) -> Batch | None:
        """What the next run is about, when it is due; None when there is to be none any more."""
        with self._ready:
            while self._until is None:
                now = time.monotonic()
                if batch := self._pending.take(now):
                    return batch
                due = self._pending.due()
                self._ready.wait(None if due is None else max(0.0, due - now))
            return None if self._is_over() else self._pending.take()

    def _run(self, batch: Batch) -> None:
        log = self._log()
        try:
            ended = children.run(
                self._command,
                document(batch),
                environment=self._environment,
                directory=children.home(self._environment),
                bounds=self._bounds,
                stopped=self._is_over,
                say=lambda line: log.info("on_change: %s", line),
            )
        except (OSError, ValueError) as error:
            log.warning("%s: cannot be run: %s", self, error)
            return
        if ended.how == "stopped":
            log.warning("%s: ended early, as syncer ends: %s", self, ended)
        elif ended.how == "time-out":
            log.warning("%s: not over after %g seconds: %s", self, self._bounds.seconds, ended)
        elif not ended.well:
            log.warning("%s: failed: %s", self, ended)

    def _is_over(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until

    def _log(self) -> "logging.Logger":
        return logging.getLogger(__name__)

    def __str__(self) -> str:
        return f"on_change {shown(octets_of(shlex.join(self._command)))}"
