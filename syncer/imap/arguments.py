"""Arguments of commands, made so that nothing can end them early. Pure."""

import re
from collections.abc import Iterable

from syncer.later import later
from syncer.values import Struct

_FLAG = later(r'\\?[^\x00-\x20(){%*"\\\]\x7f]+', re.ASCII)
_PLAIN = later(rb"[\x20-\x7e]*")
FORBIDDEN = re.compile(rb"[\0\r\n]")
"""What no line of a command may hold."""


class Literal(Struct, frozen=True):
    """An argument that is sent as a literal (RFC 9051 section 4.3)."""

    octets: bytes


Argument = bytes | Literal


def is_flag(flag: str) -> bool:
    r"""Whether `flag` fits the grammar of flags (RFC 9051 section 9), `\*` and `\Recent` excluded."""
    return flag.isascii() and _FLAG.fullmatch(flag) is not None and flag.lower() != "\\recent"


def flag_list(flags: Iterable[str]) -> bytes:
    r"""`(\Seen work)`, in a fixed order.

    Raises:
        ValueError: a flag does not fit the grammar.
    """
    chosen = sorted(flags)
    for flag in chosen:
        if not is_flag(flag):
            raise ValueError(f"{flag!r} cannot be sent as a flag")
    return b"(" + " ".join(chosen).encode("ascii") + b")"


def string(octets: bytes) -> Argument:
    """A quoted string where that is possible, else a literal.

    Raises:
        ValueError: `octets` hold NUL, CR or LF, which no name of ours has.
    """
    if FORBIDDEN.search(octets):
        raise ValueError("a string with NUL, CR or LF is not sent")
    if _PLAIN.fullmatch(octets):
        return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return Literal(octets)
