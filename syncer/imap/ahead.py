"""A command that only reads, sent behind a SELECT before the reply to that is there.

It costs no round trip of its own. If the SELECT is refused, or the mailbox turns out to be another one than the
caller's UIDs are of, its answer is thrown away. Nothing that changes a mailbox is ever sent so.
"""

import re
from collections.abc import Callable
from typing import Protocol

from syncer.imap.arguments import Argument
from syncer.imap.kept import MAX_UNTAGGED
from syncer.imap.responses import Response, Status
from syncer.imap.wire import Wire

_FETCHED = re.compile(rb"\* \d+ FETCH \([^{}]*\)\r\n")
"""A FETCH response without a literal."""


class Ahead(Protocol):
    """What `Session.select` sends behind a SELECT."""

    def send(self) -> None:
        """Send it; called at most once."""

    def drop(self) -> None:
        """Throw the answer away, if it was sent: as if it had not been."""


class Listener(Protocol):
    """Somebody who picks out of what the server says what is meant for them."""

    def line(self, text: bytes) -> bool:
        """Take a line before it is taken apart; False if it is not in the usual form, or not theirs."""

    def hear(self, response: Response) -> None:
        """Take any other response, if it is theirs."""


class Listeners:
    """Several of them, whose answers do not look alike."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def line(self, text: bytes) -> bool:
        """See `Listener`."""
        return any(each.line(text) for each in self._listeners)

    def hear(self, response: Response) -> None:
        """See `Listener`."""
        for each in self._listeners:
            each.hear(response)


class Question:
    """One command."""

    def __init__(self, wire: Wire, *arguments: Argument) -> None:
        """Nothing is sent yet."""
        self._wire = wire
        self._arguments = arguments
        self._tag: bytes | None = None
        self._passed = 0

    def send(self) -> None:
        """See `Ahead`."""
        self._tag = self._wire.send(*self._arguments)

    def drop(self) -> None:
        """See `Ahead`."""
        tag, self._tag = self._tag, None
        if tag is not None and not self._wire.closed:
            self._wire.wait(tag, line=self._pass_over)

    def _pass_over(self, line: bytes) -> bool:
        """Take a line about a message. It is thrown away, but it is progress, though not without end."""
        passed = _FETCHED.fullmatch(line) is not None
        self._passed += passed
        if passed and self._passed < MAX_UNTAGGED:
            self._wire.renew()
        return passed

    @property
    def sent(self) -> bool:
        """Its answer is on its way."""
        return self._tag is not None

    def wait(self, each: Callable[[Response], None], line: Callable[[bytes], bool] | None = None) -> Status:
        """Wait for the answer, after sending it if that was not done; see `Wire.wait`."""
        if self._tag is None:
            self.send()
        tag, self._tag = self._tag, None
        assert tag is not None, "it was sent"
        return self._wire.wait(tag, each, line)


class Together:
    """Several of them, in one flight."""

    def __init__(self, *aheads: Ahead) -> None:
        self._aheads = aheads

    def send(self) -> None:
        """See `Ahead`."""
        for each in self._aheads:
            each.send()

    def drop(self) -> None:
        """See `Ahead`: the last of them first."""
        for each in reversed(self._aheads):
            each.drop()
