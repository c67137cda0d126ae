"""One account that is kept equal by itself, until somebody ends it: opened, listened to, looked at, asked."""

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from syncer.config import Account, Config
from syncer.crew import Crew
from syncer.engine import Hints, Order, Pass
from syncer.errors import (
    AccountError,
    ConnectionLostError,
    LockedError,
    LoginError,
    StoppedError,
)
from syncer.imap.retry import OUTAGES, persistently
from syncer.maildir.watcher import Watcher
from syncer.ports import KnownMailbox
from syncer.ports.rest import Hope
from syncer.reconcile.identity import MailboxName
from syncer.report import AccountReport, SyncOptions, Target
from syncer.values import replace
from syncer.wakeups import Due
from syncer.watching.deletions import Deletions
from syncer.watching.loop import Loop
from syncer.watching.pulse import Signs
from syncer.wiring.asking import Question
from syncer.wiring.desk import Desk
from syncer.wiring.edge import contained
from syncer.wiring.followed import Followed
from syncer.wiring.hearing import Hearing
from syncer.wiring.orders import order_of
from syncer.wiring.parts import LOCK_SECONDS, Connect, Workshop, connector_for, insist_unwatched, one_by_one, opened
from syncer.wiring.passes import now
from syncer.wiring.status import Files
from syncer.wiring.telling import Audience, Telling


