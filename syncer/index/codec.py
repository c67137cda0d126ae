"""Values to columns and back: text, flags, letters. Pure.

Text that comes from outside (unique names, mailbox names, the server's words) is stored as bytes in UTF-8 with
surrogates passed through. That is the one encoding in which every `str` has exactly one spelling in bytes and back,
those with surrogate escapes for bytes that are not UTF-8 included; `surrogateescape` would merge some of them. What
never leaves ASCII (JSON) is stored as text.

Flags are stored as a bit for each system flag and the number of a set of keywords. Where rows are read, SQL makes one
number of both, their code. A mailbox has few distinct sets of flags, so both directions are remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from syncer.later import Later
from syncer.reconcile.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, Flags, Spelling, keywords

if TYPE_CHECKING:
    import json
else:
    json = Later("json")

SYSTEM_BITS: Mapping[str, int] = {SEEN: 1, ANSWERED: 2, FLAGGED: 4, DELETED: 8, DRAFT: 16}
"""The bit of each system flag in `pair.flags`. Stored: never change one."""

SET_SHIFT = 5
"""A code is the system bits, and the keyword set id (0 for none) so many bits further up."""

CODE = f"(flags | (ifnull(keyword_set_id, 0) << {SET_SHIFT}))"
"""The code of a row of `pair`, in SQL."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def to_bytes(text: str) -> bytes:
    """`text` as it is stored."""
    return text.encode("utf-8", "surrogatepass")


def to_text(stored: bytes) -> str:
    """What was stored with `to_bytes`."""
    return stored.decode("utf-8", "surrogatepass")


def to_json(value: Mapping[str, str] | list[str]) -> str:
    """`value` as ASCII; surrogates become escapes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


class DamagedRowError(Exception):
    """A row says what this program never writes."""


def from_json(stored: str) -> Any:
    """What was stored with `to_json`. Raises DamagedRowError."""
    try:
        return {} if stored == "{}" else json.loads(stored)
    except ValueError as error:
        raise DamagedRowError(str(error)) from error


class Lookup(dict[K, V]):
    """A dictionary that asks for a value once: the paths that see every message pay for looking it up only."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[K], V]) -> None:
        """Begin empty; `find` gives the value of a key, or raises."""
        super().__init__()
        self._find = find

    def __missing__(self, key: K) -> V:
        """The value is found, and kept."""
        value = self[key] = self._find(key)
        return value


class FlagCodec:
    """Flags to (system bits, keyword set id) and back, for one database.

    `unsaved` collects the keyword sets that were numbered and that are not in the database yet. Whoever writes a
    row with such a number writes them before it in the same transaction, and throws the codec away if that
    transaction fails: its numbers would otherwise be given out for nothing.
    """

    def __init__(self, stored: Iterable[tuple[int, str]]) -> None:
        """Begin with the rows of `keyword_set`, ascending by id."""
        self.unsaved: list[tuple[int, str]] = []
        self.encoded: Mapping[Flags, tuple[int, int | None]] = Lookup(self._encode)
        """System bits and keyword set id (None: no keywords) of flags; a set that is new goes to `unsaved`."""
        self.decoded: Mapping[int, Flags] = Lookup(self._decode)
        """The flags of a code, the same object for the same flags. DamagedRowError: there is no such keyword set."""
        self._next = 1
        self._spelling = Spelling()
        self._seen: dict[str, None] = {}
        self._ids: dict[Flags, int] = {}
        self._sets: dict[int, Flags] = {0: frozenset()}
        for set_id, names in stored:
            self._remember(set_id, self._spelling.normal(from_json(names)))

    def keywords(self) -> tuple[str, ...]:
        """Every keyword there is, in the order in which they were first recorded."""
        return tuple(self._seen)

    def _encode(self, flags: Flags) -> tuple[int, int | None]:
        normal = self._spelling.normal(flags)
        bits = sum(bit for flag, bit in SYSTEM_BITS.items() if flag in normal)
        return bits, self._set_id(keywords(normal))

    def _decode(self, code: int) -> Flags:
        names = self._sets.get(code >> SET_SHIFT)
        if names is None:
            raise DamagedRowError(f"there is no keyword set {code >> SET_SHIFT}")
        return names.union(flag for flag, bit in SYSTEM_BITS.items() if code & bit)

    def _set_id(self, names: Flags) -> int | None:
        if not names:
            return None
        set_id = self._ids.get(names)
        if set_id is None:
            set_id = self._next
            self._remember(set_id, names)
            self.unsaved.append((set_id, to_json(sorted(names))))
        return set_id

    def _remember(self, set_id: int, names: Flags) -> None:
        self._ids[names] = set_id
        self._sets[set_id] = names
        self._next = set_id + 1
        self._seen.update(dict.fromkeys(sorted(names)))
