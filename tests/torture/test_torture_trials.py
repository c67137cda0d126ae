"""The few cases of each trial that every change has to pass."""

from collections.abc import Sequence

import pytest

from torture.results import Result
from torture.runner import play
from torture.trials import TRIALS, Trial

CHUNKS = 10
"""Tests that share the cases of one trial, so that workers can share them."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("trial", "chunk"),
    [
        pytest.param(trial, chunk, id=f"{trial.name} {chunk}")
        for trial in TRIALS
        for chunk in range(min(CHUNKS, trial.every))
    ],
)
def test_every_case_holds(trial: Trial, chunk: int) -> None:
    def share(numbers: list[int]) -> Sequence[int]:
        return numbers[chunk :: min(CHUNKS, trial.every)]

    result = play(trial, Result(trial.name, "", ""), trial.every, share)
    assert result.failures == [], "\n\n".join(f"case {failure.number}: {failure.text}" for failure in result.failures)
