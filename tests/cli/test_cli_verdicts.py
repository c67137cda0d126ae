"""What `verify` says to a person and to a script."""

import pytest

from syncer.cli.output import Line
from syncer.cli.verdicts import lines
from syncer.errors import ConnectError, RefusedError
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Pair
from syncer.reconcile.verdicts import Absence, File, Finding, Kind, Remedy, Server, Subset
from syncer.verification import AccountVerification, Found, MailboxVerification, Verification, VerifyOptions

A, B = Fingerprint(10, b"h" * 16, b"a" * 16), Fingerprint(7, b"h" * 16, b"b" * 16)
SAME = Fingerprint(10, b"h" * 16, b"c" * 16)
COMMAND = ["syncer", "-c", "my file"]


def found(kind: Kind, remedy: Remedy = Remedy.NONE, file: File = (A,), server: Server = A, **more: object) -> Found:
    pair = Pair(Uid(3), UniqueName("3.x"), frozenset(), A)
    return Found(Finding(kind, remedy, pair, file, server), **more)  # type: ignore[arg-type]


def said(*ones: Found, repair: bool = False, **mailbox: object) -> list[Line]:
    box = MailboxVerification(INBOX, messages=5, checked=5, found=list(ones), **mailbox)  # type: ignore[arg-type]
    account = AccountVerification("work", seconds=1.25, mailboxes={INBOX: box})
    told = list(lines(Verification(VerifyOptions(repair=repair), [account]), COMMAND))
    assert [line.about for line in told] == [("work", "INBOX")] * (len(told) - 1) + [("work",)]
    return [line._replace(about=()) for line in told]


def error(text: str) -> Line:
    return Line(text, "error", -1)


def below(text: str) -> Line:
    return Line(f"  {text}", "plain", -1)


TO_REPAIR = below("of these, 1 can be repaired: syncer -c 'my file' verify --repair work:INBOX")


def test_where_all_is_whole_one_line_says_so() -> None:
    assert said() == [Line("work: 5 messages read, all whole (1.2 s)")]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (
            found(Kind.DAMAGED, Remedy.FETCH, (B,), path="/m/cur/3.x:2,S"),
            [
                error(
                    "syncer: work:INBOX: UID 3: the file is damaged "
                    "(10 octets in the index, 7 in the file, 10 on the server)"
                ),
                below("/m/cur/3.x:2,S"),
                TO_REPAIR,
            ],
        ),
        (
            found(Kind.DAMAGED, Remedy.FETCH, (SAME,), path="/m/cur/3.x:2,S"),
            [error("syncer: work:INBOX: UID 3: the file is damaged"), below("/m/cur/3.x:2,S"), TO_REPAIR],
        ),
        (
            found(Kind.DAMAGED, Remedy.NONE, (SAME,), Absence.GONE, path="/m/cur/3.x:2,S"),
            [
                error("syncer: work:INBOX: UID 3: the file is damaged"),
                below("/m/cur/3.x:2,S"),
                below("no other copy is known to be whole: look for one in a backup before you delete this one"),
            ],
        ),
        (
            found(Kind.UNREADABLE, Remedy.FETCH, Absence.UNREADABLE, reason="cannot read /m/x: the disk is bad"),
            [
                error("syncer: work:INBOX: UID 3: the file cannot be read"),
                below("cannot read /m/x: the disk is bad"),
                TO_REPAIR,
            ],
        ),
        (
            found(Kind.SERVER_DIFFERS, Remedy.UPLOAD, (A,), B),
            [
                error(
                    "syncer: work:INBOX: UID 3: the server has another copy than the file and the index "
                    "(10 octets in the index, 10 in the file, 7 on the server)"
                ),
                TO_REPAIR,
            ],
        ),
        (
            found(Kind.MISSING_LOCAL, file=Absence.GONE),
            [
                error("syncer: work:INBOX: UID 3: deleted or moved in the Maildir, not yet synced"),
                below(
                    "the next sync does so on the server if settings allow; to have it in the Maildir again: "
                    "syncer -c 'my file' restore work:INBOX"
                ),
            ],
        ),
        (
            found(Kind.REWRITTEN, server=SAME),
            [Line("work:INBOX: UID 3: the server has its own version of what was uploaded", "plain", 1)],
        ),
        (
            found(Kind.DAMAGED, Remedy.FETCH, (SAME,), repaired=True),
            [
                Line("work:INBOX: UID 3: the file is damaged; repaired", "plain", -1),
                below(
                    "the file that was there is in the attic; to have it as another message: "
                    "syncer -c 'my file' restore work:INBOX --message=3.x"
                ),
            ],
        ),
        (
            found(Kind.DAMAGED, Remedy.FETCH, (SAME,), said="not repaired: no"),
            [error("syncer: work:INBOX: UID 3: the file is damaged"), below("not repaired: no"), TO_REPAIR],
        ),
    ],
)
def test_a_message_is_told_with_what_to_do(one: Found, expected: list[Line]) -> None:
    assert said(one)[:-1] == expected


def test_after_a_repair_the_command_is_not_named_again() -> None:
    one = found(Kind.DAMAGED, Remedy.FETCH, (SAME,), said="not repaired: no")
    assert said(one, repair=True)[:-1] == [
        error("syncer: work:INBOX: UID 3: the file is damaged"),
        below("not repaired: no"),
    ]


