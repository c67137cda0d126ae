"""Looks at both sides of the mailboxes of one account and says how they differ from the index.

This is where listings become changes: flags get the account's spelling, unknown messages are described, and what
matching wants to know is read. Nothing is changed, and nothing is decided.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

from syncer.crew import Crew
from syncer.errors import MailboxError, MessageError
from syncer.ports import Index, KnownMailbox, LocalStore, Progress, Server
from syncer.reconcile.flags import Spelling
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.mailboxes import Places, same_mailbox
from syncer.reconcile.matching import Evidence, wanted_files, wanted_headers
from syncer.reconcile.observations import (
    Epoch,
    Fingerprint,
    LocalChanges,
    LocalListing,
    LocalMessage,
    Observation,
    Pair,
    ServerChanges,
    local_changes,
    observe,
    server_changes,
    server_unknown,
)

NOWHERE = Epoch(UidValidity(0))

SAMPLE = 3
"""How many known UIDs are compared with what they were."""


def _not_before(known: Epoch | None, pairs: Sequence[Pair]) -> Epoch | None:
    """The counters as last recorded, which was before the last APPENDs: UIDNEXT is above every UID of a pair."""
    if known is None or not pairs:
        return known
    return replace(known, uidnext=Uid(max(known.uidnext or 0, pairs[-1].uid + 1)))


@dataclass(slots=True)
class Look:
    """What was seen of the account in one round."""

    places: Places
    known: Mapping[MailboxName, KnownMailbox]
    lately: Mapping[tuple[MailboxName, str], int]
    """How many messages syncs deleted in the last day, by mailbox and side."""
    observations: list[Observation] = field(default_factory=list)
    errors: dict[MailboxName, str] = field(default_factory=dict)
    """Mailboxes that could not be looked at, and why."""
    notes: list[tuple[MailboxName, str]] = field(default_factory=list)
    everything_seen: bool = True
    """Every directory of the Maildir was listed completely."""


@dataclass(frozen=True, slots=True)
class _Seen:
    observation: Observation
    notes: tuple[str, ...]
    complete: bool
    """The directory was listed completely, or does not exist."""


def _exists(server: Server, mailbox: MailboxName) -> bool | str:
    try:
        return server.exists(mailbox)
    except MailboxError as error:
        return str(error)


@dataclass(slots=True)
class Observer:
    """Eyes on one account. `wants` says which mailboxes the settings include."""

    account: str
    crew: Crew
    store: LocalStore
    index: Index
    wants: Callable[[str], bool]
    progress: Progress
    spelling: Spelling = field(default_factory=Spelling)

    def places(self) -> Places:
        """Where the mailboxes are. One that LIST leaves out is asked for by name before it counts as missing."""
        known = {mailbox.name: mailbox.epoch for mailbox in self.index.mailboxes() if self.wants(mailbox.name)}
        listed = self.crew.one(lambda server: server.mailboxes())
        on_server = {mailbox.name for mailbox in listed if self.wants(mailbox.name)}
        unlisted = sorted(known.keys() - on_server)
        there = dict(zip(unlisted, self.crew.each(_exists, unlisted), strict=True))
        unknown = {mailbox: found for mailbox, found in there.items() if isinstance(found, str)}
        on_server |= {mailbox for mailbox, found in there.items() if found is True}
        local = {mailbox for mailbox in self.store.mailboxes() if self.wants(mailbox)}
        local |= {mailbox for mailbox in known.keys() - local if not self.store.scan(mailbox, {}).missing}
        return Places(
            {mailbox: epoch for mailbox, epoch in known.items() if mailbox not in unknown},
            frozenset(on_server),
            frozenset(local - unknown.keys()),
            unknown,
        )

    def for_renames(self, places: Places) -> Places:
        """The same with what tells a rename from a deletion: counters of new mailboxes, names in new directories."""
        only_server = sorted(places.server - places.local - places.known.keys())
        only_local = sorted(places.local - places.server - places.known.keys())
        lost_there = (places.known.keys() & places.local) - places.server
        lost_here = sorted((places.known.keys() & places.server) - places.local)
        seen = self.crew.each(partial(self._renamed_from, lost_there), only_server) if lost_there else []
        return replace(
            places,
            server_epochs={name: epoch for name, epoch in zip(only_server, seen, strict=False) if epoch is not None},
            known_names={m: frozenset(pair.name for pair in self.index.pairs(m)) for m in lost_here},
            local_names={m: frozenset(self.store.scan(m, {}).messages) for m in only_local} if lost_here else {},
        )

    def _renamed_from(self, lost: Iterable[MailboxName], server: Server, name: MailboxName) -> Epoch | None:
        """The counters of a mailbox that holds the messages of a lost one; UIDVALIDITY alone is no proof of that."""
        known = {mailbox.name: mailbox.epoch for mailbox in self.index.mailboxes()}
        try:
            epoch = server.epoch(name)
            for old in lost:
                if same_mailbox(known.get(old), epoch):
                    sample = {pair.uid: pair.fingerprint.header for pair in self.index.pairs(old)[-SAMPLE:]}
                    headers = server.headers(name, tuple(sample))
                    if sample and any(sample[uid] == header for uid, header in headers.items()):
                        return epoch
        except MailboxError:  # not recognised, so it is a new mailbox; looking at it says what is wrong
            return None
        return None

    def look(self, places: Places, names: Iterable[MailboxName], lately: Mapping[tuple[MailboxName, str], int]) -> Look:
        """Observe these mailboxes, INBOX first."""
        ordered = sorted(names, key=lambda name: (name != INBOX, name))
        self.progress.mailboxes(self.account, len(ordered))
        result = Look(places, {mailbox.name: mailbox for mailbox in self.index.mailboxes()}, lately)
        result.errors.update(places.unknown)

        def look_at(server: Server, name: MailboxName) -> _Seen | str:
            try:
                return self._observe(server, name, result)
            except (MailboxError, MessageError) as error:
                return str(error)
            finally:
                self.progress.looked(self.account, name)

        for name, seen in zip(ordered, self.crew.each(look_at, ordered), strict=True):
            if isinstance(seen, str):
                result.errors[name] = seen
            else:
                result.observations.append(seen.observation)
                result.notes += [(name, note) for note in seen.notes]
                result.everything_seen &= seen.complete
        return result

    def _observe(self, server: Server, name: MailboxName, look: Look) -> _Seen:
        known = look.known.get(name)
        pairs = self.index.pairs(name)
        there, untold = ServerChanges(NOWHERE, missing=True), 0
        if name in look.places.server:
            there, untold = self._server(server, name, pairs)
        listing = LocalListing({}, complete=False, missing=True)
        if name in look.places.local:
            listing = self._listing(name, known.mapping if known else {})
        here = local_changes(listing, pairs)
        own = {message.name: self.store.own_uid(name, there.epoch, message.name) for message in here.new}
        observation = observe(
            name,
            there,
            here,
            pairs,
            known=_not_before(known.epoch if known else None, pairs),
            held=known.held if known else frozenset(),
            intents=self.index.intents(name) if here.new or there.new else (),
            own={unique: uid for unique, uid in own.items() if uid is not None},
            deleted_lately={side: look.lately.get((name, side), 0) for side in ("server", "local")},
            impostor=self._impostor(server, name, there, here, pairs),
        )
        notes = listing.notes
        if untold:
            notes += (f"{untold} new messages not downloaded: the server lists them but does not tell their size",)
        return _Seen(observation, notes, listing.complete or listing.missing)

    def _impostor(
        self, server: Server, name: MailboxName, there: ServerChanges, here: LocalChanges, pairs: Sequence[Pair]
    ) -> Uid | None:
        """A known UID that is another message now: a server restored from a backup uses UIDs again.

        The highest known UIDs are the ones used again first. Only messages that were downloaded are a proof, since a
        server may change what is appended. Nothing is asked where nothing is to be done.
        """
        idle = not (there.new or there.flags or there.gone or here.new or here.flags or here.gone)
        if there.missing or idle:
            return None
        downloaded = (
            pair
            for pair in reversed(pairs)
            if pair.uid not in there.gone and self.store.own_uid(name, there.epoch, pair.name) == pair.uid
        )
        sample = {pair.uid: pair.fingerprint.header for pair in islice(downloaded, SAMPLE)}
        headers = server.headers(name, tuple(sample))
        return next((uid for uid, header in headers.items() if header != sample[uid]), None)

    def _server(self, server: Server, name: MailboxName, pairs: Sequence[Pair]) -> tuple[ServerChanges, int]:
        listing = server.listing(name)
        normal = self.spelling.normal
        listing = replace(listing, flags={uid: normal(flags) for uid, flags in listing.flags.items()})
        unknown = server_unknown(listing, pairs)
        described = server.describe(name, unknown)
        new = [replace(message, flags=normal(message.flags)) for message in described]
        changes = server_changes(replace(listing, storable=normal(listing.storable)), pairs, new)
        return changes, len(unknown) - len(new)

    def _listing(self, name: MailboxName, mapping: Mapping[str, str]) -> LocalListing:
        listing = self.store.scan(name, mapping)
        normal = self.spelling.normal
        letters = replace(
            listing.letters, trusted=normal(listing.letters.trusted), mapped=normal(listing.letters.mapped)
        )
        letters = replace(letters, doubted=normal(letters.doubted))
        messages = {unique: LocalMessage(unique, normal(message.flags)) for unique, message in listing.messages.items()}
        return replace(listing, messages=messages, letters=letters)

    def names_elsewhere(self, mailboxes: Iterable[MailboxName]) -> tuple[frozenset[UniqueName], bool]:
        """The unique names in mailboxes that are not planned for, and whether all of them could be listed."""
        names: set[UniqueName] = set()
        complete = True
        for mailbox in mailboxes:
            try:
                listing = self.store.scan(mailbox, {})
            except MailboxError:
                complete = False
            else:
                names.update(listing.messages)
                complete &= listing.complete or listing.missing
        return frozenset(names), complete

    def evidence(self, observations: Sequence[Observation]) -> Evidence:
        """Read what matching wants to know. A file or message that vanishes meanwhile is left out."""
        files: dict[tuple[MailboxName, UniqueName], Fingerprint] = {}
        for mailbox, name in sorted(wanted_files(observations)):
            try:
                files[mailbox, name] = self.store.fingerprint(mailbox, name)
            except MessageError:  # not read, not matched
                continue
        wanted: dict[MailboxName, list[Uid]] = defaultdict(list)
        for mailbox, uid in sorted(wanted_headers(observations, files)):
            wanted[mailbox].append(uid)
        validities = {observation.mailbox: observation.server.epoch.uidvalidity for observation in observations}

        def headers_of(server: Server, item: tuple[MailboxName, list[Uid]]) -> Mapping[Uid, bytes]:
            mailbox, uids = item
            server.expect(mailbox, validities[mailbox])
            try:
                return server.headers(mailbox, uids)
            except MailboxError:  # not read, not matched
                return {}

        read = self.crew.each(headers_of, wanted.items())
        headers = {
            (mailbox, uid): header for mailbox, found in zip(wanted, read, strict=True) for uid, header in found.items()
        }
        return Evidence(files, headers)
