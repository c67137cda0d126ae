"""How long a message that fails is left alone, and what is said of it."""

import pytest

from syncer.reconcile.parking import FREE, LONGEST, Parked, pause


def test_a_few_failures_have_no_consequences_and_then_each_doubles_the_pause() -> None:
    assert [pause(failures) for failures in range(FREE + 5)] == [0, 0, 0, 0, 300, 600, 1200, 2400]
    assert pause(50) == pause(10**6) == LONGEST


@pytest.mark.parametrize(("now", "when"), [(1000, "6 minutes"), (1299, "1 minutes"), (-5900, "2 hours")])
def test_it_says_why_and_when_it_is_tried_again(now: int, when: str) -> None:
    told = f"no (parked after 4 failures: tried again in {when}, or by sync --full)"
    assert Parked("no", 4, 1300).told(now) == told
