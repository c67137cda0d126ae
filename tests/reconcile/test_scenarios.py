"""What should happen, said aloud: one row for each situation a person can be in.

Each row runs as written; a second time, when nothing may be left to do; and killed at every single effect, before and
after it took place, and then run again, when both sides must end as they would have without the kill.
"""

# ruff: noqa: E501 (a row is a sentence: it is read on one line)

from contextlib import nullcontext

import pytest
from mortality import Killed, Mortality
from worlds import World

from syncer.reconcile.identity import MailboxName
from syncer.reconcile.policy import Limits, Policy
from syncer.values import Struct, field, replace


class Scenario(Struct, frozen=True):
    name: str
    server: str = ""
    index: str = ""
    local: str = ""
    plan: tuple[str, ...] = ()
    end: str | None = None
    """What both sides hold afterwards."""
    end_server: str | None = None
    end_local: str | None = None
    policy: Policy = field(default_factory=lambda: Policy(limits=Limits(max_delete=1.0)))
    without: tuple[str, ...] = ()
    """What the server cannot do: "uidplus", "atomic_move"."""

    def world(self) -> World:
        world = World.of(self.server, self.index, self.local, policy=self.policy)
        for ability in self.without:
            setattr(world.server, ability, False)
        if self.policy.on_local_delete == "trash":
            world.server.special[MailboxName("Trash")] = "\\trash"
        return world

    def __str__(self) -> str:
        return self.name


def scenario(name: str, server: str, index: str, local: str, plan: list[str], end: str, **more: object) -> Scenario:
    return Scenario(name, server, index, local, tuple(plan), end, **more)  # type: ignore[arg-type]


def apart(name: str, server: str, index: str, local: str, plan: list[str], **more: object) -> Scenario:
    """A situation after which the sides differ on purpose."""
    return Scenario(name, server, index, local, tuple(plan), **more)  # type: ignore[arg-type]


ALL = Policy(limits=Limits(max_delete=1.0), mailbox_changes="all")
PULL = Policy(limits=Limits(max_delete=1.0), direction="pull")
PUSH = Policy(limits=Limits(max_delete=1.0), direction="push")
KEEP = Policy(limits=Limits(max_delete=1.0), on_local_delete="keep")
TRASH = Policy(limits=Limits(max_delete=1.0), on_local_delete="trash")
RESTORE = Policy(limits=Limits(max_delete=1.0), restore=True)

