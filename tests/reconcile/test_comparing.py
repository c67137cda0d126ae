"""Whatever was asked for, what differs comes out, and absence needs proof."""

import pytest
from builders import EPOCH, file, look, message, pair

from syncer.reconcile.comparing import (
    covered,
    differing,
    listed_changes,
    local_changes,
    meant,
    observe,
    resolved,
    sayable,
    told_changes,
)
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import FLAGGED, FORWARDED, NONE, SEEN, SYSTEM, FlagDelta, Flags
from syncer.reconcile.identity import INBOX, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import (
    Letters,
    LocalChanges,
    LocalListing,
    LocalMessage,
    Observation,
    Pair,
    PairState,
    ServerChanges,
    ServerDelta,
    ServerListing,
)
from syncer.values import replace

SERVER_ONLY, LOCAL_ONLY = PairState.SERVER_ONLY, PairState.LOCAL_ONLY


def flag_set(*names: str) -> Flags:
    return frozenset(names)


def names(*of: str) -> frozenset[UniqueName]:
    return frozenset(map(UniqueName, of))


def on_server(*uids: int, flags: dict[int, Flags] | None = None, complete: bool = True) -> ServerListing:
    return ServerListing(EPOCH, {Uid(uid): (flags or {}).get(uid, NONE) for uid in uids}, complete)


def in_maildir(*files: LocalMessage, complete: bool = True, letters: Letters | None = None) -> LocalListing:
    """As if the index expected every file of PAIRS, each with other flags."""
    messages = {each.name: each for each in files}
    absent = frozenset(each.name for each in PAIRS) - messages.keys()
    return LocalListing(messages, complete, letters or Letters(), absent=absent)


PAIRS = [
    pair(1, "a"),
    pair(2, "b", flag_set(SEEN)),
    pair(3, "c"),
    pair(4, "d", state=SERVER_ONLY),
    pair(5, "e", state=LOCAL_ONLY),
]


def test_what_the_server_lists_differently_or_not_at_all() -> None:
    listing = on_server(1, 2, 7, 6, flags={1: flag_set(FLAGGED), 2: flag_set(SEEN)})
    described = (message(6, "f"), message(7, "g"))
    assert differing(listing, {each.uid: each.flags for each in PAIRS}) == {1, 3, 4, 5, 6, 7}
    assert listed_changes(listing, PAIRS, described) == ServerChanges(
        EPOCH, new=described, flags={Uid(1): flag_set(FLAGGED)}, gone=frozenset({Uid(3), Uid(4)})
    )


def test_a_listing_that_is_not_complete_proves_no_absence() -> None:
    changes = listed_changes(on_server(1, 2, flags={2: flag_set(SEEN)}, complete=False), PAIRS)
    assert changes == ServerChanges(EPOCH, unproven=frozenset({Uid(3), Uid(4)}), complete=False)


def test_what_the_server_can_do_is_passed_on() -> None:
    listing = replace(on_server(), writable=False, storable=flag_set(SEEN), any_keyword=False)
    changes = listed_changes(listing, [])
    assert (changes.writable, changes.storable, changes.any_keyword) == (False, {SEEN}, False)


def test_what_the_maildir_lists_differently_or_not_at_all() -> None:
    listing = in_maildir(file("a", flag_set(SEEN)), file("b", flag_set(SEEN)), file("new"))
    assert local_changes(listing, PAIRS) == LocalChanges(
        new=(file("new"),),
        flags={PAIRS[0].name: flag_set(SEEN)},
        gone=frozenset({PAIRS[2].name, PAIRS[4].name}),
    )


def test_a_directory_that_changed_meanwhile_proves_no_absence() -> None:
    changes = local_changes(in_maildir(file("a"), complete=False), PAIRS)
    assert changes == LocalChanges(unproven=names("b", "c", "e"), complete=False)


def test_a_directory_that_is_missing_proves_no_absence() -> None:
    listing = LocalListing({}, complete=True, missing=True)
    assert local_changes(listing, PAIRS) == LocalChanges(
        unproven=names("a", "b", "c", "e"), missing=True, complete=False
    )


def test_a_file_that_was_deleted_on_purpose_and_is_back_is_seen_whatever_its_flags() -> None:
    changes = local_changes(in_maildir(file("d")), [PAIRS[3]])
    assert changes == LocalChanges(flags={PAIRS[3].name: NONE})


