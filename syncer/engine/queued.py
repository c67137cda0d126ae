"""What the next pass would send to the server, if nothing has happened there: the Maildir against the index.

This is the queue of the program. It is decided about as in a pass, by the same planner, on a server that is taken to be
as the index last saw it; but no message is read. Where a pass would compare contents, the unique name decides: a file
whose name the index knows in a mailbox where it is gone was moved from there, and any other is new.

A run that is under way delivers files before it records them. Those bear the name that their UID gives them, and are
not taken for new.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from syncer.engine.ends import elsewhere
from syncer.engine.generations import Generations
from syncer.engine.passing import DAY, Order
from syncer.errors import MailboxError
from syncer.findings import Queued
from syncer.observer.evidence import with_names
from syncer.observer.glance import local_base
from syncer.observer.here import Here, look_here
from syncer.ports import Index, KnownMailbox, LocalStore
from syncer.reconcile.actions import (
    Action,
    Agree,
    Append,
    CreateMailbox,
    DeleteMailbox,
    Expunge,
    MoveOnServer,
    Plan,
    RenameMailbox,
)
from syncer.reconcile.candidates import File, file_left, wanted_files
from syncer.reconcile.comparing import observe
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.flags import Spelling
from syncer.reconcile.identity import MailboxName, UidValidity
from syncer.reconcile.mailboxes import arrange
from syncer.reconcile.matches import Evidence
from syncer.reconcile.observations import Fingerprint, LocalChanges, LocalMessage, Observation, ServerChanges
from syncer.reconcile.places import Places
from syncer.reconcile.planner import plan
from syncer.reconcile.policy import Policy
from syncer.values import replace

SOME_TRASH = MailboxName("")
"""Stands for the mailbox that the server would name as its trash."""
NEW = Epoch(UidValidity(1))
"""Stands for the epoch of a mailbox that is to be created."""

_ONE: Mapping[type[Action], Queued] = {Append: Queued(new=1), Expunge: Queued(deleted=1)}
_WHOLE: Mapping[type[Action], Literal["create", "rename", "delete"]] = {
    CreateMailbox: "create",
    RenameMailbox: "rename",
    DeleteMailbox: "delete",
}


class Queue:
    """One look, at one moment."""

    def __init__(self, store: LocalStore, index: Index, order: Order, now: int) -> None:
        """Look. `now` is in seconds since the epoch.

        Raises:
            AccountError: index or Maildir cannot be used any further.
        """
        self._store, self._index, self._order, self._now = store, index, order, now
        self.problems: list[str] = []
        """Why nothing is known of some mailboxes."""
        self._known = {mailbox.name: mailbox for mailbox in index.mailboxes() if order.wants(mailbox.name)}
        self._spelling = Spelling()
        self._spelling.normal(index.keywords())
        self._seen: dict[MailboxName, Here] = {}
        local = {mailbox for mailbox in store.mailboxes() if order.wants(mailbox)}
        for name in sorted(self._known.keys() | local):
            self._look(name)
        self._arranged = self._arrange()
        self._plan = self._decide()

    @property
    def queued(self) -> dict[MailboxName, Queued]:
        """What waits, of the mailboxes in which anything does."""
        found: dict[MailboxName, Queued] = {}
        for action in (*self._arranged, *self._plan.actions):
            if (more := _counted(action)) is not None:
                found[action.mailbox] = _sum(found.get(action.mailbox, Queued()), more)
        for hold in self._plan.holds:
            if hold.side == "server":
                number = sum(action.messages if isinstance(action, DeleteMailbox) else 1 for action in hold.actions)
                found[hold.mailbox] = _sum(found.get(hold.mailbox, Queued()), Queued(held=number))
        for here in self._observations:
            if number := sum(message.name in here.parked for message in here.local.new):
                found[here.mailbox] = _sum(found.get(here.mailbox, Queued()), Queued(parked=number))
        return found

    def _look(self, name: MailboxName) -> None:
        known = self._known.get(name)
        mapping, state = ({}, None) if known is None else (known.mapping, local_base(known, self._order.settings))
        try:
            here = look_here(self._store, self._index, name, self._spelling, mapping=mapping, state=state)
        except MailboxError as error:
            self.problems.append(str(error))
            return
        if known is not None:
            here = replace(here, changes=self._without_deliveries(known, here.changes))
        if known is not None or not here.changes.missing:
            self._seen[name] = here

    def _without_deliveries(self, known: KnownMailbox, changes: LocalChanges) -> LocalChanges:
        """Without the files that a run under way has delivered, and has yet to record."""
        epoch = known.epoch
        if epoch is None or not changes.new:
            return changes
        settled = known.cursor is not None

        def delivered(message: LocalMessage) -> bool:
            uid = self._store.own_uid(known.name, epoch, message.name)
            return uid is not None and not (settled and uid < (epoch.uidnext or 0))

        return replace(changes, new=tuple(message for message in changes.new if not delivered(message)))

    def _arrange(self) -> Sequence[CreateMailbox | RenameMailbox]:
        """What a pass would do with mailboxes as a whole before it looks at messages."""
        local = frozenset(name for name, here in self._seen.items() if not here.changes.missing)
        known = {name: mailbox.epoch for name, mailbox in self._known.items() if name in self._seen}
        places = Places(known, frozenset(known), local)
        if self._order.policy.mailbox_changes == "all" and not places.settled:
            places = with_names(places, self._store, self._index)
        arranged = arrange(places, self._order.policy)
        return [action for action in arranged if isinstance(action, CreateMailbox | RenameMailbox)]

    def _decide(self) -> Plan:
        created = {action.mailbox for action in self._arranged if isinstance(action, CreateMailbox)}
        renamed = {n for a in self._arranged if isinstance(a, RenameMailbox) for n in (a.mailbox, a.new_name)}
        lately = self._index.deleted_since(self._now - DAY)
        self._observations = [
            replace(self._observation(name, here), deleted_lately={"server": lately.get((name, "server"), 0)})
            for name, here in self._seen.items()
            if name not in renamed and (name in self._known or name in created)
        ]
        found = elsewhere(self._store, self._index, self._order.wants, self._observations)
        if any(file_left(here) for here in self._observations):
            totals = self._index.totals()
            self._observations = [replace(here, total=totals.get(here.mailbox, 0)) for here in self._observations]
        return plan(
            self._observations,
            Evidence(by_name(self._observations)),
            self._policy(),
            found.all_names,
            everything_seen=found.complete and not self.problems and all(here.seen for here in self._seen.values()),
        )

    def _observation(self, name: MailboxName, here: Here) -> Observation:
        known, index, new = self._known.get(name), self._index, here.changes.new
        return observe(
            name,
            ServerChanges(known.epoch if known is not None and known.epoch is not None else NEW),
            here.changes,
            index.pairs(name) if here.changes.missing else here.pairs,
            held=known.held if known is not None else frozenset(),
            intents=index.intents(name) if new else (),
            strays=index.strays(name) if new else frozenset(),
            parked=index.parked(name, self._now) if new else {},
        )

    def _policy(self) -> Policy:
        policy, generations = self._order.policy, Generations(self._store, self._index)
        limits = replace(policy.limits, older_copy=generations.older_copy, untold=generations.untold)
        return replace(policy, limits=limits, trash=SOME_TRASH)


def by_name(observations: Sequence[Observation]) -> dict[File, Fingerprint]:
    """Evidence from names alone: a new file is the message of that name which is gone elsewhere, or like no other."""
    gone = {pair.name: pair.fingerprint for here in observations for pair in file_left(here)}
    return {
        file: gone.get(file[1]) or Fingerprint(-number, b"", b"")
        for number, file in enumerate(sorted(wanted_files(observations)), start=1)
    }


def _counted(action: Action) -> Queued | None:
    """What an action sends to the server; None if nothing."""
    if isinstance(action, Agree):
        return Queued(flags=1) if action.to_server else None
    if isinstance(action, MoveOnServer):
        return Queued(moved=1, flags=1 if action.to_server else 0)
    if isinstance(action, CreateMailbox | RenameMailbox | DeleteMailbox):
        deleted = action.messages if isinstance(action, DeleteMailbox) else 0
        return Queued(deleted=deleted, mailbox=_WHOLE[type(action)]) if action.side == "server" else None
    return _ONE.get(type(action))


def _sum(one: Queued, other: Queued) -> Queued:
    return Queued(
        one.new + other.new,
        one.flags + other.flags,
        one.deleted + other.deleted,
        one.moved + other.moved,
        one.held + other.held,
        one.parked + other.parked,
        one.mailbox or other.mailbox,
    )