class Watched:
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
        self.account = account
        self._audience = audience
        self._stop = stop
        chosen = {target.mailbox for target in targets}
        self._chosen = None if None in chosen else chosen
        self._workshop: Workshop | None = None
        self._crew: Crew | None = None
        self._trash: MailboxName | None = None
        self._connect: Connect | None = None
        self._door = threading.Lock()
        self._dialled: Connect | None = None
        """By which the connections of the passes are opened."""
        self._refused = False
        """The log-in was, the last time that the loop has tried."""
        self._watcher: Watcher | None = None
        self._known: tuple[KnownMailbox, ...] = ()
        """The mailboxes that are watched, as the last pass left them in the index."""
        self._followed = Followed()
        self._deletions = Deletions()
        self.telling = Telling(account.name, audience)
        self._outages = partial(persistently, tell=self.telling.failed, kinds=(*OUTAGES, LoginError))
        self._anything = partial(persistently, tell=self.telling.failed)
        self.loop = Loop(self, self._outages, stop, interval=account.poll_interval, keepalive=account.keepalive)
        self._hearing = Hearing(account, self._wants, self._connector, self.loop, self.telling)
        self._progress = Signs(audience.progress, self.loop.pulse)

    def hurry(self, hope: Hope) -> None:
        """See `Watch.hurry`."""
        if hope == "person":
            self._ask_again()
        self.loop.hurry(hope)
        self._hearing.hurry(hope)

    def run(self) -> None:
        """Until the end. Where index or Maildir cannot be opened, or are not what they were, they are opened again."""
        insist_unwatched(self._config, self.account)
        self._anything(self._stay, self.loop.rest, self._stop)

    def make_pass(self, due: Due) -> bool:
        """See `Work`."""
        report = AccountReport(self.account.name)
        broken: list[AccountError] = []

        def work(report: AccountReport) -> None:
            try:
                self._pass(due, report)
            except AccountError as error:
                broken.append(error)
                raise

        contained(self.account.name, report, work)
        changes = self._followed.take()
        if changes and self._audience.changed is not None:
            self._audience.changed(self.account.name, changes)
        if broken:
            self._hang_up()
            self._refused = isinstance(broken[0], LoginError)
            raise broken[0]
        if self._refused:
            self._refused = False
            self._hearing.hurry("person")  # it has only heard that it was refused
        if report.error is not None:  # a crew in which something failed begins nothing more
            self._hang_up()
        self.telling.passed(report, self._known)
        self.telling.watches(self._watcher.degraded if self._watcher is not None else None)
        return report.error is None and not any(mailbox.trouble for mailbox in report.mailboxes.values())

    def keep(self) -> None:
        """See `Work`."""
        try:
            if self._crew is not None:
                self._crew.one(lambda server: server.noop())
                self.telling.kept()
        except AccountError:  # it is made anew when it is needed
            self._hang_up()

    def _stay(self) -> None:
        account = self.account
        with ExitStack() as stack:
            self._workshop = self._opened(stack)
            if self._audience.changed is not None:
                self._workshop.store.follower = self._followed
            if self._audience.done is not None:
                self._workshop.index.follower = partial(self._audience.done, account.name)
            stack.callback(self._leave_workshop)
            stack.callback(self._hang_up)
            watcher = Watcher(str(account.maildir), account.layout, partial(self.loop.hint, "local"))
            self._watcher = stack.enter_context(watcher)
            stack.enter_context(self._hearing)
            # Closed first, so that who follows is not told of what is taken apart.
            Desk(account.name, self.telling, self._asked).open(Files.of(self._config, account).control, stack)
            self.telling.opened()
            try:
                self.loop.run()
            except AccountError as error:
                self.telling.closing(error)
                raise

    def _opened(self, stack: ExitStack) -> Workshop:
        """Index and Maildir; who waits for another run says so."""
        open_it = partial(opened, self._config, self.account, stop=self._stop)
        try:
            return stack.enter_context(open_it())
        except LockedError as error:
            self.telling.failed(error, LOCK_SECONDS)
        return stack.enter_context(open_it(wait=True))

    def _asked(self, question: Question) -> AccountReport:
        """What came of a pass that somebody asks for."""
        report = AccountReport(self.account.name)

        def work(report: AccountReport) -> None:
            for mailbox in question.mailboxes:
                order = order_of(self.account, question.options, mailbox)
                try:
                    self._make(order, report)
                except ConnectionLostError:  # it was idle for long, perhaps
                    self._hang_up()
                    self._make(order, report)

        def asked() -> None:
            self._ask_again()
            contained(self.account.name, report, work)
            if report.error is not None:
                self._hang_up()
                self._refused |= report.error_kind == "connect"

        try:
            self.loop.request(asked)
        except StoppedError as error:
            report.fail(error)
        if not question.options.dry_run:
            self.telling.passed(report, self._known)
        return report

    def _leave_workshop(self) -> None:
        """It is about to be closed."""
        self._workshop = None

    def _pass(self, due: Due, report: AccountReport) -> None:
        order = order_of(self.account, SyncOptions(), None)
        order = replace(
            order,
            wants=self._wants,
            hints=self._hints(due),
            deleted=lambda mailboxes, missing: self._deletions.count(time.monotonic(), mailboxes, missing),
            some=self._chosen is not None,
        )
        began, before = time.monotonic(), {mailbox.name: mailbox.epoch for mailbox in self._known}
        one = self._make(order, report)
        if order.hints is None:
            counted = {known.name for known in self._known if known.epoch != before.get(known.name, known.epoch)}
            self._hearing.looked(began, report, counted)
        self._deletions.looked(began, order.hints.mailboxes if order.hints is not None else None)
        if (later := self._deletions.due(time.monotonic())) is not None:
            self.loop.look_later(later[0], "local", later[1])
        if order.hints is None and self._workshop is not None:
            self._trash = one.trash
            self._workshop.store.purge_attic(self.account.keep_deleted, time.time())

    def _make(self, order: Order, report: AccountReport) -> Pass:
        """Make one pass, on the connections that stay."""
        if self._workshop is None:
            raise StoppedError(f"account {self.account.name}: it is being opened again; try again")
        if self._crew is None:
            self._dialled = self._connector(self._dialled if self._refused else None)
            self._crew = Crew(self._dialled, self.account.connections, self._stop)
        store, index = self._workshop.store, self._workshop.index
        if not order.dry_run:
            self.telling.began()
        index.next_run()
        one = Pass(order, self._crew, store, index, report, self._progress, now, self._stop)
        one.run()
        self._crew.dismiss()
        self._known = tuple(mailbox for mailbox in index.mailboxes() if self._wants(mailbox.name))
        for mailbox in self._known:  # of those that were looked at it is told as well that all is well again
            if order.is_about(mailbox.name):
                report.mailbox(mailbox.name)
        return one

    def _hints(self, due: Due) -> Hints | None:
        """Where to look; None for everywhere, which is where a mailbox is that the index does not know."""
        assert self._workshop is not None
        wanted = {name: sides for name, sides in due.mailboxes.items() if self._wants(name)}
        known = {mailbox.name for mailbox in self._workshop.index.mailboxes()}
        return None if due.everything or wanted.keys() - known else Hints(wanted, self._trash)

    def _wants(self, mailbox: str) -> bool:
        return self.account.wants(mailbox) and (self._chosen is None or mailbox in self._chosen)

    def _connector(self, refused: Connect | None) -> Connect:
        """What opens connections; it asks for the password once. Not `refused`: the password may be another by now."""
        with self._door:
            if self._connect is None or self._connect is refused:
                self._connect = one_by_one(connector_for(self.account, self._stop), self._stop)
            return self._connect

    def _ask_again(self) -> None:
        """Ask for the password anew where it was refused, to whomever: a person has put it right, perhaps."""
        with self._door:
            if self._refused:
                self._connect = None

    def _hang_up(self) -> None:
        """Close what is open."""
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.__exit__(None, None, None)
            self.telling.unlinked()
