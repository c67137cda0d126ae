"""The document of `sync --json` and the exit status of a pass."""

import json

import pytest

from syncer.errors import (
    ConnectError,
    ConnectionLostError,
    IndexFileError,
    LockedError,
    LoginError,
    RefusedError,
    StoreError,
    TlsError,
)
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import (
    COUNTERS,
    AccountReport,
    HeldDeletions,
    MailboxReport,
    Report,
    Target,
    error_kind,
    error_status,
    exit_status,
)


def report(*accounts: AccountReport, dry_run: bool = False) -> Report:
    return Report(list(accounts), dry_run)


def account(**mailbox: object) -> AccountReport:
    one = AccountReport("work")
    one.mailboxes[INBOX] = MailboxReport(INBOX, **mailbox)  # type: ignore[arg-type]
    return one


def failed(error: Exception) -> AccountReport:
    one = AccountReport("work")
    one.fail(error)
    return one


def test_a_target_is_written_as_it_is_typed() -> None:
    assert [str(Target("work")), str(Target("work", INBOX))] == ["work", "work:INBOX"]


def test_the_document_is_the_one_of_the_contract() -> None:
    one = account(downloaded=12, flags_remote=3, bytes_down=4096)
    one.seconds = 0.21049
    one.mailbox(MailboxName("Quiet"))
    document = report(one).to_json()
    assert json.loads(json.dumps(document)) == {
        "version": 1,
        "ok": True,
        "accounts": [
            {
                "name": "work",
                "ok": True,
                "error": None,
                "seconds": 0.21,
                "mailboxes": [
                    {
                        "name": "INBOX",
                        "ok": True,
                        "error": None,
                        "downloaded": 12,
                        "uploaded": 0,
                        "moved_local": 0,
                        "moved_remote": 0,
                        "flags_local": 0,
                        "flags_remote": 3,
                        "deleted_local": 0,
                        "deleted_remote": 0,
                        "bytes_down": 4096,
                        "bytes_up": 0,
                        "refused": None,
                        "held": [],
                        "problems": [],
                        "notes": [],
                    }
                ],
            }
        ],
    }


def test_the_document_of_a_dry_run_has_the_plan() -> None:
    one = AccountReport("work", plan=["INBOX: download UID 1 (new)"])
    assert report(one, dry_run=True).to_json()["accounts"][0]["planned"] == ["INBOX: download UID 1 (new)"]
    assert "planned" not in report(one).to_json()["accounts"][0]


@pytest.mark.parametrize(
    ("mailbox", "trouble"),
    [
        ({}, None),
        ({"notes": ["n"]}, None),
        ({"error": "e", "refused": "r", "problems": ["p"]}, "e"),
        ({"refused": "r", "problems": ["p"]}, "r"),
        ({"problems": ["p", "q"], "held": [HeldDeletions("server", 3, "h")]}, "p"),
        ({"held": [HeldDeletions("server", 3, "h")]}, "h"),
    ],
)
def test_a_mailbox_is_ok_exactly_where_it_has_no_error(mailbox: dict[str, object], trouble: str | None) -> None:
    one = account(**mailbox)
    document = one.to_json()
    assert (document["ok"], one.ok, one.mailboxes[INBOX].trouble) == (trouble is None, trouble is None, trouble)
    errors = [entry["error"] for entry in document["mailboxes"]]
    assert errors == ([trouble] if mailbox else [])


def test_held_deletions_are_in_the_document() -> None:
    one = account(held=[HeldDeletions("local", 20, "too many")])
    assert one.to_json()["mailboxes"][0]["held"] == [{"side": "local", "count": 20, "reason": "too many"}]


@pytest.mark.parametrize("counter", COUNTERS)
def test_every_counter_is_a_change(counter: str) -> None:
    assert not MailboxReport(INBOX).changed
    assert MailboxReport(INBOX, **{counter: 1}).changed  # type: ignore[arg-type]


def test_a_problem_that_is_met_twice_is_told_once() -> None:
    one = MailboxReport(INBOX)
    for line in ("UID 1: refused", "UID 2: refused", "UID 1: refused"):
        one.problem(line)
    assert one.problems == ["UID 1: refused", "UID 2: refused"]


def test_a_mailbox_is_made_when_it_is_first_asked_for() -> None:
    one = AccountReport("work")
    one.mailbox(INBOX).downloaded += 1
    one.mailbox(INBOX).downloaded += 1
    assert one.mailboxes == {INBOX: MailboxReport(INBOX, downloaded=2)}


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (ConnectError("x"), "connect", 3),
        (TlsError("x"), "connect", 3),
        (LoginError("x"), "connect", 3),
        (RefusedError("x"), "refused", 4),
        (LockedError("x"), "other", 1),
        (StoreError("x"), "other", 1),
        (IndexFileError("x"), "other", 1),
        (ConnectionLostError("x"), "connect", 3),
        (ZeroDivisionError(), "other", 1),
    ],
)
def test_what_stops_an_account_decides_its_exit_status(error: Exception, kind: str, status: int) -> None:
    one = failed(error)
    assert (error_kind(error), error_status(error)) == (kind, status)
    assert (one.ok, one.error, one.error_kind) == (False, str(error) or "ZeroDivisionError", kind)
    assert exit_status(report(one)) == status


OK = account(downloaded=1)
SOME_FAILED = account(problems=["p"])
UNREACHABLE = failed(ConnectError("c"))
HELD = account(held=[HeldDeletions("server", 3, "h")])
REFUSED = account(refused="r")


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        ([], 0),
        ([OK], 0),
        ([OK, SOME_FAILED], 1),
        ([account(error="e")], 1),
        ([OK, UNREACHABLE], 3),
        ([SOME_FAILED, UNREACHABLE], 3),
        ([HELD], 4),
        ([REFUSED], 4),
        ([UNREACHABLE, SOME_FAILED, HELD], 4),
        ([failed(RefusedError("root missing")), UNREACHABLE], 4),
    ],
)
def test_held_back_beats_unreachable_beats_failed(accounts: list[AccountReport], expected: int) -> None:
    assert exit_status(report(*accounts)) == expected
    assert report(*accounts).ok is (expected == 0)
