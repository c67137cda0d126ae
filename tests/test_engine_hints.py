"""A pass that is told where something may have happened looks nowhere else, and is no less careful there."""

import threading
from collections.abc import Collection, Iterator

import pytest
from fake_server import FakeServer
from worlds import World, octets

from syncer.crew import Crew
from syncer.engine import Hints
from syncer.errors import NoSuchMailboxError
from syncer.reconcile.flags import FLAGGED, SEEN
from syncer.reconcile.identity import INBOX, MailboxName, Side, Uid, UniqueName
from syncer.reconcile.policy import Policy
from syncer.report import HeldDeletions

WORK, PLAY = MailboxName("Work"), MailboxName("Play")
BOTH: tuple[Side, Side] = ("server", "local")


def hints(*mailboxes: MailboxName, sides: tuple[Side, ...] = BOTH, trash: MailboxName | None = None) -> Hints:
    return Hints(dict.fromkeys(mailboxes, frozenset(sides)), trash)


@pytest.fixture
def world() -> World:
    world = World(policy=Policy())
    for mailbox in (INBOX, WORK):
        for name in "abcdefgh":
            world.server.deliver(mailbox, octets(f"{mailbox}{name}"))
    for _ in range(3):
        world.sync()
    return world


@pytest.fixture
def crew(world: World) -> Iterator[Crew]:
    """Connections that stay."""
    with Crew(lambda: FakeServer(world.server), 1, threading.Event()) as crew:
        yield crew


@pytest.fixture
def asked(world: World) -> list[str]:
    """Every command that the server is sent."""
    commands: list[str] = []
    world.server.hears = commands.append
    return commands


def equal(world: World) -> None:
    """Both sides are, and a pass over everything has nothing to do."""
    assert world.on_server() == world.in_maildir()
    report = world.sync(full=True)
    assert (report.ok, [mailbox for mailbox in report.mailboxes.values() if mailbox.changed]) == (True, [])


def a_file(world: World, mailbox: MailboxName = INBOX) -> UniqueName:
    return min(world.store.directories[mailbox].files)


def flag(world: World, name: UniqueName, flags: frozenset[str], mailbox: MailboxName = INBOX) -> None:
    world.store.directories[mailbox].files[name].flags = flags


def test_where_nothing_happened_nothing_is_asked(world: World, asked: list[str]) -> None:
    assert world.sync(hints=hints(INBOX, sides=("local",))).ok
    assert asked == []


def test_a_message_that_came_is_fetched_without_a_listing_of_mailboxes(world: World, asked: list[str]) -> None:
    uid = world.server.deliver(INBOX, octets("new"))
    world.server.deliver(WORK, octets("later"))
    assert world.sync(hints=hints(INBOX, sides=("server",))).mailbox(INBOX).downloaded == 1
    # The headers of known messages are asked for in the flight of the first.
    assert asked == ["CHANGES INBOX", "HEADERS INBOX 6,7,8", f"FETCH INBOX {uid}"]
    assert world.sync().mailbox(WORK).downloaded == 1
    equal(world)


def test_a_flag_goes_in_one_round_trip_where_the_selection_stands(world: World, crew: Crew, asked: list[str]) -> None:
    name = a_file(world)
    flag(world, name, frozenset({SEEN}))
    assert world.sync(crew=crew, hints=hints(INBOX, sides=("local",))).mailbox(INBOX).flags_remote == 1
    assert asked[0] == "CHANGES INBOX"
    asked.clear()
    flag(world, name, frozenset({SEEN, FLAGGED}))
    assert world.sync(crew=crew, hints=hints(INBOX, sides=("local",))).mailbox(INBOX).flags_remote == 1
    assert [command.split()[0] for command in asked if not command.startswith("done")] == ["STORE"]
    assert world.sync().ok
    equal(world)


def test_what_happened_on_the_server_meanwhile_is_not_lost_by_it(world: World, crew: Crew) -> None:
    world.sync(crew=crew, hints=hints(INBOX))
    name = a_file(world)
    flag(world, name, frozenset({SEEN}))
    uid = next(pair.uid for pair in world.index.pairs(INBOX) if pair.name == name)
    box = world.server.mailboxes[INBOX]
    box.messages[uid].flags = frozenset({FLAGGED})
    box.settle()
    world.server.deliver(INBOX, octets("new"))
    world.sync(crew=crew, hints=hints(INBOX, sides=("local",)))
    assert box.messages[uid].flags == {FLAGGED, SEEN}
    report = world.sync(crew=crew, hints=hints(INBOX, sides=("server",)))
    assert (report.mailbox(INBOX).downloaded, report.mailbox(INBOX).flags_local) == (1, 1)
    equal(world)


