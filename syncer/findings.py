"""What the smaller commands find, as values: the language between the wiring and `status`, `check` and `mailbox`."""

from typing import Literal

from syncer.ports import KnownMailbox
from syncer.reconcile.identity import MailboxName
from syncer.values import Struct


class AccountStatus(Struct, frozen=True):
    """What the index says about one account, without asking the server."""

    name: str
    host: str
    maildir: str
    known: tuple[KnownMailbox, ...] | None
    """None where the account was never synchronised."""
    error: str | None = None
    """Why the index could not be read."""


class CheckLine(Struct, frozen=True):
    """One thing that was checked."""

    what: str
    ok: bool
    detail: str
    advice: str | None = None
    """What to do about it."""
    kind: Literal["connect", "local"] = "local"
    """Whether a failure means that the server cannot be used, or that something here is wrong."""


class MailboxLine(Struct, frozen=True):
    """A mailbox and where it exists."""

    name: MailboxName
    on_server: bool
    in_maildir: bool
    messages: int | None = None
    """How many messages the index pairs; None where it does not know the mailbox."""
