"""A full comparison becomes what differs, and absence needs proof."""

from dataclasses import replace

import pytest
from builders import EPOCH, file, look, message, pair

from syncer.reconcile.flags import FLAGGED, FORWARDED, NONE, SEEN, SYSTEM, FlagDelta, Flags
from syncer.reconcile.identity import INBOX, Uid
from syncer.reconcile.observations import (
    Letters,
    LocalChanges,
    LocalListing,
    LocalMessage,
    PairState,
    ServerChanges,
    ServerListing,
    local_changes,
    meant,
    observe,
    sayable,
    server_changes,
    server_unknown,
)

SERVER_ONLY, LOCAL_ONLY = PairState.SERVER_ONLY, PairState.LOCAL_ONLY


def flag_set(*names: str) -> Flags:
    return frozenset(names)


def on_server(*uids: int, flags: dict[int, Flags] | None = None, complete: bool = True) -> ServerListing:
    return ServerListing(EPOCH, {Uid(uid): (flags or {}).get(uid, NONE) for uid in uids}, complete)


def in_maildir(*files: LocalMessage, complete: bool = True, letters: Letters | None = None) -> LocalListing:
    return LocalListing({each.name: each for each in files}, complete, letters or Letters())


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
    assert server_unknown(listing, PAIRS) == (6, 7)
    assert server_changes(listing, PAIRS, described) == ServerChanges(
        EPOCH, new=described, flags={Uid(1): flag_set(FLAGGED)}, gone=frozenset({Uid(3), Uid(4)})
    )


def test_a_listing_that_is_not_complete_proves_no_absence() -> None:
    changes = server_changes(on_server(1, 2, flags={2: flag_set(SEEN)}, complete=False), PAIRS)
    assert changes == ServerChanges(EPOCH, unproven=2, complete=False)


def test_what_the_server_can_do_is_passed_on() -> None:
    listing = replace(on_server(), writable=False, storable=flag_set(SEEN), any_keyword=False)
    changes = server_changes(listing, [])
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
    assert changes == LocalChanges(unproven=3, complete=False)


def test_a_directory_that_is_missing_proves_no_absence() -> None:
    listing = LocalListing({}, complete=True, missing=True)
    assert local_changes(listing, PAIRS) == LocalChanges(unproven=4, missing=True, complete=False)


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
    assert (seen.pairs, seen.total, seen.known, seen.impostor) == ((PAIRS[0], PAIRS[1], *PAIRS[3:]), 3, EPOCH, 9)


@pytest.mark.parametrize("side", ["server", "local"])
def test_of_a_mailbox_that_is_missing_on_a_side_every_pair_is_held(side: str) -> None:
    server = ServerChanges(EPOCH, missing=side == "server")
    local = LocalChanges(missing=side == "local")
    assert observe(INBOX, server, local, PAIRS) == replace(
        look(pairs=PAIRS, total=3), server=server, local=local, pairs=tuple(PAIRS)
    )
