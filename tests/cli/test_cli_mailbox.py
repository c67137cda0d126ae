"""`syncer mailbox`."""

import json
import sys
from collections.abc import Callable, Sequence

import pytest
from cli_support import Ran

from syncer.config import Account, Config
from syncer.errors import LoginError, MailboxError
from syncer.findings import MailboxLine
from syncer.reconcile.identity import MailboxName


class Mailboxes:
    """A wiring that notes what it was asked to change."""

    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []

    def mailbox_list(self, config: Config, account: Account) -> Sequence[MailboxLine]:
        return [
            MailboxLine(MailboxName("INBOX"), True, True, 12),
            MailboxLine(MailboxName("Old\x1bname"), True, False),
            MailboxLine(MailboxName("Old"), True, True),
            MailboxLine(MailboxName("Mine"), False, True),
            MailboxLine(MailboxName("One"), True, True, 1),
            MailboxLine(MailboxName("Spam"), True, False),
        ]

    def mailbox_create(self, config: Config, account: Account, name: MailboxName) -> None:
        self.done.append(("create", account.name, name))

    def mailbox_rename(self, config: Config, account: Account, old: MailboxName, new: MailboxName) -> None:
        self.done.append(("rename", account.name, old, new))

    def mailbox_delete(self, config: Config, account: Account, name: MailboxName) -> None:
        self.done.append(("delete", account.name, name))

    def mailbox_count(self, config: Config, account: Account, name: MailboxName) -> tuple[int | None, int | None]:
        return 123, 1


@pytest.fixture
def mailboxes(wiring: Callable[..., None]) -> Mailboxes:
    mailboxes = Mailboxes()
    wiring(**{name: getattr(mailboxes, name) for name in dir(mailboxes) if name.startswith("mailbox_")})
    return mailboxes


Syncer = Callable[..., Ran]


def test_list_says_where_each_mailbox_is(syncer: Syncer, mailboxes: Mailboxes) -> None:
    assert syncer("mailbox", "list", "work") == Ran(
        0,
        "INBOX        12 messages\n"
        "Old\\x1bname  only on the server\n"
        "Old          not synced yet\n"
        "Mine         only in the Maildir\n"
        "One          1 message\n"
        "Spam         left out by include and exclude\n",
        "",
    )


def test_names_in_wide_letters_and_with_accents_stand_in_line(syncer: Syncer, wiring: Callable[..., None]) -> None:
    names = ["INBOX", "日本語/メール", "Entwu\u0308rfe", "Entwürfe"]
    wiring(mailbox_list=lambda *_: [MailboxLine(MailboxName(name), True, True, 12) for name in names])
    assert syncer("mailbox", "list", "work").out == (
        "INBOX          12 messages\n"
        "日本語/メール  12 messages\n"
        "Entwu\u0308rfe       12 messages\n"
        "Entwürfe       12 messages\n"
    )


def test_list_as_json(syncer: Syncer, mailboxes: Mailboxes) -> None:
    document = json.loads(syncer("mailbox", "list", "work", "--json").out)
    assert (document["version"], document["account"]) == (1, "work")
    assert document["mailboxes"][0] == {
        "name": "INBOX",
        "on_server": True,
        "in_maildir": True,
        "synced": True,
        "messages": 12,
    }


def test_create_and_rename_reach_both_sides(syncer: Syncer, mailboxes: Mailboxes) -> None:
    assert syncer("mailbox", "create", "work", "New/one") == Ran(0, "", "work:New/one: created on both sides\n")
    assert syncer("mailbox", "rename", "work", "Old", "Older") == Ran(
        0, "", "work:Old: renamed to Older on both sides\n"
    )
    assert mailboxes.done == [("create", "work", "New/one"), ("rename", "work", "Old", "Older")]