@pytest.mark.parametrize("kind", ["new", "gone"])
def test_what_is_more_than_flags_is_done_after_a_look_at_the_server(
    world: World, crew: Crew, asked: list[str], kind: str
) -> None:
    world.sync(crew=crew, hints=hints(INBOX))
    asked.clear()
    if kind == "new":
        world.store.put(INBOX, UniqueName("local"), octets("local"))
    else:
        del world.store.directories[INBOX].files[a_file(world)]
    world.sync(crew=crew, hints=hints(INBOX, sides=("local",)))
    assert asked[0] == "CHANGES INBOX"
    equal(world)


def test_a_move_between_mailboxes_is_one(world: World) -> None:
    name = a_file(world)
    directories = world.store.directories
    directories[WORK].files[name] = directories[INBOX].files.pop(name)
    report = world.sync(hints=hints(INBOX, WORK, sides=("local",)))
    assert (report.mailbox(WORK).uploaded, sum(m.moved_remote for m in report.mailboxes.values())) == (0, 1)
    equal(world)


def move(world: World, name: UniqueName, source: MailboxName, target: MailboxName) -> None:
    directories = world.store.directories
    directories[target].files[name] = directories[source].files.pop(name)


@pytest.mark.parametrize("end", [INBOX, WORK])
def test_a_move_of_which_one_end_is_hinted_is_one(world: World, end: MailboxName) -> None:
    move(world, a_file(world), INBOX, WORK)
    report = world.sync(hints=hints(end, sides=("local",)))
    assert [(m.uploaded, m.bytes_up, m.deleted_remote) for m in report.mailboxes.values()] == [(0, 0, 0)]
    assert report.mailbox(INBOX).moved_remote == 1
    equal(world)
    assert len(world.server.mailboxes[WORK].messages) == 9


@pytest.mark.parametrize("end", [INBOX, WORK, PLAY])
def test_moves_that_hang_together_are_followed_to_the_last_end(world: World, end: MailboxName) -> None:
    world.server.create(PLAY)
    world.sync()
    move(world, a_file(world, WORK), WORK, PLAY)
    move(world, a_file(world, INBOX), INBOX, WORK)
    report = world.sync(hints=hints(end, sides=("local",)))
    assert {name: (m.moved_remote, m.bytes_up) for name, m in report.mailboxes.items()} == {INBOX: (1, 0), WORK: (1, 0)}
    equal(world)


def test_a_move_that_nobody_names_the_uid_of_is_one_as_well(world: World) -> None:
    world.server.tells_uids = False
    move(world, a_file(world), INBOX, WORK)
    report = world.sync(hints=hints(WORK, sides=("local",)))
    assert (report.mailbox(INBOX).moved_remote, sum(m.bytes_up for m in report.mailboxes.values())) == (1, 0)
    equal(world)


def test_where_a_file_of_the_same_name_is_only_the_maildir_is_looked_at(world: World, asked: list[str]) -> None:
    name = a_file(world)
    world.store.put(WORK, name, world.store.directories[INBOX].files[name].octets)
    assert world.sync(hints=hints(WORK, sides=("local",))).mailbox(WORK).uploaded == 1
    assert {command for command in asked if command.startswith("CHANGES")} == {f"CHANGES {WORK}"}
    assert len(world.server.mailboxes[INBOX].messages) == 8


def test_a_file_of_the_same_name_that_is_on_the_server_by_itself_keeps_nothing_else_there(world: World) -> None:
    name = a_file(world)
    world.store.put(WORK, name, world.store.directories[INBOX].files[name].octets)
    world.sync(hints=hints(WORK, sides=("local",)))
    del world.store.directories[INBOX].files[name]
    assert world.sync(hints=hints(INBOX, sides=("local",))).mailbox(INBOX).deleted_remote == 1
    equal(world)


@pytest.mark.parametrize("last", [INBOX, WORK, None])
def test_a_message_that_both_sides_moved_and_one_moved_back_is_not_deleted(
    world: World, last: MailboxName | None
) -> None:
    """Seen in its new place alone, its file has two pairs, each of which one side has lost when it is back."""
    name = a_file(world)
    uid = next(pair.uid for pair in world.index.pairs(INBOX) if pair.name == name)
    message = world.server.mailboxes[INBOX].messages[uid]
    world.server.mailboxes[INBOX].messages.pop(uid)
    world.server.mailboxes[WORK].add(message)
    move(world, name, INBOX, WORK)
    world.sync(mailbox=WORK)
    move(world, name, WORK, INBOX)
    if last is not None:
        world.sync(hints=hints(last))
    for _ in range(2):
        world.sync()
    equal(world)
    places = {box: [m.octets for m in world.server.mailboxes[box].messages.values()] for box in (INBOX, WORK)}
    assert (places[INBOX].count(message.octets), places[WORK].count(message.octets)) == (1, 0)


