"""What a server may say that is not true: one lie changes, drops or adds a response or some of them. Pure.

The octets of messages stay as they are, and so do the UIDs under which they come: nobody could know that such a lie is
one. The sizes that are told of them, and what stands around them, may be anything.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from torture.nonsense import UNASKED
from torture.streams import kind_of

Change = Callable[[random.Random, bytes], list[bytes]]

_HEAD = re.compile(rb"[^\r\n]*\r\n")
_BODY = re.compile(rb"\* \d+ FETCH [^\r\n]*BODY\[", re.IGNORECASE)
_SIZE = re.compile(rb"\{(\d+)\}\r\n")


@dataclass(frozen=True)
class Lie:
    """One kind of lie."""

    name: str
    about: re.Pattern[bytes]
    """What the beginning of a response must match."""
    change: Change
    hangs: bool = False
    """The client may wait for octets that never come."""
    more: tuple[str, ...] = ()
    """Lies that go with this one, at the first response that they are about."""


def is_body(response: bytes) -> bool:
    """Whether octets of a message are in it."""
    return _BODY.match(response) is not None


def _number(pattern: bytes, *wrong: int, absolute: tuple[int, ...] = ()) -> Change:
    """The number in the group of `pattern` is told wrong."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def change(rng: random.Random, response: bytes) -> list[bytes]:
        match = compiled.search(response)
        if match is None:
            return [response]
        told = rng.choice([*(max(0, int(match[1]) + each) for each in wrong), *absolute])
        return [response[: match.start(1)] + b"%d" % told + response[match.end(1) :]]

    return change


def _drop(rng: random.Random, response: bytes) -> list[bytes]:
    return []


def _double(rng: random.Random, response: bytes) -> list[bytes]:
    return [response] * rng.choice([2, 2, 3])


def _flags(rng: random.Random, response: bytes) -> list[bytes]:
    told = rng.choice([b"", b"\\Seen", b"\\Deleted", b"\\Flagged work", b"\\Seen \\Answered new", b"(", b'"x y"', b"]"])
    return [re.sub(rb"FLAGS \([^)]*\)", lambda _: b"FLAGS (" + told + b")", response, count=1)]


def _refuse(rng: random.Random, response: bytes) -> list[bytes]:
    tag = response.partition(b" ")[0]
    word = rng.choice([b"NO", b"BAD"])
    code = rng.choice([b"", b"", b"[NONEXISTENT] ", b"[TRYCREATE] ", b"[EXPUNGEISSUED] ", b"[OVERQUOTA] ", b"[INUSE] "])
    return [tag + b" " + word + b" " + code + b"said so\r\n"]


def _agree(rng: random.Random, response: bytes) -> list[bytes]:
    tag = response.partition(b" ")[0]
    return [tag + b" OK done\r\n"]


def _add(rng: random.Random, response: bytes) -> list[bytes]:
    unasked = [line for line in UNASKED if b"BODY[" not in line and b"{1048577}" not in line]
    return [*rng.choices(unasked, k=rng.choice([1, 1, 2])), response]


def _vanish(rng: random.Random, response: bytes) -> list[bytes]:
    told = rng.choice([b"1", b"2:3", b"1:4294967295", b"4", b"99"])
    return [b"* VANISHED (EARLIER) " + told + b"\r\n", response]


def _vanished(rng: random.Random, response: bytes) -> list[bytes]:
    told = rng.choice([b"1", b"1:4294967295", b"99", b"0"])
    return [re.sub(rb"[\d:,]+(?=\r\n)", told, response)]


def _fewer(rng: random.Random, response: bytes) -> list[bytes]:
    """One UID less in a set, or one more."""
    match = re.search(rb"(?:ALL|SEARCH) ([\d:, ]+)", response)
    if match is None:
        return [response]
    told = rng.choice([b"1", match[1] + b",77", b"2:3", b"1:4294967295", b""])
    return [response[: match.start(1)] + told + response[match.end(1) :]]


def _cut(rng: random.Random, response: bytes) -> list[bytes]:
    return [response[: rng.randrange(len(response))]]


