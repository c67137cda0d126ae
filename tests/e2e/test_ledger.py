"""The oracle is itself in need of tests: what it allows and what it does not."""

from collections.abc import Callable

import pytest
from e2e.ledger import Deed, Ledger

Flags = frozenset[str]
NONE: Flags = frozenset()
SEEN, WORK = frozenset({"\\Seen"}), frozenset({"work"})


def nothing(ledger: Ledger) -> None:
    pass


def deed(side: str, kind: str, target: str | None = None, flags: Flags = NONE) -> Callable[[Ledger], None]:
    def do(ledger: Ledger) -> None:
        ledger.copies[0].deeds[side] = Deed(flags, kind, target, flags if kind == "copied" else NONE)

    return do


def both(*deeds: Callable[[Ledger], None]) -> Callable[[Ledger], None]:
    def do(ledger: Ledger) -> None:
        for one in deeds:
            one(ledger)

    return do


CASES = [
    ("kept", nothing, [("A", NONE)], []),
    ("lost", nothing, [], ["m1 is in A 0 times, not 1"]),
    ("doubled", nothing, [("A", NONE), ("A", NONE)], ["m1 is in A 2 times, not 1"]),
    (
        "flags merged",
        both(deed("server", "kept", None, SEEN), deed("local", "kept", None, WORK)),
        [("A", SEEN | WORK)],
        [],
    ),
    (
        "flag lost",
        deed("server", "kept", None, SEEN),
        [("A", NONE)],
        ["m1 in A has [[]], allowed are [(['\\\\Seen'], ['\\\\Seen'])]"],
    ),
    ("deleted and read", both(deed("server", "deleted"), deed("local", "kept", None, SEEN)), [], []),
    ("not deleted", deed("server", "deleted"), [("A", NONE)], ["m1 is in A 1 times, not 0"]),
    ("moved", deed("local", "moved", "B"), [("B", NONE)], []),
    ("moved and still there", deed("local", "moved", "B"), [("A", NONE), ("B", NONE)], ["m1 is in A 1 times, not 0"]),
    (
        "moved here, read there",
        both(deed("local", "moved", "B"), deed("server", "kept", None, SEEN)),
        [("B", SEEN)],
        [],
    ),
    ("labelled and moved", deed("local", "moved", "B", SEEN | WORK), [("B", SEEN)], []),
    (
        "labelled on the server, moved here",
        both(deed("server", "kept", None, WORK), deed("local", "moved", "B")),
        [("B", NONE)],
        ["m1 in B has [[]], allowed are [(['work'], ['work'])]"],
    ),
    ("moved here, deleted there", both(deed("local", "moved", "B"), deed("server", "deleted")), [("B", NONE)], []),
    (
        "moved, deleted, lost",
        both(deed("local", "moved", "B"), deed("server", "deleted")),
        [],
        ["m1 is in B 0 times, not 1"],
    ),
    ("moved apart", both(deed("local", "moved", "B"), deed("server", "moved", "C")), [("C", NONE)], []),
    (
        "moved apart, kept twice",
        both(deed("local", "moved", "B"), deed("server", "moved", "C")),
        [("B", NONE), ("C", NONE)],
        [],
    ),
    (
        "moved apart, lost",
        both(deed("local", "moved", "B"), deed("server", "moved", "C")),
        [],
        ["m1 was moved on both sides and is in none of ['B', 'C']: lost"],
    ),
    ("moved together", both(deed("local", "moved", "B"), deed("server", "moved", "B", SEEN)), [("B", SEEN)], []),
    (
        "moved together, doubled",
        both(deed("local", "moved", "B"), deed("server", "moved", "B")),
        [("B", NONE), ("B", NONE)],
        ["m1 is in B 2 times, not 1"],
    ),
    ("copied", deed("server", "copied", "B", SEEN), [("A", SEEN), ("B", SEEN)], []),
    (
        "copied on both",
        both(deed("server", "copied", "B"), deed("local", "copied", "B")),
        [("A", NONE), ("B", NONE)],
        [],
    ),
    ("copied, original deleted", both(deed("server", "copied", "B"), deed("local", "deleted")), [("B", NONE)], []),
]


@pytest.mark.parametrize(("act", "found", "faults"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_ledger_knows_what_must_be(
    act: Callable[[Ledger], None], found: list[tuple[str, Flags]], faults: list[str]
) -> None:
    ledger = Ledger.of([("A", "m1", NONE)])
    act(ledger)
    assert ledger.faults([(mailbox, "m1", flags) for mailbox, flags in found]) == faults


def test_a_message_from_nowhere_is_a_fault() -> None:
    assert Ledger.of([]).faults([("A", "m9", NONE)]) == ["m9 came from nowhere: [('A', 'm9', frozenset())]"]


def test_twins_stay_two() -> None:
    ledger = Ledger([], [("local", ("A", "m1", NONE)), ("local", ("A", "m1", NONE))])
    assert ledger.faults([("A", "m1", NONE)]) == ["m1 is in A 1 times, not 2"]
    assert ledger.faults([("A", "m1", NONE), ("A", "m1", NONE)]) == []
