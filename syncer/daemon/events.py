r"""`--events`: one line of JSON for each thing that was done, for an indexer or a person's script to follow.

A line tells what `syncer log --json` tells, in the journal's words (`syncer.reconcile.events`):

    {"at": "2026-11-26T13:15:00Z", "account": "work", "mailbox": "INBOX", "event": "flags received",
     "reason": "changed on the server", "detail": "+\\Seen", "messages": 2, "uids": "7:8", "names": []}

`at` and `event` are the journal's `at` and `done`. One line is about all messages to which the same was done for the
same reason. `paths`, where it is there, has the files as they are now; `texts` says how a name is told that is not
UTF-8.

A reader that goes away ends the stream and nothing else. One that does not read keeps nobody waiting: what does not fit
into the buffer is dropped, and in its place a line says how many were:

    {"at": "2026-11-26T13:15:00Z", "account": null, "mailbox": null, "event": "dropped", "lines": 12}

A follower that reads this looks for itself once, or asks `syncer log`.
"""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from syncer.daemon.texts import json_line, listed, readable
from syncer.later import Later
from syncer.reconcile.events import Event, ranges_text

if TYPE_CHECKING:
    import logging
else:
    logging = Later("logging")

DROPPED: Final = "dropped"
"""The one event that the journal does not have."""

_BUFFER: Final = 4 * 1024 * 1024
_GRACE: Final = 1.0
_TICK_MS: Final = 100
"""After so long it is noticed that the stream is to end although nobody reads. Only while there is something to."""


def event_line(at: int, account: str, event: Event, paths: Sequence[str] = ()) -> bytes:
    """The line about an event. `paths` are its messages' files, where they are known, with surrogate escapes."""
    uids, names = event.uids, event.names
    if uids and names:  # in the order of the UIDs, as the journal has them
        together = sorted(zip(uids, names, strict=True))
        uids, names = [uid for uid, _ in together], [name for _, name in together]
    document: dict[str, Any] = {
        "at": _iso(at),
        "account": readable(account),
        "mailbox": readable(event.mailbox),
        "event": event.verb,
        "reason": readable(event.reason),
        "detail": readable(event.detail),
        "messages": max(len(uids), len(names)),
        "uids": ranges_text(sorted(uids)),
        **listed("names", names),
    }
    if paths:
        document |= listed("paths", paths)
    return json_line(document)


def dropped_line(at: int, lines: int) -> bytes:
    """The line in place of `lines` that were dropped."""
    return json_line({"at": _iso(at), "account": None, "mailbox": None, "event": DROPPED, "lines": lines})


def _iso(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


class Buffer:
    """PURE: lines that wait for the reader, and how many found no room. Not thread-safe."""

    def __init__(self, octets: int, dropped: Callable[[int, int], bytes] = dropped_line) -> None:
        """At most `octets` wait, besides lines that say what was dropped, which `dropped` makes."""
        self._room = octets
        self._line_of = dropped
        self._lines: deque[bytes] = deque()
        self._dropped = 0

    def put(self, at: int, line: bytes) -> None:
        """Add a line. Where there is no room for it, or was none for the one before, it may be dropped."""
        if len(line) > self._room:
            self._dropped += 1
            return
        self._own_up(at)
        self._room -= len(line)
        self._lines.append(line)

    def take(self, at: int) -> bytes | None:
        """The next line; None if there is none."""
        if not self._lines:
            self._own_up(at)
        if not self._lines:
            return None
        line = self._lines.popleft()
        self._room += len(line)
        return line

    def _own_up(self, at: int) -> None:
        if self._dropped:
            line = self._line_of(at, self._dropped)
            self._lines.append(line)
            self._room -= len(line)
            self._dropped = 0


class Stream:
    """Writes lines to a descriptor, in a thread of its own. Thread-safe. The descriptor stays the caller's."""

    def __init__(
        self, descriptor: int, *, octets: int = _BUFFER, dropped: Callable[[int, int], bytes] = dropped_line
    ) -> None:
        """Up to `octets` wait for a reader that does not read; see `Buffer`."""
        self._descriptor = descriptor
        self._buffer = Buffer(octets, dropped)
        self._ready = threading.Condition()
        self._ended = False
        """Nobody reads any more."""
        self._until: float | None = None
        """Once it is closed: when it ends even if lines are left."""
        self._thread = threading.Thread(target=self._serve, name="events", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the reader has gone away."""
        return self._ended

    def put(self, at: int, account: str, event: Event, paths: Sequence[str] = ()) -> None:
        """Tell what was done at `at`, in seconds since the epoch. Waits for nothing and raises nothing."""
        if not self._ended and self._until is None:
            self.put_line(at, event_line(at, account, event, paths))

    def put_line(self, at: int, line: bytes) -> None:
        """Write a line. Waits for nothing and raises nothing."""
        if not self._ended and self._until is None:
            with self._ready:
                self._buffer.put(at, line)
                self._ready.notify()

    def close(self, patience: float = 1.0) -> None:
        """End, after up to `patience` seconds for what still waits. A last line that was cut off has no line end."""
        with self._ready:
            self._until = time.monotonic() + patience
            self._ready.notify()
        self._thread.join(patience + _GRACE)  # a file system may hang, and with it whoever writes

    def _serve(self) -> None:
        try:
            while (line := self._next()) is not None and self._write(line):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has seen enough
        except OSError as error:
            logging.getLogger(__name__).warning("--events: no more lines, they cannot be written: %s", error)
        self._ended = True

    def _next(self) -> bytes | None:
        with self._ready:
            while (line := self._buffer.take(int(time.time()))) is None and self._until is None:
                self._ready.wait()
            return line

    def _write(self, line: bytes) -> bool:
        """Whether all of it was written before the stream has to end."""
        rest, poll = memoryview(line), select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while rest:
            if self._until is not None and time.monotonic() >= self._until:
                return False
            if poll.poll(_TICK_MS):
                try:
                    # So much a pipe or a socket takes without waiting once poll says that it can be written to.
                    rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
                except BlockingIOError:
                    time.sleep(_TICK_MS / 1000)  # another writer was faster
        return True
