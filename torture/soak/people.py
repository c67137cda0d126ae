"""The two persons: one at a mail program straight on the server, one at a mail program in the Maildir."""

import contextlib
import imaplib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from e2e.client import Client, RefusedError
from e2e.maildirs import File, Maildirs
from e2e.world import World
from servers.mail import note, token_of

from torture.soak.book import Copy, Deed

PATIENCE = 1.0
"""Seconds that the mail program waits for a lock."""
LOOKS = 5
"""So often it looks for a file: a listing may miss one while others are renamed."""


class BusyError(Exception):
    """Somebody else has locked it; nothing was done."""


class NotFoundError(Exception):
    """A message is not where nobody but this person may have touched it."""


NOT_YET = (FileNotFoundError, RefusedError, imaplib.IMAP4.error, OSError)
"""What may happen to who looks while the program is at work."""


class OnServer:
    """A second client, which does not go through the link."""

    def __init__(self, world: World) -> None:
        """Connects when it is first asked for something."""
        self._world = world
        self._tokens: dict[tuple[str, int], dict[int, str]] = {}
        """By mailbox and UIDVALIDITY: token by UID."""

    @property
    def client(self) -> Client:
        """Connected."""
        return self._world.client

    def disconnect(self) -> None:
        """The server is about to go, or has gone."""
        with contextlib.suppress(OSError, imaplib.IMAP4.error, RefusedError):
            self._world.close()
        self._world.__dict__.pop("client", None)

    def leave(self) -> None:
        """Stand where no mailbox is in anybody's way."""
        self.client.select("INBOX")

    def do(self, deed: Deed) -> None:
        """Carry it out."""
        client, mailbox = self.client, deed.mailbox
        if deed.kind == "new":
            client.append(mailbox, note(deed.token, size=deed.size), deed.add)
        elif deed.kind == "create":
            client.create(mailbox)
        elif deed.kind == "rename":
            client.rename_mailbox(mailbox, deed.target)
        else:
            uids = [self._uid(mailbox, deed.token)]
            if deed.kind == "flags":
                for change, flags in (("+FLAGS", deed.add), ("-FLAGS", deed.remove)):
                    if flags:
                        client.store(mailbox, uids, change, flags)
            elif deed.kind == "delete":
                client.expunge(mailbox, uids)
            else:
                (client.move if deed.kind == "move" else client.copy)(mailbox, uids, deed.target)

    def mailboxes(self) -> set[str]:
        """By name."""
        return self.client.mailboxes()

    def found(self) -> list[Copy]:
        """Every message."""
        found: list[Copy] = []
        for mailbox in sorted(self.client.mailboxes()):
            flags = self.client.flags(mailbox)
            tokens = self._known(mailbox, set(flags))
            found += [(mailbox, tokens[uid], said) for uid, said in flags.items()]
        return found

    def contents(self) -> Iterator[tuple[str, str, bytes]]:
        """Mailbox, token and octets of every message."""
        for mailbox in sorted(self.client.mailboxes()):
            for message in self.client.messages(mailbox):
                yield mailbox, token_of(message.octets), message.octets

    def _known(self, mailbox: str, uids: set[int]) -> dict[int, str]:
        tokens = self._tokens.setdefault((mailbox, self.client.uidvalidity(mailbox)), {})
        if fresh := uids - tokens.keys():
            tokens |= self.client.tokens(mailbox, min(fresh), max(fresh))
        return tokens

    def _uid(self, mailbox: str, token: str) -> int:
        uids = set(self.client.uids(mailbox))
        tokens = self._known(mailbox, uids)
        matching = [uid for uid in uids if tokens[uid] == token]
        if len(matching) != 1:
            raise NotFoundError(f"server: {token} is in {mailbox} {len(matching)} times, though nobody has touched it")
        return matching[0]


class InMaildir(Maildirs):
    """A mail program that minds the lock of the keywords, as Dovecot does."""

    def __init__(self, root: Path) -> None:
        """Works below `root`."""
        super().__init__(root)
        self._tokens: dict[str, str] = {}
        """By unique name."""

    def do(self, deed: Deed) -> None:
        """Carry it out.

        Raises:
            BusyError: not now.
        """
        mailbox = deed.mailbox
        if deed.kind == "new":
            self.deliver(mailbox, note(deed.token, size=deed.size), deed.add)
        elif deed.kind == "create":
            self.create(mailbox)
        elif deed.kind == "rename":
            self.rename_mailbox(mailbox, deed.target)
        else:
            file = self._file(mailbox, deed.token)
            if deed.kind == "flags":
                self.change_flags(mailbox, file, deed.add, deed.remove)
            elif deed.kind == "delete":
                self.delete(file)
            elif deed.kind == "move":
                self.move(mailbox, file, deed.target, keep_name=deed.keep_name)
            else:
                self.copy(mailbox, file, deed.target)

    def copy(self, mailbox: str, file: File, target: str) -> None:
        """Through `tmp`, so that nobody finds half of it."""
        place = self._at(target, file, keep_name=False)
        written = self.directory(target) / "tmp" / place.name
        shutil.copy2(file.path, written)
        written.rename(place)

    def found(self) -> list[Copy]:
        """Every message."""
        return [
            (mailbox, self._token(file), file.flags)
            for mailbox in sorted(self.mailboxes())
            for file in self.files(mailbox)
        ]

    def contents(self) -> Iterator[tuple[str, str, bytes]]:
        """Mailbox, token and octets of every message."""
        for mailbox in sorted(self.mailboxes()):
            for file in self.files(mailbox):
                octets = file.octets
                yield mailbox, token_of(octets), octets

    def paths(self) -> set[str]:
        """Every message file."""
        return {str(file.path) for mailbox in self.mailboxes() for file in self.files(mailbox)}

    def letter(self, mailbox: str, keyword: str) -> str:
        """As `Maildirs` does, under the lock where a letter has to be given."""
        if keyword in self.keywords(mailbox).values():
            return super().letter(mailbox, keyword)
        lock = self.directory(mailbox) / "dovecot-uidlist.lock"
        _take(lock)
        try:
            return super().letter(mailbox, keyword)
        finally:
            lock.unlink()

    def _token(self, file: File) -> str:
        if file.unique not in self._tokens:
            self._tokens[file.unique] = token_of(file.octets)
        return self._tokens[file.unique]

    def _file(self, mailbox: str, token: str) -> File:
        matching: list[File] = []
        for _ in range(LOOKS):
            with contextlib.suppress(FileNotFoundError):  # another file was renamed
                matching = [file for file in self.files(mailbox) if self._token(file) == token]
            if len(matching) == 1:
                break
        else:
            raise NotFoundError(f"local: {token} is in {mailbox} {len(matching)} times, though nobody has touched it")
        return matching[0]


def _take(lock: Path) -> None:
    end = time.monotonic() + PATIENCE
    mine = lock.parent / "tmp" / f"{os.getpid()}.lock"
    mine.write_text(f"{os.getpid()}:{socket.gethostname()}")
    try:
        while True:
            with contextlib.suppress(FileExistsError):
                os.link(mine, lock)
                return
            if time.monotonic() > end:
                raise BusyError(str(lock))
            time.sleep(0.02)
    finally:
        mine.unlink()
