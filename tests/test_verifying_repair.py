"""What a repair makes of what is found, and that a kill in the middle of one costs nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from fake_server import fingerprint
from mortality import Killed, Mortality
from verifications import (
    BAD,
    WORK,
    damage_file,
    damage_index,
    damage_server,
    file_of,
    name_of,
    sides,
    snapshot,
    summary,
    synced,
    verify,
)
from worlds import World, octets

from syncer.errors import ConnectionLostError, MessageError, ServerRefusedError
from syncer.reconcile.identity import INBOX, MailboxName, Uid
from syncer.reconcile.observations import PairState
from syncer.reconcile.policy import Policy
from syncer.verification import AccountVerification


class TestRepair:
    def test_a_damaged_file_comes_from_the_server_and_a_sync_has_nothing_to_do(self) -> None:
        world = synced()
        damage_file(world)
        report = verify(world, repair=True)
        assert (summary(report), report.ok) == ({"damaged": [(1, True)]}, True)
        assert file_of(world, 1).octets == octets("a")
        assert world.store.attic == [(INBOX, name_of(world, 1), BAD)]
        self.nothing_left(world)

    def test_a_wrong_digest_is_corrected(self) -> None:
        world = synced()
        damage_index(world)
        assert summary(verify(world, repair=True)) == {"index_wrong": [(1, True)]}
        assert world.rows(INBOX).pairs[Uid(1)].fingerprint == fingerprint(octets("a"))
        self.nothing_left(world)

    @pytest.mark.parametrize("first", [0, 1])
    def test_the_two_are_not_mixed_up_in_another_epoch(self, first: int) -> None:
        world = synced()
        damage_server(world)
        assert verify(world, repair=True).ok
        world.sync()
        box = world.server.mailboxes[INBOX]
        messages = list(box.messages.values())
        box.messages.clear()
        box.uidvalidity += 1  # type: ignore[assignment]
        box.uidnext = 1
        for message in [*messages[first:], *messages[:first]]:
            box.add(message)
        world.sync()
        del box.messages[next(uid for uid, message in box.messages.items() if message.octets == BAD)]
        world.sync()
        files = world.store.directories[INBOX].files.values()
        assert sorted(file.octets for file in files) == [octets(name) for name in "abcdefgh"]

    @pytest.mark.parametrize("uidplus", [True, False])
    def test_a_body_that_differs_on_the_server_is_uploaded_beside_it(self, uidplus: bool) -> None:
        world = synced()
        world.server.uidplus = uidplus
        damage_server(world)
        report = verify(world, repair=True)
        assert summary(report) == {"server_differs": [(1, uidplus)]}
        messages = world.server.mailboxes[INBOX].messages
        assert (messages[Uid(1)].octets, messages[Uid(9)].octets) == (BAD, octets("a"))
        if not uidplus:
            (one,) = report.mailbox(INBOX).found
            assert one.said == "uploaded; the next sync finds out its UID"
            world.sync()
        self.nothing_left(world)
        assert world.in_maildir() == "a: b: c: d: e: f: g: h:"
        assert world.store.attic == []

    def test_the_copy_that_was_left_on_the_server_is_not_restored(self) -> None:
        world = synced()
        damage_server(world)
        verify(world, repair=True)
        world.sync()
        assert world.sync(Policy(restore=True)).ok
        assert world.in_maildir() == "a: b: c: d: e: f: g: h:"

    def test_a_repair_is_done_once_on_a_server_that_changes_every_upload(self) -> None:
        world = synced()
        damage_server(world)
        box = world.server.mailboxes[INBOX]
        add = box.add
        box.add = lambda message: add(replace_octets(message))  # type: ignore[method-assign]
        report = verify(world, repair=True)
        assert (summary(report), report.ok) == ({"server_differs": [(1, False)]}, False)
        report = verify(world, repair=True)
        assert (summary(report), report.ok) == ({"rewritten": [(9, False)]}, True)
        assert sorted(box.messages) == list(range(1, 10))

    def test_another_message_under_a_uid_is_left_alone(self) -> None:
        world = synced()
        world.server.mailboxes[INBOX].messages[Uid(1)].octets = octets("z")
        before = snapshot(world)
        assert summary(verify(world, repair=True)) == {"server_differs": [(1, False)]}
        assert snapshot(world) == before

    def test_where_most_differ_on_the_server_nothing_is_uploaded(self) -> None:
        world = synced()
        for message in list(world.server.mailboxes[INBOX].messages.values())[:5]:
            message.octets = message.octets[:-3] + b"X\r\n"
        before = snapshot(world)
        report = verify(world, repair=True)
        assert (report.mailbox(INBOX).held or "").startswith("5 messages, like most of the mailbox, differ on the serv")
        assert snapshot(world) == before

    def test_where_most_of_many_small_mailboxes_differ_nothing_is_uploaded(self) -> None:
        world = World()
        for name in "abcde":
            world.server.deliver(MailboxName(name.upper()), octets(name))
        world.sync()
        for name in "abc":
            world.server.mailboxes[MailboxName(name.upper())].messages[Uid(1)].octets = octets(name)[:-3] + b"X\r\n"
        before = snapshot(world)
        report = verify(world, repair=True)
        held = [(box.held or "")[:50] for box in report.mailboxes.values() if box.held]
        assert held == ["1 message, like most of the account, differ on the"] * 3
        assert snapshot(world) == before

    def test_nothing_is_repaired_where_no_side_is_provably_whole(self) -> None:
        world = synced()
        damage_file(world)
        world.server.mailboxes[INBOX].messages[Uid(1)].octets = BAD + b"more\r\n"
        before = snapshot(world)
        assert summary(verify(world, repair=True)) == {"undecided": [(1, False)]}
        assert snapshot(world) == before

    @pytest.mark.parametrize(
        ("damage", "task", "said"),
        [
            (damage_file, {"to_local": False}, 'not repaired: direction = "push" never changes the Maildir'),
            (damage_server, {"to_server": False}, 'not repaired: direction = "pull" never changes the server'),
        ],
    )
    def test_the_direction_is_kept(self, damage: Callable[[World], None], task: dict[str, bool], said: str) -> None:
        world = synced()
        damage(world)
        before = snapshot(world)
        (found,) = verify(world, repair=True, **task).mailbox(INBOX).found
        assert (found.repaired, found.said, snapshot(world)) == (False, said, before)

    def test_a_read_only_mailbox_is_not_written_to(self) -> None:
        world = synced()
        damage_server(world)
        world.server.mailboxes[INBOX].writable = False
        (found,) = verify(world, repair=True).mailbox(INBOX).found
        assert (found.repaired, found.said) == (False, "not repaired: the mailbox is read-only on the server")

    def test_what_cannot_be_put_in_place_is_said(self) -> None:
        world = synced()
        damage_file(world)

        def full(deed: str) -> None:
            if deed.startswith("mend"):
                raise MessageError("permission denied")

        world.store.hears = full
        (found,) = verify(world, repair=True).mailbox(INBOX).found
        assert (found.repaired, found.said) == (False, "not repaired: permission denied")

    def test_after_a_lost_connection_what_was_repaired_is_still_told(self) -> None:
        world = synced()
        damage_file(world)
        world.server.deliver(WORK, octets("x"))
        world.sync()
        file_of(world, 1, WORK).octets = BAD
        lost, fetched = iter([True]), list[str]()

        def lose(command: str) -> None:
            if command.startswith("FETCH"):
                fetched.append(command)
            if command == f"FETCH {WORK} 1" and file_of(world, 1).octets == octets("a") and next(lost, False):
                raise ConnectionLostError("gone")

        world.server.hears = lose
        report, done = AccountVerification("test"), dict[MailboxName, set[Uid]]()
        with pytest.raises(ConnectionLostError):
            verify(world, report, done, repair=True)
        fetched.clear()
        verify(world, report, done, repair=True)
        assert fetched == [f"FETCH {WORK} 1"]
        assert (summary(report), summary(report, WORK)) == ({"damaged": [(1, True)]}, {"damaged": [(1, True)]})
        assert (report.ok, report.mailbox(INBOX).checked) == (True, 8)

    def test_a_connection_lost_while_reading_costs_what_was_not_read(self) -> None:
        world = synced()
        damage_file(world)
        world.server.deliver(WORK, octets("x"))
        world.sync()
        lost = iter([True])

        def lose(command: str) -> None:
            if command == f"FETCH {WORK} 1" and next(lost, False):
                raise ConnectionLostError("gone")

        world.server.hears = lose
        report, done = AccountVerification("test"), dict[MailboxName, set[Uid]]()
        with pytest.raises(ConnectionLostError):
            verify(world, report, done)
        assert (summary(report), done) == ({"damaged": [(1, False)]}, {INBOX: set(range(1, 9)), WORK: set()})
        verify(world, report, done)
        assert (summary(report), report.mailbox(INBOX).checked, report.mailbox(WORK).checked) == (
            {"damaged": [(1, False)]},
            8,
            1,
        )

    def test_what_the_server_refuses_is_left_as_it_was(self) -> None:
        world = synced()
        damage_server(world)

        def refuse(command: str) -> None:
            if command.startswith("APPEND"):
                raise ServerRefusedError("over quota")

        world.server.hears = refuse
        pairs = dict(world.rows(INBOX).pairs)
        (found,) = verify(world, repair=True).mailbox(INBOX).found
        name = name_of(world, 1)
        assert (found.repaired, found.said) == (False, f"not repaired: {name} not uploaded: over quota")
        assert (world.rows(INBOX).pairs, world.rows(INBOX).intents) == (pairs, {})
        assert world.sync().ok

    @pytest.mark.parametrize("damage", [damage_file, damage_server, damage_index])
    @pytest.mark.parametrize("before", [True, False])
    @pytest.mark.parametrize("then_verify", [True, False])
    @pytest.mark.parametrize("rung", ["qresync", "plain"])
    def test_killed_at_any_effect_it_loses_and_doubles_nothing(
        self, damage: Callable[[World], None], before: bool, then_verify: bool, rung: Any
    ) -> None:
        for at in range(1, 30):
            world = synced()
            world.server.rung = rung
            world.sync()
            damage(world)
            world.mortal(Mortality(at, before))
            try:
                verify(world, repair=True)
            except Killed:
                alive = False
            else:
                alive = True
            world.mortal(Mortality())
            if then_verify:
                verify(world, repair=True)
            world.sync()
            assert world.in_maildir() == "a: b: c: d: e: f: g: h:"
            uploaded = world.rows(INBOX).pairs[Uid(1)].state is PairState.SERVER_ONLY
            assert len(world.server.mailboxes[INBOX].messages) == (9 if uploaded else 8)
            files = world.store.directories[INBOX].files.values()
            messages = world.server.mailboxes[INBOX].messages.values()
            assert octets("a") in {copy.octets for copy in (*files, *messages)}
            verify(world, repair=True)
            self.nothing_left(world)
            if alive:
                return
        pytest.fail("it never came to its end")

    @staticmethod
    def nothing_left(world: World) -> None:
        """All is whole, and a sync finds nothing to do."""
        assert summary(verify(world)) == {}
        before = sides(world)
        report = world.sync()
        assert (report.ok, [box.name for box in report.mailboxes.values() if box.changed]) == (True, [])
        assert world.planned() == []
        assert sides(world) == before


def replace_octets(message: Any) -> Any:
    message.octets = b"X-Server: yes\r\n" + message.octets
    return message
