"""One pass over one account: look at both sides, and if something differs, decide, apply, and look again if need be.

The engine decides nothing about messages (that is `reconcile/`), looks at nothing (`observer/`) and changes nothing
(`executor/`); it asks, hands over and records how far it came. What only a pass with something to do needs
(`applying`) is loaded when there is something to do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from syncer.crew import Crew
from syncer.errors import AccountError
from syncer.observer import Look, Observer, Shortcuts
from syncer.ports import Index, LocalStore, Progress
from syncer.reconcile.identity import MailboxName
from syncer.reconcile.places import Places
from syncer.reconcile.policy import Policy
from syncer.recording import finished
from syncer.report import AccountReport

if TYPE_CHECKING:
    from syncer.applying import Applying

ROUNDS = 3
"""How often one pass looks at the account: once, again for what could not be recorded at first, and once to spare."""

DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Order:
    """What one pass is to do."""

    account: str
    policy: Policy
    wants: Callable[[str], bool]
    """Whether the settings include a mailbox."""
    way_on: str
    """What a person can do about a mailbox that is not the one the index knows."""
    mailbox: MailboxName | None = None
    """Only this one."""
    dry_run: bool = False
    full: bool = False
    """Compare everything, whatever earlier passes recorded."""
    full_interval: int = 7 * DAY
    """Seconds after which this is done anyway."""
    settings: str = ""
    """A fingerprint of the settings that decide what is done."""


@dataclass(slots=True)
class Pass:
    """One pass; `run` fills `report`."""

    order: Order
    crew: Crew
    store: LocalStore
    index: Index
    report: AccountReport
    progress: Progress
    now: Callable[[], int]
    """Seconds since the epoch."""
    stop: threading.Event
    failed: set[MailboxName] = field(default_factory=set)

    def run(self) -> None:
        """Make both sides equal.

        Raises:
            AccountError: the account cannot be worked on any further; what was done is recorded.
        """
        order = self.order
        shortcuts = Shortcuts(order.settings, self.now(), order.full_interval, never=order.full)
        observer = Observer(order.account, self.crew, self.store, self.index, order.wants, self.progress, shortcuts)
        observer.spelling.normal(self.index.keywords())
        applying: Applying | None = None
        for _ in range(ROUNDS):
            places = self._places(observer)
            if not places.settled:
                applying = applying or self._applying(observer)
                places = applying.arrange(places)
            look = observer.look(places, self._chosen(places), self.index.deleted_since(self.now() - DAY))
            if look.untouched and applying is None:
                break
            applying = applying or self._applying(observer)
            applying.decide(look)
            if order.dry_run:
                break
            applying.apply()
            if not applying.look_again:
                break
        if applying is not None:
            applying.tell()
        if not order.dry_run:
            self._finish(look, applying)

    def _applying(self, observer: Observer) -> Applying:
        from syncer.applying import Applying  # noqa: PLC0415 (a pass that finds nothing to do needs none of it)

        policy = self.order.policy
        if policy.on_local_delete == "trash":
            policy = replace(policy, trash=observer.trash)
        return Applying(self, observer, policy)

    def _places(self, observer: Observer) -> Places:
        places = observer.places()
        if self.order.policy.mailbox_changes == "all" and not places.settled:
            places = observer.for_renames(places)
        return places

    def _chosen(self, places: Places) -> set[MailboxName]:
        """The mailboxes to look at: those the index knows, and those that have just got both places."""
        every = places.known.keys() | (places.server & places.local)
        if self.order.dry_run:
            every = every | places.server | places.local
        if self.order.mailbox is None:
            return set(every) - self.failed
        if self.order.mailbox not in every | places.server | places.local:
            some = ", ".join(sorted(every)[:20]) or "none"
            raise AccountError(f"there is no mailbox {self.order.mailbox} on either side; there are: {some}")
        return {self.order.mailbox} & every - self.failed

    def _finish(self, look: Look, applying: Applying | None) -> None:
        """Record how far each mailbox came, for the next pass and for `status`."""
        if applying is not None:
            applying.note_holds()
        again = applying is not None and applying.look_again
        self.index.finish(tuple(finished(self, look, settled=not again)), self.now())
        known = {mailbox.name for mailbox in self.index.mailboxes()} if self.report.mailboxes else ()
        for name, mailbox in self.report.mailboxes.items():
            if name in known and mailbox.trouble:
                self.index.fail(name, mailbox.trouble)
