"""A bare IMAP connection for filling accounts, changing them, looking at them and for the floor. Not for people.

It shares no code with what is measured. Commands are sent at once, in one burst, and the answers are not parsed
further than is needed here.
"""

import itertools
import re
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, Self

from bench.mail import Letter

LETTERS: Final = {
    b"\\Seen": "S",
    b"\\Answered": "R",
    b"\\Flagged": "F",
    b"\\Draft": "D",
    b"\\Deleted": "T",
    b"$Forwarded": "P",
}
STATE: Final = re.compile(rb"^\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)", re.MULTILINE)
LISTED: Final = re.compile(rb'^\* LIST \(([^)]*)\) "/" "?([^"\r\n]+)"?\r$', re.MULTILINE)
BATCH_OCTETS, BATCH_MESSAGES, BURST_OCTETS = 4_000_000, 500, 160_000_000
CHUNK: Final = 1 << 18

State = dict[str, Counter[str]]
"""Of each mailbox that is not empty: how many messages have which flags, as the letters of a Maildir, sorted."""


class RefusedError(Exception):
    """The server answered NO or BAD, or closed the connection."""


class Wire:
    """One logged-in connection to 127.0.0.1 without TLS; mailbox names are ASCII."""

    def __init__(self, port: int, user: str, password: str) -> None:
        """Connect, wait for the greeting and log in."""
        self._numbers = itertools.count(1)
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=300)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        greeting = self._socket.recv(CHUNK)
        if not greeting.startswith(b"* OK"):
            raise RefusedError(greeting[:200])
        self.ask(f"LOGIN {user} {password}")

    def __enter__(self) -> Self:
        """It is open already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._socket.close()

    def ask(self, *commands: str | bytes) -> bytes:
        """Send these commands in one burst; returns all that the server says.

        Raises:
            RefusedError: one of them was refused.
        """
        tags = [b"b%d" % next(self._numbers) for _ in commands]
        lines = [command.encode("ascii") if isinstance(command, str) else command for command in commands]
        self._socket.sendall(b"".join(b"%s %s\r\n" % pair for pair in zip(tags, lines, strict=True)))
        said = bytearray()
        ended = re.compile(rb"(?:^|\n)%s (?:OK|NO|BAD)[^\n]*\n\Z" % tags[-1])
        while not ended.search(said, max(0, len(said) - 4_000)):
            data = self._socket.recv(CHUNK)
            if not data:
                raise RefusedError(bytes(said[-200:]))
            said += data
        if refused := re.search(rb"^b\d+ (?:NO|BAD)[^\n]*", said, re.MULTILINE):
            raise RefusedError(refused[0])
        return bytes(said)

    def drain(self, *commands: str) -> int:
        """Send these commands and LOGOUT in one burst, throw the answers away; returns how many octets they had."""
        lines = [*commands, "LOGOUT"]
        self._socket.sendall("".join(f"d{next(self._numbers)} {line}\r\n" for line in lines).encode("ascii"))
        bin_, octets = bytearray(1 << 20), 0
        while got := self._socket.recv_into(bin_):
            octets += got
        return octets

    def mailboxes(self) -> list[str]:
        """Every mailbox that can be selected, sorted."""
        found = LISTED.findall(self.ask('LIST "" "*"'))
        return sorted(name.decode() for attributes, name in found if b"\\noselect" not in attributes.lower())

    def counters(self, mailbox: str) -> tuple[int, int, int]:
        """UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ."""
        said = self.ask(f'STATUS "{mailbox}" (UIDVALIDITY UIDNEXT HIGHESTMODSEQ)')
        values = {name: int(value) for name, value in re.findall(rb"([A-Z]+) (\d+)", said)}
        return values[b"UIDVALIDITY"], values[b"UIDNEXT"], values[b"HIGHESTMODSEQ"]

    def messages(self, mailbox: str) -> dict[int, str]:
        """Every UID with its flags as sorted letters."""
        said = self.ask(f'EXAMINE "{mailbox}"', "UID FETCH 1:* (UID FLAGS)")
        return {int(uid): letters_of(flags.split()) for uid, flags in STATE.findall(said)}

    def state(self) -> State:
        """All mailboxes that are not empty."""
        states = {mailbox: Counter(self.messages(mailbox).values()) for mailbox in self.mailboxes()}
        return {mailbox: state for mailbox, state in states.items() if state}

    def append(self, mailbox: str, messages: Iterable[Letter]) -> None:
        """Append messages: many in each command (RFC 3502), many commands in each burst."""
        for burst in _bursts(_commands(mailbox, messages)):
            self.ask(*burst)


def _commands(mailbox: str, messages: Iterable[Letter]) -> Iterator[bytes]:
    head = f'APPEND "{mailbox}"'.encode()
    pieces, octets = [head], 0
    for letter in messages:
        when = time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(letter.date))
        pieces.append(f' ({" ".join(letter.flags)}) "{when}" {{{len(letter.octets)}+}}\r\n'.encode())
        pieces.append(letter.octets)
        octets += len(letter.octets)
        if octets > BATCH_OCTETS or len(pieces) > 2 * BATCH_MESSAGES:
            yield b"".join(pieces)
            pieces, octets = [head], 0
    if octets:
        yield b"".join(pieces)


def _bursts(commands: Iterable[bytes]) -> Iterator[list[bytes]]:
    burst: list[bytes] = []
    for command in commands:
        burst.append(command)
        if sum(map(len, burst)) > BURST_OCTETS:
            yield burst
            burst = []
    if burst:
        yield burst


def letters_of(flags: Iterable[bytes]) -> str:
    """The letters of a Maildir for these flags, sorted; flags without a letter are left out."""
    return "".join(sorted(LETTERS[flag] for flag in flags if flag in LETTERS))


def uid_set(uids: Iterable[int]) -> str:
    """A sequence set (RFC 9051, `sequence-set`); ranges where they are shorter."""
    ranges: list[list[int]] = []
    for uid in sorted(uids):
        if ranges and ranges[-1][1] == uid - 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(f"{first}" if first == last else f"{first}:{last}" for first, last in ranges)
