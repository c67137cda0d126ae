"""How far each mailbox came in a pass: what the next one may rely on.

A cursor of the server, or a state of the directories, is recorded only if everything that was seen up to there is in
the index. What could not be carried out has to be seen again: then the cursor that is recorded already stays, and the
directories are read next time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from syncer.observer.look import Look, Sight
from syncer.ports import Finished, Index
from syncer.reconcile.comparing import resolved
from syncer.reconcile.observations import Observation

if TYPE_CHECKING:
    from syncer.engine.passing import Pass


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
    server, local = _resolved(one.index, here) if settled else (False, False)
    # Without shortcuts not even what lies before the recorded cursor need be resolved: then there is none any more.
    stays = not server and sight.shortcut
    return Finished(
        here.mailbox,
        None if stays else here.server.epoch,
        sight.there.messages if server else None,
        mapping=None if sight.untouched else _letters(sight.here.mapping or {}, one.store.mapping(here.mailbox)),
        local_state=sight.here.state if local else None,
        settings=one.order.settings,
        compared=not sight.shortcut and sight.there.compared and here.local.complete,
    )


def _letters(seen: Mapping[str, str], now: Mapping[str, str]) -> Mapping[str, str]:
    """The letters as they were when the names were read, and those that were given away since.

    What has come to mean something else since then is for the next look to find out, which compares with this.
    """
    words = {word.lower() for word in seen.values()}
    return {letter: word for letter, word in now.items() if word.lower() not in words} | dict(seen)


def _resolved(index: Index, here: Observation) -> tuple[bool, bool]:
    """See `resolved`, with what the index has now."""
    names = [*(message.name for message in here.local.new), *here.local.gone]
    pairs = index.pairs_among(here.mailbox, uids=here.server.gone, names=names)
    arrived = index.has_all(here.mailbox, [message.uid for message in here.server.new])
    return resolved(here, pairs, arrived=arrived)
