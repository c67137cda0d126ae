"""Random histories: one state is made, perturbed on each side, and synchronised; an oracle says what must come out.

Each message may have its flags changed, be moved, or be deleted, independently on both sides, while new messages
arrive on either. The oracle knows nothing of the planner: it is the table of what a person expects.
"""

from collections import Counter
from contextlib import suppress
from typing import Literal

import pytest
from fake_store import FakeDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from mortality import Killed, Mortality
from worlds import World, _subject, octets

from syncer.reconcile.flags import ANSWERED, FLAGGED, SEEN, Flags, merge
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.values import Struct, field, replace

MAILBOXES = [INBOX, MailboxName("Work"), MailboxName("Work/old")]
FLAGS = [SEEN, FLAGGED, ANSWERED, "todo", "later"]

flag_sets = st.frozensets(st.sampled_from(FLAGS), max_size=3)
places = st.sampled_from(MAILBOXES)


class Fate(Struct, frozen=True):
    """What happens to one message on one side."""

    flags: Flags
    place: MailboxName | None
    """None is deleted."""
    new_name: bool = False


class Life(Struct, frozen=True):
    """One message: how it was, and what each side did to it."""

    place: MailboxName
    flags: Flags
    server: Fate
    local: Fate


@st.composite
def lives(draw: st.DrawFn) -> Life:
    place, flags = draw(places), draw(flag_sets)
    fates = []
    for _ in range(2):
        fate = draw(st.sampled_from(["stay", "stay", "flags", "flags", "move", "delete"]))
        there = draw(places) if fate == "move" else None if fate == "delete" else place
        fates.append(Fate(draw(flag_sets) if fate in {"flags", "move"} else flags, there, draw(st.booleans())))
    return Life(place, flags, fates[0], fates[1])


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[MailboxName, Flags]:
    return draw(places), draw(flag_sets)


class History(Struct, frozen=True):
    lives: list[Life]
    on_server: list[tuple[MailboxName, Flags]]
    in_maildir: list[tuple[MailboxName, Flags]]
    tells_uids: bool
    atomic_move: bool
    email_ids: bool
    rung: Literal["qresync", "condstore", "plain"] = "qresync"
    settled: bool = True
    """Passes that found nothing to do went before, so that every shortcut is there to be taken."""


histories = st.builds(
    History,
    st.lists(lives(), max_size=6),
    st.lists(arrivals(), max_size=3),
    st.lists(arrivals(), max_size=3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["qresync", "condstore", "plain"]),
    st.booleans(),
)


def world_of(history: History) -> World:
    """Sync the common past, then let both sides act."""
    world = World()
    world.server.tells_uids, world.server.atomic_move = history.tells_uids, history.atomic_move
    world.server.email_ids, world.server.rung = history.email_ids, history.rung
    for mailbox in MAILBOXES:
        world.server.create(mailbox)
    for number, life in enumerate(history.lives):
        world.server.deliver(life.place, octets(f"m{number}"), life.flags)
    for _ in range(3 if history.settled else 1):
        world.sync()
    for number, life in enumerate(history.lives):
        _act_on_server(world, life, f"m{number}")
        _act_in_maildir(world, life, f"m{number}")
    for number, (place, flags) in enumerate(history.on_server):
        world.server.deliver(place, octets(f"s{number}"), flags)
    for number, (place, flags) in enumerate(history.in_maildir):
        world.store.put(place, UniqueName(f"l{number}"), octets(f"l{number}"), flags)
    return world


def _act_on_server(world: World, life: Life, name: str) -> None:
    box = world.server.mailboxes[life.place]
    uid = next(uid for uid, message in box.messages.items() if _subject(message.octets) == name)
    fate = life.server
    box.messages[uid].flags = fate.flags
    if fate.place != life.place:
        message = box.messages.pop(uid)
        if fate.place is not None:
            world.server.mailboxes[fate.place].add(message)


def _act_in_maildir(world: World, life: Life, name: str) -> None:
    files = world.store.directories[life.place].files
    unique = next(unique for unique, file in files.items() if _subject(file.octets) == name)
    fate = life.local
    if fate.place == life.place:
        files[unique].flags = world.store.directories[life.place].sayable(fate.flags)
        return
    file = files.pop(unique)
    if fate.place is not None:
        world.store.put(fate.place, UniqueName(f"x{name}") if fate.new_name else unique, file.octets, fate.flags)


def expected(history: History) -> Counter[tuple[str, MailboxName, Flags]]:
    """What both sides must hold."""
    result: Counter[tuple[str, MailboxName, Flags]] = Counter()
    for number, life in enumerate(history.lives):
        for place, flags in _outcome(life):
            result[f"m{number}", place, flags] += 1
    for letter, arrived in (("s", history.on_server), ("l", history.in_maildir)):
        for number, (place, flags) in enumerate(arrived):
            result[f"{letter}{number}", place, flags] += 1
    return result


