"""A mail program gone wild in one Maildir: renames its files in `cur`, moves what is new there, delivers and deletes.

Run as a process of its own (`python -m torture.gale DIRECTORY SECONDS RATE SEED FIRST`); prints what it did as JSON.
It knows its files by unique name, and looks again where a name is not what it was.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from servers.mail import note, token_of

BATCH = 20
"""Renames between two looks at the clock."""
LETTERS = "FS"
EVERY = 0.5
"""Seconds between two times at which one message is delivered and perhaps one deleted."""


@dataclass
class Done:
    """What it did."""

    renames: int = 0
    seconds: float = 0.0
    missed: int = 0
    """Names that were not what they were: the other program had renamed the file."""
    delivered: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    """Tokens."""


class Gale:
    """Blows in one Maildir."""

    def __init__(self, directory: Path, rng: random.Random, first: int) -> None:
        """`first` is the number of the first message to be delivered."""
        self.directory, self.rng, self.next = directory, rng, first
        self.done = Done()
        self.names: list[str] = []
        self.where: dict[str, str] = {}
        """Unique name to the file below `directory`."""
        self._look()

    def blow(self, seconds: float, rate: float) -> None:
        """For so long, with about so many renames a second."""
        begin = time.monotonic()
        due = begin + EVERY
        while (now := time.monotonic()) < begin + seconds:
            for _ in range(BATCH):
                self._rename()
            if now > due:
                due += EVERY
                self._deliver()
                if self.rng.random() < 0.4:
                    self._delete()
            ahead = self.done.renames / rate - (time.monotonic() - begin)
            if ahead > 0:
                time.sleep(ahead)
        self.done.seconds = time.monotonic() - begin

    def _look(self) -> None:
        found = {}
        for part in ("new", "cur"):
            for name in os.listdir(self.directory / part):
                found[name.partition(":2,")[0]] = f"{part}/{name}"
        # A file that was renamed meanwhile may be missing in what was listed: it is where it was, or found later.
        self.where.update(found)
        self.names = list(self.where)

    def _rename(self) -> None:
        unique = self.rng.choice(self.names)
        letters = set(self.where[unique].partition(":2,")[2]) ^ {self.rng.choice(LETTERS)}
        target = f"cur/{unique}:2,{''.join(sorted(letters))}"
        if self._moved(unique, lambda path: os.rename(path, self.directory / target)):
            self.where[unique] = target
            self.done.renames += 1

    def _deliver(self) -> None:
        token = f"g{self.next}"
        unique = f"{time.time():.6f}.{os.getpid()}_{self.next}.gale"
        self.next += 1
        written = self.directory / "tmp" / unique
        written.write_bytes(note(token).replace(b"\r\n", b"\n"))
        written.rename(self.directory / "new" / unique)
        self.where[unique] = f"new/{unique}"
        self.names.append(unique)
        self.done.delivered.append(token)

    def _delete(self) -> None:
        unique = self.rng.choice(self.names)
        read: list[bytes] = []

        def read_and_unlink(path: Path) -> None:
            read.append(path.read_bytes())
            path.unlink()

        if self._moved(unique, read_and_unlink):
            self.done.deleted.append(token_of(read[-1]))
            self.names.remove(unique)
            del self.where[unique]

    def _moved(self, unique: str, act: Callable[[Path], object]) -> bool:
        """Do it to the file; False if it is not where it was, and then learn where it is."""
        try:
            act(self.directory / self.where[unique])
        except FileNotFoundError:
            self.done.missed += 1
            self._find(unique)
            return False
        return True

    def _find(self, unique: str) -> None:
        for letters in ("", "F", "S", "FS", "R", "FR", "RS", "FRS"):
            if (self.directory / (path := f"cur/{unique}:2,{letters}")).exists():
                self.where[unique] = path
                return
        if not (self.directory / f"new/{unique}").exists():  # deleted on the server
            self.names.remove(unique)
            del self.where[unique]


def main() -> None:
    """See the module."""
    directory, seconds, rate, seed, first = sys.argv[1:]
    gale = Gale(Path(directory), random.Random(seed), int(first))
    gale.blow(float(seconds), float(rate))
    print(json.dumps(asdict(gale.done)))


if __name__ == "__main__":
    main()
