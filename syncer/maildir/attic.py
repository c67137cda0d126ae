"""The attic: where messages go that a sync takes out of the Maildir.

`DAY/MAILBOX/FILE`, and `DAY/~spare/MAILBOX/FILE` for files whose message stayed in the Maildir (no mailbox's directory
begins with a tilde). The day is in UTC as YYYY-MM-DD, the mailbox as in the layout `fs` whatever the Maildir's is, the
file name kept. Nothing there is ever written over: a second file of the same name gets a number.

The letters in the names stand for keywords, by the mailbox's `dovecot-keywords`. When the mailbox goes, or gets another
name, that is kept beside the messages as `.keywords`: it holds for all that came in until then. What comes in on the
same day from the next mailbox of that name, in its second life, goes to `DAY/~2/MAILBOX`, and so on.
"""

import datetime as dt
import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping

from syncer.maildir import fsops, keywords
from syncer.maildir.carrying import copy, linked, moved, was_carried
from syncer.maildir.filename import flags_of, split, translated, with_delta
from syncer.maildir.layout import from_path, to_path
from syncer.maildir.scan import DOT
from syncer.reconcile.flags import DELETED, FlagDelta, Flags
from syncer.reconcile.identity import MailboxName, UniqueName
from syncer.values import Struct

_SPARE = b"~spare"
_DAY = re.compile(rb"\d{4}-\d\d-\d\d")
_LATER = re.compile(rb"~(\d+)")
_LETTERS = b".keywords"
_ENOUGH = 200  # octets of a name, to which more is put
_NUMBERED = re.compile(r"~\d+\Z")
UNMARK = FlagDelta(remove=frozenset({DELETED}))


class Kept(Struct, frozen=True):
    """A message in the attic."""

    day: str
    """When it came in: YYYY-MM-DD, in UTC."""
    mailbox: MailboxName
    """The one that it was taken from."""
    name: UniqueName
    """The unique name that it had there."""
    path: bytes
    spare: bool = False
    """The message stayed in the Maildir: this is a damaged file of it, or a second one."""
    life: int = 1
    """Counts the mailboxes that had this name on that day."""

    @property
    def names(self) -> frozenset[UniqueName]:
        """What it may have been called: a number at the end may be the attic's or its own."""
        return frozenset({self.name, split(os.path.basename(self.path).decode("utf-8", "surrogateescape"))[0]})