def _outcome(life: Life) -> list[tuple[MailboxName, Flags]]:
    server, local = life.server, life.local
    there, here = server.place, local.place
    # A program that moves a file cannot say keywords in the new place: they stay as they were.
    local_flags = local.flags if here == life.place else _with_keywords_of(local.flags, life.flags)
    merged = merge(life.flags, server.flags, local_flags)
    if there == life.place and here == life.place:
        return [(life.place, merged)]
    if there == here:
        return [(here, merged)] if here is not None else []
    moved = [place for place in (there, here) if place is not None and place != life.place]
    if not moved:
        return []
    if len(moved) == 2:
        return [(there, server.flags), (here, local.flags)]  # type: ignore[list-item]
    if there is None or here is None:
        return [(moved[0], server.flags if here is None else local.flags)]
    return [(moved[0], merged)]


def _with_keywords_of(flags: Flags, base: Flags) -> Flags:
    spoken = frozenset({SEEN, FLAGGED, ANSWERED})
    return (flags & spoken) | (base - spoken)


def on_server(world: World) -> Counter[tuple[str, MailboxName, Flags]]:
    return Counter(
        (_subject(message.octets), mailbox, message.flags)
        for mailbox, box in world.server.mailboxes.items()
        for message in box.messages.values()
    )


def in_maildir(world: World) -> Counter[tuple[str, MailboxName, Flags]]:
    return Counter(
        (_subject(file.octets), mailbox, file.flags)
        for mailbox, directory in world.store.directories.items()
        for file in directory.files.values()
    )


@settings(max_examples=400, deadline=None)
@given(history=histories)
def test_both_sides_end_as_a_person_expects(history: History) -> None:
    world = world_of(history)
    world.sync()
    wanted = expected(history)
    assert on_server(world) == wanted
    assert in_maildir(world) == wanted
    for full in (False, True, False):
        report = world.sync(full=full)
        assert (world.planned(), report.mailboxes) == ([], {})


@settings(max_examples=300, deadline=None)
@given(history=histories, at=st.integers(1, 30), before=st.booleans())
def test_killed_anywhere_they_end_the_same(history: History, at: int, before: bool) -> None:
    world = world_of(history)
    world.mortal(Mortality(at, before=before))
    with suppress(Killed):
        world.sync()
    world.mortal(Mortality())
    world.sync()
    wanted = expected(history)
    assert _without_flags(on_server(world)) == _without_flags(wanted)
    assert on_server(world) == in_maildir(world)
    world.sync()
    assert world.planned() == []


def _without_flags(state: Counter[tuple[str, MailboxName, Flags]]) -> Counter[tuple[str, MailboxName]]:
    result: Counter[tuple[str, MailboxName]] = Counter()
    for (name, mailbox, _), count in state.items():
        result[name, mailbox] += count
    return result


class Deed(Struct, frozen=True):
    """What somebody does on one side. Which message it happens to is a number, counted round and round."""

    side: Literal["server", "local"]
    kind: Literal["flags", "move", "delete", "arrive"]
    which: int
    place: MailboxName
    flags: Flags


class Round(Struct, frozen=True):
    """Some deeds, and a pass over the account or over one mailbox, killed or not."""

    deeds: list[Deed]
    only: MailboxName | None = None
    killed_at: int = 0
    before: bool = False
    lost_directory: bool = False


deeds = st.builds(
    Deed,
    st.sampled_from(["server", "local"]),
    st.sampled_from(["flags", "flags", "move", "delete", "arrive"]),
    st.integers(0, 20),
    places,
    flag_sets,
)
rounds = st.builds(
    Round,
    st.lists(deeds, max_size=4),
    st.sampled_from([None, None, None, *MAILBOXES]),
    st.sampled_from([0, 0, *range(1, 13)]),
    st.booleans(),
    st.sampled_from([False] * 9 + [True]),
)


