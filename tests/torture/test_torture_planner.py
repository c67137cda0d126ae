"""The trial of the planner plays the same history again, and its oracle notices what the planner does wrong."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from syncer.reconcile import agreement, matching
from syncer.reconcile.actions import Action
from syncer.reconcile.flags import Flags
from syncer.reconcile.observations import Observation
from syncer.reconcile.policy import Limits
from torture import passes
from torture.planner import History

MOST = 3000
"""Histories until a mistake has to be noticed."""


def first_noticed() -> str | None:
    """The first line of what the oracle says first."""
    for number in range(MOST):
        try:
            History(number).play()
        except AssertionError as error:
            return str(error).splitlines()[0]
    return None


def test_a_number_is_always_the_same_history() -> None:
    first, again = History(7), History(7)
    first.play()
    again.play()
    assert (first.story, first.counted) == (again.story, again.counted)
    assert first.counted["passes"] > 0


def one_side_wins(base: Flags, server: Flags, local: Flags) -> Flags:
    return server


def nothing_is_held(
    observations: Sequence[Observation], actions: Sequence[Action], limits: Limits
) -> tuple[tuple[Action, ...], tuple[()]]:
    return tuple(actions), ()


def nothing_is_refused(observations: Iterable[Observation]) -> tuple[tuple[Observation, ...], tuple[()]]:
    return tuple(observations), ()


def nothing_is_matched(observations: Sequence[Observation], evidence: matching.Evidence) -> matching.Matches:
    return matching.Matches()


@pytest.mark.parametrize(
    ("where", "mistake"),
    [
        ((agreement, "merge"), one_side_wins),
        (("syncer.reconcile.planner", "hold_deletions"), nothing_is_held),
        ((passes, "refuse"), nothing_is_refused),
        (("syncer.reconcile.planner", "match"), nothing_is_matched),
    ],
    ids=["one side's flags win", "nothing is held", "nothing is refused", "nothing is matched"],
)
def test_a_mistake_of_the_planner_is_noticed(
    where: tuple[Any, str], mistake: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, name = where
    if isinstance(place, str):
        monkeypatch.setattr(f"{place}.{name}", mistake)
    else:
        monkeypatch.setattr(place, name, mistake)
    assert first_noticed() is not None
