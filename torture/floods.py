"""Replies without an end: lines with numbers that go up, or the same again and again. Pure."""

import random
from collections.abc import Iterator
from itertools import count

from torture.playback import Said
from torture.streams import responses


def _repeat(line: bytes) -> Iterator[bytes]:
    unit = line * max(1, 20_000 // len(line))
    while True:
        yield unit


def _counting(template: bytes, first: int = 1) -> Iterator[bytes]:
    """The template with a number in place of `%d`, upwards."""
    fields = template.count(b"%d")
    for start in count(first, 1000):
        yield b"".join(template % ((number,) * fields) for number in range(start, start + 1000))


BODY = b'* 1 FETCH (UID %d FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[] {5}\r\nhello)\r\n'
COUNTING = (
    b"* %d FETCH (UID %d FLAGS ())\r\n", b"* %d FETCH (FLAGS (k%d) UID %d)\r\n", BODY,
    b"* 1 FETCH (UID %d BODY[HEADER] {2}\r\n\r\n)\r\n", b"* 2 FETCH (BODY[] {5}\r\nhello UID %d FLAGS (a))\r\n",
    b'* %d FETCH (UID %d FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE %d)\r\n',
    b"* %d FETCH (FLAGS () UID %d RFC822.SIZE 5 INTERNALDATE NIL)\r\n",
    b"* %d FETCH (UID %d RFC822.SIZE 5 FLAGS (" + b"a%d " * 50 + b"))\r\n",
    b'* %d FETCH (UID %d RFC822.SIZE 5 INTERNALDATE "%d' + b"0" * 9000 + b'")\r\n',
    b'* LIST () "/" "box %d"\r\n', b'* STATUS "box %d" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)\r\n', b"* SEARCH %d\r\n",
    b"* VANISHED (EARLIER) %d\r\n", b"* VANISHED %d\r\n", b"* ENABLED X%d\r\n", b"* %d EXISTS\r\n", b"* OK [X%d] y\r\n",
    b"* ESEARCH UID ALL %d\r\n", b"* X%d\r\n", b"* CAPABILITY C%d\r\n", b"* %d FETCH (UID %d MODSEQ (%d))\r\n",
)  # fmt: skip
REPEATED = (
    b'* LIST () "/" {1000000}\r\n' + b"x" * 1_000_000 + b"\r\n", b"* X {0}\r\n", b"* LIST () NIL " + b"x" * 9_999,
    b"* VANISHED (EARLIER) " + b"1,3," * 50_000 + b"5\r\n", b"* STATUS x (UIDVALIDITY 3)\r\n",
    b"* SEARCH" + b" 7 9" * 50_000 + b"\r\n", b"* FLAGS (" + b"abc " * 49_000 + b")\r\n", b"\r\n", b"+ go\r\n",
    b"x", b"* OK " + b"y" * 9_999 + b"\r\n", b'* X ("a")\r\n', b"(", b"* 1 FETCH (FLAGS ())\r\n", b"* 1 EXPUNGE\r\n",
    b"* 1 FETCH (UID 1 X {100000}\r\n" + b"z" * 100_000 + b")\r\n", b"* ESEARCH UID ALL " + b"1,3," * 50_000 + b"5\r\n",
    BODY % 7, b"* 1 FETCH (UID 3 FLAGS (\\Seen))\r\n",
    b'* 1 FETCH (UID 3 FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 5)\r\n',
)  # fmt: skip


def flood(rng: random.Random, octets: bytes) -> Said:
    """The beginning of a reply, and then lines without end."""
    lines = responses(octets)
    kept = lines[: rng.choice([0, rng.randrange(len(lines)), len(lines) - 1])]
    if rng.random() < 0.6:
        return Said(b"".join(kept), flood=_counting(rng.choice(COUNTING), rng.choice([1, 1, 5, 2**32 - 5000])))
    return Said(b"".join(kept), flood=_repeat(rng.choice([*REPEATED, rng.choice(lines)])))
