"""What every `LocalStore` does, whatever it keeps its messages in."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from syncer.errors import VanishedError
from syncer.maildir import filename
from syncer.maildir.keywords import extend
from syncer.maildir.layout import Layout, to_path
from syncer.maildir.store import MaildirStore
from syncer.ports import Expectation, LocalStore
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.fingerprint import of_octets
from syncer.reconcile.flags import ANSWERED, DRAFT, FLAGGED, FORWARDED, NONE, SEEN, FlagDelta, Flags
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import LocalMessage, ServerMessage
from syncer.values import replace

WORK, LISTS, OTHER = MailboxName("Work"), MailboxName("Work/Lists"), MailboxName("Workshop")
ONE, TWO = UniqueName("1.one.host"), UniqueName("2.two.host,S=12")
EPOCH = Epoch(UidValidity(7))
DATE = 1_111_111_111

SEEN_ONLY = frozenset({SEEN})


def octets(word: str) -> bytes:
    return f"Subject: {word}\r\n\r\nThis is {word}.\r\n".encode()


def described(uid: int, date: int = DATE) -> ServerMessage:
    return ServerMessage(Uid(uid), NONE, 100, date)


def expecting(base: Mapping[UniqueName, Flags]) -> Callable[[Callable[[Flags], str]], set[bytes]]:
    """What an index with this base does."""
    return lambda spell: {(name + spell(flags)).encode("utf-8", "surrogateescape") for name, flags in base.items()}


class Foreign(Protocol):
    """Another program that works on the same Maildir; contents are in the form the server has them."""

    def put(self, mailbox: MailboxName, name: UniqueName, content: bytes, flags: Flags = NONE) -> None:
        """Add a message to a mailbox that exists; keywords get a letter."""

    def set_flags(self, mailbox: MailboxName, name: UniqueName, flags: Flags) -> None:
        """Replace a message's flags."""

    def drop(self, mailbox: MailboxName, name: UniqueName) -> None:
        """Delete a message."""

    def drop_mailbox(self, mailbox: MailboxName) -> None:
        """Delete a mailbox that has no mailbox below it, with everything in it."""

    def set_letters(self, mailbox: MailboxName, mapping: dict[str, str]) -> None:
        """Replace the letters for keywords."""

    def attic(self) -> list[bytes]:
        """The contents of every message in the attic, sorted."""


