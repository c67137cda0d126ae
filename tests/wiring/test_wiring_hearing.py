"""Of what a look finds only that is held against a server which the server has changed."""

from types import SimpleNamespace
from typing import Any

from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import AccountReport
from syncer.wiring.hearing import Hearing

WORK, LISTS = MailboxName("Work"), MailboxName("Lists")


class Recorder:
    def __init__(self) -> None:
        self.changed: list[list[MailboxName]] = []

    def looked(self, _began: float, changed: list[MailboxName]) -> frozenset[MailboxName]:
        self.changed.append(changed)
        return frozenset()


def test_what_was_fetched_again_and_what_only_grew_is_no_untold_change() -> None:
    account: Any = SimpleNamespace(idle=("INBOX",))
    nobody: Any = None
    hearing, recorder = Hearing(account, lambda _: True, nobody, nobody, nobody), Recorder()
    hearing._trust = recorder  # type: ignore[assignment]
    report = AccountReport("work")
    for name in (INBOX, WORK, LISTS):
        report.mailbox(name)
    report.mailbox(INBOX).downloaded = 1
    report.mailbox(WORK).downloaded = 1
    hearing.looked(0.0, report, {INBOX, LISTS})
    assert recorder.changed == [[INBOX]]
