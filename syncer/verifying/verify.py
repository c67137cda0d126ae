"""Reading and comparing; see the package."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing

from syncer.crew import Crew
from syncer.errors import MailboxError, MessageError, VanishedError
from syncer.executor.bench import batches
from syncer.executor.portions import CONNECTION_OCTETS
from syncer.observer.here import look_here
from syncer.observer.look import LOOKS_EACH, not_before
from syncer.observer.there import look_there
from syncer.ports import Index, KnownMailbox, LocalStore, Progress, Server
from syncer.reconcile.fingerprint import taken
from syncer.reconcile.flags import Spelling
from syncer.reconcile.guards import epoch_regression
from syncer.reconcile.identity import MailboxName, Uid
from syncer.reconcile.observations import Pair, PairState
from syncer.reconcile.verdicts import Absence, File, Remedy, excessive, judge
from syncer.reconcile.verdicts import Server as ServerCopy
from syncer.values import Struct, field
from syncer.verification import AccountVerification, Found
from syncer.verifying.repairing import Repair
from syncer.verifying.task import Sight, Task

LOT_MESSAGES = 200
"""So many are read in one go, on one connection."""
LOT_OCTETS = 16 * 1024 * 1024

SYNC_FIRST = "A sync matches its messages again by content"


class Lot(Struct, frozen=True):
    """Messages of one mailbox that are read in one go."""

    sight: Sight
    uids: tuple[Uid, ...]
    octets: int


class Verify(Struct):
    """One verification of one account; `run` fills `report`."""

    task: Task
    crew: Crew
    store: LocalStore
    index: Index
    report: AccountVerification
    progress: Progress
    now: Callable[[], int]
    """Seconds since the epoch."""
    done: dict[MailboxName, set[Uid]] = field(default_factory=dict)
    """What was read before the connection was lost, by an earlier one with the same report."""
    spelling: Spelling = field(default_factory=Spelling)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Verify, and repair if that is asked for.

        Raises:
            AccountError: the account cannot be worked on any further; what was found is in the report.
        """
        self.spelling.normal(self.index.keywords())
        chosen = self._chosen()
        self.progress.mailboxes(self.task.account, len(chosen))
        looked = self.crew.each(self._look, chosen, at_once=1 + len(chosen) // LOOKS_EACH)
        sights = [sight for sight in looked if sight is not None]
        lots = [lot for sight in sights for lot in self._lots(sight)]
        octets = sum(lot.octets for lot in lots)
        self.progress.planned(self.task.account, sum(len(lot.uids) for lot in lots), octets)
        self.crew.each(self._compare, lots, at_once=1 + octets // CONNECTION_OCTETS)
        if self.task.repair:
            repair = Repair(self.task, self.crew, self.store, self.index, self.progress, self.spelling, self.now)
            repair.everywhere = self._everywhere()
            self.crew.each(lambda server, sight: self._repair(repair, server, sight), sights, at_once=1)

    def _chosen(self) -> list[KnownMailbox]:
        known = {mailbox.name: mailbox for mailbox in self.index.mailboxes() if self.task.wants(mailbox.name)}
        chosen = self.task.mailboxes or known.keys()
        for name in sorted(chosen - known.keys()):
            self.report.mailbox(name).error = f"the index does not know it yet; syncer sync {self.task.account} first"
        return [mailbox for name, mailbox in known.items() if name in chosen]

    def _look(self, server: Server, known: KnownMailbox) -> Sight | None:
        """What both sides have; None where nothing can be compared."""
        report = self.report.mailbox(known.name)
        report.error = report.refused = None
        try:
            there = look_there(server, self.index, known.name, self.spelling, since=None, now=None)
            here = look_here(self.store, self.index, known.name, self.spelling, mapping=known.mapping, state=None)
        except MailboxError as error:
            report.error = str(error)
            return None
        finally:
            self.progress.looked(self.task.account, known.name)
        if here.changes.missing:
            report.error = "its directory is missing in the Maildir; syncer sync says what becomes of that"
            return None
        regression = epoch_regression(not_before(known), there.changes.epoch)
        if regression is not None:
            report.refused = f"{regression}: nothing was compared. {SYNC_FIRST}"
            return None
        uids = tuple(uid for uid in sorted(self.index.base(known.name)) if self.task.subset.takes(uid))
        report.messages = len(uids)
        report.new_local, report.new_server = len(here.changes.new), len(there.changes.new)
        changed = {pair.uid for pair in here.pairs if pair.name in here.changes.flags}
        report.flags = len(changed | there.changes.flags.keys())
        return Sight(known.name, there, here, uids)

    def _lots(self, sight: Sight) -> Iterator[Lot]:
        """What is still to be read, in lots of neighbouring UIDs."""
        left = [uid for uid in sight.uids if uid not in self.done.setdefault(sight.mailbox, set())]
        lot, octets = list[Uid](), 0
        for batch in batches(left, LOT_MESSAGES):
            for pair in self.index.pairs_among(sight.mailbox, uids=batch):
                if lot and (len(lot) >= LOT_MESSAGES or octets + pair.fingerprint.size > LOT_OCTETS):
                    yield Lot(sight, tuple(lot), octets)
                    lot, octets = [], 0
                lot.append(pair.uid)
                octets += pair.fingerprint.size
        if lot:
            yield Lot(sight, tuple(lot), octets)

    def _compare(self, server: Server, lot: Lot) -> None:
        """Read some messages on both sides."""
        sight = lot.sight
        pairs = self.index.pairs_among(sight.mailbox, uids=lot.uids)
        report = self.report.mailbox(sight.mailbox)
        try:
            copies = self._read_there(server, sight, pairs)
        except MailboxError as error:
            report.error = str(error)
            return
        judged = [self._judge(sight, pair, copies[pair.uid]) for pair in pairs]
        with self._lock:
            report.checked += sum(read for read, _ in judged)
            report.found += [found for _, found in judged if found is not None]
            self.done[sight.mailbox].update(lot.uids)

    def _judge(self, sight: Sight, pair: Pair, server: ServerCopy) -> tuple[bool, Found | None]:
        """Whether the message was read wherever it is, and what is wrong with it."""
        self.crew.check()
        if isinstance(server, Absence):
            self.progress.transferred(self.task.account, 1, pair.fingerprint.size)
        file, path, reason = self._read_here(sight, pair)
        own = self.store.own_uid(sight.mailbox, sight.there.changes.epoch, pair.name)
        finding = judge(pair, file, server, downloaded=own == pair.uid)
        read = all(copy is Absence.APART or not isinstance(copy, Absence) for copy in (file, server))
        return read, None if finding is None else Found(finding, path, reason)

    def _read_there(self, server: Server, sight: Sight, pairs: Collection[Pair]) -> dict[Uid, ServerCopy]:
        """What the server holds of each message; its octets are thrown away as they come."""
        there = sight.there.changes
        copies: dict[Uid, ServerCopy] = {
            pair.uid: Absence.APART if pair.state is PairState.LOCAL_ONLY else Absence.GONE for pair in pairs
        }
        wanted = [uid for uid, copy in copies.items() if copy is Absence.GONE and uid not in there.gone]
        server.expect(sight.mailbox, there.epoch.uidvalidity)
        left = set(wanted)
        sizes = {pair.uid: pair.fingerprint.size for pair in pairs}
        with closing(server.fetch(sight.mailbox, wanted)) as fetched:  # type: ignore[type-var]
            for message in fetched:
                self.crew.check()
                copies[message.uid] = taken(message.body)
                left.discard(message.uid)
                self.progress.transferred(self.task.account, 1, sizes[message.uid])
        if left:  # a message that was expunged meanwhile is gone, one that is still listed was not delivered
            copies.update((message.uid, Absence.UNSEEN) for message in server.describe(sight.mailbox, sorted(left)))
        return copies

    def _read_here(self, sight: Sight, pair: Pair) -> tuple[File, str | None, str | None]:
        """What the file holds; where it is; why it could not be read."""
        if pair.name in sight.here.changes.gone:
            return Absence.GONE, None, None
        back = pair.name in sight.here.changes.flags
        if pair.state is PairState.SERVER_ONLY and not back:
            return Absence.APART, None, None
        try:
            examined = self.store.examine(sight.mailbox, pair.name)
        except VanishedError as error:
            return Absence.UNSEEN, None, str(error)
        except MessageError as error:
            return Absence.UNREADABLE, None, str(error)
        return examined.forms, examined.path, None

    def _everywhere(self) -> bool:
        """Whether most of what was read differs on the server, be it in many small mailboxes."""
        reports = self.report.mailboxes.values()
        differing = sum(found.finding.remedy is Remedy.UPLOAD for report in reports for found in report.found)
        return excessive(differing, sum(report.checked for report in reports))

    def _repair(self, repair: Repair, server: Server, sight: Sight) -> None:
        report = self.report.mailbox(sight.mailbox)
        if report.error is not None:
            return
        try:
            repair.mailbox(server, sight, report)
        except (MailboxError, MessageError) as error:
            report.error = str(error)