def test_nor_does_one_in_a_mailbox_that_is_left_out(world: World) -> None:
    name = a_file(world)
    world.store.put(WORK, name, world.store.directories[INBOX].files[name].octets)
    world.sync(hints=hints(WORK))
    del world.store.directories[INBOX].files[name]
    report = world.sync(wants=lambda name: name == INBOX, hints=hints(INBOX, sides=("local",)))
    assert report.mailbox(INBOX).deleted_remote == 1
    equal(world)


def test_a_pass_that_may_not_look_elsewhere_leaves_alone_what_may_be_a_file_there(world: World) -> None:
    name = a_file(world)
    world.store.put(WORK, name, world.store.directories[INBOX].files[name].octets)
    world.sync(hints=hints(WORK))
    del world.store.directories[INBOX].files[name]
    report = world.sync(mailbox=INBOX)
    assert (report.mailbox(INBOX).deleted_remote, len(world.server.mailboxes[INBOX].messages)) == (0, 8)
    assert "a file of the same name is in another mailbox" in report.mailbox(INBOX).notes[0]
    assert world.sync(hints=hints(INBOX, sides=("local",))).mailbox(INBOX).deleted_remote == 1
    equal(world)


def test_a_mailbox_that_the_settings_leave_out_is_no_end_of_a_move(world: World) -> None:
    move(world, a_file(world), INBOX, WORK)
    report = world.sync(wants=lambda name: name == WORK, hints=hints(WORK, sides=("local",)))
    assert (report.mailbox(WORK).uploaded, report.mailboxes.keys()) == (1, {WORK})
    assert len(world.server.mailboxes[INBOX].messages) == 8


def test_half_of_a_move_to_a_mailbox_that_is_not_known_deletes_nothing(world: World) -> None:
    world.store.create(PLAY)
    move(world, a_file(world), INBOX, PLAY)
    world.sync(hints=hints(INBOX, sides=("local",)))
    assert len(world.server.mailboxes[INBOX].messages) == 8
    world.sync()
    equal(world)
    assert len(world.server.mailboxes[PLAY].messages) == 1


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_moved_between_two_looks_is_looked_at_once_more(world: World, whole: bool) -> None:
    name = a_file(world)
    directories = world.store.directories
    commands: list[str] = []

    def heard(command: str) -> None:
        if command == f"CHANGES {WORK}" and command not in commands:  # INBOX was looked at before, its file still there
            directories[WORK].files[name] = directories[INBOX].files.pop(name)
        commands.append(command)

    world.server.hears = heard
    for mailbox in (INBOX, WORK):
        world.server.deliver(mailbox, octets(f"another in {mailbox}"))
    report = world.sync(hints=None if whole else hints(INBOX, WORK))
    assert f"CHANGES {WORK}" in commands
    assert (report.mailbox(WORK).uploaded, sum(m.moved_remote for m in report.mailboxes.values())) == (0, 1)
    equal(world)


def test_small_mailboxes_that_are_emptied_one_after_the_other_are_no_less_an_accident() -> None:
    world = World(policy=Policy())
    names = [MailboxName(f"Box{number}") for number in range(10)]
    for mailbox in names:
        for name in "abc":
            world.server.deliver(mailbox, octets(f"{mailbox}{name}"))
    for _ in range(3):
        world.sync()
    deleted = 0
    held: list[HeldDeletions] = []
    for mailbox in names:
        world.store.directories[mailbox].files.clear()
        report = world.sync(hints=hints(mailbox, sides=("local",)))
        deleted += report.mailbox(mailbox).deleted_remote
        held += report.mailbox(mailbox).held
    assert deleted == 15
    assert [(one.side, one.count) for one in held] == [("server", 3)] * 5
    assert "of 30 messages of the account are gone from the Maildir within a day" in held[0].reason


def test_a_mailbox_that_is_not_known_is_left_to_a_whole_pass(world: World, asked: list[str]) -> None:
    world.server.deliver(MailboxName("New"), octets("new"))
    assert world.sync(hints=hints(MailboxName("New"))).ok
    assert asked == []
    assert world.sync().mailbox(MailboxName("New")).downloaded == 1


def emptied(world: World) -> None:
    """Somebody moves all messages of a mailbox to another one, and deletes it."""
    world.server.mailboxes[PLAY].add(world.server.mailboxes[INBOX].messages.pop(Uid(1)))
    for message in world.server.mailboxes.pop(WORK).messages.values():
        world.server.mailboxes[PLAY].add(message)


