"""One mailbox, in the order of effect and record that `syncer.executor` states."""

from collections.abc import Mapping, Sequence
from functools import partial

from syncer.errors import MailboxError, ServerRefusedError
from syncer.executor import copies, moves, transfers, uploads
from syncer.executor.bench import Bench, batches, grouped, messages
from syncer.ports import Index, Server
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
    RemoveLocal,
    RemoveStray,
    RenameMailbox,
)
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.events import Verb
from syncer.reconcile.flags import DELETED, before
from syncer.reconcile.identity import MailboxName, Uid
from syncer.reconcile.observations import Observation, PairState
from syncer.values import Struct, replace

AGREED_TOGETHER = 5000
"""Messages whose flags are changed and recorded together. What a killed run did is seen again, and changes nothing."""

MOVED_BEFORE = "the old copy of a move that was interrupted"


class Executor(Struct):
    """Carries out the actions of one pass over one account. `mailbox` and `move` may run in several threads."""

    bench: Bench

    @property
    def look_again(self) -> bool:
        """Something cannot be recorded before both sides are looked at once more."""
        return self.bench.look_again

    def arrange(self, server: Server, action: MailboxAction) -> None:
        """Create, rename, delete or forget one mailbox."""
        match action:
            case CreateMailbox(side="server"):
                server.create(action.mailbox)
                self.bench.index.add_mailbox(action.mailbox)
            case CreateMailbox():
                self.bench.store.create(action.mailbox)
                self.bench.index.add_mailbox(action.mailbox)
            case RenameMailbox(side="server"):
                server.rename(action.mailbox, action.new_name)
                learn_epochs(self.bench.index, server, action.mailbox, action.new_name)
                copies.renamed(self.bench.index, action.mailbox, action.new_name)
                self.bench.index.rename_mailbox(action.mailbox, action.new_name)
            case RenameMailbox():
                self.bench.store.rename(action.mailbox, action.new_name)
                copies.renamed(self.bench.index, action.mailbox, action.new_name)
                self.bench.index.rename_mailbox(action.mailbox, action.new_name)
            case DeleteMailbox(side="server") if self._has_strangers(server, action.mailbox):
                self.bench.look_again = True  # DELETE would take them along
            case DeleteMailbox():
                self._insist_nothing_came_in(server, action)
                (server if action.side == "server" else self.bench.store).delete(action.mailbox)
                self._tell_deleted(action)
                self.bench.index.note_deleted(action.mailbox, action.side, action.messages, self.bench.now())
                self.bench.index.forget_mailbox(action.mailbox)
                self.bench.count_deleted(action.mailbox, action.side, action.messages)
            case ForgetMailbox():
                self.bench.index.forget_mailbox(action.mailbox)

    def _tell_deleted(self, action: DeleteMailbox) -> None:
        """Its messages were deleted with it."""
        pairs = [pair for pair in self.bench.index.pairs(action.mailbox) if pair.state is PairState.BOTH]
        verb: Verb = "deleted on the server" if action.side == "server" else "removed from the Maildir"
        uids, names = [pair.uid for pair in pairs], [pair.name for pair in pairs]
        self.bench.tell(action.mailbox, verb, action.reason, uids=uids, names=names)

    def _has_strangers(self, server: Server, mailbox: MailboxName) -> bool:
        """Whether messages have come since the mailbox was looked at."""
        known = {pair.uid for pair in self.bench.index.pairs(mailbox)}
        return not known.issuperset(server.listing(mailbox).flags)

    def _insist_nothing_came_in(self, server: Server, action: DeleteMailbox) -> None:
        """DELETE takes everything along: also what was delivered, or could not be moved away, since the look.

        The number alone does not tell: what came in may be as many as were gone before.
        """
        strangers = False
        if action.side == "server":
            listed = server.listing(action.mailbox)
            count, complete = len(listed.flags), listed.complete
        else:
            self.bench.store.create(action.mailbox)  # a run that was killed while it deleted it left only a part
            seen = self.bench.store.scan(action.mailbox, {})
            count, complete = len(seen.messages), seen.complete
            if not complete:
                raise MailboxError(f"{action.mailbox}: not deleted, for it was not listed: {'; '.join(seen.notes)}")
            strangers = not seen.messages.keys() <= {pair.name for pair in self.bench.index.pairs(action.mailbox)}
        if strangers or count > action.messages or not complete:
            raise MailboxError(f"{action.mailbox}: not deleted, for there are other messages in it; sync again")

    def move(self, server: Server, actions: Sequence[Action], epochs: Mapping[MailboxName, Epoch]) -> None:
        """Follow moves. They touch two mailboxes, so they run alone, before everything else."""
        moves.follow(self.bench, server, actions, epochs)

    def mailbox(self, server: Server, here: Observation, actions: Sequence[Action]) -> None:
        """Carry out everything else about one mailbox."""
        bench = self.bench
        if not here.server.missing:
            server.expect(here.mailbox, here.server.epoch.uidvalidity)
        actions = self._without_old_copies(server, here.mailbox, actions)
        for agreed in batches((a for a in actions if isinstance(a, Agree)), AGREED_TOGETHER):
            self._agree(server, here.mailbox, agreed)
        downloads = [a.message for a in actions if isinstance(a, Download)]
        if any(isinstance(a, Append | Expunge | MailboxAction) for a in actions):
            transfers.download(bench, server, here, downloads)
        else:
            transfers.download(bench, server, here, downloads, bench.let_go)
        uploads.append(bench, server, here, [a for a in actions if isinstance(a, Append)])
        self._delete(server, here, actions)
        for action in actions:
            if isinstance(action, MailboxAction):
                self.arrange(server, action)
                bench.look_again = True

    def _delete(self, server: Server, here: Observation, actions: Sequence[Action]) -> None:
        bench = self.bench
        for removals in batches(a for a in actions if isinstance(a, RemoveLocal)):
            self._remove(here.mailbox, removals)
        for strays in batches(a for a in actions if isinstance(a, RemoveStray)):
            self._remove_strays(here.mailbox, strays)
        for trash, expunges in grouped((a for a in actions if isinstance(a, Expunge)), lambda a: a.trash).items():
            for batch in batches(expunges):
                self._expunge(server, here.mailbox, trash, batch)
        forgotten = [action.uid for action in actions if isinstance(action, Forget)]
        for reason, group in grouped((a for a in actions if isinstance(a, Forget)), lambda a: a.reason).items():
            bench.tell(here.mailbox, "forgotten", reason, uids=[action.uid for action in group])
        if _left_on_a_side(here).intersection(forgotten):
            # Before it is forgotten: the copy that is left lies behind the cursor, where nobody would look for it.
            bench.index.distrust(here.mailbox)
            bench.look_again = True
        bench.index.forget(here.mailbox, forgotten)

    def _without_old_copies(self, server: Server, mailbox: MailboxName, actions: Sequence[Action]) -> Sequence[Action]:
        """What a killed run has copied to where it was moved is neither kept nor fetched again: it is expunged."""
        announced = copies.announced_uids(self.bench.index, mailbox) if self.bench.expunges else set()
        doubtful = {uid for a in actions if (uid := _left_on_server(a)) is not None and uid in announced}
        if not doubtful:
            return actions
        pairs = {pair.uid: pair for pair in self.bench.index.pairs_among(mailbox, uids=doubtful)}
        moved = copies.copied_already(self.bench, server, mailbox, list(pairs.values()))
        rest = [action for action in actions if _left_on_server(action) not in moved]
        return [*rest, *(Expunge(mailbox=mailbox, reason=MOVED_BEFORE, pair=pairs[uid]) for uid in sorted(moved))]

    def _agree(self, server: Server, mailbox: MailboxName, batch: Sequence[Agree]) -> None:
        report = self.bench.report.mailbox(mailbox)
        refused = self.bench.store_flags(server, mailbox, ((a.pair.uid, a.to_server) for a in batch))
        recorded: list[Agree] = []
        for action in batch:
            if action.pair.uid in refused:
                continue
            if action.to_local:
                said = before(action.pair.flags, action.to_local)
                if not self.bench.contained(
                    report, partial(self.bench.store.change_flags, mailbox, action.pair.name, action.to_local, said)
                ):
                    continue
                report.flags_local += 1
            recorded.append(action)
        self.bench.store.flush(mailbox)
        self._tell_agreed(mailbox, recorded)
        self.bench.index.agree(mailbox, [action.pair for action in recorded])

    def _tell_agreed(self, mailbox: MailboxName, done: Sequence[Agree]) -> None:
        alike = grouped(done, lambda action: (action.reason, action.to_server, action.to_local))
        for (reason, to_server, to_local), group in alike.items():
            uids = [action.pair.uid for action in group]
            if to_server:
                self.bench.tell(mailbox, "flags sent", reason, uids=uids, detail=str(to_server))
            if to_local:
                self.bench.tell(mailbox, "flags received", reason, uids=uids, detail=str(to_local))
            if not (to_server or to_local) or not reason.startswith("flags changed"):
                names = [action.pair.name for action in group]
                self.bench.tell(mailbox, "recognised", reason, uids=uids, names=names)

    def _remove(self, mailbox: MailboxName, batch: Sequence[RemoveLocal]) -> None:
        self.bench.checkpoint()
        report = self.bench.report.mailbox(mailbox)
        removed = [
            action
            for action in batch
            if self.bench.contained(
                report, partial(self.bench.store.remove, mailbox, action.pair.name, action.pair.flags)
            )
        ]
        self.bench.store.flush(mailbox)
        self.bench.deleted(mailbox, "local", removed)

    def _remove_strays(self, mailbox: MailboxName, batch: Sequence[RemoveStray]) -> None:
        self.bench.checkpoint()
        report = self.bench.report.mailbox(mailbox)
        remove = self.bench.store.remove
        removed = [
            action.message.name
            for action in batch
            if self.bench.contained(report, partial(remove, mailbox, action.message.name, action.message.flags))
        ]
        self.bench.store.flush(mailbox)
        self.bench.tell(mailbox, "removed from the Maildir", "the server lost it", names=removed)
        self.bench.index.note_deleted(mailbox, "local", len(removed), self.bench.now())
        self.bench.index.forget_strays(mailbox, removed)
        self.bench.count_deleted(mailbox, "local", len(removed))

    def _expunge(
        self, server: Server, mailbox: MailboxName, trash: MailboxName | None, batch: Sequence[Expunge]
    ) -> None:
        self.bench.checkpoint()
        uids = [action.pair.uid for action in batch]
        left: frozenset[Uid] = frozenset()
        try:
            if trash is not None:
                left = copies.move_to_trash(self.bench, server, mailbox, [action.pair for action in batch], trash)
                gone = bool(server.capabilities & {"MOVE", "UIDPLUS"})
                self.bench.look_again = True  # the mailbox that they are in now has been looked at already
            else:
                gone = server.expunge(mailbox, uids)
        except ServerRefusedError as error:
            problem = f"{messages(uids)} deleted here not expunged on the server: {error}"
            self.bench.report.mailbox(mailbox).problem(problem)
            return
        done = [action for action in batch if action.pair.uid not in left]
        if gone:
            self.bench.deleted(mailbox, "server", done)
        elif done:
            self._marked(mailbox, done)
        copies.settle(self.bench, mailbox, [action.pair.uid for action in done])

    def _marked(self, mailbox: MailboxName, batch: Sequence[Expunge]) -> None:
        """Record that they stay on the server, marked as deleted: it cannot expunge single messages."""
        uids = [action.pair.uid for action in batch]
        self.bench.tell(mailbox, "deleted on the server", f"{batch[0].reason}; only marked", uids=uids)
        marked = [replace(a.pair, flags=a.pair.flags | {DELETED}, state=PairState.SERVER_ONLY) for a in batch]
        self.bench.index.note_deleted(mailbox, "server", len(batch), self.bench.now())
        self.bench.index.record(mailbox, marked)
        self.bench.report.mailbox(mailbox).deleted_remote += len(batch)


