"""One mailbox's directory: where its message files are at the moment, and its letters for keywords.

Where a file was last seen is remembered, so that a change of flags needs no listing. It is only a hint: every use of it
looks, and reads the directories again if the file is not there.
"""

import os
import threading
from collections.abc import Callable, Collection, Mapping

from syncer.errors import VanishedError
from syncer.maildir import fsops, keywords, scan
from syncer.maildir.filename import letters_of, with_delta
from syncer.maildir.keywords import Table
from syncer.maildir.scan import Reading, Where
from syncer.maildir.state import CUR, NEW, Stamps, keywords_state, stamps
from syncer.reconcile.flags import NONE, FlagDelta, Flags
from syncer.reconcile.identity import MailboxName, UniqueName

Tell = Callable[[bytes | None, bytes | None], None]
"""Is told where a file was and where it is, when we have changed that; None: nowhere in the mailbox."""

FEW = 8
"""Nobody asks so soon for more of the files that were just added, and a first pull adds very many."""


class Box:
    """A mailbox's directory. Threads that deliver to it or change flags in it take turns with `turn`."""

    def __init__(self, name: MailboxName, path: bytes, tell: Tell | None = None) -> None:
        self.name = name
        self._tell = tell
        self.path = path
        self.turn = threading.RLock()
        self.remembered: Mapping[str, str] = {}
        """The letters of the index: not given to other keywords."""
        self._files: dict[UniqueName, Where] = {}
        self._proof: Stamps | None = None
        """As of these stamps `_files` is all there is, by a complete reading."""
        self._known: Stamps | None = None
        """The same, but for the instants in which we added files: good enough to look for a name of ours."""
        self._table: tuple[object, Table] | None = None

    def path_of(self, where: Where) -> bytes:
        """The file's path."""
        sub, name = where
        return b"%b/%b/%b" % (self.path, sub, name.encode("utf-8", "surrogateescape"))

    def read(self) -> Reading:
        """List the mailbox, and remember where every file is."""
        reading = scan.read(self.path)
        with self.turn:
            self._files = dict(reading.files)
            self._proof = self._known = reading.stamps if reading.complete else None
        return reading

    def sifted(self, reading: Reading) -> None:
        """Remember where the files are that are not as the index expects; the others are where it expects them."""
        with self.turn:
            self._files = dict(reading.files)
            self._proof = None
            self._known = reading.stamps if reading.complete else None

    def unchanged(self) -> None:
        """Everything is where the index expects it."""
        with self.turn:
            self._files = {}
            self._proof = None
            self._known = stamps(self.path)

    def hint(self, name: UniqueName) -> Where | None:
        """Where the file was last seen. Whoever uses it must be ready not to find it there."""
        return self._files.get(name)

    def find(self, name: UniqueName, said: Flags = NONE) -> Where:
        """Where the file is now; `said` is what its name said when it was last seen.

        Raises:
            VanishedError: it was not found.
        """
        where = self._seen(name) or self._guessed(name, said)
        if where is None and not self.is_current():
            self.read()
            where = self._seen(name)
        if where is None:
            raise VanishedError(
                f"{self.name}: {fsops.printable(name)} is not there any more; the next pass looks again"
            )
        return where

    def find_or_prove_gone(self, name: UniqueName, said: Flags = NONE) -> Where | None:
        """Where the file is now; None only if it is proved to be gone.

        Raises:
            VanishedError: it was not found, but may be there.
        """
        try:
            return self.find(name, said)
        except VanishedError:
            if self.is_current() or stamps(self.path) == (None, None):
                return None
        raise VanishedError(
            f"{self.name}: {fsops.printable(name)} was not found while other programs changed the mailbox; "
            "the next pass looks again"
        )

    def present(self, names: Collection[UniqueName]) -> dict[UniqueName, Where]:
        """Which of the names are in the mailbox in any form; lists it only if it changed since it was last seen."""
        if self._known is None or self._known != stamps(self.path):
            self.read()
        found = {name: where for name in names if (where := self._files.get(name)) is not None}
        if any(not os.path.lexists(self.path_of(where)) for where in found.values()):
            self.read()
            found = {name: where for name in names if (where := self._files.get(name)) is not None}
        return found

    def is_current(self) -> bool:
        """Whether nothing changed since the last complete reading, and what is remembered is all there is."""
        return self._proof is not None and self._proof == stamps(self.path)

    def moved(self, name: UniqueName, was: Where, where: Where | None) -> None:
        """We gave a file another place, or (None) took it away. A new reading is due before anything is proved."""
        if self._tell is not None:
            self._tell(self.path_of(was), None if where is None else self.path_of(where))
        self._proof = None
        if where is None:
            self._files.pop(name, None)
        else:
            self._files[name] = where
        self._nothing_came_in()

    def lost(self, name: UniqueName) -> None:
        """Another program gave a file another place."""
        self._proof = self._known = None
        self._files.pop(name, None)

    def delivered(self, places: Mapping[UniqueName, Where]) -> None:
        """We added files, just after `present` looked for their names; where they are is remembered of a few."""
        if self._tell is not None:
            for where in places.values():
                self._tell(None, self.path_of(where))
        if len(places) <= FEW:
            self._files.update(places)
        self._proof = None
        self._nothing_came_in()

    def table(self) -> Table:
        """What `dovecot-keywords` says at the moment."""
        state = keywords_state(self.path)
        if state is None:
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

    def _nothing_came_in(self) -> None:
        """Should another program have changed something in this instant, then no name that we may deliver."""
        if self._known is not None:
            self._known = stamps(self.path)

    def _guessed(self, name: UniqueName, said: Flags) -> Where | None:
        """Where the index expects the file, if it is there."""
        info = with_delta("", FlagDelta(add=said), self.table().mapping)
        places: list[Where] = [(CUR, f"{name}{info or ':2,'}")]
        if not info:
            places.append((NEW, name))
        for where in places:
            if os.path.lexists(self.path_of(where)):
                self._files[name] = where
                return where
        return None
