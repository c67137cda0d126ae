"""What an account's settings allow, as one value for the pure rooms."""

from collections.abc import Mapping
from typing import Literal

from syncer.reconcile.identity import MailboxName, Side
from syncer.values import Struct, field

LARGE = 20
"""From this many messages on, losing more than `max_delete` of a mailbox is held."""


class Limits(Struct, frozen=True):
    """How much a pass may delete."""

    max_delete: float = 0.5
    """The share of a mailbox of `LARGE` or more messages; 1.0 lifts every limit."""
    allowed: bool = False
    """`--allow-delete` was given for these mailboxes."""
    older_copy: bool = False
    """The Maildir was put back from an older copy: what is missing there was not deleted by anybody."""
    others: Mapping[Side, tuple[int, int]] = field(default_factory=dict)
    """For a pass over some mailboxes that no person has named: by side, how many messages the others have, and how many
    were deleted in them in the last day."""
    untold: frozenset[MailboxName] = frozenset()
    """Mailboxes of which nobody was told yet what is missing in such a copy."""


class Policy(Struct, frozen=True):
    """What the planner may turn into actions."""

    direction: Literal["both", "pull", "push"] = "both"
    on_local_delete: Literal["expunge", "trash", "keep"] = "expunge"
    trash: MailboxName | None = None
    r"""The mailbox with the `\Trash` attribute (RFC 6154 section 2), for `on_local_delete = "trash"`."""
    mailbox_changes: Literal["create", "all"] = "create"
    limits: Limits = field(default_factory=Limits)
    restore: bool = False
    """What is missing on one side is copied again from the other, instead of deleted there."""

    @property
    def to_server(self) -> bool:
        """The server may be changed."""
        return self.direction != "pull"

    @property
    def to_local(self) -> bool:
        """The Maildir may be changed."""
        return self.direction != "push"
