"""PURE: a report as lines for a person: what happened, what went wrong, and what to do about it."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from syncer.cli.output import Line
from syncer.reconcile.identity import INBOX
from syncer.report import COUNTERS, AccountReport, HeldDeletions, MailboxReport, Report

_WORDS: Final = {
    "downloaded": "downloaded",
    "uploaded": "uploaded",
    "moved_local": "moved in the Maildir",
    "moved_remote": "moved on the server",
    "flags_local": "flags received",
    "flags_remote": "flags sent",
    "deleted_local": "removed from the Maildir",
    "deleted_remote": "deleted on the server",
}


def summary(report: Report, command: Sequence[str]) -> Iterator[Line]:
    """The lines of a report. `command` is what begins a command to go on with, such as `syncer -c FILE sync`."""
    for account in report.accounts:
        about = (account.name,)
        if not report.dry_run:
            yield from (Line(f"{account.name}: {action}", least=1, about=about) for action in account.plan)
        for mailbox in account.mailboxes.values():
            for line in _mailbox(f"{account.name}:{mailbox.name}", mailbox, command):
                yield line._replace(about=(account.name, mailbox.name))
        if account.error is not None:
            yield Line(f"syncer: {account.name}: {account.error}", "error", -1, about)
        else:
            outcome = _outcome(account, dry_run=report.dry_run)
            yield Line(f"{account.name}: {outcome} ({account.seconds:.1f} s)", about=about)


def counted(mailbox: MailboxReport) -> str:
    """What was changed, such as `12 downloaded, 3 flags sent`; empty if nothing was."""
    return ", ".join(f"{number} {word}" for counter, word in _WORDS.items() if (number := getattr(mailbox, counter)))


def size(octets: int) -> str:
    """A number of octets in the largest unit that keeps it above one, such as `1.2 MB`."""
    amount = float(octets)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _mailbox(target: str, mailbox: MailboxReport, command: Sequence[str]) -> Iterator[Line]:
    if done := counted(mailbox):
        yield Line(f"{target}: {done}")
    yield from (Line(f"{target}: {note}") for note in mailbox.notes)
    yield from (Line(f"syncer: {target}: {problem}", "error", -1) for problem in mailbox.problems)
    if mailbox.error is not None:
        yield Line(f"syncer: {target}: {mailbox.error}", "error", -1)
    if mailbox.refused is not None:
        yield Line(f"syncer: {target}: left alone: {mailbox.refused}", "warning", -1)
    for held in mailbox.held:
        yield from _held(target, held, command)


def _held(target: str, held: HeldDeletions, command: Sequence[str]) -> Iterator[Line]:
    one = held.count == 1
    messages, they_are, them = ("1 message", "it is", "it") if one else (f"{held.count} messages", "they are", "them")
    place = "on the server" if held.side == "server" else "in the Maildir"
    yield Line(f"syncer: {target}: {messages} not deleted {place}: {held.reason}", "warning", -1)
    yield Line(f"  nothing is lost: {they_are} still {place}", "plain", -1)
    back = "in the Maildir" if held.side == "server" else "on the server"
    yield Line(f"  to have {them} {back} again: {shlex.join([*command[:-1], 'restore', target])}", "plain", -1)
    yield Line(f"  to delete after all: {shlex.join([*command, '--allow-delete', target])}", "plain", -1)


def _outcome(account: AccountReport, *, dry_run: bool) -> str:
    mailboxes = account.mailboxes.values()
    failed = sum(not mailbox.ok for mailbox in mailboxes)
    wrong = [f"{failed} {'mailbox' if failed == 1 else 'mailboxes'} not in order"] if failed else []
    if dry_run:
        number = len(account.plan)
        planned = f"{number} {'action' if number == 1 else 'actions'} planned, nothing was changed"
        return ", ".join([planned if number or failed else "nothing to do", *wrong])
    totals = MailboxReport(INBOX)
    for counter in COUNTERS:
        setattr(totals, counter, sum(getattr(mailbox, counter) for mailbox in mailboxes))
    parts = [counted(totals) or ("nothing done" if failed else "nothing to do")]
    parts += [
        f"{size(octets)} {way}" for octets, way in ((totals.bytes_down, "down"), (totals.bytes_up, "up")) if octets
    ]
    return ", ".join([*parts, *wrong])
