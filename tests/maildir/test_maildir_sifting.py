"""Sifting a mailbox says the same of it as reading every name."""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncer.maildir.filename import LETTERS, split
from syncer.maildir.store import MaildirStore
from syncer.ports import Expectation
from syncer.reconcile.comparing import local_changes
from syncer.reconcile.flags import FLAGGED, NONE, SEEN, SYSTEM, FlagDelta, Flags
from syncer.reconcile.identity import INBOX, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, LocalChanges, LocalListing, Pair, PairState
from syncer.values import replace

NAMES = [UniqueName(name) for name in ("1.a", "2.b:2,", "3.c,S=4", "4.\udcff", "5.\ud55c", "6.\udced\udcb3\udcbf")]
"""Among them one that looks like an info, one that is not UTF-8, and one whose octets are the index's form of that."""
MAPPING = {"a": "work", "b": "todo"}
INFOS = ["", ":2,", ":2,S", ":2,FS", ":2,SF", ":2,Sa", ":2,ab", ":2,Sz", ":1,x", ":2,S,x", ":2,P"]

some_flags = st.frozensets(st.sampled_from([*sorted(SYSTEM), "$Forwarded", "work", "todo", "none"]), max_size=3)
bases = st.dictionaries(st.sampled_from(NAMES), st.tuples(some_flags, st.sampled_from(PairState)))
files = st.sets(st.tuples(st.sampled_from(["cur", "new"]), st.sampled_from(NAMES), st.sampled_from(INFOS)), max_size=9)


def index_of(base: Mapping[UniqueName, tuple[Flags, PairState]]) -> list[Pair]:
    nothing = Fingerprint(1, bytes(16), bytes(16))
    return [
        Pair(Uid(place), name, flags, nothing, state=state) for place, (name, (flags, state)) in enumerate(base.items())
    ]


def expecting(pairs: list[Pair]) -> Expectation:
    here = [pair for pair in pairs if pair.state is not PairState.SERVER_ONLY]
    return Expectation(
        lambda spell: {(pair.name + spell(pair.flags)).encode("utf-8", "surrogateescape") for pair in here}
    )


def every(listing: LocalListing, pairs: list[Pair]) -> LocalListing:
    """A listing of everything, as sifting would put it if nothing were as expected."""
    return replace(listing, absent=frozenset(pair.name for pair in pairs) - listing.messages.keys())


def told(changes: LocalChanges, there: set[tuple[str, UniqueName, str]]) -> LocalChanges:
    """In an order, and without the flags of a message that is there twice: which file counts only sifting can tell."""
    number = Counter(split(name + info)[0] for _, name, info in there)
    flags = {name: said for name, said in changes.flags.items() if number[name] == 1}
    return replace(changes, new=tuple(sorted(changes.new, key=lambda message: message.name)), flags=flags)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=bases, there=files, remembered=st.sampled_from([MAPPING, {}, {"a": "work"}, {"a": "old", "b": "todo"}]))
@example(base={UniqueName("2.b:2,"): (NONE, PairState.BOTH)}, there={("new", UniqueName("2.b:2,"), "")}, remembered={})
def test_the_same_changes_come_out(
    tmp_path_factory: pytest.TempPathFactory,
    base: dict[UniqueName, tuple[Flags, PairState]],
    there: set[tuple[str, UniqueName, str]],
    remembered: dict[str, str],
) -> None:
    root = tmp_path_factory.mktemp("sift")
    with closing(MaildirStore.open(str(root / "Mail"), "fs", str(root / "attic"), None)) as store:
        store.create(INBOX)
        box = root / "Mail" / "INBOX"
        numbers = {LETTERS.index(letter): word for letter, word in MAPPING.items()}
        (box / "dovecot-keywords").write_text("".join(f"{number} {word}\n" for number, word in numbers.items()))
        for sub, name, info in there:
            (Path(os.fsdecode(os.fsencode(box / sub))) / (name + info)).write_bytes(b"the same\n")
        pairs = index_of(base)
        sifted = store.scan(INBOX, remembered, expecting(pairs))
        whole = store.scan(INBOX, remembered)
        assert told(local_changes(sifted, pairs), there) == told(local_changes(every(whole, pairs), pairs), there)
        assert sifted.complete == whole.complete
        assert sorted(sifted.notes) == sorted(whole.notes)


