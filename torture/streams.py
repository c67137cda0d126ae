"""What passes between a client and a server, cut into commands and responses. Pure, and made to be fed in pieces."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_LITERAL = re.compile(rb"\{(\d{1,9})(\+?)\}\r?\n\Z")
_KINDS = re.compile(rb"\* (?:\d+ )?([A-Z]+)", re.IGNORECASE)


class Responses:
    """Cuts what a server sends: each response with its literals and the end of its last line."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        self.rest = b""
        """What came of a response that is not complete."""

    def feed(self, data: bytes) -> list[bytes]:
        """The responses that are complete now."""
        self.rest += data
        found, place = [], 0
        while (end := self._end(place)) is not None:
            found.append(self.rest[place:end])
            place = end
        self.rest = self.rest[place:]
        return found

    def _end(self, place: int) -> int | None:
        while newline := self.rest.find(b"\n", place) + 1:
            literal = _LITERAL.search(self.rest, place, newline)
            if literal is None:
                return newline
            place = newline + int(literal[1])
            if place > len(self.rest):
                return None
        return None


def responses(octets: bytes) -> list[bytes]:
    """All of them; what is not complete is one as well."""
    cut = Responses()
    found = cut.feed(octets)
    return [*found, cut.rest] if cut.rest else found


def kind_of(response: bytes) -> str:
    """`FETCH`, `EXISTS`, `OK`, ... in capitals; `tagged` or `+` for the others."""
    if response.startswith(b"+"):
        return "+"
    match = _KINDS.match(response)
    return match[1].decode().upper() if match else "tagged"


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a client."""

    tag: bytes
    text: bytes
    """Without the tag and the octets of literals, whose heads stay, and without the end of the line."""
    literals: tuple[bytes, ...]

    @property
    def word(self) -> str:
        """Its name in capitals, `UID` included."""
        words = self.text.upper().split(b" ")
        return b" ".join(words[: 2 if words[0] == b"UID" else 1]).decode("ascii", "replace")


@dataclass(slots=True)
class Commands:
    """Cuts what a client sends."""

    rest: bytes = b""
    waits: bool = False
    """A literal was announced that waits for the server's leave, and nothing of it has come yet."""
    _texts: list[bytes] = field(default_factory=list)
    _literals: list[bytes] = field(default_factory=list)
    _missing: int | None = None

    def feed(self, data: bytes) -> Iterable[Command | None]:
        """The commands that are complete now; None where the server's leave is asked for, once each."""
        self.rest += data
        self.waits = self.waits and not data
        while True:
            if self._missing is not None:
                if len(self.rest) < self._missing:
                    return
                self._literals.append(self.rest[: self._missing])
                self.rest, self._missing = self.rest[self._missing :], None
            line, newline, rest = self.rest.partition(b"\r\n")
            if not newline:
                return
            self.rest = rest
            self._texts.append(line)
            literal = _LITERAL.search(line + newline)
            if literal is not None:
                self._missing = int(literal[1])
                if not literal[2]:
                    self.waits = True
                    yield None
                continue
            tag, _, text = b"".join(self._texts).partition(b" ")
            yield Command(tag, text, tuple(self._literals))
            self._texts, self._literals = [], []

    def drop(self) -> None:
        """The literal that was announced was refused, and with it the command."""
        self._texts, self._literals, self._missing, self.waits = [], [], None, False
