"""One pass over one account.

Arrange the mailboxes, observe both sides, plan, apply, and look again where that is needed.

The engine decides nothing about messages (that is `reconcile/`), looks at nothing (`observer.py`) and changes
nothing (`executor.py`); it asks, hands over and reports. A mailbox that fails is a line in the report; only an
AccountError ends the pass.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from syncer.crew import Crew
from syncer.errors import AccountError, MailboxError, MessageError, StoppedError
from syncer.executor import Bench, Executor
from syncer.observer import Look, Observer
from syncer.ports import Finished, Index, LocalStore, Progress, Server
from syncer.reconcile.actions import (
    Action,
    Append,
    Download,
    MoveLocal,
    MoveOnServer,
    Plan,
)
from syncer.reconcile.identity import MailboxName
from syncer.reconcile.mailboxes import Places, arrange
from syncer.reconcile.matching import file_left
from syncer.reconcile.observations import Observation
from syncer.reconcile.planner import NO_NAMES, plan, refuse
from syncer.reconcile.policy import Policy
from syncer.report import AccountReport, HeldDeletions

ROUNDS = 3
"""How often one pass looks at the account: once, again for what could not be recorded at first, and once to spare."""

DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Order:
    """What one pass is to do."""

    account: str
    policy: Policy
    wants: Callable[[str], bool]
    """Whether the settings include a mailbox."""
    way_on: str
    """What a person can do about a mailbox that is not the one the index knows."""
    mailbox: MailboxName | None = None
    """Only this one."""
    dry_run: bool = False


@dataclass(slots=True)
class Pass:
    """One pass; `run` fills `report`."""

    order: Order
    crew: Crew
    store: LocalStore
    index: Index
    report: AccountReport
    progress: Progress
    now: Callable[[], int]
    """Seconds since the epoch."""
    stop: threading.Event
    failed: set[MailboxName] = field(default_factory=set)

    def run(self) -> None:
        """Make both sides equal.

        Raises:
            AccountError: the account cannot be worked on any further; what was done is recorded.
        """
        observer = Observer(self.order.account, self.crew, self.store, self.index, self.order.wants, self.progress)
        observer.spelling.normal(self.index.keywords())
        policy = self._with_trash(self.order.policy)
        executor = self._executor(observer)
        for _ in range(ROUNDS):
            executor.bench.look_again = False
            places = self._arrange(observer, executor, policy)
            look = observer.look(places, self._chosen(places), self.index.deleted_since(self.now() - DAY))
            accepted, decision = self._decide(observer, places, look, policy)
            if self.order.dry_run:
                break
            self._apply(executor, accepted, decision)
            if not executor.look_again:
                break
        self._report(look, decision)
        if not self.order.dry_run:
            self._finish(accepted, decision)

    def _executor(self, observer: Observer) -> Executor:
        order = self.order
        bench = Bench(
            order.account,
            self.store,
            self.index,
            self.report,
            self.progress,
            observer.spelling,
            self.now,
            self._checkpoint,
        )
        return Executor(bench)

    def _checkpoint(self) -> None:
        if self.stop.is_set():
            raise StoppedError("stopped before everything was done; the next sync goes on from here")

    def _with_trash(self, policy: Policy) -> Policy:
        if policy.on_local_delete != "trash":
            return policy
        listed = self.crew.one(lambda server: server.mailboxes())
        trash = next((mailbox.name for mailbox in listed if mailbox.special_use == "\\trash"), None)
        return replace(policy, trash=trash)

    def _arrange(self, observer: Observer, executor: Executor, policy: Policy) -> Places:
        """Create and rename mailboxes, so that messages have both places to be in."""
        places = observer.places()
        if policy.mailbox_changes == "all":
            places = observer.for_renames(places)
        actions = [a for a in arrange(places, policy) if self.order.mailbox in {None, a.mailbox}]
        if self.order.dry_run:
            self.report.plan += [str(action) for action in actions]
            return places
        for action in actions:
            self._contained(action.mailbox, lambda server, action=action: executor.arrange(server, action))  # type: ignore[misc]
            self.report.plan.append(str(action))
        if actions:
            places = observer.places()
        for mailbox in (places.server & places.local) - places.known.keys():
            self.index.add_mailbox(mailbox)
        return places

    def _chosen(self, places: Places) -> set[MailboxName]:
        """The mailboxes to look at: those the index knows, and those that have just got both places."""
        every = places.known.keys() | (places.server & places.local)
        if self.order.dry_run:
            every = every | places.server | places.local
        if self.order.mailbox is None:
            return set(every) - self.failed
        if self.order.mailbox not in every | places.server | places.local:
            some = ", ".join(sorted(every)[:20]) or "none"
            raise AccountError(f"there is no mailbox {self.order.mailbox} on either side; there are: {some}")
        return {self.order.mailbox} & every - self.failed

    def _decide(
        self, observer: Observer, places: Places, look: Look, policy: Policy
    ) -> tuple[tuple[Observation, ...], Plan]:
        observations = look.observations
        if self.order.dry_run:
            observations = [_as_if_created(o, places) for o in observations]
        accepted, refusals = refuse(observations)
        elsewhere, complete = NO_NAMES, True
        if any(file_left(observation) for observation in accepted):
            planned = {observation.mailbox for observation in accepted}
            others = [mailbox for mailbox in self.store.mailboxes() if mailbox not in planned]
            elsewhere, complete = observer.names_elsewhere(others)
        decision = plan(
            accepted,
            observer.evidence(accepted),
            policy,
            elsewhere,
            everything_seen=complete and look.everything_seen,
            whole=self.order.mailbox is None,
        )
        self.report.plan += [str(action) for action in decision.actions]
        return accepted, replace(decision, refusals=refusals, notes=(*look.notes, *decision.notes))

    def _apply(self, executor: Executor, accepted: Sequence[Observation], decision: Plan) -> None:
        self._announce(decision.actions)
        for here in accepted:
            if here.known is None and not (here.server.missing or here.local.missing):
                self.index.begin(here.mailbox, here.server.epoch)
        epochs = {here.mailbox: here.server.epoch for here in accepted if not here.server.missing}
        mine: dict[MailboxName, list[Action]] = {observation.mailbox: [] for observation in accepted}
        moves: dict[MailboxName, list[Action]] = {}
        for action in decision.actions:
            place = moves if isinstance(action, MoveOnServer | MoveLocal) else mine
            place.setdefault(action.mailbox, []).append(action)
        for mailbox, group in moves.items():
            self._contained(mailbox, lambda server, group=group: executor.move(server, group, epochs))  # type: ignore[misc]
        busy = [observation for observation in accepted if mine[observation.mailbox]]

        def work(server: Server, here: Observation) -> str | None:
            return _failure(lambda: executor.mailbox(server, here, mine[here.mailbox]))

        for here, error in zip(busy, self.crew.each(work, busy), strict=True):
            self._note_failure(here.mailbox, error)

    def _announce(self, actions: Iterable[Action]) -> None:
        sizes = [action.message.size for action in actions if isinstance(action, Download)]
        uploads = sum(isinstance(action, Append) for action in actions)
        self.progress.planned(self.order.account, len(sizes) + uploads, sum(sizes))

    def _contained(self, mailbox: MailboxName, work: Callable[[Server], None]) -> None:
        """Do something about one mailbox; if it fails, that is the mailbox's trouble alone."""
        self._note_failure(mailbox, self.crew.one(lambda server: _failure(lambda: work(server))))

    def _note_failure(self, mailbox: MailboxName, error: str | None) -> None:
        if error is not None:
            self.failed.add(mailbox)
            self.report.mailbox(mailbox).error = error

    def _report(self, look: Look, decision: Plan) -> None:
        for mailbox, error in look.errors.items():
            self._note_failure(mailbox, error)
        for refusal in decision.refusals:
            self.failed.add(refusal.mailbox)
            self.report.mailbox(refusal.mailbox).refused = f"{refusal.reason}: nothing was changed. {self.order.way_on}"
        for hold in decision.holds:
            count = sum(action.messages if hasattr(action, "messages") else 1 for action in hold.actions)
            self.report.mailbox(hold.mailbox).held.append(HeldDeletions(hold.side, count, hold.reason))
        for mailbox, note in dict.fromkeys(decision.notes):
            self.report.mailbox(mailbox).notes.append(note)

    def _finish(self, accepted: Iterable[Observation], decision: Plan) -> None:
        """Record how far each mailbox came, for the next pass and for `status`."""
        known = {mailbox.name for mailbox in self.index.mailboxes()}
        for here in accepted:
            held = frozenset(hold.side for hold in decision.holds if hold.stays and hold.mailbox == here.mailbox)
            if here.mailbox in known and held != here.held:
                self.index.hold(here.mailbox, held)
            there = not (here.server.missing or here.local.missing)
            if there and here.mailbox in known - self.failed:
                mapping = self.store.mapping(here.mailbox)
                done = Finished(here.mailbox, here.server.epoch, None, mapping, None, "", compared=True)
                self.index.finish([done], self.now())
        for name, mailbox in self.report.mailboxes.items():
            if name in known and mailbox.trouble:
                self.index.fail(name, mailbox.trouble)


def _failure(work: Callable[[], None]) -> str | None:
    """What went wrong, if it concerns no more than a mailbox."""
    try:
        work()
    except (MailboxError, MessageError) as error:
        return str(error)
    return None


def _as_if_created(here: Observation, places: Places) -> Observation:
    """In a dry run nothing is created: a mailbox that the index does not know is not missing, only empty."""
    if here.mailbox in places.known:
        return here
    return replace(
        here, server=replace(here.server, missing=False), local=replace(here.local, missing=False, unproven=0)
    )
