r"""Maildir file names: what they say, and that nothing in them is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.maildir.filename import (
    FLAG_LETTERS,
    LETTERS,
    flags_of,
    own_uid,
    split,
    translated,
    unique_name,
    with_delta,
)
from syncer.reconcile.flags import ANSWERED, DELETED, DRAFT, FLAGGED, FORWARDED, NONE, SEEN, FlagDelta, apply, delta
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName

V7 = UidValidity(7)
KEYWORDS = {"a": "work", "b": "Later"}

any_file_names = st.binary(min_size=1, max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
infos = st.sampled_from(["", ":2,", ":2,S", ":2,SFab", ":2,zXS,more", ":1,x", ":2", ":3,S", ":2,FF:2,S"])
names = st.builds(lambda name, info: name + info, any_file_names, infos)
keywords = st.sampled_from(["work", "later", "todo", "$junk", "x-1", "Ünsinn"])
mappings = st.dictionaries(st.sampled_from(LETTERS), keywords, max_size=6).map(
    lambda found: {letter: f"{keyword}{letter}" for letter, keyword in found.items()}
)


def flags_with(mapping: dict[str, str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from([*sorted(FLAG_LETTERS), *sorted(mapping.values())]))


@pytest.mark.parametrize(
    ("name", "unique", "info"),
    [
        ("1.a.host", "1.a.host", ""),
        ("1.a.host:2,", "1.a.host", ":2,"),
        ("1.a.host,S=12,W=13:2,FS", "1.a.host,S=12,W=13", ":2,FS"),
        ("1.a.host,U=5,FMD5=abc:2,S", "1.a.host,U=5,FMD5=abc", ":2,S"),
        ("1.a.host:1,x", "1.a.host", ":1,x"),
        ("1.a.host:2,S,more", "1.a.host", ":2,S,more"),
        ("backup 12:30:01", "backup 12:30:01", ""),
        ("backup 12:30:01:2,S", "backup 12:30:01", ":2,S"),
        ("1.a:2,F:2,S", "1.a:2,F", ":2,S"),
        ("1.a:2,F:1,S", "1.a:2,F", ":1,S"),
        (":2,S", "", ":2,S"),
    ],
)
def test_a_file_name_is_a_unique_name_and_an_info(name: str, unique: str, info: str) -> None:
    assert split(name) == (unique, info)


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("a", NONE),
        ("a:2,", NONE),
        ("a:2,DFPRST", {DRAFT, FLAGGED, FORWARDED, ANSWERED, SEEN, DELETED}),
        ("a:2,TSSF", {DELETED, SEEN, FLAGGED}),
        ("a:2,Sab", {SEEN, "work", "Later"}),
        ("a:2,SXz", {SEEN}),
        ("a:2,S,F", {SEEN}),
        ("a:1,S", NONE),
    ],
)
def test_letters_say_flags_in_any_order_and_unknown_ones_say_nothing(name: str, flags: set[str]) -> None:
    assert flags_of(name, KEYWORDS) == flags


@pytest.mark.parametrize(
    ("name", "change", "after"),
    [
        ("a", "+S", "a:2,S"),
        ("a:2,S", "-S", "a:2,"),
        ("a:2,TS", "+F", "a:2,FST"),
        ("a:2,TS", "+S", "a:2,TS"),
        ("a:2,SS", "+F", "a:2,FS"),
        ("a:2,XzS", "+F", "a:2,FSXz"),
        ("a:2,S,more", "+F", "a:2,FS,more"),
        ("a:1,x", "+F", "a:2,F,1,x"),
        ("a:2,", "+work", "a:2,a"),
        ("a:2,", "+LATER", "a:2,b"),
        ("a:2,ab", "-WORK", "a:2,b"),
        ("a:2,S", "+unknown", "a:2,S"),
        ("a,S=3", "+S", "a,S=3:2,S"),
    ],
)
def test_a_delta_changes_only_the_letters_it_names(name: str, change: str, after: str) -> None:
    letters = {letter: flag for flag, letter in FLAG_LETTERS.items()}
    flags = frozenset({letters.get(change[1:], change[1:])})
    wanted = FlagDelta(add=flags) if change[0] == "+" else FlagDelta(remove=flags)
    assert with_delta(name, wanted, KEYWORDS) == after


def test_forwarded_is_said_by_p_and_by_the_letter_that_dovecot_gave_it() -> None:
    mapping = {"c": "$forwarded"}
    assert with_delta("a:2,", FlagDelta(add=frozenset({FORWARDED})), mapping) == "a:2,Pc"
    assert with_delta("a:2,Pc", FlagDelta(remove=frozenset({FORWARDED})), mapping) == "a:2,"
    assert flags_of("a:2,c", mapping) == {"$forwarded"}


@given(names, st.data())
def test_any_flags_can_be_set_and_taken_back(name: str, data: st.DataObject) -> None:
    mapping = data.draw(mappings)
    before = flags_of(name, mapping)
    wanted = data.draw(flags_with(mapping))
    change = delta(before, wanted)
    changed = with_delta(name, change, mapping)
    assert flags_of(changed, mapping) == apply(before, change) == wanted
    assert split(changed)[0] == split(name)[0]
    back = with_delta(changed, delta(wanted, before), mapping)
    assert flags_of(back, mapping) == before
    assert with_delta(back, delta(before, wanted), mapping) == changed


@given(names, mappings)
def test_a_delta_that_changes_nothing_leaves_the_name_as_it_is(name: str, mapping: dict[str, str]) -> None:
    assert with_delta(name, FlagDelta(add=flags_of(name, mapping)), mapping) == name


@given(names, mappings)
def test_letters_that_are_not_understood_and_what_follows_them_stay(name: str, mapping: dict[str, str]) -> None:
    changed = with_delta(name, FlagDelta(add=frozenset({DRAFT})), mapping)
    info = split(name)[1]
    understood = {*FLAG_LETTERS.values(), *mapping}
    if info.startswith(":2,"):
        letters, comma, tail = info[3:].partition(",")
        assert set(letters) - understood <= set(split(changed)[1])
        assert changed.endswith(comma + tail)
    elif info:
        assert changed.endswith(info[1:])


def test_keywords_follow_by_name_into_another_mailbox() -> None:
    target = {"q": "WORK"}
    assert translated("a:2,SXabz,more", UniqueName("b"), KEYWORDS, target) == "b:2,SXq,more"
    assert translated("a", UniqueName("b"), KEYWORDS, target) == "b"
    assert translated("a:1,x", UniqueName("b"), KEYWORDS, target) == "b:1,x"


@given(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1), st.integers(-(2**70), 2**70), st.text(min_size=1))
def test_our_own_names_carry_the_uid_for_this_mailbox_and_epoch_only(
    uidvalidity: int, uid: int, date: int, mailbox: str
) -> None:
    box, epoch = MailboxName(mailbox), UidValidity(uidvalidity)
    name = unique_name(box, epoch, Uid(uid), date)
    assert name == unique_name(box, epoch, Uid(uid), date)
    assert own_uid(name, box, epoch) == uid
    assert own_uid(name, MailboxName(mailbox + "x"), epoch) is None
    assert own_uid(name, box, UidValidity(uidvalidity + 1)) is None
    assert split(name + ":2,S") == (name, ":2,S")
    assert len(name) < 80
    assert "/" not in name


@pytest.mark.parametrize(
    "name", ["1.V7U0M{}.syncer", "01.V7U3M{}.syncer", "1.V7U3M{}.syncer,S=3", "1.V7U³M{}.syncer", "x"]
)
def test_a_name_that_only_resembles_ours_is_not_ours(name: str) -> None:
    digest = unique_name(INBOX, V7, Uid(3), 1).partition("M")[2].partition(".")[0]
    assert own_uid(UniqueName(f"1.V7U3M{digest}.syncer"), INBOX, V7) == 3
    assert own_uid(UniqueName(name.format(digest)), INBOX, V7) is None


def test_the_name_of_a_message_never_changes() -> None:
    # Files in the Maildirs of our users have these names.
    assert unique_name(MailboxName("Work/Ü"), V7, Uid(42), -5) == "0.V7U42M416b3e80a8b1.syncer"
