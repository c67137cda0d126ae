"""Both sides as they are now, read without any code of what is measured, into `books`.

What does not change is remembered: which file or which UID is which message. So looking again costs a listing.
"""

import os
import pathlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from bench import maildirs
from bench.watching.books import Books
from bench.wire import Wire, uid_set

HEADER: Final = re.compile(
    rb"^\* \d+ FETCH \(UID (\d+) BODY\[HEADER\.FIELDS \(MESSAGE-ID\)\] \{\d+\}\r\nMessage-ID: (\S+)", re.MULTILINE
)


class Near:
    """The Maildir."""

    def __init__(self, root: pathlib.Path) -> None:
        """Its root; directories lie as the mailboxes do."""
        self.root = root
        self._identities: dict[str, str] = {}
        """By unique name."""

    def files(self, mailbox: str) -> list[tuple[str, pathlib.Path]]:
        """Each message's Message-ID and file."""
        found = []
        for part in maildirs.PARTS:
            directory = self.root / mailbox / part
            for name in os.listdir(directory):
                unique = name.partition(":")[0]
                if unique not in self._identities:
                    try:
                        with open(directory / name, "rb") as file:
                            identity = maildirs.IDENTITY.search(file.read(1_500))
                    except FileNotFoundError:  # renamed since it was listed; the next look finds it
                        continue
                    self._identities[unique] = identity[1].decode() if identity else f"none in {name}"
                found.append((self._identities[unique], directory / name))
        return found

    def read(self, mailboxes: Iterable[str]) -> Books:
        """What is in these mailboxes."""
        return {
            mailbox: Counter((identity, maildirs.flags_of(path.name)) for identity, path in self.files(mailbox))
            for mailbox in mailboxes
        }

    def sign(self, mailboxes: Iterable[str]) -> object:
        """It is another one after anything was changed."""
        return [os.stat(self.root / mailbox / part).st_mtime_ns for mailbox in mailboxes for part in maildirs.PARTS]


class Far:
    """The account on the server, on a new connection each time: the server may have been away meanwhile."""

    def __init__(self, connect: Callable[[], Wire]) -> None:
        """`connect` logs in."""
        self.connect = connect
        self._identities: dict[tuple[str, int], str] = {}
        """By mailbox and UID."""

    def messages(self, wire: Wire, mailbox: str) -> dict[int, tuple[str, str]]:
        """By UID, Message-ID and flags."""
        flags = wire.messages(mailbox)
        if unknown := [uid for uid in flags if (mailbox, uid) not in self._identities]:
            said = wire.ask(f"UID FETCH {uid_set(unknown)} (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
            self._identities |= {(mailbox, int(uid)): name.decode() for uid, name in HEADER.findall(said)}
        return {uid: (self._identities[mailbox, uid], letters) for uid, letters in flags.items()}

    def read(self, mailboxes: Iterable[str]) -> Books:
        """What is in these mailboxes."""
        with self.connect() as wire:
            return {mailbox: Counter(self.messages(wire, mailbox).values()) for mailbox in mailboxes}

    def sign(self, mailboxes: Iterable[str]) -> object:
        """It is another one after anything was changed."""
        with self.connect() as wire:
            return [wire.counters(mailbox) for mailbox in mailboxes]
