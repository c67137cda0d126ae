"""`syncer sync`: one pass."""

import argparse
from typing import Final

from syncer.cli.output import Output
from syncer.cli.progress import progress
from syncer.cli.signals import stop_on_signals
from syncer.cli.summary import summary
from syncer.cli.targets import configuration, invocation, targets
from syncer.report import Report, SyncOptions, exit_status

DESCRIPTION: Final = """\
Make the Maildir and the server equal, once, and exit.

What is new, changed or deleted on one side since the last sync is carried to the
other. Nothing is deleted unless it was on both sides before; what looks like an
accident (most of a mailbox gone) is held back and said. It may be interrupted at
any time: the next sync goes on from there.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help="ACCOUNT or ACCOUNT:MAILBOX; none means everything"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="print the plan, change nothing on either side")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of words")
    parser.add_argument("--full", action="store_true", help="distrust every shortcut and compare everything")
    parser.add_argument(
        "--allow-delete",
        action="store_true",
        help="carry out the deletions that the last sync held back; needs a TARGET. Look with --dry-run first",
    )
    parser.add_argument("--wait", action="store_true", help="wait if another run works on the account, do not leave")
    parser.set_defaults(restore=False)


def run(options: argparse.Namespace, output: Output) -> int:
    """Make the pass, print what happened, return the exit status."""
    if options.allow_delete and not options.targets:
        options.usage_error("--allow-delete needs a TARGET: say for which account or mailbox")
    config = configuration(options.config)
    chosen = targets(config, options.targets)
    asked = SyncOptions(
        dry_run=options.dry_run,
        full=options.full,
        allow_delete=options.allow_delete,
        restore=options.restore,
        wait=options.wait,
        every_action=output.verbosity > 0,
    )

    def stopping() -> None:
        output.say("stopping after what is under way; once more to leave at once", "warning", least=-1)

    from syncer.wiring import sync_accounts  # noqa: PLC0415 - loads what talks to servers

    with stop_on_signals(stopping) as stop, progress(wanted=output.verbosity >= 0) as heard:
        report = sync_accounts(config, chosen, asked, heard, stop.event)
    report.dry_run = options.dry_run
    _print(report, options, output)
    return exit_status(report) if stop.status is None else stop.status


def _print(report: Report, options: argparse.Namespace, output: Output) -> None:
    if options.json:
        output.json(report.to_json())
    elif report.dry_run:
        for account in report.accounts:
            for action in account.plan:
                output.result(f"{account.name}: {action}")
    command = [*invocation(options), "sync"]
    for line in summary(report, command):
        output.tell(line)
