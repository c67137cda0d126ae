r"""PURE: file names and foreign output as text that others can read.

A file name is octets, JSON is Unicode. Inside this program the octets that are not UTF-8 are surrogate escapes, which
no JSON parser has to take. So a list of names is told as it is, with U+FFFD for each octet that is not UTF-8, and only
where there is such an octet a second list beside it, under the same key with `_base64` behind, has the octets of every
name of the first, in the same order. Who wants to open the files takes the second list where there is one:

    def paths(change, key):
        if f"{key}_base64" in change:
            return [base64.b64decode(name) for name in change[f"{key}_base64"]]
        return [os.fsencode(name) for name in change[key]]
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syncer.later import Later

if TYPE_CHECKING:
    import base64
    import json
else:
    base64, json = Later("base64"), Later("json")


def octets_of(name: str) -> bytes:
    """The octets of a file name."""
    return name.encode("utf-8", "surrogateescape")


def readable(name: str) -> str:
    """A name as Unicode, with U+FFFD for every octet that is not UTF-8."""
    return octets_of(name).decode("utf-8", "replace")


def listed(key: str, names: Sequence[str]) -> dict[str, Any]:
    """The members of a JSON object that tell file names."""
    told: dict[str, Any] = {key: [readable(name) for name in names]}
    if not all(map(_is_unicode, names)):
        told[f"{key}_base64"] = [_base64(name) for name in names]
    return told


def listed_pairs(key: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """As `listed`, for pairs of names."""
    told: dict[str, Any] = {key: [[readable(old), readable(new)] for old, new in pairs]}
    if not all(_is_unicode(old) and _is_unicode(new) for old, new in pairs):
        told[f"{key}_base64"] = [[_base64(old), _base64(new)] for old, new in pairs]
    return told


def json_line(document: dict[str, Any]) -> bytes:
    """A JSON document on one line, in ASCII, so that no locale can spoil it."""
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def shown(octets: bytes) -> str:
    r"""What another program printed, with everything that could steer a terminal written as `\xNN` or `\uNNNN`."""
    text = octets.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _is_unicode(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= c <= "\udfff" for c in name)


def _base64(name: str) -> str:
    return base64.b64encode(octets_of(name)).decode("ascii")
