"""Whole messages of the server, read for nothing but their digests."""

from collections.abc import Mapping
from contextlib import closing

from syncer.ports.server import Server
from syncer.reconcile.fingerprint import taken
from syncer.reconcile.identity import MailboxName, Uid


def contents_of(server: Server, mailbox: MailboxName, headers: Mapping[Uid, bytes]) -> dict[Uid, bytes]:
    """`Fingerprint.content` of each message, without those that are gone or cannot be had.

    `headers` are the digests of their header blocks. What comes with another one (without any octets, most of the
    time) is not the message, and proves nothing.

    Raises:
        MailboxError: the mailbox cannot be read.
    """
    with closing(server.fetch(mailbox, sorted(headers))) as fetched:  # type: ignore[type-var]
        read = ((message.uid, taken(message.body)) for message in fetched)
        return {uid: found.content for uid, found in read if found.header == headers.get(uid)}