def test_a_mailbox_that_exists_is_not_said_to_be_created(syncer: Syncer, mailboxes: Mailboxes) -> None:
    assert syncer("mailbox", "create", "work", "Old") == Ran(0, "", "work:Old: exists already on both sides\n")
    assert syncer("mailbox", "create", "work", "Mine") == Ran(0, "", "work:Mine: created on both sides\n")
    assert mailboxes.done == [("create", "work", "Mine")]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["create", "work", "Spam"], "include and exclude of account work leave 'Spam' out: it would never sync"),
        (
            ["create", "work", "/x"],
            "'/x' cannot name a mailbox: levels are joined by one '/', for instance Lists/python",
        ),
        (["create", "home", "x"], 'account home has direction = "pull": the server is not changed'),
        (["rename", "work", "inbox", "x"], "cannot rename INBOX: every account has exactly one"),
        (["rename", "work", "Old", "INBOX"], "cannot rename another mailbox to INBOX: every account has exactly one"),
        (
            ["rename", "work", "Old", "Old/x"],
            "'Old' cannot be renamed to 'Old/x': that is the same mailbox, or below it",
        ),
        (["rename", "work", "Old", "Mine"], "mailbox 'Mine' of account work exists already"),
        (["rename", "work", "Old", "Spam"], "include and exclude of account work leave 'Spam' out"),
        (
            ["rename", "work", "Odl", "x"],
            (
                "no mailbox 'Odl' in account work; did you mean 'Old'? "
                "there are the mailboxes INBOX, Old\\x1bname, Old, Mine, One, Spam"
            ),
        ),
        (["delete", "work", "INBOX", "--yes"], "cannot delete INBOX: every account has exactly one"),
        (
            ["delete", "work", "Old"],
            "deleting 'Old' has to be confirmed; there is no terminal to ask on, so add --yes",
        ),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_and_changes_nothing(
    syncer: Syncer, mailboxes: Mailboxes, words: list[str], expected: str
) -> None:
    assert syncer("mailbox", *words) == Ran(2, "", f"syncer: {expected}\n")
    assert mailboxes.done == []


def test_the_only_mailbox_there_is_is_named(syncer: Syncer, wiring: Callable[..., None]) -> None:
    wiring(mailbox_list=lambda *_: [MailboxLine(MailboxName("INBOX"), True, True)], mailbox_rename=None)
    expected = "syncer: no mailbox 'Sent' in account work; there is only INBOX\n"
    assert syncer("mailbox", "rename", "work", "Sent", "Out") == Ran(2, "", expected)


def test_delete_with_yes_does_not_ask_and_says_how_many_messages_went(syncer: Syncer, mailboxes: Mailboxes) -> None:
    assert syncer("mailbox", "delete", "work", "Old", "--yes") == Ran(
        0,
        "",
        "work:Old: deleted on both sides; it held 123 messages on the server and 1 message in the Maildir\n"
        "  to have back what the Maildir held: syncer -c CONF restore work:Old --deleted\n",
    )
    assert mailboxes.done == [("delete", "work", "Old")]


@pytest.mark.parametrize(("answer", "deleted"), [("yes\n", True), ("y\n", False), ("\n", False), ("", False)])
def test_delete_asks_on_a_terminal(
    syncer: Syncer, mailboxes: Mailboxes, monkeypatch: pytest.MonkeyPatch, answer: str, deleted: bool
) -> None:
    monkeypatch.setattr("syncer.cli.mailbox._can_ask", lambda: True)
    monkeypatch.setattr(sys.stdin, "readline", lambda: answer, raising=False)
    ran = syncer("mailbox", "delete", "work", "Old")
    assert ran.err.startswith(
        "work:Old holds 123 messages on the server and 1 message in the Maildir. Delete it on both sides? [yes/NO] "
    )
    assert (ran.status, mailboxes.done) == ((0, [("delete", "work", "Old")]) if deleted else (1, []))


@pytest.mark.parametrize(
    ("error", "status"), [(LoginError("wrong password"), 3), (MailboxError("the server says: no permission"), 1)]
)
def test_what_the_server_refuses_is_one_line(
    syncer: Syncer, wiring: Callable[..., None], error: Exception, status: int
) -> None:
    def refuse(*_: object) -> None:
        raise error

    wiring(mailbox_list=lambda *_: [], mailbox_create=refuse)
    assert syncer("mailbox", "create", "work", "x") == Ran(status, "", f"syncer: {error}\n")
