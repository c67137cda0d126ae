"""The `dovecot-keywords` file: which letter stands for which keyword in the file names of one mailbox.

One line for each letter, `<number> <keyword>`, 0 for `a` to 25 for `z`; the last line of a number counts. Lines that
are not understood stay where they are and keep their letter from being given away. The file only grows: a letter is
never used for a second keyword, for file names that carry it may be anywhere (in a backup, on another machine).

Dovecot may use the same Maildir. It changes this file only while it holds `dovecot-uidlist.lock`
(maildir-keywords.c: "everything here depends on uidlist file being locked the whole time"; it even removes a
`dovecot-keywords.lock` that it finds). So do we: take that lock, read again, write the new contents to
`dovecot-keywords.lock`, make it durable and rename it. Dovecot notices a change by the mtime in whole seconds, which
must therefore grow.
"""

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from syncer.errors import MailboxError
from syncer.maildir import fsops
from syncer.maildir.filename import LETTERS
from syncer.maildir.state import KEYWORDS
from syncer.maildir.temporary import temporary_name
from syncer.reconcile.flags import FORWARDED, SYSTEM, Flags
from syncer.reconcile.observations import Letters
from syncer.values import Struct, field

FILE = KEYWORDS
UIDLIST_LOCK = b"dovecot-uidlist.lock"

STALE_AFTER = 120
"""Seconds after which a lock that nobody touched is overridden (Dovecot: KEYWORDS_LOCK_STALE_TIMEOUT)."""
WAIT = 10.0
"""Seconds to wait for a lock: Dovecot holds it for milliseconds."""

_LINE = re.compile(rb"(\d{1,9}) (.+)")
_UNUSABLE = re.compile(r"[\x00-\x20\x7f]|^\\")


class Table(Struct, frozen=True):
    """What a `dovecot-keywords` file says."""

    mapping: Mapping[str, str] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()
    """Every letter that a line mentions, understood or not."""


def parse(octets: bytes) -> Table:
    """Read the file's contents. Never fails: what is not understood says nothing."""
    mapping: dict[str, str] = {}
    taken: set[str] = set()
    for line in octets.split(b"\n"):
        found = _LINE.fullmatch(line)
        if found is None or int(found[1]) >= len(LETTERS):
            continue
        letter, keyword = LETTERS[int(found[1])], found[2].decode("utf-8", "surrogateescape")
        taken.add(letter)
        if _UNUSABLE.search(keyword):
            mapping.pop(letter, None)
        else:
            mapping[letter] = keyword
    return Table(mapping, frozenset(taken))


def lacking(table: Table, remembered: Mapping[str, str]) -> dict[str, str]:
    """The remembered entries that the file can be completed with. Where they conflict, the file is right."""
    known = {keyword.lower() for keyword in table.mapping.values()}
    return {
        letter: keyword
        for letter, keyword in remembered.items()
        if letter in LETTERS and letter not in table.taken and keyword.lower() not in known
    }


def assigned(table: Table, wanted: Iterable[str], reserved: Collection[str]) -> dict[str, str]:
    """Free letters for the keywords that have none, in order; those for which no letter is left are missing."""
    known = {keyword.lower() for keyword in table.mapping.values()} | {FORWARDED.lower()}
    free = [letter for letter in LETTERS if letter not in table.taken and letter not in reserved]
    keywords = {keyword.lower(): keyword for keyword in sorted(wanted, reverse=True)}
    new = [keyword for lower, keyword in sorted(keywords.items()) if lower not in known and _is_usable(keyword)]
    return dict(zip(free, new, strict=False))


def letters(table: Table, remembered: Mapping[str, str], used: Collection[str]) -> Letters:
    """What the file names can say, given the remembered mapping and the letters that file names carry."""
    mapped = frozenset(table.mapping.values()) | {FORWARDED}
    trusted = {keyword for letter, keyword in table.mapping.items() if _same(remembered.get(letter), keyword)}
    doubted = {word for letter, word in table.mapping.items() if letter in remembered and word not in trusted}
    room = bool(set(LETTERS) - table.taken - set(remembered) - set(used))
    return Letters(trusted=frozenset(trusted) | {FORWARDED}, mapped=mapped, room=room, doubted=frozenset(doubted))


def unmapped(flags: Flags, mapping: Mapping[str, str]) -> Flags:
    """The keywords among `flags` that have no letter."""
    known = {keyword.lower() for keyword in mapping.values()} | {flag.lower() for flag in SYSTEM | {FORWARDED}}
    return frozenset(flag for flag in flags if flag.lower() not in known and _is_usable(flag))


