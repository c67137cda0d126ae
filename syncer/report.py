"""What is asked for, what happened and what is known, as values: the language between the wiring and the commands.

Nothing here prints. `Report.to_json` is the document of `sync --json`; `exit_status` is what a pass means to a
shell. Each `MailboxReport` is filled by one thread; `AccountReport.mailbox` may be called from several.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

from syncer.errors import ConnectError, ConnectionLostError, LoginError, RefusedError, TlsError
from syncer.reconcile.identity import MailboxName, Side
from syncer.values import Struct, field

JSON_VERSION: Final = 1

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
HELD: Final = 4
INTERRUPTED: Final = 130
TERMINATED: Final = 143

ErrorKind = Literal["connect", "refused", "other"]
"""What an account's error means for the exit status: no connection or log-in, stopped by a guard, anything else."""

COUNTERS: Final = (
    "downloaded",
    "uploaded",
    "moved_local",
    "moved_remote",
    "flags_local",
    "flags_remote",
    "deleted_local",
    "deleted_remote",
    "bytes_down",
    "bytes_up",
)
"""The counters of a mailbox, in the order of the JSON document."""


class Target(Struct, frozen=True):
    """What to synchronise: an account, or one of its mailboxes."""

    account: str
    mailbox: MailboxName | None = None

    def __str__(self) -> str:
        return self.account if self.mailbox is None else f"{self.account}:{self.mailbox}"


class SyncOptions(Struct, frozen=True):
    """How to make a pass."""

    dry_run: bool = False
    """Plan, and change nothing on either side."""
    full: bool = False
    """Distrust every shortcut and compare everything."""
    allow_delete: bool = False
    """Carry out the deletions that `max_delete` would hold."""
    restore: bool = False
    """Copy again what is missing on one side, instead of deleting it on the other."""
    every_action: bool = False
    """The report is to name every action that was carried out."""
    wait: bool = False
    """Wait for another run on the same account instead of leaving."""


class HeldDeletions(Struct, frozen=True):
    """Deletions that a guard held back."""

    side: Side
    """Where the messages would have been deleted."""
    count: int
    reason: str


class MailboxReport(Struct):
    """What happened to one mailbox. `*_local` was changed in the Maildir, `*_remote` on the server."""

    name: MailboxName
    error: str | None = None
    """Why the mailbox as a whole was given up."""
    refused: str | None = None
    """Why a guard left the mailbox as it is."""
    downloaded: int = 0
    uploaded: int = 0
    moved_local: int = 0
    moved_remote: int = 0
    flags_local: int = 0
    flags_remote: int = 0
    deleted_local: int = 0
    deleted_remote: int = 0
    bytes_down: int = 0
    bytes_up: int = 0
    problems: list[str] = field(default_factory=list)
    """One line for each message that failed."""
    held: list[HeldDeletions] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What the user should know although nothing failed."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed and nothing was held back."""
        return self.trouble is None

    @property
    def changed(self) -> bool:
        """Whether anything was changed on either side."""
        return any(getattr(self, counter) for counter in COUNTERS)

    @property
    def trouble(self) -> str | None:
        """The gravest thing that went wrong; None if nothing did."""
        return next(self._troubles(), None)

    def problem(self, line: str) -> None:
        """A message failed. A pass may meet it twice; it is told once."""
        if line not in self.problems:
            self.problems.append(line)

    def _troubles(self) -> Iterator[str]:
        if self.error is not None:
            yield self.error
        if self.refused is not None:
            yield self.refused
        yield from self.problems
        for held in self.held:
            yield held.reason

    def to_json(self) -> dict[str, Any]:
        """The mailbox's part of the document; `error` is null exactly where `ok` is true."""
        return {
            "name": self.name,
            "ok": self.ok,
            "error": self.trouble,
            **{counter: getattr(self, counter) for counter in COUNTERS},
            "refused": self.refused,
            "held": [{"side": held.side, "count": held.count, "reason": held.reason} for held in self.held],
            "problems": list(self.problems),
            "notes": list(self.notes),
        }


class AccountReport(Struct):
    """What happened to one account."""

    name: str
    error: str | None = None
    """Why the account as a whole was given up."""
    error_kind: ErrorKind | None = None
    seconds: float = 0.0
    mailboxes: dict[MailboxName, MailboxReport] = field(default_factory=dict)
    plan: list[str] = field(default_factory=list)
    """One line for each action: those carried out, if that was asked for, or, in a dry run, those that would be."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed and nothing was held back."""
        return self.error is None and all(mailbox.ok for mailbox in self.mailboxes.values())

    def mailbox(self, name: MailboxName) -> MailboxReport:
        """The report of a mailbox, made when it is first asked for."""
        return self.mailboxes.setdefault(name, MailboxReport(name))

    def fail(self, error: Exception) -> None:
        """The account was given up because of `error`."""
        self.error = str(error) or type(error).__name__
        self.error_kind = error_kind(error)

    def to_json(self, *, dry_run: bool = False) -> dict[str, Any]:
        """The account's part of the document. Mailboxes of which there is nothing to say are left out."""
        document: dict[str, Any] = {
            "name": self.name,
            "ok": self.ok,
            "error": self.error,
            "seconds": round(self.seconds, 3),
            "mailboxes": [
                mailbox.to_json()
                for mailbox in self.mailboxes.values()
                if mailbox.changed or mailbox.notes or not mailbox.ok
            ],
        }
        if dry_run:
            document["planned"] = list(self.plan)
        return document


class Report(Struct):
    """What happened in one pass over everything that was asked for."""

    accounts: list[AccountReport] = field(default_factory=list)
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing failed and nothing was held back."""
        return all(account.ok for account in self.accounts)

    def to_json(self) -> dict[str, Any]:
        """The document of `sync --json`, version 1."""
        return {
            "version": JSON_VERSION,
            "ok": self.ok,
            "accounts": [account.to_json(dry_run=self.dry_run) for account in self.accounts],
        }


def error_kind(error: Exception) -> ErrorKind:
    """What an error that stopped an account means for the exit status."""
    match error:
        case ConnectError() | ConnectionLostError() | TlsError() | LoginError():
            return "connect"
        case RefusedError():
            return "refused"
        case _:
            return "other"


def error_status(error: Exception) -> int:
    """The exit status of a command about one account that `error` stopped."""
    return {"connect": UNREACHABLE, "refused": HELD, "other": FAILED}[error_kind(error)]


def exit_status(report: Report) -> int:
    """The exit status of a pass.

    If several apply, the one that needs a person most wins: held back by a guard (4), before could not connect or
    log in (3), which the next run may mend, before something else failed (1).
    """
    mailboxes = [mailbox for account in report.accounts for mailbox in account.mailboxes.values()]
    kinds = {account.error_kind for account in report.accounts}
    if "refused" in kinds or any(mailbox.held or mailbox.refused for mailbox in mailboxes):
        return HELD
    if "connect" in kinds:
        return UNREACHABLE
    return OK if report.ok else FAILED
