"""Response lines as values. Pure: bytes in, frozen values out, and nothing but ProtocolError raised.

A response comes as `parts`: text, literal, text, literal, ..., text, where the texts have lost their `{n}` and the
line end. Depth and number of tokens are bounded. Where servers are known to deviate (no text after a code, quotes
that do not match, a bare `+`) the parser is lenient; what is lost by that is one value, never its neighbour.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from syncer.errors import ProtocolError
from syncer.values import Struct

Value: TypeAlias = "bytes | list[Value] | None"
"""A string or atom, a parenthesised list, or NIL."""

MAX_DEPTH = 64
MAX_TOKENS = 200_000
_MAX_CODE = 65_536

LITERAL = re.compile(rb"~?\{(\d{1,20})\+?\}\r?\n\Z")
r"""The end of a line that a literal follows; `~{n}` is RFC 3516's literal8."""

FLAGS_LINE = re.compile(
    rb"\* \d+ FETCH \((?:UID (\d{1,10}) FLAGS \(([^()\"{}]*)\)|FLAGS \(([^()\"{}]*)\) UID (\d{1,10}))"
    rb"(?: MODSEQ \(\d+\))?\)\r\n"
)
"""What `UID FETCH 1:* (FLAGS)` answers, in the orders in which real servers do. Anything else goes the long way."""

MODSEQ_LINE = re.compile(rb"\* \d+ FETCH \((?:UID \d{1,10} )?MODSEQ \(\d+\)\)\r\n")
"""What answers a STORE in silence where there are modseqs (RFC 7162 section 3.1.3)."""

