"""A report in words."""

import pytest

from syncer.cli.output import Line
from syncer.cli.summary import size, summary
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import AccountReport, HeldDeletions, MailboxReport, Report

SYNC = ("syncer", "-c", "my file", "sync")


def said(*mailboxes: MailboxReport, **more: object) -> list[Line]:
    """Without what each line is about."""
    return [line._replace(about=()) for line in lines(*mailboxes, **more)]  # type: ignore[arg-type]


def lines(
    *mailboxes: MailboxReport, dry_run: bool = False, plan: tuple[str, ...] = (), **account: object
) -> list[Line]:
    one = AccountReport("work", **account)  # type: ignore[arg-type]
    one.seconds = 0.24
    one.mailboxes.update({mailbox.name: mailbox for mailbox in mailboxes})
    one.plan.extend(plan)
    return list(summary(Report([one], dry_run), SYNC))


def test_each_line_knows_what_it_is_about() -> None:
    box = MailboxReport(INBOX, downloaded=1, held=[HeldDeletions("server", 9, "too many")])
    assert [line.about for line in lines(box, plan=("download UID 7",))] == [
        ("work",), *[("work", "INBOX")] * 5, ("work",),
    ]  # fmt: skip
    assert [line.about for line in lines(error="no network")] == [("work",)]


def test_nothing_to_do_is_one_line() -> None:
    assert said(MailboxReport(INBOX), MailboxReport(MailboxName("Sent"))) == [Line("work: nothing to do (0.2 s)")]


def test_only_what_happened_is_said() -> None:
    assert said(
        MailboxReport(INBOX, downloaded=12, flags_remote=3, bytes_down=1_234_567),
        MailboxReport(MailboxName("Sent")),
        MailboxReport(MailboxName("Lists/a"), downloaded=1, uploaded=1, bytes_down=100, bytes_up=9),
    ) == [
        Line("work:INBOX: 12 downloaded, 3 flags sent"),
        Line("work:Lists/a: 1 downloaded, 1 uploaded"),
        Line("work: 13 downloaded, 1 uploaded, 3 flags sent, 1.2 MB down, 9 B up (0.2 s)"),
    ]


def test_every_kind_of_change_has_its_words() -> None:
    everything = MailboxReport(INBOX, None, None, 1, 2, 3, 4, 5, 6, 7, 8)
    assert said(everything)[0].text == (
        "work:INBOX: 1 downloaded, 2 uploaded, 3 moved in the Maildir, 4 moved on the server, 5 flags received, "
        "6 flags sent, 7 removed from the Maildir, 8 deleted on the server"
    )


def test_what_went_wrong_is_said_even_when_quiet() -> None:
    assert said(
        MailboxReport(INBOX, downloaded=1, problems=["UID 7: refused"], notes=["3 keywords have no letter"]),
        MailboxReport(MailboxName("Sent"), error="cannot be selected: no permission"),
    ) == [
        Line("work:INBOX: 1 downloaded"),
        Line("work:INBOX: 3 keywords have no letter"),
        Line("syncer: work:INBOX: UID 7: refused", "error", -1),
        Line("syncer: work:Sent: cannot be selected: no permission", "error", -1),
        Line("work: 1 downloaded, 2 mailboxes not in order (0.2 s)"),
    ]


def test_held_deletions_come_with_the_command_that_allows_them() -> None:
    assert said(
        MailboxReport(INBOX, held=[HeldDeletions("server", 20, "all of 20 are gone from the Maildir")]),
        MailboxReport(MailboxName("A b"), held=[HeldDeletions("local", 1, "too many")]),
    ) == [
        Line(
            "syncer: work:INBOX: 20 messages not deleted on the server: all of 20 are gone from the Maildir",
            "warning",
            -1,
        ),
        Line("  nothing is lost: they are still on the server", "plain", -1),
        Line("  to have them in the Maildir again: syncer -c 'my file' restore work:INBOX", "plain", -1),
        Line("  to delete after all: syncer -c 'my file' sync --allow-delete work:INBOX", "plain", -1),
        Line("syncer: work:A b: 1 message not deleted in the Maildir: too many", "warning", -1),
        Line("  nothing is lost: it is still in the Maildir", "plain", -1),
        Line("  to have it on the server again: syncer -c 'my file' restore 'work:A b'", "plain", -1),
        Line("  to delete after all: syncer -c 'my file' sync --allow-delete 'work:A b'", "plain", -1),
        Line("work: nothing done, 2 mailboxes not in order (0.2 s)"),
    ]


def test_a_refused_mailbox_is_said_to_be_left_alone() -> None:
    assert said(MailboxReport(INBOX, refused="UIDVALIDITY changed")) == [
        Line("syncer: work:INBOX: left alone: UIDVALIDITY changed", "warning", -1),
        Line("work: nothing done, 1 mailbox not in order (0.2 s)"),
    ]


def test_an_account_that_stopped_is_one_line() -> None:
    assert said(error="imap.example.org does not answer", error_kind="connect") == [
        Line("syncer: work: imap.example.org does not answer", "error", -1)
    ]


def test_the_actions_are_said_when_verbose() -> None:
    assert said(MailboxReport(INBOX, downloaded=1), plan=("INBOX: download UID 1 (new)",))[0] == Line(
        "work: INBOX: download UID 1 (new)", least=1
    )


def test_a_dry_run_says_that_nothing_was_changed() -> None:
    plan = ("INBOX: download UID 1 (new)",)
    assert said(plan=plan, dry_run=True) == [Line("work: 1 action planned, nothing was changed (0.2 s)")]
    assert said(plan=plan * 2, dry_run=True) == [Line("work: 2 actions planned, nothing was changed (0.2 s)")]
    held = MailboxReport(INBOX, held=[HeldDeletions("server", 5, "all 5 messages of the mailbox are gone")])
    assert said(held, dry_run=True)[-1] == Line(
        "work: 0 actions planned, nothing was changed, 1 mailbox not in order (0.2 s)"
    )
    assert said(dry_run=True) == [Line("work: nothing to do (0.2 s)")]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (123_456, "123 kB"), (5 * 10**9, "5.0 GB"), (10**13, "10.0 TB")],
)
def test_sizes_are_readable(octets: int, expected: str) -> None:
    assert size(octets) == expected
