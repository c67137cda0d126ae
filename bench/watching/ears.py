"""A bare client that listens beside the program: when the server itself tells that a message has come."""

import re
import select
import time
from typing import Final

from bench.watching.watchers import Told
from bench.wire import CHUNK, RefusedError, Wire

EXISTS: Final = re.compile(rb"^\* \d+ EXISTS", re.MULTILINE)
UIDNEXT: Final = re.compile(rb"^\* STATUS \"?INBOX\"? \(.*?UIDNEXT (\d+)", re.MULTILINE)
EVENTS: Final = "(PERSONAL (MessageNew MessageExpunge FlagChange MailboxName))"


class Heard:
    """Finds in what a server says that a message has come to INBOX, however the stream is cut. PURE."""

    def __init__(self, told: Told, uidnext: int) -> None:
        """`uidnext` is the UIDNEXT that is known already; only NOTIFY tells it."""
        self._told, self._next = told, uidnext
        self._rest = b""

    def feed(self, data: bytes) -> bool:
        """Whether the lines that this completes tell of a new message, of which nothing was said before."""
        lines, newline, self._rest = (self._rest + data).rpartition(b"\n")
        if self._told == "IDLE":
            return EXISTS.search(lines + newline) is not None
        highest = max(map(int, UIDNEXT.findall(lines)), default=0)
        new, self._next = highest > self._next, max(highest, self._next)
        return new


class Ear(Wire):
    """Listens to INBOX from the moment that it is made, as the program does: by NOTIFY, or by IDLE."""

    def __init__(self, port: int, user: str, password: str, told: Told) -> None:
        """See `Wire`."""
        super().__init__(port, user, password)
        self._heard = Heard(told, self.counters("INBOX")[1])
        if told == "NOTIFY":
            self.ask(f"NOTIFY SET {EVENTS}")
            return
        self.ask("EXAMINE INBOX")
        self._socket.sendall(b"idle IDLE\r\n")
        said = b""
        while b"+ " not in said:
            said += self._more()

    def fileno(self) -> int:
        """For select: readable when the server has said something."""
        return self._socket.fileno()

    def forget(self) -> None:
        """Throw away what was said so far."""
        while select.select([self], [], [], 0)[0]:
            self._heard.feed(self._more())

    def arrival(self) -> float | None:
        """Read what the server says; the time (`time.monotonic`) if it tells that a message has come, else None."""
        now = time.monotonic()
        return now if self._heard.feed(self._more()) else None

    def _more(self) -> bytes:
        data = self._socket.recv(CHUNK)
        if not data:
            raise RefusedError(b"the server closed the connection that listens")
        return data
