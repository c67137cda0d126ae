"""A mailbox in a new epoch: which of its messages are those that the index knows. Pure.

After a changed UIDVALIDITY, or on a server that was restored from a backup, a UID says nothing of what it said before
(RFC 9051 section 2.3.1.1). The messages are the same, most of the time, so each pair is given the UID that its message
has now. What is done afterwards is what any pass does; a pair whose message the server does not have any more is told
apart as lost.

Three proofs, in this order, one to one throughout: size and header block, and the whole content where pairs that have
both differ, or are not as many as the messages; size and INTERNALDATE, where both occur once among the pairs and once
among the messages (of many a sixteenth is checked by header block, and one that is wrong makes all of them worthless);
a header block that occurs once on both sides, with the same content, for servers whose RFC822.SIZE is a guess (of many
that INTERNALDATE tells apart as well a sixteenth is read, or a whole mailbox would come over the line again).
The messages that were uploaded may have been changed by the server: of these such a header block is a proof together
with the INTERNALDATE that was sent along (a later version of a draft has another), and where it was changed as well,
that date alone, if no other message of either side has it.
A header block costs ten times what a size and a date cost, so the second proof is what makes a mailbox of a hundred
thousand messages cheap to recognise.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

from syncer.reconcile.identity import Uid, UniqueName
from syncer.reconcile.observations import Pair, PairState, ServerMessage
from syncer.values import Struct, field

FEW = 64
"""Up to so many that size and INTERNALDATE tell apart are all checked by their header block."""
CHECKED = 16
"""Of more, those whose UID is divisible by this."""


class Answers(Struct):
    """What the server told of the messages that it was asked about; None of one that is gone or was not delivered."""

    headers: dict[Uid, bytes | None] = field(default_factory=dict)
    """Digests of header blocks."""
    contents: dict[Uid, bytes | None] = field(default_factory=dict)
    """Digests of whole messages."""


class Renewal(Struct, frozen=True):
    """What became of the pairs of a mailbox."""

    uids: Mapping[Uid, Uid]
    """For each pair whose message was recognised: the UID then, and the UID now."""
    lost: frozenset[UniqueName]
    """The names of the files whose message the server does not have any more."""


def wanted_headers(
    pairs: Sequence[Pair], dates: Mapping[UniqueName, int], messages: Sequence[ServerMessage], told: Answers
) -> frozenset[Uid]:
    """The messages whose header block has to be known before `renew` can say; empty when it can.

    `dates` are the files' times of modification, in seconds since the epoch, for pairs that have a file.
    """
    known = _on_server(pairs)
    evident = _evident(known, dates, messages)
    sizes = {pair.fingerprint.size for pair in known}
    sound = len(evident) > FEW and not _contradicted(evident, told.headers)
    wanted = {
        message.uid
        for message in messages
        if message.size in sizes and not (sound and message.uid in evident and message.uid % CHECKED)
    }
    if wanted <= told.headers.keys():
        found = _recognised(known, dates, messages, told)
        # A header block says that it is another one: then both are to be compared.
        wanted |= {uid for uid, pair in evident.items() if found.get(pair.uid, uid) != uid}
        if len(found) < len(known):
            taken = set(found.values())
            wanted |= {message.uid for message in messages if message.uid not in taken}
    return frozenset(wanted - told.headers.keys())


def wanted_contents(
    pairs: Sequence[Pair],
    dates: Mapping[UniqueName, int],
    messages: Sequence[ServerMessage],
    told: Answers,
    sent: Collection[UniqueName] = (),
) -> frozenset[Uid]:
    """The same for whole contents, when no header block is wanted any more. `sent` as in `renew`."""
    known = _on_server(pairs)
    doubted = _doubted(known, messages, told)
    wanted = {message.uid for message in messages if (message.size, told.headers.get(message.uid)) in doubted}
    found = _recognised(known, dates, messages, told)
    left = _by_header(found, known, told.headers)
    wanted |= {uid for _, uid in left} - _spared(left, dates, messages, told, sent)
    return frozenset(wanted - told.contents.keys())


def renew(
    pairs: Sequence[Pair],
    dates: Mapping[UniqueName, int],
    messages: Sequence[ServerMessage],
    told: Answers,
    sent: Collection[UniqueName] = (),
) -> Renewal:
    """Recognise the messages of `pairs` among all `messages` of the mailbox, with what was asked for.

    `sent` are the names of files that were uploaded.
    """
    known = _on_server(pairs)
    uids = _recognised(known, dates, messages, told)
    left = _by_header(uids, known, told.headers)
    spared = _spared(left, dates, messages, told, sent)
    for pair, uid in left:
        if uid in spared or told.contents.get(uid) == pair.fingerprint.content:
            uids[pair.uid] = uid
    _recognise_altered(uids, [pair for pair in known if pair.name in sent], _dated(dates, messages))
    lost = {pair.name for pair in pairs if pair.uid not in uids and pair.state is not PairState.SERVER_ONLY}
    return Renewal(uids, frozenset(lost))


def _on_server(pairs: Iterable[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.state is not PairState.LOCAL_ONLY]


def _recognised(
    pairs: Sequence[Pair], dates: Mapping[UniqueName, int], messages: Sequence[ServerMessage], told: Answers
) -> dict[Uid, Uid]:
    """By the first proof and the second."""
    uids: dict[Uid, Uid] = {}
    doubted = _doubted(pairs, messages, told)

    def key(size: int, header: bytes, content: bytes | None) -> Hashable:
        return (size, header, content) if (size, header) in doubted else (size, header)

    described = [(message, header) for message in messages if (header := told.headers.get(message.uid)) is not None]
    ours = ((pair.fingerprint, pair.uid) for pair in pairs)
    _pair_up(
        uids,
        ((key(known.size, known.header, known.content), uid) for known, uid in ours),
        ((key(message.size, header, told.contents.get(message.uid)), message.uid) for message, header in described),
    )
    evident = _evident(pairs, dates, messages)
    if not _contradicted(evident, told.headers):
        taken = set(uids.values())
        for uid, pair in evident.items():
            if pair.uid not in uids and uid not in taken and uid not in told.headers:
                uids[pair.uid] = uid
    return uids


def _doubted(pairs: Iterable[Pair], messages: Iterable[ServerMessage], told: Answers) -> set[tuple[int, bytes]]:
    """Size and header block that do not tell which message is whose, of versions of a draft or a damaged message.

    That is so where pairs that have both differ, and where there are not as many messages as pairs.
    """
    contents: dict[tuple[int, bytes], list[bytes]] = defaultdict(list)
    for pair in pairs:
        contents[pair.fingerprint.size, pair.fingerprint.header].append(pair.fingerprint.content)
    there = Counter((message.size, told.headers.get(message.uid)) for message in messages)
    return {alike for alike, mine in contents.items() if len(set(mine)) > 1 or len(mine) != there[alike]}


def _by_header(
    uids: Mapping[Uid, Uid], pairs: Iterable[Pair], headers: Mapping[Uid, bytes | None]
) -> list[tuple[Pair, Uid]]:
    """What is not recognised, and may be by a header block that occurs once on both sides."""
    taken = set(uids.values())
    ours: dict[bytes, list[Pair]] = defaultdict(list)
    theirs: dict[bytes, list[Uid]] = defaultdict(list)
    for pair in pairs:
        if pair.uid not in uids:
            ours[pair.fingerprint.header].append(pair)
    for uid, header in headers.items():
        if header is not None and uid not in taken:
            theirs[header].append(uid)
    found = ((mine, theirs.get(header, ())) for header, mine in ours.items())
    return [(mine[0], there[0]) for mine, there in found if len(mine) == len(there) == 1]


def _spared(
    left: Collection[tuple[Pair, Uid]],
    dates: Mapping[UniqueName, int],
    messages: Sequence[ServerMessage],
    told: Answers,
    sent: Collection[UniqueName],
) -> set[Uid]:
    """Those of the messages `_by_header` that are the same without a look at their content.

    What the server may have made of an uploaded file, and is no later version of it; and of many that nothing but their
    date vouches for all but a sixteenth, unless one that was read turned out to be another.
    """
    theirs, dated = {message.uid: message.internaldate for message in messages}, _dated(dates, messages)
    altered = {uid for pair, uid in left if pair.name in sent and dates.get(pair.name, theirs[uid]) == theirs[uid]}
    alike = {uid: pair.fingerprint.content for pair, uid in left if dated.get(pair.name) == uid}
    alike = {uid: content for uid, content in alike.items() if uid not in altered}
    read = ((told.contents.get(uid), content) for uid, content in alike.items())
    sound = len(alike) > FEW and all(found in {None, content} for found, content in read)
    return altered | {uid for uid in alike if sound and uid % CHECKED}


def _recognise_altered(uids: dict[Uid, Uid], sent: Iterable[Pair], dated: Mapping[UniqueName, Uid]) -> None:
    """Add what was uploaded and is recognised by nothing but its date."""
    taken = set(uids.values())
    for pair in sent:
        uid = dated.get(pair.name)
        if pair.uid not in uids and uid is not None and uid not in taken:
            uids[pair.uid] = uid


def _dated(dates: Mapping[UniqueName, int], messages: Sequence[ServerMessage]) -> dict[UniqueName, Uid]:
    """Files and messages of one date that no other file and no other message has."""
    ours, theirs = Counter(dates.values()), Counter(message.internaldate for message in messages)
    uids = {message.internaldate: message.uid for message in messages}
    return {name: uids[date] for name, date in dates.items() if ours[date] == theirs[date] == 1}


def _pair_up(
    uids: dict[Uid, Uid], pairs: Iterable[tuple[Hashable, Uid]], messages: Iterable[tuple[Hashable, Uid]]
) -> None:
    """Give each pair a message with its key: the one under its own UID if there is one, else the first, by UID."""
    keys = {uid: key for key, uid in messages}
    ours = list(pairs)
    same = {uid for key, uid in ours if keys.get(uid) == key}
    uids.update((uid, uid) for uid in same)
    waiting: dict[Hashable, list[Uid]] = defaultdict(list)
    for uid in sorted(keys.keys() - same, reverse=True):
        waiting[keys[uid]].append(uid)
    for key, old in ours:
        if old not in same and waiting.get(key):
            uids[old] = waiting[key].pop()


def _evident(
    pairs: Collection[Pair], dates: Mapping[UniqueName, int], messages: Collection[ServerMessage]
) -> dict[Uid, Pair]:
    """Messages that are recognised by size and date alone: both occur once on either side."""
    undated = {pair.fingerprint.size for pair in pairs if pair.name not in dates}
    keys = {
        (pair.fingerprint.size, dates[pair.name]): pair
        for pair in pairs
        if pair.name in dates and pair.fingerprint.size not in undated
    }
    ours = Counter((pair.fingerprint.size, dates.get(pair.name)) for pair in pairs)
    theirs = Counter((message.size, message.internaldate) for message in messages)
    return {
        message.uid: keys[key]
        for message in messages
        if (key := (message.size, message.internaldate)) in keys and ours[key] == theirs[key] == 1
    }


def _contradicted(evident: Mapping[Uid, Pair], headers: Mapping[Uid, bytes | None]) -> bool:
    """Whether the header block of any of these is known to be another."""
    return any(
        (header := headers.get(uid)) is not None and header != pair.fingerprint.header for uid, pair in evident.items()
    )
