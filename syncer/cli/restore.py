"""`syncer restore`: bring back what is missing on one side from the copy that is left on the other."""

import argparse
from typing import Final

from syncer.cli import sync
from syncer.cli.output import Output

DESCRIPTION: Final = """\
Bring back messages that were on both sides and are missing on one, from the copy
that is left on the other: what a sync held back because most of a mailbox was gone.
Everything else is synchronised as always; nothing is deleted on either side.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="ACCOUNT or ACCOUNT:MAILBOX")
    parser.add_argument("-n", "--dry-run", action="store_true", help="print the plan, change nothing on either side")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of words")
    parser.add_argument("--wait", action="store_true", help="wait if another run works on the account, do not leave")
    parser.set_defaults(full=False, allow_delete=False, restore=True)


def run(options: argparse.Namespace, output: Output) -> int:
    """Make the pass, print what happened, return the exit status."""
    return sync.run(options, output)
