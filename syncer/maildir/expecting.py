"""What the index expects in a mailbox, asked for while the directories are being listed.

Either takes its time outside of the interpreter's lock, so that together they take as long as the longer of the two.
"""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from syncer.maildir import keywords
from syncer.maildir.keywords import Table
from syncer.maildir.sifting import speller
from syncer.ports import Expectation
from syncer.workers import Task

Names = tuple[set[bytes], set[str]]
"""The file names, and what they may end in."""


class Expecting:
    """One question to the index, under way; leaving the context waits for it."""

    def __init__(self, expectation: Expectation, remembered: Mapping[str, str], table: Table) -> None:
        """Ask. `table` is what `dovecot-keywords` says before the listing, `remembered` what it said to the index."""
        self._expectation = expectation
        self._remembered = remembered
        self._table = table
        self._task = Task(lambda: self._ask(table))
        self._thread: threading.Thread | None = threading.Thread(target=self._task.run, name="expecting", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no further thread is to be had, so one after the other
            self._thread = None
            self._task.run()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.join()

    def names(self, table: Table) -> Names:
        """The answer; asked for anew if the letters have come to mean something else since."""
        names = self._task.result()
        return names if table == self._table else self._ask(table)

    def _ask(self, table: Table) -> Names:
        infos: set[str] = set()
        spell = speller(table, keywords.letters(table, self._remembered, ()), infos)
        return self._expectation.names(spell), infos
