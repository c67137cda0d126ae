"""What one session leaves for the next one with the same server: its greeting and its capabilities. Pure.

With it the commands that follow the log-in can leave together with it, and a server that does not tell its
capabilities need not be asked first. It is only ever a guess: it counts if the server greets in the same words, and
whatever was sent on the strength of it is judged by what the server then says.
"""

from syncer.imap.greeting import Capabilities
from syncer.later import later
from syncer.values import Struct

_VERSION = "1"
_LONGEST = 16_384
_ATOM = later(r"[\x21-\x7e]+")


class Memory(Struct, frozen=True):
    """What is remembered of a server."""

    greeting: bytes
    """The line as it came."""
    capabilities: Capabilities
    """After the log-in."""
    offered: Capabilities | None = None
    """Before it, where the greeting does not tell them, or tells them before TLS."""
    alone: bool = False
    """It did not take commands behind the log-in, whatever the table of quirks says."""

    def text(self) -> str | None:
        """For `recall`; None where the server's words are not fit to be kept."""
        greeting = self.greeting.decode("latin-1")
        words = (*self.capabilities, *(self.offered or ()))
        if not greeting.isascii() or not greeting.isprintable() or not all(map(_ATOM.fullmatch, words)):
            return None
        offered = "-" if self.offered is None else "".join(f" {word}" for word in self.offered)
        lines = (_VERSION, "alone" if self.alone else "", greeting, " ".join(self.capabilities), offered)
        text = "\n".join(lines)
        return text if len(text) <= _LONGEST else None


def recall(text: str | None, greeting: bytes) -> Memory | None:
    """What `Memory.text` made, if it is about a server that greets so."""
    lines = (text or "").split("\n")
    if len(lines) != 5 or lines[0] != _VERSION or lines[2].encode("utf-8", "replace") != greeting:
        return None
    offered = None if lines[4] == "-" else tuple(lines[4].split())
    return Memory(greeting, tuple(lines[3].split()), offered, lines[1] == "alone")
