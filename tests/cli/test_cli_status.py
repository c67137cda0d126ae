"""`syncer status`."""

import json
import time
from collections.abc import Callable, Sequence

import pytest
from cli_support import Ran

from syncer.cli.status import ago
from syncer.config import Account, Config
from syncer.findings import AccountStatus, Queued
from syncer.ports import KnownMailbox
from syncer.reconcile.identity import INBOX, MailboxName


def status(config: Config, account: Account, *, queue: bool) -> AccountStatus:
    assert queue
    if account.name == "home":
        return AccountStatus("home", account.host, "/m/home", None)
    now = int(time.time())
    known = (
        KnownMailbox(INBOX, None, 1234, {}, now - 300),
        KnownMailbox(MailboxName("Lists/python"), None, 3, {}, None, "cannot be selected\x07", frozenset({"server"})),
        KnownMailbox(MailboxName("Old"), None, 7, {}, now - 300),
    )
    queued = {
        INBOX: Queued(new=2, flags=3, deleted=1),
        MailboxName("Lists/python"): Queued(moved=1, held=4, parked=5),
        MailboxName("Old"): Queued(mailbox="delete", deleted=7),
        MailboxName("Made\x07"): Queued(mailbox="create", new=1),
    }
    return AccountStatus("work", account.host, "/m/work", known, None, queued, ("cannot list Odd\x07",), "run")


def test_status_shows_every_account_and_mailbox(syncer: Callable[..., Ran], wiring: Callable[..., None]) -> None:
    wiring(account_status=status)
    assert syncer("status") == Ran(
        0,
        "work: imap.example.org <-> /m/work\n"
        "  1244 messages in 3 mailboxes, last synced 5 minutes ago\n"
        "  another process works on it, so that some of what is queued may be on its way\n"
        "  not known what is queued: cannot list Odd\\x07\n"
        "    INBOX            1234  5 minutes ago  queued: 2 new, 3 flags, 1 deleted\n"
        "    Lists/python        3  never  queued: 1 moved  4 deletions to be held back  5 parked after failures"
        "  failed: cannot be selected\\x07\n"
        "      deletions are held back on the server; to have the messages back: "
        "syncer -c CONF restore work:Lists/python\n"
        "      to delete after all: syncer -c CONF sync --allow-delete work:Lists/python\n"
        "    Old                 7  5 minutes ago  queued: to be deleted on the server, 7 deleted\n"
        "    Made\\x07            0  never  queued: to be created on the server, 1 new\n"
        "home: mail.example.net <-> /m/home\n"
        "  never synchronised; to begin: syncer -c CONF sync home\n",
        "",
    )


def queue(**counts: object) -> dict[str, object]:
    none = {"new": 0, "flags": 0, "deleted": 0, "moved": 0, "held": 0, "parked": 0, "mailbox": None}
    return {**none, **counts}


def mailbox(
    name: str,
    messages: int,
    synced_at: int | None,
    queued: dict[str, object] | None,
    error: str | None = None,
    held: Sequence[str] = (),
) -> dict[str, object]:
    return {
        "name": name, "messages": messages, "synced_at": synced_at, "error": error, "held": [*held], "queued": queued,
    }  # fmt: skip


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
                    mailbox("INBOX", 1234, moment, queue(new=2, flags=3, deleted=1)),
                    mailbox(
                        "Lists/python", 3, None, queue(moved=1, held=4, parked=5), "cannot be selected\x07", ["server"]
                    ),
                    mailbox("Old", 7, moment, queue(mailbox="delete", deleted=7)),
                    mailbox("Made\x07", 0, None, queue(mailbox="create", new=1)),
                ],
                "unseen": ["cannot list Odd\x07"],
                "by": "run",
            },
            {
                "name": "home",
                "host": "mail.example.net",
                "maildir": "/m/home",
                "error": None,
                "synced_at": None,
                "mailboxes": None,
                "unseen": [],
                "by": None,
            },
        ],
    }


def test_an_index_that_cannot_be_read_is_a_failure(syncer: Callable[..., Ran], wiring: Callable[..., None]) -> None:
    wiring(
        account_status=lambda config, account, queue: AccountStatus(
            account.name, "h", "/m", None, "the index is damaged"
        )
    )
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
