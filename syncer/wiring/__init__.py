"""Puts the parts together: the only room that knows which server, Maildir and index an account has.

`parts` opens them, `calls` begins to connect, `edge` works on accounts side by side, `passes` makes a pass, `verifying`
reads and compares everything, `watching` stays and keeps accounts equal (`watched` one of them, of which `telling`
tells), `chores` checks accounts and handles mailboxes, `history` tells what was done and brings back what was removed,
`status` reads what an index says, and `following` hears what a `watch` tells. Each is loaded when one of its functions
is first asked for, so that `status` loads nothing that talks to a server.
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
    from syncer.wiring.following import follow_account
    from syncer.wiring.history import Wish, account_log, message_history, place_of, restore_from_attic
    from syncer.wiring.status import account_status
    from syncer.wiring.telling import Audience
    from syncer.wiring.verifying import verify_accounts
    from syncer.wiring.watching import Watch

__all__ = [
    "Audience",
    "Watch",
    "Wish",
    "account_log",
    "account_status",
    "check_account",
    "follow_account",
    "mailbox_count",
    "mailbox_create",
    "mailbox_delete",
    "mailbox_list",
    "mailbox_rename",
    "message_history",
    "place_of",
    "restore_from_attic",
    "sync_accounts",
    "verify_accounts",
]

_HOMES = {
    "Audience": "telling",
    "Watch": "watching",
    "Wish": "history",
    "account_log": "history",
    "account_status": "status",
    "follow_account": "following",
    "message_history": "history",
    "place_of": "history",
    "restore_from_attic": "history",
    "sync_accounts": "calls",
    "verify_accounts": "verifying",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'chores')}"), name)
