"""Accounts that are kept equal by themselves, until somebody ends it."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from syncer.config import Account, Config
from syncer.crew import Crew
from syncer.daemon.pending import Change
from syncer.engine import Hints, Order, Pass
from syncer.errors import AccountError, LoginError
from syncer.imap.mailbox import ImapServer
from syncer.imap.retry import OUTAGES, persistently
from syncer.maildir.watcher import Watcher
from syncer.ports import Progress
from syncer.ports.push import Push
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import AccountReport, Report, SyncOptions, Target
from syncer.values import Struct
from syncer.wakeups import Due
from syncer.watching.listening import Listening
from syncer.watching.loop import Loop
from syncer.wiring.edge import contained, each_account
from syncer.wiring.parts import Workshop, connector_for, opened
from syncer.wiring.passes import decisive, now, policy_of

WHOLE = 3_600.0
"""Seconds after which everything is looked at where the server tells of every mailbox by itself."""


class Audience(Struct, frozen=True):
    """Who is told what happens; called from several threads."""

    passed: Callable[[AccountReport], None]
    """A pass is over."""
    failed: Callable[[str, AccountError, float], None]
    """An account cannot be worked on, and is tried again after so many seconds."""
    progress: Progress
    changed: Callable[[str, Sequence[Change]], None] | None = None
    """These files of an account's Maildir were just changed; None: nobody wants to know."""


