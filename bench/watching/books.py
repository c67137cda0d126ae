"""What each side holds, message by message, told apart by Message-ID; and what is wrong with a side. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Books = dict[str, Counter[tuple[str, str]]]
"""By mailbox: each Message-ID with its flags as the letters of a Maildir, and how often it is there so."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Message-IDs of which a side has too few, too many, or which are elsewhere or have other flags."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """All is as it should be."""
        return not (self.lost or self.doubled or self.wrong)

    def __str__(self) -> str:
        """How many of each, and one of them."""
        parts = [
            f"{len(found)} {name} ({found[0]})"
            for name, found in (("lost", self.lost), ("doubled", self.doubled), ("wrong", self.wrong))
            if found
        ]
        return ", ".join(parts) or "nothing"


def difference(want: Books, have: Books) -> Difference:
    """What is wrong with a side that should hold `want`."""
    wanted, had = _counts(want.values()), _counts(have.values())
    lost = sorted(identity for identity, count in wanted.items() if had[identity] < count)
    doubled = sorted(identity for identity, count in had.items() if wanted[identity] < count)
    counted = {*lost, *doubled}
    wrong = {
        identity
        for mailbox in want.keys() | have.keys()
        for identity, _ in (want.get(mailbox, Counter()) - have.get(mailbox, Counter()))
    }
    return Difference(lost, doubled, sorted(wrong - counted))


def only(books: Mapping[str, Counter[tuple[str, str]]], mailboxes: Iterable[str]) -> Books:
    """The part that is about these mailboxes."""
    return {mailbox: books[mailbox] for mailbox in mailboxes if mailbox in books}


def _counts(mailboxes: Iterable[Counter[tuple[str, str]]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for mailbox in mailboxes:
        for (identity, _), count in mailbox.items():
            counts[identity] += count
    return counts
