"""Moving on servers without MOVE: COPY, then mark and expunge (RFC 6851 section 3.3).

A COPY cannot be taken back, and one that is sent again makes a second copy. So it is announced in the index before it
is sent, and the announcement is taken back after the move was recorded. One that is still there when the messages are
to be brought to the trash, to be kept on the server alone or to be fetched again forces a look: of what has come into
the place that was announced, the old copy is only expunged. (A move to another mailbox is not sent again anyway: its
message meets the file there.) What a killed run has announced stays until it is settled, whatever else is moved out of
the mailbox first.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from syncer.executor.bench import Bench
from syncer.ports import Index, Server
from syncer.ports.contents import contents_of
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.flags import DELETED
from syncer.reconcile.identity import MailboxName, Uid
from syncer.reconcile.observations import Pair
from syncer.values import Struct, replace


class Announced(Struct, frozen=True):
    """A COPY that was sent, or was about to be."""

    target: MailboxName
    uidvalidity: int
    uidnext: int | None
    """The target's UIDNEXT before it."""
    uids: tuple[int, ...]
    """Those that have not been settled."""


def move(
    bench: Bench, server: Server, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName, *, epoch: Epoch
) -> Mapping[Uid, Uid]:
    """As `Server.move`; `settle` is to be called when it is recorded. `epoch` is the target's before it, or earlier.

    Raises:
        ServerRefusedError: they were not moved.
    """
    if uids and "MOVE" not in server.capabilities:
        fresh = Announced(target, epoch.uidvalidity, epoch.uidnext, tuple(sorted(uids)))
        before = _announced(bench.index, mailbox)
        known = {
            pair.uid for pair in bench.index.pairs_among(mailbox, uids=[Uid(u) for one in before for u in one.uids])
        }
        older = [_only(one, known - set(uids) if one.target == target else known) for one in before]
        _announce(bench.index, mailbox, [*older, fresh])
    return server.move(mailbox, uids, target)


def move_to_trash(
    bench: Bench, server: Server, mailbox: MailboxName, pairs: Sequence[Pair], trash: MailboxName
) -> frozenset[Uid]:
    """Move messages to the trash, but for those of which a killed run has copied one already; then call `settle`.

    Returns those that the server left where they are: it may refuse some when it has moved others.

    Raises:
        ServerRefusedError: they were not moved.
    """
    there = copied_already(bench, server, mailbox, pairs)
    if there:
        server.expunge(mailbox, sorted(there))
    rest = [pair.uid for pair in pairs if pair.uid not in there]
    if rest and "MOVE" in server.capabilities:
        named = server.move(mailbox, rest, trash)
    else:
        named = move(bench, server, mailbox, rest, trash, epoch=server.epoch(trash)) if rest else {}
    unnamed = [uid for uid in rest if uid not in named]
    marks = not server.capabilities & {"MOVE", "UIDPLUS"}
    return frozenset(
        message.uid for message in server.describe(mailbox, unnamed) if not (marks and DELETED in message.flags)
    )


def announced_uids(index: Index, mailbox: MailboxName) -> set[Uid]:
    """The messages whose COPY was announced and not settled."""
    return {Uid(uid) for one in _announced(index, mailbox) for uid in one.uids}


def copied_already(bench: Bench, server: Server, mailbox: MailboxName, pairs: Sequence[Pair]) -> set[Uid]:
    """Those of the messages whose COPY was announced, and of which its target has one more since."""
    copied: set[Uid] = set()
    taken: set[tuple[MailboxName, Uid]] = set()
    for one in reversed(_announced(bench.index, mailbox)):
        mine = [pair for pair in pairs if pair.uid in one.uids and pair.uid not in copied]
        if not mine or not server.exists(one.target):
            continue
        listing = server.listing(one.target)
        floor = (one.uidnext or 1) if listing.epoch.uidvalidity == one.uidvalidity else 1
        since = sorted(uid for uid in listing.flags if uid >= floor and (one.target, uid) not in taken)
        wanted = {pair.fingerprint.header for pair in mine}
        alike = {uid: header for uid, header in server.headers(one.target, since).items() if header in wanted}
        arrived: dict[bytes, list[Uid]] = defaultdict(list)
        # Two versions of a draft may have one header block. What the server has counts, and not what the file was: it
        # may have changed what was uploaded.
        for uid, content in contents_of(server, one.target, alike).items():
            arrived[content].append(uid)
        headers = server.headers(mailbox, [pair.uid for pair in mine]) if arrived else {}
        sources = contents_of(server, mailbox, headers)
        for source, content in sources.items():
            if arrived[content]:
                taken.add((one.target, arrived[content].pop()))
                copied.add(source)
    return copied


def settle(bench: Bench, mailbox: MailboxName, uids: Collection[Uid]) -> None:
    """These messages are out of the mailbox, and that is recorded."""
    announced = _announced(bench.index, mailbox)
    left = [_only(one, set(one.uids) - set(uids)) for one in announced]
    if left != announced:
        _announce(bench.index, mailbox, left)


def renamed(index: Index, mailbox: MailboxName, new_name: MailboxName) -> None:
    """What was announced holds for mailboxes that get other names; to be called before the index renames them."""

    def now(name: MailboxName) -> MailboxName:
        within = f"{name}/".startswith(f"{mailbox}/")
        return MailboxName(new_name + name[len(mailbox) :]) if within else name

    for known in index.mailboxes():
        announced = _announced(index, known.name)
        follows = [replace(one, target=now(one.target)) for one in announced]
        if follows != announced or (announced and now(known.name) != known.name):
            _announce(index, now(known.name), follows)
        if announced and now(known.name) != known.name:
            _announce(index, known.name, ())


def _announced(index: Index, mailbox: MailboxName) -> list[Announced]:
    """In the order in which they were announced."""
    told = json.loads(index.recall(_key(mailbox)) or "[]")
    return [Announced(target, validity, uidnext, tuple(uids)) for target, validity, uidnext, uids in told]


def _announce(index: Index, mailbox: MailboxName, announced: Sequence[Announced]) -> None:
    rows = [[one.target, one.uidvalidity, one.uidnext, one.uids] for one in announced if one.uids]
    index.remember(_key(mailbox), json.dumps(rows) if rows else "")


def _only(announced: Announced, uids: Collection[int]) -> Announced:
    return replace(announced, uids=tuple(uid for uid in announced.uids if uid in uids))


def _key(mailbox: MailboxName) -> str:
    return f"copying: {mailbox}"
