"""The person at the Maildir: looks at it, sets flags, files messages, and is delivered mail. No code of syncer's."""

import os
import pathlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable

from bench.mail import Letter
from bench.wire import State, letters_of

PARTS = ("cur", "new")
IDENTITY = re.compile(rb"^Message-ID: (\S+)", re.MULTILINE)


def boxes(root: pathlib.Path) -> dict[str, pathlib.Path]:
    """Every Maildir below `root`, by mailbox name."""
    found = {}
    for top, directories, _ in os.walk(root):
        if {"cur", "new", "tmp"} <= set(directories):
            found[os.path.relpath(top, root)] = pathlib.Path(top)
        directories[:] = [name for name in directories if name not in {"cur", "new", "tmp"}]
    return found


def flags_of(name: str) -> str:
    """The flags in a message file's name that IMAP knows, sorted."""
    _, _, letters = name.partition(":2,")
    return "".join(sorted(set(letters) & set("SRFDTP")))


def state(root: pathlib.Path) -> State:
    """All mailboxes that are not empty."""
    states = {
        mailbox: Counter(flags_of(name) for part in PARTS for name in os.listdir(box / part) if name[0] != ".")
        for mailbox, box in boxes(root).items()
    }
    return {mailbox: each for mailbox, each in states.items() if each}


def octets(root: pathlib.Path) -> int:
    """The size of all message files."""
    return sum(
        entry.stat().st_size for box in boxes(root).values() for part in PARTS for entry in os.scandir(box / part)
    )


def files(box: pathlib.Path) -> list[tuple[str, str]]:
    """Part and name of every message file, in the order of their Message-IDs: the same whoever gave the names."""
    found = []
    for part in PARTS:
        for name in os.listdir(box / part):
            with open(box / part / name, "rb") as file:
                identity = IDENTITY.search(file.read(1_500))
            assert identity, f"{name} in {box} has no Message-ID"
            found.append((identity[1], part, name))
    return [(part, name) for _, part, name in sorted(found)]


def mark(box: pathlib.Path, count: int, rng: random.Random) -> int:
    """Set a flag on `count` messages as a mail program does: read what is unread, else flag; returns how many."""
    able = [(part, name) for part, name in files(box) if not {"S", "F"} <= set(flags_of(name))]
    chosen = rng.sample(able, min(count, len(able)))
    for part, name in chosen:
        unique, _, letters = name.partition(":2,")
        added = "F" if "S" in letters else "S"
        os.rename(box / part / name, box / "cur" / f"{unique}:2,{''.join(sorted({*letters, added}))}")
    return len(chosen)


def file_elsewhere(
    source: pathlib.Path, target: pathlib.Path, count: int, rng: random.Random, filed: Callable[[str], str]
) -> int:
    """Move `count` messages to another mailbox; `filed` makes the new name. Returns how many it moved."""
    found = files(source)
    chosen = rng.sample(found, min(count, len(found)))
    for part, name in chosen:
        os.rename(source / part / name, target / part / filed(name))
    return len(chosen)


def deliver(box: pathlib.Path, messages: Iterable[Letter], seed: int) -> None:
    """Put messages there as a delivery agent does: read ones into cur, the others into new, with LF line ends."""
    for number, letter in enumerate(messages):
        letters = letters_of(flag.encode() for flag in letter.flags)
        name = f"{letter.date}.M{seed}P{number}.bench"
        place = box / "cur" / f"{name}:2,{letters}" if letters else box / "new" / name
        draft = box / "tmp" / name
        draft.write_bytes(letter.octets.replace(b"\r\n", b"\n"))
        os.rename(draft, place)