class _Followed:
    """Collects what is done to message files."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: dict[MailboxName, tuple[list[str], list[str], list[tuple[str, str]]]] = {}

    def __call__(self, mailbox: MailboxName, was: bytes | None, now: bytes | None) -> None:
        """Take one."""
        with self._lock:
            added, removed, changed = self._changes.setdefault(mailbox, ([], [], []))
            if was is not None and now is not None:
                changed.append((os.fsdecode(was), os.fsdecode(now)))
            elif now is not None:
                added.append(os.fsdecode(now))
            elif was is not None:
                removed.append(os.fsdecode(was))

    def take(self) -> list[Change]:
        """What there was since the last time."""
        with self._lock:
            changes, self._changes = self._changes, {}
        return [Change(mailbox, *lists) for mailbox, lists in changes.items()]


class Watch:
    """All the accounts."""

    def __init__(self, config: Config, targets: Sequence[Target], audience: Audience, stop: threading.Event) -> None:
        """`stop` ends it; call `end` after it was set."""
        self._config = config
        self._targets = targets
        self._audience = audience
        self._stop = stop
        self._watched: list[_Watched] = []

    def run(self) -> Report:
        """Keep the accounts equal until the end; what is reported is why accounts were given up before."""
        accounts = each_account(
            self._config, self._targets, AccountReport, self._one, self._stop, most=len(self._config.accounts)
        )
        return Report(accounts)

    def hurry(self) -> None:
        """Look at everything now, and try again what is waited for."""
        for watched in list(self._watched):
            watched.hurry()

    def end(self) -> None:
        """`stop` was set."""
        for watched in list(self._watched):
            watched.loop.end()

    def _one(self, account: Account, targets: Sequence[Target], _report: AccountReport) -> None:
        watched = _Watched(self._config, account, targets, self._audience, self._stop)
        self._watched.append(watched)
        try:
            watched.run()
        except AccountError:
            if not self._stop.is_set():
                raise


class _Watched:
    """One account."""

    def __init__(
        self,
        config: Config,
        account: Account,
        targets: Sequence[Target],
        audience: Audience,
        stop: threading.Event,
    ) -> None:
        self._config = config
        self._account = account
        self._audience = audience
        self._stop = stop
        chosen = {target.mailbox for target in targets}
        self._chosen = None if None in chosen else chosen
        self._workshop: Workshop | None = None
        self._crew: Crew | None = None
        self._trash: MailboxName | None = None
        self._connect: Callable[[], ImapServer] | None = None
        self._listening: list[Listening] = []
        self._followed = _Followed()
        tell = partial(audience.failed, account.name)
        self._outages = partial(persistently, tell=tell, kinds=(*OUTAGES, LoginError))
        self._anything = partial(persistently, tell=tell)
        self.loop = Loop(self, self._outages, stop, interval=account.poll_interval, keepalive=account.keepalive)

    def hurry(self) -> None:
        """See `Watch.hurry`."""
        self.loop.hurry()
        for listening in list(self._listening):
            listening.hurry()

    def run(self) -> None:
        """Until the end. Where index or Maildir cannot be opened, or are not what they were, they are opened again."""
        self._anything(self._stay, self.loop.rest, self._stop)

    def make_pass(self, due: Due) -> bool:
        """See `Work`."""
        report = AccountReport(self._account.name)
        broken: list[AccountError] = []

        def work(report: AccountReport) -> None:
            try:
                self._pass(due, report)
            except AccountError as error:
                broken.append(error)
                raise

        contained(self._account.name, report, work)
        changes = self._followed.take()
        if changes and self._audience.changed is not None:
            self._audience.changed(self._account.name, changes)
        if broken:
            self._hang_up(forget=isinstance(broken[0], LoginError))
            raise broken[0]
        self._audience.passed(report)
        return report.error is None and not any(mailbox.trouble for mailbox in report.mailboxes.values())

    def keep(self) -> None:
        """See `Work`."""
        try:
            if self._crew is not None:
                self._crew.one(lambda server: server.noop())
        except AccountError:  # it is made anew when it is needed
            self._hang_up()

    def _stay(self) -> None:
        account = self._account
        with ExitStack() as stack:
            self._workshop = stack.enter_context(opened(self._config, account, stop=self._stop, wait=True))
            if self._audience.changed is not None:
                self._workshop.store.follower = self._followed
            stack.callback(self._hang_up)
            watcher = Watcher(str(account.maildir), account.layout, partial(self.loop.hint, "local"))
            stack.enter_context(watcher)
            for mailbox in self._heard_of():
                listening = Listening(
                    partial(self._listen, mailbox), self.loop, self._outages, keepalive=account.keepalive
                )
                self._listening.append(listening)
                stack.callback(self._leave, listening)
                listening.start()
            self.loop.run()

    def _heard_of(self) -> list[MailboxName]:
        """The mailboxes to idle in; the first connection is the one for NOTIFY, if the server has it."""
        named = [INBOX if name.upper() == INBOX else MailboxName(name) for name in self._account.idle]
        return [name for name in dict.fromkeys(named) if self._wants(name)] or [INBOX]

    def _leave(self, listening: Listening) -> None:
        self._listening.remove(listening)
        listening.end()

    def _listen(self, mailbox: MailboxName) -> Push | None:
        try:
            push = self._connector()().listen(mailbox)
        except LoginError:
            self._connect = None  # the password may be another one by now
            raise
        if push is not None and push.covers is None:
            self.loop.interval = max(WHOLE, self._account.poll_interval)
        return push

    def _pass(self, due: Due, report: AccountReport) -> None:
        assert self._workshop is not None
        account, workshop = self._account, self._workshop
        if self._crew is None:
            self._crew = Crew(self._connector(), account.connections, self._stop)
        order = Order(
            account.name,
            policy_of(account, SyncOptions()),
            self._wants,
            hints=self._hints(due),
            full_interval=account.full_interval,
            settings=decisive(account),
        )
        one = Pass(order, self._crew, workshop.store, workshop.index, report, self._audience.progress, now, self._stop)
        one.run()
        self._crew.dismiss()
        if order.hints is None:
            self._trash = one.trash
            workshop.store.purge_attic(account.keep_deleted, time.time())

    def _hints(self, due: Due) -> Hints | None:
        """Where to look; None for everywhere, which is where a mailbox is that the index does not know."""
        assert self._workshop is not None
        wanted = {name: sides for name, sides in due.mailboxes.items() if self._wants(name)}
        known = {mailbox.name for mailbox in self._workshop.index.mailboxes()}
        return None if due.everything or wanted.keys() - known else Hints(wanted, self._trash)

    def _wants(self, mailbox: str) -> bool:
        return self._account.wants(mailbox) and (self._chosen is None or mailbox in self._chosen)

    def _connector(self) -> Callable[[], ImapServer]:
        """What opens connections; it asks for the password once."""
        if self._connect is None:
            self._connect = connector_for(self._account, self._stop)
        return self._connect

    def _hang_up(self, *, forget: bool = False) -> None:
        """Close what is open; `forget` the password as well, which may be another one by now."""
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.__exit__(None, None, None)
        if forget:
            self._connect = None
