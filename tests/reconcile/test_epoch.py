"""Whether anything happened in a mailbox, by its counters."""

import pytest

from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.identity import ModSeq, Uid, UidValidity
from syncer.values import replace

EPOCH = Epoch(UidValidity(1), Uid(5), ModSeq(9), "F1")
CURSOR = Cursor(EPOCH, 3)


def test_nothing_did_where_all_of_them_are_the_same() -> None:
    assert CURSOR.still(CURSOR)


@pytest.mark.parametrize(
    "change",
    [
        {"uidvalidity": UidValidity(2)},
        {"uidnext": Uid(6)},
        {"highestmodseq": ModSeq(10)},
        {"highestmodseq": None},
        {"mailbox_id": "F2"},
    ],
    ids=str,
)
def test_something_did_where_one_of_them_is_another(change: dict[str, object]) -> None:
    assert not CURSOR.still(Cursor(replace(EPOCH, **change), 3))
    assert not CURSOR.still(Cursor(EPOCH, 2))
    assert not CURSOR.still(None)


def test_nobody_knows_without_modseqs() -> None:
    without = Cursor(replace(EPOCH, highestmodseq=None), 3)
    assert not without.still(without)


def test_a_mailbox_id_that_is_not_always_told_is_not_compared() -> None:
    untold = Cursor(replace(EPOCH, mailbox_id=None), 3)
    assert (CURSOR.still(untold), untold.still(CURSOR)) == (True, True)
