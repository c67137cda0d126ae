"""Responses that are kept until the command's reply is there: many, but not without end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncer.imap.responses import Response

if TYPE_CHECKING:
    from syncer.imap.wire import Wire

MAX_UNTAGGED = 1_000_000
"""Untagged responses that one command may collect."""
MAX_OCTETS = 64 * 1024 * 1024
"""And so many octets of them."""


class Kept:
    """The untagged responses to one command."""

    def __init__(self, wire: Wire) -> None:
        """From now on."""
        self.responses: list[Response] = []
        self._wire = wire
        self._begin = wire.heard

    def add(self, response: Response) -> None:
        """Keep one more.

        Raises:
            ProtocolError: it is one too many, and the connection was closed.
        """
        self.responses.append(response)
        if len(self.responses) > MAX_UNTAGGED:
            self._wire.fail("the server answered one command with more than a million responses")
        if self._wire.heard - self._begin > MAX_OCTETS:
            self._wire.fail(f"the server answered one command with more than {MAX_OCTETS} octets")
