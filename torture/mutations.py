"""What is done to one reply: octets, lines, literals, numbers, tags; what nobody asked for; the end at any octet. Pure.

Every mutation takes the reply as a list of responses and returns another one; all chance comes from the generator that
it is given.
"""

import random
import re
from collections.abc import Callable

from torture.nonsense import CODES, NUMBERS, SIZES, UNASKED
from torture.playback import Said
from torture.streams import responses

Lines = list[bytes]
Mutation = Callable[[random.Random, Lines], Lines]

_LITERAL = re.compile(rb"\{\d+\}\r\n")
_NUMBER = re.compile(rb"\d+")
_STRING = re.compile(rb'"[^"\r\n]*"')
_UID = re.compile(rb"UID (\d+)")
_CODE = re.compile(rb"\[[A-Z]+[^\]\r\n]*\]")
_STATUS = re.compile(rb"(?<= )(?:OK|NO|BAD|BYE|PREAUTH)\b")


def tampered(rng: random.Random, octets: bytes, amount: int) -> Said:
    """What is said instead of `octets`, after so many mutations, the last of which may be an end."""
    lines = responses(octets)
    for _ in range(amount):
        lines = rng.choice(MUTATIONS)(rng, lines) if lines else [rng.choice(UNASKED)]
    octets = b"".join(lines)
    end = rng.random()
    if end < 0.06:
        return Said(octets[: rng.randint(0, len(octets))], closes=True)
    if end < 0.08:
        return Said(octets[: rng.randint(0, len(octets))])
    return Said(octets)


# -- octets


def _flip(rng: random.Random, lines: Lines) -> Lines:
    """Other octets in some places."""
    octets = bytearray(b"".join(lines))
    for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
        if octets:
            octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
    return responses(bytes(octets))


def _splice(rng: random.Random, lines: Lines) -> Lines:
    """Some octets are missing, doubled, exchanged for others, or swapped with others."""
    octets = b"".join(lines)
    one, two = sorted(rng.randint(0, len(octets)) for _ in range(2))
    two = min(two, one + rng.choice([1, 1, 2, 5, 50]))
    span = octets[one:two]
    instead = rng.choice([
        b"", b"", span * 2, span[::-1], rng.randbytes(len(span)), span.upper(), span.lower(),
        rng.choice([b'"', b"\\", b"(", b")", b"\r", b"\n", b"\r\n", b"\0", b" ", b"{", b"}", b"[", b"]", b"NIL", b"*"]),
    ])  # fmt: skip
    return responses(octets[:one] + instead + octets[two:])


# -- lines


def _line(change: Callable[[random.Random, bytes], bytes]) -> Mutation:
    """Of one response."""

    def mutation(rng: random.Random, lines: Lines) -> Lines:
        place = rng.randrange(len(lines))
        return [*lines[:place], change(rng, lines[place]), *lines[place + 1 :]]

    mutation.__name__ = change.__name__
    return mutation


def _drop(rng: random.Random, lines: Lines) -> Lines:
    place = rng.randrange(len(lines))
    return [*lines[:place], *lines[place + rng.choice([1, 1, 1, 2, 5]) :]]


def _double(rng: random.Random, lines: Lines) -> Lines:
    place = rng.randrange(len(lines))
    return [*lines[:place], *[lines[place]] * rng.choice([2, 2, 3, 100]), *lines[place + 1 :]]


def _swap(rng: random.Random, lines: Lines) -> Lines:
    one, two = (rng.randrange(len(lines)) for _ in range(2))
    lines = list(lines)
    lines[one], lines[two] = lines[two], lines[one]
    return lines


def _shuffle(rng: random.Random, lines: Lines) -> Lines:
    return rng.sample(lines, len(lines))


def _unasked(rng: random.Random, lines: Lines) -> Lines:
    place = rng.randint(0, len(lines))
    return [*lines[:place], *rng.choices(UNASKED, k=rng.choice([1, 1, 2, 4])), *lines[place:]]


def _unasked_inside(rng: random.Random, lines: Lines) -> Lines:
    """In the middle of a response, where a literal may be."""
    octets = b"".join(lines)
    place = rng.randint(0, len(octets))
    return responses(octets[:place] + rng.choice(UNASKED) + octets[place:])


def _only_tagged(rng: random.Random, lines: Lines) -> Lines:
    """OK without data, or NO or BAD half-way."""
    reply, data = lines[-1], lines[: rng.choice([0, rng.randrange(len(lines))])]
    return [*data, _STATUS.sub(rng.choice([b"OK", b"NO", b"BAD"]), reply, count=1)]


def _no_data(rng: random.Random, lines: Lines) -> Lines:
    """Everything of one kind is missing."""
    kind = rng.choice(
        [b"FETCH", b"EXISTS", b"UIDVALIDITY", b"UIDNEXT", b"MODSEQ", b"SEARCH", b"VANISHED", b"LIST", b"FLAGS"]
    )
    return [line for line in lines if kind not in line] or lines


