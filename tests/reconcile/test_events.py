"""UIDs as the journal writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.reconcile.events import ranges_text, within
from syncer.reconcile.identity import Uid


@pytest.mark.parametrize(
    ("uids", "text"),
    [([], ""), ([7], "7"), ([1, 2], "1:2"), ([1, 2, 3, 5, 8, 9], "1:3,5,8:9"), ([4, 4294967295], "4,4294967295")],
)
def test_neighbours_become_ranges(uids: list[Uid], text: str) -> None:
    assert ranges_text(uids) == text


@given(st.sets(st.integers(1, 40)), st.integers(1, 40))
def test_a_text_holds_the_uids_that_it_was_made_of_and_no_others(uids: set[Uid], asked: Uid) -> None:
    assert within(asked, ranges_text(sorted(uids))) == (asked in uids)
