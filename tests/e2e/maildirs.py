"""The person at a Maildir program: does in a Maildir what mutt, mu, notmuch, aerc and Dovecot do there."""

import itertools
import os
import pathlib
import re
import shutil
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

Flags = frozenset[str]

LETTERS = {"S": "\\Seen", "R": "\\Answered", "F": "\\Flagged", "D": "\\Draft", "T": "\\Deleted", "P": "$Forwarded"}
FLAG_LETTERS = {flag: letter for letter, flag in LETTERS.items()}
PARTS = ("cur", "new", "tmp")


def stored_form(octets: bytes) -> bytes:
    """What a file must hold for these octets of a server: LF where every line ending is CRLF, else the same."""
    lonely = not octets.count(b"\n") == octets.count(b"\r") == octets.count(b"\r\n")
    return octets if lonely else octets.replace(b"\r\n", b"\n")


@dataclass(frozen=True, slots=True)
class File:
    """A message file as it was when it was looked at."""

    path: pathlib.Path
    unique: str
    letters: str
    flags: Flags

    @property
    def octets(self) -> bytes:
        """What the file holds."""
        return self.path.read_bytes()

    @property
    def mtime(self) -> int:
        """In whole seconds."""
        return int(self.path.stat().st_mtime)


class Maildirs:
    """Every Maildir below one root. Mailboxes are named with `/` between levels, whatever the layout."""

    def __init__(self, root: pathlib.Path, layout: str = "fs") -> None:
        """`layout` is "fs" or "maildir++"."""
        self.root, self.layout = root, layout
        self._numbers = itertools.count(1)

    def directory(self, mailbox: str) -> pathlib.Path:
        """The Maildir of a mailbox with an ordinary name."""
        if self.layout == "fs":
            return self.root / mailbox
        return self.root if mailbox == "INBOX" else self.root / ("." + mailbox.replace("/", "."))

    def mailboxes(self) -> set[str]:
        """Every directory that is a Maildir, by name as it stands on disk."""
        names = set()
        for top, directories, _ in os.walk(self.root):
            if set(PARTS) <= set(directories):
                name = os.path.relpath(top, self.root)
                if self.layout == "fs":
                    names.add(name)
                else:
                    names.add("INBOX" if name == "." else name.removeprefix(".").replace(".", "/"))
        return names

    def create(self, mailbox: str) -> None:
        """Make the directories."""
        for part in PARTS:
            (self.directory(mailbox) / part).mkdir(parents=True, exist_ok=True)

    def delete_mailbox(self, mailbox: str) -> None:
        """Remove the directories with everything in them."""
        for part in PARTS:
            shutil.rmtree(self.directory(mailbox) / part)
        for other in self.directory(mailbox).iterdir():
            if other.is_file():
                other.unlink()
        if not any(self.directory(mailbox).iterdir()):
            self.directory(mailbox).rmdir()

    def rename_mailbox(self, mailbox: str, new_name: str) -> None:
        """Rename the directory."""
        self.directory(new_name).parent.mkdir(parents=True, exist_ok=True)
        self.directory(mailbox).rename(self.directory(new_name))

    def keywords(self, mailbox: str) -> dict[str, str]:
        """Letter to keyword, as `dovecot-keywords` says."""
        path = self.directory(mailbox) / "dovecot-keywords"
        if not path.exists():
            return {}
        pairs = (line.split(" ", 1) for line in path.read_text().splitlines())
        return {chr(ord("a") + int(number)): keyword for number, keyword in pairs}

    def letter(self, mailbox: str, keyword: str) -> str:
        """The letter of a keyword; it is given one as Dovecot does, where it has none."""
        known = self.keywords(mailbox)
        for letter, name in known.items():
            if name.lower() == keyword.lower():
                return letter
        letter = next(chr(code) for code in range(ord("a"), ord("z") + 1) if chr(code) not in known)
        known[letter] = keyword
        lines = [f"{ord(letter) - ord('a')} {name}\n" for letter, name in sorted(known.items())]
        path = self.directory(mailbox) / "dovecot-keywords"
        fresh = path.with_name("dovecot-keywords.lock")
        fresh.write_text("".join(lines))
        fresh.rename(path)
        return letter

    def files(self, mailbox: str) -> list[File]:
        """Every message file, ordered by unique name."""
        mapping = self.keywords(mailbox)
        found = []
        for part in ("cur", "new"):
            for path in (self.directory(mailbox) / part).iterdir():
                unique, _, info = path.name.partition(":2,")
                flags = {LETTERS.get(letter) or mapping.get(letter) for letter in info} - {None}
                found.append(File(path, unique, info, frozenset(str(flag) for flag in flags)))
        return sorted(found, key=lambda file: file.unique)

    def deliver(self, mailbox: str, octets: bytes, flags: Collection[str] = (), date: int | None = None) -> None:
        """A new message, through `tmp`: into `new`, or into `cur` where it has flags. CRLF becomes LF."""
        unique = self._fresh_name()
        written = self.directory(mailbox) / "tmp" / unique
        written.write_bytes(octets.replace(b"\r\n", b"\n"))
        if date is not None:
            os.utime(written, (date, date))
        if flags:
            written.rename(self.directory(mailbox) / "cur" / f"{unique}:2,{self._info(mailbox, flags)}")
        else:
            written.rename(self.directory(mailbox) / "new" / unique)

    def change_flags(self, mailbox: str, file: File, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Rename with other letters; from `new` it goes to `cur`."""
        letters = set(file.letters)
        letters |= {FLAG_LETTERS.get(flag) or self.letter(mailbox, flag) for flag in add}
        letters -= {FLAG_LETTERS.get(flag) or self.letter(mailbox, flag) for flag in remove}
        name = f"{file.unique}:2,{''.join(sorted(letters))}"
        file.path.rename(self.directory(mailbox) / "cur" / name)

    def move(self, mailbox: str, file: File, target: str, *, keep_name: bool) -> None:
        """Into another mailbox: under the same unique name as mu does, or under a new one as mutt does."""
        file.path.rename(self._at(target, file, keep_name=keep_name))

    def copy(self, mailbox: str, file: File, target: str) -> None:
        """Into another mailbox, under a new unique name."""
        shutil.copy2(file.path, self._at(target, file, keep_name=False))

    @staticmethod
    def delete(file: File) -> None:
        """Remove the file."""
        file.path.unlink()

    def _at(self, target: str, file: File, *, keep_name: bool) -> pathlib.Path:
        unique = file.unique if keep_name else self._fresh_name()
        unknown = re.sub("[A-Za-z]", "", file.letters)
        return self.directory(target) / "cur" / f"{unique}:2,{unknown}{self._info(target, file.flags)}"

    def _info(self, mailbox: str, flags: Iterable[str]) -> str:
        return "".join(sorted(FLAG_LETTERS.get(flag) or self.letter(mailbox, flag) for flag in flags))

    def _fresh_name(self) -> str:
        return f"{time.time():.6f}.{os.getpid()}_{next(self._numbers)}.maildirs"
