"""What a proxy sees of one connection: octets, the commands' names, round trips."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

COMMAND: Final = re.compile(rb"[^\s*+]+ (UID [A-Z]+|[A-Z]+)", re.IGNORECASE)
LITERAL: Final = re.compile(rb"~?\{(\d+)[+-]?\}$")
LONGEST_KEPT: Final = 64
"""Octets of a command's line that are looked at for its name."""


@dataclass(slots=True)
class Commands:
    """Finds the names of the commands in what a client sends. Literals are passed over, not copied."""

    names: Counter[str] = field(default_factory=Counter)
    _skip: int = 0
    """Octets of a literal that are still to come."""
    _line: bytes = b""
    """The beginning and, after it, the end of an unfinished line."""
    _inside: bool = False
    """The line at hand goes on after a literal."""

    def feed(self, data: bytes) -> None:
        """Take what the client sent next, cut anywhere."""
        position = 0
        while position < len(data):
            if self._skip:
                taken = min(self._skip, len(data) - position)
                self._skip -= taken
                position += taken
                continue
            newline = data.find(b"\n", position)
            if newline < 0:
                line = self._line + data[position:]
                self._line = line if len(line) <= 2 * LONGEST_KEPT else line[:LONGEST_KEPT] + line[-LONGEST_KEPT:]
                return
            self._end(self._line + data[position:newline])
            self._line = b""
            position = newline + 1

    def _end(self, line: bytes) -> None:
        """A line is complete but for its LF."""
        if not self._inside and (found := COMMAND.match(line)):
            self.names[found[1].decode("ascii").upper()] += 1
        literal = LITERAL.search(line.rstrip(b"\r")[-LONGEST_KEPT:])
        self._inside = literal is not None
        self._skip = int(literal[1]) if literal else 0


@dataclass(slots=True)
class Tally:
    """One connection, as its client sees it."""

    to_server: int = 0
    to_client: int = 0
    round_trips: int = 0
    """How often the client spoke after the server had been the last to speak."""
    commands: Commands = field(default_factory=Commands)
    _server_spoke: bool = False

    def begin(self) -> None:
        """Count from nothing, in the midst of whatever is being said."""
        self.to_server = self.to_client = self.round_trips = 0
        self.commands.names.clear()

    def from_client(self, data: bytes) -> None:
        """The client has sent something."""
        self.to_server += len(data)
        self.round_trips += self._server_spoke
        self._server_spoke = False
        self.commands.feed(data)

    def from_server(self, data: bytes) -> None:
        """The server has sent something; it is still on its way."""
        self.to_client += len(data)

    def arrived(self) -> None:
        """Something of the server's has reached the client."""
        self._server_spoke = True


def summed(tallies: list[Tally]) -> dict[str, object]:
    """The sums over all connections, ready for JSON."""
    commands: Counter[str] = Counter()
    for tally in tallies:
        commands.update(tally.commands.names)
    return {
        "connections": len(tallies),
        "to_server": sum(tally.to_server for tally in tallies),
        "to_client": sum(tally.to_client for tally in tallies),
        "round_trips": sum(tally.round_trips for tally in tallies),
        "longest": max((tally.round_trips for tally in tallies), default=0),
        "commands": dict(sorted(commands.items())),
    }
