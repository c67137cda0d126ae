"""How the flags of one message come to agree, when both sides can hold them and when they cannot."""

# ruff: noqa: E501 (a row of a table is read on one line)

import pytest
from builders import EPOCH, file, pair
from hypothesis import given
from hypothesis import strategies as st

from syncer.reconcile.agreement import (
    Agreement,
    Seen,
    agree,
    agree_after_local_move,
    agree_after_server_move,
    storable,
)
from syncer.reconcile.comparing import local_changes, meant
from syncer.reconcile.flags import DELETED, FLAGGED, FORWARDED, NONE, SEEN, SYSTEM, FlagDelta, Flags, apply, merge
from syncer.reconcile.observations import Letters, LocalListing, ServerChanges
from syncer.reconcile.policy import Policy
from syncer.values import Struct, replace

WORDS = ["todo", "later", "work"]
SPOKEN = SYSTEM | {FORWARDED}

flags = st.frozensets(st.sampled_from([SEEN, FLAGGED, FORWARDED, *WORDS]))
words = st.frozensets(st.sampled_from(WORDS))


class Case(Struct, frozen=True):
    """A message, the server's mailbox, and the Maildir's letters where the file is and where it goes."""

    seen: Seen
    server: ServerChanges
    letters: Letters
    target: Letters

    def after(self, result: Agreement, letters: Letters) -> Seen:
        """The state when everything was sent. A name says no keyword that it has no letter for."""
        server = apply(self.seen.server, result.to_server)
        said = apply(self.seen.said, result.to_local)
        return Seen(result.agreed, server, said & (SPOKEN | letters.mapped))


def lettered(letters: Letters, result: Agreement) -> Letters:
    """The letters when everything was sent: free ones were given out, and all of them are known from now on."""
    mapped = letters.mapped | (result.to_local.add - SYSTEM if letters.room else NONE)
    return Letters(mapped, mapped, letters.room)


@st.composite
def letters(draw: st.DrawFn, *, all_trusted: bool = False) -> Letters:
    mapped = draw(words)
    trusted = mapped if all_trusted else mapped & draw(words)
    return Letters(trusted | {FORWARDED}, mapped | {FORWARDED}, draw(st.booleans()))


@st.composite
def cases(draw: st.DrawFn, *, all_trusted: bool = False) -> Case:
    here, target = draw(letters(all_trusted=all_trusted)), draw(letters(all_trusted=all_trusted))
    said = draw(flags) & (SPOKEN | here.mapped)
    server = ServerChanges(
        EPOCH,
        writable=draw(st.booleans()),
        storable=frozenset(draw(st.sampled_from([SYSTEM, SYSTEM - {FLAGGED}, SYSTEM | {"todo"}]))),
        any_keyword=draw(st.booleans()),
    )
    return Case(Seen(draw(flags), draw(flags), said), server, here, target)


def changes_again(seen: Seen, case: Case, letters: Letters, policy: Policy) -> bool:
    """Whether the next pass does anything about the message: it must look changed, and agreement must change it."""
    known = replace(pair(1, "a"), flags=seen.base)
    listing = LocalListing({known.name: file("a", seen.said)}, complete=True, letters=letters)
    if not local_changes(listing, [known]).flags and seen.server == seen.base:
        return False
    return agree(seen, case.server, letters, policy).changes(seen.base)


policies = st.sampled_from([Policy(), Policy(direction="pull")])


@given(cases(), policies)
def test_what_was_agreed_needs_no_second_agreement(case: Case, policy: Policy) -> None:
    result = agree(case.seen, case.server, case.letters, policy)
    letters = lettered(case.letters, result)
    seen = case.after(result, letters)
    assert not changes_again(seen, case, letters, policy)


@given(cases(all_trusted=True))
def test_what_was_pushed_needs_no_second_agreement(case: Case) -> None:
    policy = Policy(direction="push")
    result = agree(case.seen, case.server, case.letters, policy)
    seen = case.after(result, case.letters)
    assert not changes_again(seen, case, case.letters, policy)