def _flip(rng: random.Random, response: bytes) -> list[bytes]:
    octets = bytearray(response)
    for _ in range(rng.choice([1, 1, 2, 4])):
        octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
    return [bytes(octets)]


def _framing(rng: random.Random, response: bytes) -> list[bytes]:
    """A message's literal is told longer or shorter, or in another form."""
    match = _SIZE.search(response)
    if match is None:
        return [response]
    size = int(match[1])
    told = rng.choice([size + each for each in (-300, -10, -3, -2, -1, 1, 2, 3, 5, 60, 10**6) if size + each >= 0])
    form = rng.choice([b"{%d}\r\n", b"{%d}\r\n", b"{%d}\r\n", b"~{%d}\r\n"])
    return [response[: match.start()] + form % told + response[match.end() :]]


def _around(rng: random.Random, response: bytes) -> list[bytes]:
    """What follows a message's literal."""
    return [
        response.removesuffix(b")\r\n")
        + rng.choice([b"\r\n)\r\n", b" FLAGS (\\Seen))\r\n", b"))\r\n", b"\r\n", b" X)\r\n"])
    ]


def _nil(rng: random.Random, response: bytes) -> list[bytes]:
    """No message after all."""
    match = _HEAD.match(response)
    return (
        [_SIZE.sub(rng.choice([b"NIL", b'""', b"{0}\r\n", b"{3"]), match[0]).rstrip(b"\r\n") + b")\r\n"]
        if match
        else []
    )


def _about(text: bytes) -> re.Pattern[bytes]:
    return re.compile(text, re.IGNORECASE)


_FETCH, _TAGGED = _about(rb"\* \d+ FETCH (?![^\r\n]*BODY\[)"), _about(rb"s\d+ (?:OK|NO|BAD)")
_ANY = _about(rb"(?!\* \d+ FETCH [^\r\n]*BODY\[)")

