"""What goes wrong while messages are copied: nothing comes twice, and what was done is recorded."""

# ruff: noqa: E501 (a row of a table is read on one line)

import threading
import time
from collections.abc import Collection, Iterable, Iterator

import pytest
from ears import Ear, counted, problems, server_hears, settles, store_hears, well
from fake_server import FakeServer
from worlds import World, octets

from syncer.errors import (
    ConnectionLostError,
    MessageError,
    StoppedError,
    StoreError,
)
from syncer.executor import bench, moves, transfers, uploads
from syncer.ports import Appended, Fetched, Outgoing
from syncer.reconcile.flags import NONE, SEEN, Flags
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.values import replace

WORK = MailboxName("Work")


class TestAMessageIsNotDelivered:
    def test_one_that_was_expunged_meanwhile_is_no_problem(self) -> None:
        world = World.of("a: b: c:", "", "")
        server_hears(world, FETCH_INBOX_3=lambda: world.server.mailboxes[INBOX].messages.pop(Uid(2)))
        world.sync()
        assert (problems(world), counted(world)) == ([], {"downloaded": 2, "bytes_down": 2 * len(octets("a"))})
        assert world.state() == ("a: c:",) * 3

    def test_one_that_the_server_keeps_to_itself_is_told_and_the_others_come(self) -> None:
        world = World.of("a: b: c:", "", "")
        server_hears(world, FETCH_INBOX_2=lambda: "withhold")
        world.sync()
        assert problems(world) == ["UID 2 not downloaded: the server lists it but does not deliver it"]
        assert world.state() == ("a: b: c:", "a: c:", "a: c:")
        settles(world)

    def test_all_of_them(self) -> None:
        world = World.of("a: b:", "", "")
        server_hears(world, FETCH=lambda: "withhold")
        world.sync()
        assert (len(problems(world)), counted(world), world.in_maildir()) == (2, {}, "")

    def test_what_was_not_asked_for_or_comes_twice_is_passed_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fetch = FakeServer.fetch

        def chatty(self: FakeServer, mailbox: MailboxName, uids: list[Uid]) -> Iterator[object]:
            yield from fetch(self, mailbox, [Uid(1), *uids, *uids])

        monkeypatch.setattr(FakeServer, "fetch", chatty)
        world = World.of("a: b:", "a:", "a:")
        world.sync()
        assert (counted(world), world.state()) == ({"downloaded": 1, "bytes_down": len(octets("b"))}, ("a: b:",) * 3)

    def test_without_octets_though_it_has_some_it_is_told_and_nothing_is_stored(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def empty(self: FakeServer, mailbox: MailboxName, uids: list[Uid]) -> Iterator[Fetched]:
            return (Fetched(uid, NONE, 0, 0, iter(())) for uid in uids)

        world = World.of("a:", "", "")
        with monkeypatch.context() as patch:
            patch.setattr(FakeServer, "fetch", empty)
            world.sync()
        assert problems(world) == ["UID 1 not downloaded: the server delivers it without octets"]
        assert world.state() == ("a:", "", "")
        settles(world)

    def test_the_newest_comes_first(self) -> None:
        world = World.of("a: b: c:", "", "")
        ear = server_hears(world)
        world.sync()
        assert [what for what in ear.heard if what.startswith("FETCH")] == [f"FETCH INBOX {uid}" for uid in (3, 2, 1)]

    def test_flags_are_those_of_the_moment_it_was_fetched(self) -> None:
        world = World.of("a:", "", "")
        message = world.server.mailboxes[INBOX].messages[Uid(1)]
        server_hears(world, FETCH=lambda: setattr(message, "flags", frozenset({SEEN})))
        world.sync()
        assert world.state() == ("a:S",) * 3


LOST = ConnectionLostError("the connection was lost")


class TestTheNameIsTaken:
    """A file has the name that a download would get, and it cannot be told whether it is the same message."""

    def test_the_message_gets_another_name_in_the_same_pass(self) -> None:
        world = World.of("a:", "", "")
        own = UniqueName("INBOX!1000!1")

        def put_and_forbid() -> None:
            world.store.put(INBOX, own, octets("b"))
            store_hears(world, read_INBOX=MessageError(f"INBOX: {own} cannot be read"))

        store_hears(world, deliver_INBOX=put_and_forbid)
        world.sync()
        assert world.in_maildir() == "a: b:"
        settles(world)
        assert world.on_server() == "a: b:"


class TestTheConnectionIsLost:
    @pytest.mark.parametrize("batch", [1, 2, 500])
    def test_in_the_middle_of_a_fetch(self, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transfers, "DELIVERED_TOGETHER", batch)
        world = World.of("a: b: c: d: e:", "", "")
        server_hears(world, FETCH_INBOX_2=LOST)
        with pytest.raises(ConnectionLostError):
            world.sync()
        assert world.state() == ("a: b: c: d: e:", "c: d: e:", "c: d: e:")
        assert counted(world) == {"downloaded": 3, "bytes_down": 3 * len(octets("a"))}
        ear = server_hears(world)
        world.sync()
        assert [what for what in ear.heard if what.startswith("FETCH")] == ["FETCH INBOX 2", "FETCH INBOX 1"]
        assert world.state() == ("a: b: c: d: e:",) * 3

    def test_in_the_middle_of_a_message(self) -> None:
        world = World.of("a: b:", "", "")
        store_hears(world, deliver_INBOX_INBOX=LOST)
        with pytest.raises(ConnectionLostError):
            world.sync()
        assert world.state() == ("a: b:", "", "")
        settles(world)
        assert world.in_maildir() == "a: b:"

    @pytest.mark.parametrize("tells_uids", [True, False])
    @pytest.mark.parametrize("when", ["APPEND_INBOX_b", "done_APPEND_INBOX_b"])
    def test_in_the_middle_of_an_append(self, when: str, tells_uids: bool) -> None:
        world = World.of("", "", "a:S b:F c:")
        world.server.tells_uids = tells_uids
        server_hears(world, **{when: LOST})
        with pytest.raises(ConnectionLostError):
            world.sync()
        assert world.on_server() == ("a:S b:F" if when.startswith("done") else "a:S")
        assert {intent.name for intent in world.index.intents(INBOX)} == ({"b", "c"} if tells_uids else {"a", "b", "c"})
        well(world)
        world.sync()
        assert world.state() == ("a:S b:F c:",) * 3
        assert world.index.intents(INBOX) == ()

    @pytest.mark.parametrize(("messages", "octets_"), [(2, 10**9), (500, 2 * len(octets("a")))])
    def test_what_was_appended_before_is_recorded(
        self, messages: int, octets_: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also if the run is killed at once."""
        monkeypatch.setattr(uploads, "BATCH_MESSAGES", messages)
        monkeypatch.setattr(uploads, "BATCH_OCTETS", octets_)
        world = World.of("", "", "a: b: c: d: e:")
        recorded: list[int] = []
        server_hears(world, APPEND_INBOX_e=lambda: recorded.append(len(world.index.pairs(INBOX))))
        world.sync()
        assert recorded == [4]

    def test_every_message_is_announced_before_it_is_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bench.batches, "__defaults__", (2,))
        world = World.of("", "", "a: b: c: d: e:")
        announced: list[set[str]] = []
        server_hears(world, APPEND=lambda: announced.append({str(each.name) for each in world.index.intents(INBOX)}))
        world.sync()
        assert announced == [{*"ab"}, {*"ab"}, {*"abcd"}, {*"abcd"}, {*"abcde"}]

    def test_in_an_append_whose_message_the_server_changes(self) -> None:
        world = World.of("", "", "a:")
        server_hears(world, done_APPEND=LOST)
        with pytest.raises(ConnectionLostError):
            world.sync()
        (message,) = world.server.mailboxes[INBOX].messages.values()
        message.octets += b"A line that the server adds.\r\n"
        well(world)
        world.sync()
        assert world.state()[0] == "a:"
        assert world.planned() == ["a: record"]

    @pytest.mark.parametrize("when", ["MOVE", "done_MOVE"])
    def test_in_a_move(self, when: str) -> None:
        world = World.of("a:S b: Work/", "a:S b:", "Work/a:S Work/b:F")
        server_hears(world, **{when: LOST})
        with pytest.raises(ConnectionLostError):
            world.sync()
        settles(world)
        assert (world.on_server(), world.store.attic) == ("Work/a:S Work/b:F", [])

    @pytest.mark.parametrize("when", ["STORE", "done_STORE", "EXPUNGE", "done_EXPUNGE"])
    def test_in_an_expunge(self, when: str) -> None:
        world = World.of("a: b:", "a: b:", "b:")
        server_hears(world, **{when: LOST})
        with pytest.raises(ConnectionLostError):
            world.sync()
        settles(world)
        assert world.on_server() == "b:"

    def test_and_what_was_planned_for_other_mailboxes_waits(self) -> None:
        world = World.of("a: Work/b:", "", "Work/")
        server_hears(world, FETCH_INBOX=LOST)
        with pytest.raises(ConnectionLostError):
            world.sync()
        assert world.in_maildir() == ""
        settles(world)


class TestTheConnectionIsFreeWhileTheLastBatchIsMadeDurable:
    """What is not durable is not recorded, whatever has come since."""

    def test_the_next_mailbox_is_fetched_meanwhile(self) -> None:
        world = World.of("a: Work/b:", "", "Work/")
        fetched = threading.Event()
        recorded: list[str] = []

        def wait_for_the_next() -> None:
            assert fetched.wait(10)
            recorded.append(world.state()[1])

        server_hears(world, FETCH_Work=fetched.set)
        store_hears(world, commit_INBOX=wait_for_the_next)
        world.sync()
        assert "a" not in recorded[0]
        assert world.state() == ("Work/b: a:",) * 3

    def test_it_fails(self) -> None:
        world = World.of("a: Work/b: Z/c:", "", "Work/ Z/")
        fetched = threading.Event()

        def fail() -> None:
            assert fetched.wait(10)
            raise StoreError("the disk is full")

        server_hears(world, FETCH_Work=fetched.set)
        store_hears(world, commit_INBOX=fail)
        with pytest.raises(StoreError, match="the disk is full"):
            world.sync()
        _, index, local = world.state()
        assert index == local
        assert "a:" not in index
        settles(world)
        assert world.in_maildir() == "Work/b: Z/c: a:"

    def test_the_connection_is_lost_on_the_next_mailbox(self) -> None:
        world = World.of("a: Work/b:", "", "Work/")
        lost = threading.Event()

        def lose() -> None:
            lost.set()
            raise LOST

        server_hears(world, FETCH_Work=lose)
        store_hears(world, commit_INBOX=lambda: lost.wait(10))
        with pytest.raises(ConnectionLostError):
            world.sync()
        assert world.state() == ("Work/b: a:", "a:", "a:")
        settles(world)

    def test_what_is_left_to_do_on_the_server_comes_first(self) -> None:
        world = World.of("a: Work/b:", "", "c: Work/")
        ear = server_hears(world)
        store_hears(world, commit_INBOX=lambda: time.sleep(0.02))
        world.sync()
        heard = [what for what in ear.heard if what.startswith(("APPEND", "FETCH"))]
        assert heard == ["FETCH INBOX 1", "APPEND INBOX c", "FETCH Work 1"]

    def test_a_message_that_did_not_come_is_asked_for_before_the_connection_is_free(self) -> None:
        world = World.of("a: b: Work/c:", "", "Work/")
        server_hears(world, FETCH_INBOX_1=lambda: "withhold")
        world.sync()
        assert problems(world) == ["UID 1 not downloaded: the server lists it but does not deliver it"]
        assert world.state()[1:] == ("Work/c: b:",) * 2


class TestStopping:
    """Between batches; what was done is recorded, and nothing else is begun."""

    @pytest.fixture(autouse=True)
    def small_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transfers, "DELIVERED_TOGETHER", 2)
        monkeypatch.setattr(moves, "MOVE_MESSAGES", 2)
        monkeypatch.setattr(bench.batches, "__defaults__", (2,))

    @pytest.mark.parametrize(
        ("server", "index", "local", "at", "expected"),
        [
            pytest.param("a: b: c: d: e:", "", "", "FETCH INBOX 4", ("a: b: c: d: e:", "d: e:", "d: e:"), id="download"),
            pytest.param("", "", "a: b: c: d: e:", "APPEND INBOX b", ("a: b:", "a: b:", "a: b: c: d: e:"), id="append"),
            pytest.param("", "a: b: c:", "a: b: c:", "remove INBOX a", ("", "c:", "c:"), id="remove"),
            pytest.param("a: b: c:", "a: b: c:", "", "EXPUNGE INBOX", ("c:", "c:", ""), id="expunge"),
            pytest.param("a: b: c: Work/", "a: b: c:", "Work/a: Work/b: Work/c:", "MOVE INBOX", ("Work/a: Work/b: c:", "Work/a: Work/b: c:", "Work/a: Work/b: Work/c:"), id="move there"),
            pytest.param("Work/a: Work/b: Work/c:", "a: b: c:", "a: b: c: Work/", "move INBOX a", ("Work/a: Work/b: Work/c:", "Work/a: Work/b: c:", "Work/a: Work/b: c:"), id="move here"),
        ],
    )  # fmt: skip
    def test_after_the_batch(
        self, server: str, index: str, local: str, at: str, expected: tuple[str, str, str]
    ) -> None:
        world = World.of(server, index, local)
        stop = threading.Event()
        world.server.hears = world.store.hears = Ear({at: stop.set})
        with pytest.raises(StoppedError, match="the next sync goes on from here"):
            world.sync(stop=stop)
        assert world.state() == expected
        settles(world)

    def test_batches_change_nothing_about_the_result(self) -> None:
        world = World.of("a: b: c: d: e: Work/x: Work/", "f: g: h: x:", "f: g: h: x: i: j: k:")
        world.sync()
        assert world.report.ok
        assert world.state() == ("Work/x: a: b: c: d: e: i: j: k:",) * 3


class TestUidsThatCannotBeNew:
    """What the server tells is not recorded where it names another message; a second look finds out."""

    @pytest.mark.parametrize("told", [[1, 1], [3, 3]], ids=["there before", "the same one twice"])
    def test_of_what_was_appended(self, told: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        append = FakeServer.append

        def wrong(
            self: FakeServer, mailbox: MailboxName, messages: Iterable[tuple[Outgoing, Flags]]
        ) -> Iterator[Appended]:
            for appended, uid in zip(append(self, mailbox, messages), told, strict=True):
                yield replace(appended, uid=Uid(uid))

        monkeypatch.setattr(FakeServer, "append", wrong)
        world = World.of("a: x:", "a: x:", "a: x: b: c:")
        world.sync()
        assert world.state() == ("a: b: c: x:",) * 3
        assert {pair.name: pair.uid for pair in world.index.pairs(INBOX)} == {"a": 1, "x": 2, "b": 3, "c": 4}

    @pytest.mark.parametrize("told", [[1, 1], [2, 2]], ids=["there before", "the same one twice"])
    def test_of_what_was_moved(self, told: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        move = FakeServer.move

        def wrong(self: FakeServer, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName) -> dict[Uid, Uid]:
            return dict(zip(move(self, mailbox, uids, target), map(Uid, told), strict=True))

        monkeypatch.setattr(FakeServer, "move", wrong)
        world = World.of("a: b: Work/x:", "a: b: Work/x:", "Work/x: Work/a: Work/b:")
        world.sync()
        assert world.state() == ("Work/a: Work/b: Work/x:",) * 3
        assert {pair.name: pair.uid for pair in world.index.pairs(WORK)} == {"x": 1, "a": 2, "b": 3}

    @pytest.mark.parametrize(("moved", "appended"), [(2, 2), (3, 3)], ids=["the APPEND", "the MOVE"])
    def test_of_what_was_appended_after_something_was_moved_in(
        self, moved: int, appended: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        append, move = FakeServer.append, FakeServer.move

        def wrong(
            self: FakeServer, mailbox: MailboxName, messages: Iterable[tuple[Outgoing, Flags]]
        ) -> Iterator[Appended]:
            for told in append(self, mailbox, messages):
                yield replace(told, uid=Uid(appended))

        def wrong_too(
            self: FakeServer, mailbox: MailboxName, uids: Collection[Uid], target: MailboxName
        ) -> dict[Uid, Uid]:
            return {uid: Uid(moved) for uid in move(self, mailbox, uids, target)}

        monkeypatch.setattr(FakeServer, "append", wrong)
        monkeypatch.setattr(FakeServer, "move", wrong_too)
        world = World.of("a: Work/m:", "a: Work/m:", "a: b:S m:F Work/")
        world.sync()
        assert world.state() == ("a: b:S m:F",) * 3
        assert {pair.name: pair.uid for pair in world.index.pairs(INBOX)} == {"a": 1, "m": 2, "b": 3}
        settles(world)


def test_what_was_recorded_of_uploads_before_the_index_failed_stays_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.of("a:", "a:", "a: b:")
    settle, failures = world.index.settle, [StoreError("the disk is full")]

    def failing(mailbox: MailboxName, names: Collection[UniqueName]) -> None:
        if failures:
            raise failures.pop()
        settle(mailbox, names)

    monkeypatch.setattr(world.index, "settle", failing)
    monkeypatch.setattr(uploads, "BATCH_MESSAGES", 1)
    with pytest.raises(StoreError, match="the disk is full"):
        world.sync()
    assert {pair.name: pair.uid for pair in world.index.pairs(INBOX)} == {"a": 1, "b": 2}
    settles(world)


class TestUidsThatAreNotTold:
    @pytest.mark.parametrize("uidplus", [True, False])
    def test_what_was_appended_is_paired_by_a_second_look_and_not_copied(self, uidplus: bool) -> None:
        world = World.of("a:", "a:", "a: b:S c: c:")
        world.server.tells_uids, world.server.uidplus = False, uidplus
        world.sync()
        assert len(world.plans) == 2
        assert counted(world) == {"uploaded": 3, "bytes_up": 3 * len(octets("b"))}
        assert world.state() == ("a: b:S c: c:",) * 3
        assert world.index.intents(INBOX) == ()
        settles(world)

    def test_what_was_moved_is_paired_by_a_second_look(self) -> None:
        world = World.of("a: b: Work/", "a: b:", "Work/a:S Work/b:")
        world.server.tells_uids = False
        world.sync()
        assert world.state() == ("Work/a:S Work/b:",) * 3
        assert world.store.attic == []
        settles(world)

    def test_what_was_moved_is_counted(self) -> None:
        world = World.of("a: b: Work/", "a: b:", "Work/a: Work/b:")
        world.server.tells_uids = False
        world.sync()
        assert counted(world) == {"moved_remote": 2}

    def test_a_server_that_changes_what_is_appended_gets_one_copy(self) -> None:
        world = World.of("", "", "a:")
        world.server.uidplus = False

        def rewrite() -> None:
            for message in world.server.mailboxes[INBOX].messages.values():
                message.octets = b"X-Scanned: yes\r\n" + message.octets.removeprefix(b"X-Scanned: yes\r\n")

        server_hears(world, done_APPEND=rewrite)
        world.sync()
        world.sync()
        assert world.on_server() == "a:"

    def test_another_message_that_arrives_as_ours_is_filed_away_is_not_taken_for_it(self) -> None:
        world = World.of("Junk/", "", "a: Junk/")
        world.server.uidplus = False

        def file_away() -> None:
            boxes = world.server.mailboxes
            boxes[MailboxName("Junk")].add(boxes[INBOX].messages.pop(Uid(1)))
            world.server.deliver(INBOX, octets("z"), internaldate=1_234_567_890)

        server_hears(world, done_APPEND=file_away)
        world.sync()
        well(world)
        world.sync()
        assert "z:" in world.in_maildir().split()

    def test_what_was_uploaded_and_is_gone_is_not_uploaded_again(self) -> None:
        world = World.of("", "", "a:")
        world.server.uidplus = False
        server_hears(world, done_APPEND=world.server.mailboxes[INBOX].messages.clear)
        for _ in range(2):
            world.sync()
            assert (world.on_server(), world.in_maildir()) == ("", "a:")
        assert world.report.mailbox(INBOX).notes == [
            "1 uploaded, but it is not known which message on the server it became: not uploaded again"
        ]
