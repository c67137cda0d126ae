"""Deleting by moving to the trash, on servers without MOVE: COPY, then mark and expunge (RFC 6851 section 3.3).

A COPY cannot be taken back, and one that is sent again makes a second copy. So it is announced in the index before it
is sent, and the announcement is taken back after the deletion was recorded. One that is still there when the messages
are to be deleted again forces a look into the trash: what has come into it since is not copied once more.
"""

import json
from collections import Counter
from collections.abc import Sequence

from syncer.executor.bench import Bench
from syncer.ports import Server
from syncer.reconcile.identity import MailboxName, Uid
from syncer.reconcile.observations import Pair


def move_to_trash(
    bench: Bench, server: Server, mailbox: MailboxName, pairs: Sequence[Pair], trash: MailboxName
) -> None:
    """Move messages to the trash; `settle` is to be called when that is recorded.

    Raises:
        ServerRefusedError: they were not moved.
    """
    uids = [pair.uid for pair in pairs]
    if "MOVE" in server.capabilities:
        server.move(mailbox, uids, trash)
        return
    there = _copied_already(bench, server, mailbox, pairs, trash)
    if there:
        server.expunge(mailbox, there)
    rest = [uid for uid in uids if uid not in there]
    if rest:
        epoch = server.epoch(trash)
        told = [trash, epoch.uidvalidity, epoch.uidnext, [int(uid) for uid in uids]]
        bench.index.remember(_key(mailbox), json.dumps(told))
        server.move(mailbox, rest, trash)


def settle(bench: Bench, mailbox: MailboxName) -> None:
    """The messages are deleted, and that is recorded."""
    if bench.index.recall(_key(mailbox)):
        bench.index.remember(_key(mailbox), "")


def _copied_already(
    bench: Bench, server: Server, mailbox: MailboxName, pairs: Sequence[Pair], trash: MailboxName
) -> list[Uid]:
    """Those of the messages whose COPY was announced, and of which the trash has one more since."""
    told = bench.index.recall(_key(mailbox))
    if not told:
        return []
    where, uidvalidity, uidnext, announced = json.loads(told)
    if where != trash:
        return []
    listing = server.listing(trash)
    floor = (uidnext or 1) if listing.epoch.uidvalidity == uidvalidity else 1
    arrived = Counter(server.headers(trash, sorted(uid for uid in listing.flags if uid >= floor)).values())
    copied = []
    for pair in pairs:
        if pair.uid in announced and arrived[pair.fingerprint.header]:
            arrived[pair.fingerprint.header] -= 1
            copied.append(pair.uid)
    return copied


def _key(mailbox: MailboxName) -> str:
    return f"to the trash: {mailbox}"
