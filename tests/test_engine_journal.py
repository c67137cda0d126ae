"""What a pass puts into the journal: each thing that was done, why, and to which messages."""

import pytest
from mortality import Killed, Mortality
from worlds import World, octets

from syncer.reconcile.events import VERBS, Event
from syncer.reconcile.flags import SEEN
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.policy import Limits, Policy

WORK = MailboxName("Work")


def told(world: World) -> set[tuple[str, str, str, tuple[int, ...], tuple[str, ...], str]]:
    """The events of the last pass."""
    return {
        (event.mailbox, event.verb, event.reason, tuple(event.uids), tuple(event.names), event.detail)
        for at, event in world.index.events
        if at == world.clock
    }


def test_everything_that_is_done_is_told_with_its_reason() -> None:
    world = World.of("a:S c: e: g: Work/w:", "a: b: c: d: Work/w:", "a:F b: f: Work/w:")
    world.sync()
    assert told(world) == {
        ("INBOX", "flags sent", "flags changed on the server and in the Maildir", (1,), (), "+\\Flagged"),
        ("INBOX", "flags received", "flags changed on the server and in the Maildir", (1,), (), "+\\Seen"),
        ("INBOX", "downloaded", "new on the server", (6, 5), (), ""),
        ("INBOX", "uploaded", "new in the Maildir", (7,), ("f",), ""),
        ("INBOX", "removed from the Maildir", "expunged on the server", (2,), ("b",), ""),
        ("INBOX", "deleted on the server", "deleted in the Maildir", (3,), ("c",), ""),
        ("INBOX", "forgotten", "gone on both sides", (4,), (), ""),
    }
    world.sync()
    assert told(world) == set()


@pytest.mark.parametrize(
    ("server", "local", "verb", "reason"),
    [
        ("a: Work/", "Work/a:", "moved on the server", "moved in the Maildir"),
        ("Work/a:", "a: Work/", "moved in the Maildir", "moved on the server"),
    ],
)
def test_a_move_is_told_in_both_mailboxes(server: str, local: str, verb: str, reason: str) -> None:
    world = World.of(server, "a:", local)
    world.sync()
    (pair,) = world.index.pairs(WORK)
    assert told(world) == {
        ("INBOX", verb, reason, (1,), (), "to Work"),
        ("Work", verb, reason, (pair.uid,), (pair.name,), "from INBOX"),
    }


def test_a_message_that_was_found_on_both_sides_is_told_as_recognised() -> None:
    world = World.of("a:", "", "a:S")
    world.sync()
    assert told(world) == {
        ("INBOX", "flags sent", "the same message on both sides", (1,), (), "+\\Seen"),
        ("INBOX", "recognised", "the same message on both sides", (1,), ("a",), ""),
    }


def test_the_trash_and_a_server_without_uidplus_are_told_apart() -> None:
    trash = Policy(limits=Limits(max_delete=1.0), on_local_delete="trash")
    world = World.of("a: b: Trash/", "a: b: Trash/", "b: Trash/", policy=trash)
    world.server.special[MailboxName("Trash")] = "\\trash"
    world.sync()
    assert ("INBOX", "moved to the trash", "deleted in the Maildir", (1,), ("a",), "Trash") in told(world)
    world = World.of("a: b:", "a: b:", "b:")
    world.server.uidplus = False
    world.sync()
    assert told(world) == {("INBOX", "deleted on the server", "deleted in the Maildir; only marked", (1,), (), "")}


def test_a_mailbox_that_was_renumbered_is_told() -> None:
    world = World()
    world.server.deliver(INBOX, octets("a"))
    world.sync()
    world.server.mailboxes[INBOX].uidvalidity = UidValidity(7)
    world.sync()
    reason = "UIDVALIDITY changed from 1000 to 7: matched again by content, 1 message recognised, 0 not on the server"
    assert told(world) == {("INBOX", "renumbered", f"{reason} any more", (), (), "")}


def test_what_was_done_and_not_recorded_is_told_by_the_pass_that_finds_it() -> None:
    world = World.of("a:", "", "")
    world.index.rows.clear()
    world.sync()
    effects = Mortality()
    world.server.deliver(INBOX, octets("b"), frozenset({SEEN}))
    world.mortal(effects)
    world.mortal(Mortality(1))
    with pytest.raises(Killed):
        world.sync()
    world.index.events.clear()
    world.mortal(Mortality())
    world.sync()
    ((_, event),) = world.index.events
    assert (event.verb, event.uids) in [("recognised", [Uid(2)]), ("downloaded", (Uid(2),))]


def test_every_verb_can_be_told() -> None:
    assert all(Event(INBOX, verb, "", names=[UniqueName("a")]).verb == verb for verb in VERBS)