@pytest.mark.parametrize(
    ("said", "base", "letters", "differs"),
    [
        pytest.param(NONE, NONE, Letters(), False, id="the same"),
        pytest.param(flag_set(SEEN), NONE, Letters(), True, id="a flag more"),
        pytest.param(NONE, flag_set(SEEN), Letters(), True, id="a flag less"),
        pytest.param(NONE, flag_set("todo"), Letters(), False, id="a keyword that has no letter"),
        pytest.param(NONE, flag_set("todo"), Letters(flag_set("todo"), flag_set("todo")), True, id="cleared"),
        pytest.param(NONE, flag_set("todo"), Letters(NONE, flag_set("todo")), True, id="it has got a letter"),
        pytest.param(NONE, flag_set("todo"), Letters(flag_set("todo"), NONE), True, id="trusted and not mapped"),
        pytest.param(flag_set("todo"), NONE, Letters(NONE, flag_set("todo")), True, id="set"),
        pytest.param(NONE, flag_set(FORWARDED), Letters(), True, id="forwarded cleared"),
    ],
)
def test_a_name_differs_if_it_means_something_else_or_could_say_more(
    said: Flags, base: Flags, letters: Letters, differs: bool
) -> None:
    changes = local_changes(in_maildir(file("a", said), letters=letters), [pair(1, "a", base)])
    assert changes.flags == ({pair(1, "a").name: said} if differs else {})


def test_a_keyword_without_a_trusted_letter_is_the_bases() -> None:
    letters = Letters(flag_set(FORWARDED, "todo"), flag_set(FORWARDED, "todo", "later"))
    base = flag_set(SEEN, FORWARDED, "todo", "later", "work")
    assert meant(flag_set(FLAGGED), base, letters) == {FLAGGED, "later", "work"}


def test_a_keyword_can_be_said_if_it_has_a_letter_or_one_is_free() -> None:
    change = FlagDelta(flag_set(SEEN, "todo", "later"), flag_set("work"))
    assert sayable(change, Letters()) == change
    full = Letters(NONE, flag_set("todo"), room=False)
    assert sayable(change, full) == FlagDelta(flag_set(SEEN, "todo"), flag_set("work"))
    assert sayable(FlagDelta(SYSTEM), full) == FlagDelta(SYSTEM)


def test_an_observation_holds_only_the_pairs_that_something_happened_to() -> None:
    server = ServerChanges(EPOCH, flags={Uid(2): NONE}, gone=frozenset({Uid(1)}))
    local = LocalChanges(flags={PAIRS[3].name: NONE}, gone=frozenset({PAIRS[4].name}))
    seen = observe(INBOX, server, local, PAIRS, known=EPOCH, impostor=Uid(9))
    assert (seen.pairs, seen.known, seen.impostor) == ((PAIRS[0], PAIRS[1], *PAIRS[3:]), EPOCH, 9)


def test_an_observation_holds_the_pairs_that_one_side_missed_without_proof() -> None:
    server = ServerChanges(EPOCH, unproven=frozenset({Uid(1)}), complete=False)
    local = LocalChanges(unproven=names("c"), complete=False)
    assert observe(INBOX, server, local, PAIRS).pairs == (PAIRS[0], PAIRS[2])


@pytest.mark.parametrize("side", ["server", "local"])
def test_of_a_mailbox_that_is_missing_on_a_side_every_pair_is_held(side: str) -> None:
    server = ServerChanges(EPOCH, missing=side == "server")
    local = LocalChanges(missing=side == "local")
    assert observe(INBOX, server, local, PAIRS) == replace(
        look(pairs=PAIRS, total=0), server=server, local=local, pairs=tuple(PAIRS)
    )


def test_a_delta_names_what_is_new_and_what_has_other_flags() -> None:
    told = {Uid(1): flag_set(FLAGGED), Uid(2): flag_set(SEEN), Uid(6): NONE}
    now = Cursor(Epoch(UidValidity(7), Uid(7), ModSeq(9)), 5)
    delta = ServerDelta(now, told, ((Uid(3), Uid(4)),), writable=False, storable=flag_set(SEEN), any_keyword=False)
    new = (message(6, "f"),)
    assert told_changes(delta, {Uid(3)}, PAIRS, new) == ServerChanges(
        now.epoch,
        new,
        flags={Uid(1): flag_set(FLAGGED)},
        gone=frozenset({Uid(3)}),
        writable=False,
        storable=flag_set(SEEN),
        any_keyword=False,
    )


def test_names_that_are_as_expected_are_not_gone() -> None:
    assert local_changes(LocalListing({}, complete=True), PAIRS) == LocalChanges()


