"""What goes wrong while a plan is carried out, and that it costs no more than it must.

Kills at every effect are tried in `reconcile/test_scenarios.py`; here commands fail and the process lives on.
"""

from collections.abc import Callable

import pytest
from ears import counted, problems, server_hears, settles, store_hears
from fake_server import StoredMessage
from worlds import World, octets

from syncer.errors import (
    AccountError,
    MailboxError,
    MessageError,
    ServerRefusedError,
)
from syncer.reconcile.flags import FLAGGED, NONE, SEEN
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Intent, PairState
from syncer.reconcile.policy import Limits, Policy

WORK = MailboxName("Work")


NO = ServerRefusedError("the server says: over quota")
TRASHING = Policy(limits=Limits(max_delete=1.0), on_local_delete="trash")


class TestTheServerRefuses:
    def test_an_append(self) -> None:
        world = World.of("", "", "a:S b: c:")
        server_hears(world, APPEND_INBOX_b=NO)
        world.sync()
        assert problems(world) == ["b not uploaded: the server says: over quota"]
        assert counted(world) == {"uploaded": 2, "bytes_up": 2 * len(octets("a"))}
        assert world.state() == ("a:S c:", "a:S c:", "a:S b: c:")
        assert world.index.intents(INBOX) == ()
        assert world.index.rows[INBOX].error == "b not uploaded: the server says: over quota"
        settles(world)

    def test_a_store(self) -> None:
        world = World.of("a: b: c:", "a: b: c:", "a:S b:F c:S")
        server_hears(world, **{"STORE_INBOX_+\\Seen": NO})
        world.sync()
        assert problems(world) == ["flags +\\Seen of 2 messages not stored: the server says: over quota"]
        assert counted(world) == {"flags_remote": 1}
        assert world.state() == ("a: b:F c:", "a: b:F c:", "a:S b:F c:S")
        settles(world)

    def test_a_store_and_the_file_is_left_as_it_is(self) -> None:
        world = World.of("a:F", "a:", "a:S")
        server_hears(world, STORE=NO)
        world.sync()
        assert world.state() == ("a:F", "a:", "a:S")
        assert counted(world) == {}
        settles(world)
        assert world.on_server() == "a:FS"

    def test_a_store_before_a_move(self) -> None:
        world = World.of("a: b: Work/", "a: b:", "Work/a:S Work/b:")
        server_hears(world, STORE=NO)
        world.sync()
        assert problems(world) == ["flags +\\Seen of 1 message not stored: the server says: over quota"]
        assert world.state() == ("Work/b: a:", "Work/b: a:", "Work/a:S Work/b:")
        assert counted(world) == {"moved_remote": 1}
        settles(world)
        assert world.on_server() == "Work/a:S Work/b:"

    @pytest.mark.parametrize("command", ["MOVE", "COPY"])
    def test_a_move(self, command: str) -> None:
        world = World.of("a: b: c: Work/", "a: b: c:", "Work/a: Work/b: c:S")
        world.server.atomic_move = command == "MOVE"
        server_hears(world, **{command: NO})
        world.sync()
        assert problems(world) == ["2 messages not moved to Work on the server: the server says: over quota"]
        assert world.state() == ("a: b: c:S", "a: b: c:S", "Work/a: Work/b: c:S")
        settles(world)
        assert world.on_server() == "Work/a: Work/b: c:S"

    def test_a_store_after_a_move_in_the_maildir(self) -> None:
        world = World.of("Work/a:", "a:", "a:S Work/")
        server_hears(world, STORE=NO)
        world.sync()
        assert problems(world, WORK) == ["flags +\\Seen of 1 message not stored: the server says: over quota"]
        assert world.in_maildir() == "Work/a:S"
        assert (world.on_server(), world.store.attic) == ("Work/a:", [])
        settles(world)
        assert world.on_server() == "Work/a:S"

    @pytest.mark.parametrize("command", ["STORE", "EXPUNGE"])
    def test_an_expunge(self, command: str) -> None:
        world = World.of("a: b: c:", "a: b: c:", "c:S")
        server_hears(world, **{f"{command}_INBOX{'_+' + chr(92) + 'Deleted' if command == 'STORE' else ''}": NO})
        world.sync()
        assert problems(world) == ["2 messages deleted here not expunged on the server: the server says: over quota"]
        assert counted(world) == {"flags_remote": 1}
        assert sorted(pair.uid for pair in world.index.pairs(INBOX)) == [1, 2, 3]
        assert world.index.deletions == []
        settles(world)
        assert world.on_server() == "c:S"

    def test_a_move_to_the_trash(self) -> None:
        world = World.of("a: Trash/", "a: Trash/", "Trash/")
        world.server.special[MailboxName("Trash")] = "\\trash"
        server_hears(world, MOVE=NO)
        world.sync(Policy(on_local_delete="trash"))
        assert problems(world) == ["1 message deleted here not expunged on the server: the server says: over quota"]
        assert world.state() == ("a:", "a:", "")

    @pytest.mark.parametrize("tells_uids", [True, False])
    @pytest.mark.parametrize(("uidplus", "atomic_move"), [(True, True), (False, True), (True, False), (False, False)])
    def test_to_move_some_messages_to_the_trash_and_it_is_asked_again(
        self, *, uidplus: bool, atomic_move: bool, tells_uids: bool
    ) -> None:
        world = World.of("a: b: c: d: Trash/", "a: b: c: d: Trash/", "d: Trash/", policy=TRASHING)
        world.server.special[MailboxName("Trash")] = "\\trash"
        world.server.uidplus, world.server.atomic_move = uidplus, atomic_move
        world.server.tells_uids, world.server.moves_at_most = tells_uids, 1
        world.sync()
        world.sync()
        assert sorted(world.on_server().split()) == sorted(
            [*("Trash/" + name for name in ("a:", "b:", "c:")), "d:"]
            if uidplus or atomic_move
            else ["Trash/a:", "Trash/b:", "Trash/c:", "a:T", "b:T", "c:T", "d:"]
        )
        assert world.in_maildir() == "Trash/a: Trash/b: Trash/c: d:"
        assert world.sync().mailboxes == {}

    def test_the_same_thing_twice_in_a_pass_and_it_is_told_once(self) -> None:
        world = World.of("", "", "a: b:")
        world.server.uidplus = False
        server_hears(world, APPEND_INBOX_b=NO)
        world.sync()
        assert len(world.plans) > 1
        assert problems(world) == ["b not uploaded: the server says: over quota"]

    def test_everything_and_nothing_is_lost(self) -> None:
        world = World.of("a: b:S c: d: Work/", "a: b: c: d:", "a:F b: Work/c: e:")
        before = world.on_server(), world.in_maildir()
        server_hears(world, STORE=NO, MOVE=NO, EXPUNGE=NO, APPEND=NO)
        world.sync(Policy(limits=Limits(max_delete=1.0)))
        assert (world.on_server(), world.in_maildir()) == (before[0], "Work/c: a:F b:S e:")
        settles(world)
        assert world.on_server() == "Work/c: a:F b:S e:"


