"""What the smaller commands find, as values: the language between the wiring and the commands."""

from collections.abc import Mapping
from typing import Literal

from syncer.ports import KnownMailbox
from syncer.reconcile.events import Told
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import PairState
from syncer.values import Struct

By = Literal["watch", "run"]
"""Who works on an account: a `watch`, which stays, or any other run."""


class Queued(Struct, frozen=True):
    """What the next pass would send to the server of one mailbox, if nothing has happened there."""

    new: int = 0
    """Messages to append."""
    flags: int = 0
    """Messages of which flags have changed."""
    deleted: int = 0
    """Messages to expunge."""
    moved: int = 0
    """Messages to move out of the mailbox into another."""
    held: int = 0
    """Deletions that a guard would hold back."""
    parked: int = 0
    """Files that have failed so often that they are left alone for a while."""
    mailbox: Literal["create", "rename", "delete"] | None = None
    """What is to be done with the mailbox as a whole."""


class AccountStatus(Struct, frozen=True):
    """What the index says about one account, without asking the server."""

    name: str
    host: str
    maildir: str
    known: tuple[KnownMailbox, ...] | None
    """None where the account was never synchronised."""
    error: str | None = None
    """Why the index could not be read."""
    queued: Mapping[MailboxName, Queued] | None = None
    """What waits to be sent, of the mailboxes where anything does; None: it was not looked for, or cannot be."""
    unseen: tuple[str, ...] = ()
    """Why nothing, or not everything, can be said of that."""
    by: By | None = None
    """Who works on the account at the moment, as far as is known; some of what is queued may be on its way then."""


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


class History(Struct, frozen=True):
    """What was done to one message."""

    mailbox: MailboxName
    uid: Uid | None
    name: UniqueName | None
    state: PairState | None
    """On which sides it is as far as the index knows; None if it does not know it now, under these."""
    told: tuple[Told, ...]


class Restored(Struct, frozen=True):
    """A message that was brought back from the attic, or would be."""

    mailbox: MailboxName
    day: str
    """When it had gone there: YYYY-MM-DD, in UTC."""
    name: UniqueName
    error: str | None = None
    """Why it could not be: it is still in the attic."""
