"""UID sets."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.errors import ProtocolError
from syncer.imap.sets import MAX_UID, amount, clipped, gaps, named, paired, parse_set, ranges, uid_sets, united
from syncer.reconcile.identity import Uid

uids = st.integers(1, 60) | st.integers(1, MAX_UID)


@given(st.lists(uids), st.integers(1, 40))
def test_sets_hold_exactly_the_uids_ascending_and_within_the_length(asked: list[int], octets: int) -> None:
    sets = list(uid_sets(asked, octets))
    found = [uid for text in sets for low, high in parse_set(text) for uid in range(low, high + 1)]
    assert found == sorted(set(asked))
    assert all(len(text) <= octets or b"," not in text for text in sets)


def test_neighbours_become_one_range_and_gaps_are_never_bridged() -> None:
    assert list(ranges([9, 3, 1, 2, 3, 7])) == [(1, 3), (7, 7), (9, 9)]
    assert list(uid_sets([9, 3, 1, 2, 3, 7], 8000)) == [b"1:3,7,9"]
    assert list(uid_sets([], 8000)) == []


def test_a_set_is_read_in_its_order_and_reversed_ranges_are_turned() -> None:
    assert parse_set(b"9,5:3,4294967295") == ((9, 9), (3, 5), (MAX_UID, MAX_UID))


@pytest.mark.parametrize("text", [b"", b"*", b"1:", b"1,,2", b"0", b"1:4294967296", b"a", b"1:2:3", b"99999999999"])
def test_what_is_no_set_is_a_protocol_error(text: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_set(text)


def test_copyuid_pairs_in_the_order_given_and_only_what_was_asked_for() -> None:
    assert paired(b"304,319:320", b"3956:3958", [319, 304, 7]) == {319: 3957, 304: 3956}
    assert paired(b"5,1:2", b"10,20:21", [1, 2, 5]) == {5: 10, 1: 20, 2: 21}


def test_copyuid_of_a_billion_costs_nothing() -> None:
    assert paired(b"1:4294967295", b"1:4294967295", [7]) == {7: 7}


def test_copyuid_whose_sets_differ_in_size_says_nothing() -> None:
    assert paired(b"1:3", b"1:2", [1, 2, 3]) == {}


@given(
    st.lists(st.tuples(uids, uids), unique_by=(lambda pair: pair[0], lambda pair: pair[1]), min_size=1), st.lists(uids)
)
def test_copyuid_pairs_scattered_uids(pairs: list[tuple[int, int]], further: list[int]) -> None:
    old, new = (",".join(str(pair[side]) for pair in pairs).encode() for side in (0, 1))
    asked = [Uid(uid) for uid in [*further, *(old_uid for old_uid, _ in pairs)]]
    assert paired(old, new, asked) == dict(pairs)


RANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair))), max_size=8)


def numbers(parts: Iterable[tuple[int, int]]) -> set[int]:
    return {number for low, high in parts for number in range(low, high + 1)}


@given(RANGES)
def test_united_ranges_hold_the_same_numbers_ascending_and_apart(parts: list[tuple[int, int]]) -> None:
    found = united(parts)
    assert numbers(found) == numbers(parts)
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(found))
    assert amount(found) == len(numbers(parts))
    assert named(found) == found


@given(RANGES, st.integers(1, 80), st.integers(1, 80))
def test_clipped_ranges_hold_what_lies_between(parts: list[tuple[int, int]], low: int, high: int) -> None:
    found = clipped(united(parts), low, high)
    assert numbers(found) == numbers(parts) & set(range(low, high + 1))
    assert found == united(found)
    assert all(first <= last for first, last in found)


@given(st.sets(st.integers(1, 60)), st.integers(1, 60), st.integers(0, 60))
def test_gaps_are_what_is_missing(there: set[int], low: int, high: int) -> None:
    found = gaps(there, low, high)
    assert numbers(found) == set(range(low, high + 1)) - there
    assert found == united(found)
