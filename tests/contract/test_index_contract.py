"""What every `Index` does, whatever it keeps its rows in."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncer.index import open_index
from syncer.ports import Index, KnownMailbox
from syncer.reconcile.flags import SYSTEM
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import Epoch, Fingerprint, Intent, Pair, PairState

WORK, LISTS, OTHER = MailboxName("Work"), MailboxName("Work/Lists"), MailboxName("Workshop")
EPOCH = Epoch(UidValidity(7), Uid(2**32 - 1), ModSeq(2**63 - 1), "F2212ea87")

any_text = st.text(st.characters(exclude_categories=()), min_size=1, max_size=20)
file_names = st.binary(min_size=1, max_size=20).map(lambda name: name.decode("utf-8", "surrogateescape"))
digests = st.binary(min_size=16, max_size=16)
any_flags = st.frozensets(st.sampled_from([*sorted(SYSTEM), "$Forwarded", "work", "later", "a]b", 'q"x', "\udcff"]))
any_pairs = st.lists(
    st.builds(
        Pair,
        uid=st.integers(1, 2**32 - 1),
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
        assert index.mailboxes() == (KnownMailbox(WORK, None, 1, {}),)

    def test_mailboxes_are_ordered_by_name_with_inbox_first(self, index: Index) -> None:
        names = [MailboxName(name) for name in ("b", "INBOX/x", "a", "INBOX", "B", "é")]
        for name in names:
            index.add_mailbox(name)
        assert [known.name for known in index.mailboxes()] == ["INBOX", "B", "INBOX/x", "a", "b", "é"]

    def test_finishing_a_pass_records_counters_letters_and_time_and_clears_the_error(self, index: Index) -> None:
        index.add_mailbox(INBOX)
        index.fail(INBOX, "the server said NO \udcff")
        assert index.mailboxes() == (KnownMailbox(INBOX, None, 0, {}, None, "the server said NO \udcff"),)
        index.finish(INBOX, EPOCH, {"a": "work", "b": "spät"}, 1_700_000_000)
        assert index.mailboxes() == (KnownMailbox(INBOX, EPOCH, 0, {"a": "work", "b": "spät"}, 1_700_000_000, None),)
        index.fail(INBOX, "again")
        assert index.mailboxes() == (KnownMailbox(INBOX, EPOCH, 0, {"a": "work", "b": "spät"}, 1_700_000_000, "again"),)
        bare = Epoch(UidValidity(8))
        index.finish(INBOX, bare, {}, 1_700_000_001)
        assert index.mailboxes() == (KnownMailbox(INBOX, bare, 0, {}, 1_700_000_001, None),)

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

    def test_a_forgotten_mailbox_leaves_nothing_behind_but_what_was_deleted_from_it(self, index: Index) -> None:
        index.record(WORK, [pair(1)])
        index.announce(WORK, [Intent(UniqueName("a"), None)])
        index.finish(WORK, EPOCH, {"a": "x"}, 1)
        index.note_deleted(WORK, "local", 3, 100)
        index.record(LISTS, [pair(1)])
        index.forget_mailbox(WORK)
        index.forget_mailbox(WORK)
        assert index.mailboxes() == (KnownMailbox(LISTS, None, 1, {}),)
        assert (index.pairs(WORK), index.intents(WORK)) == ((), ())
        assert index.deleted_since(0) == {(WORK, "local"): 3}
        index.add_mailbox(WORK)
        assert (index.pairs(WORK), index.intents(WORK)) == ((), ())

    def test_renaming_takes_everything_along_and_those_below(self, index: Index) -> None:
        for number, name in enumerate((WORK, LISTS, OTHER), start=1):
            index.record(name, [pair(number)])
            index.announce(name, [Intent(UniqueName("a"), Uid(number))])
            index.finish(name, EPOCH, {}, number)
            index.note_deleted(name, "server", number, 100)
        index.rename_mailbox(WORK, MailboxName("Job"))
        assert index.mailboxes() == (
            KnownMailbox(MailboxName("Job"), EPOCH, 1, {}, 1),
            KnownMailbox(MailboxName("Job/Lists"), EPOCH, 1, {}, 2),
            KnownMailbox(OTHER, EPOCH, 1, {}, 3),
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