def read(directory: bytes) -> bytes:
    """The contents of the mailbox's file; empty if there is none."""
    return read_file(os.path.join(directory, FILE))


def read_file(path: bytes) -> bytes:
    """The contents of such a file, wherever it is; empty if there is none."""
    try:
        fd = fsops.open_read(path)
    except FileNotFoundError:
        return b""
    with open(fd, "rb") as file:
        return file.read()


def extend(directory: bytes, choose: Callable[[Table], Mapping[str, str]]) -> Table:
    """Add the entries that `choose` finds for the file as it is under the lock; returns what it says then.

    Raises:
        MailboxError: another program holds the lock.
        OSError: the file cannot be written.
    """
    with _locked(directory):
        octets = read(directory)
        entries = choose(parse(octets))
        if entries:
            octets += b"" if octets.endswith(b"\n") or not octets else b"\n"
            for letter, keyword in sorted(entries.items()):
                octets += b"%d %s\n" % (LETTERS.index(letter), keyword.encode("utf-8", "surrogateescape"))
            _write(directory, octets)
    return parse(octets)


def _write(directory: bytes, octets: bytes) -> None:
    path = os.path.join(directory, FILE)
    temporary = path + b".lock"
    fsops.unlink_if_there(temporary)
    fd = fsops.open_new(temporary)
    try:
        with fsops.named(temporary):
            fsops.write_all(fd, octets)
        with contextlib.suppress(FileNotFoundError):
            before = int(os.stat(path).st_mtime)
            if before >= int(os.fstat(fd).st_mtime):
                fsops.set_mtime(fd, before + 1)
        with fsops.named(temporary):
            fsops.fsync(fd)
        fsops.replace(temporary, path)
    except OSError:
        fsops.unlink_if_there(temporary)
        raise
    finally:
        os.close(fd)
    fsops.fsync_directory(directory)


@contextlib.contextmanager
def _locked(directory: bytes) -> Iterator[None]:
    path = os.path.join(directory, UIDLIST_LOCK)
    mine = _make_lock(directory)
    try:
        _wait_for(path, mine)
        taken = os.lstat(path)
    finally:
        fsops.unlink_if_there(mine)
    try:
        yield
    finally:
        _release(path, taken)


def _wait_for(path: bytes, mine: bytes) -> None:
    give_up = time.monotonic() + WAIT
    while True:
        try:
            fsops.publish(mine, path)
        except FileExistsError:
            if time.monotonic() > give_up:
                raise MailboxError(
                    f"{fsops.printable(path)}: another program has locked this mailbox's keywords for more than "
                    f"{WAIT:.0f} s; if none is running, remove this file"
                ) from None
        else:
            return
        if not _override(path):
            time.sleep(0.05)


def _make_lock(directory: bytes) -> bytes:
    """A file that names us: Dovecot overrides a lock at once if the process that it names is dead (file-dotlock.c).

    It is whole, on the disk too, before it becomes the lock, so that no lock is left that names nobody: not even by a
    power loss, after which everybody would have to wait for it to grow old.
    """
    fsops.make_directory(os.path.join(directory, b"tmp"))
    path = temporary_name(directory)
    fd = fsops.open_new(path)
    try:
        with fsops.named(path):
            fsops.write_all(fd, f"{os.getpid()}:{socket.gethostname()}".encode())
            fsops.fsync(fd)
    except OSError:
        fsops.unlink_if_there(path)
        raise
    finally:
        os.close(fd)
    return path


def _release(path: bytes, mine: os.stat_result) -> None:
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(mine, os.lstat(path)):
            fsops.unlink(path)


def _override(path: bytes) -> bool:
    """Remove a lock whose owner is dead or that is older than `STALE_AFTER`."""
    try:
        before = os.lstat(path)
        with open(fsops.open_read(path), "rb") as file:
            owner = file.read(300).decode("utf-8", "replace")
        if time.time() - before.st_mtime < STALE_AFTER and not _is_dead(owner):
            return False
        _release(path, before)
    except FileNotFoundError:
        return True
    return True


def _is_dead(owner: str) -> bool:
    pid, _, host = owner.partition(":")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def _is_usable(keyword: str) -> bool:
    return bool(keyword) and not _UNUSABLE.search(keyword)


def _same(one: str | None, other: str) -> bool:
    return one is not None and one.lower() == other.lower()
