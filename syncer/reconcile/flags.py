r"""Flags: the set that a message carries, and the three-way merge of two sets that have a common base.

System flags are spelled as in RFC 9051 section 2.3.2 and keywords as the account first showed them (`Spelling`), so
that plain set algebra holds. `\Recent` and system flags that we do not know are not synchronised and never appear
here.
"""

from collections.abc import Iterable

from syncer.values import Struct, field

Flags = frozenset[str]

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = "\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"
FORWARDED = "$Forwarded"

SYSTEM: Flags = frozenset({SEEN, ANSWERED, FLAGGED, DELETED, DRAFT})
NONE: Flags = frozenset()


class FlagDelta(Struct, frozen=True):
    """Flags to add and flags to remove; never a replacement of the whole set."""

    add: Flags = NONE
    remove: Flags = NONE

    def __bool__(self) -> bool:
        """A delta that changes nothing is false."""
        return bool(self.add or self.remove)

    def __str__(self) -> str:
        r"""`+\Seen -work`, in a fixed order."""
        return " ".join([f"+{flag}" for flag in sorted(self.add)] + [f"-{flag}" for flag in sorted(self.remove)])


def delta(before: Flags, after: Flags) -> FlagDelta:
    """The delta that turns `before` into `after`."""
    return FlagDelta(after - before, before - after)


def apply(flags: Flags, change: FlagDelta) -> Flags:
    """`flags` with `change` applied."""
    return (flags - change.remove) | change.add


def before(flags: Flags, change: FlagDelta) -> Flags:
    """What `change` was applied to, if all of it changed something."""
    return (flags - change.add) | change.remove


def merge(base: Flags, server: Flags, local: Flags) -> Flags:
    """The flags both sides should have, given what they last agreed on.

    What both have stays, what either added is added, what either removed is removed. Flags are a set, so
    there is no conflict.
    """
    return (server & local) | ((server | local) - base)


def keywords(flags: Flags) -> Flags:
    """The flags that are keywords (RFC 9051 section 2.3.2), `$Forwarded` included."""
    return flags - SYSTEM


class Spelling(Struct):
    """How this account spells its flags. Flag names are case-insensitive; the first spelling that was seen stands.

    Feed it the keywords of the index first, then the server's, then the Maildir's, so that the server's spelling is
    the one that is sent back to it.
    """

    known: dict[str, str] = field(default_factory=lambda: {name.lower(): name for name in (*SYSTEM, FORWARDED)})
    _sets: dict[frozenset[str], Flags] = field(default_factory=dict)

    def normal(self, raw: Iterable[str]) -> Flags:
        """`raw` flag names in the account's spelling, without those that are not synchronised."""
        names = frozenset(raw)
        found = self._sets.get(names)
        if found is None:
            found = frozenset(
                self.known.setdefault(name.lower(), name)
                for name in sorted(names)
                if not name.startswith("\\") or name.lower() in self.known
            )
            self._sets[names] = found
        return found
