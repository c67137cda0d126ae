"""Looking at the mailboxes in which something may have happened."""

from collections.abc import Container, Iterable, Mapping
from functools import partial

from syncer.errors import MailboxError, MessageError, NoSuchMailboxError
from syncer.observer.evidence import with_names
from syncer.observer.glance import Glance
from syncer.observer.here import Here, idle, look_here
from syncer.observer.impostors import HIGHEST, SAMPLE, Impostors
from syncer.observer.renewal import renew_mailbox
from syncer.observer.there import MISSING, There, look_there
from syncer.ports import Index, KnownMailbox, LocalStore, Progress, Server, Standing
from syncer.reconcile.comparing import observe
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.events import Event
from syncer.reconcile.flags import Spelling
from syncer.reconcile.guards import epoch_regression, not_the_same
from syncer.reconcile.identity import INBOX, MailboxName, Side, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import LocalChanges, Observation, Pair, PairState, ServerChanges
from syncer.reconcile.parking import Parked
from syncer.reconcile.places import Places, same_mailbox
from syncer.reconcile.renewal import Renewal
from syncer.values import Struct, field, replace

LOOKS_EACH = 8
"""A further connection costs as much as asking for the changes of so many mailboxes."""


class Sight(Struct, frozen=True):
    """What was seen of one mailbox."""

    observation: Observation
    there: There
    here: Here
    shortcut: bool = True
    """Only what changed was asked for."""
    untouched: bool = False
    """Nothing was asked for, since nothing changed."""
    denied: bool = False
    """Everything was compared although the server's counters say that nothing changed."""
    notes: tuple[str, ...] = ()
    renewal: str | None = None
    """What came of a mailbox that is in another epoch than the index knew."""


class Look(Struct):
    """What was seen of the account in one round."""

    places: Places
    known: dict[MailboxName, KnownMailbox]
    lately: Mapping[tuple[MailboxName, str], int]
    """How many messages syncs deleted in the last day, by mailbox and side."""
    sights: dict[MailboxName, Sight] = field(default_factory=dict)
    errors: dict[MailboxName, str] = field(default_factory=dict)
    """Mailboxes that could not be looked at, and why."""
    absent: set[MailboxName] = field(default_factory=set)
    """Of these, the ones that are not there, although the places say so."""
    others: Mapping[Side, tuple[int, int]] = field(default_factory=dict)
    """Of the other mailboxes, see `Limits.others`; where anything is gone."""

    @property
    def observations(self) -> list[Observation]:
        """Of every mailbox, those that nothing happened to included."""
        return [sight.observation for sight in self.sights.values()]

    @property
    def notes(self) -> list[tuple[MailboxName, str]]:
        """What a person should know, by mailbox."""
        return [(name, note) for name, sight in self.sights.items() for note in sight.notes]

    @property
    def everything_seen(self) -> bool:
        """Every directory of the Maildir was listed completely, or is known to be unchanged."""
        return all(sight.here.seen for sight in self.sights.values())