class Longer(Struct):
    """A world in which round follows round, and what must be true of it whatever happens."""

    world: World
    deleted: set[str] = field(default_factory=set)
    """Messages that somebody deleted somewhere."""
    moved: dict[str, set[str]] = field(default_factory=dict)
    """On which sides a message was moved since the last time that both sides agreed."""
    twice: set[str] = field(default_factory=set)
    """Messages that may be in two places: both sides moved them before any pass saw it."""
    arrived: int = 0

    def play(self, one: Round) -> None:
        for deed in one.deeds:
            self._do(deed)
        if one.lost_directory:
            names = {_subject(f.octets) for f in self._directories().pop(MAILBOXES[1], FakeDirectory()).files.values()}
            self.deleted |= names & self.moved.keys()  # not known to the index in that place: gone with its directory
            self.deleted |= names - {name for name, _, _ in on_server(self.world)}
            self.twice |= names | {name for name, place, _ in on_server(self.world) if place == MAILBOXES[1]}
        self.world.mortal(Mortality(one.killed_at, before=one.before))
        try:
            self.world.sync(mailbox=one.only)
        except Killed:  # what is under way then is found again, but not whatever is done to it before anybody looked
            self.world.mortal(Mortality())
            self.agree()
        self.world.mortal(Mortality())

    def agree(self) -> None:
        """Both sides, after a pass without trouble, and what nobody deleted is there, mostly once."""
        for _ in range(2):
            self.world.sync()
        there = on_server(self.world)
        assert there == in_maildir(self.world)
        counts = Counter(name for name, _, _ in there.elements())
        names = {f"m{number}" for number in range(self.arrived)}
        assert names - self.deleted <= counts.keys()
        assert {name for name, count in counts.items() if count > 1} <= self.twice
        self.moved.clear()

    def _do(self, deed: Deed) -> None:
        if deed.kind == "arrive":
            if deed.side == "local" and deed.place not in self._directories():
                return  # in a directory that is made anew, what was in it before is deleted
            name = f"m{self.arrived}"
            self.arrived += 1
            if deed.side == "server":
                self.world.server.deliver(deed.place, octets(name), deed.flags)
            else:
                self.world.store.put(deed.place, UniqueName(f"l{name}"), octets(name), deed.flags)
            return
        if deed.side == "server":
            boxes = self.world.server.mailboxes
            found = [(place, uid) for place, box in sorted(boxes.items()) for uid in sorted(box.messages)]
            if found:
                place, uid = found[deed.which % len(found)]
                self._on_server(deed, place, uid)
        else:
            files = [(place, name) for place, d in sorted(self._directories().items()) for name in sorted(d.files)]
            if files:
                place, name = files[deed.which % len(files)]
                self._in_maildir(deed, place, name)

    def _on_server(self, deed: Deed, place: MailboxName, uid: Uid) -> None:
        box = self.world.server.mailboxes[place]
        message = box.messages[uid]
        if deed.kind == "flags":
            message.flags = deed.flags
            return
        if deed.kind == "move" and deed.place == place:
            return
        box.messages.pop(uid)
        if deed.kind == "move":
            self.world.server.mailboxes[deed.place].add(message)
        self._gone(deed, _subject(message.octets))

    def _in_maildir(self, deed: Deed, place: MailboxName, name: UniqueName) -> None:
        directory = self._directories()[place]
        file = directory.files[name]
        if deed.kind == "flags":
            file.flags = directory.sayable(deed.flags)
            return
        if deed.kind == "move" and (deed.place == place or deed.place not in self._directories()):
            return
        del directory.files[name]
        if deed.kind == "move":
            self.world.store.put(deed.place, name, file.octets, file.flags)
        self._gone(deed, _subject(file.octets))

    def _gone(self, deed: Deed, name: str) -> None:
        if deed.kind == "delete":
            self.deleted.add(name)
        self.moved.setdefault(name, set()).add(deed.side)
        if len(self.moved[name]) == 2:
            self.twice.add(name)

    def _directories(self) -> dict[MailboxName, FakeDirectory]:
        return self.world.store.directories


longer = st.builds(
    History,
    st.just([]),
    st.lists(arrivals(), max_size=5),
    st.just([]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["qresync", "condstore", "plain"]),
)


@settings(max_examples=300, deadline=None)
@given(history=longer, played=st.lists(rounds, min_size=1, max_size=6), agreeing=st.booleans())
def test_whatever_happened_round_by_round_comparing_everything_finds_nothing_more(
    history: History, played: list[Round], agreeing: bool
) -> None:
    story = Longer(world_of(replace(history, on_server=[])))
    for number, (place, flags) in enumerate(history.on_server):
        story.world.server.deliver(place, octets(f"m{number}"), flags)
    story.arrived = len(history.on_server)
    for _ in range(3):
        story.world.sync()
    for one in played:
        story.play(one)
        if agreeing:
            story.agree()
    story.agree()
    before = story.world.state()
    report = story.world.sync(full=True)
    assert (story.world.planned(), report.mailboxes, story.world.state()) == ([], {}, before)


@pytest.mark.parametrize("seed", range(5))
def test_two_equal_filled_sides_copy_nothing(seed: int) -> None:
    world = World()
    for number in range(10 + seed):
        world.server.deliver(INBOX, octets(f"m{number}"))
        world.store.put(INBOX, UniqueName(f"n{number}"), octets(f"m{number}"))
    report = world.sync()
    assert not any(mailbox.changed for mailbox in report.mailboxes.values())
    assert on_server(world) == in_maildir(world)
