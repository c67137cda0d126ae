"""`syncer verify`: is every message whole, on both sides."""

import argparse
from typing import Final

from syncer.cli.output import Output
from syncer.cli.progress import progress
from syncer.cli.signals import stop_on_signals
from syncer.cli.targets import configuration, invocation, targets
from syncer.cli.verdicts import lines
from syncer.reconcile.verdicts import Subset
from syncer.verification import VerifyOptions

DESCRIPTION: Final = """\
Read every message on both sides and compare it with what the index remembers, by a
digest of its content. Changes nothing, unless told to repair.

A sync trusts that messages do not change. This finds files that a disk has damaged
or a program has written over, and the same on the server. What is new, deleted,
moved or flagged since the last sync is left to the next one: best run it after one.

Everything is downloaded once and thrown away. With --subset K/N that is only the
K-th of N parts of the messages: each UID is always in the same part, so that N
runs, with K from 1 to N, read everything once. Every night one of thirty:
  syncer -q verify --subset $(($(date +%s) / 86400 % 30 + 1))/30

--repair mends what two of the three prove, and leaves the rest:
  a damaged file     is replaced by the server's copy, and kept in the attic
  a wrong index      gets the digest of what both sides hold
  the server's copy  differs: the file's is uploaded as a new message, and the
                     server's is left there. It never comes into the Maildir
  what is missing    on one side is left to the next sync

exit status:
  0  all is whole, be it by a repair   3  could not connect or log in
  1  something is not whole            4  a guard held changes back: read what it says
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help="ACCOUNT or ACCOUNT:MAILBOX; none means everything"
    )
    parser.add_argument(
        "--subset", type=_subset, default=Subset(), metavar="K/N", help="only the K-th of N parts, such as 3/30"
    )
    parser.add_argument("--repair", action="store_true", help="mend what is damaged, from the side that is whole")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of words")
    parser.add_argument("--wait", action="store_true", help="wait if another run works on the account, do not leave")


def run(options: argparse.Namespace, output: Output) -> int:
    """Verify, print what was found, return the exit status."""
    config = configuration(options.config)
    chosen = targets(config, options.targets)
    asked = VerifyOptions(options.subset, options.repair, options.wait)

    def stopping() -> None:
        output.say("stopping after what is under way; once more to leave at once", "warning", least=-1)

    from syncer.wiring import verify_accounts  # noqa: PLC0415 - loads what talks to servers

    with stop_on_signals(stopping) as stop, progress(wanted=output.verbosity >= 0) as heard:
        found = verify_accounts(config, chosen, asked, heard, stop.event)
    if options.json:
        output.json(found.to_json())
    for line in lines(found, invocation(options)):
        output.tell(line)
    return found.exit_status() if stop.status is None else stop.status


def _subset(word: str) -> Subset:
    part, slash, of = word.partition("/")
    if slash and part.isascii() and part.isdecimal() and of.isascii() and of.isdecimal() and 1 <= int(part) <= int(of):
        return Subset(int(part), int(of))
    raise argparse.ArgumentTypeError(f"{word!r} is not K/N with K from 1 to N, such as 3/30")
