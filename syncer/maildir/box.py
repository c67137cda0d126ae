"""One mailbox's directory: where its message files are at the moment, and its letters for keywords.

Where a file was last seen is remembered, so that a change of flags needs no listing. It is only a hint: every use of it
looks, and reads the directories again if the file is not there.
"""

import os
from collections.abc import Collection, Mapping

from syncer.errors import VanishedError
from syncer.maildir import fsops, keywords, scan
from syncer.maildir.filename import letters_of
from syncer.maildir.keywords import Table
from syncer.maildir.scan import CUR, NEW, TMP, Reading, Where
from syncer.reconcile.flags import Flags
from syncer.reconcile.identity import MailboxName, UniqueName

__all__ = ["CUR", "NEW", "TMP", "Box"]


class Box:
    """A mailbox's directory. Used by one thread at a time."""

    def __init__(self, name: MailboxName, path: bytes) -> None:
        self.name = name
        self.path = path
        self.remembered: Mapping[str, str] = {}
        """The letters of the index: not given to other keywords."""
        self._files: dict[UniqueName, Where] = {}
        self._proof: scan.Stamps | None = None
        """As of these stamps `_files` is all there is, by a complete reading."""
        self._known: scan.Stamps | None = None
        """The same, but for the instants in which we added files: good enough to look for a name of ours."""
        self._table: tuple[object, Table] | None = None

    def path_of(self, where: Where) -> bytes:
        """The file's path."""
        sub, name = where
        return b"%b/%b/%b" % (self.path, sub, name.encode("utf-8", "surrogateescape"))

    def read(self) -> Reading:
        """List the mailbox, and remember where every file is."""
        reading = scan.read(self.path)
        self._files = dict(reading.files)
        self._proof = self._known = reading.stamps if reading.complete else None
        return reading

    def find(self, name: UniqueName) -> Where:
        """Where the file is now.

        Raises:
            VanishedError: it was not found.
        """
        where = self._seen(name)
        if where is None and not self.is_current():
            self.read()
            where = self._seen(name)
        if where is None:
            raise VanishedError(
                f"{self.name}: {fsops.printable(name)} is not there any more; the next pass looks again"
            )
        return where

    def find_or_prove_gone(self, name: UniqueName) -> Where | None:
        """Where the file is now; None only if it is proved to be gone.

        Raises:
            VanishedError: it was not found, but may be there.
        """
        try:
            return self.find(name)
        except VanishedError:
            if self.is_current() or scan.stamps(self.path) == (None, None):
                return None
        raise VanishedError(
            f"{self.name}: {fsops.printable(name)} was not found while other programs changed the mailbox; "
            "the next pass looks again"
        )

    def present(self, names: Collection[UniqueName]) -> dict[UniqueName, Where]:
        """Which of the names are in the mailbox in any form; lists it only if it changed since it was last seen."""
        if self._known is None or self._known != scan.stamps(self.path):
            self.read()
        found = {name: where for name in names if (where := self._files.get(name)) is not None}
        if any(not os.path.lexists(self.path_of(where)) for where in found.values()):
            self.read()
            found = {name: where for name in names if (where := self._files.get(name)) is not None}
        return found

    def is_current(self) -> bool:
        """Whether nothing changed since the last complete reading, and what is remembered is all there is."""
        return self._proof is not None and self._proof == scan.stamps(self.path)

    def moved(self, name: UniqueName, where: Where | None) -> None:
        """A file got a new place, or (None) none. A new reading is due before anything is proved."""
        self._proof = self._known = None
        if where is None:
            self._files.pop(name, None)
        else:
            self._files[name] = where

    def delivered(self, places: Mapping[UniqueName, Where]) -> None:
        """We added files, just after `present` looked for their names.

        Should another program have changed something in this instant, then no name of a message that we may deliver.
        """
        self._files.update(places)
        self._proof = None
        if self._known is not None:
            self._known = scan.stamps(self.path)

    def table(self) -> Table:
        """What `dovecot-keywords` says at the moment."""
        try:
            found = os.lstat(os.path.join(self.path, keywords.FILE))
            state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        except FileNotFoundError:
            return Table()
        if self._table is None or self._table[0] != state:
            self._table = state, keywords.parse(keywords.read(self.path))
        return self._table[1]

    def mapping_for(self, flags: Flags) -> Mapping[str, str]:
        """The letters, after every keyword among `flags` got one, as long as letters are free."""
        table = self.table()
        wanted = keywords.unmapped(flags, table.mapping)
        if wanted:
            reserved = self.used_letters() | set(self.remembered)
            if keywords.assigned(table, wanted, reserved):
                table = keywords.extend(self.path, lambda table: keywords.assigned(table, wanted, reserved))
        return table.mapping

    def used_letters(self) -> set[str]:
        """Every letter that file names carry: one without a keyword may mean something to somebody."""
        if not self.is_current():
            self.read()
        infos = {name[len(unique) :] for unique, (_, name) in self._files.items()}
        return {letter for info in infos for letter in letters_of(info)}

    def _seen(self, name: UniqueName) -> Where | None:
        where = self._files.get(name)
        return where if where is not None and os.path.lexists(self.path_of(where)) else None