@pytest.mark.parametrize("end", [INBOX, PLAY])
def test_a_mailbox_that_is_gone_has_everything_looked_at_or_what_was_in_it_would_be_doubled(
    world: World, end: MailboxName
) -> None:
    world.server.create(PLAY)
    world.sync()
    emptied(world)
    report = world.sync(hints=hints(end, WORK, sides=("server",)))
    assert (report.ok, sum(m.moved_local for m in report.mailboxes.values())) == (True, 9)
    assert sum(m.downloaded + m.uploaded for m in report.mailboxes.values()) == 0
    equal(world)


@pytest.mark.parametrize("whole", [False, True])
def test_so_has_one_that_goes_while_it_is_looked_at(world: World, whole: bool) -> None:
    world.server.create(PLAY)
    world.sync()
    deeds = [emptied]

    def heard(command: str) -> None:
        if command == f"CHANGES {PLAY}" and deeds:
            deeds.pop()(world)

    world.server.hears = heard
    world.server.deliver(PLAY, octets("new"))
    world.server.deliver(WORK, octets("newer"))
    report = world.sync(hints=None if whole else hints(PLAY, WORK, sides=("server",)))
    assert (deeds, report.ok, sum(m.moved_local for m in report.mailboxes.values())) == ([], True, 9)
    assert (report.mailbox(PLAY).downloaded, sum(m.uploaded for m in report.mailboxes.values())) == (2, 0)
    equal(world)


def test_a_new_mailbox_that_goes_while_it_is_looked_at_is_not_made_there_again(world: World) -> None:
    world.sync()
    world.server.create(PLAY)

    def heard(command: str) -> None:
        if command.endswith(f" {PLAY}") and not command.startswith("CREATE"):
            world.server.mailboxes.pop(PLAY, None)

    world.server.hears = heard
    report = world.sync()
    assert (report.mailbox(PLAY).ok, PLAY in world.server.mailboxes) == (False, False)


def test_a_mailbox_that_is_not_there_although_it_is_listed_stops_no_other(world: World) -> None:
    def heard(command: str) -> None:
        if command == f"CHANGES {WORK}":
            raise NoSuchMailboxError("there is no mailbox Work on the server")

    world.server.hears = heard
    world.server.deliver(INBOX, octets("new"))
    world.server.deliver(WORK, octets("new there"))
    report = world.sync(hints=hints(INBOX, WORK))
    assert (report.mailbox(INBOX).downloaded, report.mailbox(WORK).error is None) == (1, False)
    assert len(world.store.directories[WORK].files) == 8


def test_the_trash_is_the_one_that_an_earlier_pass_has_found(world: World) -> None:
    trash = MailboxName("Trash")
    world.server.create(trash)
    world.sync()
    world.policy = Policy(on_local_delete="trash")
    del world.store.directories[INBOX].files[a_file(world)]
    world.sync(hints=hints(INBOX, trash=trash))
    assert len(world.server.mailboxes[trash].messages) == 1
    assert Uid(1) in world.server.mailboxes[trash].messages


def test_flags_that_came_while_a_deletion_rested_are_set_if_the_file_is_back(world: World) -> None:
    name = a_file(world)
    uid = next(pair.uid for pair in world.index.pairs(INBOX) if pair.name == name)
    file = world.store.directories[INBOX].files.pop(name)
    box = world.server.mailboxes[INBOX]
    box.messages[uid].flags = frozenset({FLAGGED})
    box.settle()
    world.sync(deleted=lambda *_: False, hints=hints(INBOX))
    world.store.directories[INBOX].files[name] = file
    assert world.sync(deleted=lambda *_: False, hints=hints(INBOX, sides=("local",))).mailbox(INBOX).flags_local == 1
    assert file.flags == {FLAGGED}
    equal(world)


def test_a_deletion_that_does_not_count_yet_is_found_again(world: World) -> None:
    name = a_file(world)
    uid = next(pair.uid for pair in world.index.pairs(INBOX) if pair.name == name)
    del world.store.directories[INBOX].files[name]
    asked: list[tuple[set[MailboxName], set[tuple[MailboxName, UniqueName]]]] = []

    def not_yet(mailboxes: Collection[MailboxName], missing: Collection[tuple[MailboxName, UniqueName]]) -> bool:
        asked.append((set(mailboxes), set(missing)))
        return False

    for order in ({"hints": hints(INBOX)}, {}):
        report = world.sync(deleted=not_yet, **order)
        assert (report.ok, report.mailbox(INBOX).deleted_remote) == (True, 0)
    assert asked == [({INBOX}, {(INBOX, name)}), ({INBOX, WORK}, {(INBOX, name)})]
    assert uid in world.server.mailboxes[INBOX].messages
    assert world.sync(deleted=lambda *_: True, hints=hints(INBOX)).mailbox(INBOX).deleted_remote == 1
    equal(world)