SCENARIOS = [
    # Messages
    scenario("nothing changed", "a:S b:", "a:S b:", "a:S b:", [], "a:S b:"),
    scenario("new on the server", "a:S", "", "", ["a: download"], "a:S"),
    scenario("new in the Maildir", "", "", "a:S", ["a: append"], "a:S"),
    scenario("expunged on the server", "", "a:", "a:", ["a: remove"], ""),
    scenario("deleted in the Maildir", "a:", "a:", "", ["a: expunge"], ""),
    scenario("gone on both sides", "", "a:", "", ["a: forget"], ""),
    scenario("expunged there, read here", "", "a:", "a:S", ["a: remove"], ""),
    scenario("deleted here, read there", "a:S", "a:", "", ["a: expunge"], ""),
    # Flags
    scenario("read on the phone", "a:S", "a:", "a:", ["a: local +S"], "a:S"),
    scenario("read in mutt", "a:", "a:", "a:S", ["a: server +S"], "a:S"),
    scenario("read on both", "a:S", "a:", "a:S", ["a: record"], "a:S"),
    scenario("flagged there, answered here", "a:FS", "a:S", "a:RS", ["a: server +R, local +F"], "a:FRS"),
    scenario("unread there, flagged here", "a:", "a:S", "a:FS", ["a: server +F, local -S"], "a:F"),
    scenario("marked unread on both", "a:", "a:S", "a:", ["a: record"], "a:"),
    scenario("marked deleted is not deleted", "a:", "a:", "a:T", ["a: server +T"], "a:T"),
    scenario("forwarded is a keyword with a letter", "a:P", "a:", "a:S", ["a: server +S, local +P"], "a:PS"),
    scenario("keyword set there", "a:{todo}", "a:", "a:", ["a: local +{todo}"], "a:{todo}"),
    scenario("keyword set here", "a:", "a:", "a:{todo}", ["a: server +{todo}"], "a:{todo}"),
    scenario("keyword cleared here", "a:{todo}", "a:{todo}", "a:", ["a: server -{todo}"], "a:"),
    scenario("keyword cleared there", "a:", "a:{todo}", "a:{todo}", ["a: local -{todo}"], "a:"),
    # Matching
    scenario("crash after delivery", "a:", "", "a:", ["a: record"], "a:"),
    scenario("two filled sides meet", "a:S b:", "", "a:F c:", ["a: server +F, local +S", "b: download", "c: append"], "a:FS b: c:"),
    scenario("two equal messages stay two", "a: a:S", "", "a: a:S", ["a: record", "a1: record"], "a: a:S"),
    scenario("one of two equal messages is new", "a: a:", "", "a:", ["a: record", "a: download"], "a: a:"),
    # Moves
    scenario("filed in mutt", "a:S Work/", "a:S", "Work/a:S", ["a: server move to Work"], "Work/a:S"),
    scenario("filed in mutt, without MOVE", "a:S Work/", "a:S", "Work/a:S", ["a: server move to Work"], "Work/a:S", without=("atomic_move",)),
    scenario("filed on the phone", "Work/a:S", "a:S", "a:S Work/", ["a: local move to Work"], "Work/a:S"),
    scenario("filed here, read there", "a:S Work/", "a:", "Work/a:", ["a: server move to Work, local +S"], "Work/a:S"),
    scenario("filed there, read here", "Work/a:", "a:", "a:S Work/", ["a: local move to Work"], "Work/a:S"),
    scenario("filed in the same place on both", "Work/a:S", "a:", "Work/a:F", ["Work/a: server +F, local +S", "a: forget"], "Work/a:FS"),
    scenario("filed here, expunged there: kept", "Work/", "a:", "Work/a:", ["a: forget", "Work/a: append"], "Work/a:"),
    scenario("filed there, deleted here: kept", "Work/a:", "a:", "Work/", ["a: forget", "Work/a: download"], "Work/a:"),
    scenario("copied here", "a: Work/", "a:", "a: Work/a:", ["Work/a: append"], "a: Work/a:"),
    scenario("copied there", "a: Work/a:", "a:", "a: Work/", ["Work/a: download"], "a: Work/a:"),
    scenario("filed with a keyword", "a:{todo} Work/", "a:{todo}", "Work/a:{todo}", ["a: server move to Work"], "Work/a:{todo}"),
    scenario("two change places here", "a: Work/b:", "a: Work/b:", "b: Work/a:", ["Work/b: server move to INBOX", "a: server move to Work"], "b: Work/a:"),
    scenario("two change places there", "b: Work/a:", "a: Work/b:", "a: Work/b:", ["Work/b: local move to INBOX", "a: local move to Work"], "b: Work/a:"),
    scenario("filed and copied here", "a: Work/ Job/", "a:", "Work/a: Job/a:", ["a: server move to Job", "Work/a: append"], "Work/a: Job/a:"),
    scenario("filed and copied there", "Work/a: Job/a:", "a:", "a: Work/ Job/", ["a: local move to Job", "Work/a: download"], "Work/a: Job/a:"),
    scenario("filed in different places", "Work/a:S", "a:", "Job/a:F", ["a: forget", "Job/a: append", "Work/a: download"], "Work/a:S Job/a:F"),
    scenario("filed there into another's place", "Work/a: b:", "a: Work/b:", "a: Work/b:", ["Work/b: local move to INBOX", "a: local move to Work"], "Work/a: b:"),
    # Equal messages
    scenario("one of two equal messages is expunged", "a:", "a: a:", "a: a:", ["a1: remove"], "a:"),
    scenario("one of two equal messages is deleted here", "a: a:", "a: a:", "a:", ["a1: expunge"], "a:"),
    # Several at once
    scenario("a day's work on both sides", "a:S c: e: g:", "a: b: c: d:", "a:F b:R d: f:", ["a: server +F, local +S", "b: remove", "c: expunge", "d: remove", "e: download", "g: download", "f: append"], "a:FS e: f: g:"),
    scenario("keywords set on both", "a:{todo}", "a:", "a:{later}", ["a: server +{later}, local +{todo}"], "a:{later,todo}"),
    scenario("a keyword cleared here and set again there stays", "a:{todo}", "a:", "a:", ["a: local +{todo}"], "a:{todo}"),
    scenario("undeleted here", "a:T", "a:T", "a:", ["a: server -T"], "a:"),
    # Restoring
    scenario("deleted here, restored", "a:S", "a:S", "", ["a: forget"], "a:S", policy=RESTORE),
    scenario("kept there, restored", "a:S b:", "a:S@server b:", "b:", ["a: forget"], "a:S b:", policy=replace(RESTORE, on_local_delete="keep")),
    scenario("kept there, restored by a pull", "a:S b:", "a:S@server b:", "b:", ["a: forget"], "a:S b:", policy=replace(RESTORE, direction="pull")),
    scenario("kept here, restored by a push", "b:", "a:@local b:", "a: b:", ["a: forget"], "a: b:", policy=replace(RESTORE, direction="push")),
    scenario("kept there and read there, restored", "a:S", "a:@server", "", ["a: forget"], "a:S", policy=RESTORE),
    scenario("kept there and back here, restored", "a:S", "a:@server", "a:", ["a: local +S"], "a:S", policy=RESTORE),
    scenario("kept there, then expunged, restored", "b:", "a:@server b:", "b:", ["a: forget"], "b:", policy=RESTORE),
    scenario("kept here, then deleted, restored", "b:", "a:@local b:", "b:", ["a: forget"], "b:", policy=RESTORE),
    apart("kept there and filed here, restored by a pull", "a: Work/", "a:@server", "Work/a:", [], end_server="a:", end_local="Work/a:", policy=replace(RESTORE, direction="pull")),
    apart("only marked there, restored", "a:T", "a:T@server", "", [], end_server="a:T", end_local="", policy=RESTORE),
    apart("kept there, restored by a push", "a:", "a:@server", "", [], end_server="a:", end_local="", policy=replace(RESTORE, direction="push")),
    apart("kept here, restored by a pull", "", "a:@local", "a:", [], end_server="", end_local="a:", policy=replace(RESTORE, direction="pull")),
    scenario("expunged there, restored", "", "a:S", "a:S", ["a: forget"], "a:S", policy=RESTORE),
    scenario("gone on both sides, nothing to restore", "", "a:S", "", ["a: forget"], "", policy=RESTORE),
    # Servers that can do less
    scenario("new in the Maildir, no UIDPLUS", "", "", "a:S", ["a: append"], "a:S", without=("uidplus",)),
    scenario("filed in mutt, no UIDPLUS", "a: Work/", "a:", "Work/a:", ["a: server move to Work"], "Work/a:", without=("uidplus",)),
    apart("deleted here, no UIDPLUS: only marked", "a: b:", "a: b:", "b:", ["a: expunge"], end_server="a:T b:", end_local="b:", without=("uidplus",)),
    scenario("filed there, neither MOVE nor UIDPLUS", "Work/a:", "a:", "a: Work/", ["a: local move to Work"], "Work/a:", without=("uidplus", "atomic_move")),
    apart("filed here, neither MOVE nor UIDPLUS: marked in the old place", "a: Work/", "a:", "Work/a:", ["a: server move to Work"], end_server="a:T Work/a:", end_local="Work/a:", without=("uidplus", "atomic_move")),
    # Settings
    apart("pull sends nothing", "a: b:", "a: b: c:", "a:S c: d:", ["b: record", "c: remove"], end_server="a: b:", end_local="a:S d:", policy=PULL),
    apart("push changes no file", "a:S b: d:", "a: b: c:", "a: b:F c:", ["b: server +F", "c: record"], end_server="a:S b:F d:", end_local="a: b:F c:", policy=PUSH),
    apart("pull takes what was filed there", "Work/a:", "a:", "a: Work/", ["a: local move to Work"], end_server="Work/a:", end_local="Work/a:", policy=PULL),
    apart("pull lets the server keep what was filed here", "a: Work/", "a:", "Work/a:", ["a: record"], end_server="a:", end_local="Work/a:", policy=PULL),
    apart("push sends what was filed here", "a: Work/", "a:", "Work/a:", ["a: server move to Work"], end_server="Work/a:", end_local="Work/a:", policy=PUSH),
    apart("push lets the Maildir keep what was filed there", "Work/a:", "a:", "a: Work/", ["a: record"], end_server="Work/a:", end_local="a:", policy=PUSH),
    apart("deleted here, kept there", "a: b:", "a: b:", "b:", ["a: record"], end_server="a: b:", end_local="b:", policy=KEEP),
    apart("kept there, then expunged", "b:", "a:@server b:", "b:", ["a: forget"], end_server="b:", end_local="b:", policy=KEEP),
    apart("kept there, read there", "a:S b:", "a:@server b:", "b:", ["a: record"], end_server="a:S b:", end_local="b:", policy=KEEP),
    scenario("kept there, put back here", "a:S b:", "a:@server b:", "a: b:", ["a: local +S"], "a:S b:", policy=KEEP),
    apart("kept here, then deleted", "b:", "a:@local b:", "b:", ["a: forget"], end_server="b:", end_local="b:", policy=PUSH),
    # Found by killing and by combining
    scenario("an equal message arrives as its twin is deleted", "a: a:", "a:", "", ["a: expunge", "a: download"], "a:"),
    scenario("deleted here, to the trash", "a:S b: Trash/", "a:S b: Trash/", "b: Trash/", ["a: move to Trash"], "Trash/a:S b:", policy=TRASH),
    apart("to the trash, neither MOVE nor UIDPLUS", "a: b: Trash/", "a: b: Trash/", "b: Trash/", ["a: move to Trash"], end_server="Trash/a: a:T b:", end_local="Trash/a: b:", policy=TRASH, without=("uidplus", "atomic_move")),
    apart("filed here, neither MOVE nor UIDPLUS, deletions go to the trash", "a: Work/ Trash/", "a: Work/ Trash/", "Work/a: Trash/", ["a: server move to Work"], end_server="a:T Work/a:", end_local="Work/a:", policy=TRASH, without=("uidplus", "atomic_move")),
    scenario("to the trash, no MOVE", "a: b: Trash/", "a: b: Trash/", "b: Trash/", ["a: move to Trash"], "Trash/a: b:", policy=TRASH, without=("atomic_move",)),
    scenario("two equal messages to the trash, where one is already, no MOVE", "a: a: b: Trash/a:", "a: a: b: Trash/a:", "b: Trash/a:", ["a: move to Trash", "a1: move to Trash"], "Trash/a: Trash/a: Trash/a: b:", policy=TRASH, without=("atomic_move",)),
    scenario("kept there, then expunged, and back here", "b:", "a:@server b:", "a: b:", ["a: forget"], "a: b:", policy=KEEP),
]  # fmt: skip


