"""Messages that one side does not have: downloads and appends.

A downloaded file is durable and visible before its pair is recorded; an APPEND is announced before it is sent.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from syncer.errors import MessageError, VanishedError
from syncer.executor.bench import BATCH_MESSAGES, Bench
from syncer.ports import Appended, Fetched, Outgoing, Server
from syncer.reconcile.actions import Append
from syncer.reconcile.agreement import storable
from syncer.reconcile.flags import Flags
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Intent, Observation, Pair, ServerMessage
from syncer.report import MailboxReport

BATCH_OCTETS = 16 * 1024 * 1024
"""What a killed run has to fetch again at most, besides the message it was killed in."""


def download(bench: Bench, server: Server, here: Observation, messages: Sequence[ServerMessage]) -> None:
    """Fetch messages, the newest first, deliver and record them batch by batch."""
    if not messages:
        return
    wanted = {message.uid: message for message in messages}
    newest_first = sorted(wanted, reverse=True)
    with closing(server.fetch(here.mailbox, newest_first)) as fetched:  # type: ignore[type-var]
        for batch in iter(lambda: _deliver(bench, here, wanted, fetched), ()):
            for pair in batch:
                del wanted[pair.uid]
    if wanted:
        _not_delivered(bench, server, here.mailbox, wanted)


def _deliver(
    bench: Bench, here: Observation, wanted: dict[Uid, ServerMessage], fetched: Iterator[Fetched]
) -> tuple[Pair, ...]:
    """Deliver and record one batch; empty when the server has sent everything."""
    bench.checkpoint()
    report = bench.report.mailbox(here.mailbox)
    pairs: dict[Uid, Pair] = {}
    octets = 0
    with bench.store.delivery(here.mailbox) as delivery:
        try:
            for message in fetched:
                seen = wanted.get(message.uid)
                if seen is None or message.uid in pairs:
                    continue
                name = bench.store.unique_name(here.mailbox, here.server.epoch, seen)
                flags = bench.spelling.normal(message.flags)
                fingerprint = delivery.add(name, flags, message.internaldate, message.body)
                pairs[message.uid] = Pair(message.uid, name, flags, fingerprint, seen.email_id)
                octets += message.size
                bench.progress.transferred(bench.account, 1, message.size)
                if len(pairs) >= BATCH_MESSAGES or octets >= BATCH_OCTETS:
                    break
        finally:  # a connection lost half-way costs only the message it was lost in
            delivery.commit()
            bench.index.record(here.mailbox, tuple(pairs.values()))
            report.downloaded += len(pairs)
            report.bytes_down += octets
    return tuple(pairs.values())


def _not_delivered(bench: Bench, server: Server, mailbox: MailboxName, missing: Iterable[Uid]) -> None:
    """A message that was expunged meanwhile is no problem; one that is still there is."""
    for message in server.describe(mailbox, tuple(missing)):
        problem = f"UID {message.uid} not downloaded: the server lists it but does not deliver it"
        bench.report.mailbox(mailbox).problem(problem)


def append(bench: Bench, server: Server, here: Observation, batch: Sequence[Append]) -> None:
    """Announce, append and record one batch of new files."""
    bench.checkpoint()
    mailbox, report = here.mailbox, bench.report.mailbox(here.mailbox)
    sent: dict[UniqueName, tuple[Outgoing, Flags]] = {}
    for action in batch:
        try:
            outgoing = bench.store.outgoing(mailbox, action.message.name)
        except VanishedError:
            bench.look_again = True
            continue
        except MessageError as error:
            report.problem(f"{action.message.name} not uploaded: {error}")
            continue
        sent[outgoing.name] = (outgoing, storable(action.message.flags, here.server))
    bench.index.announce(mailbox, [Intent(name, here.server.epoch.uidnext) for name in sent])
    pairs: list[Pair] = []
    settled: list[UniqueName] = []
    try:
        for outcome in server.append(mailbox, sent.values()):
            outgoing, flags = sent[outcome.name]
            pair = _appended(bench, report, outcome, outgoing, flags)
            if pair is not None:
                pairs.append(pair)
            elif outcome.refused is not None:
                settled.append(outcome.name)
    finally:
        bench.store.flush(mailbox)  # a file whose writer did not flush it must not be lost after it was recorded
        bench.index.record(mailbox, pairs)
        bench.index.settle(mailbox, settled)


def _appended(bench: Bench, report: MailboxReport, outcome: Appended, outgoing: Outgoing, flags: Flags) -> Pair | None:
    if outcome.refused is not None:
        report.problem(f"{outcome.name} not uploaded: {outcome.refused}")
        return None
    size = outgoing.fingerprint.size
    report.uploaded += 1
    report.bytes_up += size
    bench.progress.transferred(bench.account, 1, size)
    if outcome.uid is None:
        bench.look_again = True
        return None
    return Pair(outcome.uid, outcome.name, flags, outgoing.fingerprint)
