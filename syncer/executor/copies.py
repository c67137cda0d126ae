"""Moving on servers without MOVE: COPY, then mark and expunge (RFC 6851 section 3.3).

A COPY cannot be taken back, and one that is sent again makes a second copy. So it is announced in the index before it
is sent, and the announcement is taken back after the move was recorded. One that is still there when the messages are
to be brought to the trash forces a look: of what has come into the place that was announced, the old copy is only
expunged. (A move to another mailbox is not sent again anyway: its message meets the file there.)
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from syncer.executor.bench import Bench
from syncer.ports import Server
from syncer.reconcile.identity import MailboxName, Uid
from syncer.reconcile.observations import Pair


def move(
    bench: Bench, server: Server, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName
) -> Mapping[Uid, Uid]:
    """As `Server.move`; `settle` is to be called when it is recorded.

    Raises:
        ServerRefusedError: they were not moved.
    """
    if uids and "MOVE" not in server.capabilities:
        epoch = server.epoch(target)
        told = [target, epoch.uidvalidity, epoch.uidnext, sorted(int(uid) for uid in uids)]
        bench.index.remember(_key(mailbox), json.dumps(told))
    return server.move(mailbox, uids, target)


def move_to_trash(
    bench: Bench, server: Server, mailbox: MailboxName, pairs: Sequence[Pair], trash: MailboxName
) -> None:
    """Move messages to the trash, but for those of which a killed run has copied one already; then call `settle`.

    Raises:
        ServerRefusedError: they were not moved.
    """
    there = _copied_already(bench, server, mailbox, pairs)
    if there:
        server.expunge(mailbox, there)
    rest = [pair.uid for pair in pairs if pair.uid not in there]
    if rest:
        move(bench, server, mailbox, rest, trash)


def settle(bench: Bench, mailbox: MailboxName) -> None:
    """Messages are out of the mailbox, and that is recorded."""
    if bench.index.recall(_key(mailbox)):
        bench.index.remember(_key(mailbox), "")


def _copied_already(bench: Bench, server: Server, mailbox: MailboxName, pairs: Sequence[Pair]) -> list[Uid]:
    """Those of the messages whose COPY was announced, and of which its target has one more since."""
    told = bench.index.recall(_key(mailbox))
    if not told:
        return []
    target, uidvalidity, uidnext, announced = json.loads(told)
    if not server.exists(target):
        return []
    listing = server.listing(target)
    floor = (uidnext or 1) if listing.epoch.uidvalidity == uidvalidity else 1
    arrived = Counter(server.headers(target, sorted(uid for uid in listing.flags if uid >= floor)).values())
    copied = []
    for pair in pairs:
        if pair.uid in announced and arrived[pair.fingerprint.header]:
            arrived[pair.fingerprint.header] -= 1
            copied.append(pair.uid)
    return copied


def _key(mailbox: MailboxName) -> str:
    return f"copying: {mailbox}"
