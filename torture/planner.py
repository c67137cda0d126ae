"""T1: random three-sided histories of the planner, its actions carried out in a shuffled order and stopped anywhere.

Both sides agree; people act on the server and in the Maildir, and the index loses some of what it knew; a pass sees not
everything, is over one mailbox only, or is killed between two steps; people act again, and so on. Then one pass goes
undisturbed. After it the next has nothing to do, and the ledger says what both sides must hold.

The model of the sides is in `sides`, a pass over them in `passes` and `steps`, what else happens to them in `people`,
the oracle in `ledger` and `lives`.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncer.reconcile.actions import Plan
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import Uid, UidValidity
from syncer.reconcile.observations import Pair
from syncer.reconcile.policy import Limits, Policy
from torture.passes import NONE, Trouble, decide, run
from torture.people import People
from torture.sides import AMPLE, CONTENTS, FULL, NAMES, TRASH, Box, File, Sides, Sight, shown
from torture.steps import NameTakenError
from torture.together import Together
from torture.trials import Cases

NO_LIMIT, LIMIT, ALLOWED = Limits(max_delete=1.0), Limits(), Limits(allowed=True)

TOGETHER = 100


class History:
    """One history, and what was counted in it."""

    def __init__(self, number: int) -> None:
        self.rng = random.Random(number)
        self.random = self.rng.random
        self.counted = {"passes": 0, "kills": 0, "actions": 0, "holds": 0, "refusals": 0}
        self.story: list[str] = []
        self.put_off = False
        """Something was, by a pass since the last act of somebody."""
        self.sides = made(self.rng)
        self.people = People(self.sides, self.rng, self.story)
        self._populate()

    def play(self) -> None:
        """One or two times from agreement to agreement.

        Raises:
            AssertionError: with the story.
        """
        try:
            for _ in range(1 if self.random() < 0.7 else 2):
                self.people.begin()
                self._to_agreement()
        except NameTakenError:
            self.counted["names taken"] = 1  # a known limit: nothing is lost, but it takes further passes or a person
        except Exception as error:
            what = str(error) if isinstance(error, AssertionError) else repr(error)
            raise AssertionError("\n".join([what, str(self.sides.policy), *self.story, shown(self.sides)])) from error

    def _to_agreement(self) -> None:
        for _ in range(int(self.random() * 3)):
            self.people.act()
            self._pass(self._trouble())
        self.people.act()
        self.put_off = False
        last = self._pass(NONE)
        if self._way_on(last):
            last = self._pass(NONE)
        self._quiet(last)
        self.people.ledger.verdict()

    def _quiet(self, last: Plan) -> None:
        """Nothing is left to do, after one pass, or seldom after two (which is counted).

        What was held because of the day before, in a mailbox that one message has come into meanwhile, is not held by
        the second, nor is what was put off until the other mailbox was recorded; and a third may have to learn the
        flags of what stays on a server without UIDPLUS.
        """
        if last.actions:
            last = self._decided()
        for _ in range(2 if self.people.ledger.held or self.put_off else 1):
            if last.actions:
                self.counted["second passes"] = 1
                self._pass(NONE)
                last = self._decided()
        assert not last.actions, f"not quiet: {'; '.join(map(str, last.actions))}"

    def _decided(self) -> Plan:
        """What the next pass would do."""
        _, plan = decide(self.sides, self.rng, NONE)
        self.people.ledger.held |= bool(plan.holds)
        return plan

    def _way_on(self, last: Plan) -> bool:
        """Where a mailbox was refused somebody deletes what the index knows of it; whether that was so."""
        for refusal in last.refusals:
            self.people.lose(self.sides.boxes[refusal.mailbox])
        return bool(last.refusals)

    def _pass(self, trouble: Trouble) -> Plan:
        """Returns what was decided last."""
        ledger, counted = self.people.ledger, self.counted
        ledger.suffer(trouble)
        told = run(self.sides, self.rng, trouble, ledger.watch)
        counted["passes"] += 1
        counted["kills"] += told.killed
        self.story.append(f"a pass{' is killed' if told.killed else ''}, {trouble}")
        for plan in told.plans:
            counted["actions"] += len(plan.actions)
            counted["holds"] += len(plan.holds)
            counted["refusals"] += len(plan.refusals)
            self.put_off |= bool(plan.notes)
            self.story += [f"  {action}" for action in (*plan.actions, *plan.holds, *plan.refusals, *plan.notes)]
        return told.plans[-1]

    def _trouble(self) -> Trouble:
        kind = self.random()
        if kind < 0.6:
            return Trouble(kill_after=1 + int(self.random() ** 2 * 12))
        if kind < 0.7:
            return Trouble(only=self.people.box().name)
        sights = {box.name: self._sight(box) for box in self.sides.boxes.values()}
        return Trouble(sights=sights, unread=0.3 if self.random() < 0.3 else 0.0)

    def _sight(self, box: Box) -> Sight:
        draw = self.random
        uids = [uid for uid in box.messages if draw() < 0.4] if draw() < 0.5 else None
        return Sight(uids, [name for name in box.files if draw() < 0.4] if draw() < 0.5 else None)

    def _populate(self) -> None:
        """Both sides agree."""
        draw, sides, people = self.random, self.sides, self.people
        for box in sides.boxes.values():
            box.uidnext = 1 + int(draw() * 3)
            for _ in range(int(draw() * (4 if draw() < 0.93 else 9 if draw() < 0.9 else 26))):
                content = people.content()
                flags = sides.storable(sides.sayable(people.flags()))
                uid = sides.arrive(box, content, flags, 0)
                name = sides.own_name(box, uid) if draw() < 0.7 else people.name()
                box.files[name] = File(content, flags, 0)
                box.pairs[uid] = Pair(Uid(uid), name, flags, CONTENTS[content], box.messages[uid].email_id)
            box.known = Epoch(UidValidity(box.uidvalidity), Uid(box.uidnext))


def made(rng: random.Random) -> Sides:
    """Mailboxes, settings, and what the server can do."""
    draw = rng.random
    on_delete = "expunge" if draw() < 0.7 else rng.choice(("trash", "keep"))
    trash = TRASH if on_delete == "trash" else None
    policy = Policy(
        direction="both" if draw() < 0.85 else rng.choice(("pull", "push")),
        on_local_delete=on_delete,  # type: ignore[arg-type]
        trash=trash,
        limits=LIMIT if draw() < 0.7 else NO_LIMIT if draw() < 0.7 else ALLOWED,
    )
    sides = Sides(
        {name: Box(name) for name in (*NAMES[: 1 + int(draw() * 3)], *((trash,) if trash else ()))},
        policy,
        uidplus=draw() < 0.8,
        tells_uids=draw() < 0.8,
        atomic_move=draw() < 0.7,
        email_ids=draw() < 0.3,
        any_keyword=draw() < 0.92,
        letters=AMPLE if draw() < 0.92 else FULL,
    )
    for box in sides.boxes.values():
        box.writable = draw() < 0.97
    return sides


@contextmanager
def opened(place: Path, option: str) -> Iterator[Cases]:
    """Nothing needs to be started."""
    yield Together(History, TOGETHER)
