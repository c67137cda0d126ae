"""A known UID that is another message now, which is how a server looks that was restored from a backup.

Its counters may fit, if it has given more UIDs since than it lost. A few known messages are compared with what they
were, those of the highest UIDs: these are the first to be given again.
"""

from collections import deque
from collections.abc import Container, Iterator, Sequence
from itertools import islice

from syncer.errors import MessageError
from syncer.ports import Index, LocalStore, Server
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import MailboxName, Uid
from syncer.reconcile.observations import Observation, Pair
from syncer.values import Struct

SAMPLE = 3
"""How many known UIDs are compared with what they were."""
HIGHEST = 1000
"""Below so many, no second one is looked for: it is the highest UIDs that are used again first."""


class Impostors(Struct, frozen=True):
    """Looks for one in a mailbox."""

    store: LocalStore
    index: Index

    def find(self, server: Server, here: Observation) -> Uid | None:
        """One, if there is one. The header block is a proof for messages that were downloaded."""
        name = here.mailbox
        sample = self.downloaded(name, here.server.epoch, here.server.gone)
        sent = {uid: pair for uid, pair in self.highest(name, here.server.gone).items() if uid not in sample}
        headers = server.headers(name, (*sample, *sent))
        if strangers := [uid for uid in sample if headers.get(uid, sample[uid]) != sample[uid]]:
            return strangers[0]
        changed = [
            pair for uid, pair in sent.items() if headers.get(uid, pair.fingerprint.header) != pair.fingerprint.header
        ]
        return self._replaced(server, here, changed) if changed else None

    def _replaced(self, server: Server, here: Observation, changed: Sequence[Pair]) -> Uid | None:
        """Of messages that were uploaded and have another header block now, one that is another message.

        A server may change what is appended. It is another message only if it has another date than the one that was
        sent along as well, on a server that is known to keep header blocks by what was uploaded long before.
        """
        name = here.mailbox
        dates = {pair.uid: self._dated(name, pair) for pair in changed}
        others = [m.uid for m in server.describe(name, sorted(dates)) if dates[m.uid] not in {None, m.internaldate}]
        if not others:
            return None
        epoch, gone = here.server.epoch, here.server.gone
        earlier = (
            pair
            for pair in islice(self._latest(name), HIGHEST)
            if pair.uid not in dates and pair.uid not in gone and self.store.own_uid(name, epoch, pair.name) is None
        )
        sent = {pair.uid: pair.fingerprint.header for pair in deque(earlier, SAMPLE)}
        headers = server.headers(name, tuple(sent))
        return others[0] if any(header == sent[uid] for uid, header in headers.items()) else None

    def _dated(self, name: MailboxName, pair: Pair) -> int | None:
        """The date with which the file would be sent; None where there is none."""
        try:
            return self.store.internaldate(name, pair.name)
        except MessageError:
            return None

    def highest(self, name: MailboxName, gone: Container[Uid] = ()) -> dict[Uid, Pair]:
        """The messages of the highest UIDs that are not `gone`."""
        return {pair.uid: pair for pair in self.index.latest(name, SAMPLE) if pair.uid not in gone}

    def downloaded(
        self, name: MailboxName, epoch: Epoch, gone: Container[Uid] = (), most: int | None = None
    ) -> dict[Uid, bytes]:
        """The headers of some messages that were downloaded and are not `gone`, those of the highest UIDs.

        They are looked for among `most` messages, or until there is one.
        """
        found: dict[Uid, bytes] = {}
        for place, pair in enumerate(islice(self._latest(name), most)):
            if len(found) == SAMPLE or (found and place >= HIGHEST):
                break
            if pair.uid not in gone and self.store.own_uid(name, epoch, pair.name) == pair.uid:
                found[pair.uid] = pair.fingerprint.header
        return found

    def _latest(self, name: MailboxName) -> Iterator[Pair]:
        """Every pair, the highest UID first."""
        pairs = self.index.latest(name, SAMPLE)
        while pairs:
            yield from pairs
            pairs = self.index.latest(name, min(10_000, len(pairs) * 4), below=pairs[-1].uid)