def learn_epochs(index: Index, server: Server, old: MailboxName, new: MailboxName) -> None:
    """After a RENAME on the server, before the one in the index: see whether the mailboxes' UIDs still hold.

    Some servers give a renamed mailbox another UIDVALIDITY. Unless every single UID still is the same message, the
    index forgets the mailbox, and the next look matches it by content.
    """
    for known in index.mailboxes():
        if known.epoch is None or not f"{known.name}/".startswith(f"{old}/"):
            continue
        name = MailboxName(new + known.name[len(old) :])
        if server.epoch(name).uidvalidity == known.epoch.uidvalidity:
            continue
        before = {pair.uid: pair.fingerprint.header for pair in index.pairs(known.name)}
        headers = server.headers(name, tuple(before))
        if headers == before:
            index.forget_epoch(known.name)
        else:
            index.forget_mailbox(known.name)


def _left_on_server(action: Action) -> Uid | None:
    """The message that the action leaves on the server alone, perhaps."""
    match action:
        case Agree(pair=pair) if pair.state is PairState.SERVER_ONLY:
            return pair.uid
        case Forget(uid=uid):
            return uid
    return None


def _left_on_a_side(here: Observation) -> set[Uid]:
    """Messages of which a copy is left; once forgotten, it is new to the other side."""
    left = set()
    for pair in (*here.pairs, *here.apart):
        on_server = pair.state is not PairState.LOCAL_ONLY and pair.uid not in here.server.gone
        in_maildir = pair.name in here.local.flags or (
            pair.state is not PairState.SERVER_ONLY and pair.name not in here.local.gone
        )
        if on_server or in_maildir:
            left.add(pair.uid)
    return left
