"""What to do: one frozen value for each action, printable, with its reason.

An action holds no connection and does not run itself.

The executor states in which order effect and record follow each other; nothing here decides that.
"""

from syncer.reconcile.flags import FlagDelta, Flags
from syncer.reconcile.identity import MailboxName, Side, Uid
from syncer.reconcile.observations import LocalMessage, Pair, ServerMessage
from syncer.values import Struct, field

NO_DELTA = FlagDelta()


class _Action(Struct, frozen=True, kw_only=True):
    mailbox: MailboxName
    reason: str


class Download(_Action, frozen=True, kw_only=True):
    """Fetch a message, deliver it, record the pair."""

    message: ServerMessage

    def __str__(self) -> str:
        return f"{self.mailbox}: download UID {self.message.uid} ({self.reason})"


class Append(_Action, frozen=True, kw_only=True):
    """Announce the intent, append the file's message, record the pair."""

    message: LocalMessage

    def __str__(self) -> str:
        return f"{self.mailbox}: append {self.message.name} ({self.reason})"


class Agree(_Action, frozen=True, kw_only=True):
    """Store a delta on the server and change the file's flags, either of which may be empty.

    Then record `pair` as it stands here.
    """

    pair: Pair
    to_server: FlagDelta = NO_DELTA
    to_local: FlagDelta = NO_DELTA

    def __str__(self) -> str:
        steps = [f"server {self.to_server}"] if self.to_server else []
        steps += [f"local {self.to_local}"] if self.to_local else []
        return f"{self.mailbox}: UID {self.pair.uid} {', '.join(steps) or 'record'} ({self.reason})"


class Expunge(_Action, frozen=True, kw_only=True):
    """Expunge on the server, or move to `trash`; then forget the pair."""

    pair: Pair
    trash: MailboxName | None = None

    def __str__(self) -> str:
        verb = f"move to {self.trash} on the server" if self.trash else "expunge"
        return f"{self.mailbox}: {verb} UID {self.pair.uid} ({self.reason})"


class RemoveLocal(_Action, frozen=True, kw_only=True):
    """Take the file out of the Maildir, into the attic; then forget the pair."""

    pair: Pair

    def __str__(self) -> str:
        return f"{self.mailbox}: remove {self.pair.name} ({self.reason})"


class RemoveStray(_Action, frozen=True, kw_only=True):
    """Take a file whose message the server lost out of the Maildir, into the attic."""

    message: LocalMessage

    def __str__(self) -> str:
        return f"{self.mailbox}: remove {self.message.name} ({self.reason})"


class Forget(_Action, frozen=True, kw_only=True):
    """Take the pair out of the index."""

    uid: Uid

    def __str__(self) -> str:
        return f"{self.mailbox}: forget UID {self.uid} ({self.reason})"


class MoveOnServer(_Action, frozen=True, kw_only=True):
    """Follow a local move: store the delta at the source, UID MOVE to `target`, move the pair.

    `pair` is the one at the source, `landed` the file at the target, `agreed` the flags to record there.
    """

    pair: Pair
    target: MailboxName
    landed: LocalMessage
    agreed: Flags
    to_server: FlagDelta = NO_DELTA
    to_local: FlagDelta = NO_DELTA

    def __str__(self) -> str:
        return f"{self.mailbox}: move UID {self.pair.uid} to {self.target} on the server ({self.reason})"


class MoveLocal(_Action, frozen=True, kw_only=True):
    """Follow a move on the server: rename the file into `target`, store the delta there, move the pair.

    `pair` is the one at the source, `landed` the message at the target, `agreed` the flags to record there.
    """

    pair: Pair
    target: MailboxName
    landed: ServerMessage
    agreed: Flags
    to_server: FlagDelta = NO_DELTA
    to_local: FlagDelta = NO_DELTA

    def __str__(self) -> str:
        return f"{self.mailbox}: move {self.pair.name} to {self.target} in the Maildir ({self.reason})"


MessageAction = Download | Append | Agree | Expunge | RemoveLocal | RemoveStray | Forget | MoveOnServer | MoveLocal


class CreateMailbox(_Action, frozen=True, kw_only=True):
    """Create the mailbox on `side`."""

    side: Side

    def __str__(self) -> str:
        return f"{self.mailbox}: create {_place(self.side)} ({self.reason})"


class RenameMailbox(_Action, frozen=True, kw_only=True):
    """Rename the mailbox on `side`, then in the index."""

    side: Side
    new_name: MailboxName

    def __str__(self) -> str:
        return f"{self.mailbox}: rename to {self.new_name} {_place(self.side)} ({self.reason})"


class DeleteMailbox(_Action, frozen=True, kw_only=True):
    """Delete the mailbox on `side` with the `messages` in it, then forget it."""

    side: Side
    messages: int

    def __str__(self) -> str:
        return f"{self.mailbox}: delete {_place(self.side)} with {self.messages} messages ({self.reason})"


class ForgetMailbox(_Action, frozen=True, kw_only=True):
    """Take the mailbox and its pairs out of the index."""

    def __str__(self) -> str:
        return f"{self.mailbox}: forget the mailbox ({self.reason})"


MailboxAction = CreateMailbox | RenameMailbox | DeleteMailbox | ForgetMailbox
Action = MessageAction | MailboxAction


class Refusal(Struct, frozen=True):
    """A mailbox that the plan does not touch at all, and why."""

    mailbox: MailboxName
    reason: str


class Hold(Struct, frozen=True):
    """Deletions that a guard holds back. Everything else of the mailbox is done."""

    mailbox: MailboxName
    side: Side
    """Where the messages would have been deleted."""
    actions: tuple[Expunge | RemoveLocal | RemoveStray | DeleteMailbox, ...]
    reason: str
    stays: bool = True
    """Until a person decides, whatever arrives in the mailbox; else only until the day is over."""


class Plan(Struct, frozen=True):
    """Everything that a pass will do, will not do, and wants to say."""

    actions: tuple[Action, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    holds: tuple[Hold, ...] = ()
    notes: tuple[tuple[MailboxName, str], ...] = field(default=())
    """For people: what was postponed and why."""


def _place(side: Side) -> str:
    return "on the server" if side == "server" else "in the Maildir"
