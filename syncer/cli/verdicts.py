"""PURE: what `verify` found, as lines for a person: which message, what is wrong with it, and what to do about it."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from syncer.cli.output import Line
from syncer.reconcile.verdicts import HARMLESS, Absence, Finding, Kind, Remedy
from syncer.verification import AccountVerification, Found, MailboxVerification, Verification

_WHAT: Final = {
    Kind.DAMAGED: "the file is damaged",
    Kind.UNREADABLE: "the file cannot be read",
    Kind.SERVER_DIFFERS: "the server has another copy than the file and the index",
    Kind.INDEX_WRONG: "the index is wrong; file and server agree",
    Kind.UNDECIDED: "no two of file, server and index agree",
    Kind.MISSING_LOCAL: "deleted or moved in the Maildir, not yet synced",
    Kind.MISSING_SERVER: "expunged or moved on the server, not yet synced",
    Kind.NOT_READ: "it could not be read on both sides",
    Kind.REWRITTEN: "the server has its own version of what was uploaded",
}
_TOTALS: Final = {
    Kind.DAMAGED: "damaged in the Maildir",
    Kind.UNREADABLE: "not readable in the Maildir",
    Kind.SERVER_DIFFERS: "not the same on the server",
    Kind.INDEX_WRONG: "wrong in the index",
    Kind.UNDECIDED: "undecided",
    Kind.MISSING_LOCAL: "deleted in the Maildir since the last sync",
    Kind.MISSING_SERVER: "expunged on the server since the last sync",
    Kind.NOT_READ: "not read",
    Kind.REWRITTEN: "changed by the server when uploaded",
}
MOST = 20
"""So many messages of a kind are named in each mailbox, unless all are asked for."""

_ADVICE: Final = {
    Kind.DAMAGED: "no other copy is known to be whole: look for one in a backup before you delete this one",
    Kind.SERVER_DIFFERS: "it may be another message, so it is left alone; syncer sync --full says more",
    Kind.UNDECIDED: "nothing proves which one is whole, so all are left as they are: compare them yourself",
    Kind.NOT_READ: "the server lists it and does not deliver it: verify again",
}
_INSTEAD: Final = {
    Kind.MISSING_LOCAL: "the next sync does so on the server if settings allow; to have it in the Maildir again",
    Kind.MISSING_SERVER: "the next sync does so in the Maildir if settings allow; to have it on the server again",
}
"""What to do about all messages of a kind, before the command."""


def lines(found: Verification, command: Sequence[str]) -> Iterator[Line]:
    """The lines. `command` is what begins a command to go on with, such as `syncer -c FILE`."""
    for account in found.accounts:
        about = (account.name,)
        for mailbox in account.mailboxes.values():
            target = f"{account.name}:{mailbox.name}"
            for line in _mailbox(target, mailbox, command, repaired=found.options.repair):
                yield line._replace(about=(account.name, mailbox.name))
        if account.error is not None:
            yield Line(f"syncer: {account.name}: {account.error}", "error", -1, about)
        yield Line(f"{account.name}: {_outcome(account)} ({account.seconds:.1f} s)", about=about)


def _mailbox(target: str, mailbox: MailboxVerification, command: Sequence[str], *, repaired: bool) -> Iterator[Line]:
    if mailbox.trouble is not None:
        yield Line(f"syncer: {target}: {mailbox.trouble}", "error" if mailbox.error else "warning", -1)
        if mailbox.trouble is mailbox.held:
            restore = shlex.join([*command, "restore", target])
            yield Line(
                f"  if they are damaged, delete them on the server, and this uploads yours: {restore}", "plain", -1
            )
    for kind in Kind:
        ones = mailbox.of(kind)
        for place, one in enumerate(ones):
            if place == MOST and kind not in HARMLESS:
                yield Line(f"  and {len(ones) - MOST} more of these; -v names them, and so does --json", "plain", -1)
            yield from _message(target, one, command, least=-1 if place < MOST else 1)
        if ones and kind in _INSTEAD:
            yield Line(f"  {_INSTEAD[kind]}: {shlex.join([*command, 'restore', target])}", "plain", -1)
    number = sum(one.finding.remedy is not Remedy.NONE and not one.repaired for one in mailbox.found)
    if number and not repaired:
        repair = shlex.join([*command, "verify", "--repair", target])
        yield Line(f"  of these, {number} can be repaired: {repair}", "plain", -1)
    later = _later(mailbox)
    if later:
        yield Line(f"{target}: for the next sync: {later}")


def _message(target: str, found: Found, command: Sequence[str], *, least: int) -> Iterator[Line]:
    """What is wrong with one message, and below it where and why and what to do."""
    kind = found.finding.kind
    words = f"{target}: UID {found.finding.pair.uid}: {_WHAT[kind]}{_sizes(found.finding)}"
    if kind is Kind.REWRITTEN:
        yield Line(words, "plain", 1)
        return
    if found.repaired:
        yield Line(f"{words}; repaired", "plain", least)
        below: tuple[str | None, ...] = (found.said, _aside(target, found, command))
    else:
        yield Line(f"syncer: {words}", "error", least)
        below = (found.path, found.reason, found.said or _advice(found))
    yield from (Line(f"  {text}", "plain", least) for text in below if text)


def _aside(target: str, found: Found, command: Sequence[str]) -> str | None:
    """Where the file is in whose place another was put: it may be one that somebody has edited."""
    if found.finding.remedy is not Remedy.FETCH:
        return None
    back = shlex.join([*command, "restore", target, f"--message={found.finding.pair.name}"])
    return f"the file that was there is in the attic; to have it as another message: {back}"


def _sizes(finding: Finding) -> str:
    """The sizes in octets where they tell something."""
    known = finding.pair.fingerprint.size
    parts = []
    for place, copy in (("in the file", finding.file), ("on the server", finding.server)):
        if not isinstance(copy, Absence):
            octets = copy if not isinstance(copy, tuple) else copy[0]
            parts.append((octets.size, f"{octets.size} {place}"))
    if all(octets == known for octets, _ in parts):
        return ""
    return f" ({known} octets in the index, {', '.join(text for _, text in parts)})"


def _advice(found: Found) -> str | None:
    """What to do about a message that was not repaired; None where that is said, or the repairing command is named."""
    finding = found.finding
    if finding.remedy is not Remedy.NONE or found.reason:
        return None
    if finding.kind is Kind.DAMAGED and finding.server is Absence.UNSEEN:
        return _ADVICE[Kind.NOT_READ]
    return _ADVICE.get(finding.kind)


def _later(mailbox: MailboxVerification) -> str:
    counts = (
        (mailbox.new_local, "new in the Maildir"),
        (mailbox.new_server, "new on the server"),
        (mailbox.flags, "with other flags"),
    )
    return ", ".join(f"{number} {what}" for number, what in counts if number)


def _outcome(account: AccountVerification) -> str:
    mailboxes = account.mailboxes.values()
    checked, messages = sum(m.checked for m in mailboxes), sum(m.messages for m in mailboxes)
    found = [one for mailbox in mailboxes for one in mailbox.found]
    parts = [
        f"{checked} of {messages} messages read on both sides" if checked != messages else f"{checked} messages read"
    ]
    for kind in Kind:
        number = sum(one.finding.kind is kind and not one.repaired for one in found)
        parts += [f"{number} {_TOTALS[kind]}"] if number else []
    if number := sum(one.repaired for one in found):
        parts.append(f"{number} repaired")
    if len(parts) == 1 and account.ok and messages:
        parts.append("all whole")
    if failed := sum(mailbox.trouble is not None for mailbox in mailboxes):
        parts.append(f"{failed} {'mailbox' if failed == 1 else 'mailboxes'} not in order")
    return ", ".join(parts)
