"""Reading a mailbox's directories, and what such a reading proves.

What a Maildir does not promise, and what is done about it
----------------------------------------------------------

*A reading is not a moment.* While `readdir` walks through a directory, other programs rename files in it to change
their flags, and a renamed file may be listed under both names, or not at all: of 20,000 files under steady renames
nearly every reading misses one. So a reading proves that something is absent only if the directories were the same
before and after it: device, inode, mtime and ctime, compared for equality and not for order, because clocks are set
back. (An mtime can be restored with utime(2), a ctime cannot.)

*A file moves between `new/` and `cur/`.* Both are looked at before, then both are read, then both are looked at again,
so that a file that went from one to the other in between makes the reading unstable instead of disappearing.

*Timestamps are coarse.* The kernel stamps a directory with the time of its last tick, a server on the network or a FAT
file system with the second or every other second. A change within the same tick as the one before leaves no trace. So
the directories must be older than the tick, or seen unchanged for longer than that, before the reading begins; we
wait for it. An mtime without a fraction means that the tick may be two seconds long. Nothing helps if several machines
with clocks that disagree write to one directory.

*It may never be quiet.* After a few attempts the last reading is returned as not `stable`: what was seen is there, what
was not seen is unknown.

*Names are all there is.* A message is known by its unique name; two files may have the same one. While another program
links and unlinks, or after it crashed, they are one message under two names: same inode or same octets. Neither is
removed, for the other program may be about to remove the other. If the contents differ they are two messages
(Dovecot, maildir-sync.c: "create a completely new base name for it and rename it to that"). The one that is where the
index expects it is the message that the index knows, whatever the other is.

*Not everything is a message.* Names that begin with a dot are nobody's messages (NFS puts removed files there).
Directories, FIFOs and sockets are passed over. A symbolic link may stand for a message that somebody moved elsewhere:
it is not followed, but nothing is proved absent while it is there.

*Directories get lost.* Programs that copy trees drop empty directories. If some of `cur/`, `new/` and `tmp/` are there
the mailbox is, but unless both `cur/` and `new/` are, nothing is proved absent.
"""

import os
import stat
import time
from collections.abc import Callable

from syncer.errors import MailboxError
from syncer.maildir import fsops
from syncer.maildir.filename import split
from syncer.maildir.state import CUR, NEW, Stamps, stamps
from syncer.reconcile.identity import UniqueName
from syncer.values import Struct, field

Where = tuple[bytes, str]
"""The subdirectory, `cur` or `new`, and the file name."""

DOT = 46
ATTEMPTS = 5
"""How often a file is looked for again that another program renames at the same time."""

TICK_NS = 20_000_000
"""Longer than a kernel's tick (10 ms at the slowest setting, CONFIG_HZ=100)."""
COARSE_TICK_NS = 2_100_000_000
"""Longer than the two seconds that FAT counts in."""
_SECOND_NS = 1_000_000_000
_NOTES = 10


class Reading(Struct):
    """What was found in `new/` and `cur/`."""

    files: dict[UniqueName, Where] = field(default_factory=dict)
    doubles: list[tuple[UniqueName, Where]] = field(default_factory=list)
    """Further files of a unique name that is in `files`."""
    notes: list[str] = field(default_factory=list)
    names: dict[bytes, list[bytes]] = field(default_factory=dict)
    """What was listed, by subdirectory, where it is sifted later (see `sifting`)."""
    absent: set[UniqueName] = field(default_factory=set)
    """Names that were expected and not found in the form expected."""
    readable: bool = True
    """Everything could be read and nothing stands in a message's place."""
    stable: bool = False
    stamps: Stamps = (None, None)

    def add(self, sub: bytes, raw: bytes, *, counts: bool = False) -> None:
        """Put in a message file. Of two with one unique name the one that `counts` is in `files`.

        Of others it is always the same one: in `cur/`, then by name.
        """
        where = (sub, raw.decode("utf-8", "surrogateescape"))
        unique, _ = split(where[1])
        first = self.files.get(unique)
        if first is None:
            self.files[unique] = where
            return
        kept, other = (where, first) if counts else sorted((first, where), key=lambda it: (it[0] != CUR, it[1]))
        self.files[unique] = kept
        self.doubles.append((unique, other))

    @property
    def missing(self) -> bool:
        """Neither directory exists."""
        return self.stamps == (None, None)

    def changed_since(self, time_ns: int) -> bool:
        """Whether a file was added, renamed or removed after this time (or the clock was set back)."""
        return any(stamp is not None and max(stamp[2:]) >= time_ns for stamp in self.stamps)

    @property
    def complete(self) -> bool:
        """Proves absence."""
        return self.stable and self.readable and None not in self.stamps


