"""Between matching and deciding: what of it may be acted on now, what waits, and what is left to decide.

A move that may not be followed yet, or messages that could not be compared, are left as they are on both sides; nothing
of them is taken for new or for deleted in this pass.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from syncer.reconcile.candidates import (
    File,
    Message,
    file_left,
    gone_on_both,
    stayed_here,
    wanted_contents,
    wanted_files,
    wanted_headers,
)
from syncer.reconcile.identity import MailboxName, UniqueName
from syncer.reconcile.matches import Evidence, Matches, MovedFile, MovedMessage
from syncer.reconcile.observations import Fingerprint, Observation
from syncer.reconcile.policy import Policy
from syncer.reconcile.twins import FILE_STAYS
from syncer.values import Struct, replace

UNREAD = "messages gone on the server not removed: a new one there may be the same"
UNFORGOTTEN = "messages gone on both sides not forgotten: a file of the same name is in another mailbox"


def permitted(
    matches: Matches, by_name: Mapping[MailboxName, Observation], policy: Policy, uncompared: "Uncompared"
) -> tuple[Matches, dict[Message, str | None]]:
    """Without the moves that may not be followed, or not yet; and the pairs that wait as they are, with the reason.

    What the settings forbid is decided for each half where it stands. A move into a mailbox that has yet to be
    created, or out of or into one that is read-only, waits: its pair is not taken for deleted. So does one that a
    killed run may have followed already, on a server without MOVE: the message may be among those that were not listed
    there, or is one that could not be compared. And a message under a new UID waits while it is not known whether its
    file is still there, and a file under a new name while it is not known whether its message is: in a pair with one
    that is not, it would be taken for deleted on the other side.
    """
    files = [found for found in matches.moved_files if policy.to_server]
    messages = [found for found in matches.moved_messages if policy.to_local]

    def there(found: MovedFile | MovedMessage) -> bool:
        target = by_name[found.target]
        return not (target.server.missing or target.local.missing)

    def followed(found: MovedFile) -> bool:
        return not by_name[found.target].server.complete or uncompared.includes((found.target, found.local.name))

    def writable(found: MovedFile) -> bool:
        return all(by_name[m].server.writable for m in (found.source, found.target))

    def possible(found: MovedFile) -> bool:
        return there(found) and writable(found) and not followed(found)

    read_only = "moved messages not moved on the server: a mailbox is read-only there"
    waiting: dict[Message, str | None] = {
        (found.source, found.pair.uid): read_only if there(found) and not writable(found) else None
        for found in files
        if not possible(found)
    }
    waiting |= {(found.source, found.pair.uid): None for found in messages if not there(found)}
    disturbed = "messages under a new UID left alone: the Maildir changed while it was read, the next sync looks again"
    waiting |= {
        (found.mailbox, found.pair.uid): disturbed
        for found in matches.renumbered
        if found.pair.name in by_name[found.mailbox].local.unproven
    }
    unlisted = "files under a new name left alone: the server did not list their messages"
    waiting |= {
        (found.mailbox, found.pair.uid): unlisted
        for found in matches.renamed
        if found.pair.uid in by_name[found.mailbox].server.unproven
    }
    moved_files = [found for found in files if possible(found)]
    moved_messages = [found for found in messages if there(found)]
    return replace(matches, moved_files=moved_files, moved_messages=moved_messages), waiting


def emptied_first(
    found: Matches, waiting: Collection[Message], by_name: Mapping[MailboxName, Observation]
) -> set[MailboxName]:
    """The mailboxes that messages have to be moved out of before anything is decided about them as a whole.

    Not those that would wait for ever: what one had that is missing in the Maildir was moved to one that is missing on
    the server, and the other way round. The former is then made again, as is any of which the server still has
    messages, and the moves go on from there.
    """
    into: dict[MailboxName, set[MailboxName]] = defaultdict(set)
    moves: list[MovedFile | MovedMessage] = [*found.moved_files, *found.moved_messages]
    for moved in moves:
        target = by_name[moved.target]
        if (moved.source, moved.pair.uid) in waiting and (target.server.missing or target.local.missing):
            into[moved.source].add(moved.target)
    sources = {source for source, _ in waiting}
    there = {source for source in sources if by_name[source].local.missing and not by_name[source].server.missing}
    return sources - {source for source in there if _comes_back(source, into)}


def _comes_back(start: MailboxName, into: Mapping[MailboxName, Collection[MailboxName]]) -> bool:
    """Whether a way leads from a mailbox to itself."""
    seen: set[MailboxName] = set()
    ahead = [*into.get(start, ())]
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += into.get(name, ())
    return start in seen


def without_pairs(observations: Iterable[Observation], pairs: Collection[Message]) -> list[Observation]:
    """The observations without the pairs that wait."""
    return [replace(o, pairs=tuple(p for p in o.pairs if (o.mailbox, p.uid) not in pairs)) for o in observations]


def without_matched(observations: Sequence[Observation], matches: Matches) -> list[Observation]:
    """What matching did not answer."""
    files = {(m.mailbox, m.local.name) for m in matches.renamed} | {(m.mailbox, m.local.name) for m in matches.met}
    files |= {(m.target, m.local.name) for m in matches.moved_files}
    messages = {(m.mailbox, m.server.uid) for m in matches.met}
    messages |= {(m.mailbox, m.server.uid) for m in matches.renumbered}
    messages |= {(m.target, m.server.uid) for m in matches.moved_messages}
    pairs = {(m.mailbox, m.pair.uid) for m in matches.renamed}
    pairs |= {(m.mailbox, m.pair.uid) for m in matches.renumbered}
    pairs |= {(m.source, m.pair.uid) for m in matches.moved_files}
    pairs |= {(m.source, m.pair.uid) for m in matches.moved_messages}
    return [
        replace(
            o,
            server=replace(o.server, new=tuple(m for m in o.server.new if (o.mailbox, m.uid) not in messages)),
            local=replace(o.local, new=tuple(m for m in o.local.new if (o.mailbox, m.name) not in files)),
            pairs=tuple(pair for pair in o.pairs if (o.mailbox, pair.uid) not in pairs),
        )
        for o in observations
    ]


def undecided(
    rest: Sequence[Observation],
    uncompared: "Uncompared",
    doubled: Collection[UniqueName],
    elsewhere: Collection[UniqueName],
) -> dict[Message, str]:
    """The pairs of which copies are gone, and that are left as they are, with the reason.

    Args:
        rest: what matching did not answer.
        uncompared: what might be the same as a message that is gone, and could not be read.
        doubled: names that are in another pair as well, in a mailbox that is not planned for.
        elsewhere: names of files in such a mailbox, if the next pass plans for it: from the pair it learns what a file
            there is.
    """
    theirs = {(o.mailbox, pair.uid) for o in rest for pair in stayed_here(o) if pair.name in doubled}
    gone = ((o.mailbox, pair) for o in rest for pair in gone_on_both(o))
    unforgotten = {(mailbox, pair.uid) for mailbox, pair in gone if pair.name in elsewhere}
    return (
        dict.fromkeys(theirs, FILE_STAYS)
        | dict.fromkeys(uncompared.perhaps_elsewhere(rest), UNREAD)
        | dict.fromkeys(unforgotten, UNFORGOTTEN)
    )


def unread(observations: Sequence[Observation], evidence: Evidence) -> set[File]:
    """The new files that could not be read while others are gone, which they may be."""
    left = any(file_left(observation) for observation in observations)
    return wanted_files(observations) - evidence.files.keys() if left else set()


class Uncompared(Struct, frozen=True):
    """New messages that might be on both sides, or moved, and that could not be read to tell.

    Copying them might double them, and what is missing elsewhere may be one of the files.
    """

    files: set[File]
    messages: set[Message]
    sizes: set[tuple[MailboxName, int]]
    alike: set[tuple[int, bytes | None]]
    """Size and header block of the messages; None of one whose header block was not read."""
    fingerprints: Mapping[File, Fingerprint]

    @classmethod
    def of(cls, observations: Sequence[Observation], evidence: Evidence) -> "Uncompared":
        """What was asked for and is not in the evidence."""
        messages = wanted_headers(observations, evidence.files, evidence.headers) - evidence.headers.keys()
        contents = wanted_contents(observations, evidence.files, evidence.headers)
        messages |= contents - evidence.contents.keys()
        closed = wanted_files(observations) - evidence.files.keys()
        messages |= {(o.mailbox, uid) for o in observations for n, uid in o.own.items() if (o.mailbox, n) in closed}
        new = [(o.mailbox, m) for o in observations for m in o.server.new if (o.mailbox, m.uid) in messages]
        sizes = {(mailbox, m.size) for mailbox, m in new}
        alike = {(m.size, evidence.headers.get((mailbox, m.uid))) for mailbox, m in new}
        return cls(unread(observations, evidence), messages, sizes, alike, evidence.files)

    def without(self, here: Observation) -> tuple[Observation, int]:
        """The observation without what may not be copied in this pass, and how many messages that are."""
        new_messages = tuple(m for m in here.server.new if (here.mailbox, m.uid) not in self.messages)
        new_files = tuple(m for m in here.local.new if not self.includes((here.mailbox, m.name)))
        number = len(here.server.new) + len(here.local.new) - len(new_messages) - len(new_files)
        server, local = replace(here.server, new=new_messages), replace(here.local, new=new_files)
        return replace(here, server=server, local=local), number

    def perhaps_elsewhere(self, observations: Iterable[Observation]) -> set[Message]:
        """The pairs whose message is gone on the server, and may be one of the messages under another UID."""
        left = ((o.mailbox, pair) for o in observations for pair in stayed_here(o))
        return {(mailbox, p.uid) for mailbox, p in left if not self.alike.isdisjoint(_alike(p.fingerprint))}

    def includes(self, file: File) -> bool:
        """Whether a file may be one of the messages."""
        read = self.fingerprints.get(file)
        return file in self.files or (read is not None and (file[0], read.size) in self.sizes)


def _alike(known: Fingerprint) -> tuple[tuple[int, bytes | None], ...]:
    return (known.size, known.header), (known.size, None)
