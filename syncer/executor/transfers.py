"""Messages that the Maildir does not have: a file is durable and visible before its pair is recorded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing

from syncer.errors import MailboxError
from syncer.executor.bench import BATCH_OCTETS, Bench
from syncer.ports import Fetched, Server
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Observation, Pair, PairState, ServerMessage

DELIVERED_TOGETHER = 2000
"""Messages that become durable and are recorded together: each flush costs some 10 ms whatever there is to flush."""


def _keep(_server: Server) -> None:
    """The connection is needed for something else."""


def download(
    bench: Bench,
    server: Server,
    here: Observation,
    messages: Sequence[ServerMessage],
    let_go: Callable[[Server], None] = _keep,
) -> None:
    """Fetch messages, the newest first, deliver and record them batch by batch.

    `let_go` is called when everything has come, and the last batch is yet to be made durable and recorded.
    """
    if not messages:
        return
    wanted = {message.uid: message for message in messages}
    newest_first = sorted(wanted, reverse=True)
    with closing(server.fetch(here.mailbox, newest_first)) as fetched:  # type: ignore[type-var]
        while _deliver(bench, here, wanted, fetched, lambda: let_go(server)):
            bench.checkpoint()
    if wanted:
        _not_delivered(bench, server, here.mailbox, wanted)


def _deliver(
    bench: Bench,
    here: Observation,
    wanted: dict[Uid, ServerMessage],
    fetched: Iterator[Fetched],
    let_go: Callable[[], None],
) -> bool:
    """Deliver and record one batch and take it out of `wanted`; False when the server has sent everything."""
    pairs: dict[Uid, Pair] = {}
    octets = 0
    _insist_whole(bench, here.mailbox)
    with bench.store.delivery(here.mailbox) as delivery:
        try:
            for message in fetched:
                seen = wanted.pop(message.uid, None)
                if seen is None:
                    continue
                if seen.size and not message.size:  # an empty literal for a message that has octets is no message
                    problem = f"UID {message.uid} not downloaded: the server delivers it without octets"
                    bench.failed(here.mailbox, message.uid, problem)
                    continue
                own = bench.store.unique_name(here.mailbox, here.server.epoch, seen)
                name = bench.names.get((here.mailbox, seen.uid), own)
                flags = bench.spelling.normal(message.flags)
                fingerprint = delivery.add(name, flags, message.internaldate, message.body)
                pairs[message.uid] = Pair(message.uid, name, flags, fingerprint, seen.email_id)
                octets += message.size
                bench.progress.transferred(bench.account, 1, message.size)
                if wanted and (len(pairs) >= DELIVERED_TOGETHER or octets >= BATCH_OCTETS):
                    return True
            if not wanted:
                let_go()
        finally:  # a connection lost half-way costs only the message it was lost in
            for taken in delivery.commit():
                _make_sure(bench, here.mailbox, taken, pairs)
            bench.tell(here.mailbox, "downloaded", "new on the server", uids=tuple(pairs))
            bench.index.record(here.mailbox, tuple(pairs.values()))
            bench.downloaded(here.mailbox, len(pairs), octets)
    return False


def _make_sure(bench: Bench, mailbox: MailboxName, taken: UniqueName, pairs: dict[Uid, Pair]) -> None:
    """A file has the name already. If it is not this message, the message gets another name in the next round."""
    uid = next(uid for uid, pair in pairs.items() if pair.name == taken)
    if bench.store.fingerprints(mailbox, [taken]).get(taken) != pairs[uid].fingerprint:
        del pairs[uid]
        bench.names[mailbox, uid] = UniqueName(f"{taken}.1")
        bench.look_again = True


def _insist_whole(bench: Bench, mailbox: MailboxName) -> None:
    """A delivery would make the missing directory again, and what it held would look deleted in the next pass."""
    if bench.store.state(mailbox) is None and any(p.state is PairState.BOTH for p in bench.index.pairs(mailbox)):
        raise MailboxError(
            f"{mailbox}: cur/ or new/ is missing in the Maildir, and nothing is delivered until it is there again; put "
            "it back, or let `syncer restore` make it anew and fetch what it held"
        )


def _not_delivered(bench: Bench, server: Server, mailbox: MailboxName, missing: Iterable[Uid]) -> None:
    """A message that was expunged meanwhile is no problem; one that is still there is."""
    for message in server.describe(mailbox, tuple(missing)):
        problem = f"UID {message.uid} not downloaded: the server lists it but does not deliver it"
        bench.failed(mailbox, message.uid, problem)