def _status(rng: random.Random, line: bytes) -> bytes:
    return _STATUS.sub(rng.choice([b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH", b"ok", b"YES", b""]), line, count=1)


def _tag(rng: random.Random, line: bytes) -> bytes:
    tag, _, rest = line.partition(b" ")
    return rng.choice([b"s1", b"s2", b"s999", b"S" + tag[1:], b"*", b"+", b"", tag + b"0", b"A1"]) + b" " + rest


def _end_of_line(rng: random.Random, line: bytes) -> bytes:
    return line.rstrip(b"\r\n") + rng.choice([b"", b"\n", b"\r", b"\r\r\n", b"\r\n\r\n", b" \r\n", b"\0\r\n"])


def _case(rng: random.Random, line: bytes) -> bytes:
    return rng.choice([line.lower(), line.upper(), line.swapcase()])


# -- values


def _replaced(pattern: re.Pattern[bytes], line: bytes, rng: random.Random, instead: Callable[[bytes], bytes]) -> bytes:
    """One match in a line is replaced, the line's number in the mailbox included."""
    found = list(pattern.finditer(line))
    if not found:
        return line
    match = rng.choice(found)
    return line[: match.start()] + instead(match[0]) + line[match.end() :]


def _number(rng: random.Random, line: bytes) -> bytes:
    def other(number: bytes) -> bytes:
        near = b"%d" % max(0, int(number[:30]) + rng.choice([-2, -1, 1, 1, 2, 100, 10**9]))
        return rng.choice([near, near, rng.choice(NUMBERS)])

    return _replaced(_NUMBER, line, rng, other)


def _size(rng: random.Random, line: bytes) -> bytes:
    """A literal that lies about its size, or looks otherwise."""

    def other(head: bytes) -> bytes:
        size = int(head[1:-3])
        near = b"%d" % max(0, size + rng.choice([-10, -2, -1, 1, 2, 10, 1000]))
        told = rng.choice([near, near, rng.choice(SIZES)])
        return (
            rng.choice([b"{%b}\r\n", b"{%b}\r\n", b"{%b}\r\n", b"~{%b}\r\n", b"{%b+}\r\n", b"{%b}\n", b"{%b} \r\n"])
            % told
        )

    return _replaced(_LITERAL, line, rng, other)


def _literal_as_string(rng: random.Random, line: bytes) -> bytes:
    match = _LITERAL.search(line)
    if match is None:
        return line
    size = int(match[0][1:-3])
    octets, rest = line[match.end() : match.end() + size], line[match.end() + size :]
    quoted = b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return line[: match.start()] + rng.choice([quoted, b"NIL", b'""', b"(" + quoted + b")", octets]) + rest


def _string(rng: random.Random, line: bytes) -> bytes:
    def other(quoted: bytes) -> bytes:
        text = quoted[1:-1]
        literal = b"{%d}\r\n%b" % (len(text), text)
        return rng.choice([b"NIL", literal, b"~" + literal, text, b'"', quoted[:-1], b"()", b"(%b)" % quoted, b'""'])

    return _replaced(_STRING, line, rng, other)


def _uid(rng: random.Random, line: bytes) -> bytes:
    """FETCH without UID, or with another one, or with two."""

    def other(uid: bytes) -> bytes:
        number = int(uid[4:24])
        wrong = [b"UID %d" % each for each in (0, number + 1, max(0, number - 1), 2**32 - 1, 2**32, 2**40, 10**15)]
        return rng.choice([b"", uid + b" " + uid, b"UID NIL", b"UID ()", b'UID "%d"' % number, *wrong])

    return _replaced(_UID, line, rng, other)


def _code(rng: random.Random, line: bytes) -> bytes:
    return _replaced(_CODE, line, rng, lambda _: rng.choice([b"", *CODES]))


def _code_added(rng: random.Random, line: bytes) -> bytes:
    return _replaced(_STATUS, line, rng, lambda status: status + b" " + rng.choice(CODES))


def _deep(rng: random.Random, line: bytes) -> bytes:
    """Parentheses 5,000 deep."""
    place = rng.randint(0, max(0, len(line) - 2))
    opened, closed = rng.choice([(5000, 5000), (5000, 0), (0, 5000), (70, 70), (60, 60), (1, 0), (0, 1)])
    return line[:place] + b"(" * opened + b")" * closed + line[place:]


def _long(rng: random.Random, line: bytes) -> bytes:
    """A line over a megabyte, now and then over the bound of the adapter."""
    place = rng.randint(0, max(0, len(line) - 2))
    size = rng.choice([70_000, 70_000, 70_000, 300_000, 1_200_000]) if rng.random() < 0.98 else 9_000_000
    unit = rng.choice([b"x", b"x ", b"1,", b"1:2,", b"() ", b'"" ', b"\\Seen ", b"9", b'"', b"\\", b"[", b"("])
    return line[:place] + unit * (size // len(unit)) + line[place:]


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _flip, _splice, _splice, _splice, _drop, _drop, _double, _swap, _shuffle, _unasked, _unasked, _unasked,
    _unasked_inside, _only_tagged, _only_tagged, _no_data, *map(_line, (
        _status, _tag, _end_of_line, _case, _number, _number, _number, _number, _size, _size, _size,
        _literal_as_string, _string, _string, _uid, _uid, _code, _code_added,
    )),
)  # fmt: skip
HEAVY: tuple[Mutation, ...] = tuple(map(_line, (_deep, _long)))
"""Those that cost a hundred times as much."""