def deleting(world: World, name: str, mailbox: MailboxName = INBOX) -> Callable[[], object]:
    """Another program deletes the file."""
    return lambda: world.store.directories[mailbox].files.pop(UniqueName(name), None)


class TestAFileVanishes:
    def test_before_it_is_read_for_upload(self) -> None:
        world = World.of("", "", "a: b:")
        store_hears(world, open_INBOX_a=deleting(world, "a"))
        world.sync()
        assert (problems(world), counted(world)["uploaded"]) == ([], 1)
        assert world.state() == ("b:", "b:", "b:")
        settles(world)

    def test_before_it_is_announced_for_upload(self) -> None:
        world = World.of("", "", "a: b:")
        store_hears(world, look_INBOX_a=deleting(world, "a"))
        world.sync()
        assert (problems(world), counted(world)["uploaded"]) == ([], 1)
        assert (world.state(), world.index.intents(INBOX)) == (("b:", "b:", "b:"), ())

    def test_after_it_was_announced_and_another_takes_its_place(self) -> None:
        world = World.of("", "", "a: b:")
        ear = store_hears(world, open_INBOX_a=lambda: world.store.put(INBOX, UniqueName("a"), octets("z"), mtime=5))
        world.sync()
        assert [what for what in ear.heard if what.endswith(" a")] == ["look INBOX a", "open INBOX a"] * 2
        assert (problems(world), world.on_server(), world.index.intents(INBOX)) == ([], "b: z:", ())
        assert {message.internaldate for message in world.server.mailboxes[INBOX].messages.values()} == {5, 10**9}

    @pytest.mark.parametrize("when", ["look_INBOX_a", "open_INBOX_a"])
    def test_or_cannot_be_read(self, when: str) -> None:
        world = World.of("", "", "a: b:")
        store_hears(world, **{when: STUBBORN})
        world.sync()
        assert problems(world) == ["a not uploaded: INBOX: a cannot be changed: not permitted"]
        assert (world.on_server(), world.index.intents(INBOX)) == ("b:", ())
        settles(world)

    def test_while_it_is_sent(self) -> None:
        world = World.of("", "", "a: b:")
        outgoing = world.store.outgoing

        def vanishing(mailbox: MailboxName, name: UniqueName):
            found = outgoing(mailbox, name)
            if name == "a":
                found.chunks = lambda: world.store.outgoing(mailbox, UniqueName("gone")).chunks()
            return found

        world.store.outgoing = vanishing
        world.sync()
        assert problems(world) == ["a not uploaded: INBOX: there is no file gone any more"]
        assert (world.on_server(), world.index.intents(INBOX)) == ("b:", ())

    def test_before_its_flags_are_changed(self) -> None:
        world = World.of("a:S b:S", "a: b:", "a: b:")
        store_hears(world, flags_INBOX_a=deleting(world, "a"))
        world.sync()
        assert problems(world) == []
        assert world.state() == ("b:S", "b:S", "b:S")
        assert counted(world) == {"flags_local": 1, "deleted_remote": 1}
        settles(world)

    def test_before_it_follows_a_move(self) -> None:
        world = World.of("Work/a: Work/b:", "a: b:", "a: b: Work/")
        store_hears(world, move_INBOX_a=deleting(world, "a"))
        world.sync()
        assert problems(world, WORK) == []
        assert (world.on_server(), world.in_maildir()) == ("Work/a: Work/b:", "Work/a: Work/b:")
        assert counted(world, WORK) == {"moved_local": 1, "downloaded": 1, "bytes_down": len(octets("a"))}
        settles(world)

    def test_after_its_message_was_moved(self) -> None:
        world = World.of("a:S Work/", "a:", "Work/a:")
        store_hears(world, flags_Work_a=deleting(world, "a", WORK))
        world.sync()
        settles(world)
        assert world.on_server() == "Work/a:S"

    def test_before_it_is_removed(self) -> None:
        world = World.of("b:", "a: b:", "a: b:")
        store_hears(world, remove_INBOX_a=deleting(world, "a"))
        world.sync()
        assert (problems(world), world.state(), world.store.attic) == ([], ("b:", "b:", "b:"), [])

    def test_before_it_is_compared(self) -> None:
        world = World.of("a: b:", "", "a: b:")
        store_hears(world, read_INBOX_a=deleting(world, "a"))
        world.sync()
        assert world.report.ok
        settles(world)
        assert world.on_server() == "a: b:"


