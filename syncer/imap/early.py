"""A question that was sent before anybody wanted to know, and its answer."""

from syncer.imap.arguments import Argument
from syncer.imap.kept import Kept
from syncer.imap.responses import Data, Status
from syncer.imap.wire import Reply, Wire


class Early:
    """One command under way. Its answer holds as long as nothing else is asked."""

    def __init__(self, wire: Wire, *command: Argument) -> None:
        """Send it."""
        self._wire = wire
        self._tag = wire.send(*command)
        self._status: Status | None = None
        self._kept = Kept(wire)
        self._sent = wire.sent

    @property
    def holds(self) -> bool:
        """Nothing was sent since that could make a difference."""
        return self._sent == self._wire.sent

    def confirm(self) -> None:
        """What was sent until now makes no difference to the answer."""
        self._sent = self._wire.sent

    def hear(self, response: Data) -> None:
        """Take in a response of the kind that was asked for."""
        if self._status is None:
            self._kept.add(response)

    def reply(self) -> Reply:
        """Wait for the answer."""
        if self._status is None:
            self._status = self._wire.wait(self._tag)
        return Reply(self._status, tuple(self._kept.responses))
