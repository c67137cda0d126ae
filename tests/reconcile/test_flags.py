"""The algebra of flags."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.reconcile.flags import (
    ANSWERED,
    DELETED,
    FLAGGED,
    FORWARDED,
    NONE,
    SEEN,
    SYSTEM,
    FlagDelta,
    Flags,
    Spelling,
    apply,
    delta,
    keywords,
    merge,
)

flags = st.frozensets(st.sampled_from([SEEN, FLAGGED, ANSWERED, DELETED, FORWARDED, "todo", "later"]))


@given(flags, flags)
def test_a_delta_turns_the_one_into_the_other(before: Flags, after: Flags) -> None:
    change = delta(before, after)
    assert apply(before, change) == after
    assert apply(after, change) == after
    assert bool(change) is (before != after)
    assert not change.add & change.remove


@given(flags, flags, flags)
def test_a_delta_leaves_other_flags_alone(before: Flags, after: Flags, meanwhile: Flags) -> None:
    touched = before ^ after
    assert apply(meanwhile, delta(before, after)) - touched == meanwhile - touched


def test_a_flag_that_is_added_and_removed_is_there() -> None:
    assert apply(NONE, FlagDelta(frozenset({SEEN}), frozenset({SEEN}))) == {SEEN}


def test_a_delta_reads_the_same_every_time() -> None:
    change = FlagDelta(frozenset({"work", SEEN, FORWARDED}), frozenset({"todo", DELETED}))
    assert str(change) == "+$Forwarded +\\Seen +work -\\Deleted -todo"
    assert str(FlagDelta()) == ""


@pytest.mark.parametrize(("base", "server", "local"), list(itertools.product([False, True], repeat=3)))
def test_one_flag_is_what_the_side_that_changed_it_says(base: bool, server: bool, local: bool) -> None:
    def flag(there: bool) -> Flags:
        return frozenset({SEEN}) if there else NONE

    changed = [side for side in (server, local) if side != base]
    assert merge(flag(base), flag(server), flag(local)) == flag(changed[0] if changed else base)


@given(flags, flags, flags)
def test_the_merge_does_not_care_which_side_is_which(base: Flags, one: Flags, other: Flags) -> None:
    assert merge(base, one, other) == merge(base, other, one)


@given(flags, flags, flags)
def test_what_was_merged_stays(base: Flags, server: Flags, local: Flags) -> None:
    merged = merge(base, server, local)
    assert merge(merged, merged, merged) == merged
    assert merge(base, merged, merged) == merged


@given(flags, flags)
def test_a_side_that_did_nothing_takes_what_the_other_says(base: Flags, other: Flags) -> None:
    assert merge(base, base, other) == other


@given(flags, flags, flags)
def test_flags_are_merged_one_by_one(base: Flags, server: Flags, local: Flags) -> None:
    for flag in base | server | local:
        one = frozenset({flag})
        assert merge(base & one, server & one, local & one) == merge(base, server, local) & one


def test_keywords_are_what_is_not_a_system_flag() -> None:
    assert keywords(SYSTEM | {FORWARDED, "todo"}) == {FORWARDED, "todo"}


def test_the_first_spelling_stands() -> None:
    spelling = Spelling()
    assert spelling.normal(["Todo", "\\SEEN", "$FORWARDED"]) == {"Todo", SEEN, FORWARDED}
    assert spelling.normal(["TODO", "todo", "\\seen"]) == {"Todo", SEEN}
    assert spelling.normal(["later"]) == {"later"}
    assert spelling.normal(["LATER"]) == {"later"}


def test_flags_that_are_not_synchronised_are_passed_over() -> None:
    assert Spelling().normal(["\\Recent", "\\Unheard-of", "\\*", "\\Flagged"]) == {FLAGGED}


def test_two_accounts_do_not_share_their_spelling() -> None:
    Spelling().normal(["Todo"])
    assert Spelling().normal(["todo"]) == {"todo"}


def test_of_two_spellings_seen_at_once_one_is_taken_every_time() -> None:
    assert Spelling().normal({"todo", "Todo", "TODO"}) == {"TODO"}
