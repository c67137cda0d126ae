"""Puts the parts together: the only room that knows which server, Maildir and index an account has.

`parts` opens them, `calls` begins to connect, `passes` makes a pass over every account side by side, `chores` checks
accounts and handles mailboxes, and `status` reads what an index says. Each is loaded when one of its functions is
first asked for, so that `status` loads nothing that talks to a server.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncer.wiring.calls import sync_accounts
    from syncer.wiring.chores import (
        check_account,
        mailbox_count,
        mailbox_create,
        mailbox_delete,
        mailbox_list,
        mailbox_rename,
    )
    from syncer.wiring.status import account_status

__all__ = [
    "account_status",
    "check_account",
    "mailbox_count",
    "mailbox_create",
    "mailbox_delete",
    "mailbox_list",
    "mailbox_rename",
    "sync_accounts",
]

_HOMES = {"account_status": "status", "sync_accounts": "calls"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'chores')}"), name)
