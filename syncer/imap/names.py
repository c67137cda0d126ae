"""`MailboxName` to and from the bytes that a server uses. Pure, and reversible for any bytes.

The rules of `identity.MailboxName`, made exact. The personal namespace's prefix is taken off, unless what remains
would begin with INBOX, which must stay apart from the one INBOX. Each level is decoded by itself:

- A level that is canonical modified UTF-7 (RFC 3501 section 5.1.3: decoding and encoding again gives the same
  bytes) becomes its text. `/`, C0 controls and DEL are written `%XX`.
- Any other level is taken raw: printable ASCII stands for itself, `&` is `%26`, a byte of 8 bits is `%80` to `%FF`.
  No text has these two escapes, which tells the two kinds apart. A control character that is
  hidden in a shifted sequence makes a level raw, so that it is never mistaken for the bare one.
- `%` is `%25` where two hexadecimal digits follow.
"""

import binascii
import re

from syncer.errors import MailboxError
from syncer.imap.responses import Value
from syncer.later import later
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.values import Struct

_SHIFTED = later(rb"&([A-Za-z0-9+,]*)-")
_SHIFTABLE = later(r"&|[^\x00-\x7f]+")
_PERCENT = later(r"%(?=[0-9A-Fa-f]{2})")
_ESCAPED = later(r"%([0-9A-Fa-f]{2})")
_CONTROL = later(r"[\x00-\x1f\x7f/]")
_RAW = later(r"[\x00-\x1f\x7f-\xff/&]")
_RAW_ESCAPE = later(r"%(?:26|[89A-F][0-9A-F])")
UNSENDABLE = later(rb"[\0\r\n]")


class Namespace(Struct, frozen=True):
    """An account's personal namespace (RFC 2342): its prefix and its hierarchy separator, None for a flat one."""

    prefix: bytes = b""
    separator: bytes | None = b"/"

    def from_wire(self, raw: bytes) -> MailboxName | None:
        """The mailbox that the server calls `raw`; None for one outside this namespace."""
        if raw.upper() == b"INBOX":
            return INBOX
        rest = raw[len(self.prefix) :]
        inside = raw.startswith(self.prefix) and bool(rest)
        if inside and not (self.prefix and self._begins_with_inbox(rest)):
            raw = rest
        elif not self._stays_whole(raw):
            return None
        levels = raw.split(self.separator) if self.separator else [raw]
        return MailboxName("/".join(_text_of(level) for level in levels))

    def to_wire(self, name: MailboxName) -> bytes:
        """The server's name for a mailbox.

        Raises:
            MailboxError: no mailbox of this server can have this name.
        """
        levels = name.split("/")
        if name == "" or (self.separator is None and len(levels) > 1):
            raise MailboxError(f"mailbox {name!r}: this server has no levels below a mailbox; rename it")
        try:
            raw = (self.separator or b"").join(_bytes_of(level) for level in levels)
        except UnicodeError:
            raise MailboxError(f"mailbox {name!r}: its name is not valid text; rename it") from None
        whole = raw if name == INBOX or self._stays_whole(raw) else self.prefix + raw
        if UNSENDABLE.search(whole) or self.from_wire(whole) != name:
            raise MailboxError(
                f"mailbox {name!r}: this server cannot have a mailbox of this name"
                f" (its separator is {(self.separator or b'none').decode('ascii', 'replace')!r}); rename it"
            )
        return whole

    def _stays_whole(self, raw: bytes) -> bool:
        """Whether `raw` keeps, or has kept, its prefix."""
        if not self.prefix:
            return True
        ours = self._first(self.prefix) == b"INBOX" or raw.startswith(self.prefix)
        return ours and self._begins_with_inbox(raw)

    def _begins_with_inbox(self, raw: bytes) -> bool:
        """Whether INBOX is the first level, any number of prefixes taken off."""
        place = 0
        while self._first(raw, place) != b"INBOX":
            if not raw.startswith(self.prefix, place):
                return False
            place += len(self.prefix)
        return True

    def _first(self, raw: bytes, place: int = 0) -> bytes:
        """As much of the first level after `place` as tells it from INBOX, without a copy of a long name."""
        start = raw[place : place + len(b"INBOX") + 1]
        return (start.split(self.separator, 1)[0] if self.separator else start).upper()


def space_of(entry: Value) -> Namespace | None:
    """An entry of the answer to NAMESPACE; None for what is none, or has a prefix that cannot be sent."""
    if not isinstance(entry, list) or len(entry) < 2 or not isinstance(entry[0], bytes):
        return None
    if UNSENDABLE.search(entry[0]):
        return None
    return Namespace(entry[0], separator_of(entry[1]))


def separator_of(value: Value) -> bytes | None:
    """A hierarchy separator as NAMESPACE and LIST tell it."""
    fits = isinstance(value, bytes) and len(value) == 1 and not UNSENDABLE.search(value)
    return value if isinstance(value, bytes) and fits else None


def decode(raw: bytes) -> str:
    """Modified UTF-7 as text.

    Raises:
        UnicodeError: it is not canonical; `encode` would not give it back, or it hides a control character.
    """
    text, place = [], 0
    for match in _SHIFTED.finditer(raw):
        text.append(raw[place : match.start()].decode("ascii"))
        text.append(_unpack(match[1]) if match[1] else "&")
        place = match.end()
    text.append(raw[place:].decode("ascii"))
    decoded = "".join(text)
    if encode(decoded) != raw:
        raise UnicodeError("not canonical modified UTF-7")
    return decoded


def encode(text: str) -> bytes:
    """Text as modified UTF-7; control characters stand for themselves.

    Raises:
        UnicodeError: it holds half a surrogate pair.
    """
    return _SHIFTABLE.sub(_pack, text).encode("ascii")


def _pack(match: re.Match[str]) -> str:
    if match[0] == "&":
        return "&-"
    packed = binascii.b2a_base64(match[0].encode("utf-16-be"), newline=False)
    return f"&{packed.rstrip(b'=').replace(b'/', b',').decode('ascii')}-"


def _unpack(packed: bytes) -> str:
    try:
        octets = binascii.a2b_base64(packed.replace(b",", b"/") + b"=" * (-len(packed) % 4))
    except binascii.Error as error:
        raise UnicodeError("not modified base64") from error
    return octets.decode("utf-16-be")


def _text_of(level: bytes) -> str:
    try:
        text, special = decode(level), _CONTROL
    except UnicodeError:
        text, special = level.decode("latin-1"), _RAW
    return special.sub(lambda match: f"%{ord(match[0]):02X}", _PERCENT.sub("%25", text))


def _bytes_of(level: str) -> bytes:
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), level)
    return text.encode("latin-1") if _RAW_ESCAPE.search(level) else encode(text)
