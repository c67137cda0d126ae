"""Which of three copies is whole."""

import pytest
from builders import contents, pair

from syncer.reconcile.identity import Uid
from syncer.reconcile.observations import Fingerprint
from syncer.reconcile.verdicts import Absence, File, Finding, Kind, Remedy, Server, Subset, excessive, judge
from syncer.values import replace

A, B, C = contents("a"), contents("b"), contents("c")
GONE, UNSEEN, UNREADABLE, APART = Absence.GONE, Absence.UNSEEN, Absence.UNREADABLE, Absence.APART
BODY = replace(A, content=B.content)
"""The same message with another body."""
LONGER = replace(BODY, size=A.size + 2)
SHORTER = replace(BODY, size=A.size - 2)
EMPTY = replace(B, size=0)


@pytest.mark.parametrize(
    ("file", "server"),
    [
        ((A,), A),
        ((B, A), A),
        (GONE, GONE),
        (GONE, APART),
        (APART, GONE),
        (APART, A),
        ((A,), APART),
    ],
)
def test_nothing_is_wrong(file: File, server: Server) -> None:
    assert judge(pair(1, "a"), file, server, downloaded=True) is None


@pytest.mark.parametrize(
    ("file", "server", "kind", "remedy"),
    [
        ((B,), A, Kind.DAMAGED, Remedy.FETCH),
        ((B, C), A, Kind.DAMAGED, Remedy.FETCH),
        ((B,), GONE, Kind.DAMAGED, Remedy.NONE),
        ((B,), UNSEEN, Kind.DAMAGED, Remedy.NONE),
        ((B,), APART, Kind.DAMAGED, Remedy.NONE),
        (UNREADABLE, A, Kind.UNREADABLE, Remedy.FETCH),
        (UNREADABLE, B, Kind.UNREADABLE, Remedy.NONE),
        (UNREADABLE, GONE, Kind.UNREADABLE, Remedy.NONE),
        (UNREADABLE, APART, Kind.UNREADABLE, Remedy.NONE),
        ((B,), B, Kind.INDEX_WRONG, Remedy.RECORD),
        ((C, B), B, Kind.INDEX_WRONG, Remedy.RECORD),
        ((BODY,), BODY, Kind.INDEX_WRONG, Remedy.RECORD),
        ((B,), C, Kind.UNDECIDED, Remedy.NONE),
        (APART, B, Kind.UNDECIDED, Remedy.NONE),
        (GONE, A, Kind.MISSING_LOCAL, Remedy.NONE),
        (GONE, B, Kind.MISSING_LOCAL, Remedy.NONE),
        (GONE, UNSEEN, Kind.MISSING_LOCAL, Remedy.NONE),
        ((A,), GONE, Kind.MISSING_SERVER, Remedy.NONE),
        ((A,), UNSEEN, Kind.NOT_READ, Remedy.NONE),
        (UNSEEN, A, Kind.NOT_READ, Remedy.NONE),
        (UNSEEN, GONE, Kind.NOT_READ, Remedy.NONE),
        (UNREADABLE, UNSEEN, Kind.NOT_READ, Remedy.NONE),
        (APART, UNSEEN, Kind.NOT_READ, Remedy.NONE),
    ],
)
@pytest.mark.parametrize("downloaded", [True, False])
def test_two_that_agree_are_believed_against_the_third(
    file: File, server: Server, kind: Kind, remedy: Remedy, downloaded: bool
) -> None:
    known = pair(1, "a")
    assert judge(known, file, server, downloaded=downloaded) == Finding(kind, remedy, known, file, server)


@pytest.mark.parametrize(
    ("server", "downloaded", "kind", "remedy"),
    [
        (BODY, True, Kind.SERVER_DIFFERS, Remedy.UPLOAD),
        (BODY, False, Kind.SERVER_DIFFERS, Remedy.UPLOAD),
        (SHORTER, False, Kind.SERVER_DIFFERS, Remedy.UPLOAD),
        (LONGER, True, Kind.SERVER_DIFFERS, Remedy.UPLOAD),
        (LONGER, False, Kind.REWRITTEN, Remedy.NONE),
        (B, True, Kind.SERVER_DIFFERS, Remedy.NONE),
        (B, False, Kind.REWRITTEN, Remedy.NONE),
        (EMPTY, False, Kind.SERVER_DIFFERS, Remedy.NONE),
    ],
)
def test_a_server_that_may_have_changed_what_was_uploaded_is_not_accused_and_another_message_not_touched(
    server: Fingerprint, downloaded: bool, kind: Kind, remedy: Remedy
) -> None:
    known = pair(1, "a")
    assert judge(known, (A,), server, downloaded=downloaded) == Finding(kind, remedy, known, (A,), server)


@pytest.mark.parametrize(
    ("differing", "compared", "held"), [(4, 4, False), (2, 5, False), (3, 5, True), (5, 10, False), (51, 100, True)]
)
def test_most_of_a_mailbox_differing_is_no_damage(differing: int, compared: int, held: bool) -> None:
    assert excessive(differing, compared) is held


@pytest.mark.parametrize("of", [1, 2, 3, 30])
def test_the_parts_are_disjoint_and_complete(of: int) -> None:
    parts = [{uid for uid in range(1, 200) if Subset(part, of).takes(Uid(uid))} for part in range(1, of + 1)]
    assert sorted(uid for part in parts for uid in part) == list(range(1, 200))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
