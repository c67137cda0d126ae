"""PURE: Maildir file names.

A file name is a unique name and, after it, the info: `unique:2,FS`. Fields that other programs put into the unique
name (`,S=`, `,W=`, `,U=`, `,FMD5=`) are part of it, kept verbatim and never trusted. The info begins at the last `:2,`
or `:1,`; other colons belong to the unique name, so that two files are never taken for one. Of a `:2,` info the
letters up to the next comma are flags; what follows (Dovecot calls it another flag set) is kept. Letters in any order,
doubled or unknown are accepted; written letters are sorted in ASCII order, as the specification wants.

A `mapping` is the one of `dovecot-keywords`: the letters `a`-`z` and the keyword that each stands for. Keywords are
compared without regard to case. File names are text with surrogate escapes for bytes that are not UTF-8.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from syncer.reconcile.flags import ANSWERED, DELETED, DRAFT, FLAGGED, FORWARDED, SEEN, FlagDelta, Flags
from syncer.reconcile.identity import MailboxName, Uid, UidValidity, UniqueName

LETTERS = "abcdefghijklmnopqrstuvwxyz"
"""The letters that can stand for keywords, in the order of their numbers in `dovecot-keywords`."""

FLAG_LETTERS: Mapping[str, str] = {
    DRAFT: "D",
    FLAGGED: "F",
    FORWARDED: "P",
    ANSWERED: "R",
    SEEN: "S",
    DELETED: "T",
}
"""The flags that have a letter of their own (Maildir specification, "What can I put in info?"; `P` is "passed")."""

_FLAGS = {letter: flag for flag, letter in FLAG_LETTERS.items()}
_LETTERS = {flag.lower(): letter for flag, letter in FLAG_LETTERS.items()}

_LATEST = 2**40
_OWN = re.compile(r"(0|[1-9]\d*)\.V([1-9]\d*)U([1-9]\d*)M([0-9a-f]{12})\.syncer", re.ASCII)


def split(name: str) -> tuple[UniqueName, str]:
    """The unique name of a file name, and its info with the colon (empty if it has none)."""
    at = name.rfind(":2,")
    at = max(at, name.rfind(":1,", at + 1))
    return (UniqueName(name), "") if at < 0 else (UniqueName(name[:at]), name[at:])


def letters_of(info: str) -> str:
    """The letters of an info (as `split` gives it) that stand for flags."""
    return info[3:].partition(",")[0] if info.startswith(":2,") else ""


def flags_of_info(info: str, mapping: Mapping[str, str]) -> Flags:
    """The flags that an info says. Letters without a meaning say nothing."""
    found = (_FLAGS.get(letter) or mapping.get(letter) for letter in letters_of(info))
    return frozenset(flag for flag in found if flag)


def flags_of(name: str, mapping: Mapping[str, str]) -> Flags:
    """The flags that a file name says."""
    return flags_of_info(split(name)[1], mapping)


def with_delta(name: str, change: FlagDelta, mapping: Mapping[str, str]) -> str:
    """The file name with `change` applied; the same name if the letters already say it.

    A flag to add that has no letter is passed over. Letters that are not understood stay, and so does a `:1,` info: it
    moves behind the letters.
    """
    unique, info = split(name)
    letters = letters_of(info)
    tail = info[3 + len(letters) :] if info.startswith(":2,") else info.replace(":", ",", 1)
    wanted = (set(letters) - _letters(change.remove, mapping)) | _letters(change.add, mapping)
    if wanted == set(letters):
        return name
    return f"{unique}:2,{''.join(sorted(wanted))}{tail}"


def translated(name: str, new_name: UniqueName, mapping: Mapping[str, str], target: Mapping[str, str]) -> str:
    """The file name in another mailbox, under another unique name and with that mailbox's letters for keywords.

    A keyword without a letter there is dropped, and so is a letter without a keyword here: there it could mean
    something else.
    """
    _, info = split(name)
    letters = letters_of(info)
    keywords = frozenset(mapping[letter] for letter in letters if letter in mapping)
    kept = {letter for letter in letters if letter not in LETTERS} | _letters(keywords, target)
    if info.startswith(":2,"):
        return f"{new_name}:2,{''.join(sorted(kept))}{info[3 + len(letters) :]}"
    return new_name + info


def unique_name(mailbox: MailboxName, uidvalidity: UidValidity, uid: Uid, internaldate: int) -> UniqueName:
    """The name of a message that comes from the server: the same whenever the same message is described.

    The date comes first because programs sort by it; one before 1970 or absurdly late is held within bounds.
    """
    date = min(max(internaldate, 0), _LATEST)
    return UniqueName(f"{date}.V{uidvalidity}U{uid}M{_digest(mailbox)}.syncer")


def own_uid(name: UniqueName, mailbox: MailboxName, uidvalidity: UidValidity) -> Uid | None:
    """The UID in a name that `unique_name` made for this mailbox and UIDVALIDITY, else None."""
    found = _OWN.fullmatch(name)
    if found is None or int(found[2]) != uidvalidity or found[4] != _digest(mailbox):
        return None
    return Uid(int(found[3]))


@lru_cache(maxsize=64)
def _digest(mailbox: MailboxName) -> str:
    return hashlib.sha256(mailbox.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _letters(flags: Iterable[str], mapping: Mapping[str, str]) -> set[str]:
    """Every letter that says one of the flags: `$Forwarded` may have two, `P` and the one Dovecot gave it."""
    names = {flag.lower() for flag in flags}
    found = {letter for letter, keyword in mapping.items() if keyword.lower() in names}
    return found | {_LETTERS[name] for name in names & _LETTERS.keys()}
