"""Verifying every account."""

import threading
import time
from collections.abc import Sequence

from syncer.config import Account, Config
from syncer.crew import Crew
from syncer.errors import AccountError, StoppedError
from syncer.imap.retry import session
from syncer.index import read_index
from syncer.ports import Progress
from syncer.reconcile.identity import MailboxName, Uid
from syncer.report import Target
from syncer.values import Struct
from syncer.verification import AccountVerification, Verification, VerifyOptions
from syncer.verifying import Task, Verify
from syncer.wiring.edge import each_account
from syncer.wiring.parts import connector_for, opened
from syncer.wiring.status import Files


def verify_accounts(
    config: Config, targets: Sequence[Target], options: VerifyOptions, progress: Progress, stop: threading.Event
) -> Verification:
    """Verify everything that `targets` names; setting `stop` ends it cleanly."""
    run = _Run(config, options, progress, stop)
    return Verification(options, each_account(config, targets, AccountVerification, run.verify, stop))


class _Run(Struct, frozen=True):
    config: Config
    options: VerifyOptions
    progress: Progress
    stop: threading.Event

    def verify(self, account: Account, targets: Sequence[Target], report: AccountVerification) -> None:
        """Verify one account."""
        try:
            self._verify(account, targets, report)
        except StoppedError:
            raise StoppedError("stopped before everything was read; what was repaired until then stays so") from None

    def _verify(self, account: Account, targets: Sequence[Target], report: AccountVerification) -> None:
        files = Files.of(self.config, account)
        if read_index(files.index) is None:  # opening would make one
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
