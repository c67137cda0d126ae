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
from syncer.reconcile.observations import Epoch, Intent, Observation, Pair, ServerMessage
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
        while _deliver(bench, here, wanted, fetched):
            bench.checkpoint()
    if wanted:
        _not_delivered(bench, server, here.mailbox, wanted)


def _deliver(bench: Bench, here: Observation, wanted: dict[Uid, ServerMessage], fetched: Iterator[Fetched]) -> bool:
    """Deliver and record one batch and take it out of `wanted`; False when the server has sent everything."""
    report = bench.report.mailbox(here.mailbox)
    pairs: dict[Uid, Pair] = {}
    octets = received = 0
    with bench.store.delivery(here.mailbox) as delivery:
        try:
            for message in fetched:
                seen = wanted.pop(message.uid, None)
                if seen is None:
                    continue
                if seen.size and not message.size:  # an empty literal for a message that has octets is no message
                    report.problem(f"UID {message.uid} not downloaded: the server delivers it without octets")
                    continue
                own = bench.store.unique_name(here.mailbox, here.server.epoch, seen)
                name = bench.names.get((here.mailbox, seen.uid), own)
                flags = bench.spelling.normal(message.flags)
                fingerprint = delivery.add(name, flags, message.internaldate, message.body)
                pairs[message.uid] = Pair(message.uid, name, flags, fingerprint, seen.email_id)
                octets += message.size
                received += 1
                bench.progress.transferred(bench.account, 1, message.size)
                if len(pairs) >= BATCH_MESSAGES or octets >= BATCH_OCTETS:
                    break
        finally:  # a connection lost half-way costs only the message it was lost in
            for taken in delivery.commit():
                _make_sure(bench, here.mailbox, taken, pairs)
            bench.index.record(here.mailbox, tuple(pairs.values()))
            bench.downloaded(here.mailbox, len(pairs), octets)
    return received > 0


def _make_sure(bench: Bench, mailbox: MailboxName, taken: UniqueName, pairs: dict[Uid, Pair]) -> None:
    """A file has the name already. If it is not this message, the message gets another name in the next round."""
    uid = next(uid for uid, pair in pairs.items() if pair.name == taken)
    try:
        same = bench.store.fingerprint(mailbox, taken) == pairs[uid].fingerprint
    except MessageError:
        same = False
    if not same:
        del pairs[uid]
        bench.names[mailbox, uid] = UniqueName(f"{taken}.1")
        bench.look_again = True


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
    uidnext = here.server.epoch.uidnext
    bench.index.announce(mailbox, [Intent(name, uidnext, out.internaldate) for name, (out, _) in sent.items()])
    pairs: list[Pair] = []
    settled: list[UniqueName] = []
    unknown: list[UniqueName] = []
    try:
        for outcome in server.append(mailbox, sent.values()):
            outgoing, flags = sent[outcome.name]
            pair = _appended(bench, report, outcome, outgoing, flags)
            if pair is not None and not _is_new(pair.uid, here.server.epoch, pairs):
                bench.look_again = True  # APPENDUID names another message: found by content instead
                unknown.append(outcome.name)
            elif pair is not None:
                pairs.append(pair)
            elif outcome.refused is not None:
                settled.append(outcome.name)
            else:
                unknown.append(outcome.name)
    finally:
        bench.store.flush(mailbox)  # a file whose writer did not flush it must not be lost after it was recorded
        bench.index.record(mailbox, pairs)
        bench.index.settle(mailbox, settled)
        bench.index.sent(mailbox, unknown)


def _is_new(uid: Uid, epoch: Epoch, pairs: Sequence[Pair]) -> bool:
    """Whether a message that was just made can have this UID (RFC 9051 section 2.3.1.1)."""
    return uid >= (epoch.uidnext or 1) and all(pair.uid != uid for pair in pairs)


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
