"""The connections of a pass are under way before what makes the pass is loaded."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from syncer.config import Account, Config
from syncer.imap.dial import Call, Endpoint
from syncer.report import Report, SyncOptions, Target

if TYPE_CHECKING:
    from syncer.ports import Progress

MOST = 8
"""Accounts that are worked on at once."""


def sync_accounts(
    config: Config, targets: Sequence[Target], options: SyncOptions, progress: "Progress", stop: threading.Event
) -> Report:
    """See `passes.sync_accounts`."""
    names = {target.account for target in targets} or {account.name for account in config.accounts}
    chosen = [account for account in config.accounts if account.name in names]
    calls = {account.name: Call(endpoint_of(account)) for account in chosen[:MOST]}
    try:
        from syncer.wiring import passes  # noqa: PLC0415 - while the network answers

        return passes.sync_accounts(config, targets, options, progress, stop, calls=calls)
    finally:
        for call in calls.values():
            call.hang_up()


def endpoint_of(account: Account) -> Endpoint:
    """The way to the account's server."""
    return Endpoint(
        account=account.name,
        host=account.host,
        port=account.port,
        tls=account.tls,
        tls_ca_file=str(account.tls_ca_file) if account.tls_ca_file else None,
        tls_fingerprint=account.tls_fingerprint,
        allow_insecure=account.allow_insecure,
    )
