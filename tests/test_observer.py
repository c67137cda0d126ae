"""What is looked at, what is asked for, and how it becomes an observation."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from ears import server_hears, store_hears
from fake_server import FakeServer, StoredMessage, fingerprint
from worlds import Quiet, World, octets

from syncer.crew import Crew
from syncer.errors import MailboxError, VanishedError
from syncer.observer.evidence import evidence, names_elsewhere, paired
from syncer.observer.glance import Glance, Shortcuts
from syncer.observer.impostors import HIGHEST, SAMPLE
from syncer.observer.look import Observer
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.flags import FLAGGED, NONE, SEEN
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.matches import Evidence
from syncer.reconcile.observations import Intent, LocalMessage, Observation, PairState
from syncer.reconcile.places import Places

FULL = Shortcuts("", 0, 0, never=True)
WORK, JOB, PLAY = MailboxName("Work"), MailboxName("Job"), MailboxName("Play")


@contextmanager
def observer(
    world: World,
    wants: Callable[[str], bool] = lambda name: True,
    connections: int = 1,
    shortcuts: Shortcuts | None = None,
) -> Iterator[Observer]:
    with Crew(lambda: FakeServer(world.server), connections, threading.Event()) as crew:
        yield Observer(Glance("test", crew, world.store, world.index, wants, shortcuts or FULL), Quiet(), renews=False)


def seen(world: World, mailbox: MailboxName = INBOX) -> Observation:
    with observer(world) as eyes:
        look = eyes.look(eyes.glance.places(), [mailbox], {(mailbox, "server"): 3, (WORK, "local"): 5})
    (found,) = look.observations
    return found


def names(text: str) -> frozenset[MailboxName]:
    return frozenset(map(MailboxName, text.split()))


class TestPlaces:
    def test_where_the_mailboxes_are(self) -> None:
        world = World.of("Work/", "Job/", "Play/")
        del world.server.mailboxes[JOB], world.server.mailboxes[PLAY]
        del world.store.directories[WORK], world.store.directories[JOB]
        del world.index.rows[WORK], world.index.rows[PLAY]
        with observer(world) as eyes:
            known = {name: rows.epoch for name, rows in world.index.rows.items()}
            assert eyes.glance.places() == Places(known, names("INBOX Work"), names("INBOX Play"))

    def test_mailboxes_that_are_left_out_are_nowhere(self) -> None:
        world = World.of("Work/a:", "Work/a:", "Work/a:")
        with observer(world, lambda name: name != "Work") as eyes:
            places = eyes.glance.places()
        assert (set(places.known), places.server, places.local) == ({INBOX}, names("INBOX"), names("INBOX"))

    def test_only_what_list_left_out_is_asked_for_by_name(self) -> None:
        world = World.of("Work/ Job/", "", "")
        world.server.unlisted = {WORK}
        del world.server.mailboxes[JOB]
        ear = server_hears(world)
        with observer(world) as eyes:
            assert eyes.glance.places().server == names("INBOX Work")
        assert ear.heard == ["LIST", "STATUS Job", "STATUS Work"]


class TestForRenames:
    def test_counters_of_new_mailboxes_are_asked_for_if_one_is_lost(self) -> None:
        world = World.of("Work/a:", "Work/a:", "Work/a:")
        world.server.mailboxes[JOB] = world.server.mailboxes.pop(WORK)
        box = world.server.mailboxes[JOB]
        world.rows(WORK).epoch = Epoch(box.uidvalidity, Uid(box.uidnext))
        with observer(world) as eyes:
            places = eyes.for_renames(eyes.glance.places())
        assert places.server_epochs == {JOB: Epoch(box.uidvalidity, Uid(box.uidnext), ModSeq(box.modseq))}
        assert (places.known_names, places.local_names) == ({}, {})

    def test_a_mailbox_with_other_messages_is_no_renamed_one_whatever_its_counters(self) -> None:
        world = World.of("Work/a:", "Work/a:", "Work/a:")
        box = world.server.mailboxes.pop(WORK)
        world.rows(WORK).epoch = Epoch(box.uidvalidity, Uid(box.uidnext))
        world.server.mailboxes[JOB] = box
        box.messages[Uid(1)].octets = octets("z")
        with observer(world) as eyes:
            assert eyes.for_renames(eyes.glance.places()).server_epochs == {}

    def test_names_are_listed_if_a_directory_is_lost(self) -> None:
        world = World.of("Work/a: Work/b:", "Work/a: Work/b:", "Work/a: Work/c:")
        world.store.directories[JOB] = world.store.directories.pop(WORK)
        with observer(world) as eyes:
            places = eyes.for_renames(eyes.glance.places())
        assert places.known_names == {WORK: {"a", "b"}}
        assert places.local_names == {JOB: {"a", "c"}}
        assert places.server_epochs == {}

    def test_nothing_is_asked_for_if_nothing_is_lost(self) -> None:
        world = World.of("Work/a:", "Work/a:", "Work/a:")
        world.server.create(JOB)
        world.store.create(PLAY)
        with observer(world) as eyes:
            places = eyes.glance.places()
            commands, deeds = server_hears(world), store_hears(world)
            assert eyes.for_renames(places) == places
        assert (commands.heard, deeds.heard) == ([], [])


class TestLooking:
    def test_everything_about_a_mailbox(self) -> None:
        world = World.of("a:S c: d:F", "a: b: c:", "a: b: c:F e:S")
        uids = {message.octets: uid for uid, message in world.server.mailboxes[INBOX].messages.items()}
        world.index.announce(INBOX, [Intent(UniqueName("e"), Uid(4))])
        found = seen(world)
        assert [pair.name for pair in found.pairs] == ["a", "b", "c"]
        assert found.server.flags == {uids[octets("a")]: {SEEN}}
        assert [(message.uid, message.flags) for message in found.server.new] == [(uids[octets("d")], {FLAGGED})]
        assert found.server.gone == {Uid(2)}
        assert found.local.flags == {UniqueName("c"): {FLAGGED}}
        assert found.local.new == (LocalMessage(UniqueName("e"), frozenset({SEEN})),)
        assert found.local.gone == frozenset()
        assert (found.total, found.known) == (3, Epoch(UidValidity(1000), Uid(4)))
        assert found.intents == (Intent(UniqueName("e"), Uid(4)),)
        assert found.deleted_lately == {"server": 3, "local": 0}
        assert (found.own, found.impostor) == ({}, None)

    def test_only_unknown_messages_are_described(self) -> None:
        world = World.of("a: b:", "a:", "a:")
        described: list[tuple[Uid, ...]] = []
        describe = FakeServer.describe

        class Listening(FakeServer):
            def describe(self, mailbox, uids):
                described.append(tuple(uids))
                return describe(self, mailbox, uids)

        with Crew(lambda: Listening(world.server), 1, threading.Event()) as crew:
            eyes = Observer(
                Glance("test", crew, world.store, world.index, lambda name: True, FULL), Quiet(), renews=False
            )
            eyes.look(eyes.glance.places(), [INBOX], {})
        assert described == [(Uid(2),)]

    def test_our_own_names_are_recognised(self) -> None:
        world = World.of("a:", "", "")
        world.sync()
        world.index.rows.clear()
        found = seen(world)
        assert found.own == {UniqueName("INBOX!1000!1@1000000000"): Uid(1)}

    def test_kept_copies_are_not_counted(self) -> None:
        world = World.of("a: b:", "a: b:@server c:@local", "c:")
        assert seen(world).total == 1
        assert {pair.state for pair in world.index.pairs(INBOX)} == set(PairState)

    def test_a_mailbox_that_is_missing_on_a_side(self) -> None:
        world = World.of("Work/a:", "Work/a:", "Work/a:")
        box = world.server.mailboxes.pop(WORK)
        found = seen(world, WORK)
        assert (found.server.missing, found.local.missing, len(found.pairs)) == (True, False, 1)
        world.server.mailboxes[WORK] = box
        del world.store.directories[WORK]
        found = seen(world, WORK)
        assert (found.server.missing, found.local.missing, len(found.pairs)) == (False, True, 1)
        assert (found.local.gone, found.server.gone) == (frozenset(), frozenset())

    def test_inbox_comes_first_and_then_by_name(self) -> None:
        world = World.of("Work/ Alpha/ job/", "", "")
        ear = server_hears(world)
        with observer(world) as eyes:
            look = eyes.look(eyes.glance.places(), [WORK, MailboxName("job"), INBOX, MailboxName("Alpha")], {})
        assert [found.mailbox for found in look.observations] == ["INBOX", "Alpha", "Work", "job"]
        assert [what for what in ear.heard if what.startswith("SELECT")] == [
            "SELECT INBOX",
            "SELECT Alpha",
            "SELECT Work",
            "SELECT job",
        ]

    def test_a_mailbox_that_fails_is_told_and_the_others_are_seen(self) -> None:
        world = World.of("a: Work/b: Job/c:", "", "")
        server_hears(world, SELECT_Work=MailboxError("Work: no"))
        store_hears(world, scan_Job=VanishedError("Job: moved away"))
        with observer(world) as eyes:
            look = eyes.look(eyes.glance.places(), [INBOX, WORK, JOB], {})
        assert [found.mailbox for found in look.observations] == [INBOX]
        assert look.errors == {WORK: "Work: no", JOB: "Job: moved away"}

    @pytest.mark.parametrize("complete", [True, False])
    def test_everything_is_seen_if_every_directory_was_listed_completely(self, complete: bool) -> None:
        world = World.of("a: Work/b:", "a: Work/b:", "a: Work/b:")
        world.store.directories[WORK].complete = complete
        with observer(world) as eyes:
            assert eyes.look(eyes.glance.places(), [INBOX, WORK], {}).everything_seen is complete

    def test_a_directory_that_does_not_exist_was_seen(self) -> None:
        world = World.of("Work/a:", "Work/a:", "Work/a:")
        del world.store.directories[WORK]
        with observer(world) as eyes:
            assert eyes.look(eyes.glance.places(), [INBOX, WORK], {}).everything_seen

    def test_flags_are_spelt_as_the_index_does_on_both_sides(self) -> None:
        world = World.of("a:{TODO}", "a:{Todo}", "a:{todo}")
        world.rows(INBOX).mapping = {"a": "Todo"}
        world.store.directories[INBOX].mapping = {"a": "todo"}
        world.store.directories[INBOX].files[UniqueName("a")].flags = frozenset({"todo"})
        with observer(world) as eyes:
            eyes.spelling.normal(["Todo"])
            look = eyes.look(eyes.glance.places(), [INBOX], {})
        (found,) = look.observations
        assert (found.pairs, dict(found.server.flags), dict(found.local.flags)) == ((), {}, {})
        assert "Todo" in found.local.letters.mapped


def downloaded(*words: str) -> World:
    world = World()
    for word in words:
        world.server.deliver(INBOX, octets(word))
    world.sync()
    return world


class TestImpostors:
    """A server restored from a backup uses UIDs again: a sample of known messages is compared."""

    def test_where_nothing_happened_nothing_is_asked_but_when_everything_is_compared(self) -> None:
        world = downloaded("a", "b")
        world.server.rung = "plain"
        asked = []
        for full in (False, True):
            ear = server_hears(world)
            assert world.sync(full=full).mailboxes == {}
            asked.append([what for what in ear.heard if what.startswith(("SELECT", "HEADERS"))])
        assert asked == [["SELECT INBOX"], ["SELECT INBOX", "HEADERS INBOX 1,2"]]

    def test_the_highest_known_uids_are_compared(self) -> None:
        world = downloaded("a", "b", "c", "d", "e")
        world.server.deliver(INBOX, octets("f"))
        ear = server_hears(world)
        assert seen(world).impostor is None
        assert SAMPLE == 3
        assert [what for what in ear.heard if what.startswith("HEADERS")] == ["HEADERS INBOX 3,4,5"]

    @pytest.mark.parametrize("uid", [3, 4, 5])
    def test_one_that_is_another_message_is_named(self, uid: int) -> None:
        world = downloaded("a", "b", "c", "d", "e")
        world.server.deliver(INBOX, octets("f"))
        world.server.mailboxes[INBOX].messages[Uid(uid)].octets = octets("z")
        assert seen(world).impostor == uid

    def test_one_that_is_gone_is_none(self) -> None:
        world = downloaded("a", "b", "c", "d", "e")
        del world.server.mailboxes[INBOX].messages[Uid(5)]
        ear = server_hears(world)
        assert seen(world).impostor is None
        assert [what for what in ear.heard if what.startswith("HEADERS")] == ["HEADERS INBOX 2,3,4"]

    def test_what_was_uploaded_is_no_proof_alone_since_a_server_may_change_it(self) -> None:
        world = World.of("", "", "a: b:")
        world.sync()
        for stored in world.server.mailboxes[INBOX].messages.values():
            stored.octets = b"X-Scanned: yes\r\n" + stored.octets
        world.server.deliver(INBOX, octets("c"))
        assert seen(world).impostor is None
        for stored in world.server.mailboxes[INBOX].messages.values():
            stored.internaldate += 1
        assert seen(world).impostor is None

    def test_what_was_uploaded_and_has_another_date_as_well_is_another_if_the_server_kept_others(self) -> None:
        world = World.of("", "", "a: b: c: d: e:")
        world.sync()
        world.server.deliver(INBOX, octets("f"))
        stored = world.server.mailboxes[INBOX].messages[Uid(5)]
        stored.octets = octets("z")
        assert seen(world).impostor is None
        stored.internaldate += 1
        assert seen(world).impostor == 5
        world.store.directories[INBOX].files.pop(UniqueName("e"))
        assert seen(world).impostor is None

    def test_uploads_are_told_to_be_others_by_the_oldest_however_many_there_are(self) -> None:
        world = World.of("", "", "a: b: c: d: e: f: g: h: i:")
        world.sync()
        world.server.deliver(INBOX, octets("j"))
        for uid, stored in world.server.mailboxes[INBOX].messages.items():
            if uid > 1:
                stored.octets = octets(f"another{uid}")
                stored.internaldate += 1
        assert seen(world).impostor in {7, 8, 9}

    def test_one_below_thousands_of_uploads_is_found(self) -> None:
        world = downloaded("a", "b", "c")
        for number in range(HIGHEST + 5):
            world.store.put(INBOX, UniqueName(f"u{number}"), octets(f"u{number}"))
        world.sync()
        for uid, stored in world.server.mailboxes[INBOX].messages.items():
            stored.octets = octets(f"another{uid}")
        world.server.deliver(INBOX, octets("d"))
        victim = next(pair.name for pair in world.index.pairs(INBOX) if pair.uid == 3)
        del world.store.directories[INBOX].files[victim]
        assert seen(world).impostor is not None
        world.sync()
        assert Uid(3) in world.server.mailboxes[INBOX].messages

    @pytest.mark.parametrize("change", ["new here", "flags here", "flags there", "gone here"])
    def test_any_change_is_reason_enough_to_compare(self, change: str) -> None:
        world = downloaded("a", "b")
        files = world.store.directories[INBOX].files
        first = next(iter(files))
        if change == "new here":
            world.store.put(INBOX, UniqueName("new"), octets("new"))
        elif change == "flags here":
            files[first].flags = frozenset({SEEN})
        elif change == "flags there":
            world.server.mailboxes[INBOX].messages[Uid(1)].flags = frozenset({SEEN})
        else:
            del files[first]
        world.server.mailboxes[INBOX].messages[Uid(2)].octets = octets("z")
        assert seen(world).impostor == 2

    @pytest.mark.parametrize("rung", ["qresync", "condstore"])
    def test_one_that_has_the_flags_of_the_one_before_is_named(self, rung: Literal["qresync", "condstore"]) -> None:
        world = downloaded("a", "b")
        world.server.rung = rung
        world.sync()
        box = world.server.mailboxes[INBOX]
        for message in ({}, {Uid(2): StoredMessage(octets("z"), NONE, 0)}):
            box.messages = {Uid(1): box.messages[Uid(1)], **message}
            box.settle()
        assert seen(world).impostor == 2

    def test_it_is_named_by_comparing_everything_where_the_server_tells_of_no_change(self) -> None:
        world = downloaded("a", "b")
        world.server.rung = "plain"
        world.server.mailboxes[INBOX].messages[Uid(2)].octets = octets("z")
        (note,) = world.sync(full=True).mailbox(INBOX).notes
        assert note.startswith("UID 2 is another message than it was")


class TestNamesElsewhere:
    @staticmethod
    def among(world: World, mailboxes: list[MailboxName], missing: str = "abcd") -> tuple[dict[str, str], bool]:
        found = names_elsewhere(world.store, mailboxes, {UniqueName(name) for name in missing})
        return {mailbox: "".join(sorted(names)) for mailbox, names in found.names.items()}, found.complete

    def test_names_of_all_of_them(self) -> None:
        world = World.of("", "", "a: Work/b: Work/c: Job/d:")
        assert self.among(world, [WORK, JOB]) == ({WORK: "bc", JOB: "d"}, True)
        assert self.among(world, [WORK, JOB], missing="bx") == ({WORK: "b"}, True)
        assert self.among(world, []) == ({}, True)

    def test_one_that_has_a_message_of_its_own_there_is_known_to(self) -> None:
        world = World.of("Work/b: Job/d:", "Work/b:", "Work/b: Work/c: Job/b:")
        names = {UniqueName(name) for name in "bc"}
        assert paired(world.index, WORK, names)
        assert not paired(world.index, JOB, names)
        assert not paired(world.index, WORK, [])

    def test_one_that_changed_or_failed_makes_it_incomplete(self) -> None:
        world = World.of("", "", "Work/b: Job/d:")
        world.store.directories[WORK].complete = False
        assert self.among(world, [WORK, JOB]) == ({WORK: "b", JOB: "d"}, False)
        store_hears(world, scan_Job=MailboxError("Job: cannot be read"))
        world.store.directories[WORK].complete = True
        assert self.among(world, [WORK, JOB]) == ({WORK: "b"}, False)

    def test_one_that_does_not_exist_is_complete(self) -> None:
        assert self.among(World(), [PLAY]) == ({}, True)


class TestEvidence:
    def test_files_and_header_blocks_that_matching_wants(self) -> None:
        world = World.of("a: Work/b:", "", "a: Work/b:")
        with observer(world, connections=2) as eyes:
            look = eyes.look(eyes.glance.places(), [INBOX, WORK], {})
            found = evidence(eyes.glance.crew, world.store, look.observations)
        print_of = {word: fingerprint(octets(word)) for word in "ab"}
        assert found == Evidence(
            {(INBOX, UniqueName("a")): print_of["a"], (WORK, UniqueName("b")): print_of["b"]},
            {(INBOX, Uid(1)): print_of["a"].header, (WORK, Uid(1)): print_of["b"].header},
        )

    def test_what_vanishes_meanwhile_is_left_out(self) -> None:
        world = World.of("a: b:", "", "a: b:")
        store_hears(world, read_INBOX_a=lambda: world.store.directories[INBOX].files.pop(UniqueName("a")))
        server_hears(world, HEADERS=lambda: world.server.mailboxes[INBOX].messages.pop(Uid(2)))
        with observer(world) as eyes:
            found = evidence(eyes.glance.crew, world.store, eyes.look(eyes.glance.places(), [INBOX], {}).observations)
        assert found == Evidence(
            {(INBOX, UniqueName("b")): fingerprint(octets("b"))}, {(INBOX, Uid(1)): fingerprint(octets("a")).header}
        )

    def test_nothing_new_is_read_for_new_mail(self) -> None:
        world = World.of("a: b: c:", "a:", "a:")
        commands, deeds = server_hears(world), store_hears(world)
        with observer(world) as eyes:
            assert (
                evidence(eyes.glance.crew, world.store, eyes.look(eyes.glance.places(), [INBOX], {}).observations)
                == Evidence()
            )
        assert [what for what in commands.heard if what.startswith("HEADERS")] == ["HEADERS INBOX 1"]
        assert not any(what.startswith("read") for what in deeds.heard)
