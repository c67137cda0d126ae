"""Messages that the server does not have: an APPEND is announced in the index before it is sent.

The intents of a batch are announced together and durably, then its files are read one by one as the server takes them,
so that the server never waits for a whole batch to be read, and memory holds no more than is under way. What came of
them is recorded batch by batch while the next messages are on their way.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from syncer.errors import MessageError, StoppedError, VanishedError
from syncer.executor.bench import BATCH_MESSAGES, BATCH_OCTETS, Bench, batches
from syncer.ports import Appended, Outgoing, Server
from syncer.reconcile.actions import Append
from syncer.reconcile.agreement import storable
from syncer.reconcile.flags import Flags
from syncer.reconcile.identity import Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Intent, Observation, Pair


def append(bench: Bench, server: Server, here: Observation, actions: Sequence[Append]) -> None:
    """Append new files and record them. When it is to stop, what is under way is waited for."""
    if not actions:
        return
    run = _Run(bench, here)
    try:
        with closing(server.append(here.mailbox, run.messages(actions))) as outcomes:  # type: ignore[type-var]
            for outcome in outcomes:
                run.take(outcome)
    finally:
        run.record()
    if run.stopped is not None:
        raise run.stopped


class _Run:
    """All uploads into one mailbox in one pass."""

    def __init__(self, bench: Bench, here: Observation) -> None:
        self._bench = bench
        self._here = here
        self._mailbox = here.mailbox
        self._report = bench.report.mailbox(here.mailbox)
        self.stopped: StoppedError | None = None
        self._under_way: dict[UniqueName, tuple[Fingerprint, Flags]] = {}
        self._uids = {message.uid for message in here.server.new}
        """Told by the server: of messages that were there before, then of those that are appended."""
        self._octets = 0
        """Appended and not recorded."""
        self._pairs: list[Pair] = []
        self._settled: list[UniqueName] = []
        self._unknown: list[UniqueName] = []

    def messages(self, actions: Iterable[Append]) -> Iterator[tuple[Outgoing, Flags]]:
        """The messages, each read when it is asked for, after its intent was announced."""
        for batch in batches(actions):
            try:
                self._bench.checkpoint()
            except StoppedError as error:
                self.stopped = error
                return
            for action, date in self._announced(batch):
                outgoing = self._read(action, date)
                if outgoing is None:
                    self._settled.append(action.message.name)
                    continue
                flags = storable(action.message.flags, self._here.server)
                self._under_way[outgoing.name] = outgoing.fingerprint, flags
                yield outgoing, flags

    def take(self, outcome: Appended) -> None:
        """What came of a message."""
        fingerprint, flags = self._under_way.pop(outcome.name)
        if outcome.refused is not None:
            self._bench.failed(self._mailbox, outcome.name, f"{outcome.name} not uploaded: {outcome.refused}")
            self._settled.append(outcome.name)
            return
        self._report.uploaded += 1
        self._report.bytes_up += fingerprint.size
        self._bench.progress.transferred(self._bench.account, 1, fingerprint.size)
        if outcome.uid is not None and self._is_new(outcome.uid):
            self._uids.add(outcome.uid)
            self._pairs.append(Pair(outcome.uid, outcome.name, flags, fingerprint))
        else:
            self._unknown.append(outcome.name)
            self._bench.look_again = True  # found by content instead
        self._octets += fingerprint.size
        waiting = len(self._pairs) + len(self._unknown) + len(self._settled)
        if waiting >= BATCH_MESSAGES or self._octets >= BATCH_OCTETS:
            self.record()

    def record(self) -> None:
        """Record what is known by now."""
        mine = {pair.uid: pair.name for pair in self._pairs}
        known = self._bench.index.pairs_among(self._mailbox, uids=mine)
        taken = {pair.uid for pair in known if pair.name != mine[pair.uid]}
        if taken:  # by what was moved in before: of one of the two the server has told another UID than it has
            self._unknown += [pair.name for pair in self._pairs if pair.uid in taken]
            self._pairs = [pair for pair in self._pairs if pair.uid not in taken]
            self._bench.index.forget(self._mailbox, taken)
            self._bench.look_again = True
        if self._pairs:  # a file whose writer did not flush it must not be lost after it was recorded
            self._bench.store.flush(self._mailbox)
        told = [(pair.uid, pair.name) for pair in self._pairs]
        uids, names = [uid for uid, _ in told], [name for _, name in told]
        self._bench.tell(self._mailbox, "uploaded", "new in the Maildir", uids=uids, names=names)
        self._bench.tell(self._mailbox, "uploaded", "new in the Maildir; UID not told", names=tuple(self._unknown))
        self._bench.index.record(self._mailbox, self._pairs)
        self._bench.index.settle(self._mailbox, self._settled)
        self._bench.index.sent(self._mailbox, self._unknown)
        self._pairs, self._settled, self._unknown, self._octets = [], [], [], 0

    def _announced(self, batch: Iterable[Append]) -> list[tuple[Append, int]]:
        """The actions of a batch, with the dates that were announced."""
        announced: list[tuple[Append, int]] = []
        for action in batch:
            try:
                announced.append((action, self._bench.store.internaldate(self._mailbox, action.message.name)))
            except MessageError as error:
                self._not_read(action.message.name, error)
        uidnext = self._here.server.epoch.uidnext
        intents = [Intent(action.message.name, uidnext, date) for action, date in announced]
        self._bench.index.announce(self._mailbox, intents)
        return announced

    def _read(self, action: Append, date: int) -> Outgoing | None:
        try:
            outgoing = self._bench.store.outgoing(self._mailbox, action.message.name)
        except MessageError as error:
            self._not_read(action.message.name, error)
            return None
        if outgoing.internaldate != date:  # another date than the intent says: another file by now
            self._bench.look_again = True
            return None
        return outgoing

    def _not_read(self, name: UniqueName, error: MessageError) -> None:
        if isinstance(error, VanishedError):
            self._bench.look_again = True
        else:
            self._bench.failed(self._mailbox, name, f"{name} not uploaded: {error}")

    def _is_new(self, uid: Uid) -> bool:
        """Whether a message that was just made can have this UID (RFC 9051 section 2.3.1.1)."""
        return uid >= (self._here.server.epoch.uidnext or 1) and uid not in self._uids
