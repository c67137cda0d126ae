"""A pass over every account, side by side. An account that fails, for whatever reason, is a line in the report."""

import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial

from syncer.config import Account, Config
from syncer.crew import Crew
from syncer.engine import Order, Pass
from syncer.errors import SyncerError
from syncer.imap.dial import Call
from syncer.imap.retry import session
from syncer.ports import Progress
from syncer.reconcile.policy import Limits, Policy
from syncer.report import AccountReport, Report, SyncOptions, Target
from syncer.values import Struct
from syncer.wiring.calls import MOST
from syncer.wiring.parts import Workshop, connector_for, opened
from syncer.workers import Workers

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
    chosen: dict[str, list[Target]] = {}
    for target in targets or [Target(account.name) for account in config.accounts]:
        chosen.setdefault(target.account, []).append(target)
    accounts = [account for account in config.accounts if account.name in chosen]
    with Workers(MOST, "account") as workers:
        work = [workers.submit(partial(run.account, account, chosen[account.name])) for account in accounts]
        try:
            return Report([task.result() for task in work], dry_run=options.dry_run)
        except BaseException:
            stop.set()
            raise


class _Run(Struct, frozen=True):
    config: Config
    options: SyncOptions
    progress: Progress
    stop: threading.Event
    calls: dict[str, Call]
    """Not taken over yet."""

    def account(self, account: Account, targets: Sequence[Target]) -> AccountReport:
        """The edge of an account: whatever goes wrong inside ends here."""
        report = AccountReport(account.name)
        began = time.monotonic()
        try:
            self._sync(account, targets, report)
        except SyncerError as error:
            report.fail(error)
        except Exception as error:  # a fault of ours in one account must not stop another
            import logging  # noqa: PLC0415 - slow to load, and not needed by a program without faults

            logging.getLogger(__name__).exception("account %s: internal error", account.name)
            report.fail(error)
            report.error = f"internal error, please report it: {type(error).__name__}: {error}"
        report.seconds = time.monotonic() - began
        return report

    def _sync(self, account: Account, targets: Sequence[Target], report: AccountReport) -> None:
        options = self.options
        mailboxes = {target.mailbox for target in targets}
        with opened(self.config, account, stop=self.stop, wait=options.wait, read_only=options.dry_run) as workshop:
            for mailbox in [None] if None in mailboxes else sorted(mailboxes, key=str):
                order = Order(
                    account.name,
                    _policy(account, options),
                    account.wants,
                    mailbox,
                    options.dry_run,
                    options.every_action,
                    options.full,
                    account.full_interval,
                    _decisive(account),
                )
                self._pass(order, account, workshop, report)
            if not options.dry_run:
                workshop.store.purge_attic(account.keep_deleted, time.time())

    def _pass(self, order: Order, account: Account, workshop: Workshop, report: AccountReport) -> None:
        index = None if order.dry_run else workshop.index
        connect = connector_for(account, self.stop, call=self.calls.pop(account.name, None), index=index)

        def one_session() -> None:
            with Crew(connect, account.connections, self.stop) as crew:
                one = Pass(order, crew, workshop.store, workshop.index, report, self.progress, _now, self.stop)
                one.run()

        session(one_session, self.stop)


def _now() -> int:
    return int(time.time())


def _policy(account: Account, options: SyncOptions) -> Policy:
    return Policy(
        direction=account.direction,
        on_local_delete=account.on_local_delete,
        mailbox_changes=account.mailbox_changes,
        limits=Limits(account.max_delete, options.allow_delete),
        restore=options.restore,
    )


def _decisive(account: Account) -> str:
    """The settings under which something may have been left alone that others would have done."""
    decisive = (account.host, account.port, account.user, account.direction, account.on_local_delete)
    return ascii((RULES, *decisive))
