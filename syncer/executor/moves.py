"""Moves between mailboxes: followed on the server for what was moved in the Maildir, and the other way round.

First the effect, then the record, in one transaction for both mailboxes. A move whose new UID the server did not
tell is not recorded: the next look finds the message on both sides and pairs it by content.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from syncer.errors import ServerRefusedError
from syncer.executor import copies
from syncer.executor.bench import Bench, batches, grouped, messages
from syncer.ports import Server
from syncer.reconcile.actions import Action, MoveLocal, MoveOnServer
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.events import Verb
from syncer.reconcile.identity import MailboxName, Uid
from syncer.reconcile.observations import Pair
from syncer.values import replace

MOVE_MESSAGES = 1000
"""UIDs in one MOVE: what a lost reply leaves to be matched again."""

Route = tuple[MailboxName, MailboxName]
"""From where, to where."""


def follow(bench: Bench, server: Server, actions: Sequence[Action], epochs: Mapping[MailboxName, Epoch]) -> None:
    """Follow moves. They touch two mailboxes, so they run alone, before everything else."""
    for mailbox, epoch in epochs.items():
        server.expect(mailbox, epoch.uidvalidity)
    on_server = grouped((a for a in actions if isinstance(a, MoveOnServer)), lambda a: (a.mailbox, a.target))
    for route, there in on_server.items():
        for group in batches(there, MOVE_MESSAGES):
            _on_server(bench, server, route, epochs[route[1]], group)
    in_maildir = grouped((a for a in actions if isinstance(a, MoveLocal)), lambda a: (a.mailbox, a.target))
    for route, here in in_maildir.items():
        for part in batches(here):
            _in_maildir(bench, server, route, epochs[route[1]], part)


def _on_server(bench: Bench, server: Server, route: Route, epoch: Epoch, batch: Sequence[MoveOnServer]) -> None:
    source, target = route
    bench.checkpoint()
    report = bench.report.mailbox(source)
    refused = bench.store_flags(server, source, ((a.pair.uid, a.to_server) for a in batch))
    moves = {action.pair.uid: action for action in batch if action.pair.uid not in refused}
    # Should the power go between COPY and EXPUNGE, a file that were back in its old place would be a second message.
    bench.store.flush(target)
    try:
        named = copies.move(bench, server, source, tuple(moves), target, epoch=epoch)
    except ServerRefusedError as error:
        report.problem(f"{messages(moves)} not moved to {target} on the server: {error}")
        return
    fresh = Counter(named.values())
    landed = {uid: new for uid, new in named.items() if new >= (epoch.uidnext or 1) and fresh[new] == 1}
    pairs: list[Pair] = []
    for uid, new_uid in landed.items():
        action = moves[uid]
        if not bench.contained(report, partial(bench.store.change_flags, target, action.landed.name, action.to_local)):
            continue
        pairs.append(replace(action.pair, uid=new_uid, name=action.landed.name, flags=action.agreed))
    bench.store.flush(target)
    reason = batch[0].reason
    bench.tell(source, "moved on the server", reason, uids=tuple(moves), detail=f"to {target}")
    _tell_landed(bench, "moved on the server", route, reason, pairs)
    bench.index.move(source, tuple(landed), target, pairs)
    copies.settle(bench, source, landed)
    report.moved_remote += len(moves)
    if len(landed) < len(moves):
        bench.look_again = True


def _in_maildir(bench: Bench, server: Server, route: Route, epoch: Epoch, batch: Sequence[MoveLocal]) -> None:
    source, target = route
    bench.checkpoint()
    report = bench.report.mailbox(target)
    pairs: list[Pair] = []
    moved: list[Uid] = []
    refused = bench.store_flags(server, target, ((a.landed.uid, a.to_server) for a in batch))
    for action in batch:
        name = bench.store.unique_name(target, epoch, action.landed)
        step = partial(
            bench.store.move, source, action.pair.name, target, name, action.to_local, said=action.pair.flags
        )
        if not bench.contained(report, step):
            continue
        moved.append(action.pair.uid)
        if action.landed.uid in refused:
            bench.look_again = True
            continue
        fresh = replace(action.pair, uid=action.landed.uid, name=name, flags=action.agreed)
        pairs.append(replace(fresh, email_id=action.landed.email_id))
    bench.store.flush(source)
    bench.store.flush(target)
    reason = batch[0].reason
    bench.tell(source, "moved in the Maildir", reason, uids=moved, detail=f"to {target}")
    _tell_landed(bench, "moved in the Maildir", route, reason, pairs)
    bench.index.move(source, moved, target, pairs)
    report.moved_local += len(moved)


def _tell_landed(bench: Bench, verb: Verb, route: Route, reason: str, pairs: Sequence[Pair]) -> None:
    uids, names = [pair.uid for pair in pairs], [pair.name for pair in pairs]
    bench.tell(route[1], verb, reason, uids=uids, names=names, detail=f"from {route[0]}")
