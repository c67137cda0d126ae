"""What matching is given to know, and what it finds: values."""

from collections.abc import Mapping

from syncer.reconcile.candidates import File, Message
from syncer.reconcile.identity import MailboxName
from syncer.reconcile.observations import Fingerprint, LocalMessage, Pair, ServerMessage
from syncer.values import Struct, field


class Evidence(Struct, frozen=True):
    """What was read of the candidates. Candidates that vanished meanwhile are missing here and match nothing."""

    files: Mapping[File, Fingerprint] = field(default_factory=dict)
    headers: Mapping[Message, bytes] = field(default_factory=dict)
    contents: Mapping[Message, bytes] = field(default_factory=dict)
    """Of messages of which size and header block do not say enough."""


class Renamed(Struct, frozen=True):
    """A file that has a new unique name in the same mailbox."""

    mailbox: MailboxName
    pair: Pair
    local: LocalMessage


class Renumbered(Struct, frozen=True):
    """A message that has a new UID in the same mailbox."""

    mailbox: MailboxName
    pair: Pair
    server: ServerMessage


class Met(Struct, frozen=True):
    """A message that is new to the index on both sides."""

    mailbox: MailboxName
    server: ServerMessage
    local: LocalMessage
    fingerprint: Fingerprint
    before: Pair | None
    """The pair that it was elsewhere, if both sides moved it here."""


class MovedFile(Struct, frozen=True):
    """A file that was moved to another mailbox."""

    source: MailboxName
    pair: Pair
    target: MailboxName
    local: LocalMessage


class MovedMessage(Struct, frozen=True):
    """A message that was moved to another mailbox on the server."""

    source: MailboxName
    pair: Pair
    target: MailboxName
    server: ServerMessage


class Matches(Struct):
    """What `match` found."""

    renamed: list[Renamed] = field(default_factory=list)
    renumbered: list[Renumbered] = field(default_factory=list)
    met: list[Met] = field(default_factory=list)
    moved_files: list[MovedFile] = field(default_factory=list)
    moved_messages: list[MovedMessage] = field(default_factory=list)
