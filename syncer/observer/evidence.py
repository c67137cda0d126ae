"""What matching and deciding want to know beyond what a look shows: contents of candidates, names in other places."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from syncer.crew import Crew
from syncer.errors import MailboxError
from syncer.ports import Index, LocalStore, Server
from syncer.ports.contents import contents_of
from syncer.reconcile.candidates import Message, wanted_contents, wanted_files, wanted_headers
from syncer.reconcile.identity import MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.matches import Evidence
from syncer.reconcile.observations import Fingerprint, Observation, PairState
from syncer.reconcile.places import Places
from syncer.values import Struct, field, replace

Item = TypeVar("Item")


class Elsewhere(Struct, frozen=True):
    """Where names are that are missing where they should be."""

    names: Mapping[MailboxName, frozenset[UniqueName]]
    """By mailbox; one in which none is may be left out."""
    complete: bool = True
    """All mailboxes could be listed."""
    doubled: Mapping[MailboxName, frozenset[UniqueName]] = field(default_factory=dict)
    """Names whose message is gone where their file is, and that have another message elsewhere."""

    @property
    def all_names(self) -> frozenset[UniqueName]:
        """The names that are in any place."""
        return frozenset().union(*self.names.values())


def names_elsewhere(store: LocalStore, mailboxes: Iterable[MailboxName], missing: Collection[UniqueName]) -> Elsewhere:
    """The missing names that are in mailboxes that are not planned for."""
    names: dict[MailboxName, frozenset[UniqueName]] = {}
    complete = True
    for mailbox in mailboxes:
        try:
            listing = store.scan(mailbox, {})
        except MailboxError:
            complete = False
        else:
            if here := listing.messages.keys() & missing:
                names[mailbox] = frozenset(here)
            complete &= listing.complete or listing.missing
    return Elsewhere(names, complete)


def paired(index: Index, mailbox: MailboxName, names: Collection[UniqueName]) -> frozenset[UniqueName]:
    """Those of the names that have a file and a message in the mailbox, as far as the index knows."""
    known = index.pairs_among(mailbox, names=names) if names else ()
    return frozenset(pair.name for pair in known if pair.state is PairState.BOTH)


def with_names(places: Places, store: LocalStore, index: Index) -> Places:
    """The same with what tells a rename in the Maildir from a deletion: names in the index, and in new directories."""
    only_local = sorted(places.local - places.server - places.known.keys())
    lost_here = sorted((places.known.keys() & places.server) - places.local)
    return replace(
        places,
        known_names={mailbox: frozenset(pair.name for pair in index.pairs(mailbox)) for mailbox in lost_here},
        local_names={mailbox: frozenset(store.scan(mailbox, {}).messages) for mailbox in only_local if lost_here},
    )


def evidence(crew: Crew, store: LocalStore, observations: Sequence[Observation]) -> Evidence:
    """Read what matching wants to know. A file or message that vanishes meanwhile is left out."""
    files: dict[tuple[MailboxName, UniqueName], Fingerprint] = {}
    for mailbox, names in _by_mailbox(sorted(wanted_files(observations))).items():
        files.update(((mailbox, name), found) for name, found in store.fingerprints(mailbox, names).items())
    validities = {observation.mailbox: observation.server.epoch.uidvalidity for observation in observations}

    def headers_of(server: Server, item: tuple[MailboxName, list[Uid]]) -> Mapping[Uid, bytes]:
        mailbox, uids = item
        server.expect(mailbox, validities[mailbox])
        try:
            return server.headers(mailbox, uids)
        except MailboxError:  # not read, not matched
            return {}

    headers: dict[tuple[MailboxName, Uid], bytes] = {}
    asked: set[tuple[MailboxName, Uid]] = set()
    while left := wanted_headers(observations, files, headers) - asked:
        asked |= left
        wanted = _by_mailbox(sorted(left))
        read = crew.each(headers_of, wanted.items())
        for mailbox, found in zip(wanted, read, strict=True):
            headers.update(((mailbox, uid), header) for uid, header in found.items())
    alike = {message: headers[message] for message in wanted_contents(observations, files, headers)}
    contents = _contents(crew, validities, alike)
    return Evidence(files, headers, contents)


def _contents(
    crew: Crew, validities: Mapping[MailboxName, UidValidity], headers: Mapping[Message, bytes]
) -> dict[Message, bytes]:
    """Digests of whole messages, of which the header blocks are known; see `Fingerprint.content`."""

    def read_in(server: Server, item: tuple[MailboxName, list[Uid]]) -> dict[Message, bytes]:
        mailbox, uids = item
        server.expect(mailbox, validities[mailbox])
        try:
            known = {uid: headers[mailbox, uid] for uid in uids}
            return {(mailbox, uid): content for uid, content in contents_of(server, mailbox, known).items()}
        except MailboxError:  # then as alike as before
            return {}

    read = crew.each(read_in, _by_mailbox(sorted(headers)).items())
    return {message: content for found in read for message, content in found.items()}


def _by_mailbox(items: Iterable[tuple[MailboxName, Item]]) -> dict[MailboxName, list[Item]]:
    found: dict[MailboxName, list[Item]] = defaultdict(list)
    for mailbox, item in items:
        found[mailbox].append(item)
    return found