@given(cases())
def test_no_flag_that_both_sides_can_hold_is_lost_or_invented(case: Case) -> None:
    result = agree(case.seen, case.server, case.letters, Policy())
    merged = merge(case.seen.base, case.seen.server, meant(case.seen.said, case.seen.base, case.letters))
    seen = case.after(result, lettered(case.letters, result))
    for flag in SPOKEN | set(WORDS):
        on_server = case.server.writable and flag in storable(frozenset({flag}), case.server)
        in_maildir = case.letters.room or flag in SPOKEN | case.letters.mapped
        if on_server and in_maildir:
            assert [flag in state for state in (seen.base, seen.server, seen.said)] == [flag in merged] * 3
        if not on_server:
            assert (flag in seen.server) == (flag in case.seen.server)
        if not in_maildir:
            assert flag not in seen.said


@given(cases(), st.sampled_from(["both", "pull", "push"]))
def test_a_flag_that_nobody_has_stays_away_and_one_that_all_have_stays(case: Case, direction: str) -> None:
    policy = Policy(direction=direction)  # type: ignore[arg-type]
    result = agree(case.seen, case.server, case.letters, policy)
    seen = case.after(result, lettered(case.letters, result))
    nowhere = (SPOKEN | set(WORDS)) - (case.seen.base | case.seen.server | case.seen.said)
    everywhere = case.seen.base & case.seen.server & case.seen.said
    for state in (seen.base, seen.server, seen.said):
        assert not nowhere & state
        assert everywhere <= state


@given(cases(), policies)
def test_after_a_local_move_no_second_agreement_is_needed(case: Case, policy: Policy) -> None:
    result = agree_after_local_move(case.seen, case.server, case.letters, policy)
    letters = lettered(case.letters, result)
    seen = case.after(result, letters)
    assert not changes_again(seen, case, letters, policy)


@given(cases())
def test_a_moved_files_letters_are_not_believed(case: Case) -> None:
    case = replace(case, server=replace(case.server, writable=True, any_keyword=True, storable=SYSTEM))
    result = agree_after_local_move(case.seen, case.server, case.letters, Policy())
    # As if the name said the base's keywords, and of the others what it says.
    honest = (case.seen.said & SPOKEN) | (case.seen.base - SPOKEN)
    merged = merge(case.seen.base, case.seen.server, honest)
    seen = case.after(result, lettered(case.letters, result))
    assert (seen.base, seen.server) == (merged, merged)
    sayable = SPOKEN | lettered(case.letters, result).mapped
    assert seen.said == merged & sayable


@given(cases())
def test_after_a_move_on_the_server_no_second_agreement_is_needed(case: Case) -> None:
    # A server that cannot clear a keyword may have it said again where it has a letter, once.
    case = replace(case, server=replace(case.server, writable=True, any_keyword=True, storable=SYSTEM))
    result = agree_after_server_move(case.seen, case.server, case.letters, Policy())
    letters = lettered(case.target, result)
    seen = case.after(result, letters)
    assert not changes_again(seen, case, letters, Policy())


@given(cases(), words)
def test_a_file_that_follows_says_the_same_whatever_the_letters_say_where_it_goes(case: Case, wrong: Flags) -> None:
    case = replace(case, server=replace(case.server, writable=True, any_keyword=True, storable=SYSTEM))
    result = agree_after_server_move(case.seen, case.server, case.letters, Policy())
    merged = merge(case.seen.base, case.seen.server, meant(case.seen.said, case.seen.base, case.letters))
    assert apply(case.seen.said, result.to_local) == merged
    assert apply(case.seen.base, result.to_local) == merged
    assert (result.agreed, apply(case.seen.server, result.to_server)) == (merged, merged)


def server(*names: str, writable: bool = True, any_keyword: bool = True) -> ServerChanges:
    return ServerChanges(EPOCH, writable=writable, storable=frozenset(names or SYSTEM), any_keyword=any_keyword)


def having(*names: str) -> Flags:
    return frozenset(names)


NO_ROOM = Letters(having(FORWARDED, "todo"), having(FORWARDED, "todo"), room=False)