ONE = UniqueName("1.a")
SEEN_ONE = expecting(index_of({ONE: (frozenset({SEEN}), PairState.BOTH)}))


FLAG = FlagDelta(add=frozenset({FLAGGED}))


def test_no_file_that_is_as_expected_is_looked_at(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [UniqueName(f"{number}.x") for number in range(200)]
    for name in names:
        (inbox / "cur" / f"{name}:2,S").write_text("")
    (inbox / "cur" / "odd:2,").write_text("")
    looked: list[bytes] = []
    lstat = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: (looked.append(os.fsencode(path)), lstat(path))[1])
    pairs = index_of(dict.fromkeys(names, (frozenset({SEEN}), PairState.BOTH)))
    listing = store.scan(INBOX, {}, expecting(pairs))
    assert set(listing.messages) == {"odd"}
    assert [path for path in looked if b"/cur/" in path] == [os.fsencode(inbox / "cur" / "odd:2,")]


def test_a_symbolic_link_in_place_of_a_message_proves_nothing(store: MaildirStore, inbox: Path) -> None:
    (inbox / "cur" / "2.b:2,").symlink_to("/nowhere")
    listing = store.scan(INBOX, {}, SEEN_ONE)
    assert (dict(listing.messages), listing.absent, listing.complete, listing.state) == ({}, {ONE}, False, None)


@pytest.mark.parametrize("other", ["cur/1.a:2,", "cur/1.a:2,FS", "cur/1.a:2,ST", "new/1.a", "new/1.a:2,S"])
def test_of_two_files_of_a_message_the_one_that_is_as_expected_counts(
    store: MaildirStore, inbox: Path, other: str
) -> None:
    for file in ("cur/1.a:2,S", other):
        (inbox / file).write_text("the same")
    listing = store.scan(INBOX, {}, SEEN_ONE)
    assert {name: message.flags for name, message in listing.messages.items()} == {ONE: frozenset({SEEN})}
    assert listing.notes == ("1.a is there twice; one of the files is passed over",)


def test_a_message_without_flags_may_be_in_new(store: MaildirStore, inbox: Path) -> None:
    (inbox / "new" / ONE).write_text("")
    base = expecting(index_of({ONE: (NONE, PairState.BOTH)}))
    listing = store.scan(INBOX, {}, base)
    assert (dict(listing.messages), listing.absent) == ({}, frozenset())
    store.change_flags(INBOX, ONE, FLAG, NONE)
    assert [path.name for path in (inbox / "cur").iterdir()] == ["1.a:2,F"]


def test_deliveries_into_a_sifted_mailbox_read_it_no_further(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "cur" / f"{ONE}:2,S").write_text("")
    state = store.scan(INBOX, {}, SEEN_ONE).state
    store.scan(INBOX, {}, replace(SEEN_ONE, state=state))
    listings: list[object] = []
    for name in ("listdir", "scandir"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda path, real=real: (listings.append(path), real(path))[1])
    store.change_flags(INBOX, ONE, FLAG, frozenset({SEEN}))
    with store.delivery(INBOX) as delivery:
        delivery.add(UniqueName("2.b"), NONE, 1, [b"a: b\r\n\r\n"])
        assert delivery.commit() == frozenset()
    store.remove(INBOX, ONE, frozenset({SEEN, FLAGGED}))
    tmp = os.fsencode(inbox / "tmp")
    assert [path for path in listings if path not in {tmp, os.path.dirname(tmp)}] == []