# A server may send megabytes of anything: what a pattern tries at one place is short, or it is not tried there again.
_TOKEN = re.compile(
    rb'([()])|"((?:[^"\\]|\\.)*+)"|((?:BODY|BINARY)[A-Z.]{0,20}\[[^\]]{0,999}+\](?:<\d+>)?|[^ ()]+)',
    re.IGNORECASE | re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_CODE = re.compile(
    rb'\[([A-Z0-9][A-Z0-9._/-]*+)((?:\([^()]*\)|"(?:[^"\\]|\\.){0,255}+"|[^\]])*+)\] ?', re.IGNORECASE | re.DOTALL
)
_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")
_NUMBER = re.compile(rb"\d{1,20}")


class Code(Struct, frozen=True):
    """A response code: `[UIDNEXT 5]` (RFC 9051 section 7.1)."""

    name: str
    """In upper case."""
    values: tuple[Value, ...] = ()


class Status(Struct, frozen=True):
    """OK, NO, BAD, BYE or PREAUTH; `tag` is empty for an untagged one."""

    tag: bytes
    kind: str
    code: Code | None
    text: str
    """For people: unprintable characters are escaped."""

    @property
    def words(self) -> str:
        """The code's name, if there is one, and the text."""
        return f"[{self.code.name}] {self.text}".rstrip() if self.code else self.text or self.kind

    def has(self, *names: str) -> bool:
        """Whether the code is one of `names`."""
        return self.code is not None and self.code.name in names


class Continuation(Struct, frozen=True):
    """`+`: the server waits for more of the command."""

    text: bytes


class Counted(Struct, frozen=True):
    """`* 5 EXISTS`, `* 5 EXPUNGE`, `* 5 RECENT`."""

    kind: str
    number: int


class Fetch(Struct, frozen=True):
    """`* 5 FETCH (...)`; the items by name in upper case."""

    number: int
    items: Mapping[str, Value]


class Data(Struct, frozen=True):
    """Any other untagged response: LIST, STATUS, CAPABILITY, VANISHED, ESEARCH, ..."""

    kind: str
    values: tuple[Value, ...]


Response = Status | Continuation | Counted | Fetch | Data


def parse(parts: Sequence[bytes]) -> Response:
    """One response.

    Raises:
        ProtocolError: it is not one.
    """
    head, _, rest = parts[0].partition(b" ")
    if head == b"*":
        return _untagged(rest, parts[1:])
    if head.startswith(b"+"):
        return Continuation(rest)
    kind, _, text = rest.partition(b" ")
    if kind.upper() in (b"OK", b"NO", b"BAD") and head:
        return _status(head, kind, text)
    raise ProtocolError(f"the server sent a line that is no IMAP response: {shown(parts[0])}")


def values_of(parts: Sequence[bytes]) -> list[Value]:
    """The values of `parts`, text and literal in turn.

    Raises:
        ProtocolError: the parentheses do not match, or a bound is exceeded.
    """
    stack: list[list[Value]] = [[]]
    tokens = 0
    for place, part in enumerate(parts):
        if place % 2:
            stack[-1].append(part)
            continue
        for match in _TOKEN.finditer(part):
            tokens += 1
            kind = match.lastindex
            if kind == 3:
                stack[-1].append(None if match[3].upper() == b"NIL" else match[3])
            elif kind == 2:
                stack[-1].append(_ESCAPE.sub(rb"\1", match[2]) if b"\\" in match[2] else match[2])
            elif match[1] == b"(":
                stack.append([])
            elif len(stack) > 1:
                inner = stack.pop()
                stack[-1].append(inner)
            else:
                raise ProtocolError(f"the server closed a parenthesis that was not open: {shown(part)}")
            if tokens > MAX_TOKENS or len(stack) > MAX_DEPTH:
                raise ProtocolError(f"the server sent a response that is too large or too deep: {shown(part)}")
    if len(stack) > 1:
        raise ProtocolError(f"the server left a parenthesis open: {shown(parts[0])}")
    return stack[0]


def number(value: Value) -> int | None:
    """A number up to 20 digits, or None for anything else."""
    return int(value) if isinstance(value, bytes) and _NUMBER.fullmatch(value) else None


def names(value: Value) -> tuple[bytes, ...]:
    """The strings of a list; what is not a list has none."""
    return tuple(item for item in value if isinstance(item, bytes)) if isinstance(value, list) else ()


def object_id(value: Value) -> str | None:
    """The identifier in an `(objectid)` (RFC 8474 section 7), or bare; None for what is none."""
    found = (value,) if isinstance(value, bytes) else names(value)
    return found[0].decode("ascii") if found and _OBJECT_ID.fullmatch(found[0]) else None


def pairs(values: Sequence[Value]) -> dict[str, Value]:
    """Name and value in turn, names in upper case; what has no name is passed over."""
    found: dict[str, Value] = {}
    for name, value in zip(values[::2], values[1::2], strict=False):
        if isinstance(name, bytes):
            found[name.upper().decode("ascii", "replace")] = value
    return found


def shown(text: bytes) -> str:
    """The beginning of what a server sent, for a message: no control characters reach a terminal."""
    return printable(text[:200].decode("utf-8", "backslashreplace").strip())


def printable(text: str) -> str:
    """The text with everything escaped that is not for eyes."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _untagged(rest: bytes, more: Sequence[bytes]) -> Response:
    word, _, text = rest.partition(b" ")
    kind = word.rstrip(b"\r\n").upper()
    if kind in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"):
        return _status(b"", kind, text)
    count = number(word)
    if count is None:
        return Data(kind.decode("ascii", "replace"), tuple(values_of([text, *more])))
    name, _, items = text.partition(b" ")
    if name.upper() != b"FETCH":
        return Counted(name.upper().decode("ascii", "replace"), count)
    found = values_of([items, *more])
    if len(found) != 1 or not isinstance(found[0], list) or len(found[0]) % 2:
        raise ProtocolError(f"the server sent a FETCH response that is no list of pairs: {shown(rest)}")
    return Fetch(count, pairs(found[0]))


def _status(tag: bytes, kind: bytes, text: bytes) -> Status:
    code = None
    match = _CODE.match(text[:_MAX_CODE])
    if match is not None:
        code = Code(match[1].upper().decode("ascii"), _code_values(match[2]))
        text = text[match.end() :]
    return Status(tag, kind.upper().decode("ascii"), code, shown(text))


def _code_values(text: bytes) -> tuple[Value, ...]:
    try:
        return tuple(values_of([text]))
    except ProtocolError:
        return ()