def read(
    directory: bytes,
    sleep: Callable[[float], None] = time.sleep,
    take: Callable[[bytes, bytes, Reading], None] | None = None,
) -> Reading:
    """Read a mailbox, again if it changes meanwhile.

    `take` puts what is in one of the two directories into the reading; by default every message file.

    Raises:
        MailboxError: one of the directories is there and cannot be listed.
        StoreError: nor could any other be, for instance without free descriptors.
    """
    for _ in range(ATTEMPTS):
        before = stamps(directory)
        settled = _settle(directory, before, sleep)
        reading = _read_once(directory, take or take_files)
        reading.stamps = stamps(directory)
        reading.stable = settled and before == reading.stamps
        if reading.stable or not reading.readable:
            break
    if None in reading.stamps:
        reading.notes.append("cur/ or new/ is missing; nothing is taken for deleted until it is there again")
    elif not reading.stable:
        reading.notes.append("other programs kept changing it; nothing is taken for deleted in this pass")
    return reading


def _settle(directory: bytes, before: Stamps, sleep: Callable[[float], None]) -> bool:
    """Wait until no further change could hide in the tick of the last one; False if there was one meanwhile."""
    now = time.time_ns()
    wait = max((unsettled(stamp, now) for stamp in before if stamp is not None), default=0)
    if wait <= 0:
        return True
    sleep(wait / _SECOND_NS)
    return stamps(directory) == before


def unsettled(stamp: tuple[int, int, int, int], now: int) -> int:
    """For how many ns a further change could still hide in the tick of the last one; none left if not positive."""
    mtime, ctime = stamp[2:]
    tick = TICK_NS if mtime % _SECOND_NS else COARSE_TICK_NS
    age = now - max(mtime, ctime)
    return tick - max(age, 0)


def _read_once(directory: bytes, take: Callable[[bytes, bytes, Reading], None]) -> Reading:
    reading = Reading()
    for sub in (NEW, CUR):
        with fsops.explained("list", MailboxError):
            _read_directory(directory, sub, reading, take)
    return reading


def _read_directory(
    directory: bytes, sub: bytes, reading: Reading, take: Callable[[bytes, bytes, Reading], None]
) -> None:
    path = os.path.join(directory, sub)
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise NotADirectoryError(20, "not a directory", path)
        take(path, sub, reading)
    except FileNotFoundError:
        return
    except OSError as error:
        error.filename = path
        raise


def take_files(path: bytes, sub: bytes, reading: Reading) -> None:
    """Put every message file of a directory into the reading."""
    odd = []
    with os.scandir(path) as entries:
        for entry in entries:
            raw = entry.name
            if raw[0] == DOT:
                continue
            if entry.is_file(follow_symlinks=False):
                reading.add(sub, raw)
            else:
                odd.append(raw)
    note_odd(path, odd, reading)


def note_odd(path: bytes, odd: list[bytes], reading: Reading) -> None:
    """Say of entries that are no message files what they are, and what follows from it."""
    notes = []
    for raw in odd:
        what = _kind(os.path.join(path, raw))
        if what == "symbolic link":
            reading.readable = False
            notes.append(
                f"{fsops.printable(raw)} is a symbolic link, which is not followed; nothing is taken for deleted in "
                "this mailbox until it is removed or replaced by the file"
            )
        elif what is not None:
            notes.append(f"{fsops.printable(raw)} is a {what}, not a message; passed over")
    reading.notes += notes[:_NOTES]
    if len(notes) > _NOTES:
        reading.notes.append(f"and {len(notes) - _NOTES} more of these")


def _kind(path: bytes) -> str | None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return None
    if stat.S_ISREG(mode):
        return None
    return "symbolic link" if stat.S_ISLNK(mode) else "directory" if stat.S_ISDIR(mode) else "special file"
