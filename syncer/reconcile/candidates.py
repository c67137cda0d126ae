"""Who could be whose counterpart, and what has to be read to know it. Pure.

`matching` pairs the candidates. Nothing else is read, so that new mail beside an unchanged mailbox costs nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Intent, Observation, Pair, PairState, ServerMessage

File = tuple[MailboxName, UniqueName]
Message = tuple[MailboxName, Uid]

FEW = 64
"""Up to so many files with our own names are all compared by header block."""
SAMPLED = 16
"""Of more, those whose UID is divisible by this."""
NOTHING: Mapping[Message, bytes] = {}


def file_left(observation: Observation) -> list[Pair]:
    """Pairs whose file is gone from the mailbox, by proof or with the mailbox's directory."""
    local = observation.local
    if not (local.missing or local.gone):
        return []  # without a look at a hundred thousand pairs
    return [
        pair
        for pair in observation.pairs
        if pair.state is PairState.BOTH and (local.missing or pair.name in local.gone)
    ]


def message_left(observation: Observation) -> list[Pair]:
    """Pairs whose message is gone from the mailbox on the server, by proof or with the mailbox."""
    server = observation.server
    if not (server.missing or server.gone):
        return []
    return [
        pair
        for pair in observation.pairs
        if pair.state is PairState.BOTH and (server.missing or pair.uid in server.gone)
    ]


def wanted_files(observations: Sequence[Observation]) -> set[File]:
    """The files whose fingerprint is needed: new ones, where something is gone or something new may be the same."""
    something_left = any(file_left(observation) for observation in observations)
    return {
        (observation.mailbox, message.name)
        for observation in observations
        for message in observation.local.new
        if something_left or observation.server.new or observation.intents
    }


def wanted_headers(
    observations: Sequence[Observation], files: Mapping[File, Fingerprint], headers: Mapping[Message, bytes] = NOTHING
) -> set[Message]:
    """The messages whose header block is needed: new on the server, of a size that a candidate has.

    A file with our own name (see `Observation.own`) that has the message's size is most likely its file. Of many such
    only a sixteenth is looked at, so that a lost index costs hardly any header block; if one of them turns out to be
    another message (`headers` are those that were read already), all of them are.
    """
    left = {pair.fingerprint.size for o in observations for pair in stayed_here(o)}
    wanted: set[Message] = set()
    for observation in observations:
        mailbox = observation.mailbox
        sizes = {files[key].size for m in observation.local.new if (key := (mailbox, m.name)) in files}
        announced = open_intents(observation)
        floor = min((intent.uidnext or Uid(1) for intent in announced.values()), default=None)
        likely = named(observation, files)
        sampled = len(likely) > FEW and not any(
            headers.get((mailbox, uid), file.header) != file.header for uid, file in likely.items()
        )
        known = set(observation.own.values())
        for message in observation.server.new:
            if sampled and message.uid in likely and message.uid % SAMPLED:
                continue
            fits = message.size in sizes or message.size in left or message.uid in known
            if fits or (floor is not None and message.uid >= floor):
                wanted.add((mailbox, message.uid))
    return wanted


def named(observation: Observation, files: Mapping[File, Fingerprint]) -> dict[Uid, Fingerprint]:
    """The new messages of which a new file has our own name and the size; what is in that file."""
    sizes = {message.uid: message.size for message in observation.server.new}
    found = {}
    for name, uid in observation.own.items():
        file = files.get((observation.mailbox, name))
        if file is not None and sizes.get(uid) == file.size:
            found[uid] = file
    return found


