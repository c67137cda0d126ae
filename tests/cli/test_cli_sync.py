"""`syncer sync` from the words on the command line to what is printed."""

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from cli_support import Ran

from syncer.config import Account, Config
from syncer.errors import ConnectError
from syncer.findings import AccountStatus, MailboxLine
from syncer.ports import KnownMailbox, Progress
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import AccountReport, HeldDeletions, Report, SyncOptions, Target

Syncer = Callable[..., Ran]


class Passes:
    """A wiring that notes what it was asked and answers with `report`."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[Target, ...], SyncOptions]] = []
        self.report = Report([AccountReport("work")])
        self.listed = 0
        self.unreachable = False

    def sync_accounts(
        self, config: Config, targets: Sequence[Target], options: SyncOptions, progress: Progress, stop: threading.Event
    ) -> Report:
        assert not stop.is_set()
        progress.mailboxes("work", 1)
        progress.looked("work", INBOX)
        progress.planned("work", 1, 1)
        progress.transferred("work", 1, 1)
        self.asked.append((tuple(targets), options))
        return self.report

    def account_status(self, config: Config, account: Account) -> AccountStatus:
        known = (KnownMailbox(INBOX, None, 3, {}),) if account.name == "work" else None
        return AccountStatus(account.name, account.host, str(account.maildir), known)

    def mailbox_list(self, config: Config, account: Account) -> Sequence[MailboxLine]:
        self.listed += 1
        if self.unreachable:
            raise ConnectError("no answer")
        return [MailboxLine(MailboxName(name), True, False) for name in ("INBOX", "Lists/python", "Spam")]


@pytest.fixture
def passes(wiring: Callable[..., None]) -> Passes:
    passes = Passes()
    functions: dict[str, Any] = {
        name: getattr(passes, name) for name in ("sync_accounts", "account_status", "mailbox_list")
    }
    wiring(**functions)
    return passes


def test_without_a_target_every_account_is_synchronised(syncer: Syncer, passes: Passes) -> None:
    assert syncer("sync") == Ran(0, "", "work: nothing to do (0.0 s)\n")
    assert passes.asked == [((Target("work"), Target("home")), SyncOptions())]


def test_the_options_reach_the_pass(syncer: Syncer, passes: Passes) -> None:
    assert syncer("sync", "--full", "--allow-delete", "--wait", "--dry-run", "work").status == 0
    assert passes.asked == [
        ((Target("work"),), SyncOptions(dry_run=True, full=True, allow_delete=True, wait=True)),
    ]


def test_targets_are_taken_once_and_an_account_holds_its_mailboxes(syncer: Syncer, passes: Passes) -> None:
    syncer("sync", "work:inbox", "work:INBOX", "home", "home:INBOX")
    assert passes.asked[0][0] == (Target("work", INBOX), Target("home"))


def test_a_mailbox_of_the_index_needs_no_server(syncer: Syncer, passes: Passes) -> None:
    syncer("sync", "work:INBOX")
    assert passes.listed == 0
    syncer("sync", "work:Lists/python")
    assert passes.listed == 1
    assert passes.asked[1][0] == (Target("work", MailboxName("Lists/python")),)


def test_an_unreachable_server_is_left_for_the_pass_to_report(syncer: Syncer, passes: Passes) -> None:
    passes.unreachable = True
    assert syncer("sync", "work:Lists/new").status == 0
    assert len(passes.asked) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["wrok"], "syncer: no account 'wrok' in CONF; did you mean 'work'? there are the accounts work, home\n"),
        (["x:INBOX"], "syncer: no account 'x' in CONF; there are the accounts work, home\n"),
        (
            ["work:Lists/pyhton"],
            (
                "syncer: no mailbox 'Lists/pyhton' in account work; did you mean 'Lists/python'? "
                "there are the mailboxes INBOX, Lists/python\n"
            ),
        ),
        (["work:Spam"], "syncer: mailbox 'Spam' is left out by include and exclude of account work\n"),
        (
            ["work:"],
            "syncer: '' cannot name a mailbox: levels are joined by one '/', for instance Lists/python\n",
        ),
        (
            ["work:a//\x1b[2J"],
            "syncer: 'a//\\x1b[2J' cannot name a mailbox: levels are joined by one '/', for instance Lists/python\n",
        ),
    ],
)
def test_an_unknown_target_is_a_usage_error_that_lists_what_there_is(
    syncer: Syncer, passes: Passes, words: list[str], expected: str
) -> None:
    assert syncer("sync", *words) == Ran(2, "", expected)
    assert passes.asked == []


def test_deletions_are_allowed_for_a_target_only(syncer: Syncer, passes: Passes) -> None:
    ran = syncer("sync", "--allow-delete")
    assert (ran.status, passes.asked) == (2, [])
    assert ran.err.endswith("error: --allow-delete needs a TARGET: say for which account or mailbox\n")


def test_json_is_alone_on_standard_output(syncer: Syncer, passes: Passes) -> None:
    passes.report.accounts[0].mailbox(INBOX).downloaded = 2
    ran = syncer("-q", "sync", "--json")
    assert json.loads(ran.out) == passes.report.to_json()
    assert ran.err == ""


def test_the_plan_of_a_dry_run_is_a_result(syncer: Syncer, passes: Passes) -> None:
    passes.report.accounts[0].plan.append("INBOX: download UID 1 (new \x1b[0m)")
    assert syncer("sync", "-n") == Ran(
        0,
        "work: INBOX: download UID 1 (new \\x1b[0m)\n",
        "work: 1 action planned, nothing was changed (0.0 s)\n",
    )
    ran = syncer("sync", "-n", "--json")
    assert json.loads(ran.out)["accounts"][0]["planned"] == ["INBOX: download UID 1 (new \x1b[0m)"]


def test_held_deletions_show_the_command_with_the_same_configuration(syncer: Syncer, passes: Passes) -> None:
    passes.report.accounts[0].mailbox(INBOX).held.append(HeldDeletions("server", 20, "all are gone"))
    assert syncer("-q", "sync") == Ran(
        4,
        "",
        "syncer: work:INBOX: 20 messages not deleted on the server: all are gone\n"
        "  nothing is lost: they are still on the server\n"
        "  to have them in the Maildir again: syncer -c CONF restore work:INBOX\n"
        "  to delete after all: syncer -c CONF sync --allow-delete work:INBOX\n",
    )


def test_an_account_that_cannot_connect_is_one_line_and_status_3(syncer: Syncer, passes: Passes) -> None:
    passes.report.accounts[0].fail(ConnectError("imap.example.org does not answer"))
    assert syncer("sync") == Ran(3, "", "syncer: work: imap.example.org does not answer\n")


@pytest.mark.parametrize("words", [("-v", "sync"), ("sync", "-v"), ("-q", "sync", "-v")])
def test_verbose_says_each_action(syncer: Syncer, passes: Passes, words: tuple[str, ...]) -> None:
    passes.report.accounts[0].plan.append("INBOX: download UID 1 (new)")
    assert "work: INBOX: download UID 1 (new)\n" in syncer(*words).err


def test_quiet_and_verbose_exclude_each_other(syncer: Syncer, passes: Passes) -> None:
    assert syncer("sync", "-q", "-v").status == 2