class LocalStoreContract(ABC):
    """Subclass it, say how to make an empty store and who else works on it, and every test here runs on it."""

    @pytest.fixture
    @abstractmethod
    def store(self) -> Iterator[LocalStore]:
        """A store without mailboxes, or with an empty INBOX."""

    @pytest.fixture
    @abstractmethod
    def foreign(self, store: LocalStore) -> Foreign:
        """Another program, on the same store."""

    @pytest.fixture(autouse=True)
    def mailboxes_to_work_in(self, store: LocalStore) -> None:
        store.create(INBOX)
        store.create(WORK)

    @staticmethod
    def said(store: LocalStore, mailbox: MailboxName = INBOX) -> dict[str, set[str]]:
        listing = store.scan(mailbox, {})
        assert listing.complete
        assert all(message == LocalMessage(name, message.flags) for name, message in listing.messages.items())
        return {name: set(message.flags) for name, message in listing.messages.items()}

    @staticmethod
    def content(store: LocalStore, mailbox: MailboxName, name: UniqueName) -> bytes:
        return b"".join(store.outgoing(mailbox, name).chunks())

    def test_the_generation_is_what_was_written_last(self, store: LocalStore) -> None:
        assert store.generation == 0
        store.advance(3)
        assert store.generation == 3

    def test_mailboxes_come_by_name_with_inbox_first(self, store: LocalStore) -> None:
        for name in (OTHER, LISTS, MailboxName("A b"), WORK):
            store.create(name)
        assert store.mailboxes() == (INBOX, MailboxName("A b"), WORK, LISTS, OTHER)

    def test_a_new_mailbox_is_complete_and_empty(self, store: LocalStore) -> None:
        listing = store.scan(WORK, {})
        assert (dict(listing.messages), listing.complete, listing.missing) == ({}, True, False)
        assert (listing.letters.trusted, listing.letters.mapped, listing.letters.room) == (
            {FORWARDED},
            {FORWARDED},
            True,
        )

    def test_a_mailbox_that_does_not_exist_is_missing_and_proves_nothing(self, store: LocalStore) -> None:
        listing = store.scan(OTHER, {})
        assert (dict(listing.messages), listing.complete, listing.missing) == ({}, False, True)

    def test_a_mailbox_deleted_by_another_program_is_missing(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(WORK, ONE, octets("one"))
        foreign.drop_mailbox(WORK)
        assert store.scan(WORK, {}).missing
        assert store.mailboxes() == (INBOX,)

    def test_what_another_program_adds_changes_and_deletes_is_seen(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("one"))
        foreign.put(INBOX, TWO, octets("two"), frozenset({SEEN, FORWARDED, "todo"}))
        assert self.said(store) == {ONE: set(), TWO: {SEEN, FORWARDED, "todo"}}
        foreign.set_flags(INBOX, ONE, frozenset({FLAGGED}))
        foreign.drop(INBOX, TWO)
        assert self.said(store) == {ONE: {FLAGGED}}

    def test_a_file_is_sent_as_the_server_would_have_it(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("one"))
        outgoing = store.outgoing(INBOX, ONE)
        assert b"".join(outgoing.chunks()) == octets("one")
        assert outgoing.name == ONE
        assert outgoing.fingerprint == store.fingerprints(INBOX, [ONE])[ONE] == of_octets(octets("one"))
        assert outgoing.internaldate == store.internaldate(INBOX, ONE)

    def test_the_octets_can_be_asked_for_again(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("one"))
        outgoing = store.outgoing(INBOX, ONE)
        assert [b"".join(outgoing.chunks()) for _ in range(3)] == [octets("one")] * 3

    def test_a_file_that_vanished_is_not_sent(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("one"))
        outgoing = store.outgoing(INBOX, ONE)
        foreign.drop(INBOX, ONE)
        with suppress(VanishedError):
            assert b"".join(outgoing.chunks()) == octets("one")
        for read in (store.outgoing, store.internaldate):
            with pytest.raises(VanishedError):
                read(INBOX, ONE)

    def test_fingerprints_are_of_the_files_that_can_be_read(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("one"))
        foreign.put(INBOX, TWO, octets("two"))
        foreign.drop(INBOX, ONE)
        assert store.fingerprints(INBOX, [ONE, TWO]) == {TWO: of_octets(octets("two"))}

    @pytest.mark.parametrize(
        "content",
        [
            octets("one"),
            b"",
            b"\r\n",
            b"no line ending",
            b"Subject: mixed\r\n\r\nbare\nlf\r\n",
            b"Subject: bare cr\r\n\r\na\rb\r\n",
            b"\0\xff\r\n",
        ],
    )
    def test_a_delivered_message_comes_back_octet_for_octet(self, store: LocalStore, content: bytes) -> None:
        with store.delivery(INBOX) as delivery:
            assert delivery.add(ONE, NONE, DATE, (content[:3], content[3:])) == of_octets(content)
            delivery.commit()
        assert self.content(store, INBOX, ONE) == content
        assert store.fingerprints(INBOX, [ONE])[ONE] == of_octets(content)
        assert store.outgoing(INBOX, ONE).internaldate == DATE

    def test_a_file_is_read_anew_in_a_form_that_a_server_may_have_sent(
        self, store: LocalStore, foreign: Foreign
    ) -> None:
        foreign.put(INBOX, ONE, octets("one"))
        examined = store.examine(INBOX, ONE)
        assert of_octets(octets("one")) in examined.forms
        assert ONE in examined.path
        foreign.drop(INBOX, ONE)
        with pytest.raises(VanishedError):
            store.examine(INBOX, ONE)

    def test_a_damaged_file_is_replaced_under_its_name_and_goes_to_the_attic(
        self, store: LocalStore, foreign: Foreign
    ) -> None:
        foreign.put(INBOX, ONE, octets("bad"), frozenset({SEEN, "todo"}))
        foreign.put(INBOX, TWO, octets("two"))
        assert store.mend(INBOX, ONE, of_octets(octets("one")), DATE, [octets("one")])
        assert self.said(store) == {ONE: {SEEN, "todo"}, TWO: set()}
        assert [self.content(store, INBOX, name) for name in (ONE, TWO)] == [octets("one"), octets("two")]
        assert store.internaldate(INBOX, ONE) == DATE
        assert foreign.attic() == [octets("bad")]

    def test_nothing_is_replaced_by_something_that_is_not_whole(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("bad"), SEEN_ONLY)
        assert not store.mend(INBOX, ONE, of_octets(octets("one")), DATE, [octets("on")])
        assert self.said(store) == {ONE: {SEEN}}
        assert (self.content(store, INBOX, ONE), foreign.attic()) == (octets("bad"), [])

    def test_a_file_that_vanished_is_not_replaced(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("bad"))
        self.said(store)
        foreign.drop(INBOX, ONE)
        with pytest.raises(VanishedError):
            store.mend(INBOX, ONE, of_octets(octets("one")), DATE, [octets("one")])
        assert (self.said(store), foreign.attic()) == ({}, [])

    def test_delivered_messages_have_their_flags(self, store: LocalStore) -> None:
        wanted = {
            f"{number}.x": flags for number, flags in enumerate((NONE, SEEN_ONLY, frozenset({"todo", FORWARDED})))
        }
        with store.delivery(INBOX) as delivery:
            for name, flags in wanted.items():
                delivery.add(UniqueName(name), flags, DATE, [octets(name)])
            delivery.commit()
        assert self.said(store) == wanted

    def test_what_is_not_committed_is_not_delivered(self, store: LocalStore) -> None:
        with store.delivery(INBOX) as delivery:
            delivery.add(ONE, NONE, DATE, [octets("one")])
            assert self.said(store) == {}
        assert self.said(store) == {}

    def test_a_body_that_breaks_off_leaves_nothing(self, store: LocalStore) -> None:
        def body() -> Iterator[bytes]:
            yield b"Subject: half"
            raise ConnectionResetError

        with store.delivery(INBOX) as delivery:
            with pytest.raises(ConnectionResetError):
                delivery.add(ONE, NONE, DATE, body())
            delivery.add(TWO, NONE, DATE, [octets("two")])
            delivery.commit()
        assert self.said(store) == {TWO: set()}

    def test_a_name_that_is_there_already_is_left_as_it_is(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("one"), SEEN_ONLY)
        with store.delivery(INBOX) as delivery:
            delivery.add(ONE, frozenset({FLAGGED}), DATE, [octets("again")])
            delivery.add(TWO, NONE, DATE, [octets("two")])
            delivery.commit()
        assert self.said(store) == {ONE: {SEEN}, TWO: set()}
        assert self.content(store, INBOX, ONE) == octets("one")

    def test_several_batches_of_one_delivery(self, store: LocalStore) -> None:
        with store.delivery(INBOX) as delivery:
            for name in (ONE, TWO):
                delivery.add(name, NONE, DATE, [octets("x")])
                delivery.commit()
            delivery.commit()
        assert self.said(store) == {ONE: set(), TWO: set()}

    def test_our_names_are_always_the_same_and_known_again(self, store: LocalStore) -> None:
        name = store.unique_name(INBOX, EPOCH, described(3))
        assert name == store.unique_name(INBOX, Epoch(UidValidity(7), Uid(9)), described(3))
        assert store.own_uid(INBOX, EPOCH, name) == 3
        others = {store.unique_name(*other) for other in ((WORK, EPOCH, described(3)), (INBOX, EPOCH, described(4)))}
        others.add(store.unique_name(INBOX, Epoch(UidValidity(8)), described(3)))
        assert len(others - {name}) == 3
        assert store.own_uid(WORK, EPOCH, name) is None
        assert store.own_uid(INBOX, Epoch(UidValidity(8)), name) is None
        assert store.own_uid(INBOX, EPOCH, ONE) is None

    def test_flags_are_changed_by_deltas(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("one"), frozenset({SEEN, "todo"}))
        change = FlagDelta(frozenset({FLAGGED, "work", FORWARDED}), frozenset({SEEN, ANSWERED}))
        store.change_flags(INBOX, ONE, change)
        store.change_flags(INBOX, ONE, change)
        store.flush(INBOX)
        assert self.said(store) == {ONE: {FLAGGED, FORWARDED, "todo", "work"}}
        store.change_flags(INBOX, ONE, FlagDelta(remove=frozenset({FLAGGED, "todo", "work", FORWARDED})))
        assert self.said(store) == {ONE: set()}
        assert self.content(store, INBOX, ONE) == octets("one")

    def test_a_delta_applies_to_the_flags_of_this_moment(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("one"))
        self.said(store)
        foreign.set_flags(INBOX, ONE, frozenset({FLAGGED}))
        store.change_flags(INBOX, ONE, FlagDelta(add=SEEN_ONLY))
        assert self.said(store) == {ONE: {FLAGGED, SEEN}}

    def test_flags_of_a_message_that_is_gone_cannot_be_changed(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("one"), SEEN_ONLY)
        self.said(store)
        foreign.drop(INBOX, ONE)
        with pytest.raises(VanishedError):
            store.change_flags(INBOX, ONE, FlagDelta(add=SEEN_ONLY))

    def test_letters_are_trusted_if_they_mean_what_they_meant(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.set_letters(INBOX, {"a": "work", "b": "todo", "c": "new"})
        listing = store.scan(INBOX, {"a": "work", "b": "other", "z": "lost"})
        assert listing.mapping == store.mapping(INBOX) == {"a": "work", "b": "todo", "c": "new", "z": "lost"}
        assert listing.letters.mapped == {FORWARDED, "work", "todo", "new", "lost"}
        assert listing.letters.trusted == {FORWARDED, "work", "lost"}
        assert listing.letters.room

    def test_without_free_letters_further_keywords_are_passed_over(self, store: LocalStore, foreign: Foreign) -> None:
        letters = {letter: f"keyword-{letter}" for letter in filename.LETTERS}
        foreign.set_letters(INBOX, letters)
        foreign.put(INBOX, ONE, octets("one"))
        assert not store.scan(INBOX, {}).letters.room
        store.change_flags(INBOX, ONE, FlagDelta(add=frozenset({"one-more", "keyword-q"})))
        assert self.said(store) == {ONE: {"keyword-q"}}
        assert store.mapping(INBOX) == letters

    def test_only_what_is_not_as_expected_is_listed(self, store: LocalStore, foreign: Foreign) -> None:
        three, four = UniqueName("3.three"), UniqueName("4.four")
        for name, flags in {ONE: SEEN_ONLY, TWO: frozenset({"todo"}), three: NONE}.items():
            foreign.put(INBOX, name, octets("any"), flags)
        mapping = store.mapping(INBOX)
        base = {ONE: SEEN_ONLY, TWO: frozenset({FLAGGED, "todo"}), four: SEEN_ONLY}
        listing = store.scan(INBOX, mapping, Expectation(expecting(base)))
        assert {name: message.flags for name, message in listing.messages.items()} == {TWO: {"todo"}, three: NONE}
        assert listing.absent == {four}
        assert (listing.complete, listing.missing, listing.mapping) == (True, False, mapping)

    def test_nothing_is_listed_where_everything_is_as_expected(self, store: LocalStore, foreign: Foreign) -> None:
        base = {ONE: SEEN_ONLY, TWO: frozenset({FLAGGED, "todo"})}
        for name, flags in base.items():
            foreign.put(INBOX, name, octets("any"), flags)
        listing = store.scan(INBOX, store.mapping(INBOX), Expectation(expecting(base)))
        assert (dict(listing.messages), listing.absent, listing.complete) == ({}, frozenset(), True)

    def test_a_mailbox_in_the_state_expected_is_not_read(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("one"), frozenset({SEEN, "todo"}))
        mapping = store.mapping(INBOX)
        first = store.scan(INBOX, mapping, Expectation(expecting({})))
        assert first.state is not None
        assert first.state == store.state(INBOX)

        def never(spell: object) -> set[bytes]:
            raise AssertionError

        again = store.scan(INBOX, mapping, Expectation(never, first.state))
        assert again == replace(first, messages={})

    @pytest.mark.parametrize("deed", ["a new file", "a removed file", "another flag", "another letter"])
    def test_whatever_another_program_changes_changes_the_state(
        self, store: LocalStore, foreign: Foreign, deed: str
    ) -> None:
        foreign.put(INBOX, ONE, octets("one"), SEEN_ONLY)
        known = store.scan(INBOX, {}, Expectation(expecting({}))).state
        match deed:
            case "a new file":
                foreign.put(INBOX, TWO, octets("two"))
            case "a removed file":
                foreign.drop(INBOX, ONE)
            case "another flag":
                foreign.set_flags(INBOX, ONE, NONE)
            case "another letter":
                foreign.set_letters(INBOX, {"a": "work"})
        assert store.state(INBOX) != known
        listing = store.scan(INBOX, {}, Expectation(expecting({ONE: SEEN_ONLY}), known))
        assert listing.state not in {None, known}
        assert (set(listing.messages), listing.absent) == {
            "a new file": ({TWO}, frozenset()),
            "a removed file": (set(), frozenset({ONE})),
            "another flag": ({ONE}, frozenset()),
            "another letter": (set(), frozenset()),
        }[deed]

    def test_a_mailbox_that_does_not_exist_has_no_state(self, store: LocalStore) -> None:
        assert store.state(OTHER) is None
        assert store.scan(OTHER, {}, Expectation(expecting({ONE: NONE}), None)).missing

    def test_a_name_whose_letter_changed_its_meaning_is_listed(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.set_letters(INBOX, {"a": "work"})
        foreign.put(INBOX, ONE, octets("one"), frozenset({"work"}))
        base = dict.fromkeys([ONE, TWO], frozenset({"work"}))
        listing = store.scan(INBOX, {"a": "old"}, Expectation(expecting(base)))
        assert (set(listing.messages), listing.absent) == ({ONE}, {TWO})

    def test_what_a_name_said_is_only_a_hint(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(INBOX, ONE, octets("one"), SEEN_ONLY)
        foreign.put(INBOX, TWO, octets("two"), frozenset({FLAGGED, "todo"}))
        state = store.scan(INBOX, store.mapping(INBOX)).state
        store.scan(INBOX, store.mapping(INBOX), Expectation(expecting({}), state))
        store.change_flags(INBOX, ONE, FlagDelta(add=frozenset({ANSWERED})), SEEN_ONLY)
        store.change_flags(INBOX, TWO, FlagDelta(add=frozenset({ANSWERED})), frozenset({SEEN, "never"}))
        assert self.said(store) == {ONE: {SEEN, ANSWERED}, TWO: {FLAGGED, ANSWERED, "todo"}}
        store.remove(INBOX, ONE, frozenset({DRAFT}))
        store.move(INBOX, TWO, WORK, TWO, FlagDelta(), said=NONE)
        assert (self.said(store), set(self.said(store, WORK))) == ({}, {TWO})

    def test_a_message_moves_with_its_flags(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.set_letters(WORK, {"a": "other"})
        foreign.put(INBOX, ONE, octets("one"), frozenset({FLAGGED, "todo"}))
        store.move(INBOX, ONE, WORK, TWO, FlagDelta(add=SEEN_ONLY, remove=frozenset({FLAGGED})))
        assert self.said(store) == {}
        assert self.said(store, WORK) == {TWO: {SEEN, "todo"}}
        assert self.content(store, WORK, TWO) == octets("one")

    def test_a_message_that_is_gone_cannot_be_moved(self, store: LocalStore) -> None:
        with pytest.raises(VanishedError):
            store.move(INBOX, ONE, WORK, TWO, FlagDelta())
        assert self.said(store, WORK) == {}

    def test_what_is_removed_is_in_the_attic(self, store: LocalStore, foreign: Foreign) -> None:
        for name in (ONE, TWO):
            foreign.put(INBOX, name, octets(name))
        for _ in range(2):
            store.remove(INBOX, ONE)
            store.flush(INBOX)
        assert self.said(store) == {TWO: set()}
        assert foreign.attic() == [octets(ONE)]

    def test_the_attic_keeps_every_message_of_the_same_name(self, store: LocalStore, foreign: Foreign) -> None:
        for word in ("first", "second", "second"):
            foreign.put(INBOX, ONE, octets(word))
            store.remove(INBOX, ONE)
        assert foreign.attic() == [octets("first"), octets("second"), octets("second")]

    def test_creating_a_mailbox_twice_changes_nothing(self, store: LocalStore, foreign: Foreign) -> None:
        foreign.put(WORK, ONE, octets("one"))
        store.create(WORK)
        assert self.said(store, WORK) == {ONE: set()}

    def test_a_mailbox_is_renamed_with_those_below_it(self, store: LocalStore, foreign: Foreign) -> None:
        store.create(LISTS)
        store.create(OTHER)
        foreign.put(WORK, ONE, octets("one"), SEEN_ONLY)
        foreign.put(LISTS, TWO, octets("two"))
        store.rename(WORK, MailboxName("Old/Job"))
        assert store.mailboxes() == (INBOX, MailboxName("Old/Job"), MailboxName("Old/Job/Lists"), OTHER)
        assert self.said(store, MailboxName("Old/Job")) == {ONE: {SEEN}}
        assert self.said(store, MailboxName("Old/Job/Lists")) == {TWO: set()}
        assert store.scan(WORK, {}).missing

    def test_a_deleted_mailbox_is_in_the_attic_and_those_below_it_stay(
        self, store: LocalStore, foreign: Foreign
    ) -> None:
        store.create(LISTS)
        foreign.put(WORK, ONE, octets("one"), SEEN_ONLY)
        foreign.put(WORK, TWO, octets("two"))
        foreign.put(LISTS, ONE, octets("three"))
        store.delete(WORK)
        assert store.mailboxes() == (INBOX, LISTS)
        assert store.scan(WORK, {}).missing
        assert self.said(store, LISTS) == {ONE: set()}
        assert foreign.attic() == [octets("one"), octets("two")]

    def test_deleting_a_mailbox_that_is_gone_is_no_error(self, store: LocalStore) -> None:
        store.delete(OTHER)
        assert store.mailboxes() == (INBOX, WORK)


@dataclass
class MaildirProgram:
    """A program that knows Maildir and `dovecot-keywords`, and nothing of us."""

    root: Path
    attic_root: Path
    layout: Layout

    def directory(self, mailbox: MailboxName) -> Path:
        return self.root / to_path(mailbox, self.layout).decode()

    def put(self, mailbox: MailboxName, name: UniqueName, content: bytes, flags: Flags = NONE) -> None:
        path = self.directory(mailbox) / "cur" / name
        path.write_bytes(content.replace(b"\r\n", b"\n"))
        self.set_flags(mailbox, name, flags)

    def set_flags(self, mailbox: MailboxName, name: UniqueName, flags: Flags) -> None:
        path = self.find(mailbox, name)
        table = extend(bytes(self.directory(mailbox)), lambda table: keywords_for(flags, dict(table.mapping)))
        path.rename(path.parent / filename.with_delta(name, FlagDelta(add=flags), table.mapping))

    def drop(self, mailbox: MailboxName, name: UniqueName) -> None:
        self.find(mailbox, name).unlink()

    def drop_mailbox(self, mailbox: MailboxName) -> None:
        directory = self.directory(mailbox)
        for path in sorted(directory.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()
        directory.rmdir()

    def set_letters(self, mailbox: MailboxName, mapping: dict[str, str]) -> None:
        lines = [f"{filename.LETTERS.index(letter)} {keyword}\n" for letter, keyword in mapping.items()]
        (self.directory(mailbox) / "dovecot-keywords").write_text("".join(lines))

    def attic(self) -> list[bytes]:
        files = [path for path in self.attic_root.rglob("*") if path.is_file()]
        return sorted(path.read_bytes().replace(b"\n", b"\r\n") for path in files)

    def find(self, mailbox: MailboxName, name: UniqueName) -> Path:
        paths = [path for sub in ("cur", "new") for path in (self.directory(mailbox) / sub).iterdir()]
        (found,) = [path for path in paths if filename.split(path.name)[0] == name]
        return found


def keywords_for(flags: Flags, mapping: dict[str, str]) -> dict[str, str]:
    wanted = sorted(flag for flag in flags if flag not in {*filename.FLAG_LETTERS, *mapping.values()})
    free = [letter for letter in filename.LETTERS if letter not in mapping]
    return dict(zip(free, wanted, strict=False))


class TestMaildir(LocalStoreContract):
    """On a real Maildir, in both layouts."""

    @pytest.fixture(params=["fs", "maildir++"])
    def layout(self, request: pytest.FixtureRequest) -> Layout:
        return request.param  # type: ignore[no-any-return]

    @pytest.fixture
    def store(self, tmp_path: Path, layout: Layout) -> Iterator[LocalStore]:
        store = MaildirStore.open(str(tmp_path / "Mail"), layout, str(tmp_path / "attic"), None)
        yield store
        store.close()

    @pytest.fixture
    def foreign(self, tmp_path: Path, layout: Layout, store: LocalStore) -> Foreign:
        return MaildirProgram(tmp_path / "Mail", tmp_path / "attic", layout)
