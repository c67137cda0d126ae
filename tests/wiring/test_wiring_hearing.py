"""Of what a look finds only that is held against a server which the server has changed."""

from types import SimpleNamespace
from typing import Any

import pytest

from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import AccountReport
from syncer.watching.trust import AGAIN, Trust
from syncer.wiring.hearing import Hearing

WORK, LISTS = MailboxName("Work"), MailboxName("Lists")


class Recorder:
    def __init__(self) -> None:
        self.changed: list[list[MailboxName]] = []

    def looked(self, _began: float, changed: list[MailboxName], undone: list[MailboxName]) -> frozenset[MailboxName]:
        assert undone == []
        self.changed.append(changed)
        return frozenset()


def hears() -> Hearing:
    account: Any = SimpleNamespace(idle=("INBOX",), name="work")
    nobody: Any = None
    return Hearing(account, lambda _: True, nobody, nobody, nobody)


def test_what_was_fetched_again_and_what_only_grew_is_no_untold_change() -> None:
    hearing, recorder = hears(), Recorder()
    hearing._trust = recorder  # type: ignore[assignment]
    report = AccountReport("work")
    for name in (INBOX, WORK, LISTS):
        report.mailbox(name)
    report.mailbox(INBOX).downloaded = 1
    report.mailbox(WORK).downloaded = 1
    hearing.looked(0.0, report, {INBOX, LISTS})
    assert recorder.changed == [[INBOX]]


@pytest.mark.parametrize("what", ["error", "note"])
def test_what_was_told_in_time_and_could_not_be_done_for_long_is_no_untold_change(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hearing, trust = hears(), Trust(0.0)
    hearing._trust = trust
    monkeypatch.setattr(hearing, "_begin", lambda: None)
    trust.told(5_000.0, {WORK})
    for began in (5_001.0, 10_000.0):
        failed = AccountReport("work")
        if what == "error":
            failed.mailbox(WORK).error = "no space left on device"
        else:
            failed.mailbox(WORK).notes.append("not done yet")
        hearing.looked(began, failed, ())
    done = AccountReport("work")
    done.mailbox(WORK).downloaded = 1
    hearing.looked(20_000.0, done, {WORK})
    hearing.looked(30_000.0, AccountReport("work"), ())
    assert not hearing._deceived


class Waking:
    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def hint(self, *what: object) -> None:
        self.heard.append(what)

    look_later = hint


def test_where_the_server_promised_to_tell_everything_is_looked_at_after_it_has_told_of_something() -> None:
    account: Any = SimpleNamespace(idle=("INBOX",), name="work")
    loop: Any = Waking()
    nobody: Any = None
    hearing = Hearing(account, lambda _: True, nobody, loop, nobody)
    hearing._told({WORK})
    hearing._trust = Trust(0.0)
    hearing._told({LISTS})
    hearing._told(None)
    assert loop.heard == [
        ("server", {WORK}),
        ("server", {LISTS}),
        (AGAIN, "server", None),
        ("server", None),
    ]
