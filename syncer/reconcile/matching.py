"""Which messages of both sides are one message: crashed deliveries, lost replies, two filled sides, and moves.

Only messages that the index does not know are matched, one to one, so that two equal messages stay two. In this order:

1. a file that we delivered ourselves: by the UID in its unique name;
2. a file whose APPEND was announced, and what that made: by the open intent;
3. a file renamed within its mailbox: its old name is gone, the content is the same, and neither name is known to have
   gone from one mailbox to another; and a message that has another UID in its mailbox: its old UID is gone, EMAILID or
   the content is the same;
4. a new file and a new message of one mailbox: by size and header block, and where that is the same of
   several that differ, by content;
5. a file moved to another mailbox: its pair's file is gone there, the content is the same;
6. a message moved on the server: its pair's UID is gone there, EMAILID or size and header block are the same;
7. of equal messages, a file that was taken for a renamed one (3), while a message of its mailbox and a file of another
   one are left over: it is that message's, and the other file is the renamed one, moved.

Of several that it may have been (5, 6), one in a mailbox that is missing comes first: the others are gone from where
they were, while what was in that mailbox would be copied again.

What must be known to decide is asked for first (see `candidates`), so that only candidates are read.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from syncer.reconcile.candidates import (
    File,
    Message,
    file_left,
    message_left,
    open_intents,
    same_email_id,
    stayed_here,
    still_there,
    travelled,
    wanted_contents,
    wanted_headers,
)
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.matches import Evidence, Matches, Met, MovedFile, MovedMessage, Renamed, Renumbered
from syncer.reconcile.observations import Fingerprint, Intent, LocalMessage, Observation, Pair, ServerMessage
from syncer.reconcile.pool import Pool


def match(observations: Sequence[Observation], evidence: Evidence) -> Matches:
    """Pair what belongs together; see the order at the top of this module."""
    matching = _Matching(observations, evidence)
    for observation in observations:
        matching.own_names(observation)
        matching.intents(observation)
        matching.renames(observation)
    for observation in observations:
        matching.meetings(observation)
        matching.renumberings(observation)
    matching.moves_of_files()
    matching.moves_of_messages()
    matching.exchanges()
    return matching.found


class _Matching:
    """The candidates that are not matched yet, and what was found."""

    def __init__(self, observations: Sequence[Observation], evidence: Evidence) -> None:
        self.observations = observations
        self.evidence = evidence
        self.found = Matches()
        self.unread = wanted_headers(observations, evidence.files, evidence.headers) - evidence.headers.keys()
        self.doubtful = wanted_contents(observations, evidence.files, evidence.headers) - evidence.contents.keys()
        """Messages that nothing but their content tells apart, and it could not be read."""
        self.used_files: set[File] = set()
        self.used_messages: set[Message] = set()
        self.used_pairs: set[Message] = set()
        self.travelled_files, self.travelled_pairs = travelled(observations, evidence.files)
        self.origins = Pool(
            (_content(pair.fingerprint), (o.mailbox, pair))
            for o in observations
            for pair in dict.fromkeys((*file_left(o), *message_left(o)))
        )

    def renames(self, observation: Observation) -> None:
        """What kept its name on the way to another mailbox was not renamed, though an equal message was there."""
        mailbox = observation.mailbox
        stayed = (pair for pair in still_there(observation) if (mailbox, pair.uid) not in self.travelled_pairs)
        candidates = Pool((_content(pair.fingerprint), pair) for pair in stayed)
        for local, fingerprint in self._files(observation):
            if (mailbox, local.name) in self.travelled_files:
                continue
            pair = candidates.take(_content(fingerprint))
            if pair is not None:
                self._use(mailbox, local=local, pair=pair)
                self.found.renamed.append(Renamed(mailbox, pair, local))

    def meetings(self, observation: Observation) -> None:
        mailbox = observation.mailbox
        pool = Pool(
            ((message.size, header, self.evidence.contents.get((mailbox, message.uid))), message)
            for message in observation.server.new
            if (mailbox, message.uid) not in self.used_messages
            and (mailbox, message.uid) not in self.doubtful
            and (header := self.evidence.headers.get((mailbox, message.uid))) is not None
        )
        for local, fingerprint in self._files(observation):
            alike = fingerprint.size, fingerprint.header
            message = pool.take((*alike, fingerprint.content)) or pool.take((*alike, None))
            if message is not None:
                self._meet(mailbox, message, local, fingerprint)

    def renumberings(self, observation: Observation) -> None:
        """After the meetings, so that a file that waits for a message is not left without it."""
        mailbox = observation.mailbox
        pairs = self._unused(observation, stayed_here(observation))
        pool = Pool(((pair.fingerprint.size, pair.fingerprint.header), pair) for pair in pairs)
        for message in observation.server.new:
            header = self.evidence.headers.get((mailbox, message.uid))
            if header is None or (mailbox, message.uid) in self.used_messages:
                continue
            content = self.evidence.contents.get((mailbox, message.uid))
            pair = pool.take((message.size, header), partial(_is_it, message, content))
            if pair is not None:
                self._use(mailbox, message=message, pair=pair)
                self.found.renumbered.append(Renumbered(mailbox, pair, message))

    def own_names(self, observation: Observation) -> None:
        mailbox = observation.mailbox
        new = {message.uid: message for message in observation.server.new}
        for local, fingerprint in self._files(observation):
            message = new.get(observation.own.get(local.name, Uid(0)))
            if message is None or (mailbox, message.uid) in self.used_messages:
                continue
            # The name alone is no proof: a copy keeps it, and a restored server may use the UID again. Nor is the size,
            # which some servers guess; unless there are so many of them that a few headers vouch for the rest.
            header = self.evidence.headers.get((mailbox, message.uid))
            vouched = message.size == fingerprint.size and (mailbox, message.uid) not in self.unread
            if header == fingerprint.header or (header is None and vouched):
                self._meet(mailbox, message, local, fingerprint)

    def intents(self, observation: Observation) -> None:
        mailbox = observation.mailbox
        intents = open_intents(observation)
        if not intents:
            return
        pool = Pool(
            (header, message)
            for message in observation.server.new
            if (mailbox, message.uid) not in self.used_messages
            and (header := self.evidence.headers.get((mailbox, message.uid))) is not None
        )
        for as_it_was in (True, False):  # the server may have changed its size
            for local, fingerprint in self._files(observation):
                intent = intents.get(local.name)
                if intent is not None:
                    wanted = fingerprint if as_it_was else None
                    may_be = partial(self._may_be, mailbox, intent.uidnext or Uid(1), wanted)
                    message = pool.take(fingerprint.header, may_be)
                    if message is not None:
                        self._meet(mailbox, message, local, fingerprint)
        self._altered(observation, intents)

    def _may_be(self, mailbox: MailboxName, floor: Uid, wanted: Fingerprint | None, message: ServerMessage) -> bool:
        """Whether a message came after the announcement, and is not proved to be another one than is wanted."""
        if message.uid < floor or wanted is None:
            return message.uid >= floor
        content = self.evidence.contents.get((mailbox, message.uid))
        return message.size == wanted.size and content in {None, wanted.content}

    def _altered(self, observation: Observation, intents: Mapping[UniqueName, Intent]) -> None:
        """Files that the server took and changed, so that nothing of their header block is the same.

        What is left is the INTERNALDATE that was sent along (RFC 9051 section 6.3.12). Of several with the same date,
        the first UID is the first file's: UIDs ascend in the order of arrival (section 2.3.1.1).
        """
        mailbox = observation.mailbox
        files = {local.name: (local, fingerprint) for local, fingerprint in self._files(observation)}
        sent = [intent for intent in intents.values() if intent.sent and intent.name in files]
        for date in dict.fromkeys(intent.internaldate for intent in sent):
            dated = [intent for intent in sent if intent.internaldate == date]
            floor = min(intent.uidnext or Uid(1) for intent in dated)
            arrived = [
                message
                for message in observation.server.new
                if message.uid >= floor
                and message.internaldate == date
                and (mailbox, message.uid) not in self.used_messages
            ]
            if len(arrived) == len(dated):
                for intent, message in zip(dated, arrived, strict=True):
                    self._meet(mailbox, message, *files[intent.name])

    def moves_of_files(self) -> None:
        observations = sorted(self.observations, key=lambda o: not o.local.missing)
        sources = [(o.mailbox, pair) for o in observations for pair in self._unused(o, still_there(o))]
        by_name = Pool(((pair.name, _content(pair.fingerprint)), (mailbox, pair)) for mailbox, pair in sources)
        by_content = Pool((_content(pair.fingerprint), (mailbox, pair)) for mailbox, pair in sources)
        for pool in (by_name, by_content):
            for target in self.observations:
                for local, fingerprint in self._files(target):
                    content = _content(fingerprint)
                    key: Hashable = (local.name, content) if pool is by_name else content
                    source = pool.take(key, partial(self._can_leave, target.mailbox))
                    if source is not None:
                        mailbox, pair = source
                        self._use(target.mailbox, local=local)
                        self._use(mailbox, pair=pair)
                        self.found.moved_files.append(MovedFile(mailbox, pair, target.mailbox, local))

    def moves_of_messages(self) -> None:
        observations = sorted(self.observations, key=lambda o: not o.server.missing)
        sources = [(o.mailbox, pair) for o in observations for pair in self._unused(o, stayed_here(o))]
        by_id = Pool((pair.email_id, (mailbox, pair)) for mailbox, pair in sources if pair.email_id)
        by_header = Pool(((p.fingerprint.size, p.fingerprint.header), (mailbox, p)) for mailbox, p in sources)
        for target in self.observations:
            for message in target.server.new:
                if (target.mailbox, message.uid) in self.used_messages:
                    continue
                header = self.evidence.headers.get((target.mailbox, message.uid))
                source = by_id.take(message.email_id, partial(self._can_leave, target.mailbox)) or by_header.take(
                    (message.size, header), partial(self._can_become, message, target.mailbox)
                )
                if source is not None:
                    mailbox, pair = source
                    self._use(target.mailbox, message=message)
                    self._use(mailbox, pair=pair)
                    self.found.moved_messages.append(MovedMessage(mailbox, pair, target.mailbox, message))

    def exchanges(self) -> None:
        """Both would be copied; a run was killed after it had moved one of two equal messages, perhaps."""
        if not self.found.renamed:
            return
        messages = Pool(
            ((o.mailbox, message.size, self.evidence.headers.get((o.mailbox, message.uid))), message)
            for o in self.observations
            for message in o.server.new
            if (o.mailbox, message.uid) not in self.used_messages and (o.mailbox, message.uid) not in self.doubtful
        )
        files = Pool(
            (_content(found), (o.mailbox, local)) for o in self.observations for local, found in self._files(o)
        )
        renamed, self.found.renamed = self.found.renamed, []
        for one in renamed:
            known = one.pair.fingerprint
            message = messages.take((one.mailbox, known.size, known.header), partial(self._may_have, one))
            moved = files.take(_content(known), partial(_is_elsewhere, one.mailbox)) if message else None
            if message is None or moved is None:
                self.found.renamed.append(one)
                continue
            target, local = moved
            self._meet(one.mailbox, message, one.local, known)
            self._use(target, local=local)
            self.found.moved_files.append(MovedFile(one.mailbox, one.pair, target, local))

    def _may_have(self, renamed: Renamed, message: ServerMessage) -> bool:
        """Whether a message is not proved to be another one."""
        content = self.evidence.contents.get((renamed.mailbox, message.uid))
        return content in {None, renamed.pair.fingerprint.content}

    def _can_leave(self, target: MailboxName, source: tuple[MailboxName, Pair]) -> bool:
        mailbox, pair = source
        return mailbox != target and (mailbox, pair.uid) not in self.used_pairs

    def _can_become(self, message: ServerMessage, target: MailboxName, source: tuple[MailboxName, Pair]) -> bool:
        return self._can_leave(target, source) and same_email_id(message, source[1]) is not False

    def _files(self, observation: Observation) -> Iterator[tuple[LocalMessage, Fingerprint]]:
        """New files of a mailbox that were read and are not matched yet."""
        for local in observation.local.new:
            key = (observation.mailbox, local.name)
            fingerprint = self.evidence.files.get(key)
            if fingerprint is not None and key not in self.used_files:
                yield local, fingerprint

    def _unused(self, observation: Observation, pairs: Iterable[Pair]) -> list[Pair]:
        return [pair for pair in pairs if (observation.mailbox, pair.uid) not in self.used_pairs]

    def _meet(self, mailbox: MailboxName, server: ServerMessage, local: LocalMessage, fingerprint: Fingerprint) -> None:
        self._use(mailbox, local=local, message=server)
        content = _content(fingerprint)
        named = self.origins.take(
            content, lambda origin: origin[1].name == local.name and self._can_leave(mailbox, origin)
        )
        before = named or self.origins.take(content, partial(self._can_leave, mailbox))
        self.found.met.append(Met(mailbox, server, local, fingerprint, before[1] if before else None))

    def _use(
        self,
        mailbox: MailboxName,
        *,
        local: LocalMessage | None = None,
        message: ServerMessage | None = None,
        pair: Pair | None = None,
    ) -> None:
        if local:
            self.used_files.add((mailbox, local.name))
        if message:
            self.used_messages.add((mailbox, message.uid))
        if pair:
            self.used_pairs.add((mailbox, pair.uid))


def _is_elsewhere(mailbox: MailboxName, file: tuple[MailboxName, LocalMessage]) -> bool:
    return file[0] != mailbox


def _is_it(message: ServerMessage, content: bytes | None, pair: Pair) -> bool:
    """Whether a message is the one of a pair, by EMAILID or else by content."""
    same = same_email_id(message, pair)
    return content == pair.fingerprint.content if same is None else same


def _content(fingerprint: Fingerprint) -> tuple[int, bytes]:
    return fingerprint.size, fingerprint.content
