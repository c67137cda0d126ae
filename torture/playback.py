"""Recorded conversations with real servers, and a peer that plays one back from memory, in place of a socket.

Every reply is found by the command, so that a client which was misled and asks something else is answered as well.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from torture.streams import Command, Commands

CONVERSATIONS = Path(__file__).with_name("conversations")
_ASKS = re.compile(r"\{\d+\}|^AUTHENTICATE \S+$")
STEP = 0.25
"""Seconds that pass on the peer's clock whenever it says something."""
MOST = 96 * 1024 * 1024
"""Whoever takes so many octets from a peer will never have enough."""


@dataclass(frozen=True)
class Conversation:
    """What one server answered to one errand. Octets are written as Latin-1."""

    server: str
    errand: str
    greeting: str
    leave: str
    """The line with which literals were asked for."""
    exchanges: list[tuple[str, str]]
    """Commands without tags, and the replies, in which `<tag>` stands for the tag."""
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.server}, {self.errand}"


def load(directory: Path = CONVERSATIONS) -> list[Conversation]:
    """All that were recorded, in a fixed order."""
    found = []
    for path in sorted(directory.glob("*.json")):
        for raw in json.loads(path.read_text()):
            raw["exchanges"] = [(command, reply) for command, reply in raw["exchanges"]]
            found.append(Conversation(**raw))
    return found


def save(conversations: list[Conversation], name: str, directory: Path = CONVERSATIONS) -> None:
    """Write those with one server."""
    text = json.dumps([asdict(each) for each in conversations], indent=1, sort_keys=True)
    (directory / f"{name}.json").write_text(text + "\n")


def by_question_and_answer(conversation: Conversation) -> Conversation:
    """The same with a server that asks for the password: LOGIN is disabled, and AUTHENTICATE takes no response."""
    greeting = conversation.greeting.replace("SASL-IR", "LOGINDISABLED").replace("AUTH=LOGIN", "")
    exchanges = [
        ("AUTHENTICATE PLAIN" if command.startswith("LOGIN ") else command, reply)
        for command, reply in conversation.exchanges
    ]
    return replace(conversation, server=f"{conversation.server} that asks", greeting=greeting, exchanges=exchanges)


@dataclass(frozen=True, slots=True)
class Said:
    """What a peer says to one command."""

    octets: bytes
    closes: bool = False
    """Then it closes the connection."""
    flood: Iterator[bytes] | None = None
    """Then it says this, and does not hear any more."""


class Tamper(Protocol):
    """Who changes what is said."""

    def reply(self, place: int, octets: bytes) -> Said:
        """What is said instead of the reply with this number; the greeting is 0, all that asks for more is -1."""


class Replies:
    """A conversation, made ready to be played back."""

    def __init__(self, conversation: Conversation) -> None:
        """Once for each conversation."""
        self.greeting = conversation.greeting.encode("latin-1")
        self.leave = conversation.leave.encode("latin-1")
        self.count = len(conversation.exchanges) + 1
        self.asks = any(_ASKS.search(command) for command, _ in conversation.exchanges)
        """Something asks for more."""
        self.exact: dict[bytes, list[bytes]] = {}
        self.alike: dict[str, bytes] = {}
        for command, reply in conversation.exchanges:
            text, octets = command.encode("latin-1"), reply.encode("latin-1")
            self.exact.setdefault(text, []).append(octets)
            self.alike[Command(b"", text, ()).word] = octets

    def to(self, command: Command, times: int) -> bytes:
        """The reply to a command that was given so often before."""
        found = self.exact.get(command.text)
        if found is not None:
            octets = found[min(times, len(found) - 1)]
        elif command.word in {"SELECT", "STATUS", "EXAMINE", "RENAME"}:
            octets = b"<tag> NO [NONEXISTENT] no such mailbox\r\n"
        else:
            octets = self.alike.get(command.word, b"<tag> OK done\r\n")
        return octets.replace(b"<tag>", command.tag)


@dataclass
class Peer:
    """What `Transport` needs of a socket. What it cannot read at once never comes: waiting ends in a timeout."""

    replies: Replies
    tamper: Tamper
    piece: int = 1 << 20
    """So many octets are said at once at most."""
    now: float = 0.0
    """Its clock, which is the client's as well."""
    commands: list[Command] = field(default_factory=list)
    said: bytearray = field(default_factory=bytearray)
    """All that was said, but for a flood."""
    begins: list[int] = field(default_factory=list)
    """Where in `said` the reply to each command begins."""
    flooded: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        """It greets."""
        self._cut = Commands()
        self._times: dict[bytes, int] = {}
        self._read = 0
        self._hung_up = False
        self._flood: Iterator[bytes] | None = None
        self._water = b""
        self._number = 0
        self._asked: Command | None = None
        self._say(self.replies.greeting)

    def clock(self) -> float:
        """For the client."""
        return self.now

    def _say(self, octets: bytes) -> None:
        self._number += 1
        self._utter(self.tamper.reply(self._number - 1, octets))

    def _ask(self) -> None:
        self._utter(self.tamper.reply(-1, b"+ \r\n" if self._asked is not None else self.replies.leave))

    def _utter(self, said: Said) -> None:
        self.said += said.octets
        self._hung_up = said.closes
        self._flood = said.flood

    def send(self, data: bytes | memoryview) -> int:
        """The client says something."""
        if self.closed:
            raise OSError(9, "Bad file descriptor")
        if not self._hung_up and self._flood is None:
            for command in self._cut.feed(bytes(data)):
                self._answer(command)
        return len(data)

    def _answer(self, command: Command | None) -> None:
        if command is None or command.text == b"AUTHENTICATE PLAIN":
            self._asked = command
            self._ask()
            return
        if self._asked is not None:  # that was the response, without a tag
            self._say(self.replies.to(self._asked, 0))
            self._asked = None
            return
        if not command.text and b"AUTHENTICATE PLAIN" in self.replies.exact:
            return  # it was asked twice
        times = self._times[command.text] = self._times.get(command.text, -1) + 1
        self.commands.append(command)
        self.begins.append(len(self.said))
        if not self._hung_up and self._flood is None:
            self._say(self.replies.to(command, times))

    def recv_into(self, buffer: memoryview) -> int:
        """The client hears something."""
        if self.closed:
            raise OSError(9, "Bad file descriptor")
        self.now += STEP
        octets = self._next(min(len(buffer), self.piece))
        buffer[: len(octets)] = octets
        return len(octets)

    def recv(self, size: int) -> bytes:
        """The same, for those who have no buffer."""
        return self._next(size)

    def _next(self, size: int) -> bytes:
        octets = bytes(self.said[self._read : self._read + size])
        self._read += len(octets)
        if octets or self._hung_up:
            return octets
        if self._flood is None:
            raise TimeoutError("the server was silent")
        while len(self._water) < size:
            self._water += next(self._flood)
        octets, self._water = self._water[:size], self._water[size:]
        self.flooded += size
        assert self.flooded < MOST, f"the client has taken {self.flooded} octets of a flood, and still has not enough"
        return octets

    def settimeout(self, _seconds: float | None) -> None:
        """It never blocks."""

    def close(self) -> None:
        """Nothing can be said or heard any more."""
        self.closed = True
