"""The oracle of the planner's trial is sure of what came to be only where the index could know it."""

import random
from collections.abc import Callable

import pytest

from syncer.reconcile.flags import FLAGGED, SEEN
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Pair
from syncer.reconcile.policy import Policy
from torture.passes import NONE, Trouble
from torture.people import People
from torture.sides import CONTENTS, Box, File, Sides

WORK = MailboxName("Work")
FILE = UniqueName("n")


def agreed() -> People:
    """One message, flagged, in INBOX of both sides and in the index."""
    sides = Sides({INBOX: Box(INBOX), WORK: Box(WORK)}, Policy())
    box, flags = sides.boxes[INBOX], frozenset({FLAGGED})
    sides.arrive(box, 0, flags, 0)
    box.files[FILE] = File(0, flags, 0)
    box.pairs[1] = Pair(Uid(1), FILE, flags, CONTENTS[0])
    return People(sides, random.Random(0), [])


def moved_there(people: People, *ways: MailboxName) -> None:
    """The message goes these ways on the server."""
    life, sides = people.ledger.lives[0], people.sides
    for target in ways:
        (source,) = (box for box in sides.boxes.values() if box.messages)
        ((_, message),) = source.messages.items()
        people.ledger.touch(life, "server", 1, placed=True, known=True)
        life.there.place, life.there.renamed = target, True
        source.messages.clear()
        sides.arrive(sides.boxes[target], 0, message.flags, 0)


def moved_here(people: People) -> None:
    """Its file goes to Work under its name."""
    life, boxes = people.ledger.lives[0], people.sides.boxes
    people.ledger.touch(life, "local", 1, placed=True, known=True)
    life.here.place = WORK
    boxes[WORK].files[FILE] = boxes[INBOX].files.pop(FILE)


def agree_in_work(people: People, flags: frozenset[str]) -> None:
    """What a pass made of it."""
    boxes = people.sides.boxes
    for box in boxes.values():
        box.messages.clear()
        box.pairs.clear()
    uid = people.sides.arrive(boxes[WORK], 0, flags, 0)
    boxes[WORK].files[FILE].flags = flags
    boxes[WORK].pairs[uid] = Pair(Uid(uid), FILE, flags, CONTENTS[0])


def complaint(people: People) -> list[str]:
    """Of what the oracle says that it is wrong."""
    try:
        people.ledger.verdict()
    except AssertionError as error:
        return [str(error).partition(":")[0]]
    return []


@pytest.mark.parametrize(
    ("accident", "sure"), [(lambda people: None, True), (lambda people: people.lose(people.sides.boxes[INBOX]), False)]
)
def test_nobody_knows_the_flags_before_where_the_index_has_lost_what_both_sides_moved(
    accident: Callable[[People], None], sure: bool
) -> None:
    people = agreed()
    moved_here(people)
    moved_there(people, WORK)
    life = people.ledger.lives[0]
    life.touched, life.there.flags = frozenset({FLAGGED, SEEN}), frozenset({SEEN})
    accident(people)
    agree_in_work(people, frozenset({FLAGGED, SEEN}))
    assert complaint(people) == (["content 0 in the server"] if sure else [])


@pytest.mark.parametrize(("trouble", "sure"), [(NONE, True), (Trouble(kill_after=1), False)])
def test_one_that_came_home_on_the_server_may_follow_its_file(trouble: Trouble, sure: bool) -> None:
    people = agreed()
    people.ledger.suffer(trouble)
    moved_there(people, WORK, INBOX)
    moved_here(people)
    agree_in_work(people, frozenset({FLAGGED}))
    assert complaint(people) == (["content 0 in the server"] if sure else [])
