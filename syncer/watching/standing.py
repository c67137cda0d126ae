"""PURE: how it stands with one watched account, as one value, and how that changes with what happens.

Each function takes the standing as it was and returns it as it is after something has happened. Times are seconds since
the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from syncer.errors import AccountError, LockedError, LoginError, RefusedError, TlsError
from syncer.ports import KnownMailbox
from syncer.reconcile.identity import MailboxName
from syncer.report import AccountReport
from syncer.values import Struct, field, replace

How = Literal["notify", "idle", "polling"]
"""How changes on the server are noticed: it tells of every mailbox, of some, or it is asked from time to time."""

Kind = Literal["network", "tls", "login", "locked", "refused", "other"]
"""Why an account cannot be worked on: the server cannot be reached; its certificate; its refusal of the log-in; another
run that works on the account; a guard, such as a Maildir that is not mounted; anything else that is wrong here."""


class LastPass(Struct, frozen=True):
    """The pass that has ended last."""

    at: int
    """When it ended."""
    seconds: float
    ok: bool
    """Nothing failed and nothing was held back."""
    error: str | None = None
    """Why the account as a whole was given up in it."""


class Waiting(Struct, frozen=True):
    """A failure after which the account is tried again, or was given up."""

    kind: Kind
    error: str
    until: int | None
    """When it is tried again at the latest; None: it was given up."""


class Standing(Struct, frozen=True):
    """One account, as far as a `watch` knows."""

    account: str
    since: int
    """When the watch has begun to keep it equal."""
    linked: bool = False
    """The connections on which passes are made stand, as far as is known."""
    notify: bool = False
    """A connection stands on which the server tells of every mailbox."""
    idle: frozenset[MailboxName] = frozenset()
    """The mailboxes in which a connection idles."""
    busy: int | None = None
    """Since when a pass is being made; None: none is."""
    last: LastPass | None = None
    """None before the first pass has ended."""
    well: int | None = None
    """When the last pass ended in which nothing failed and nothing was held back."""
    answered: int | None = None
    """When the server was last known to answer."""
    waiting: Waiting | None = None
    """None while the account can be worked on."""
    troubles: Mapping[MailboxName, str] = field(default_factory=dict)
    """Mailboxes in which something is wrong, and what; those in which deletions are held back included."""
    held: Mapping[MailboxName, tuple[str, ...]] = field(default_factory=dict)
    """The sides ("local", "server") on which deletions are held back until a person decides, by mailbox."""
    degraded: str | None = None
    """Why some changes in the Maildir are noticed later than at once."""

    @property
    def connected(self) -> bool:
        """Any connection to the server stands, as far as is known."""
        return self.linked or self.notify or bool(self.idle)

    @property
    def how(self) -> How:
        """How changes on the server are noticed at the moment."""
        return "notify" if self.notify else "idle" if self.idle else "polling"


def began(standing: Standing, at: int) -> Standing:
    """A pass begins."""
    return replace(standing, busy=at)


def passed(standing: Standing, report: AccountReport, at: int, known: Iterable[KnownMailbox]) -> Standing:
    """A pass has ended; `known` are the mailboxes that the account is about, as the index has them then."""
    known = tuple(known)
    found = LastPass(at, report.seconds, report.ok, report.error)
    return replace(
        standing,
        busy=None,
        last=found,
        well=at if report.ok else standing.well,
        answered=at if report.error is None else standing.answered,
        linked=report.error is None,
        waiting=standing.waiting if report.error is not None else None,
        troubles={mailbox.name: mailbox.error for mailbox in known if mailbox.error is not None},
        held={mailbox.name: tuple(sorted(mailbox.held)) for mailbox in known if mailbox.held},
    )


def failed(standing: Standing, error: AccountError, at: int, seconds: float) -> Standing:
    """It could not be worked on, and is tried again in so many seconds, which may be infinitely many."""
    until = None if seconds == float("inf") else at + round(seconds)
    return replace(standing, waiting=Waiting(kind_of(error), str(error), until))


def kept(standing: Standing, at: int) -> Standing:
    """The server has answered, although nothing was to be done."""
    return replace(standing, answered=at)


def unlinked(standing: Standing) -> Standing:
    """The connections on which passes are made were closed."""
    return replace(standing, linked=False, busy=None)


def hears(standing: Standing, covers: frozenset[MailboxName] | None) -> Standing:
    """The server tells of these mailboxes from now on; None: of all of them."""
    if covers is None:
        return replace(standing, notify=True)
    return replace(standing, idle=standing.idle | covers)


def deaf(standing: Standing, covers: frozenset[MailboxName] | None) -> Standing:
    """It tells of these no more."""
    if covers is None:
        return replace(standing, notify=False)
    return replace(standing, idle=standing.idle - covers)


def watches(standing: Standing, degraded: str | None) -> Standing:
    """The Maildir is watched as well as can be; or why it is not."""
    return replace(standing, degraded=degraded)


def kind_of(error: AccountError) -> Kind:
    """What kind of failure an error is."""
    match error:
        case LoginError():
            return "login"
        case TlsError():
            return "tls"
        case LockedError():
            return "locked"
        case RefusedError():
            return "refused"
        case AccountError(transient=True):
            return "network"
        case _:
            return "other"