@pytest.mark.parametrize(
    ("uids", "ranges", "found"),
    [
        ([], [(1, 5)], set()),
        ([5, 1, 3], [], set()),
        ([9, 1, 4, 5, 6, 7], [(1, 1), (5, 6), (8, 4_294_967_295)], {1, 5, 6, 9}),
        ([2, 3], [(4, 9)], set()),
        ([20], [(1, 2), (4, 9)], set()),
    ],
)
def test_uids_are_covered_by_ranges(uids: list[int], ranges: list[tuple[int, int]], found: set[int]) -> None:
    assert covered(map(Uid, uids), [(Uid(low), Uid(high)) for low, high in ranges]) == found


BOTH = [pair(1, "a"), pair(2, "b")]


@pytest.mark.parametrize(
    ("seen", "now", "server", "local"),
    [
        pytest.param(look(), [], True, True, id="nothing was seen"),
        pytest.param(look(messages=[message(1, "a")]), BOTH, True, True, id="downloaded"),
        pytest.param(look(messages=[message(3, "c")]), BOTH, False, True, id="not downloaded"),
        pytest.param(look(files=[file("a")]), BOTH, True, True, id="uploaded"),
        pytest.param(look(files=[file("c")]), BOTH, True, False, id="not uploaded"),
        pytest.param(look(pairs=BOTH, expunged=[1]), BOTH[1:], True, True, id="removed"),
        pytest.param(look(pairs=BOTH, expunged=[1]), BOTH, False, True, id="held"),
        pytest.param(look(pairs=BOTH, expunged=[1]), [replace(BOTH[0], state=LOCAL_ONLY)], True, True, id="kept here"),
        pytest.param(look(pairs=BOTH, deleted=["a"]), [], True, True, id="expunged"),
        pytest.param(look(pairs=BOTH, deleted=["a"]), BOTH, True, False, id="not expunged"),
        pytest.param(
            look(pairs=BOTH, deleted=["a"], there={1: SEEN}), BOTH, False, False, id="not expunged, with other flags"
        ),
        pytest.param(look(pairs=BOTH, deleted=["a"], there={1: SEEN}), [], True, True, id="expunged, with other flags"),
        pytest.param(look(pairs=BOTH, deleted=["a"]), [pair(1, "a", name="x")], True, True, id="renamed"),
        pytest.param(
            look(pairs=BOTH, deleted=["a"]), [replace(BOTH[0], state=SERVER_ONLY)], True, True, id="kept there"
        ),
        pytest.param(look(server={"complete": False}), [], False, True, id="the server did not list everything"),
        pytest.param(look(local={"complete": False}), [], True, False, id="the Maildir changed meanwhile"),
        pytest.param(look(there={1: NONE}, here={"a": NONE}), [], True, True, id="flags are not asked about"),
    ],
)
def test_what_was_seen_is_resolved_once_the_index_says_so(
    seen: Observation, now: list[Pair], server: bool, local: bool
) -> None:
    arrived = {each.uid for each in now}.issuperset(message.uid for message in seen.server.new)
    assert resolved(seen, now, arrived=arrived) == (server, local)


KNOWN = Cursor(Epoch(UidValidity(7), Uid(5), ModSeq(9), "M1"), 3)


@pytest.mark.parametrize(
    ("now", "still"),
    [
        pytest.param(KNOWN, True, id="the same"),
        pytest.param(replace(KNOWN, epoch=replace(KNOWN.epoch, mailbox_id=None)), True, id="MAILBOXID not told"),
        pytest.param(replace(KNOWN, epoch=replace(KNOWN.epoch, mailbox_id="M2")), False, id="another mailbox"),
        pytest.param(replace(KNOWN, epoch=replace(KNOWN.epoch, uidvalidity=UidValidity(8))), False, id="UIDVALIDITY"),
        pytest.param(replace(KNOWN, epoch=replace(KNOWN.epoch, uidnext=Uid(6))), False, id="UIDNEXT"),
        pytest.param(replace(KNOWN, epoch=replace(KNOWN.epoch, highestmodseq=ModSeq(8))), False, id="went back"),
        pytest.param(replace(KNOWN, epoch=replace(KNOWN.epoch, highestmodseq=None)), False, id="no modseq any more"),
        pytest.param(replace(KNOWN, messages=2), False, id="MESSAGES"),
        pytest.param(None, False, id="nothing told"),
    ],
)
def test_counters_tell_whether_a_mailbox_is_still_the_same(now: Cursor | None, still: bool) -> None:
    assert KNOWN.still(now) is still


def test_without_modseqs_nobody_knows_whether_flags_changed() -> None:
    plain = replace(KNOWN, epoch=replace(KNOWN.epoch, highestmodseq=None))
    assert not plain.still(plain)
