"""One pass of T1 over the three sides in memory: look, decide with the planner itself, carry out in a shuffled order.

The order respects only what the top of `syncer.executor` promises: moves first; of one mailbox, deletions last; an
effect before its record; an APPEND is announced before it is sent. Everything else happens in any order, side by side,
and may be stopped between any two steps.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from syncer.reconcile.actions import (
    Expunge,
    Forget,
    MoveLocal,
    MoveOnServer,
    Plan,
    RemoveLocal,
)
from syncer.reconcile.candidates import file_left, wanted_contents, wanted_files, wanted_headers
from syncer.reconcile.identity import MailboxName, Side
from syncer.reconcile.matches import Evidence
from syncer.reconcile.observations import Observation, PairState
from syncer.reconcile.planner import plan, refuse
from syncer.values import Struct, field, replace
from torture.sides import Box, Sides, Sight, contents_of, files_of, headers_of, look
from torture.steps import STEPS, Steps

ROUNDS = 3
"""How often one pass looks and decides at most, as in `syncer.engine.rounds`."""


class Trouble(Struct):
    """What one pass suffers."""

    kill_after: int | None = None
    """It is killed after so many steps."""
    sights: Mapping[MailboxName, Sight] = {}
    only: MailboxName | None = None
    """It is a pass over one mailbox."""
    unread: float = 0.0
    """The share of the messages that the server does not let us compare."""


NONE = Trouble()


class Told(Struct):
    """What a pass saw and decided."""

    observations: list[list[Observation]] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    killed: bool = False


def run(
    sides: Sides, rng: random.Random, trouble: Trouble, judge: Callable[[Sequence[Observation], Plan], None]
) -> Told:
    """One pass; `judge` sees each plan before it is carried out."""
    told = Told()
    budget = trouble.kill_after
    for _ in range(ROUNDS):
        sides.look_again = False
        observations, decision = decide(sides, rng, trouble)
        told.observations.append(observations)
        told.plans.append(decision)
        judge(observations, decision)
        budget = _carry_out(sides, rng, observations, decision, budget)
        if budget == 0:
            told.killed = True
            return told
        if not sides.look_again:
            break
    _finish(sides, told)
    return told


def decide(sides: Sides, rng: random.Random, trouble: Trouble) -> tuple[list[Observation], Plan]:
    """Look and plan, as `syncer.engine.applying` does."""
    observations = look(sides, trouble.sights, trouble.only)
    accepted, refusals = refuse(observations)
    elsewhere, complete = frozenset[Any](), True
    planned = {observation.mailbox for observation in accepted}
    others = [box for box in sides.boxes.values() if box.name not in planned]
    doubled = {p.name for box in others for p in box.pairs.values() if p.state is PairState.BOTH}
    if any(file_left(observation) for observation in accepted):
        unseen = [trouble.sights[box.name].names for box in others if box.name in trouble.sights]
        hidden = {name for names in unseen for name in names or ()}
        elsewhere = frozenset(name for box in others for name in box.files if name not in hidden)
        complete = all(names is None for names in unseen)
    files = files_of(sides, wanted_files(accepted))
    headers = headers_of(sides, _read(rng, wanted_headers(accepted, files), trouble.unread))
    contents = contents_of(sides, _read(rng, wanted_contents(accepted, files, headers), trouble.unread))
    everything_seen = complete and all(observation.local.complete for observation in observations)
    decision = plan(
        accepted,
        Evidence(files, headers, contents),
        sides.policy,
        elsewhere,
        frozenset(doubled),
        everything_seen=everything_seen,
        whole=trouble.only is None,
    )
    return observations, replace(decision, refusals=refusals)


def _read(rng: random.Random, wanted: set[Any], unread: float) -> list[Any]:
    return [key for key in sorted(wanted) if rng.random() >= unread] if unread else list(wanted)


def _finish(sides: Sides, told: Told) -> None:
    """Record the counters and the holds, as a pass does at its end."""
    refused = {refusal.mailbox for refusal in told.plans[-1].refusals}
    holds = [hold for hold in told.plans[-1].holds if hold.stays]
    for here in told.observations[-1]:
        if here.mailbox not in refused:
            box = sides.boxes[here.mailbox]
            box.known = here.server.epoch
            decided = frozenset(hold.side for hold in holds if hold.mailbox == here.mailbox)
            box.held = decided | _still_held(box, here)


def _still_held(box: Box, here: Observation) -> set[Side]:
    """The sides on which what is missing was not decided about, as in `syncer.engine.applying`."""
    sides: set[Side] = set()
    if "local" in here.held and here.server.unproven:
        sides.add("local")
    missed = any(pair.state is PairState.BOTH and pair.name in here.local.gone for pair in box.pairs.values())
    if "server" in here.held and (here.local.unproven or missed):
        sides.add("server")
    return sides


def _carry_out(
    sides: Sides, rng: random.Random, observations: Sequence[Observation], decision: Plan, budget: int | None
) -> int | None:
    """Returns what is left of the budget of steps; 0 is killed."""
    if not decision.actions:
        return budget
    by_name = {observation.mailbox: observation for observation in observations}
    for here in observations:  # before the first pair of a mailbox is recorded, its counters are
        box = sides.boxes[here.mailbox]
        if box.known is None:
            box.known = here.server.epoch
    moves: list[Steps] = []
    lanes: dict[MailboxName, tuple[list[Steps], list[Steps]]] = {}
    for action in decision.actions:
        steps = STEPS[type(action)](sides, by_name[action.mailbox], action)
        if isinstance(action, MoveOnServer | MoveLocal):
            moves.append(steps)
        else:
            early, late = lanes.setdefault(action.mailbox, ([], []))
            (late if isinstance(action, Expunge | RemoveLocal | Forget) else early).append(steps)
    budget = _shuffled(rng, [[moves]] if moves else [], budget)
    return _shuffled(rng, [[part for part in lane if part] for lane in lanes.values()], budget)


def _shuffled(rng: random.Random, lanes: list[list[list[Steps]]], budget: int | None) -> int | None:
    """Lanes go side by side, the parts of a lane one after the other, what is in a part in any order."""
    while lanes and budget != 0:
        lane = lanes[int(rng.random() * len(lanes))]
        part = lane[0]
        place = int(rng.random() * len(part))
        if next(part[place], lane) is None:
            if budget is not None:
                budget -= 1
            continue
        part[place] = part[-1]  # it is done
        part.pop()
        if not part:
            lane.pop(0)
            if not lane:
                lanes.remove(lane)
    return budget
