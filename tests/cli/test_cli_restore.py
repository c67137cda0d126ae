"""What `restore` makes of its arguments."""

import datetime as dt

import pytest

from syncer.cli.restore import attic_day


@pytest.mark.parametrize(("hours", "day"), [(9, "2026-11-29"), (0, "2026-11-30"), (-8, "2026-11-30")])
def test_a_day_here_may_begin_on_an_earlier_day_of_the_attic(hours: int, day: str) -> None:
    assert attic_day(dt.datetime(2026, 11, 30, tzinfo=dt.timezone(dt.timedelta(hours=hours)))) == day
