"""Counters and states in Prometheus' text format, in a file for node_exporter's textfile collector.

The name of the file has to end in `.prom`. It is replaced as a whole, so that a reader sees all of one moment. Whether
it is still written is told by the collector's own `node_textfile_mtime_seconds`; whether mail still comes, by

    time() - syncer_last_success_timestamp_seconds > 3600

`AccountMetrics` is one account, `after_pass` what a pass makes of it, `exposition` the text (all three pure), and
`MetricsFile` the file.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

from syncer.later import Later
from syncer.reconcile.identity import Side
from syncer.report import COUNTERS, AccountReport, ErrorKind
from syncer.values import Struct, field, replace

if TYPE_CHECKING:
    import logging
else:
    logging = Later("logging")

Kind = ErrorKind | Literal["mailbox", "message"]
"""What an error has stopped: an account, because of this; one mailbox; one message."""

KINDS: Final[tuple[Kind, ...]] = (*get_args(ErrorKind), "mailbox", "message")
SIDES: Final[tuple[Side, ...]] = get_args(Side)
_OCTETS: Final = {"bytes_down": "down", "bytes_up": "up"}
_CHANGES: Final = tuple(counter for counter in COUNTERS if counter not in _OCTETS)


class AccountMetrics(Struct, frozen=True):
    """One account, since the program was started."""

    name: str
    last_success: float | None = None
    """When a pass over it last ended with nothing that failed and nothing held, in seconds since the epoch."""
    passes: int = 0
    errors: Mapping[Kind, int] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    """By the names of `report.COUNTERS`."""
    pending: int = 0
    """Changes in the Maildir that have not been sent yet."""
    parked: int = 0
    """Messages that fail again and again, and are tried less often."""
    held: Mapping[Side, int] = field(default_factory=dict)
    """Deletions that wait for a person, by the side on which they would be made."""
    connected: bool = False


def after_pass(before: AccountMetrics, report: AccountReport, *, now: float, parked: int = 0) -> AccountMetrics:
    """What is known after a pass over the account that ended at `now` as `report` says."""
    mailboxes = report.mailboxes.values()
    errors: dict[Kind, int] = {
        **({report.error_kind: 1} if report.error_kind is not None else {}),
        "refused": (report.error_kind == "refused") + sum(mailbox.refused is not None for mailbox in mailboxes),
        "mailbox": sum(mailbox.error is not None for mailbox in mailboxes),
        "message": sum(len(mailbox.problems) for mailbox in mailboxes),
    }
    return replace(
        before,
        last_success=now if report.ok else before.last_success,
        passes=before.passes + 1,
        errors={kind: before.errors.get(kind, 0) + errors.get(kind, 0) for kind in KINDS},
        counters={
            counter: before.counters.get(counter, 0) + sum(getattr(mailbox, counter) for mailbox in mailboxes)
            for counter in COUNTERS
        },
        parked=parked,
        held={
            side: sum(held.count for mailbox in mailboxes for held in mailbox.held if held.side == side)
            for side in SIDES
        },
    )


class _Family(Struct, frozen=True):
    """One metric: its samples have labels, and a value."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]


def exposition(accounts: Sequence[AccountMetrics]) -> str:
    """The whole file. Every counter is there from the beginning, so that a first error is an increase."""
    return "".join(line for family in _families(accounts) for line in _lines(family))


def _families(accounts: Sequence[AccountMetrics]) -> Iterator[_Family]:
    yield _Family(
        "syncer_last_success_timestamp_seconds",
        "gauge",
        "When a pass last ended with nothing that failed or is held.",
        [({"account": one.name}, one.last_success) for one in accounts if one.last_success is not None],
    )
    yield _Family(
        "syncer_passes_total",
        "counter",
        "Passes over the account, whatever came of them.",
        [({"account": one.name}, one.passes) for one in accounts],
    )
    yield _Family(
        "syncer_errors_total",
        "counter",
        "Errors by what they stopped: the account (connect, refused, other), a mailbox, or a message.",
        [({"account": one.name, "kind": kind}, one.errors.get(kind, 0)) for one in accounts for kind in KINDS],
    )
    yield _Family(
        "syncer_changes_total",
        "counter",
        "Messages by what was done: *_local in the Maildir, *_remote on the server.",
        [
            ({"account": one.name, "change": counter}, one.counters.get(counter, 0))
            for one in accounts
            for counter in _CHANGES
        ],
    )
    yield _Family(
        "syncer_transferred_bytes_total",
        "counter",
        "Octets of messages that were downloaded and uploaded.",
        [
            ({"account": one.name, "direction": direction}, one.counters.get(counter, 0))
            for one in accounts
            for counter, direction in _OCTETS.items()
        ],
    )
    yield _Family(
        "syncer_pending_local_changes",
        "gauge",
        "Changes in the Maildir that have not been sent to the server yet.",
        [({"account": one.name}, one.pending) for one in accounts],
    )
    yield _Family(
        "syncer_parked_messages",
        "gauge",
        "Messages that fail again and again, and are tried less and less often.",
        [({"account": one.name}, one.parked) for one in accounts],
    )
    yield _Family(
        "syncer_held_deletions",
        "gauge",
        "Deletions that wait for a person, by the side on which they would be made.",
        [({"account": one.name, "side": side}, one.held.get(side, 0)) for one in accounts for side in SIDES],
    )
    yield _Family(
        "syncer_connection_up",
        "gauge",
        "Whether there is a connection to the server that changes are heard from.",
        [({"account": one.name}, int(one.connected)) for one in accounts],
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


class MetricsFile:
    """The file. That it cannot be written is logged once, until it can be again."""

    def __init__(self, path: str) -> None:
        """`path` is in the collector's directory, which has to be there."""
        directory, name = os.path.split(path)
        self._path = path
        self._new = os.path.join(directory, f".{name}.new")  # the collector reads what ends in .prom
        self._failed = False

    def write(self, accounts: Sequence[AccountMetrics]) -> bool:
        """Replace the file; whether that succeeded."""
        try:
            self._replace(exposition(accounts).encode("utf-8", "replace"))
        except OSError as error:
            if not self._failed:
                logging.getLogger(__name__).warning("the metrics cannot be written to %s: %s", self._path, error)
            self._failed = True
            return False
        self._failed = False
        return True

    def _replace(self, octets: bytes) -> None:
        """Not flushed to the disk: after a power loss the next pass writes it anew."""
        if os.path.lexists(self._new):
            os.unlink(self._new)  # left by a process that was killed
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(octets)
            os.fchmod(descriptor, 0o644)  # whatever the umask: the collector is another user
        os.replace(self._new, self._path)
