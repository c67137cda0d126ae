"""Two people who edit one account, one in the Maildir and one on the server, never the same message.

What each of them does is noted, so that it is known at any time what both sides have to hold in the end. Nobody
deletes in the Maildir: deletions rest for ten seconds in `syncer watch`, which is no part of what is measured.
"""

import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench import maildirs
from bench.mail import Letter, letters
from bench.watching.books import Books
from bench.watching.sides import Far, Near
from bench.wire import letters_of, uid_set

SIZE: Final = 1_300
_seeds = itertools.count(1_000_000)
"""Larger than those of the account's own messages, and never the same twice, whoever edits."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How many messages get another flag, are new, are moved; and, on the server, are expunged."""

    flags: int
    new: int
    moves: int
    expunged: int = 0

    def total(self) -> int:
        """Of all kinds."""
        return self.flags + self.new + self.moves + self.expunged


class Editors:
    """Both of them, in these mailboxes (two or more)."""

    def __init__(self, near: Near, far: Far, mailboxes: Sequence[str], rng: random.Random) -> None:
        """Begins with what the Maildir holds: both sides have to be equal."""
        self.near, self.far, self.mailboxes = near, far, tuple(mailboxes)
        self._rng = rng
        self.want: Books = near.read(self.mailboxes)
        self._touched: set[str] = set()
        """Whose edit may still be on its way."""

    def settled(self) -> None:
        """All that was done has arrived: every message may be edited again."""
        self._touched.clear()

    def here(self, amount: Amount) -> None:
        """Edit in the Maildir, as a mail program does."""
        mailbox, other = self._two()
        files = dict(self.near.files(mailbox))
        marked, moved = self._chosen(files, amount.flags, amount.moves)
        for identity in marked:
            path = files[identity]
            unique = path.name.partition(":2,")[0]
            old, new = self._flagged(mailbox, identity, maildirs.flags_of(path.name))
            os.rename(path, path.parent.parent / "cur" / f"{unique}:2,{new}")
            self._note(mailbox, (identity, old), mailbox, (identity, new))
        for identity in moved:
            path = files[identity]
            os.rename(path, self.near.root / other / path.parent.name / path.name)
            message = (identity, maildirs.flags_of(path.name))
            self._note(mailbox, message, other, message)
        maildirs.deliver(self.near.root / mailbox, self._letters(mailbox, amount.new), next(_seeds))

    def there(self, amount: Amount) -> None:
        """Edit on the server, on a connection of its own."""
        mailbox, other = self._two()
        with self.far.connect() as wire:
            messages = self.far.messages(wire, mailbox)
            uids = {identity: uid for uid, (identity, _) in messages.items()}
            marked, moved, gone = self._chosen(uids, amount.flags, amount.moves, amount.expunged)
            commands = [f'SELECT "{mailbox}"']
            for identity in marked:
                old, new = self._flagged(mailbox, identity, messages[uids[identity]][1])
                sign, flag = ("-", "F") if len(new) < len(old) else ("+", (set(new) - set(old)).pop())
                name = {"S": "\\Seen", "F": "\\Flagged"}[flag]
                commands.append(f"UID STORE {uids[identity]} {sign}FLAGS.SILENT ({name})")
                self._note(mailbox, (identity, old), mailbox, (identity, new))
            if moved:
                commands.append(f'UID MOVE {uid_set(uids[identity] for identity in moved)} "{other}"')
            for identity in moved:
                self._note(mailbox, messages[uids[identity]], other, messages[uids[identity]])
            for identity in gone:
                self._note(mailbox, messages[uids[identity]], None, None)
            wire.ask(*commands)
            if gone:
                numbers = uid_set(uids[identity] for identity in gone)
                # One by one: in one burst after a MOVE, Dovecot 2.3.19 says OK to the expunge and expunges nothing.
                wire.ask(f"UID STORE {numbers} +FLAGS.SILENT (\\Deleted)")
                wire.ask(f"UID EXPUNGE {numbers}")
            if amount.new:
                wire.append(mailbox, self._letters(mailbox, amount.new))

    def _two(self) -> tuple[str, str]:
        mailbox, other = self._rng.sample(self.mailboxes, 2)
        return mailbox, other

    def _chosen(self, able: Mapping[str, object], *numbers: int) -> Iterator[list[str]]:
        """For each of these numbers so many messages, each of them once, and none that was edited before."""
        free = sorted(able.keys() - self._touched)
        chosen = iter(self._rng.sample(free, min(sum(numbers), len(free))))
        for number in numbers:
            taken = list(itertools.islice(chosen, number))
            self._touched.update(taken)
            yield taken

    def _flagged(self, mailbox: str, identity: str, flags: str) -> tuple[str, str]:
        """Flags before and after: what is unread is read, else the star is set or taken away."""
        return flags, "".join(sorted(set(flags) ^ {"F" if "S" in flags else "S"}))

    def _letters(self, mailbox: str, count: int) -> list[Letter]:
        made = list(letters(next(_seeds), [SIZE] * count))
        for letter in made:
            identity = maildirs.IDENTITY.search(letter.octets)
            assert identity
            message = (identity[1].decode(), letters_of(flag.encode() for flag in letter.flags))
            self._touched.add(message[0])
            self._note(None, None, mailbox, message)
        return made

    def _note(
        self,
        mailbox: str | None,
        before: tuple[str, str] | None,
        other: str | None,
        after: tuple[str, str] | None,
    ) -> None:
        """A message is no longer so in one mailbox, and is so in another."""
        if mailbox is not None and before is not None:
            self.want[mailbox] -= Counter([before])
        if other is not None and after is not None:
            self.want[other][after] += 1
