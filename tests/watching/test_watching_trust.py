"""A server that tells of every change is trusted, and one that keeps changes to itself is found out."""

import pytest

from syncer.reconcile.identity import INBOX, MailboxName
from syncer.watching.trust import AGAIN, BEFORE, BESIDE, Trust

WORK = MailboxName("Work")
LATER = 10_000.0


@pytest.fixture
def trust() -> Trust:
    trust = Trust(0.0)
    assert trust.looked(1.0, {INBOX, WORK}) == set()  # which was there before it has promised
    assert trust.looked(LATER - 500.0, set()) == set()
    return trust


def test_what_was_told_of_is_found_by_a_look_and_no_reason_for_mistrust(trust: Trust) -> None:
    trust.told(LATER - 1.0, {INBOX})
    assert trust.looked(LATER, {INBOX}) == set()
    assert trust.looked(2 * LATER, set()) == set()


def test_what_was_found_and_never_told_of_is_named_by_the_next_look(trust: Trust) -> None:
    trust.told(LATER - BESIDE, {INBOX})
    assert trust.looked(LATER, {INBOX, WORK}) == set()
    assert trust.looked(2 * LATER, set()) == {WORK}


def test_what_it_left_out_beside_what_it_told_is_looked_for_and_no_reason_for_mistrust(trust: Trust) -> None:
    trust.told(LATER, {INBOX})
    assert trust.looked(LATER + AGAIN, {INBOX, WORK}) == set()
    assert trust.looked(2 * LATER, set()) == set()


def test_what_it_told_beside_does_not_make_up_for_what_it_has_kept_to_itself(trust: Trust) -> None:
    assert trust.looked(LATER, {WORK}) == set()
    trust.told(2 * LATER, {INBOX})
    assert trust.looked(2 * LATER + AGAIN, {INBOX}) == set()
    assert trust.looked(3 * LATER, set()) == {WORK}


def test_what_is_told_of_a_moment_after_it_was_found_is_told_in_time(trust: Trust) -> None:
    assert trust.looked(LATER, {INBOX, WORK}) == set()
    trust.told(LATER + 0.5, {INBOX})
    assert trust.looked(2 * LATER, set()) == {WORK}
    trust.told(2 * LATER + 0.5, None)
    assert trust.looked(3 * LATER, set()) == set()


def test_what_was_told_before_the_last_look_was_another_change(trust: Trust) -> None:
    trust.told(LATER - 500.0 - BEFORE - 1.0, {INBOX})
    assert trust.looked(LATER, {INBOX}) == set()
    assert trust.looked(2 * LATER, set()) == {INBOX}


def test_what_was_told_during_a_look_that_took_long_is_found_by_the_next() -> None:
    trust = Trust(100.0)
    assert trust.looked(99.0, {INBOX, WORK}) == set()
    trust.told(200.0, {INBOX})
    assert trust.looked(LATER, {INBOX}) == set()
    assert trust.looked(2 * LATER, set()) == set()
