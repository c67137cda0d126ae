"""Hints become looks: together what belongs together, soon, and never forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from syncer.reconcile.identity import INBOX, MailboxName, Side
from syncer.wakeups import LONGEST_REST, REST, Due, Wakeups

WORK = MailboxName("Work")
HERE: frozenset[Side] = frozenset({"local"})
THERE: frozenset[Side] = frozenset({"server"})


def wakeups() -> Wakeups:
    return Wakeups(quiet=1.0, longest=5.0)


def test_a_hint_is_due_after_a_moment_of_quiet_and_then_forgotten() -> None:
    clock = wakeups()
    clock.hint(10.0, "local", [INBOX])
    assert (clock.wait(10.0), clock.take(10.9), clock.wait(10.75)) == (1.0, None, 0.25)
    assert clock.take(11.0) == Due({INBOX: HERE})
    assert (clock.wait(11.0), clock.take(99.0)) == (None, None)


def test_what_happens_on_both_sides_is_looked_at_at_once() -> None:
    clock = wakeups()
    clock.hint(10.0, "local", [INBOX])
    clock.hint(10.5, "server", [INBOX])
    assert (clock.take(11.0), clock.take(11.5)) == (None, Due({INBOX: HERE | THERE}))


def test_both_ends_of_a_move_are_due_together() -> None:
    clock = wakeups()
    clock.hint(10.0, "local", [INBOX, WORK])
    assert clock.take(11.0) == Due({INBOX: HERE, WORK: HERE})


def test_a_storm_is_looked_at_after_the_longest_wait_and_does_not_keep_another_mailbox_waiting() -> None:
    clock = wakeups()
    for tenth in range(40):
        clock.hint(10 + tenth / 10, "local", [INBOX])
        if tenth == 5:
            clock.hint(10.5, "server", [WORK])
    assert clock.take(13.9) == Due({WORK: THERE})
    for tenth in range(40, 60):
        clock.hint(10 + tenth / 10, "local", [INBOX])
    assert clock.wait(14.9) == 15.0 - 14.9
    assert clock.take(15.0) == Due({INBOX: HERE})


def test_everything_includes_what_waits() -> None:
    clock = wakeups()
    clock.hint(10.0, "server", None)
    clock.hint(10.9, "local", [WORK])
    assert clock.take(11.0) == Due({WORK: HERE}, everything=True)
    assert clock.wait(11.0) is None


def test_a_mailbox_that_took_long_rests_and_the_others_do_not() -> None:
    clock = wakeups()
    clock.spent(10.0, 0.5, [INBOX])
    clock.hint(10.0, "local", [INBOX])
    clock.hint(10.0, "server", [WORK])
    assert clock.take(11.0) == Due({WORK: THERE})
    assert clock.wait(11.0) == REST * 0.5 - 1.0
    assert clock.take(10.0 + REST * 0.5) == Due({INBOX: HERE})
    clock.spent(20.0, 0.01, [INBOX])
    clock.hint(20.0, "local", [INBOX])
    assert clock.take(21.0) == Due({INBOX: HERE})


def test_everything_rests_likewise_and_nothing_rests_for_long() -> None:
    clock = wakeups()
    for mailboxes in ([None], [INBOX]):
        clock.spent(10.0, 60.0, mailboxes)
    clock.hint(10.0, "server", None)
    assert clock.wait(10.0) == LONGEST_REST
    assert clock.take(10.0 + LONGEST_REST) == Due({}, everything=True)
    clock.hint(10.0, "server", [INBOX])
    assert clock.wait(10.0) == LONGEST_REST


hints = st.lists(
    st.tuples(
        st.floats(0, 3), st.sampled_from(["server", "local"]), st.sampled_from([[INBOX], [WORK], [INBOX, WORK], None])
    ),
    max_size=20,
)


@given(hints)
def test_every_hint_is_followed_by_a_look_within_the_longest_wait(
    steps: list[tuple[float, Side, list[MailboxName]]],
) -> None:
    clock, now = wakeups(), 0.0
    open_since: dict[tuple[MailboxName | None, Side], float] = {}

    def look(until: float) -> None:
        while (seconds := clock.wait(now)) is not None and now + seconds <= until:
            moment = now + seconds
            due = clock.take(moment)
            assert due is not None, "due, and nothing to take"
            covered = [key for key in open_since if due.everything or key[1] in due.mailboxes.get(key[0], ())]  # type: ignore[arg-type]
            for key in covered:
                assert moment - open_since.pop(key) <= 5.0 + 1e-9

    for gap, side, mailboxes in steps:
        look(now + gap)
        now += gap
        clock.hint(now, side, mailboxes)
        for name in mailboxes or [None]:  # type: ignore[list-item]
            open_since.setdefault((name, side), now)
    look(now + 6.0)
    assert open_since == {}
