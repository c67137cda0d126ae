"""What is asked of `verify` and what it found, as values: the language between the wiring and the command.

Nothing here prints. `Verification.to_json` is the document of `verify --json`.
"""

from typing import Any

from syncer.reconcile.identity import MailboxName
from syncer.reconcile.verdicts import HARMLESS, Absence, Finding, Kind, Remedy, Subset
from syncer.report import FAILED, HELD, JSON_VERSION, OK, UNREACHABLE, ErrorKind, error_kind
from syncer.values import Struct, field


class VerifyOptions(Struct, frozen=True):
    """How to verify."""

    subset: Subset = Subset()
    repair: bool = False
    wait: bool = False
    """Wait for another run on the same account instead of leaving."""


class Found(Struct):
    """A finding, and what came of it."""

    finding: Finding
    path: str | None = None
    """Where the file is."""
    reason: str | None = None
    """Why it could not be read."""
    repaired: bool = False
    said: str | None = None
    """What a repair did beyond what it had to, or why it did not do it."""

    @property
    def settled(self) -> bool:
        """Whether all is well now."""
        return self.repaired or self.finding.kind in HARMLESS

    def to_json(self) -> dict[str, Any]:
        """One message of the document."""
        finding = self.finding
        file = None if isinstance(finding.file, Absence) else finding.file[0].size
        server = None if isinstance(finding.server, Absence) else finding.server.size
        return {
            "uid": finding.pair.uid,
            "unique_name": finding.pair.name,
            "file": self.path,
            "octets": {"index": finding.pair.fingerprint.size, "file": file, "server": server},
            "repairable": finding.remedy is not Remedy.NONE,
            "repaired": self.repaired,
            "reason": self.said or self.reason,
        }


class MailboxVerification(Struct):
    """What was found in one mailbox. Filled by several threads."""

    name: MailboxName
    messages: int = 0
    """How many messages of it the index knows, in the part that was to be verified."""
    checked: int = 0
    """How many of them were read wherever they are."""
    found: list[Found] = field(default_factory=list)
    new_local: int = 0
    """Files that the index does not know: the next sync's."""
    new_server: int = 0
    flags: int = 0
    """Messages whose flags changed since the last sync: the next sync's."""
    error: str | None = None
    """Why the mailbox could not be verified."""
    refused: str | None = None
    """Why it is not the mailbox that the index knows."""
    held: str | None = None
    """Why a guard kept some of it from being repaired."""

    @property
    def ok(self) -> bool:
        """Whether all that was to be verified is whole, now."""
        return self.trouble is None and all(found.settled for found in self.found)

    @property
    def trouble(self) -> str | None:
        """What concerns more than a message."""
        return self.error or self.refused or self.held

    def of(self, kind: Kind) -> list[Found]:
        """The findings of a kind, by UID."""
        return sorted((f for f in self.found if f.finding.kind is kind), key=lambda f: f.finding.pair.uid)

    def to_json(self) -> dict[str, Any]:
        """The mailbox's part of the document."""
        return {
            "name": self.name,
            "ok": self.ok,
            "error": self.trouble,
            "messages": self.messages,
            "checked": self.checked,
            "repaired": sum(found.repaired for found in self.found),
            **{kind.value: [found.to_json() for found in self.of(kind)] for kind in Kind},
            "new_local": self.new_local,
            "new_server": self.new_server,
            "flags": self.flags,
        }


class AccountVerification(Struct):
    """What was found in one account."""

    name: str
    error: str | None = None
    """Why the account as a whole was given up."""
    error_kind: ErrorKind | None = None
    seconds: float = 0.0
    mailboxes: dict[MailboxName, MailboxVerification] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether all that was to be verified is whole, now."""
        return self.error is None and all(mailbox.ok for mailbox in self.mailboxes.values())

    def mailbox(self, name: MailboxName) -> MailboxVerification:
        """The part of a mailbox, made when it is first asked for."""
        return self.mailboxes.setdefault(name, MailboxVerification(name))

    def fail(self, error: Exception) -> None:
        """The account was given up because of `error`."""
        self.error = str(error) or type(error).__name__
        self.error_kind = error_kind(error)

    def to_json(self) -> dict[str, Any]:
        """The account's part of the document."""
        return {
            "name": self.name,
            "ok": self.ok,
            "error": self.error,
            "seconds": round(self.seconds, 3),
            "mailboxes": [mailbox.to_json() for mailbox in self.mailboxes.values()],
        }


class Verification(Struct):
    """What was found in everything that was asked for."""

    options: VerifyOptions = VerifyOptions()
    accounts: list[AccountVerification] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all that was to be verified is whole, now."""
        return all(account.ok for account in self.accounts)

    def to_json(self) -> dict[str, Any]:
        """The document of `verify --json`, version 1."""
        subset = self.options.subset
        return {
            "version": JSON_VERSION,
            "ok": self.ok,
            "subset": f"{subset.part}/{subset.of}",
            "accounts": [account.to_json() for account in self.accounts],
        }

    def exit_status(self) -> int:
        """0: all is whole, be it by a repair. 1: something is not, or could not be verified. 3 and 4 as for a sync."""
        kinds = {account.error_kind for account in self.accounts}
        mailboxes = [mailbox for account in self.accounts for mailbox in account.mailboxes.values()]
        if "refused" in kinds or any(mailbox.refused or mailbox.held for mailbox in mailboxes):
            return HELD
        if "connect" in kinds:
            return UNREACHABLE
        return OK if self.ok else FAILED
