"""The list of the trials, and what a trial is: numbered cases, each of which can be played alone and again.

A trial lives in a module of its own with a function `opened(place, option)`: a context manager that starts what its
cases need (servers, a reference run) below the directory `place`, and gives its `Cases`.

A case is chosen by its number alone, so `--only T2 --first 17 --count 1` plays again what failed as number 17.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol


class Cases(Protocol):
    """The cases of an opened trial."""

    total: int | None
    """How many different ones there are (points at which to kill, for instance); None: as many as are asked for."""

    def play(self, number: int, place: Path) -> Mapping[str, int]:
        """Play one below the empty directory `place`; returns what it counted, to be added up.

        Raises:
            AssertionError: something was lost, doubled or changed, or the program did not converge; with the story.
        """
        ...


@dataclass(frozen=True)
class Trial:
    """One row of the table in RELIABILITY.md."""

    name: str
    title: str
    module: str
    every: int
    """Cases that are part of `make test`."""
    full: int | None
    """Cases of `make torture`; None: all that there are."""
    option: str = ""
    """For a module with several trials."""

    def opened(self, place: Path) -> AbstractContextManager[Cases]:
        """Start what the cases need, below `place`."""
        found: AbstractContextManager[Cases] = import_module(f"torture.{self.module}").opened(place, self.option)
        return found


TRIALS: tuple[Trial, ...] = (
    Trial("T1", "histories of the planner, 100 to a case, its actions in any order", "planner", 2_000, 100_000),
    Trial("T2", "random histories of both sides, on Dovecot", "histories", 200, 10_000, "dovecot"),
    Trial("T2-rungs", "the same with less than QRESYNC and LIST-STATUS", "histories", 60, 1_000, "rungs"),
    Trial("T2-cyrus", "the same on Cyrus", "histories", 50, 2_000, "cyrus"),
    Trial("T2-courier", "the same on Courier", "histories", 50, 2_000, "courier"),
    Trial("T3", "killed at every system call that changes a file or sends, on Dovecot", "kills", 40, None, "QRESYNC"),
    Trial("T3-rungs", "the same with less", "kills", 60, None, "CONDSTORE,plain,no UIDPLUS"),
    Trial("T4", "the connection breaks after any octet, either way", "cuts", 200, 5_000),
    Trial("T5", "every system call about a file fails, once or for ever", "faults", 200, None),
    Trial("T6", "power loss: unsynced writes dropped, reordered, torn, at every point", "power", 200, 20_000),
    Trial("T7", "hostile and mutated server replies through the adapter", "hostile", 20_000, 1_000_000, "adapter"),
    Trial("T7-engine", "the same through the whole engine, on Dovecot", "hostile", 500, 50_000, "engine"),
    Trial("T8", "epochs: UIDVALIDITY, restored backups, other indexes and Maildirs, shrunk views", "epochs", 40, 500),
    Trial("T9", "a minute of 2,000 renames a second in a mailbox of 20,000 that is synced", "storm", 1, 60),
    Trial("T10", "hinted passes of the engine, as `watch` makes them, 10 histories to a case", "hints", 40, 2_000),
)
"""In the order of the report."""


def chosen(total: int | None, count: int, first: int = 0) -> list[int]:
    """The numbers of `count` cases, beginning with the `first`: spread evenly over `total` if there are only so many.

    The same arguments give the same numbers. A later `first` gives others, until all were given.
    """
    if total is None:
        return list(range(first, first + count))
    order = random.Random(total).sample(range(total), total)
    return sorted(order[first : first + count])


@contextmanager
def nothing(cases: Cases) -> Iterator[Cases]:
    """For a trial that needs nothing to be started."""
    yield cases