def test_what_a_repair_did_beside_is_told_below() -> None:
    assert said(found(Kind.SERVER_DIFFERS, Remedy.UPLOAD, server=SAME, repaired=True, said="so it is"))[:-1] == [
        Line("work:INBOX: UID 3: the server has another copy than the file and the index; repaired", "plain", -1),
        below("so it is"),
    ]


def test_of_very_many_some_are_named_and_all_where_that_is_asked_for() -> None:
    told = said(*[found(Kind.MISSING_SERVER, server=Absence.GONE) for _ in range(25)])[:-1]
    message = error("syncer: work:INBOX: UID 3: expunged or moved on the server, not yet synced")
    assert told[:20] == [message] * 20
    assert told[20] == below("and 5 more of these; -v names them, and so does --json")
    assert told[21:-1] == [message._replace(least=1)] * 5
    assert told[-1] == below(
        "the next sync does so in the Maildir if settings allow; to have it on the server again: "
        "syncer -c 'my file' restore work:INBOX"
    )


def test_the_last_line_counts() -> None:
    ones = [
        found(Kind.DAMAGED, Remedy.FETCH, (SAME,)),
        found(Kind.DAMAGED, Remedy.FETCH, (SAME,), repaired=True),
        found(Kind.UNDECIDED, file=(B,), server=SAME),
        found(Kind.REWRITTEN),
    ]
    assert said(*ones)[-1] == Line(
        "work: 5 messages read, 1 damaged in the Maildir, 1 undecided, 1 changed by the server when uploaded, "
        "1 repaired (1.2 s)"
    )
    assert (
        said(found(Kind.REWRITTEN))[-1].text == "work: 5 messages read, 1 changed by the server when uploaded (1.2 s)"
    )


def test_what_the_next_sync_does_is_counted_apart() -> None:
    assert said(new_local=2, new_server=1, flags=3)[0] == Line(
        "work:INBOX: for the next sync: 2 new in the Maildir, 1 new on the server, 3 with other flags"
    )


def test_a_mailbox_in_trouble_is_named() -> None:
    assert said(error="no") == [
        error("syncer: work:INBOX: no"),
        Line("work: 5 messages read, 1 mailbox not in order (1.2 s)"),
    ]
    assert said(held="much")[:2] == [
        Line("syncer: work:INBOX: much", "warning", -1),
        below(
            "if they are damaged, delete them on the server, and this uploads yours: "
            "syncer -c 'my file' restore work:INBOX"
        ),
    ]


def test_the_document() -> None:
    box = MailboxVerification(INBOX, 5, 4, [found(Kind.DAMAGED, Remedy.FETCH, (B,), path="/m/x")], 1, 2, 3)
    other = MailboxVerification(MailboxName("A"), 1, 1, [found(Kind.REWRITTEN)])
    accounts = [AccountVerification("work", None, None, 1.23456, {INBOX: box, other.name: other})]
    document = Verification(VerifyOptions(Subset(3, 30)), accounts).to_json()
    empty: dict[str, list[object]] = {kind.value: [] for kind in Kind}
    damaged = {
        "uid": 3,
        "unique_name": "3.x",
        "file": "/m/x",
        "octets": {"index": 10, "file": 7, "server": 10},
        "repairable": True,
        "repaired": False,
        "reason": None,
    }
    rewritten = damaged | {"file": None, "octets": {"index": 10, "file": 10, "server": 10}, "repairable": False}
    first = {"name": "INBOX", "ok": False, "error": None, "messages": 5, "checked": 4, "repaired": 0}
    second = {"name": "A", "ok": True, "error": None, "messages": 1, "checked": 1, "repaired": 0}
    assert document == {
        "version": 1,
        "ok": False,
        "subset": "3/30",
        "accounts": [
            {
                "name": "work",
                "ok": False,
                "error": None,
                "seconds": 1.235,
                "mailboxes": [
                    first | empty | {"damaged": [damaged], "new_local": 1, "new_server": 2, "flags": 3},
                    second | empty | {"rewritten": [rewritten], "new_local": 0, "new_server": 0, "flags": 0},
                ],
            }
        ],
    }


def test_the_exit_status_is_that_of_what_needs_a_person_most() -> None:
    def status(*accounts: AccountVerification) -> int:
        return Verification(accounts=list(accounts)).exit_status()

    def account(*ones: Found, error: Exception | None = None, **mailbox: object) -> AccountVerification:
        box = MailboxVerification(INBOX, found=list(ones), **mailbox)  # type: ignore[arg-type]
        made = AccountVerification("work", mailboxes={INBOX: box})
        if error is not None:
            made.fail(error)
        return made

    assert status(account()) == status(account(found(Kind.REWRITTEN), found(Kind.DAMAGED, repaired=True))) == 0
    damaged, lost = account(found(Kind.DAMAGED)), account(error=ConnectError("no"))
    assert status(damaged) == status(account(error=OSError("no"))) == 1
    assert status(damaged, lost) == 3
    assert status(lost, account(held="no")) == status(account(refused="no")) == 4
    assert status(account(error=RefusedError("no"))) == 4
