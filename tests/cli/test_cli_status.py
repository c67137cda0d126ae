"""`syncer status`."""

import json
import time
from collections.abc import Callable

import pytest
from cli_support import Ran

from syncer.cli.status import ago
from syncer.config import Account, Config
from syncer.findings import AccountStatus
from syncer.ports import KnownMailbox
from syncer.reconcile.identity import INBOX, MailboxName


def status(config: Config, account: Account) -> AccountStatus:
    if account.name == "home":
        return AccountStatus("home", account.host, "/m/home", None)
    now = int(time.time())
    known = (
        KnownMailbox(INBOX, None, 1234, {}, now - 300),
        KnownMailbox(MailboxName("Lists/python"), None, 3, {}, None, "cannot be selected\x07", frozenset({"server"})),
    )
    return AccountStatus("work", account.host, "/m/work", known)


def test_status_shows_every_account_and_mailbox(syncer: Callable[..., Ran], wiring: Callable[..., None]) -> None:
    wiring(account_status=status)
    assert syncer("status") == Ran(
        0,
        "work: imap.example.org <-> /m/work\n"
        "  1237 messages in 2 mailboxes, last synced 5 minutes ago\n"
        "    INBOX            1234  5 minutes ago\n"
        "    Lists/python        3  never  failed: cannot be selected\\x07\n"
        "      deletions are held back on the server; to have the messages back: syncer restore work:Lists/python\n"
        "      to delete after all: syncer sync --allow-delete work:Lists/python\n"
        "home: mail.example.net <-> /m/home\n"
        "  never synchronised; to begin: syncer sync home\n",
        "",
    )


def test_status_as_json(syncer: Callable[..., Ran], wiring: Callable[..., None]) -> None:
    wiring(account_status=status)
    document = json.loads(syncer("status", "--json").out)
    moment = document["accounts"][0]["synced_at"]
    assert abs(moment - (time.time() - 300)) < 60
    assert document == {
        "version": 1,
        "accounts": [
            {
                "name": "work",
                "host": "imap.example.org",
                "maildir": "/m/work",
                "error": None,
                "synced_at": moment,
                "mailboxes": [
                    {"name": "INBOX", "messages": 1234, "synced_at": moment, "error": None, "held": []},
                    {
                        "name": "Lists/python",
                        "messages": 3,
                        "synced_at": None,
                        "error": "cannot be selected\x07",
                        "held": ["server"],
                    },
                ],
            },
            {
                "name": "home",
                "host": "mail.example.net",
                "maildir": "/m/home",
                "error": None,
                "synced_at": None,
                "mailboxes": None,
            },
        ],
    }


def test_an_index_that_cannot_be_read_is_a_failure(syncer: Callable[..., Ran], wiring: Callable[..., None]) -> None:
    wiring(account_status=lambda config, account: AccountStatus(account.name, "h", "/m", None, "the index is damaged"))
    ran = syncer("status")
    assert ran == Ran(1, "work: h <-> /m\n  the index is damaged\nhome: h <-> /m\n  the index is damaged\n", "")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7199, "1 hour ago"),
        (172_800, "2 days ago"),
        (-5, "in the future: is the clock right?"),
    ],
)
def test_moments_are_seen_from_now(seconds: int, expected: str) -> None:
    assert ago(1_000_000 - seconds, 1_000_000) == expected
