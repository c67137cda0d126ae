"""From settings and options to what one pass is to do. Loads nothing that talks to a server."""

from syncer.config import Account
from syncer.engine import Order
from syncer.reconcile.identity import MailboxName
from syncer.reconcile.policy import Limits, Policy
from syncer.report import SyncOptions

RULES = 1
"""Raise it when the same settings lead to other decisions than before: everything is then compared once."""


def order_of(account: Account, options: SyncOptions, mailbox: MailboxName | None) -> Order:
    """What one pass is to do."""
    return Order(
        account.name,
        policy_of(account, options),
        account.wants,
        mailbox,
        dry_run=options.dry_run,
        every_action=options.every_action,
        full=options.full,
        full_interval=account.full_interval,
        settings=decisive(account),
    )


def policy_of(account: Account, options: SyncOptions) -> Policy:
    """What the settings and the options of a run allow."""
    return Policy(
        direction=account.direction,
        on_local_delete=account.on_local_delete,
        mailbox_changes=account.mailbox_changes,
        limits=Limits(account.max_delete, options.allow_delete),
        restore=options.restore,
    )


def decisive(account: Account) -> str:
    """The settings under which something may have been left alone that others would have done."""
    decisive = (account.host, account.port, account.user, account.direction, account.on_local_delete)
    return ascii((RULES, *decisive))
