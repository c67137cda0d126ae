"""Which actions may run side by side, and how many connections they are worth."""

from collections.abc import Sequence

import pytest

from syncer.executor.portions import (
    CONNECTION_APPENDS,
    CONNECTION_OCTETS,
    LOT_MESSAGES,
    LOT_OCTETS,
    Portions,
    are_large,
    connections_for,
    portions,
)
from syncer.reconcile.actions import Action, Agree, Append, Download, Expunge, Forget, ForgetMailbox, RemoveLocal
from syncer.reconcile.identity import INBOX, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, LocalMessage, Pair, ServerMessage


def pair(uid: int) -> Pair:
    return Pair(Uid(uid), UniqueName(f"{uid}.host"), frozenset(), Fingerprint(1, bytes(16), bytes(16)))


AGREE = Agree(mailbox=INBOX, reason="read", pair=pair(1))
REMOVE = RemoveLocal(mailbox=INBOX, reason="expunged", pair=pair(2))
EXPUNGE = Expunge(mailbox=INBOX, reason="deleted", pair=pair(3))
APPEND = Append(mailbox=INBOX, reason="new", message=LocalMessage(UniqueName("d"), frozenset()))


def downloads(count: int, size: int = 100, first: int = 1) -> list[Download]:
    return [
        Download(mailbox=INBOX, reason="new", message=ServerMessage(Uid(uid), frozenset(), size, 0))
        for uid in range(first, first + count)
    ]


def uids(part: Sequence[Action]) -> list[int]:
    return [action.message.uid for action in part if isinstance(action, Download)]


def test_what_is_little_is_one_portion_in_the_order_given() -> None:
    actions = [AGREE, *downloads(3), APPEND, REMOVE, EXPUNGE]
    assert portions(actions) == Portions((tuple(actions),))
    assert portions([]) == Portions(((),))


def test_what_is_forgotten_waits_for_everything_else() -> None:
    forget, mailbox = Forget(mailbox=INBOX, reason="gone", uid=Uid(4)), ForgetMailbox(mailbox=INBOX, reason="gone")
    assert portions([forget, AGREE, mailbox, EXPUNGE]) == Portions(((AGREE, EXPUNGE),), (forget, mailbox))


def test_many_downloads_are_cut_into_lots_the_newest_first() -> None:
    cut = portions([REMOVE, *downloads(2 * LOT_MESSAGES + 1), AGREE, APPEND, EXPUNGE])
    assert [uids(part) for part in cut.side_by_side] == [
        list(range(2 * LOT_MESSAGES + 1, LOT_MESSAGES + 1, -1)),
        list(range(LOT_MESSAGES + 1, 1, -1)),
        [1],
    ]
    assert cut.side_by_side[0][0] == AGREE
    assert cut.afterwards == (REMOVE, APPEND, EXPUNGE)


def test_large_messages_are_cut_by_their_octets_and_one_that_is_larger_is_a_lot_of_its_own() -> None:
    sizes = [LOT_OCTETS // 2, LOT_OCTETS // 2, 1, 2 * LOT_OCTETS]
    actions = [downloads(1, size, first=uid)[0] for uid, size in enumerate(sizes, start=1)]
    assert [uids(part) for part in portions(actions).side_by_side] == [[4], [3, 2], [1]]


@pytest.mark.parametrize(
    ("actions", "connections"),
    [
        pytest.param([], 1, id="nothing"),
        pytest.param([AGREE, REMOVE, EXPUNGE], 1, id="nothing to transfer"),
        pytest.param(downloads(1, CONNECTION_OCTETS - 1), 1, id="a small download"),
        pytest.param(downloads(4, CONNECTION_OCTETS // 2), 3, id="a larger one"),
        pytest.param([APPEND] * CONNECTION_APPENDS, 2, id="many uploads"),
    ],
)
def test_a_connection_has_to_be_worth_its_log_in(actions: list[Action], connections: int) -> None:
    assert connections_for(actions) == connections


@pytest.mark.parametrize(
    ("actions", "large"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param([AGREE, APPEND], False, id="no downloads"),
        pytest.param(downloads(9, 20_000), False, id="letters"),
        pytest.param([*downloads(9, 1), *downloads(1, 50_000_000, first=10)], True, id="mostly one attachment"),
    ],
)
def test_large_messages_are_told_from_small_ones(actions: list[Action], large: bool) -> None:
    assert are_large(actions) is large