class Attic:
    """A directory outside the Maildir; made when it is needed."""

    def __init__(self, path: bytes, clock: Callable[[], float]) -> None:
        self.path = path
        self._clock = clock
        self._there: dict[bytes, dict[str, bytes]] = {}
        """The unique names of a directory on another file system, and the files, when the first was brought back."""

    def keep(self, mailbox: MailboxName, source: bytes) -> bytes:
        """Move a file into the attic; returns the directory it went to, which is not flushed yet.

        Raises:
            FileNotFoundError: the source is gone.
        """
        return self._put(mailbox, source, moved)

    def keep_spare(self, mailbox: MailboxName, source: bytes) -> bytes:
        """As `keep`, of a file whose message has another one."""
        return self._put(mailbox, source, moved, spare=True)

    def keep_as_well(self, mailbox: MailboxName, source: bytes) -> bytes:
        """As `keep_spare`, and the file stays where it is: the attic gets a link to it, or a copy."""
        return self._put(mailbox, source, linked, spare=True)

    def _put(
        self, mailbox: MailboxName, source: bytes, put: Callable[[bytes, bytes], bool], *, spare: bool = False
    ) -> bytes:
        """`put` the file under a name that the attic does not have."""
        directory = self._directory(mailbox, spare=spare)
        unique, info = split(os.path.basename(source).decode("utf-8", "surrogateescape"))
        for number in itertools.count():
            name = f"{unique}~{number}{info}" if number else unique + info
            target = os.path.join(directory, name.encode("utf-8", "surrogateescape"))
            if put(source, target):
                break
            if put is moved and was_carried(source, target):
                fsops.unlink(source)
                break
        return directory

    def keep_letters(self, mailbox: MailboxName, source: bytes) -> bytes:
        """Keep a mailbox's `dovecot-keywords`, after all its messages; returns the directory, not flushed yet.

        A copy, for the mailbox may go on under another name.
        """
        directory = self._directory(mailbox, spare=False)
        copy(source, os.path.join(directory, _LETTERS))
        return directory

    def kept(self) -> Iterator[Kept]:
        """Every message, by day, mailbox and name."""
        for day, life in self._lives():
            for spare in (False, True):
                top = self._top(day, life, spare=spare)
                for path, directories, names in os.walk(top, onerror=_unless_missing):
                    directories.sort()
                    mailbox = from_path(os.path.relpath(path, top), "fs")
                    for name in sorted(names) if mailbox is not None else ():
                        unique = split(name.decode("utf-8", "surrogateescape"))[0]
                        if name[0] != DOT and mailbox is not None:
                            kept = UniqueName(_NUMBERED.sub("", unique))
                            yield Kept(day.decode(), mailbox, kept, os.path.join(path, name), spare, life)

    def bring_back(self, kept: Kept, directory: bytes, letters: Callable[[Flags], Mapping[str, str]]) -> UniqueName:
        """Move a message into a directory of the Maildir, under a new unique name, which is returned. Durable.

        It is not marked as deleted any more, or the next client that expunges would take it again. If its mailbox went
        since, it gets the `letters` that keywords have in the one that is there now.

        Raises:
            OSError: it is still in the attic.
        """
        name = with_delta(os.path.basename(kept.path).decode("utf-8", "surrogateescape"), UNMARK, {})
        if meant := self._meant(kept):
            name = translated(name, kept.name, meant, letters(flags_of(name, meant)))
        info = split(name)[1]
        short = kept.name.encode("utf-8", "surrogateescape")[:_ENOUGH].decode("utf-8", "surrogateescape")
        number = 0
        there = self._carried_to(directory, kept)
        while True:
            # New, so that nobody takes it for the message that it was.
            unique = UniqueName(f"{short}.back{number or ''}")
            target = os.path.join(directory, there.get(unique) or (unique + info).encode("utf-8", "surrogateescape"))
            if unique in there and not os.path.lexists(target):  # another program renamed it since it was listed
                del self._there[directory]
                there = self._carried_to(directory, kept)
                continue
            if unique not in there and moved(kept.path, target):
                break
            if os.path.lexists(target) and was_carried(kept.path, target):
                fsops.unlink(kept.path)
                break
            number += 1
        fsops.fsync_directory(directory)
        fsops.fsync_directory(os.path.dirname(kept.path))
        return unique

    def _meant(self, kept: Kept) -> Mapping[str, str]:
        """What the letters in its name stood for, if its mailbox went since it came in; else they still do."""
        for day, life in self._lives():
            if (day, life) >= (kept.day.encode(), kept.life):
                path = os.path.join(self._top(day, life), to_path(kept.mailbox, "fs"), _LETTERS)
                if os.path.lexists(path):
                    return keywords.parse(keywords.read_file(path)).mapping
        return {}

    def _carried_to(self, directory: bytes, kept: Kept) -> dict[str, bytes]:
        """Where it may be already if a run was killed: with other flags, perhaps, than it has in the attic."""
        if os.lstat(kept.path).st_dev == os.stat(directory).st_dev:
            return {}
        if directory not in self._there:
            names = _listed(directory)
            self._there[directory] = {split(name.decode("utf-8", "surrogateescape"))[0]: name for name in names}
        return self._there[directory]

    def purge(self, older_than_seconds: float, now: float) -> int:
        """Remove the days that ended longer ago than this; returns how many files went."""
        days = sorted(_listed(self.path))
        return sum(_remove_tree(os.path.join(self.path, day)) for day in days if _end(day) <= now - older_than_seconds)

    def _directory(self, mailbox: MailboxName, *, spare: bool) -> bytes:
        day = dt.datetime.fromtimestamp(self._clock(), dt.UTC).date().isoformat().encode()
        name, life = to_path(mailbox, "fs"), 1
        while os.path.lexists(os.path.join(self._top(day, life), name, _LETTERS)):
            life += 1
        path = os.path.abspath(os.path.join(self._top(day, life, spare=spare), name))
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for directory in reversed(missing):
            fsops.make_directory(directory)
        return missing[0] if missing else path

    def _lives(self) -> Iterator[tuple[bytes, int]]:
        """Each day, and which lives of mailboxes it has."""
        for day in sorted(filter(_DAY.fullmatch, _listed(self.path))):
            yield day, 1
            later = filter(None, map(_LATER.fullmatch, _listed(os.path.join(self.path, day))))
            yield from ((day, life) for life in sorted(int(found[1]) for found in later))

    def _top(self, day: bytes, life: int, *, spare: bool = False) -> bytes:
        """Where the mailboxes' directories are."""
        levels = [b"~%d" % life] if life > 1 else []
        return os.path.join(self.path, day, *levels, *([_SPARE] if spare else ()))


def _listed(path: bytes) -> list[bytes]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _end(day: bytes) -> float:
    """When a day directory's day was over; never, for anything else."""
    if not _DAY.fullmatch(day):
        return float("inf")
    try:
        start = dt.datetime.fromisoformat(day.decode()).replace(tzinfo=dt.UTC)
    except ValueError:
        return float("inf")
    return start.timestamp() + 86400


def _remove_tree(path: bytes) -> int:
    """How many files were removed; links are removed, never followed."""
    if os.path.islink(path) or not os.path.isdir(path):
        fsops.unlink(path)
        return 1
    removed = sum(_remove_tree(os.path.join(path, name)) for name in os.listdir(path))
    fsops.remove_directory(path)
    return removed
