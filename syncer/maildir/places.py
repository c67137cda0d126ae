"""The mailboxes' directories below the root: finding, making, renaming and removing them.

Symbolic links inside the root are not followed, so that nothing outside it is ever touched.
"""

import errno
import os
import stat
from collections.abc import Iterator

from syncer.errors import MailboxError, NoSuchMailboxError
from syncer.later import later
from syncer.maildir import fsops
from syncer.maildir.layout import Layout, from_path, to_path
from syncer.maildir.state import CUR, NEW, TMP
from syncer.maildir.temporary import OURS
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.values import Struct

_SUBDIRECTORIES = (NEW, CUR, TMP)
_LEFT = later(rb"\.syncer\.[0-9a-f]{16}")
"""What a run that was killed left of a copy from another file system, in the attic or in `cur/`."""
_CONTROL = later(rb"dovecot[.-].*|\.syncer.*|maildirfolder")


class Directory(Struct, frozen=True):
    """A directory in which it can be seen that something changed."""

    path: bytes
    mailbox: MailboxName | None
    """The mailbox that it belongs to; None for one that only leads to others."""
    holds_messages: bool
    """It is the `new` or `cur` of the mailbox; any other holds such directories, or may come to."""


class Places:
    """The directory tree of one Maildir."""

    def __init__(self, root: bytes, layout: Layout) -> None:
        self._root = root
        self._layout = layout
        self.problems: tuple[str, ...] = ()

    def directory(self, mailbox: MailboxName) -> bytes:
        """The mailbox's directory, whether it exists or not.

        Raises:
            MailboxError: the name cannot be stored, or the path leads through a symbolic link.
        """
        path = self._root
        for level in filter(None, to_path(mailbox, self._layout).split(b"/")):
            path = os.path.join(path, level)
            try:
                mode = os.lstat(path).st_mode
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise MailboxError(f"{mailbox}: cannot look at {fsops.printable(path)}: {error.strerror}") from error
            if stat.S_ISLNK(mode):
                raise MailboxError(
                    f"{mailbox}: {fsops.printable(path)} is a symbolic link, which is not followed inside a Maildir; "
                    "use a bind mount, or exclude the mailbox"
                )
        return path

    def mailboxes(self) -> tuple[MailboxName, ...]:
        """Every directory with a `cur` or `new` in it, ordered by name with INBOX first."""
        problems: list[str] = []
        found: set[MailboxName] = set()
        for path, subdirectories in self._walk(b"", problems):
            name = from_path(path, self._layout)
            if not subdirectories:
                continue
            if name is None:
                problems.append(f"{fsops.printable(path)} is not a name that a mailbox's directory has; passed over")
            else:
                found.add(name)
        self.problems = tuple(problems)
        return tuple(sorted(found, key=lambda name: (name != INBOX, name)))

    def directories(self, path: bytes = b"") -> Iterator[Directory]:
        """Every directory that leads to mailboxes, or may, and the `new` and `cur` of each mailbox; parents first.

        `path` (relative to the root) is where to begin. Nothing if no mailbox can be there.
        """
        if path and (from_path(path, self._layout) is None or not _is_directory(os.path.join(self._root, path))):
            return
        for where, subdirectories in self._walk(path, []):
            name = from_path(where, self._layout)
            if where and name is None:
                continue
            whole = os.path.join(self._root, where) if where else self._root
            mailbox = name if subdirectories else None
            yield Directory(whole, mailbox, holds_messages=False)
            for sub in subdirectories:
                yield Directory(os.path.join(whole, sub), mailbox, holds_messages=True)

    def create(self, mailbox: MailboxName) -> None:
        """Make the mailbox's directories, `cur` last; those that exist are left as they are."""
        self.directory(mailbox)
        path = self._root
        for level in filter(None, to_path(mailbox, self._layout).split(b"/")):
            parent, path = path, os.path.join(path, level)
            if not fsops.make_directory(path) and level not in os.listdir(parent):
                raise MailboxError(
                    f"{mailbox}: for this file system {fsops.printable(path)} is the directory of another mailbox as "
                    "well (capitals or accents do not count); rename one of them or exclude it"
                )
        for sub in (TMP, NEW, CUR):
            fsops.make_directory(os.path.join(path, sub))

    def rename(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        """Rename the mailbox's directory, and those below it."""
        if INBOX in {mailbox, new_name} or f"{new_name}/".startswith(f"{mailbox}/"):
            raise MailboxError(f"{mailbox}: cannot be renamed to {new_name}")
        old, new = self.directory(mailbox), self.directory(new_name)
        if not os.path.lexists(old) and self._layout == "fs":
            if os.path.lexists(new):
                return
            raise NoSuchMailboxError(f"{mailbox}: there is no such mailbox in the Maildir")
        if self._layout == "fs":
            self._rename_tree(mailbox, old, new_name, new)
        else:
            self._rename_siblings(mailbox, old, new_name, new)

    def insist_deletable(self, mailbox: MailboxName) -> None:
        """Make sure that the mailbox may be deleted: INBOX may not, and nothing unknown may be in its way."""
        if mailbox == INBOX:
            raise MailboxError("INBOX: cannot be deleted")
        strangers = [
            name
            for sub in _SUBDIRECTORIES
            for name in _list(os.path.join(self.directory(mailbox), sub))
            if not _is_ours(os.path.join(self.directory(mailbox), sub), name, sub)
        ]
        if strangers:
            raise MailboxError(
                f"{mailbox}: not deleted, for there is something in it that is not a message: "
                f"{fsops.printable(strangers[0])}; remove it and try again"
            )

    def remove(self, mailbox: MailboxName) -> None:
        """Remove the directories of a mailbox that has no message files any more; mailboxes below it stay."""
        path = self.directory(mailbox)
        for name in _list(os.path.join(path, TMP)):
            fsops.unlink_if_there(os.path.join(path, TMP, name))
        try:
            for sub in _SUBDIRECTORIES:
                if os.path.lexists(os.path.join(path, sub)):
                    fsops.remove_directory(os.path.join(path, sub))
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            self.create(mailbox)
            raise MailboxError(f"{mailbox}: not deleted, for something came in meanwhile; try again") from error
        left = _list(path)
        if any(os.path.isdir(os.path.join(path, name)) for name in left):
            return
        for name in filter(_CONTROL.fullmatch, left):
            fsops.unlink_if_there(os.path.join(path, name))
        strangers = [name for name in left if not _CONTROL.fullmatch(name)]
        if strangers:
            raise MailboxError(
                f"{mailbox}: its messages are in the attic, but {fsops.printable(path)} stays, for "
                f"{fsops.printable(strangers[0])} in it is not known; remove it by hand"
            )
        if os.path.lexists(path):
            fsops.remove_directory(path)
            fsops.fsync_directory(os.path.dirname(path))

    def _walk(self, path: bytes, problems: list[str]) -> Iterator[tuple[bytes, list[bytes]]]:
        """Every directory (relative to the root) in which mailboxes are looked for, and what makes it one itself."""
        try:
            with os.scandir(os.path.join(self._root, path)) as entries:
                listed = sorted((entry.name, entry.is_symlink()) for entry in entries if _may_hold_mail(entry))
        except OSError as error:
            problems.append(f"cannot list {fsops.printable(path) or 'the root'}: {error.strerror}")
            yield path, []
            return
        may_be_one = path or self._layout == "maildir++"
        yield path, [name for name, is_link in listed if not is_link and name in {CUR, NEW} and may_be_one]
        for name, is_link in listed:
            below = os.path.join(path, name)
            if name in _SUBDIRECTORIES or name.startswith(b".") != (self._layout == "maildir++"):
                continue
            if is_link:
                problems.append(f"{fsops.printable(below)} is a symbolic link, which is not followed; passed over")
            elif self._layout == "fs" or not path:
                yield from self._walk(below, problems)

    def _rename_tree(self, mailbox: MailboxName, old: bytes, new_name: MailboxName, new: bytes) -> None:
        parent = os.path.dirname(to_path(new_name, self._layout))
        path = self._root
        for level in filter(None, parent.split(b"/")):
            path = os.path.join(path, level)
            fsops.make_directory(path)
        _rename_directory(mailbox, old, new)

    def _rename_siblings(self, mailbox: MailboxName, old: bytes, new_name: MailboxName, new: bytes) -> None:
        """The mailbox itself goes last: while it has its old name, an interrupted renaming is begun again."""
        prefix = os.path.basename(old) + b"."
        below = sorted(name for name in os.listdir(self._root) if name.startswith(prefix))
        if not below and not os.path.lexists(old):
            if os.path.lexists(new):
                return
            raise NoSuchMailboxError(f"{mailbox}: there is no such mailbox in the Maildir")
        if os.path.lexists(old) and os.path.lexists(new):
            raise MailboxError(f"{mailbox}: cannot be renamed to {new_name}, which exists")
        for name in below:
            _rename_directory(mailbox, os.path.join(self._root, name), new + name[len(prefix) - 1 :])
        if os.path.lexists(old):
            _rename_directory(mailbox, old, new)


def messages(directory: bytes) -> list[bytes]:
    """The paths of the message files in a directory."""
    return [os.path.join(directory, name) for name in sorted(_list(directory))]


def _rename_directory(mailbox: MailboxName, old: bytes, new: bytes) -> None:
    try:
        fsops.rename_new(old, new)
    except FileExistsError:
        raise MailboxError(f"{mailbox}: cannot be renamed, for {fsops.printable(new)} exists") from None
    for directory in {os.path.dirname(old), os.path.dirname(new)}:
        fsops.fsync_directory(directory)


def _list(directory: bytes) -> list[bytes]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _is_ours(directory: bytes, name: bytes, sub: bytes) -> bool:
    if sub == TMP:
        return OURS.fullmatch(name) is not None
    known = not name.startswith(b".") or _LEFT.fullmatch(name) is not None
    return known and stat.S_ISREG(os.lstat(os.path.join(directory, name)).st_mode)


def _is_directory(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _may_hold_mail(entry: "os.DirEntry[bytes]") -> bool:
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and entry.is_dir())
