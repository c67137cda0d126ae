"""Carries out actions, in an order of effect and record that makes a killed run harmless.

1. Creating. A downloaded file is durable and visible before its pair is recorded; its name is derived from mailbox,
UIDVALIDITY and UID, so a file without a pair is recognised. An APPEND is announced in the index before it is sent;
an announcement whose outcome is unknown forces matching before the file may be sent again. 2. Changing, moving and
deleting: first the effect, then the record. The record may lag, it never leads. 3. Deletions come last, after
everything that might have given a message another place. 4. No transaction spans network or disk work; work is done
and recorded in batches.

One message that fails is a line in the report and stays as it is on both sides; the next pass meets it again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TypeVar

from syncer.errors import MessageError, ServerRefusedError, VanishedError
from syncer.ports import Appended, Fetched, Index, LocalStore, Outgoing, Progress, Server
from syncer.reconcile.actions import (
    Action,
    Agree,
    Append,
    CreateMailbox,
    DeleteMailbox,
    Download,
    Expunge,
    Forget,
    ForgetMailbox,
    MailboxAction,
    MoveLocal,
    MoveOnServer,
    RemoveLocal,
    RenameMailbox,
)
from syncer.reconcile.agreement import storable
from syncer.reconcile.flags import DELETED, FlagDelta, Flags, Spelling
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Epoch, Intent, Observation, Pair, PairState, ServerMessage
from syncer.report import AccountReport, MailboxReport

BATCH_MESSAGES = 500
"""Messages that become durable and are recorded together."""
BATCH_OCTETS = 16 * 1024 * 1024
"""The same in octets: what a killed run has to fetch again at most."""
MOVE_MESSAGES = 1000
"""UIDs in one MOVE: what a lost reply leaves to be matched again."""

T = TypeVar("T")


@dataclass(slots=True)
class Executor:
    """Carries out the actions of one pass over one account. `mailbox` and `move` may run in several threads."""

    account: str
    store: LocalStore
    index: Index
    report: AccountReport
    progress: Progress
    spelling: Spelling
    now: Callable[[], int]
    checkpoint: Callable[[], None]
    """Called between batches; raises StoppedError to end the pass."""
    look_again: bool = False
    """Something cannot be recorded before both sides are looked at once more."""

    def arrange(self, server: Server, action: MailboxAction) -> None:
        """Create, rename, delete or forget one mailbox."""
        match action:
            case CreateMailbox(side="server"):
                server.create(action.mailbox)
                self.index.add_mailbox(action.mailbox)
            case CreateMailbox():
                self.store.create(action.mailbox)
                self.index.add_mailbox(action.mailbox)
            case RenameMailbox():
                (server if action.side == "server" else self.store).rename(action.mailbox, action.new_name)
                self.index.rename_mailbox(action.mailbox, action.new_name)
            case DeleteMailbox():
                (server if action.side == "server" else self.store).delete(action.mailbox)
                self.index.note_deleted(action.mailbox, action.side, action.messages, self.now())
                self.index.forget_mailbox(action.mailbox)
                self._count_deleted(self.report.mailbox(action.mailbox), action.side, action.messages)
            case ForgetMailbox():
                self.index.forget_mailbox(action.mailbox)

    def move(self, server: Server, actions: Sequence[Action], epochs: dict[MailboxName, Epoch]) -> None:
        """Follow moves. They touch two mailboxes, so they run alone, before everything else."""
        there = _grouped((a for a in actions if isinstance(a, MoveOnServer)), lambda a: (a.mailbox, a.target))
        for (source, target), moves in there.items():
            for batch in _batches(moves, MOVE_MESSAGES):
                self._move_on_server(server, source, target, batch)
        here = _grouped((a for a in actions if isinstance(a, MoveLocal)), lambda a: (a.mailbox, a.target))
        for (source, target), follow in here.items():
            for chunk in _batches(follow, BATCH_MESSAGES):
                self._move_local(server, source, target, epochs[target], chunk)

    def mailbox(self, server: Server, here: Observation, actions: Sequence[Action]) -> None:
        """Carry out everything else about one mailbox, in the order given at the top of this module."""
        for agreed in _batches([a for a in actions if isinstance(a, Agree)], BATCH_MESSAGES):
            self._agree(server, here.mailbox, agreed)
        self._download(server, here, [a.message for a in actions if isinstance(a, Download)])
        for appends in _batches([a for a in actions if isinstance(a, Append)], BATCH_MESSAGES):
            self._append(server, here, appends)
        for removals in _batches([a for a in actions if isinstance(a, RemoveLocal)], BATCH_MESSAGES):
            self._remove(here.mailbox, removals)
        expunges = _grouped((a for a in actions if isinstance(a, Expunge)), lambda a: a.trash)
        for trash, group in expunges.items():
            for batch in _batches(group, BATCH_MESSAGES):
                self._expunge(server, here.mailbox, trash, batch)
        forgotten = [action.uid for action in actions if isinstance(action, Forget)]
        self.index.forget(here.mailbox, forgotten)
        self.look_again |= bool(_left_on_a_side(here).intersection(forgotten))
        for action in actions:
            if isinstance(action, MailboxAction):
                self.arrange(server, action)
                self.look_again = True

    def _agree(self, server: Server, mailbox: MailboxName, batch: Sequence[Agree]) -> None:
        report = self.report.mailbox(mailbox)
        refused = self._store_flags(server, mailbox, ((a.pair.uid, a.to_server) for a in batch))
        recorded: list[Pair] = []
        for action in batch:
            if action.pair.uid in refused:
                continue
            if action.to_local:
                if not self._contained(
                    report, partial(self.store.change_flags, mailbox, action.pair.name, action.to_local)
                ):
                    continue
                report.flags_local += 1
            recorded.append(action.pair)
        self.store.flush(mailbox)
        self.index.record(mailbox, recorded)

    def _store_flags(self, server: Server, mailbox: MailboxName, deltas: Iterable[tuple[Uid, FlagDelta]]) -> set[Uid]:
        """One STORE for each distinct delta; returns the UIDs whose flags the server refused to change."""
        report = self.report.mailbox(mailbox)
        refused: set[Uid] = set()
        groups = _grouped((item for item in deltas if item[1]), lambda item: item[1])
        for change, items in groups.items():
            uids = [uid for uid, _ in items]
            try:
                server.store(mailbox, uids, change)
            except ServerRefusedError as error:
                refused.update(uids)
                report.problem(f"flags {change} of {_count(uids, 'message')} not stored: {error}")
            else:
                report.flags_remote += len(uids)
        return refused

    def _download(self, server: Server, here: Observation, messages: Sequence[ServerMessage]) -> None:
        if not messages:
            return
        wanted = {message.uid: message for message in messages}
        newest_first = sorted(wanted, reverse=True)
        with closing(server.fetch(here.mailbox, newest_first)) as fetched:  # type: ignore[type-var]
            for batch in iter(lambda: self._deliver(here, wanted, fetched), ()):
                for pair in batch:
                    del wanted[pair.uid]
        if wanted:
            self._not_delivered(server, here.mailbox, wanted)

    def _deliver(
        self, here: Observation, wanted: dict[Uid, ServerMessage], fetched: Iterator[Fetched]
    ) -> tuple[Pair, ...]:
        """Deliver and record one batch; empty when the server has sent everything."""
        self.checkpoint()
        report = self.report.mailbox(here.mailbox)
        pairs: dict[Uid, Pair] = {}
        octets = 0
        with self.store.delivery(here.mailbox) as delivery:
            try:
                for message in fetched:
                    seen = wanted.get(message.uid)
                    if seen is None or message.uid in pairs:
                        continue
                    name = self.store.unique_name(here.mailbox, here.server.epoch, seen)
                    flags = self.spelling.normal(message.flags)
                    fingerprint = delivery.add(name, flags, message.internaldate, message.body)
                    pairs[message.uid] = Pair(message.uid, name, flags, fingerprint, seen.email_id)
                    octets += message.size
                    self.progress.transferred(self.account, 1, message.size)
                    if len(pairs) >= BATCH_MESSAGES or octets >= BATCH_OCTETS:
                        break
            finally:  # a connection lost half-way costs only the message it was lost in
                delivery.commit()
                self.index.record(here.mailbox, tuple(pairs.values()))
                report.downloaded += len(pairs)
                report.bytes_down += octets
        return tuple(pairs.values())

    def _not_delivered(self, server: Server, mailbox: MailboxName, missing: Iterable[Uid]) -> None:
        """A message that was expunged meanwhile is no problem; one that is still there is."""
        for message in server.describe(mailbox, tuple(missing)):
            problem = f"UID {message.uid} not downloaded: the server lists it but does not deliver it"
            self.report.mailbox(mailbox).problem(problem)

    def _append(self, server: Server, here: Observation, batch: Sequence[Append]) -> None:
        self.checkpoint()
        mailbox, report = here.mailbox, self.report.mailbox(here.mailbox)
        sent: dict[UniqueName, tuple[Outgoing, Flags]] = {}
        for action in batch:
            try:
                outgoing = self.store.outgoing(mailbox, action.message.name)
            except VanishedError:
                self.look_again = True
                continue
            except MessageError as error:
                report.problem(f"{action.message.name} not uploaded: {error}")
                continue
            sent[outgoing.name] = (outgoing, storable(action.message.flags, here.server))
        self.index.announce(mailbox, [Intent(name, here.server.epoch.uidnext) for name in sent])
        pairs: list[Pair] = []
        settled: list[UniqueName] = []
        try:
            for outcome in server.append(mailbox, sent.values()):
                outgoing, flags = sent[outcome.name]
                pair = self._appended(report, outcome, outgoing, flags)
                if pair is not None:
                    pairs.append(pair)
                elif outcome.refused is not None:
                    settled.append(outcome.name)
        finally:
            self.index.record(mailbox, pairs)
            self.index.settle(mailbox, settled)

    def _appended(self, report: MailboxReport, outcome: Appended, outgoing: Outgoing, flags: Flags) -> Pair | None:
        if outcome.refused is not None:
            report.problem(f"{outcome.name} not uploaded: {outcome.refused}")
            return None
        size = outgoing.fingerprint.size
        report.uploaded += 1
        report.bytes_up += size
        self.progress.transferred(self.account, 1, size)
        if outcome.uid is None:
            self.look_again = True
            return None
        return Pair(outcome.uid, outcome.name, flags, outgoing.fingerprint)

    def _remove(self, mailbox: MailboxName, batch: Sequence[RemoveLocal]) -> None:
        self.checkpoint()
        report = self.report.mailbox(mailbox)
        removed = [a for a in batch if self._contained(report, partial(self.store.remove, mailbox, a.pair.name))]
        self.store.flush(mailbox)
        self._deleted(mailbox, "local", removed)

    def _expunge(
        self, server: Server, mailbox: MailboxName, trash: MailboxName | None, batch: Sequence[Expunge]
    ) -> None:
        self.checkpoint()
        uids = [action.pair.uid for action in batch]
        try:
            if trash is not None:
                server.move(mailbox, uids, trash)
                gone = True
            else:
                gone = server.expunge(mailbox, uids)
        except ServerRefusedError as error:
            problem = f"{_count(uids, 'message')} deleted here not expunged on the server: {error}"
            self.report.mailbox(mailbox).problem(problem)
            return
        if gone:
            self._deleted(mailbox, "server", batch)
            return
        marked = [replace(a.pair, flags=a.pair.flags | {DELETED}, state=PairState.SERVER_ONLY) for a in batch]
        self.index.record(mailbox, marked)
        self.report.mailbox(mailbox).deleted_remote += len(batch)

    def _deleted(self, mailbox: MailboxName, side: str, batch: Sequence[Expunge | RemoveLocal]) -> None:
        self.index.note_deleted(mailbox, side, len(batch), self.now())
        self.index.forget(mailbox, [action.pair.uid for action in batch])
        self._count_deleted(self.report.mailbox(mailbox), side, len(batch))

    def _contained(self, report: MailboxReport, work: Callable[[], None]) -> bool:
        """Do something to one file; if it fails, that is this message's trouble alone."""
        try:
            work()
        except VanishedError:
            self.look_again = True
        except MessageError as error:
            report.problem(str(error))
        else:
            return True
        return False

    @staticmethod
    def _count_deleted(report: MailboxReport, side: str, count: int) -> None:
        if side == "server":
            report.deleted_remote += count
        else:
            report.deleted_local += count

    def _move_on_server(
        self, server: Server, source: MailboxName, target: MailboxName, batch: Sequence[MoveOnServer]
    ) -> None:
        self.checkpoint()
        report = self.report.mailbox(source)
        refused = self._store_flags(server, source, ((a.pair.uid, a.to_server) for a in batch))
        moves = {action.pair.uid: action for action in batch if action.pair.uid not in refused}
        try:
            landed = server.move(source, tuple(moves), target)
        except ServerRefusedError as error:
            report.problem(f"{_count(moves, 'message')} not moved to {target} on the server: {error}")
            return
        pairs: list[Pair] = []
        for uid, new_uid in landed.items():
            action = moves[uid]
            if not self._contained(
                report, partial(self.store.change_flags, target, action.landed.name, action.to_local)
            ):
                continue
            pairs.append(replace(action.pair, uid=new_uid, name=action.landed.name, flags=action.agreed))
        self.store.flush(target)
        self.index.move(source, tuple(landed), target, pairs)
        report.moved_remote += len(landed)
        if len(landed) < len(moves):
            self.look_again = True

    def _move_local(
        self, server: Server, source: MailboxName, target: MailboxName, epoch: Epoch, batch: Sequence[MoveLocal]
    ) -> None:
        self.checkpoint()
        report = self.report.mailbox(target)
        pairs: list[Pair] = []
        moved: list[Uid] = []
        refused = self._store_flags(server, target, ((a.landed.uid, a.to_server) for a in batch))
        for action in batch:
            name = self.store.unique_name(target, epoch, action.landed)
            if not self._contained(
                report, partial(self.store.move, source, action.pair.name, target, name, action.to_local)
            ):
                continue
            moved.append(action.pair.uid)
            if action.landed.uid in refused:
                self.look_again = True
                continue
            fresh = replace(action.pair, uid=action.landed.uid, name=name, flags=action.agreed)
            pairs.append(replace(fresh, email_id=action.landed.email_id))
        self.store.flush(source)
        self.store.flush(target)
        self.index.move(source, moved, target, pairs)
        report.moved_local += len(moved)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _left_on_a_side(here: Observation) -> set[Uid]:
    """Messages of which a copy is left; once forgotten, it is new to the other side."""
    return {
        pair.uid
        for pair in here.pairs
        if pair.state is PairState.BOTH and not (pair.uid in here.server.gone and pair.name in here.local.gone)
    }


K = TypeVar("K")


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups


def _count(items: Iterable[object], noun: str) -> str:
    number = len(list(items))
    return f"{number} {noun}{'' if number == 1 else 's'}"