STUBBORN = MessageError("INBOX: a cannot be changed: not permitted")


class TestAFileCannotBeUsed:
    def test_it_is_not_uploaded_and_the_others_are(self) -> None:
        world = World.of("", "", "a: b:")
        store_hears(world, open_INBOX_a=STUBBORN)
        world.sync()
        assert problems(world) == ["a not uploaded: INBOX: a cannot be changed: not permitted"]
        assert (world.on_server(), world.index.intents(INBOX)) == ("b:", ())
        settles(world)

    def test_its_flags_stay_and_the_base_with_them(self) -> None:
        world = World.of("a:S b:S", "a: b:", "a: b:")
        store_hears(world, flags_INBOX_a=STUBBORN)
        world.sync()
        assert problems(world) == [str(STUBBORN)]
        assert world.state() == ("a:S b:S", "a: b:S", "a: b:S")
        settles(world)

    def test_it_stays_where_it_is_and_known(self) -> None:
        world = World.of("Work/a: Work/b:", "a: b:", "a: b: Work/")
        store_hears(world, move_INBOX_a=STUBBORN)
        world.sync()
        assert problems(world, WORK) == [str(STUBBORN)]
        assert world.state() == ("Work/a: Work/b:", "Work/b: a:", "Work/b: a:")
        settles(world)

    def test_it_is_not_removed_and_the_others_are(self) -> None:
        world = World.of("", "a: b:", "a: b:")
        store_hears(world, remove_INBOX_a=STUBBORN)
        world.sync()
        assert problems(world) == [str(STUBBORN)]
        assert counted(world) == {"deleted_local": 1}
        assert world.state() == ("", "a:", "a:")
        assert world.index.deleted_since(0) == {(INBOX, "local"): 1}
        settles(world)

    def test_it_is_not_compared_and_nothing_is_lost(self) -> None:
        world = World.of("a: b:", "", "a: b:")
        store_hears(world, read_INBOX_a=STUBBORN, open_INBOX_a=STUBBORN)
        world.sync()
        assert problems(world) == ["a not uploaded: INBOX: a cannot be changed: not permitted"]
        assert world.on_server() == "a: b:"
        assert world.in_maildir() == "a: a: b:"

    def test_it_waits_with_everything_that_it_may_have_been(self) -> None:
        world = World.of("a:S b: Work/", "a: b: Work/", "Work/a:")
        store_hears(world, read_Work_a=STUBBORN, open_Work_a=STUBBORN)
        world.sync()
        assert problems(world, WORK) == [str(STUBBORN)]
        assert (world.on_server(), world.in_maildir()) == ("a:S b:", "Work/a:")
        settles(world)
        assert world.on_server() == "Work/a:S"

    def test_but_for_a_moment_and_its_move_is_followed(self) -> None:
        world = World.of("a:S Work/", "a: Work/", "Work/a:")
        moments: list[MessageError] = [STUBBORN]

        def once() -> None:
            if moments:
                raise moments.pop()

        store_hears(world, read_Work_a=once)
        world.sync()
        assert problems(world, WORK) == []
        assert world.state() == ("Work/a:S",) * 3
        settles(world)


