"""After a mailbox got another epoch, its pairs get the UIDs that their messages have now, and nothing is mixed up."""

from collections.abc import Collection, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from syncer.reconcile.flags import NONE
from syncer.reconcile.identity import Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Pair, PairState, ServerMessage
from syncer.reconcile.renewal import CHECKED, Answers, Renewal, renew, wanted_contents, wanted_headers


def digest(content: str) -> bytes:
    return content.encode().ljust(16, b".")


def pair(uid: int, content: str, size: int = 0, state: PairState = PairState.BOTH, body: str = "") -> Pair:
    fingerprint = Fingerprint(size or 1000 + len(content), digest(content), digest(body or content))
    return Pair(Uid(uid), UniqueName(f"n{uid}"), NONE, fingerprint, state=state)


def message(uid: int, content: str, date: int = 0, size: int = 0) -> ServerMessage:
    return ServerMessage(Uid(uid), NONE, size or 1000 + len(content), date)


def played(
    pairs: Sequence[Pair],
    messages: Sequence[ServerMessage],
    contents: Mapping[int, str],
    dates: Mapping[UniqueName, int] | None = None,
    bodies: Mapping[int, str] | None = None,
    sent: Collection[str] = (),
) -> tuple[Renewal, set[int]]:
    """What comes out, and the UIDs whose header block was asked for.

    `contents` are those of the messages; `bodies`, if given, the whole content of those of which it may be asked for.
    """
    told, names = Answers(), {UniqueName(name) for name in sent}
    while wanted := wanted_headers(pairs, dates or {}, messages, told):
        told.headers.update({uid: digest(contents[uid]) if uid in contents else None for uid in wanted})
    while wanted := wanted_contents(pairs, dates or {}, messages, told, names):
        found = contents if bodies is None else bodies
        told.contents.update({uid: digest(found[uid]) if uid in found else None for uid in wanted})
    return renew(pairs, dates or {}, messages, told, names), set(told.headers)


def test_messages_with_other_uids_are_recognised_by_their_header_block() -> None:
    pairs = [pair(1, "a"), pair(2, "b"), pair(3, "c")]
    messages = [message(11, "c"), message(12, "a"), message(13, "b")]
    renewal, asked = played(pairs, messages, {11: "c", 12: "a", 13: "b"})
    assert (renewal, asked) == (Renewal({1: 12, 2: 13, 3: 11}, frozenset()), {11, 12, 13})  # type: ignore[dict-item]


def test_what_size_and_date_tell_apart_is_asked_for_once_in_sixteen() -> None:
    pairs = [pair(uid, f"m{uid}", size=1000 + uid) for uid in range(1, 101)]
    messages = [message(uid + 500, "", date=uid, size=1000 + uid) for uid in range(1, 101)]
    dates = {one.name: int(one.uid) for one in pairs}
    renewal, asked = played(pairs, messages, {uid + 500: f"m{uid}" for uid in range(1, 101)}, dates)
    assert renewal == Renewal({uid: uid + 500 for uid in range(1, 101)}, frozenset())  # type: ignore[misc]
    assert asked == {uid for uid in range(501, 601) if uid % CHECKED == 0}


def test_one_that_size_and_date_told_wrong_makes_all_of_them_worthless() -> None:
    pairs = [pair(uid, f"m{uid}", size=1000 + uid) for uid in range(1, 101)]
    messages = [message(uid + 500, "", date=uid, size=1000 + uid) for uid in range(1, 101)]
    dates = {one.name: int(one.uid) for one in pairs}
    contents = {uid + 500: f"m{uid}" for uid in range(1, 101)} | {512: "another", 513: "and another"}
    renewal, asked = played(pairs, messages, contents, dates)
    assert asked == set(range(501, 601))
    assert renewal.lost == {"n12", "n13"}
    assert renewal.uids == {uid: uid + 500 for uid in range(1, 101) if uid not in {12, 13}}


def test_of_few_messages_every_header_block_is_read() -> None:
    pairs = [pair(1, "a", size=9), pair(2, "b", size=8)]
    messages = [message(11, "", date=5, size=9), message(12, "", date=6, size=8)]
    dates = {UniqueName("n1"): 5, UniqueName("n2"): 6}
    renewal, asked = played(pairs, messages, {11: "a", 12: "z"}, dates)
    assert (renewal, asked) == (Renewal({Uid(1): Uid(11)}, frozenset({UniqueName("n2")})), {11, 12})


def test_a_date_that_two_have_proves_nothing() -> None:
    pairs = [pair(1, "a", size=9), pair(2, "b", size=9)]
    messages = [message(11, "", date=5, size=9), message(12, "", date=6, size=9)]
    dates = {UniqueName("n1"): 5, UniqueName("n2"): 5}
    renewal, asked = played(pairs, messages, {11: "b", 12: "a"}, dates)
    assert (renewal.uids, asked) == ({1: 12, 2: 11}, {11, 12})


