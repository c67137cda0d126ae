"""`syncer check`: is everything in order, and if not, what is to be done."""

import argparse
from collections.abc import Iterator
from typing import Final

from syncer.cli.output import Output
from syncer.cli.targets import accounts_named, configuration
from syncer.config import Account, Config
from syncer.errors import SyncerError
from syncer.findings import CheckLine
from syncer.report import FAILED, OK, UNREACHABLE, error_kind

DESCRIPTION: Final = """\
Test the configuration, the index, the Maildir and the server, one line each, with
what to do about it. Changes nothing.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("accounts", nargs="*", metavar="ACCOUNT", help="which accounts; none means all")


def run(options: argparse.Namespace, output: Output) -> int:
    """Print one line for each thing; 3 if a server cannot be used, 1 if something else is wrong."""
    config = configuration(options.config)
    accounts = accounts_named(config, options.accounts)
    output.result(f"ok      configuration: {config.path}")
    status = OK
    for account in accounts:
        for line in _checked(config, account):
            output.result(f"{'ok' if line.ok else 'FAILED':7} {account.name}: {line.what}: {line.detail}")
            if line.advice is not None:
                output.result(f"        -> {line.advice}")
            if not line.ok:
                status = max(status, UNREACHABLE if line.kind == "connect" else FAILED)
    return status


def _checked(config: Config, account: Account) -> Iterator[CheckLine]:
    from syncer.wiring import check_account  # noqa: PLC0415 - loads what talks to servers

    try:
        yield from check_account(config, account)
    except SyncerError as error:
        kind = error_kind(error)
        yield CheckLine("account", ok=False, detail=str(error), kind="connect" if kind == "connect" else "local")
