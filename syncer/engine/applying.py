"""What a pass does when something differs: arrange mailboxes, decide about messages, carry it out, tell of it.

The order is that of `executor`: moves first, alone, since they touch two mailboxes; then every mailbox, side by side.
A mailbox that fails is a line in the report; only an AccountError ends the pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from syncer.engine.anew import make_here
from syncer.engine.denials import hidden
from syncer.errors import MailboxError, MessageError, StoppedError, VanishedError
from syncer.executor import Bench, Executor
from syncer.executor.portions import are_large, connections_for, portions
from syncer.observer.evidence import Elsewhere, evidence
from syncer.observer.look import Look, Observer
from syncer.ports import Server
from syncer.reconcile.actions import (
    Action,
    Append,
    CreateMailbox,
    DeleteMailbox,
    Download,
    Expunge,
    Forget,
    MoveLocal,
    MoveOnServer,
    Plan,
)
from syncer.reconcile.candidates import File
from syncer.reconcile.identity import MailboxName, Side, Uid, UniqueName
from syncer.reconcile.mailboxes import arrange
from syncer.reconcile.observations import Observation, PairState
from syncer.reconcile.places import Places
from syncer.reconcile.planner import plan, refuse
from syncer.reconcile.policy import Policy
from syncer.reconcile.triage import unread
from syncer.report import HeldDeletions
from syncer.values import replace

if TYPE_CHECKING:
    from syncer.engine.passing import Pass

WOULD_RENEW = "A sync matches its messages again by content, and deletes nothing"
NOT_LISTED = "Its messages are matched again by content as soon as the server lists all of them; sync again later"


class Applying:
    """Decides and carries out, round by round, for one pass."""

    def __init__(self, one: Pass, observer: Observer, policy: Policy) -> None:
        self._pass = one
        self._index, self._report = one.index, one.report
        self._observer = observer
        self._policy = policy
        bench = Bench(
            one.order.account,
            one.store,
            one.index,
            one.report,
            one.progress,
            observer.spelling,
            one.now,
            self._checkpoint,
            one.crew.let_go,
            policy.to_server and not policy.restore,
        )
        self._executor = Executor(bench)
        self._look = Look(Places({}, frozenset(), frozenset()), {}, {})
        self._accepted: tuple[Observation, ...] = ()
        self._decision = Plan()
        self._forgotten: set[tuple[MailboxName, Uid]] = set()
        """Whose pairs this pass has taken out of the index; the next round may find the messages on the server."""

    @property
    def look_again(self) -> bool:
        """Something cannot be recorded before both sides are looked at once more."""
        return self._executor.look_again

    @property
    def has_something_to_do(self) -> bool:
        """What was decided is to be carried out."""
        return bool(self._decision.actions)

    def arrange(self, places: Places) -> Places:
        """Create and rename mailboxes, so that messages have both places to be in."""
        actions = [a for a in arrange(places, self._policy) if self._pass.order.is_about(a.mailbox)]
        self._note_plan(actions)
        if self._pass.order.dry_run:
            return places
        for action in actions:
            self._contained(action.mailbox, lambda server, action=action: self._executor.arrange(server, action))  # type: ignore[misc]
        if actions:
            here_only = all(isinstance(action, CreateMailbox) and action.side == "local" for action in actions)
            places = self._observer.glance.places(anew=not here_only)
        for mailbox in (places.server & places.local) - places.known.keys():
            if self._policy.to_local:  # a run that was killed while it made the directories left only some of them
                self._contained(mailbox, lambda _, mailbox=mailbox: self._pass.store.create(mailbox))  # type: ignore[misc]
            self._index.add_mailbox(mailbox)
        if self._policy.restore and self._policy.to_local:
            for mailbox in filter(self._pass.order.is_about, sorted(places.local & places.known.keys())):
                self._contained(mailbox, lambda _, mailbox=mailbox: make_here(self._pass.store, self._index, mailbox))  # type: ignore[misc]
        return places

    def decide(self, look: Look, elsewhere: Elsewhere) -> None:
        """Plan what is to be done about what was seen; `elsewhere` is where missed files are."""
        self._executor.bench.look_again = False
        for name, sight in look.sights.items():
            if sight.renewal is not None:
                self._report.mailbox(name).notes.append(sight.renewal)
        observations = look.observations
        if self._pass.order.dry_run:
            observations = [_as_if_created(o, look.places) for o in observations]
        accepted, refusals = refuse(observations)
        found = evidence(self._pass.crew, self._pass.store, accepted)
        self._explain(unread(accepted, found))
        policy = self._policy
        if self._pass.order.hints is not None:
            policy = replace(policy, limits=replace(policy.limits, others=look.others))
        decision = plan(
            accepted,
            found,
            policy,
            elsewhere.all_names,
            frozenset().union(*elsewhere.doubled.values()),
            everything_seen=elsewhere.complete and look.everything_seen,
            whole=self._pass.order.whole,
        )
        decision = replace(decision, actions=self._counted(decision.actions, {here.mailbox for here in accepted}))
        self._note_plan(decision.actions)
        self._forgotten |= {(action.mailbox, action.uid) for action in decision.actions if isinstance(action, Forget)}
        self._look, self._accepted = look, accepted
        self._decision = replace(decision, refusals=refusals, notes=(*look.notes, *decision.notes))

    def _counted(self, actions: tuple[Action, ...], mailboxes: Collection[MailboxName]) -> tuple[Action, ...]:
        """The actions without the deletions on the server that do not count yet: a later pass finds them again."""
        if self._pass.order.deleted is None:
            return actions
        missing: dict[int, tuple[MailboxName, UniqueName]] = {}
        for action in actions:
            if isinstance(action, Expunge):
                missing[id(action)] = action.mailbox, action.pair.name
            elif isinstance(action, DeleteMailbox) and action.side == "server":
                missing[id(action)] = action.mailbox, UniqueName("")
        counts = self._pass.order.deleted(mailboxes, missing.values())
        return actions if counts else tuple(action for action in actions if id(action) not in missing)

    def _explain(self, files: Iterable[File]) -> None:
        """Say why files could not be read to be compared; where that is over, they are compared in another round."""
        for mailbox, name in sorted(files):
            try:
                self._pass.store.outgoing(mailbox, name)
            except VanishedError:
                self._executor.bench.look_again = True
            except MessageError as error:
                self._report.mailbox(mailbox).problem(str(error))
            else:
                self._executor.bench.look_again = True

    def apply(self) -> None:
        """Carry out what was decided."""
        accepted, decision = self._accepted, self._decision
        self._announce(decision.actions)
        for here in accepted:
            if here.known is None and not (here.server.missing or here.local.missing):
                self._index.begin(here.mailbox, here.server.epoch)
        epochs = {here.mailbox: here.server.epoch for here in accepted if not here.server.missing}
        mine: dict[MailboxName, list[Action]] = {observation.mailbox: [] for observation in accepted}
        moves: dict[MailboxName, list[Action]] = {}
        for action in decision.actions:
            place = moves if isinstance(action, MoveOnServer | MoveLocal) else mine
            place.setdefault(action.mailbox, []).append(action)
        for mailbox, group in moves.items():
            self._contained(mailbox, lambda server, group=group: self._executor.move(server, group, epochs))  # type: ignore[misc]
        busy = [(observation, portions(mine.pop(observation.mailbox))) for observation in accepted]
        self._carry_out([(here, part) for here, cut in busy for part in cut.side_by_side if part])
        self._carry_out([(here, cut.afterwards) for here, cut in busy if cut.afterwards])

    def tell(self) -> None:
        """Put into the report what was decided and not carried out, and why."""
        look, decision, report = self._look, self._decision, self._report
        for mailbox, error in look.errors.items():
            self._note_failure(mailbox, error)
        for refusal in decision.refusals:
            self._pass.failed.add(refusal.mailbox)
            way_on = WOULD_RENEW if self._pass.order.dry_run else NOT_LISTED
            report.mailbox(refusal.mailbox).refused = f"{refusal.reason}: nothing was changed. {way_on}"
        for here in self._accepted:
            new = {*(message.uid for message in here.server.new), *(message.name for message in here.local.new)}
            still = self._index.parked(here.mailbox, self._observer.glance.shortcuts.now) if here.parked else {}
            for message, parked in here.parked.items():
                if message in new and message in still:  # it may have been found on the other side meanwhile
                    report.mailbox(here.mailbox).problem(parked.told(self._pass.now()))
        for hold in decision.holds:
            count = sum(action.messages if hasattr(action, "messages") else 1 for action in hold.actions)
            report.mailbox(hold.mailbox).held.append(HeldDeletions(hold.side, count, hold.reason))
        for mailbox, note in dict.fromkeys((*decision.notes, *hidden(look, decision, self._forgotten))):
            report.mailbox(mailbox).notes.append(note)

    def note_holds(self) -> None:
        """Record on which sides deletions are held back until a person decides."""
        known = {mailbox.name for mailbox in self._index.mailboxes()}
        for here in self._accepted:
            holds = (hold for hold in self._decision.holds if hold.stays and hold.mailbox == here.mailbox)
            held = frozenset(hold.side for hold in holds)
            if here.mailbox in known:
                held |= self._still_held(here)
            if here.mailbox in known and held != here.held:
                self._index.hold(here.mailbox, held)

    def _still_held(self, here: Observation) -> frozenset[Side]:
        """The sides on which what is missing was not decided about: what is held back there must not be forgotten."""
        sides: set[Side] = set()
        if "local" in here.held and self._misses_messages(here):
            sides.add("local")
        if ("server" in here.held or self._policy.limits.older_copy) and self._misses_files(here):
            sides.add("server")
        return frozenset(sides)

    def _misses_messages(self, here: Observation) -> bool:
        """Whether the index still has pairs of both sides whose message is missing there."""
        if here.server.missing:
            pairs = () if here.local.missing else self._index.pairs(here.mailbox)
        else:
            pairs = self._index.pairs_among(here.mailbox, uids=here.server.gone)
        return bool(here.server.unproven) or any(pair.state is PairState.BOTH for pair in pairs)

    def _misses_files(self, here: Observation) -> bool:
        """Whether the index still has pairs of both sides whose file is missing here."""
        if here.local.missing:
            pairs = () if here.server.missing else self._index.pairs(here.mailbox)
        else:
            pairs = self._index.pairs_among(here.mailbox, names=here.local.gone)
        unproven = bool(here.local.unproven) and not here.local.missing
        return unproven or any(pair.state is PairState.BOTH for pair in pairs)

    def _note_plan(self, actions: Iterable[Action]) -> None:
        """A line for each action, where somebody wants to read them: a first pull has a hundred thousand."""
        if self._pass.order.dry_run or self._pass.order.every_action:
            self._report.plan += [str(action) for action in actions]

    def _checkpoint(self) -> None:
        if self._pass.stop.is_set():
            raise StoppedError("stopped before everything was done; the next sync goes on from here")

    def _carry_out(self, jobs: Sequence[tuple[Observation, Sequence[Action]]]) -> None:
        """Each job on whichever connection is free; a mailbox in which something failed is left alone."""

        def work(server: Server, job: tuple[Observation, Sequence[Action]]) -> str | None:
            here, actions = job
            if here.mailbox in self._pass.failed:
                return None
            return _failure(lambda: self._executor.mailbox(server, here, actions))

        every = [action for _, actions in jobs for action in actions]
        at_once, in_turn = connections_for(every), not are_large(every)
        del every
        errors = self._pass.crew.each(work, jobs, at_once, overlapping=True, in_turn=in_turn)
        for (here, _), error in zip(jobs, errors, strict=True):
            self._note_failure(here.mailbox, error)

    def _announce(self, actions: Iterable[Action]) -> None:
        sizes = [action.message.size for action in actions if isinstance(action, Download)]
        uploads = sum(isinstance(action, Append) for action in actions)
        self._pass.progress.planned(self._pass.order.account, len(sizes) + uploads, sum(sizes))

    def _contained(self, mailbox: MailboxName, work: Callable[[Server], None]) -> None:
        """Do something about one mailbox; if it fails, that is the mailbox's trouble alone."""
        self._note_failure(mailbox, self._pass.crew.one(lambda server: _failure(lambda: work(server))))

    def _note_failure(self, mailbox: MailboxName, error: str | None) -> None:
        if error is not None:
            self._pass.failed.add(mailbox)
            self._report.mailbox(mailbox).error = error


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
    local = replace(here.local, missing=False, unproven=frozenset())
    return replace(here, server=replace(here.server, missing=False), local=local)