def test_a_size_that_a_pair_without_a_file_has_as_well_proves_nothing() -> None:
    pairs = [pair(1, "a", size=9), pair(2, "b", size=9)]
    messages = [message(11, "", date=5, size=9)]
    renewal, asked = played(pairs, messages, {11: "b"}, {UniqueName("n1"): 5})
    assert (renewal, asked) == (Renewal({Uid(2): Uid(11)}, frozenset({UniqueName("n1")})), {11})


def test_equal_messages_stay_as_many_and_keep_their_uid_where_it_is_still_theirs() -> None:
    pairs = [pair(1, "a"), pair(2, "a"), pair(3, "a")]
    messages = [message(2, "a"), message(7, "a")]
    renewal, _ = played(pairs, messages, {2: "a", 7: "a"})
    assert renewal == Renewal({Uid(2): Uid(2), Uid(1): Uid(7)}, frozenset({UniqueName("n3")}))


def test_a_uid_that_is_used_again_is_not_the_message_that_it_was() -> None:
    pairs = [pair(1, "a"), pair(2, "b")]
    renewal, _ = played(pairs, [message(1, "a"), message(2, "z")], {1: "a", 2: "z"})
    assert renewal == Renewal({Uid(1): Uid(1)}, frozenset({UniqueName("n2")}))


def test_a_server_that_guesses_sizes_is_asked_for_every_header_block() -> None:
    pairs = [pair(1, "a"), pair(2, "b")]
    messages = [message(11, "", size=77), message(12, "", size=78)]
    renewal, asked = played(pairs, messages, {11: "b", 12: "a"})
    assert (renewal, asked) == (Renewal({Uid(1): Uid(12), Uid(2): Uid(11)}, frozenset()), {11, 12})


def test_a_header_block_of_another_size_that_two_have_is_nobodys() -> None:
    pairs = [pair(1, "a"), pair(2, "a")]
    renewal, _ = played(pairs, [message(11, "", size=77)], {11: "a"})
    assert renewal == Renewal({}, frozenset({UniqueName("n1"), UniqueName("n2")}))


def test_one_of_another_size_and_content_is_not_the_same_unless_the_server_may_have_changed_what_was_uploaded() -> None:
    pairs, messages = [pair(1, "a", body="long")], [message(11, "", size=77)]
    assert played(pairs, messages, {11: "a"}, bodies={11: "cut"})[0] == Renewal({}, frozenset({UniqueName("n1")}))
    assert played(pairs, messages, {11: "a"}, bodies={11: "cut"}, sent=["n1"])[0].uids == {1: 11}


def test_versions_of_a_draft_are_told_apart_by_their_content() -> None:
    pairs = [pair(1, "a", body="one"), pair(2, "a", body="two"), pair(3, "a", body="six")]
    messages = [message(uid, "a") for uid in (11, 12, 13)]
    renewal, _ = played(pairs, messages, dict.fromkeys((11, 12, 13), "a"), bodies={11: "two", 12: "one", 13: "ten"})
    assert renewal == Renewal({Uid(1): Uid(12), Uid(2): Uid(11)}, frozenset({UniqueName("n3")}))


def test_a_version_that_the_server_does_not_deliver_is_nobodys() -> None:
    pairs = [pair(1, "a", body="one"), pair(2, "a", body="two")]
    renewal, _ = played(pairs, [message(11, "a"), message(12, "a")], {11: "a", 12: "a"}, bodies={12: "one"})
    assert renewal == Renewal({Uid(1): Uid(12)}, frozenset({UniqueName("n2")}))


def test_copies_that_were_kept_on_purpose_are_lost_only_where_there_is_a_file() -> None:
    pairs = [pair(1, "a", state=PairState.SERVER_ONLY), pair(2, "b", state=PairState.LOCAL_ONLY)]
    assert played(pairs, [], {})[0] == Renewal({}, frozenset({UniqueName("n2")}))
    assert played(pairs, [message(9, "a")], {9: "a"})[0].uids == {1: 9}


def test_a_message_that_goes_while_it_is_asked_for_is_not_recognised() -> None:
    assert played([pair(1, "a")], [message(16, "a", date=3)], {}, {UniqueName("n1"): 3})[0].uids == {}


contents = st.lists(st.sampled_from("abcd"), max_size=8)


@given(before=contents, after=contents, dated=st.booleans(), start=st.sampled_from([1, 3, 17]))
def test_whatever_was_kept_lost_or_added_a_pair_gets_a_message_of_its_content(
    before: list[str], after: list[str], dated: bool, start: int
) -> None:
    pairs = [pair(uid, content) for uid, content in enumerate(before, start=1)]
    numbered = dict(enumerate(after, start=start))
    messages = [message(uid, content, date=ord(content)) for uid, content in numbered.items()]
    dates = {one.name: ord(before[one.uid - 1]) for one in pairs} if dated else {}
    renewal, _ = played(pairs, messages, numbered, dates)
    assert all(before[old - 1] == numbered[new] for old, new in renewal.uids.items())
    assert len(set(renewal.uids.values())) == len(renewal.uids)
    expected = sum(min(before.count(content), after.count(content)) for content in "abcd")
    assert (len(renewal.uids), len(renewal.lost)) == (expected, len(before) - expected)
