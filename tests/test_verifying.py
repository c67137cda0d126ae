"""What verifying finds, in memory."""

import threading
from collections.abc import Callable

import pytest
from fake_server import FakeServer
from verifications import (
    BAD,
    WORK,
    Summary,
    damage_file,
    damage_index,
    damage_server,
    file_of,
    name_of,
    snapshot,
    summary,
    synced,
    verify,
)
from worlds import Quiet, World, octets

from syncer.crew import Crew
from syncer.errors import MessageError, StoppedError
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.flags import FLAGGED
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import PairState
from syncer.reconcile.verdicts import Kind, Subset
from syncer.values import replace
from syncer.verification import AccountVerification
from syncer.verifying import Task, Verify


class TestWhatIsFound:
    def test_nothing_where_all_is_whole(self) -> None:
        world = synced()
        report = verify(world)
        found = report.mailbox(INBOX)
        assert (found.ok, found.messages, found.checked, found.found) == (True, 8, 8, [])

    @pytest.mark.parametrize(
        ("damage", "expected"),
        [
            (damage_file, {"damaged": [(1, False)]}),
            (damage_server, {"server_differs": [(1, False)]}),
            (damage_index, {"index_wrong": [(1, False)]}),
        ],
    )
    def test_a_damage_is_found_wherever_it_is_and_without_repair_nothing_is_changed(
        self, damage: Callable[[World], None], expected: Summary
    ) -> None:
        world = synced()
        damage(world)
        before = snapshot(world)
        report = verify(world, connections=3)
        assert (summary(report), report.ok) == (expected, False)
        assert snapshot(world) == before

    def test_what_a_sync_would_carry_out_is_told_and_left(self) -> None:
        world = synced()
        del world.store.directories[INBOX].files[name_of(world, 1)]
        del world.server.mailboxes[INBOX].messages[Uid(2)]
        del world.store.directories[INBOX].files[name_of(world, 3)]
        del world.server.mailboxes[INBOX].messages[Uid(3)]
        world.server.deliver(INBOX, octets("x"))
        world.store.put(INBOX, UniqueName("y"), octets("y"))
        file_of(world, 4).flags = frozenset({FLAGGED})
        world.server.mailboxes[INBOX].messages[Uid(5)].flags = frozenset({FLAGGED})
        before = snapshot(world)
        report = verify(world, repair=True)
        found = report.mailbox(INBOX)
        assert summary(report) == {"missing_local": [(1, False)], "missing_server": [(2, False)]}
        assert (found.new_local, found.new_server, found.flags, found.checked) == (1, 1, 2, 5)
        assert (found.ok, snapshot(world)) == (False, before)

    def test_a_version_of_the_server_s_own_is_no_damage(self) -> None:
        world = World()
        world.store.put(INBOX, UniqueName("mine"), octets("a"))
        world.sync()
        changed = b"X-Server: yes\r\n" + octets("a")
        world.server.mailboxes[INBOX].messages[Uid(1)].octets = changed
        report = verify(world, repair=True)
        assert (summary(report), report.ok) == ({"rewritten": [(1, False)]}, True)
        assert list(world.server.mailboxes[INBOX].messages) == [1]

    def test_a_message_kept_on_one_side_alone_is_read_there(self) -> None:
        world = synced("abc")
        rows = world.rows(INBOX).pairs
        for uid, state in ((Uid(1), PairState.SERVER_ONLY), (Uid(2), PairState.LOCAL_ONLY)):
            rows[uid] = replace(rows[uid], state=state)
        del world.store.directories[INBOX].files[rows[Uid(1)].name]
        del world.server.mailboxes[INBOX].messages[Uid(2)]
        assert (summary(verify(world)), verify(world).mailbox(INBOX).checked) == ({}, 3)
        file_of(world, 2).octets = BAD
        world.server.mailboxes[INBOX].messages[Uid(1)].octets = BAD
        assert summary(verify(world, repair=True)) == {"damaged": [(2, False)], "undecided": [(1, False)]}

    def test_a_mailbox_that_is_not_the_one_the_index_knows_is_not_compared(self) -> None:
        world = synced()
        world.rows(INBOX).epoch = Epoch(UidValidity(3))
        before = snapshot(world)
        report = verify(world, repair=True)
        assert report.mailbox(INBOX).refused == (
            "UIDVALIDITY changed from 3 to 1000: nothing was compared. A sync matches its messages again by content"
        )
        assert snapshot(world) == before

    def test_a_mailbox_missing_on_a_side_or_in_the_index_fails_and_the_others_are_verified(self) -> None:
        world = synced("ab", WORK)
        for name in "xy":
            world.server.deliver(MailboxName(name), octets(name))
        world.sync()
        del world.store.directories[MailboxName("x")]
        del world.server.mailboxes[MailboxName("y")]
        report = verify(world)
        assert {name: box.trouble for name, box in report.mailboxes.items()} == {
            INBOX: None,
            WORK: None,
            "x": "its directory is missing in the Maildir; syncer sync says what becomes of that",
            "y": "there is no mailbox y on the server",
        }
        assert report.mailbox(WORK).checked == 2
        report = verify(world, mailboxes=frozenset({WORK, MailboxName("z")}))
        assert {name: box.trouble for name, box in report.mailboxes.items()} == {
            WORK: None,
            "z": "the index does not know it yet; syncer sync test first",
        }

    def test_what_is_not_delivered_or_not_readable_is_said(self) -> None:
        world = synced("abc")

        def withhold(command: str) -> str | None:
            return "withhold" if command == f"FETCH {INBOX} 1" else None

        def unreadable(deed: str) -> None:
            if deed == f"examine {INBOX} {name_of(world, 2)}":
                raise MessageError("the disk reports an error")

        world.server.hears, world.store.hears = withhold, unreadable
        report = verify(world)
        assert summary(report) == {"unreadable": [(2, False)], "not_read": [(1, False)]}
        (found,) = report.mailbox(INBOX).of(Kind.UNREADABLE)
        assert (found.reason, report.mailbox(INBOX).checked) == ("the disk reports an error", 1)

    @pytest.mark.parametrize("connections", [1, 3])
    def test_every_message_is_in_one_part(self, connections: int) -> None:
        world = synced("abcdefg")
        for file in world.store.directories[INBOX].files.values():
            file.octets = b"damaged"
        parts = [verify(world, subset=Subset(part, 3), connections=connections) for part in (1, 2, 3)]
        assert [[uid for uid, _ in summary(part)["damaged"]] for part in parts] == [[1, 4, 7], [2, 5], [3, 6]]


def test_it_stops_when_it_is_asked_to() -> None:
    world = synced()
    stop = threading.Event()
    stop.set()
    with Crew(lambda: FakeServer(world.server), 1, stop) as crew, pytest.raises(StoppedError):
        Verify(
            Task("test", lambda _: True),
            crew,
            world.store,
            world.index,
            AccountVerification("test"),
            Quiet(),
            lambda: world.clock,
        ).run()
