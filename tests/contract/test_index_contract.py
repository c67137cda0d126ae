"""What every `Index` does, whatever it keeps its rows in."""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncer.index import open_index
from syncer.maildir.sifting import NOWHERE
from syncer.ports import Finished, Index, KnownMailbox
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import SYSTEM, Flags
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import Fingerprint, Intent, Pair, PairState
from syncer.reconcile.parking import LONGEST, Parked
from syncer.values import replace

WORK, LISTS, OTHER = MailboxName("Work"), MailboxName("Work/Lists"), MailboxName("Workshop")
EPOCH = Epoch(UidValidity(7), Uid(2**32 - 1), ModSeq(2**63 - 1), "F2212ea87")

any_text = st.text(st.characters(exclude_categories=()), min_size=1, max_size=20)
file_names = st.binary(min_size=1, max_size=20).map(lambda name: name.decode("utf-8", "surrogateescape"))
digests = st.binary(min_size=16, max_size=16)
any_flags = st.frozensets(st.sampled_from([*sorted(SYSTEM), "$Forwarded", "work", "later", "a]b", 'q"x', "\udcff"]))
uids = st.integers(1, 2**32 - 1).map(Uid) | st.integers(1, 9).map(Uid)
any_pairs = st.lists(
    st.builds(
        Pair,
        uid=uids,
        name=(file_names | any_text).map(UniqueName),
        flags=any_flags,
        fingerprint=st.builds(Fingerprint, size=st.integers(0, 2**63 - 1), header=digests, content=digests),
        email_id=st.none() | any_text,
        state=st.sampled_from(PairState),
    ),
    unique_by=(lambda pair: pair.uid, lambda pair: pair.name),
    max_size=8,
)


def pair(uid: int, name: str | None = None, *flags: str) -> Pair:
    """A pair that is told from others by its UID."""
    digest = uid.to_bytes(16, "big")
    return Pair(Uid(uid), UniqueName(name or f"{uid}.host"), frozenset(flags), Fingerprint(uid * 100, digest, digest))


def letters(flags: Flags) -> str:
    """An info."""
    return ":2," + "".join(sorted(flag[1] for flag in flags & SYSTEM))


def finished(
    mailbox: MailboxName, epoch: Epoch, *, messages: int | None = None, mapping: Mapping[str, str] | None = None
) -> Finished:
    """The end of a pass that compared everything."""
    return Finished(mailbox, epoch, messages, mapping, "as it is \udcff", "s1", compared=True)


def known_after(done: Finished, now: int) -> KnownMailbox:
    """What an index knows of a mailbox of which it knew nothing."""
    return KnownMailbox(
        done.mailbox,
        done.epoch,
        mapping=done.mapping or {},
        synced_at=now,
        messages=done.messages,
        local_state=done.local_state,
        compared_at=now,
        settings=done.settings,
    )


