"""A pass over every account."""

import threading
import time
from collections.abc import Mapping, Sequence

from syncer.config import Account, Config
from syncer.crew import Crew
from syncer.engine import Order, Pass
from syncer.imap.dial import Call
from syncer.imap.retry import session
from syncer.ports import Progress
from syncer.reconcile.identity import MailboxName
from syncer.report import AccountReport, Report, SyncOptions, Target
from syncer.values import Struct
from syncer.wiring.edge import each_account
from syncer.wiring.orders import order_of
from syncer.wiring.parts import Workshop, connector_for, opened
from syncer.wiring.status import Files


def sync_accounts(
    config: Config,
    targets: Sequence[Target],
    options: SyncOptions,
    progress: Progress,
    stop: threading.Event,
    *,
    calls: Mapping[str, Call],
) -> Report:
    """One pass over everything that `targets` names, or over everything; setting `stop` ends it cleanly.

    `calls` are connections that are under way, by account.
    """
    run = _Run(config, options, progress, stop, dict(calls))
    accounts = each_account(config, targets, AccountReport, run.sync, stop)
    return Report(accounts, dry_run=options.dry_run)


class _Run(Struct, frozen=True):
    config: Config
    options: SyncOptions
    progress: Progress
    stop: threading.Event
    calls: dict[str, Call]
    """Not taken over yet."""

    def sync(self, account: Account, targets: Sequence[Target], report: AccountReport) -> None:
        """A pass over one account."""
        options = self.options
        mailboxes = chosen(targets)
        if (answered := self._by_a_watch(account, mailboxes)) is not None:
            for name in answered.__struct_fields__:
                setattr(report, name, getattr(answered, name))
            return
        with opened(self.config, account, stop=self.stop, wait=options.wait, read_only=options.dry_run) as workshop:
            for mailbox in mailboxes:
                self._pass(order_of(account, options, mailbox), account, workshop, report)
            if not options.dry_run:
                workshop.store.purge_attic(account.keep_deleted, time.time())

    def _by_a_watch(self, account: Account, mailboxes: Sequence[MailboxName | None]) -> AccountReport | None:
        """What came of it, where a `watch` keeps the account equal; None where there is none."""
        files = Files.of(self.config, account)
        if not files.may_be_watched:
            return None
        from syncer.wiring.asking import asked_to_sync  # noqa: PLC0415 - only who asks pays for it

        return asked_to_sync(files.control, mailboxes, self.options, self.stop)

    def _pass(self, order: Order, account: Account, workshop: Workshop, report: AccountReport) -> None:
        index = None if order.dry_run else workshop.index
        connect = connector_for(account, self.stop, call=self.calls.pop(account.name, None), index=index)

        def one_session() -> None:
            with Crew(connect, account.connections, self.stop) as crew:
                one = Pass(order, crew, workshop.store, workshop.index, report, self.progress, now, self.stop)
                one.run()

        session(one_session, self.stop)


def chosen(targets: Sequence[Target]) -> list[MailboxName | None]:
    """The mailboxes that the targets name; None is all of them."""
    mailboxes = {target.mailbox for target in targets}
    return [None] if None in mailboxes else sorted(mailboxes, key=str)


def now() -> int:
    """Seconds since the epoch."""
    return int(time.time())
