"""Counters and states in Prometheus' text format, in a file for node_exporter's textfile collector.

The name of the file has to end in `.prom`. It is replaced as a whole, so that a reader sees all of one moment. Whether
mail still comes is told by

    time() - syncer_server_answered_timestamp_seconds > 3600 or syncer_mailboxes_in_trouble > 0

`Counts` is what is counted of an account, `after_pass` what a pass adds to it, `exposition` the text (all three pure),
and `Metrics` keeps the file.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self, get_args

from syncer.later import Later
from syncer.report import COUNTERS, AccountReport
from syncer.values import Struct, field, replace
from syncer.watching.standing import Standing

if TYPE_CHECKING:
    import logging
else:
    logging = Later("logging")

Stopped = Literal["account", "mailbox", "message"]
"""What an error has stopped."""

STOPPED: Final[tuple[Stopped, ...]] = get_args(Stopped)
_OCTETS: Final = {"bytes_down": "down", "bytes_up": "up"}
_CHANGES: Final = tuple(counter for counter in COUNTERS if counter not in _OCTETS)
_QUIET: Final = 1.0
"""Seconds between two files."""


class Counts(Struct, frozen=True):
    """Of one account, since the program was started."""

    passes: int = 0
    errors: Mapping[Stopped, int] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    """By the names of `report.COUNTERS`."""


def after_pass(before: Counts, report: AccountReport) -> Counts:
    """What is counted after a pass over the account that ended as `report` says."""
    mailboxes = report.mailboxes.values()
    errors: dict[Stopped, int] = {
        "account": int(report.error is not None),
        "mailbox": sum(mailbox.error is not None or mailbox.refused is not None for mailbox in mailboxes),
        "message": sum(len(mailbox.problems) for mailbox in mailboxes),
    }
    return replace(
        before,
        passes=before.passes + 1,
        errors={stopped: before.errors.get(stopped, 0) + errors[stopped] for stopped in STOPPED},
        counters={
            counter: before.counters.get(counter, 0) + sum(getattr(mailbox, counter) for mailbox in mailboxes)
            for counter in COUNTERS
        },
    )


class _Family(Struct, frozen=True):
    """One metric: its samples have labels, and a value."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]


def exposition(accounts: Sequence[tuple[Standing, Counts]]) -> str:
    """The whole file. Every counter is there from the beginning, so that a first error is an increase."""
    return "".join(line for family in _families(accounts) for line in _lines(family))


def _families(accounts: Sequence[tuple[Standing, Counts]]) -> Iterator[_Family]:
    def each(value: Mapping[str, float | None]) -> list[tuple[Mapping[str, str], float]]:
        return [({"account": name}, number) for name, number in value.items() if number is not None]

    standings = [standing for standing, _ in accounts]
    yield _Family(
        "syncer_server_answered_timestamp_seconds",
        "gauge",
        "When the server was last known to answer.",
        each({one.account: one.answered for one in standings}),
    )
    yield _Family(
        "syncer_last_success_timestamp_seconds",
        "gauge",
        "When a pass last ended with nothing that failed or is held; there is none while nothing happens.",
        each({one.account: one.well for one in standings}),
    )
    yield _Family(
        "syncer_connection_up",
        "gauge",
        "Whether there is a connection to the server.",
        each({one.account: int(one.connected) for one in standings}),
    )
    yield _Family(
        "syncer_mailboxes_in_trouble",
        "gauge",
        "Mailboxes in which something is wrong, those with held deletions included.",
        each({one.account: len(one.troubles.keys() | one.held.keys()) for one in standings}),
    )
    yield _Family(
        "syncer_mailboxes_held",
        "gauge",
        "Mailboxes in which deletions wait for a person.",
        each({one.account: len(one.held) for one in standings}),
    )
    yield from _counters([(standing.account, counts) for standing, counts in accounts])


def _counters(accounts: Sequence[tuple[str, Counts]]) -> Iterator[_Family]:
    def each(
        label: str, labels: Mapping[str, str], of: Literal["counters", "errors"]
    ) -> list[tuple[Mapping[str, str], float]]:
        return [
            ({"account": name, label: text}, getattr(counts, of).get(key, 0))
            for name, counts in accounts
            for key, text in labels.items()
        ]

    yield _Family(
        "syncer_passes_total",
        "counter",
        "Passes over the account, whatever came of them.",
        [({"account": name}, counts.passes) for name, counts in accounts],
    )
    yield _Family(
        "syncer_errors_total",
        "counter",
        "Errors by what they stopped.",
        each("stopped", {stopped: stopped for stopped in STOPPED}, "errors"),
    )
    yield _Family(
        "syncer_changes_total",
        "counter",
        "Messages by what was done: *_local in the Maildir, *_remote on the server.",
        each("change", {change: change for change in _CHANGES}, "counters"),
    )
    yield _Family(
        "syncer_transferred_bytes_total",
        "counter",
        "Octets of messages that were downloaded and uploaded.",
        each("direction", _OCTETS, "counters"),
    )


def _lines(family: _Family) -> Iterator[str]:
    if not family.samples:
        return
    yield f"# HELP {family.name} {family.help}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for labels, value in family.samples:
        told = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        yield f"{family.name}{{{told}}} {value!r}\n"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Metrics:
    """Keeps the file, in a thread of its own, for as long as the context lasts. Thread-safe.

    That it cannot be written is logged once, until it can be again. At the end it is removed: what has ended has no
    connection, and no trouble either.
    """

    def __init__(self, path: os.PathLike[str]) -> None:
        """`path` is in the collector's directory, which has to be there."""
        self._path = os.fspath(path)
        directory, name = os.path.split(self._path)
        self._new = os.path.join(directory, f".{name}.new")  # the collector reads what ends in .prom
        self._ready = threading.Condition()
        self._over = threading.Event()
        self._changed = False
        self._standings: dict[str, Standing] = {}
        self._counts: dict[str, Counts] = {}
        self._failed = False
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._ready:
            self._over.set()
            self._ready.notify()
        self._thread.join()
        try:
            os.unlink(self._path)
        except OSError:  # it is not there, or not ours to remove
            return

    def stands(self, standing: Standing) -> None:
        """How it stands with an account now."""
        with self._ready:
            self._standings[standing.account] = standing
            self._changed = True
            self._ready.notify()

    def passed(self, report: AccountReport) -> None:
        """A pass is over."""
        with self._ready:
            self._counts[report.name] = after_pass(self._counts.get(report.name, Counts()), report)
            self._changed = True
            self._ready.notify()

    def _serve(self) -> None:
        while not self._over.is_set():
            with self._ready:
                self._ready.wait_for(lambda: self._changed or self._over.is_set())
                self._changed = False
                accounts = [(one, self._counts.get(name, Counts())) for name, one in sorted(self._standings.items())]
            if not self._over.is_set():
                self._write(exposition(accounts))
                self._over.wait(_QUIET)

    def _write(self, text: str) -> None:
        try:
            self._replace(text.encode("utf-8", "replace"))
        except OSError as error:
            if not self._failed:
                words = "the metrics cannot be written to %s: %s; see metrics_file"
                logging.getLogger(__name__).warning(words, self._path, error.strerror or error)
            self._failed = True
        else:
            self._failed = False

    def _replace(self, octets: bytes) -> None:
        """Not flushed to the disk: after a power loss it is written anew."""
        if os.path.lexists(self._new):
            os.unlink(self._new)  # left by a process that was killed
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(octets)
            os.fchmod(descriptor, 0o644)  # whatever the umask: the collector is another user
        os.replace(self._new, self._path)
