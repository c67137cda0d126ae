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
from syncer.reconcile.policy import Limits, Policy
from syncer.report import AccountReport, Report, SyncOptions, Target
from syncer.values import Struct
from syncer.wiring.edge import each_account
from syncer.wiring.parts import Workshop, connector_for, opened

RULES = 1
"""Raise it when the same settings lead to other decisions than before: everything is then compared once."""


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
        mailboxes = {target.mailbox for target in targets}
        with opened(self.config, account, stop=self.stop, wait=options.wait, read_only=options.dry_run) as workshop:
            for mailbox in [None] if None in mailboxes else sorted(mailboxes, key=str):
                order = Order(
                    account.name,
                    policy_of(account, options),
                    account.wants,
                    mailbox,
                    dry_run=options.dry_run,
                    every_action=options.every_action,
                    full=options.full,
                    full_interval=account.full_interval,
                    settings=decisive(account),
                )
                self._pass(order, account, workshop, report)
            if not options.dry_run:
                workshop.store.purge_attic(account.keep_deleted, time.time())

    def _pass(self, order: Order, account: Account, workshop: Workshop, report: AccountReport) -> None:
        index = None if order.dry_run else workshop.index
        connect = connector_for(account, self.stop, call=self.calls.pop(account.name, None), index=index)

        def one_session() -> None:
            with Crew(connect, account.connections, self.stop) as crew:
                one = Pass(order, crew, workshop.store, workshop.index, report, self.progress, now, self.stop)
                one.run()

        session(one_session, self.stop)


def now() -> int:
    """Seconds since the epoch."""
    return int(time.time())


def policy_of(account: Account, options: SyncOptions) -> Policy:
    """What the settings and the options of a run allow."""
    return Policy(
        direction=account.direction,
        on_local_delete=account.on_local_delete,
        mailbox_changes=account.mailbox_changes,
        limits=Limits(account.max_delete, options.allow_delete),
        restore=options.restore,
    )


def decisive(account: Account) -> str:
    """The settings under which something may have been left alone that others would have done."""
    decisive = (account.host, account.port, account.user, account.direction, account.on_local_delete)
    return ascii((RULES, *decisive))
