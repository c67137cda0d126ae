"""PURE: mailbox names and the directories that hold them.

Two layouts. `fs`: one directory for each level, `INBOX` among them. `maildir++`: the root is INBOX and every other
mailbox is a directory `.Level.Level` in it.

A `MailboxName` is printable already (see `syncer.reconcile.identity`). On disk some more characters are written `%XX`,
by the same scheme: a dot or a tilde at the beginning, a dot or a space at the end, every colon, the first letter of
`cur`, `new` and `tmp`, and in `maildir++` every dot. An empty level is `%5F`. None of these escapes occurs in a
`MailboxName`, so there is one directory for each name and one name for each directory. A directory that is not spelled
as we would spell it has no name: it is reported, never guessed at.
"""

from functools import lru_cache
from typing import Literal

from syncer.errors import MailboxError
from syncer.later import later
from syncer.reconcile.identity import INBOX, MailboxName

Layout = Literal["fs", "maildir++"]

COMPONENT_LIMIT = 255
"""NAME_MAX of every file system in common use, in octets."""
PATH_LIMIT = 3072
"""Octets of a path below the root; PATH_MAX is 4096 on Linux, and the root and a file name must fit as well."""

_RESERVED = ("cur", "new", "tmp")
_EMPTY = "%5F"
_ESCAPE = later("%(2E|20|7E|3A|63|6E|74)")
_UNPRINTABLE = later("[\x00-\x1f\x7f\ud800-\udfff]")


@lru_cache(maxsize=4096)
def to_path(name: MailboxName, layout: Layout) -> bytes:
    """The mailbox's directory, relative to the root; empty for the root itself.

    Raises:
        MailboxError: the name is not a mailbox name, or is longer than a file system can hold.
    """
    if (not name.isprintable() and _UNPRINTABLE.search(name)) or (name != INBOX and name.upper() == INBOX):
        raise MailboxError(f"{name!a}: not a mailbox name that can be kept in a Maildir; exclude it")
    path = _encode(name, layout)
    if _decode(path, layout) != name:
        raise MailboxError(f"{name}: not a mailbox name that can be kept in a Maildir; exclude or rename it")
    encoded = path.encode()
    if len(encoded) > PATH_LIMIT or any(len(part) > COMPONENT_LIMIT for part in encoded.split(b"/")):
        raise MailboxError(f"{name}: the name is too long for a directory; rename the mailbox or exclude it")
    return encoded


def from_path(path: bytes, layout: Layout) -> MailboxName | None:
    """The mailbox that lives in a directory (relative to the root); None for a path that `to_path` does not give."""
    try:
        name = _decode(path.decode(), layout)
        return name if name is not None and to_path(name, layout) == path else None
    except (UnicodeDecodeError, MailboxError):
        return None


def _encode(name: str, layout: Layout) -> str:
    if layout == "fs":
        return "/".join(_encode_level(level) for level in name.split("/"))
    if name == INBOX:
        return ""
    return "".join("." + _encode_level(level).replace(".", "%2E") for level in name.split("/"))


def _decode(path: str, layout: Layout) -> MailboxName | None:
    if layout == "fs":
        return MailboxName("/".join(_decode_level(part) for part in path.split("/")))
    if not path:
        return INBOX
    if not path.startswith(".") or "/" in path:
        return None
    return MailboxName("/".join(_decode_level(part) for part in path[1:].split(".")))


def _encode_level(level: str) -> str:
    if not level:
        return _EMPTY
    first, middle, last = level[0], level[1:-1], level[-1] if len(level) > 1 else ""
    if first in ".~" or level in _RESERVED or (first == " " and not last):
        first = _hex(first)
    if last and last in ". ":
        last = _hex(last)
    return (first + middle + last).replace(":", "%3A")


def _decode_level(part: str) -> str:
    return "" if part == _EMPTY else _ESCAPE.sub(lambda found: chr(int(found[1], 16)), part)


def _hex(character: str) -> str:
    return f"%{ord(character):02X}"
