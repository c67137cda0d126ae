"""Whole messages of the server, read for nothing but their digests."""

from collections.abc import Sequence
from contextlib import closing

from syncer.ports.server import Server
from syncer.reconcile.fingerprint import taken
from syncer.reconcile.identity import MailboxName, Uid


def contents_of(server: Server, mailbox: MailboxName, uids: Sequence[Uid]) -> dict[Uid, bytes]:
    """`Fingerprint.content` of each message, without those that are gone or cannot be had.

    Raises:
        MailboxError: the mailbox cannot be read.
    """
    with closing(server.fetch(mailbox, uids)) as fetched:  # type: ignore[type-var]
        return {message.uid: taken(message.body).content for message in fetched}