LIES: tuple[Lie, ...] = (
    Lie("a FETCH is missing", _FETCH, _drop),
    Lie("a FETCH comes twice", _FETCH, _double),
    Lie("other flags", _FETCH, _flags),
    Lie("another UID", _FETCH, _number(rb"UID (\d+)", -1, 1, 1, 100, absolute=(0, 2**32 - 1, 2**32))),
    Lie("another size", _FETCH, _number(rb"RFC822\.SIZE (\d+)", -1, 1, 1000, absolute=(0, 2**31, 2**64))),
    Lie("another date", _FETCH, _number(rb'INTERNALDATE "(\d+)', 1, 40)),
    Lie("another EXISTS", _about(rb"\* \d+ EXISTS"), _number(rb"\* (\d+)", -1, -1, 1, 1000, absolute=(0, 2**32 - 1))),
    Lie("no EXISTS", _about(rb"\* \d+ EXISTS"), _drop),
    Lie("another UIDNEXT", _about(rb"\* OK \[UIDNEXT"), _number(rb"(\d+)", -3, -1, 1, 1000, absolute=(1, 2**32))),
    Lie("another HIGHESTMODSEQ", _about(rb"\* OK \[HIGHEST"), _number(rb"(\d+)", -2, -1, 1, 1000, absolute=(0, 2**64))),
    Lie("another UIDVALIDITY", _about(rb"\* OK \[UIDVAL"), _number(rb"(\d+)", -1, 1, 1000, absolute=(0, 1, 2**32))),
    Lie("other PERMANENTFLAGS", _about(rb"\* OK \[PERMANENT"), lambda *_: [b"* OK [PERMANENTFLAGS ()] none\r\n"]),
    Lie("STATUS: MESSAGES", _about(rb"\* STATUS"), _number(rb"MESSAGES (\d+)", -1, 1, 1000, absolute=(0,))),
    Lie("STATUS: UIDNEXT", _about(rb"\* STATUS"), _number(rb"UIDNEXT (\d+)", -1, 1, 1000, absolute=(0, 1))),
    Lie("STATUS: HIGHESTMODSEQ", _about(rb"\* STATUS"), _number(rb"MODSEQ (\d+)", -1, 1, 1000, absolute=(0, 1))),
    Lie("STATUS: UIDVALIDITY", _about(rb"\* STATUS"), _number(rb"UIDVALIDITY (\d+)", -1, 1, 1000, absolute=(0, 1))),
    Lie("STATUS is missing", _about(rb"\* STATUS"), _drop),
    Lie("a mailbox is missing", _about(rb"\* LIST"), _drop),
    Lie("a mailbox has another name", _about(rb"\* LIST"), lambda _, line: [re.sub(rb" \S+\r\n", b" Other\r\n", line)]),
    Lie("a mailbox comes twice", _about(rb"\* LIST"), _double),
    Lie("messages vanish", _about(rb"s\d+ OK \[READ-WRITE\]"), _vanish),
    Lie("others vanish", _about(rb"\* VANISHED"), _vanished),
    Lie("none vanish", _about(rb"\* VANISHED"), _drop),
    Lie("other UIDs are found", _about(rb"\* E?SEARCH"), _fewer),
    Lie("no UIDs are found", _about(rb"\* E?SEARCH"), _drop),
    Lie("a refusal", _TAGGED, _refuse),
    Lie("consent", _TAGGED, _agree),
    Lie("no reply", _TAGGED, _drop),
    Lie("two replies", _TAGGED, _double),
    Lie("another APPENDUID", _about(rb"s\d+ OK \[APPEND"), _number(rb"\d+ (\d+)", -1, 1, 5, absolute=(0, 2**32 - 1))),
    Lie("another COPYUID", _about(rb"(?:s\d+|\*) OK \[COPYUID"), _number(rb"[\d:,]+ (\d+)\]", -1, 1, absolute=(0, 1))),
    Lie("what nobody asked for", _ANY, _add),
    Lie("octets", _ANY, _flip, hangs=True),
    Lie("the end", _ANY, _cut, hangs=True),
    Lie("the end in a message", _BODY, _cut, hangs=True),
    Lie("the length of a message", _BODY, _framing, hangs=True),
    Lie("what follows a message", _BODY, _around, hangs=True),
    Lie("no message", _BODY, _nil),
    Lie("a message is missing", _BODY, _drop),
    Lie("a message comes twice", _BODY, _double),
    Lie("one message less", _about(rb"\* \d+ EXISTS"), _number(rb"\* (\d+)", -1), more=("a FETCH is missing",)),
    Lie("one less, which vanished", _about(rb"\* \d+ EXISTS"), _number(rb"\* (\d+)", -1), more=("messages vanish",)),
)  # fmt: skip
_BY_NAME = {lie.name: lie for lie in LIES}


@dataclass
class Liar:
    """Tells lies, each at a response of its own; believes that it is asked for every response in its order."""

    rng: random.Random
    told: list[str] = field(default_factory=list)
    """What was done, in words."""

    def __post_init__(self) -> None:
        """Choose what to lie about, and at which of the responses that it could be about."""
        amount = self.rng.choice([1, 1, 1, 2, 3])
        self._plans = [[lie, self.rng.choice([0, 0, 1, 1, 2, 3, 5, 8])] for lie in self.rng.choices(LIES, k=amount)]

    def hear(self, response: bytes) -> tuple[list[bytes], bool]:
        """What is said instead of `response`, and whether the client may wait for more of it than will come."""
        for plan in self._plans:
            lie, wait = plan
            assert isinstance(lie, Lie)
            assert isinstance(wait, int)
            if not lie.about.match(response):
                continue
            if wait:
                plan[1] = wait - 1
                continue
            self._plans.remove(plan)
            self._plans += [[_BY_NAME[name], 0] for name in lie.more]
            said = lie.change(self.rng, response)
            self.told.append(f"{lie.name}: {response[:200]!r} is now {b''.join(said)[:300]!r}")
            return said, lie.hangs
        return [response], False

    @property
    def summary(self) -> list[str]:
        """The names of the lies that were told."""
        return [each.partition(":")[0] for each in self.told]


def tagged(response: bytes) -> bytes | None:
    """The tag, of a tagged response."""
    return response.partition(b" ")[0] if kind_of(response) == "tagged" else None
