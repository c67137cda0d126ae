"""The first look, which costs next to nothing: where the mailboxes are, and in which of them nothing happened.

It asks the server once for the counters of every mailbox, and looks at no directory but for its times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from syncer.crew import Crew
from syncer.errors import MailboxError
from syncer.reconcile.identity import MailboxName, Side
from syncer.reconcile.places import Places
from syncer.values import Struct, field

if TYPE_CHECKING:
    from syncer.observer.ahead import Ahead
    from syncer.ports import Index, KnownMailbox, LocalStore, Server
    from syncer.reconcile.epoch import Cursor


class Shortcuts(Struct, frozen=True):
    """When what earlier passes recorded may be relied on instead of comparing everything."""

    settings: str
    """Those that decide what is done: what was left alone under others may have to be done under these."""
    now: int
    interval: int
    """After so many seconds everything is compared, whatever anybody tells."""
    never: bool = False

    def hold(self, known: KnownMailbox | None) -> bool:
        """Whether they may be taken in this mailbox."""
        if self.never or known is None or known.compared_at is None or known.settings != self.settings:
            return False
        return 0 <= self.now - known.compared_at < self.interval


class Glance(Struct):
    """Eyes on one account from afar. `wants` says which mailboxes the settings include."""

    account: str
    crew: Crew
    store: LocalStore
    index: Index
    wants: Callable[[str], bool]
    shortcuts: Shortcuts
    ahead: Ahead | None = None
    """Reads directories meanwhile."""
    told: Mapping[MailboxName, Cursor | None] = field(default_factory=dict)
    """The counters of each mailbox, as the server told them with the last `places`."""
    trash: MailboxName | None = None
    r"""The mailbox with the `\Trash` attribute (RFC 6154 section 2), told likewise."""

    def places(self, *, anew: bool = True) -> Places:
        """Where the mailboxes are. One that LIST leaves out is asked for by name before it counts as missing.

        If not `anew`, the server is taken to have the mailboxes that it had the last time.
        """
        known = {mailbox.name: mailbox.epoch for mailbox in self.index.mailboxes() if self.wants(mailbox.name)}
        if anew:
            listed = self.crew.one(lambda server: server.mailboxes(counters=True))
            self.told = {mailbox.name: mailbox.cursor for mailbox in listed}
            self.trash = next((mailbox.name for mailbox in listed if mailbox.special_use == "\\trash"), None)
        on_server = {mailbox for mailbox in self.told if self.wants(mailbox)}
        unlisted = sorted(known.keys() - on_server)
        there = dict(zip(unlisted, self.crew.each(_exists, unlisted), strict=True))
        unknown = {mailbox: found for mailbox, found in there.items() if isinstance(found, str)}
        on_server |= {mailbox for mailbox, found in there.items() if found is True}
        local = {mailbox for mailbox in self.store.mailboxes() if self.wants(mailbox)}
        local |= {mailbox for mailbox in known.keys() - local if not self.store.scan(mailbox, {}).missing}
        return Places(
            {mailbox: epoch for mailbox, epoch in known.items() if mailbox not in unknown},
            frozenset(on_server),
            frozenset(local - unknown.keys()),
            unknown,
        )

    def remembered(self, hints: Mapping[MailboxName, frozenset[Side]]) -> Places:
        """Mailboxes that are taken to be where the last pass left them, without a question to anybody.

        On a side without a hint nothing has happened since, unless what had happened before has to be seen again.
        """
        known = {mailbox.name: mailbox for mailbox in self.index.mailboxes() if mailbox.name in hints}
        settled = {name for name in known if "server" not in hints[name] and known[name].local_state is not None}
        self.told = {name: mailbox.cursor if name in settled else None for name, mailbox in known.items()}
        names = frozenset(known)
        return Places({name: mailbox.epoch for name, mailbox in known.items()}, names, names)

    def unchanged(
        self, places: Places, names: Iterable[MailboxName], state: Callable[[MailboxName], str | None] | None = None
    ) -> dict[MailboxName, KnownMailbox]:
        """Those of the mailboxes that are on both sides as the last pass left them.

        `state` tells the state of a directory; if it is not given, they are looked at now.
        """
        state = state or self.store.state
        known = {mailbox.name: mailbox for mailbox in self.index.mailboxes()}
        both = places.server & places.local
        return {name: known[name] for name in names if name in both and self._unchanged(known.get(name), state)}

    def now(self, name: MailboxName, known: KnownMailbox | None) -> Cursor | None:
        """What the server told of a mailbox in passing, unless that is from before a message that the index knows.

        The counters then are a moment old, or the server has lost what we appended: only a look at it can tell.
        """
        told = self.told.get(name)
        if told is None or (known is not None and (told.epoch.uidnext or 0) <= (known.highest or 0)):
            return None
        return told

    def _unchanged(self, known: KnownMailbox | None, state: Callable[[MailboxName], str | None]) -> bool:
        if known is None or not self.shortcuts.hold(known) or known.cursor is None or known.local_state is None:
            return False
        try:
            now = self.now(known.name, known)
            return known.cursor.still(now) and state(known.name) == known.local_state
        except MailboxError:  # looking at it says what is wrong
            return False


def local_base(known: KnownMailbox, settings: str) -> str | None:
    """The state of the directories in which nothing was left to do; None where under these settings there may be."""
    return known.local_state if known.settings == settings else None


def quiet_here(store: LocalStore, known: Iterable[KnownMailbox], wants: Callable[[str], bool], settings: str) -> bool:
    """Whether nothing was changed in the Maildir since the last pass, so far as its directories and their times tell.

    `known` are the mailboxes of the index. False where that is not sure.
    """
    bases = {mailbox.name: local_base(mailbox, settings) for mailbox in known if wants(mailbox.name)}
    local = {mailbox for mailbox in store.mailboxes() if wants(mailbox)}
    try:
        return local == bases.keys() and all(
            base is not None and store.state(name) == base for name, base in bases.items()
        )
    except MailboxError:  # looking at it says what is wrong
        return False


def _exists(server: Server, mailbox: MailboxName) -> bool | str:
    try:
        return server.exists(mailbox)
    except MailboxError as error:
        return str(error)