class Observer(Struct):
    """Eyes on one account, that take up where a glance has ended."""

    glance: Glance
    progress: Progress
    spelling: Spelling = field(default_factory=Spelling)
    renews: bool = True
    """A mailbox in another epoch may be recorded as such."""
    renewed: dict[MailboxName, str] = field(default_factory=dict)
    """Those that were in this pass, and why."""
    restores: bool = False
    """What is kept on one side alone may come back to the other."""

    @property
    def store(self) -> LocalStore:
        """The Maildir."""
        return self.glance.store

    @property
    def index(self) -> Index:
        """The index."""
        return self.glance.index

    def for_renames(self, places: Places) -> Places:
        """The same with what tells a rename from a deletion: counters of new mailboxes, names in new directories."""
        only_server = sorted(places.server - places.local - places.known.keys())
        lost_there = (places.known.keys() & places.local) - places.server
        seen = self.glance.crew.each(partial(self._renamed_from, lost_there), only_server) if lost_there else []
        epochs = {name: epoch for name, epoch in zip(only_server, seen, strict=False) if epoch is not None}
        return replace(with_names(places, self.store, self.index), server_epochs=epochs)

    def _renamed_from(self, lost: Iterable[MailboxName], server: Server, name: MailboxName) -> Epoch | None:
        """The counters of a mailbox that holds the messages of a lost one; UIDVALIDITY alone is no proof of that."""
        known = {mailbox.name: mailbox.epoch for mailbox in self.index.mailboxes()}
        try:
            epoch = server.epoch(name)
            for old in lost:
                if same_mailbox(known.get(old), epoch):
                    sample = {pair.uid: pair.fingerprint.header for pair in self.index.latest(old, SAMPLE)}
                    headers = server.headers(name, tuple(sample))
                    if sample and any(sample[uid] == header for uid, header in headers.items()):
                        return epoch
        except MailboxError:  # not recognised, so it is a new mailbox; looking at it says what is wrong
            return None
        return None

    def look(self, places: Places, names: Iterable[MailboxName], lately: Mapping[tuple[MailboxName, str], int]) -> Look:
        """Observe these mailboxes, INBOX first."""
        result = Look(places, {mailbox.name: mailbox for mailbox in self.index.mailboxes()}, lately)
        result.errors.update(places.unknown)
        self.look_further(result, names)
        return result

    def look_further(self, result: Look, names: Iterable[MailboxName]) -> None:
        """Observe these as well, or once more; `result` has their places."""
        ordered = sorted(names, key=lambda name: (name != INBOX, name))
        untouched = self.glance.unchanged(result.places, ordered)
        due = [name for name in ordered if name not in untouched]
        self.progress.mailboxes(self.glance.account, len(due))

        def look_at(server: Server, name: MailboxName) -> Sight | str:
            try:
                return self._look_at(server, name, result)
            except NoSuchMailboxError as error:
                result.absent.add(name)
                return str(error)
            except (MailboxError, MessageError) as error:
                return str(error)
            finally:
                self.progress.looked(self.glance.account, name)

        lengthy = sum(not self.glance.shortcuts.hold(result.known.get(name)) for name in due)
        seen = self.glance.crew.each(look_at, due, at_once=1 + lengthy + (len(due) - lengthy) // LOOKS_EACH)
        found = dict(zip(due, seen, strict=True))
        for name in ordered:
            sight = self._untouched(result, untouched[name]) if name in untouched else found[name]
            if isinstance(sight, str):
                result.errors[name] = sight
                result.sights.pop(name, None)
            else:
                result.sights[name] = sight
        self._count(result)

    def _untouched(self, look: Look, known: KnownMailbox) -> Sight:
        """What there is to say of a mailbox that is on both sides as the last pass left it."""
        assert known.cursor is not None
        there, here = There(ServerChanges(known.cursor.epoch), messages=known.messages), Here(LocalChanges())
        here = replace(here, state=known.local_state)
        return Sight(self._observation(look, known.name, there, here), there, here, untouched=True)

    def _count(self, look: Look) -> None:
        """How many messages there are: asked for only where the guards will want to know."""
        gone = any(o.server.gone or o.local.gone or o.server.missing or o.local.missing for o in look.observations)
        totals = self.index.totals() if gone else {}
        for name, seen in look.sights.items() if gone else ():
            look.sights[name] = replace(seen, observation=replace(seen.observation, total=totals.get(name, 0)))
        if gone:
            left = sum(total for name, total in totals.items() if name not in look.sights)
            sides: tuple[Side, Side] = ("server", "local")
            for side in sides:
                lately = (n for (name, at), n in look.lately.items() if at == side and name not in look.sights)
                look.others = {**look.others, side: (left, sum(lately))}

    def _look_at(self, server: Server, name: MailboxName, look: Look) -> Sight:
        known, told = look.known.get(name), self.glance.told.get(name)
        renewal = None
        if known is not None and known.epoch is not None and told is not None:
            before, now = known.epoch.uidvalidity, told.epoch.uidvalidity
            why = epoch_regression(known.epoch, told.epoch) if before != now else None  # worth no look at what it was
            renewal = self._renewed(server, name, look, why, unless=before)
        sight = self._look_once(server, name, look)
        if renewal is None:
            why = None if sight.there.changes.missing else not_the_same(sight.observation)
            renewal = self._renewed(server, name, look, why)
            if renewal is None:
                return sight
            sight = self._look_once(server, name, look)
        return replace(sight, renewal=renewal)

    def _renewed(
        self, server: Server, name: MailboxName, look: Look, why: str | None, unless: UidValidity | None = None
    ) -> str | None:
        """Put a mailbox in another epoch into the index as it is now; what came of it, None if that cannot be."""
        if why is None or not self.renews or name in self.renewed:
            return None

        def told(renewal: Renewal) -> str:
            found, lost = len(renewal.uids), len(renewal.lost)
            messages = "1 message" if found == 1 else f"{found} messages"
            return f"{why}: matched again by content, {messages} recognised, {lost} not on the server any more"

        def tell(renewal: Renewal) -> None:
            self.index.tell(self.glance.shortcuts.now, Event(name, "renumbered", told(renewal)))

        renewal = renew_mailbox(server, self.store, self.index, name, tell, unless=unless)
        if renewal is None:
            return None  # left alone: what the server does not list may be there
        look.known[name] = next(known for known in self.index.mailboxes() if known.name == name)
        self.renewed[name] = why
        return told(renewal)

    def _look_once(self, server: Server, name: MailboxName, look: Look) -> Sight:
        known = look.known.get(name)
        shortcut = self.glance.shortcuts.hold(known)
        since = known.cursor if known is not None and shortcut else None
        ahead = self.glance.ahead if shortcut else None
        # Where something was changed here, SELECT will be wanted whatever the counters say.
        standing = server.standing(name)
        changed = standing is None and ahead is not None and ahead.has_changed(name)
        now = None if changed else self.glance.now(name, known)
        there = MISSING
        if name in look.places.server:
            impostors, likely = Impostors(self.store, self.index), set[Uid]()
            if since and not since.still(now):
                likely = {*impostors.downloaded(name, since.epoch, most=HIGHEST), *impostors.highest(name)}
            there = look_there(server, self.index, name, self.spelling, since=since, now=now, likely=likely)
        here = Here(LocalChanges(missing=True, complete=False))
        if name in look.places.local:
            mapping = known.mapping if known is not None else {}
            state = known.local_state if known is not None and shortcut else None
            read = ahead.take(name) if ahead is not None else None
            here = look_here(self.store, self.index, name, self.spelling, mapping=mapping, state=state, read=read)
        if there.presumed and standing is not None and here.flags_alone:
            there = replace(there, changes=self._selected(there.changes, standing))
        elif there.presumed and not here.idle:
            # What is to be done there depends on what SELECT tells (is it read-only, which flags can it store), and on
            # whether a message of ours has arrived whose APPEND was not answered: STATUS may be a moment old.
            there = look_there(server, self.index, name, self.spelling, since=since, now=None)
        observation = self._observation(look, name, there, here)
        # Whatever the server names has changed somehow, even if its flags are what they were.
        doubtful = not shortcut or there.pairs or not _idle(observation)
        if not there.changes.missing and doubtful and not there.presumed:
            observation = replace(observation, impostor=Impostors(self.store, self.index).find(server, observation))
        notes = here.notes
        if there.untold:
            untold = "new messages not downloaded: the server lists them but does not tell their size"
            notes += (f"{there.untold} {untold}",)
        return Sight(observation, there, here, shortcut, denied=self._denied(known, there), notes=notes)

    def _selected(self, changes: ServerChanges, standing: Standing) -> ServerChanges:
        """What a selection has told, of a mailbox in which nothing has happened since."""
        storable = self.spelling.normal(standing.storable)
        return replace(changes, writable=standing.writable, storable=storable, any_keyword=standing.any_keyword)

    def _denied(self, known: KnownMailbox | None, there: There) -> bool:
        """Whether the counters say that nothing can have changed, and everything was compared all the same."""
        if known is None or known.cursor is None or known.settings != self.glance.shortcuts.settings:
            return False
        return there.compared and known.cursor.still(self.glance.told.get(known.name))

    def _observation(self, look: Look, name: MailboxName, there: There, here: Here) -> Observation:
        known = look.known.get(name)
        pairs: Iterable[Pair] = {pair.uid: pair for pair in (*there.pairs, *here.pairs)}.values()
        if there.changes.missing or here.changes.missing:
            pairs = self.index.pairs(name)
        new = here.changes.new
        own = self._own(name, there, {message.name for message in new}) if new else {}
        return observe(
            name,
            there.changes,
            here.changes,
            sorted(pairs, key=lambda pair: pair.uid),
            known=not_before(known),
            held=known.held if known else frozenset(),
            intents=self.index.intents(name) if new or there.changes.new else (),
            strays=self.index.strays(name) if new else frozenset(),
            renewed=self.renewed.get(name),
            parked=self._parked(name) if new or there.changes.new else {},
            own=own,
            deleted_lately={side: look.lately.get((name, side), 0) for side in ("server", "local")},
            apart=tuple(p for p in self.index.pairs(name) if p.state is not PairState.BOTH) if self.restores else (),
        )

    def _parked(self, name: MailboxName) -> Mapping[Uid | UniqueName, Parked]:
        """What is to be left alone, unless everything is to be tried."""
        shortcuts = self.glance.shortcuts
        return {} if shortcuts.never else self.index.parked(name, shortcuts.now)

    def _own(self, name: MailboxName, there: There, new: Container[UniqueName]) -> dict[UniqueName, Uid]:
        """The new names that are those of new messages, by which these would be delivered, and their UIDs."""
        epoch = there.changes.epoch
        names = ((self.store.unique_name(name, epoch, message), message.uid) for message in there.changes.new)
        return {unique: uid for unique, uid in names if unique in new}


def not_before(known: KnownMailbox | None) -> Epoch | None:
    """The counters as last recorded, which was before the last APPENDs: UIDNEXT is above every UID of a pair."""
    if known is None or known.epoch is None or known.highest is None:
        return known.epoch if known is not None else None
    return replace(known.epoch, uidnext=Uid(max(known.epoch.uidnext or 0, known.highest + 1)))


def _idle(here: Observation) -> bool:
    """Whether nothing differs."""
    there = here.server.new or here.server.flags or here.server.gone
    return not there and idle(here.local)
