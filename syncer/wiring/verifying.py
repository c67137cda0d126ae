"""Verifying every account, side by side. An account that fails, for whatever reason, is a line in the report."""

import threading
import time
from collections.abc import Sequence
from functools import partial

from syncer.config import Account, Config
from syncer.crew import Crew
from syncer.errors import AccountError, StoppedError, SyncerError
from syncer.imap.retry import session
from syncer.ports import Progress
from syncer.reconcile.identity import MailboxName, Uid
from syncer.report import Target
from syncer.values import Struct
from syncer.verification import AccountVerification, Verification, VerifyOptions
from syncer.verifying import Task, Verify
from syncer.wiring.calls import MOST
from syncer.wiring.parts import connector_for, opened
from syncer.wiring.status import Files
from syncer.workers import Workers


def verify_accounts(
    config: Config, targets: Sequence[Target], options: VerifyOptions, progress: Progress, stop: threading.Event
) -> Verification:
    """Verify everything that `targets` names; setting `stop` ends it cleanly."""
    run = _Run(config, options, progress, stop)
    chosen: dict[str, list[Target]] = {}
    for target in targets:
        chosen.setdefault(target.account, []).append(target)
    accounts = [account for account in config.accounts if account.name in chosen]
    with Workers(MOST, "account") as workers:
        work = [workers.submit(partial(run.account, account, chosen[account.name])) for account in accounts]
        try:
            return Verification(options, [task.result() for task in work])
        except BaseException:
            stop.set()
            raise


class _Run(Struct, frozen=True):
    config: Config
    options: VerifyOptions
    progress: Progress
    stop: threading.Event

    def account(self, account: Account, targets: Sequence[Target]) -> AccountVerification:
        """The edge of an account: whatever goes wrong inside ends here."""
        report = AccountVerification(account.name)
        began = time.monotonic()
        try:
            self._verify(account, targets, report)
        except StoppedError:
            report.fail(StoppedError("stopped before everything was read; what was repaired until then stays so"))
        except SyncerError as error:
            report.fail(error)
        except Exception as error:  # a fault of ours in one account must not stop another
            import logging  # noqa: PLC0415 - slow to load, and not needed by a program without faults

            logging.getLogger(__name__).exception("account %s: internal error", account.name)
            report.fail(error)
            report.error = f"internal error, please report it: {type(error).__name__}: {error}"
        report.seconds = time.monotonic() - began
        return report

    def _verify(self, account: Account, targets: Sequence[Target], report: AccountVerification) -> None:
        files = Files.of(self.config, account)
        if not files.index.exists():  # opening would make one
            raise AccountError(f"never synchronised, so there is nothing to compare with: syncer sync {account.name}")
        mailboxes = frozenset(target.mailbox for target in targets if target.mailbox is not None)
        task = Task(
            account.name,
            account.wants,
            mailboxes or None,
            self.options.subset,
            self.options.repair,
            to_local=account.direction != "push",
            to_server=account.direction != "pull",
        )
        read_only = not self.options.repair
        done: dict[MailboxName, set[Uid]] = {}
        connect = connector_for(account, self.stop)
        with opened(self.config, account, stop=self.stop, wait=self.options.wait, read_only=read_only) as workshop:

            def one_session() -> None:
                with Crew(connect, account.connections, self.stop) as crew:
                    Verify(task, crew, workshop.store, workshop.index, report, self.progress, _now, done).run()

            session(one_session, self.stop)


def _now() -> int:
    return int(time.time())