def ends(scenario: Scenario) -> tuple[str, str]:
    if scenario.end is not None:
        return in_order(scenario.end), in_order(scenario.end)
    return in_order(scenario.end_server), in_order(scenario.end_local)


def in_order(state: str | None) -> str:
    return " ".join(sorted((state or "").split()))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_it_is_planned_and_done(scenario: Scenario) -> None:
    world = scenario.world()
    report = world.sync()
    assert (report.error, world.planned()) == (None, list(scenario.plan))
    assert (world.on_server(), world.in_maildir()) == ends(scenario)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_second_sync_plans_nothing(scenario: Scenario) -> None:
    world = scenario.world()
    world.sync()
    state = world.state()
    report = world.sync()
    assert (world.planned(), report.mailboxes, world.state()) == ([], {}, state)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_killed_at_any_effect_it_ends_the_same(scenario: Scenario, before: bool) -> None:
    counting = scenario.world()
    counter = Mortality()
    counting.mortal(counter)
    counting.sync()
    for at in range(1, counter.seen + 1):
        world = scenario.world()
        world.mortal(Mortality(at, before=before))
        with pytest.raises(Killed):
            world.sync()
        world.mortal(Mortality())
        world.sync()
        assert (at, world.on_server(), world.in_maildir()) == (at, *ends(scenario))
        world.sync()
        assert (at, world.planned()) == (at, [])