class IndexContract(ABC):
    """Subclass it, say how to make an empty index, and every test here runs on it."""

    @pytest.fixture
    @abstractmethod
    def index(self) -> Iterator[Index]:
        """An index that knows nothing."""

    def test_a_new_index_knows_nothing(self, index: Index) -> None:
        assert index.store_id is None
        assert index.mailboxes() == ()
        assert index.keywords() == ()
        assert index.pairs(INBOX) == ()
        assert index.intents(INBOX) == ()
        assert index.deleted_since(0) == {}

    def test_the_maildirs_identity_is_what_was_bound_last(self, index: Index) -> None:
        index.bind("one")
        assert index.store_id == "one"
        index.bind("two")
        assert index.store_id == "two"

    def test_a_mailbox_that_is_added_twice_is_known_once_and_has_no_epoch(self, index: Index) -> None:
        index.add_mailbox(WORK)
        index.record(WORK, [pair(1)])
        index.add_mailbox(WORK)
        assert index.mailboxes() == (KnownMailbox(WORK, None, highest=Uid(1)),)

    def test_mailboxes_are_ordered_by_name_with_inbox_first(self, index: Index) -> None:
        names = [MailboxName(name) for name in ("b", "INBOX/x", "a", "INBOX", "B", "é")]
        for name in names:
            index.add_mailbox(name)
        assert [known.name for known in index.mailboxes()] == ["INBOX", "B", "INBOX/x", "a", "b", "é"]

    def test_finishing_a_pass_records_how_far_it_came_and_clears_the_error(self, index: Index) -> None:
        index.add_mailbox(INBOX)
        index.fail(INBOX, "the server said NO \udcff")
        assert index.mailboxes() == (KnownMailbox(INBOX, None, error="the server said NO \udcff"),)
        index.finish([finished(INBOX, EPOCH, messages=5, mapping={"a": "work", "b": "spät"})], 1_700_000_000)
        known = KnownMailbox(
            INBOX,
            EPOCH,
            mapping={"a": "work", "b": "spät"},
            synced_at=1_700_000_000,
            messages=5,
            local_state="as it is \udcff",
            compared_at=1_700_000_000,
            settings="s1",
        )
        assert index.mailboxes() == (known,)
        assert index.mailboxes()[0].cursor == Cursor(EPOCH, 5)
        index.fail(INBOX, "again")
        assert index.mailboxes() == (replace(known, error="again"),)
        bare = Epoch(UidValidity(8))
        index.finish([Finished(INBOX, bare, None, {}, None, "s2", compared=False)], 1_700_000_001)
        assert index.mailboxes() == (
            KnownMailbox(INBOX, bare, synced_at=1_700_000_001, compared_at=1_700_000_000, settings="s2"),
        )
        assert index.mailboxes()[0].cursor is None

    def test_finishing_without_counters_and_letters_leaves_those_that_are_recorded(self, index: Index) -> None:
        index.finish([finished(INBOX, EPOCH, messages=0, mapping={"a": "work"})], 1)
        before = index.mailboxes()[0]
        index.finish([Finished(INBOX, None, 9, None, "changed", "s2", compared=False)], 2)
        assert index.mailboxes() == (replace(before, synced_at=2, local_state="changed", settings="s2"),)
        assert index.mailboxes()[0].cursor == Cursor(EPOCH, 0)

    def test_finishing_several_mailboxes_makes_unknown_ones_known_and_leaves_others(self, index: Index) -> None:
        index.hold(WORK, frozenset({"server"}))
        index.fail(OTHER, "no")
        index.finish(
            [finished(WORK, EPOCH, messages=1), Finished(LISTS, None, None, None, None, "", compared=False)], 7
        )
        index.finish([], 9)
        assert index.mailboxes() == (
            replace(known_after(finished(WORK, EPOCH, messages=1), 7), held=frozenset({"server"})),
            KnownMailbox(LISTS, None, synced_at=7, settings=""),
            KnownMailbox(OTHER, None, error="no"),
        )

    def test_counters_that_are_forgotten_take_the_cursor_along_and_nothing_else(self, index: Index) -> None:
        index.finish([finished(INBOX, EPOCH, messages=5)], 7)
        before = index.mailboxes()[0]
        index.forget_epoch(INBOX)
        index.forget_epoch(WORK)
        assert index.mailboxes() == (replace(before, epoch=None, messages=None),)
        index.begin(INBOX, Epoch(UidValidity(9)))
        assert index.mailboxes() == (replace(before, epoch=Epoch(UidValidity(9)), messages=None),)
        index.begin(INBOX, EPOCH)
        assert index.mailboxes()[0].epoch == Epoch(UidValidity(9))

    def test_a_mailbox_that_is_distrusted_was_never_compared_and_keeps_everything_else(self, index: Index) -> None:
        index.finish([finished(INBOX, EPOCH, messages=4), finished(WORK, EPOCH)], 1_700_000_000)
        before = index.mailboxes()
        index.distrust(INBOX)
        index.distrust(MailboxName("Nowhere"))
        assert index.mailboxes() == (replace(before[0], compared_at=None), before[1])

    def test_what_is_remembered_is_recalled_and_is_nothing_else(self, index: Index) -> None:
        index.bind("one")
        for key in ("store_id", "account", "created", "kéy"):
            assert index.recall(key) is None
            index.remember(key, f"{key} \udcff")
        index.remember("account", "")
        assert [index.recall(key) for key in ("store_id", "account", "kéy")] == ["store_id \udcff", "", "kéy \udcff"]
        assert index.store_id == "one"

    def test_totals_are_of_the_pairs_that_are_on_both_sides(self, index: Index) -> None:
        assert not any(index.totals().values())
        index.record(INBOX, [pair(1), replace(pair(2), state=PairState.SERVER_ONLY), pair(3)])
        index.record(WORK, [replace(pair(2), state=PairState.LOCAL_ONLY)])
        index.record(LISTS, [pair(9)])
        index.add_mailbox(OTHER)
        assert {name: total for name, total in index.totals().items() if total} == {INBOX: 2, LISTS: 1}

    def test_the_base_is_of_every_pair_whatever_its_state(self, index: Index) -> None:
        assert index.base(INBOX) == {}
        one, two = pair(1, None, "\\Seen", "Work"), replace(pair(2, None, "work"), state=PairState.SERVER_ONLY)
        index.record(INBOX, [one, two, replace(pair(2**32 - 1), state=PairState.LOCAL_ONLY)])
        index.record(WORK, [pair(7)])
        assert index.base(INBOX) == {1: {"\\Seen", "Work"}, 2: {"Work"}, 2**32 - 1: set()}

    def test_all_of_some_uids_are_there_or_not(self, index: Index) -> None:
        assert (index.has_all(INBOX, []), index.has_all(INBOX, [Uid(1)])) == (True, False)
        index.record(INBOX, [pair(1), replace(pair(2), state=PairState.SERVER_ONLY), pair(5), pair(2**32 - 1)])
        index.record(WORK, [pair(3)])
        for uids in ([], [5], [2, 1], [2**32 - 1, 5, 1, 2]):
            assert index.has_all(INBOX, list(map(Uid, uids))), uids
        for uids in ([3], [1, 3, 5], [4, 5], [1, 2, 5, 6]):
            assert not index.has_all(INBOX, list(map(Uid, uids))), uids

    def test_the_latest_pairs_are_those_of_the_highest_uids_descending(self, index: Index) -> None:
        assert index.latest(INBOX, 3) == ()
        index.record(INBOX, [pair(uid) for uid in (1, 5, 9, 2**32 - 1)])
        index.record(WORK, [pair(7)])
        assert index.latest(INBOX, 2) == (pair(2**32 - 1), pair(9))
        assert index.latest(INBOX, 9) == (pair(2**32 - 1), pair(9), pair(5), pair(1))
        assert index.latest(INBOX, 2, Uid(9)) == (pair(5), pair(1))
        assert index.latest(INBOX, 2, Uid(1)) == index.latest(INBOX, 0) == index.latest(INBOX, -1) == ()

    def test_pairs_are_found_by_uid_range_and_name_each_once_ascending(self, index: Index) -> None:
        assert index.pairs_among(INBOX, uids=[Uid(1)], ranges=[(Uid(1), Uid(9))], names=[UniqueName("a")]) == ()
        index.record(INBOX, kept := [pair(uid, f"{90 - uid}") for uid in range(1, 21)])
        index.record(WORK, [pair(uid, f"{90 - uid}") for uid in range(1, 30)])
        assert index.pairs_among(INBOX) == ()
        assert index.pairs_among(INBOX, uids=[Uid(20), Uid(25), Uid(3), Uid(20)]) == (kept[2], kept[19])
        assert index.pairs_among(INBOX, names=[UniqueName("89"), UniqueName("61"), UniqueName("80")]) == (
            kept[0],
            kept[9],
        )
        assert index.pairs_among(INBOX, ranges=[(Uid(19), Uid(2**32 - 1)), (Uid(1), Uid(1))]) == (
            kept[0],
            kept[18],
            kept[19],
        )
        everything = [(Uid(1), Uid(2**32 - 1))]
        assert index.pairs_among(INBOX, ranges=everything, uids=[Uid(7)], names=[UniqueName("89")]) == tuple(kept)

    def test_mailboxes_are_found_by_the_names_of_their_pairs(self, index: Index) -> None:
        assert index.holders([UniqueName("a")]) == frozenset()
        index.record(INBOX, [pair(1, "a"), replace(pair(2, "b\udcff"), state=PairState.SERVER_ONLY)])
        index.record(WORK, [pair(uid, f"{uid}") for uid in range(1, 3000)])
        assert index.holders([]) == index.holders([UniqueName("c")]) == frozenset()
        assert index.holders([UniqueName("b\udcff"), UniqueName("c")]) == {INBOX}
        assert index.holders([UniqueName(f"{number}") for number in range(2999, 9000)]) == {WORK}
        index.record(INBOX, [pair(3, "7")])
        assert index.holders([UniqueName("7"), UniqueName("8")]) == {INBOX, WORK}

    def test_thousands_of_uids_ranges_and_names_may_be_asked_for(self, index: Index) -> None:
        index.record(INBOX, kept := [pair(uid) for uid in range(3, 3000, 3)])
        index.record(WORK, [pair(uid) for uid in range(1, 20)])
        ranges = [(Uid(uid), Uid(uid + 1)) for uid in range(6, 12000, 12)]
        found = index.pairs_among(
            INBOX,
            uids=[Uid(uid) for uid in range(3, 20000, 12)],
            ranges=[*ranges, *reversed(ranges), (Uid(2**31), Uid(2**32 - 1))],
            names=[UniqueName(f"{uid}.host") for uid in range(9, 12000, 12)],
        )
        assert found == tuple(each for each in kept if each.uid % 12)

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(any_pairs, st.lists(st.tuples(uids, uids)), st.lists(uids), st.data())
    def test_pairs_among_are_what_a_look_at_all_of_them_finds(
        self, index: Index, pairs: list[Pair], ranges: list[tuple[Uid, Uid]], some: list[Uid], data: st.DataObject
    ) -> None:
        names = data.draw(st.lists(st.sampled_from([*(each.name for each in pairs), UniqueName("none")])))
        index.forget_mailbox(WORK)
        index.record(WORK, pairs)
        assert index.pairs_among(WORK, uids=some, ranges=ranges, names=names) == tuple(
            each
            for each in index.pairs(WORK)
            if each.uid in some or each.name in names or any(first <= each.uid <= last for first, last in ranges)
        )

    def test_files_are_named_by_unique_name_and_info_unless_there_should_be_none(self, index: Index) -> None:
        assert index.file_names(INBOX, letters) == set()
        index.record(INBOX, [replace(pair(1), state=PairState.SERVER_ONLY)])
        assert index.file_names(INBOX, letters) == set()
        index.record(INBOX, [pair(2, "b\udcff", "\\Seen"), replace(pair(3, "c,d=é"), state=PairState.LOCAL_ONLY)])
        index.record(WORK, [pair(2)])
        assert index.file_names(INBOX, letters) == {b"b\xff:2,S", "c,d=é:2,".encode()}

    def test_the_info_is_asked_for_once_for_the_same_flags(self, index: Index) -> None:
        asked: list[Flags] = []
        index.record(INBOX, [pair(uid, None, f"k{uid % 30}", *(["\\Seen"] * (uid % 2))) for uid in range(1, 3001)])
        names = index.file_names(INBOX, lambda flags: asked.append(flags) or f":{len(asked)}")  # type: ignore[func-returns-value]
        assert len(asked) == len(set(asked)) == 30
        assert names == {f"{uid}.host:{asked.index(flags) + 1}".encode() for uid, flags in index.base(INBOX).items()}

    @pytest.mark.parametrize("kinds", [1, 12])
    def test_an_info_may_be_one_that_no_file_has(self, index: Index, kinds: int) -> None:
        index.record(INBOX, [pair(uid, None, f"k{uid % kinds}") for uid in range(1, 41)])
        names = index.file_names(INBOX, lambda flags: NOWHERE if "k0" in flags else ":2,")
        assert names == {f"{uid}.host{':2,' if uid % kinds else NOWHERE}".encode() for uid in range(1, 41)}

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        any_pairs, st.lists(st.binary(min_size=1, max_size=20).filter(lambda name: not {0, 47} & {*name}), min_size=8)
    )
    def test_any_file_name_is_given_as_the_file_system_has_it(
        self, index: Index, pairs: list[Pair], names: list[bytes]
    ) -> None:
        named = [
            replace(each, name=UniqueName(os.fsdecode(name)))
            for each, name in zip(pairs, dict.fromkeys(names), strict=False)
        ]
        index.forget_mailbox(WORK)
        index.record(WORK, named)
        assert index.file_names(WORK, letters) == {
            os.fsencode(each.name) + letters(each.flags).encode()
            for each in index.pairs(WORK)
            if each.state is not PairState.SERVER_ONLY
        }

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(any_pairs)
    def test_pairs_come_back_as_they_were_recorded_ascending_by_uid(self, index: Index, pairs: list[Pair]) -> None:
        index.forget_mailbox(WORK)
        index.record(WORK, pairs)
        assert index.pairs(WORK) == tuple(sorted(pairs, key=lambda each: each.uid))

    def test_recording_a_uid_again_replaces_its_pair(self, index: Index) -> None:
        index.record(INBOX, [pair(1), pair(2)])
        again = replace(pair(1, "other.name", "\\Seen", "work"), state=PairState.SERVER_ONLY, email_id="M1")
        index.record(INBOX, [again])
        assert index.pairs(INBOX) == (again, pair(2))

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(any_pairs, any_pairs, st.booleans())
    def test_agreeing_leaves_what_recording_would_leave(
        self, index: Index, before: list[Pair], pairs: list[Pair], known: bool
    ) -> None:
        if known:
            before = [*before, *(replace(each, flags=frozenset({"\\Flagged"}), email_id=None) for each in pairs)]
        for mailbox, record in ((WORK, index.record), (LISTS, index.agree)):
            index.forget_mailbox(mailbox)
            index.record(mailbox, before)
            index.announce(mailbox, [Intent(each.name, None, 1) for each in pairs[:2]])
            record(mailbox, pairs)
            assert index.intents(mailbox) == ()
        assert index.pairs(LISTS) == index.pairs(WORK)
        assert set(index.pairs(WORK)) >= set(pairs)

    def test_a_unique_name_is_in_one_pair_of_a_mailbox_only_the_newest(self, index: Index) -> None:
        index.record(INBOX, [pair(1, "a"), pair(2, "b")])
        index.record(WORK, [pair(1, "a")])
        index.record(INBOX, [pair(3, "a")])
        assert index.pairs(INBOX) == (pair(2, "b"), pair(3, "a"))
        assert index.pairs(WORK) == (pair(1, "a"),)

    def test_two_pairs_may_exchange_their_names(self, index: Index) -> None:
        index.record(INBOX, [pair(1, "a"), pair(2, "b")])
        index.record(INBOX, [pair(1, "b"), pair(2, "a")])
        assert index.pairs(INBOX) == (pair(1, "b"), pair(2, "a"))

    def test_recording_settles_the_intents_of_the_same_names_and_no_others(self, index: Index) -> None:
        index.announce(INBOX, [Intent(UniqueName("a"), Uid(5)), Intent(UniqueName("b"), Uid(5))])
        index.announce(WORK, [Intent(UniqueName("a"), Uid(9))])
        index.record(INBOX, [pair(5, "a")])
        assert index.intents(INBOX) == (Intent(UniqueName("b"), Uid(5)),)
        assert index.intents(WORK) == (Intent(UniqueName("a"), Uid(9)),)

    def test_recording_makes_an_unknown_mailbox_known(self, index: Index) -> None:
        index.record(INBOX, [pair(1)])
        index.announce(WORK, [Intent(UniqueName("a"), None)])
        assert [known.name for known in index.mailboxes()] == [INBOX, WORK]

    def test_recording_nothing_changes_nothing(self, index: Index) -> None:
        index.record(INBOX, [])
        index.announce(INBOX, [])
        index.forget(INBOX, [])
        index.settle(INBOX, [])
        index.move(INBOX, [], WORK, [])
        assert index.mailboxes() == ()

    def test_forgetting_removes_these_pairs_and_minds_no_unknown_uid(self, index: Index) -> None:
        index.record(INBOX, [pair(1), pair(2), pair(3)])
        index.record(WORK, [pair(2)])
        index.forget(INBOX, [Uid(2), Uid(9)])
        index.forget(OTHER, [Uid(1)])
        assert index.pairs(INBOX) == (pair(1), pair(3))
        assert index.pairs(WORK) == (pair(2),)

    def test_moving_removes_pairs_here_and_records_them_there(self, index: Index) -> None:
        index.record(INBOX, [pair(1), pair(2)])
        index.announce(WORK, [Intent(UniqueName("1.host"), None)])
        index.move(INBOX, [Uid(1)], WORK, [pair(70, "1.host")])
        assert index.pairs(INBOX) == (pair(2),)
        assert index.pairs(WORK) == (pair(70, "1.host"),)
        assert index.intents(WORK) == ()

    def test_moving_within_a_mailbox_renumbers(self, index: Index) -> None:
        index.record(INBOX, [pair(1, "a"), pair(2, "b")])
        index.move(INBOX, [Uid(1), Uid(2)], INBOX, [pair(2, "a"), pair(3, "b")])
        assert index.pairs(INBOX) == (pair(2, "a"), pair(3, "b"))

    def test_an_intent_that_was_announced_keeps_its_older_uidnext_until_it_is_settled(self, index: Index) -> None:
        name = UniqueName("n\udcff")
        index.announce(INBOX, [Intent(name, Uid(5))])
        index.announce(INBOX, [Intent(name, Uid(9)), Intent(UniqueName("m"), None)])
        assert sorted(index.intents(INBOX), key=lambda intent: intent.name) == [
            Intent(UniqueName("m"), None),
            Intent(name, Uid(5)),
        ]
        index.settle(INBOX, [name, UniqueName("unknown")])
        index.settle(OTHER, [name])
        assert index.intents(INBOX) == (Intent(UniqueName("m"), None),)

    def test_a_keyword_keeps_the_spelling_that_was_seen_first(self, index: Index) -> None:
        index.record(INBOX, [pair(1, "a", "Work", "\\Seen")])
        index.record(INBOX, [pair(2, "b", "work", "LATER"), pair(3, "c", "wOrK", "later", "$Forwarded")])
        assert [each.flags for each in index.pairs(INBOX)] == [
            {"Work", "\\Seen"},
            {"Work", "LATER"},
            {"Work", "LATER", "$Forwarded"},
        ]
        assert sorted(index.keywords()) == ["$Forwarded", "LATER", "Work"]

    def test_keywords_are_remembered_when_nothing_carries_them_any_more(self, index: Index) -> None:
        index.record(INBOX, [pair(1, "a", "Work")])
        index.forget_mailbox(INBOX)
        assert index.keywords() == ("Work",)
        index.record(WORK, [pair(1, "a", "work")])
        assert index.pairs(WORK) == (pair(1, "a", "Work"),)

    def test_in_another_epoch_pairs_have_other_uids_and_what_was_lost_is_a_stray(self, index: Index) -> None:
        index.record(INBOX, [pair(1, "a", "work"), pair(2, "b"), pair(3, "c"), pair(4, "d")])
        index.record(WORK, [pair(1, "a")])
        index.announce(INBOX, [Intent(UniqueName("n"), Uid(5))])
        index.finish([finished(INBOX, EPOCH, messages=4)], 50)
        after = Epoch(UidValidity(99), Uid(4), None, "M")
        index.renew(INBOX, after, {Uid(1): Uid(2), Uid(2): Uid(3), Uid(3): Uid(1)}, {UniqueName("d")})
        numbered = {1: pair(3, "c"), 2: pair(1, "a", "work"), 3: pair(2, "b")}
        assert index.pairs(INBOX) == tuple(replace(one, uid=Uid(uid)) for uid, one in numbered.items())
        assert (index.strays(INBOX), index.strays(WORK)) == ({"d"}, frozenset())
        assert index.intents(INBOX) == (Intent(UniqueName("n"), None),)
        (here, there) = index.mailboxes()
        assert (here.epoch, here.cursor, here.local_state, here.compared_at) == (after, None, None, None)
        assert (here.held, here.synced_at) == (frozenset({"local", "server"}), 50)
        assert (there.epoch, there.held, index.pairs(WORK)) == (None, frozenset(), (pair(1, "a"),))

    def test_a_stray_is_none_any_more_once_it_has_a_pair_or_is_forgotten(self, index: Index) -> None:
        index.record(INBOX, [pair(1, "a"), pair(2, "b"), pair(3, "c")])
        index.renew(INBOX, Epoch(UidValidity(99)), {}, {UniqueName(name) for name in "abc"})
        index.record(INBOX, [pair(7, "a")])
        index.forget_strays(INBOX, [UniqueName("b"), UniqueName("unknown")])
        index.forget_strays(OTHER, [UniqueName("c")])
        assert index.strays(INBOX) == {"c"}
        index.renew(INBOX, Epoch(UidValidity(100)), {Uid(7): Uid(7)}, set())
        assert (index.strays(INBOX), index.pairs(INBOX)) == ({"c"}, (pair(7, "a"),))
        index.rename_mailbox(INBOX, WORK)
        assert index.strays(WORK) == {"c"}
        index.forget_mailbox(WORK)
        assert index.strays(WORK) == frozenset()

    def test_a_message_that_fails_often_is_left_alone_for_longer_and_longer(self, index: Index) -> None:
        name, uid = UniqueName("n\udcff"), Uid(7)
        for failures in range(1, 4):
            index.park(INBOX, name, "no", 1000)
            assert (failures, index.parked(INBOX, 1000)) == (failures, {})
        index.park(INBOX, name, "no \udcff", 1000)
        index.park(INBOX, uid, "never", 1000)
        assert index.parked(INBOX, 1000) == {name: Parked("no \udcff", 4, 1300)}
        assert (index.parked(INBOX, 1300), index.parked(WORK, 1000)) == ({}, {})
        assert name not in index.parked(INBOX, 1300 - LONGEST - 1)  # the clock had been wrong
        for _ in range(4):
            index.park(INBOX, uid, "never", 2000)
        assert index.parked(INBOX, 1299) == {name: Parked("no \udcff", 4, 1300), uid: Parked("never", 5, 2600)}
        index.record(INBOX, [pair(1, name), pair(7, "other")])
        assert index.parked(INBOX, 1000) == {}
        index.park(INBOX, name, "no", 5000)
        assert index.parked(INBOX, 5000) == {}

    def test_another_epoch_and_a_forgotten_mailbox_leave_nothing_parked_under_a_uid(self, index: Index) -> None:
        for _ in range(9):
            index.park(INBOX, Uid(7), "no", 1000)
            index.park(INBOX, UniqueName("n"), "no", 1000)
        index.renew(INBOX, Epoch(UidValidity(99)), {}, set())
        assert index.parked(INBOX, 1000) == {UniqueName("n"): Parked("no", 9, 1000 + 300 * 2**5)}
        index.forget_mailbox(INBOX)
        assert index.parked(INBOX, 1000) == {}

    def test_a_forgotten_mailbox_leaves_nothing_behind_but_what_was_deleted_from_it(self, index: Index) -> None:
        index.record(WORK, [pair(1)])
        index.announce(WORK, [Intent(UniqueName("a"), None)])
        index.finish([finished(WORK, EPOCH, mapping={"a": "x"})], 1)
        index.note_deleted(WORK, "local", 3, 100)
        index.record(LISTS, [pair(1)])
        index.forget_mailbox(WORK)
        index.forget_mailbox(WORK)
        assert index.mailboxes() == (KnownMailbox(LISTS, None, highest=Uid(1)),)
        assert (index.pairs(WORK), index.intents(WORK)) == ((), ())
        assert index.deleted_since(0) == {(WORK, "local"): 3}
        index.add_mailbox(WORK)
        assert (index.pairs(WORK), index.intents(WORK)) == ((), ())

    def test_renaming_takes_everything_along_and_those_below(self, index: Index) -> None:
        for number, name in enumerate((WORK, LISTS, OTHER), start=1):
            index.record(name, [pair(number)])
            index.announce(name, [Intent(UniqueName("a"), Uid(number))])
            index.finish([finished(name, EPOCH, messages=number)], number)
            index.note_deleted(name, "server", number, 100)
        index.rename_mailbox(WORK, MailboxName("Job"))
        assert index.mailboxes() == (
            replace(known_after(finished(MailboxName("Job"), EPOCH, messages=1), 1), highest=Uid(1)),
            replace(known_after(finished(MailboxName("Job/Lists"), EPOCH, messages=2), 2), highest=Uid(2)),
            replace(known_after(finished(OTHER, EPOCH, messages=3), 3), highest=Uid(3)),
        )
        assert index.pairs(WORK) == ()
        assert index.pairs(MailboxName("Job/Lists")) == (pair(2),)
        assert index.intents(MailboxName("Job")) == (Intent(UniqueName("a"), Uid(1)),)
        assert index.deleted_since(0) == {("Job", "server"): 1, ("Job/Lists", "server"): 2, (OTHER, "server"): 3}

    @pytest.mark.parametrize(
        ("names", "old", "new", "expected"),
        [
            (["A", "A/A"], "A", "A/A", ["A/A", "A/A/A"]),
            (["A/A", "A/A/A"], "A/A", "A", ["A", "A/A"]),
            (["A/x", "AB"], "A", "C", ["AB", "C/x"]),
            (["A"], "A", "A", ["A"]),
            (["A"], "B", "C", ["A"]),
        ],
    )
    def test_renaming_into_and_out_of_oneself(
        self, index: Index, names: list[str], old: str, new: str, expected: list[str]
    ) -> None:
        for number, name in enumerate(names, start=1):
            index.record(MailboxName(name), [pair(number)])
            index.note_deleted(MailboxName(name), "local", number, 1)
        index.rename_mailbox(MailboxName(old), MailboxName(new))
        assert sorted(known.name for known in index.mailboxes()) == expected
        assert sorted({name for name, _ in index.deleted_since(0)}) == expected
        assert sum(index.deleted_since(0).values()) == sum(range(1, len(names) + 1))

    def test_deletions_are_counted_by_mailbox_and_side_from_a_moment_on(self, index: Index) -> None:
        index.note_deleted(INBOX, "server", 2, 100)
        index.note_deleted(INBOX, "server", 3, 200)
        index.note_deleted(INBOX, "local", 4, 200)
        index.note_deleted(WORK, "local", 5, 300)
        index.note_deleted(WORK, "server", 0, 300)
        assert index.deleted_since(100) == {(INBOX, "server"): 5, (INBOX, "local"): 4, (WORK, "local"): 5}
        assert index.deleted_since(200) == {(INBOX, "server"): 3, (INBOX, "local"): 4, (WORK, "local"): 5}
        assert index.deleted_since(301) == {}

    def test_threads_may_record_and_read_at_the_same_time(self, index: Index) -> None:
        failures: list[BaseException] = []

        def run(body: Callable[[], None]) -> None:
            try:
                body()
            except BaseException as error:  # noqa: BLE001 (shown by the test)
                failures.append(error)

        def write(mailbox: MailboxName, start: int) -> None:
            for uid in range(start, start + 40, 4):
                batch = [pair(each, None, f"k{each % 7}") for each in range(uid, uid + 4)]
                index.announce(mailbox, [Intent(each.name, each.uid) for each in batch])
                index.record(mailbox, batch)

        def read() -> None:
            for _ in range(20):
                assert len(index.pairs(WORK)) % 4 == 0
                index.mailboxes()

        bodies = [
            *(
                lambda mailbox=mailbox, start=start: write(mailbox, start)
                for mailbox in (INBOX, WORK)
                for start in (1, 41)
            ),
            read,
            read,
        ]
        threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        for mailbox in (INBOX, WORK):
            assert index.pairs(mailbox) == tuple(pair(uid, None, f"k{uid % 7}") for uid in range(1, 81))
            assert index.intents(mailbox) == ()

    def test_closing_twice_is_no_error(self, index: Index) -> None:
        index.close()
        index.close()


class TestSqliteIndex(IndexContract):
    """The index that is used."""

    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[Index]:
        """One in a new file."""
        opened = open_index(tmp_path / "index.db", "work")
        yield opened
        opened.close()