@pytest.mark.parametrize(
    ("seen", "there", "letters", "policy", "expected"),
    [
        pytest.param(
            Seen(NONE, having(SEEN), having(FLAGGED)), server(), Letters(), Policy(),
            Agreement(FlagDelta(having(FLAGGED)), FlagDelta(having(SEEN)), having(SEEN, FLAGGED)),
            id="both learn from each other",
        ),
        pytest.param(
            Seen(NONE, having(SEEN), having(FLAGGED)), server(writable=False), Letters(), Policy(),
            Agreement(FlagDelta(), FlagDelta(having(SEEN)), having(SEEN)),
            id="a read-only mailbox gets nothing and the base does not say that it did",
        ),
        pytest.param(
            Seen(NONE, having(SEEN), having(FLAGGED)), server(), Letters(), Policy(direction="pull"),
            Agreement(FlagDelta(), FlagDelta(having(SEEN)), having(SEEN)),
            id="pull sends nothing",
        ),
        pytest.param(
            Seen(NONE, having(SEEN), having(FLAGGED)), server(), Letters(), Policy(direction="push"),
            Agreement(FlagDelta(having(FLAGGED)), FlagDelta(), having(FLAGGED)),
            id="push changes no file",
        ),
        pytest.param(
            Seen(NONE, NONE, having(FLAGGED, "todo")), server(SEEN, any_keyword=False), Letters(having("todo"), having("todo")), Policy(),
            Agreement(FlagDelta(), FlagDelta(), NONE),
            id="what PERMANENTFLAGS does not name is not sent",
        ),
        pytest.param(
            Seen(NONE, NONE, having("todo", "later")), server(SEEN, "todo", any_keyword=False), Letters(having("todo", "later"), having("todo", "later")), Policy(),
            Agreement(FlagDelta(having("todo")), FlagDelta(), having("todo")),
            id="no new keyword without the star",
        ),
        pytest.param(
            Seen(NONE, NONE, having("todo")), server(SEEN), Letters(having("todo"), having("todo")), Policy(),
            Agreement(FlagDelta(having("todo")), FlagDelta(), having("todo")),
            id="any keyword with the star",
        ),
        pytest.param(
            Seen(having(DELETED), having(DELETED), NONE), server(SEEN), Letters(), Policy(),
            Agreement(FlagDelta(), FlagDelta(), having(DELETED)),
            id="what cannot be stored cannot be removed",
        ),
        pytest.param(
            Seen(NONE, having("todo", "later"), NONE), server(), NO_ROOM, Policy(),
            Agreement(FlagDelta(), FlagDelta(having("todo")), having("todo", "later")),
            id="a keyword without a letter is agreed on and not said",
        ),
        pytest.param(
            Seen(having("later"), NONE, NONE), server(), NO_ROOM, Policy(),
            Agreement(FlagDelta(), FlagDelta(), NONE),
            id="a keyword without a letter is cleared on the server",
        ),
        pytest.param(
            Seen(having("todo"), having("todo"), NONE), server(), Letters(NONE, having("todo")), Policy(),
            Agreement(FlagDelta(), FlagDelta(having("todo")), having("todo")),
            id="a letter that meant something else is no proof that the keyword was cleared",
        ),
        pytest.param(
            Seen(having("todo"), having("todo"), NONE), server(), NO_ROOM, Policy(),
            Agreement(FlagDelta(remove=having("todo")), FlagDelta(), NONE),
            id="a trusted letter that is missing is a cleared keyword",
        ),
        pytest.param(
            Seen(having(FORWARDED), having(FORWARDED), NONE), server(), Letters(), Policy(),
            Agreement(FlagDelta(remove=having(FORWARDED)), FlagDelta(), NONE),
            id="forwarded has a letter always",
        ),
    ],
)  # fmt: skip
def test_agreement(seen: Seen, there: ServerChanges, letters: Letters, policy: Policy, expected: Agreement) -> None:
    assert agree(seen, there, letters, policy) == expected


def test_a_file_moved_in_push_mode_is_not_corrected() -> None:
    result = agree_after_local_move(
        Seen(having("todo"), having("todo"), having("later")),
        server(),
        Letters(having("later"), having("later")),
        Policy(direction="push"),
    )
    assert result.to_local == FlagDelta()


def test_an_agreement_changes_something_if_only_the_base_is_another() -> None:
    assert Agreement(FlagDelta(), FlagDelta(), NONE).changes(having(SEEN))
    assert not Agreement(FlagDelta(), FlagDelta(), having(SEEN)).changes(having(SEEN))