MIRRORED = [s for s in SCENARIOS if s.end is not None and s.policy == Scenario("").policy and not s.without]


@pytest.mark.parametrize("scenario", MIRRORED, ids=str)
def test_mirrored_both_sides_end_the_same(scenario: Scenario) -> None:
    world = replace(scenario, server=scenario.local, local=scenario.server).world()
    world.sync()
    assert (world.on_server(), world.in_maildir()) == ends(scenario)


def fresh(world: World, server: set[str], local: set[str], known: set[str]) -> World:
    """Take mailboxes away, so that they are only where they are named."""
    for name in list(world.server.mailboxes):
        if name != "INBOX" and name not in server:
            del world.server.mailboxes[name]
    for name in list(world.store.directories):
        if name != "INBOX" and name not in local:
            del world.store.directories[name]
    for name in list(world.index.rows):
        if name != "INBOX" and name not in known:
            del world.index.rows[name]
    return world


@pytest.mark.parametrize(
    ("server", "local", "known", "policy", "plan", "end"),
    [
        pytest.param({"Work"}, set(), set(), None, ["Work/a: download"], "Work/a:", id="new on the server"),
        pytest.param(set(), {"Work"}, set(), None, ["Work/a: append"], "Work/a:", id="new in the Maildir"),
        pytest.param({"Work"}, set(), {"Work"}, None, ["Work/a: forget", "Work/: local create"], "Work/a:", id="missing directory comes back"),
        pytest.param(set(), {"Work"}, {"Work"}, None, ["Work/: forget"], "Work/a:", id="deleted on the server comes back"),
        pytest.param({"Work"}, set(), {"Work"}, ALL, ["Work/: server delete"], "", id="deleted in the Maildir, propagated"),
        pytest.param(set(), {"Work"}, {"Work"}, ALL, ["Work/: local delete"], "", id="deleted on the server, propagated"),
        pytest.param(set(), set(), {"Work"}, None, ["Work/: forget"], "", id="gone on both sides"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kill", [False, True], ids=["whole", "killed"])
def test_mailboxes_as_a_whole(
    server: set[str], local: set[str], known: set[str], policy: Policy | None, plan: list[str], end: str, kill: bool
) -> None:
    def world() -> World:
        state = ["Work/a:" if "Work" in place else "" for place in (server, known, local)]
        options = {"policy": policy} if policy else {}
        return fresh(World.of(*state, **options), server, local, known)

    counter = Mortality()
    first = world()
    first.mortal(counter)
    first.sync()
    effects = counter.seen
    assert (first.planned(), first.on_server(), first.in_maildir()) == (plan, end, end)
    assert set(first.server.mailboxes) == set(first.store.directories) == set(first.index.rows)
    first.sync()
    assert (first.planned(), first.report.mailboxes) == ([], {})
    for at in range(1, effects + 1 if kill else 0):
        again = world()
        again.mortal(Mortality(at))
        with pytest.raises(Killed):
            again.sync()
        again.mortal(Mortality())
        again.sync()
        assert (at, again.on_server(), again.in_maildir()) == (at, end, end)


@pytest.mark.parametrize("policy", [Policy(), ALL], ids=["create", "all"])
def test_mailboxes_that_were_emptied_into_one_another_do_not_wait_for_each_other(policy: Policy) -> None:
    """One side has moved what was in the one to the other, and the other side the other way round."""

    def emptied() -> World:
        state = "Work/p: Work/w: Work/x:", "Play/p: Work/w: Work/x:", "Play/p: Play/w: Play/x: Play/y:"
        return fresh(World.of(*state, policy=policy), {"Work"}, {"Play"}, {"Work", "Play"})

    counter = Mortality()
    for at in range(12):
        world = emptied()
        world.mortal(Mortality(at) if at else counter)
        with pytest.raises(Killed) if 0 < at <= counter.seen else nullcontext():
            world.sync()
        world.mortal(Mortality())
        world.sync()
        assert (at, *world.state()) == (at, *("Play/w: Play/x: Play/y: Work/p:",) * 3)
    assert counter.seen > 3


@pytest.mark.parametrize("side", ["server", "local"])
def test_of_two_equal_messages_the_one_in_the_renamed_mailbox_was_renamed_and_the_other_one_deleted(side: str) -> None:
    before, after = "a: Work/a: Work/b: Job/", "Job/a: Job/b: Work/"
    places = {"server": {"Job", "Work"}, "local": {"Job", "Work"}}
    places[side] -= {"Work"}
    states = (after, before, before) if side == "server" else (before, before, after)
    world = fresh(World.of(*states), places["server"], places["local"], {"Work", "Job"})
    world.sync()
    assert world.state() == ("Job/a: Job/b:",) * 3


@pytest.mark.parametrize("side", ["server", "local"])
@pytest.mark.parametrize("policy", [Policy(), ALL], ids=["create", "all"])
def test_a_new_empty_mailbox_survives_a_kill(side: str, policy: Policy) -> None:
    for at in range(1, 4):
        world = World(policy=policy)
        world.store.create(MailboxName("INBOX"))
        (world.server if side == "server" else world.store).create(MailboxName("Work"))
        world.mortal(Mortality(at))
        with pytest.raises(Killed):
            world.sync()
        world.mortal(Mortality())
        world.sync()
        assert (at, sorted(world.server.mailboxes)) == (at, ["INBOX", "Work"])
        assert sorted(world.store.directories) == sorted(world.index.rows) == ["INBOX", "Work"]


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("side", ["server", "local"])
def test_a_renamed_mailbox_is_renamed_on_the_other_side(side: str, at: int) -> None:
    text = "Work/a: Work/b:S Work/c:"
    world = World.of(text, text, text, policy=ALL)
    for rows in world.index.rows.values():
        box = world.server.mailboxes[MailboxName("Work")]
        if rows.pairs:
            rows.epoch = replace(rows.epoch, uidnext=box.uidnext)  # type: ignore[type-var]
    if side == "server":
        world.server.mailboxes[MailboxName("Job")] = world.server.mailboxes.pop(MailboxName("Work"))
    else:
        world.store.directories[MailboxName("Job")] = world.store.directories.pop(MailboxName("Work"))
    world.mortal(Mortality(at))
    with pytest.raises(Killed) if at else nullcontext():
        world.sync()
    world.mortal(Mortality())
    world.sync()
    assert world.state() == ("Job/a: Job/b:S Job/c:",) * 3
    assert sorted(world.server.mailboxes) == sorted(world.store.directories) == ["INBOX", "Job"]
    assert not any(mailbox.changed for mailbox in world.report.mailboxes.values())