def wanted_contents(
    observations: Sequence[Observation], files: Mapping[File, Fingerprint], headers: Mapping[Message, bytes]
) -> set[Message]:
    """The new messages of which size and header block do not tell which file has them.

    That is so where several files could be it and are not all the same, or not as many as the messages; where a message
    of which the index knew had both as well, and has left a side or is a stray; and where the file has a pair whose UID
    is gone: a draft that was edited may have kept both, unless EMAILID says that it was not.
    """
    wanted: set[Message] = set()
    for observation in observations:
        mailbox = observation.mailbox
        here: dict[tuple[int, bytes], list[bytes]] = defaultdict(list)
        there: dict[tuple[int, bytes], list[Message]] = defaultdict(list)
        told: set[Message] = set()
        vouched = {uid for uid in named(observation, files) if (mailbox, uid) not in headers}
        for local in observation.local.new:
            fingerprint = files.get((mailbox, local.name))
            uid = observation.own.get(local.name, Uid(0))
            if fingerprint is not None and (uid in vouched or headers.get((mailbox, uid)) == fingerprint.header):
                told.add((mailbox, uid))
            elif fingerprint is not None:
                here[fingerprint.size, fingerprint.header].append(fingerprint.content)
        for message in observation.server.new:
            key = (mailbox, message.uid)
            if key in headers and key not in told:
                there[message.size, headers[key]].append(key)
        wanted |= _perhaps_renumbered(observation, headers) - told
        doubted = _doubted(observation, files)
        for alike, messages in there.items():
            contents = here.get(alike, [])
            if contents and (alike in doubted or len(contents) != len(messages) or len(set(contents)) > 1):
                wanted.update(messages)
    return wanted


def _doubted(observation: Observation, files: Mapping[File, Fingerprint]) -> set[tuple[int, bytes]]:
    """Size and header block of known messages of which a copy left, and of strays: a new one may be another version."""
    left = (*file_left(observation), *message_left(observation))
    known = [pair.fingerprint for pair in left]
    lost = (files.get((observation.mailbox, name)) for name in observation.strays)
    known += [fingerprint for fingerprint in lost if fingerprint is not None]
    return {(fingerprint.size, fingerprint.header) for fingerprint in known}


def _perhaps_renumbered(observation: Observation, headers: Mapping[Message, bytes]) -> set[Message]:
    """The new messages that are like one whose UID is gone, and of which no EMAILID says whether they are that one."""
    left: dict[tuple[int, bytes], list[Pair]] = defaultdict(list)
    for pair in stayed_here(observation):
        left[pair.fingerprint.size, pair.fingerprint.header].append(pair)
    return {
        key
        for message in observation.server.new
        if (header := headers.get(key := (observation.mailbox, message.uid))) is not None
        and any(same_email_id(message, pair) is None for pair in left.get((message.size, header), ()))
    }


def same_email_id(message: ServerMessage, pair: Pair) -> bool | None:
    """Whether EMAILID says that it is the pair's message (RFC 8474 section 5.1); None where it says nothing."""
    if message.email_id is None or pair.email_id is None:
        return None
    return message.email_id == pair.email_id


def stayed_here(observation: Observation) -> list[Pair]:
    """Pairs that are gone on the server while their file is still here."""
    left = message_left(observation)
    gone = {pair.uid for pair in file_left(observation)} if left else set()
    return [pair for pair in left if pair.uid not in gone]


def still_there(observation: Observation) -> list[Pair]:
    """Pairs whose file is gone while the message is still on the server."""
    left = file_left(observation)
    gone = {pair.uid for pair in message_left(observation)} if left else set()
    return [pair for pair in left if pair.uid not in gone]


def gone_on_both(observation: Observation) -> list[Pair]:
    """Pairs of which both the message and the file are gone."""
    left = file_left(observation)
    gone = {pair.uid for pair in message_left(observation)} if left else set()
    return [pair for pair in left if pair.uid in gone]


def travelled(observations: Sequence[Observation], files: Mapping[File, Fingerprint]) -> tuple[set[File], set[Message]]:
    """The new files that kept their name on the way from another mailbox, and the pairs that they had there.

    Name and content are those of a pair whose file is gone there. A killed run may have moved its message already.
    """
    left: dict[UniqueName, list[tuple[MailboxName, Pair]]] = defaultdict(list)
    for observation in observations:
        for pair in file_left(observation):
            left[pair.name].append((observation.mailbox, pair))
    found_files: set[File] = set()
    found_pairs: set[Message] = set()
    for observation in observations:
        for local in observation.local.new:
            file = observation.mailbox, local.name
            for mailbox, pair in left.get(local.name, ()):
                if mailbox != observation.mailbox and files.get(file) == pair.fingerprint:
                    found_files.add(file)
                    found_pairs.add((mailbox, pair.uid))
    return found_files, found_pairs


def open_intents(observation: Observation) -> dict[UniqueName, Intent]:
    """Open intents whose file is still waiting, in the order in which they were announced."""
    waiting = {message.name for message in observation.local.new}
    return {intent.name: intent for intent in observation.intents if intent.name in waiting}