class TestMarkedOnly:
    """Without UIDPLUS nothing can be expunged safely."""

    def test_a_marked_message_is_known_as_kept_on_the_server(self) -> None:
        world = World.of("a:S b:", "a:S b:", "b:")
        world.server.uidplus = False
        world.sync()
        assert world.state() == ("a:ST b:", "a:ST@server b:", "b:")
        assert counted(world) == {"deleted_remote": 1}

    def test_what_was_copied_to_the_trash_without_move_stays_marked_and_does_not_come_back(self) -> None:
        world = World.of("a: b: Trash/", "a: b: Trash/", "b: Trash/")
        world.server.special[MailboxName("Trash")] = "\\trash"
        world.server.uidplus = world.server.atomic_move = False
        policy = Policy(on_local_delete="trash")
        world.sync(policy)
        assert world.state() == ("Trash/a: a:T b:", "Trash/a: a:T@server b:", "Trash/a: b:")
        assert (world.sync(policy).mailboxes, world.planned()) == ({}, [])

    def test_once_somebody_expunges_it_the_pair_is_forgotten(self) -> None:
        world = World.of("a:S b:", "a:S b:", "b:")
        world.server.uidplus = False
        world.sync()
        del world.server.mailboxes[INBOX].messages[Uid(1)]
        world.sync()
        assert world.state() == ("b:",) * 3


class TestDeletionsAreNoted:
    def test_on_the_side_where_they_happened(self) -> None:
        world = World.of("a: c: d:", "a: b: c: d:", "b: c: Work/d:")
        world.sync()
        assert world.index.deleted_since(world.clock) == {(INBOX, "server"): 1, (INBOX, "local"): 1}
        assert world.index.deleted_since(world.clock + 1) == {}

    def test_a_deleted_mailbox_counts_with_its_messages(self) -> None:
        world = World.of("Work/a: Work/b:", "Work/a: Work/b:", "Work/a: Work/b:")
        del world.server.mailboxes[WORK]
        world.sync(Policy(limits=Limits(max_delete=1.0), mailbox_changes="all"))
        assert counted(world, WORK) == {"deleted_local": 2}
        assert world.index.deleted_since(0) == {(WORK, "local"): 2}
        assert sorted(name for _, name, _ in world.store.attic) == ["a", "b"]


