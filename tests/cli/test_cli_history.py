"""What `log` and `why` make of their arguments, and what `why` says of where a message is."""

from collections.abc import Callable

import pytest
from cli_support import Ran

from syncer.findings import History
from syncer.reconcile.identity import INBOX, Uid, UniqueName
from syncer.reconcile.observations import PairState

Run = Callable[..., Ran]


@pytest.mark.parametrize("number", ["0", "-1", "many", "9" * 40])
def test_so_many_syncs_are_told_of_as_there_can_be(syncer: Run, wiring: Callable[..., None], number: str) -> None:
    wiring(account_log=lambda *_, **__: pytest.fail("the journal was read"))
    ran = syncer("log", f"-n{number}")
    assert (ran.status, f"{number!r} is not a number of syncs, 1 or more" in ran.err) == (2, True)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "yesterday"])
def test_a_day_that_has_no_time_in_every_zone_is_none(syncer: Run, wiring: Callable[..., None], day: str) -> None:
    wiring(account_log=lambda *_, **__: pytest.fail("the journal was read"))
    ran = syncer("log", "--since", day)
    assert (ran.status, f"{day!r} is not a day such as 2026-11-30" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("state", "where"),
    [
        (PairState.BOTH, "on both sides, as far as the index knows"),
        (PairState.SERVER_ONLY, "on the server alone, as far as the index knows"),
        (PairState.LOCAL_ONLY, "in the Maildir alone, as far as the index knows"),
    ],
)
def test_why_says_on_which_side_the_message_is(
    syncer: Run, wiring: Callable[..., None], state: PairState, where: str
) -> None:
    wiring(message_history=lambda *_: History(INBOX, Uid(7), UniqueName("1.a"), state, ()))
    assert syncer("why", "work:INBOX", "7") == Ran(0, f"work:INBOX: UID 7, 1.a: {where}\n", "")
