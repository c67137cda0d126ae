"""How far each mailbox came in a pass: what the next one may rely on.

A cursor of the server, or a state of the directories, is recorded only if everything that was seen up to there is in
the index. What could not be carried out has to be seen again: then the cursor that is recorded already stays, and the
directories are read next time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from syncer.observer.look import Look, Sight
from syncer.ports import Finished, Index
from syncer.reconcile.comparing import resolved
from syncer.reconcile.identity import Uid
from syncer.reconcile.observations import Observation, Pair

if TYPE_CHECKING:
    from syncer.engine.passing import Pass

MANY = 1000
"""From so many messages on it is cheaper to read every UID of a mailbox than the pairs asked for."""


def finished(one: Pass, look: Look, *, settled: bool) -> Iterator[Finished]:
    """What to record of every mailbox of the last look in which nothing failed.

    `settled` is whether the pass ended without the wish to look again.
    """
    known = {mailbox.name for mailbox in one.index.mailboxes()} - one.failed
    for mailbox, sight in look.sights.items():
        here = sight.observation
        if here.server.missing or here.local.missing or mailbox not in known:
            continue
        report = one.report.mailboxes.get(mailbox)
        quiet = report is None or not (report.trouble or report.notes)
        yield _finished(one, sight, settled=sight.untouched or (settled and quiet))


def _finished(one: Pass, sight: Sight, *, settled: bool) -> Finished:
    here = sight.observation
    server, local = resolved(here, *_known_now(one.index, here)) if settled else (False, False)
    # Without shortcuts not even what lies before the recorded cursor need be resolved: then there is none any more.
    stays = not server and sight.shortcut
    return Finished(
        here.mailbox,
        None if stays else here.server.epoch,
        sight.there.messages if server else None,
        mapping=None if sight.untouched else one.store.mapping(here.mailbox),
        local_state=sight.here.state if local else None,
        settings=one.order.settings,
        compared=not sight.shortcut and sight.there.compared and here.local.complete,
    )


def _known_now(index: Index, here: Observation) -> tuple[Collection[Uid], Sequence[Pair]]:
    """The UIDs that the index has now of what was new on the server, and its pairs of new files and of what is gone."""
    new = [message.uid for message in here.server.new]
    if len(new) > MANY:
        uids: Collection[Uid] = index.base(here.mailbox).keys()
    else:
        uids = {pair.uid for pair in index.pairs_among(here.mailbox, uids=new)}
    names = [*(message.name for message in here.local.new), *here.local.gone]
    return uids, index.pairs_among(here.mailbox, uids=here.server.gone, names=names)