class TestWhatIsRecorded:
    def test_an_append_is_announced_with_the_uidnext_before_it(self) -> None:
        world = World.of("a: b:", "a: b:", "a: b: c: d:")
        seen: list[object] = []
        server_hears(world, APPEND=lambda: seen.append(world.index.intents(INBOX)))
        world.sync()
        announced = tuple(Intent(UniqueName(name), Uid(3), 1_000_000_000) for name in "cd")
        assert seen == [announced, announced]
        assert world.index.intents(INBOX) == ()

    def test_an_uploaded_file_is_on_the_disk_before_it_is_recorded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = World.of("", "", "a:")
        done: list[str] = []
        flush, record = world.store.flush, world.index.record
        monkeypatch.setattr(world.store, "flush", lambda mailbox: (done.append("flush"), flush(mailbox)))
        monkeypatch.setattr(world.index, "record", lambda *pairs: (done.append("record"), record(*pairs)))
        world.sync()
        assert done[:2] == ["flush", "record"]

    def test_an_uploaded_messages_base_is_what_the_server_can_hold(self) -> None:
        world = World.of("", "", "a:FS{todo}")
        box = world.server.mailboxes[INBOX]
        box.storable, box.any_keyword = frozenset({SEEN}), False
        world.sync()
        assert world.state() == ("a:S", "a:S", "a:FS{todo}")
        assert (world.sync().mailboxes, world.planned()) == ({}, [])

    def test_dates_and_octets_are_kept_both_ways(self) -> None:
        world = World()
        world.server.deliver(INBOX, octets("a"), internaldate=111)
        world.store.put(INBOX, UniqueName("b"), octets("b"), mtime=222)
        world.sync()
        files = world.store.directories[INBOX].files.values()
        messages = world.server.mailboxes[INBOX].messages.values()
        assert {(file.octets, file.mtime) for file in files} == {(octets("a"), 111), (octets("b"), 222)}
        assert {(each.octets, each.internaldate) for each in messages} == {(octets("a"), 111), (octets("b"), 222)}

    def test_a_followed_message_has_the_new_email_id(self) -> None:
        world = World.of("a: Work/", "a:", "a: Work/")
        box = world.server.mailboxes
        message = box[INBOX].messages.pop(Uid(1))
        box[WORK].add(StoredMessage(message.octets, NONE, message.internaldate, "M9"))
        world.sync()
        (pair,) = world.index.pairs(WORK)
        own = f"Work!{box[WORK].uidvalidity}!1@1000000000"
        assert (pair.email_id, pair.state, pair.name) == ("M9", PairState.BOTH, own)

    def test_an_agreed_flag_is_recorded_only_when_both_sides_have_it(self) -> None:
        world = World.of("a:S", "a:", "a:F")
        seen: list[tuple[str, str, str]] = []
        world.server.hears = world.store.hears = lambda what: seen.append(world.state())
        world.sync()
        assert {index for _, index, _ in seen} == {"a:"}
        assert world.state() == ("a:FS",) * 3
        assert world.index.pairs(INBOX)[0].flags == {SEEN, FLAGGED}


def test_moves_come_first_and_deletions_last() -> None:
    world = World.of("a: b: c:S Work/d: e:", "a: b: c: d: f:", "c: d: f: g: Work/a:")
    heard: list[str] = []
    world.server.hears = world.store.hears = lambda what: heard.append(what.split(maxsplit=1)[0])
    world.sync()
    looks = {"LIST", "STATUS", "SELECT", "HEADERS", "scan", "look", "read", "done"}
    assert [what for what in heard if what not in looks] == [
        *("MOVE", "flags"),
        *("move",),
        *("flags", "FETCH", "deliver", "commit", "open", "APPEND", "remove", "STORE", "EXPUNGE"),
    ]


def test_a_mailbox_that_fails_is_told_and_the_others_are_done() -> None:
    world = World.of("a: Work/b: Work/c:", "", "Work/")
    server_hears(world, FETCH_Work=MailboxError("Work: the server says: no"))
    world.sync()
    assert world.report.mailbox(WORK).error == "Work: the server says: no"
    assert (world.report.ok, world.in_maildir()) == (False, "a:")
    assert world.index.rows[WORK].error == "Work: the server says: no"
    assert world.index.rows[WORK].synced_at is None
    settles(world)


def test_a_full_disk_ends_the_pass_and_loses_nothing() -> None:
    world = World.of("a: b:", "", "c:")
    store_hears(world, deliver=AccountError("no space left"))
    with pytest.raises(AccountError, match="no space left"):
        world.sync()
    assert (world.on_server(), world.in_maildir()) == ("a: b:", "c:")
    settles(world)


def test_the_server_copies_a_message_only_when_the_file_that_was_moved_is_durable_where_it_is_now() -> None:
    world = World.of("a: b: Work/", "a: b:", "Work/a: b:")
    world.server.atomic_move = False
    flushed: list[MailboxName] = []
    by_then: list[list[MailboxName]] = []
    world.store.flush = flushed.append
    server_hears(world, COPY=lambda: by_then.append(list(flushed)))
    world.sync()
    assert by_then == [[WORK]]
    settles(world)
