"""One pass over one account: a glance at both sides, and if anything happened, `rounds` of looking and applying.

A pass that finds nothing to do is what happens most, so it loads nothing but this. The engine decides nothing about
messages (that is `reconcile/`), looks at nothing (`observer/`) and changes nothing (`executor/`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from syncer.crew import Crew
from syncer.errors import AccountError
from syncer.observer.ahead import Ahead
from syncer.observer.glance import Glance, Shortcuts
from syncer.ports import Finished
from syncer.reconcile.identity import MailboxName, Side, UniqueName
from syncer.reconcile.places import Places
from syncer.reconcile.policy import Policy
from syncer.values import Struct, field

if TYPE_CHECKING:
    from syncer.ports import Index, KnownMailbox, LocalStore, Progress
    from syncer.report import AccountReport

DAY = 24 * 60 * 60


class Hints(Struct, frozen=True):
    """Where something may have happened since the last pass, for one that need not look anywhere else."""

    mailboxes: Mapping[MailboxName, frozenset[Side]]
    """Each with the sides on which it may have."""
    trash: MailboxName | None = None
    r"""The mailbox with the `\Trash` attribute, as an earlier pass found it."""


class Order(Struct, frozen=True):
    """What one pass is to do."""

    account: str
    policy: Policy
    wants: Callable[[str], bool]
    """Whether the settings include a mailbox."""
    mailbox: MailboxName | None = None
    """Only this one."""
    hints: Hints | None = None
    """Only these."""
    deleted: Callable[[Collection[MailboxName], Collection[tuple[MailboxName, UniqueName]]], bool] | None = None
    """Whether what is missing in the Maildir counts as deleted yet, in a pass over these mailboxes; None: it does. An
    empty name is the mailbox as a whole."""
    some: bool = False
    """`wants` leaves out mailboxes that the settings include."""
    dry_run: bool = False
    every_action: bool = False
    """The report is to name every action that was carried out."""
    full: bool = False
    """Compare everything, whatever earlier passes recorded."""
    full_interval: int = 7 * DAY
    """Seconds after which this is done anyway."""
    settings: str = ""
    """Those that decide what is done, in ASCII."""

    @property
    def whole(self) -> bool:
        """The pass is about the whole account."""
        return self.mailbox is None and self.hints is None and not self.some

    def is_about(self, mailbox: str) -> bool:
        """Whether the pass is about a mailbox, as far as its name tells."""
        hinted = self.hints is None or mailbox in self.hints.mailboxes
        return hinted and self.mailbox in {None, mailbox} and self.wants(mailbox)


class Pass(Struct):
    """One pass; `run` fills `report`."""

    order: Order
    """Without the hints once a mailbox has turned out to be gone."""
    crew: Crew
    store: LocalStore
    index: Index
    report: AccountReport
    progress: Progress
    now: Callable[[], int]
    """Seconds since the epoch."""
    stop: threading.Event
    failed: set[MailboxName] = field(default_factory=set)
    trash: MailboxName | None = None
    """See `Hints.trash`; known when the pass is over."""

    def run(self) -> None:
        """Make both sides equal.

        Raises:
            AccountError: the account cannot be worked on any further; what was done is recorded.
        """
        order = self.order
        never = order.full or order.policy.restore  # what is to be restored may have been told of long ago
        shortcuts = Shortcuts(order.settings, self.now(), order.full_interval, never=never)
        ahead = Ahead(self.store, self.index, shortcuts, order.is_about, _load)
        try:
            glance = Glance(order.account, self.crew, self.store, self.index, order.wants, shortcuts, ahead)
            glance.trash = order.hints.trash if order.hints is not None else None
            places = glance.places() if order.hints is None else glance.remembered(order.hints.mailboxes)
            self.trash = glance.trash
            names = self.chosen(places)
            unchanged = glance.unchanged(places, names, ahead.state) if places.settled else {}
            if places.settled and unchanged.keys() == names:
                self._finish(unchanged)
            else:
                self.work(glance, places)
        finally:
            ahead.end()

    def work(self, glance: Glance, places: Places) -> None:
        """Go on from a glance at which something had happened."""
        from syncer.engine.rounds import Rounds  # noqa: PLC0415 (a pass that finds nothing to do needs none of it)

        Rounds(self, glance).run(places)

    def chosen(self, places: Places) -> set[MailboxName]:
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

    def _finish(self, unchanged: Mapping[MailboxName, KnownMailbox]) -> None:
        """Record that nothing had to be done."""
        if self.order.dry_run:
            return
        done = [
            Finished(name, None, None, None, known.local_state, self.order.settings, compared=False)
            for name, known in unchanged.items()
        ]
        self.index.finish(done, self.now())


def _load() -> None:
    """Load what `work` needs, since there will be some."""
    import syncer.engine.rounds  # noqa: F401, PLC0415 (see `work`)
