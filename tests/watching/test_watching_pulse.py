"""Work is stuck where nothing goes on for hours and no processor time is used, and never while it only takes long."""

import pytest

from syncer.watching.pulse import IDLE, STUCK, Pulse


class Clocks:
    """What has passed, and what was worked."""

    def __init__(self) -> None:
        self.passed = self.worked = 1000.0
        self.pulse = Pulse(lambda: self.passed, lambda: self.worked)

    def go_on(self, passed: float, worked: float = 0.0) -> bool:
        self.passed += passed
        self.worked += worked
        return self.pulse.stuck


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_who_waits_for_work_is_not_stuck(clocks: Clocks) -> None:
    assert not clocks.go_on(10 * STUCK)
    with clocks.pulse.working():
        pass
    assert not clocks.go_on(10 * STUCK)


def test_work_that_shows_no_sign_of_life_for_hours_is_stuck(clocks: Clocks) -> None:
    with clocks.pulse.working():
        assert not clocks.go_on(STUCK)
        assert clocks.go_on(1.0)


def test_each_sign_of_life_gives_it_as_long_again(clocks: Clocks) -> None:
    with clocks.pulse.working():
        for _ in range(5):
            assert not clocks.go_on(STUCK)
            clocks.pulse.sign()
        assert clocks.go_on(STUCK + 1)


def test_who_uses_the_processor_is_not_stuck(clocks: Clocks) -> None:
    with clocks.pulse.working():
        assert not clocks.go_on(10 * STUCK, IDLE)


def test_a_sign_that_comes_after_the_work_is_none(clocks: Clocks) -> None:
    with pytest.raises(RuntimeError, match="failed"), clocks.pulse.working():
        raise RuntimeError("failed")
    clocks.pulse.sign()
    assert not clocks.go_on(10 * STUCK)
