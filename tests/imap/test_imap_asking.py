"""What is likely to be asked next comes along with what changed, in whatever order a server answers."""

import hashlib
from collections.abc import Callable
from itertools import permutations

import pytest
from scripted import Scripted

from syncer.errors import MailboxError, ProtocolError
from syncer.imap import asking
from syncer.imap.mailbox import ImapServer
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import SEEN
from syncer.reconcile.identity import MailboxName, Uid
from syncer.reconcile.observations import ServerMessage

Talk = Callable[..., ImapServer]
WORK = MailboxName("Work")
SINCE = Cursor(Epoch(7, 11, 20), 10)
BASE = b"IMAP4rev1 LITERAL+ UIDPLUS MOVE NAMESPACE UNSELECT ENABLE CONDSTORE"
RUNGS = {"qresync": BASE + b" QRESYNC ESEARCH", "condstore": BASE}

CHANGED = b"* 9 FETCH (UID 11 FLAGS (\\Seen) MODSEQ (29))\r\n"
SELECTED = (
    b"* FLAGS (\\Seen \\Deleted)\r\n* 11 EXISTS\r\n* OK [UIDVALIDITY %d] ok\r\n* OK [UIDNEXT 12] ok\r\n"
    b"* OK [HIGHESTMODSEQ 30]\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] ok\r\n%b<tag> OK [READ-WRITE] done\r\n"
)
DESCRIBED = b'* 11 FETCH (UID 11 FLAGS (\\Seen) INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 3)\r\n'
HEADER = b"* 4 FETCH (UID 4 BODY[HEADER] {8}\r\nA: b\r\n\r\n)\r\n"
NEW = ServerMessage(Uid(11), frozenset({SEEN}), 3, 837596665)
DIGEST = hashlib.sha256(b"A: b\r\n\r\n").digest()[:16]


class Together:
    """Answers the questions behind a SELECT when the last one is there, in the order of `parts`."""

    def __init__(self, script: Scripted, rung: str, parts: tuple[str, ...], *, validity: int = 7) -> None:
        self.said = {"newer": DESCRIBED, "headers": HEADER, "changed": CHANGED}
        self.tags: dict[str, bytes] = {}
        self.parts = parts
        told = CHANGED if rung == "qresync" else b""
        script.replies["ENABLE"] = b"* ENABLED CONDSTORE QRESYNC\r\n<tag> OK done\r\n"
        script.replies["SELECT"] = SELECTED % (validity, told)
        script.replies["UID FETCH"] = self.hear

    def hear(self, line: bytes) -> bytes:
        kind = "headers" if b"HEADER" in line else "changed" if b"CHANGEDSINCE" in line else "newer"
        self.tags[kind] = line.split()[0]
        if kind != "headers":
            return b""
        wanted = (part for part in self.parts if part.removeprefix("done ") in self.tags)
        return b"".join(
            self.tags[part[5:]] + b" OK done\r\n" if part.startswith("done ") else self.said[part] for part in wanted
        )


ORDERS = [
    order
    for order in permutations(["newer", "headers", "changed", "done newer", "done headers", "done changed"])
    if all(order.index(f"done {kind}") > order.index(kind) for kind in ("newer", "headers", "changed"))
]


@pytest.mark.parametrize("rung", RUNGS)
def test_answers_are_told_apart_by_what_they_say(talk: Talk, rung: str) -> None:
    with Scripted(capabilities=RUNGS[rung]) as script:
        server = talk(script)
        for order in ORDERS:
            together = Together(script, rung, order)
            delta = server.changes(WORK, SINCE, (Uid(4),))
            assert delta is not None, order
            assert (dict(delta.flags), delta.cursor.messages) == ({11: {SEEN}}, 11)
            before = len(script.lines)
            assert (server.describe(WORK, [Uid(11)]), server.headers(WORK, [Uid(4)])) == ((NEW,), {4: DIGEST}), order
            assert len(script.lines) == before
            assert together.tags.keys() == {"newer", "headers", *(["changed"] if rung == "condstore" else [])}
    assert len(ORDERS) == 90


@pytest.mark.parametrize("rung", RUNGS)
def test_what_was_kept_is_given_out_once(talk: Talk, rung: str) -> None:
    with Scripted(capabilities=RUNGS[rung]) as script:
        server = talk(script)
        Together(script, rung, ORDERS[0])
        server.changes(WORK, SINCE, (Uid(4),))
        server.describe(WORK, [Uid(11)])
        server.headers(WORK, [Uid(4)])
        script.replies["UID FETCH"] = b"<tag> OK it is gone\r\n"
        assert (server.describe(WORK, [Uid(11)]), dict(server.headers(WORK, [Uid(4)]))) == ((), {})


@pytest.mark.parametrize("rung", RUNGS)
def test_what_was_not_kept_is_asked_for(talk: Talk, rung: str) -> None:
    other = DESCRIBED.replace(b"UID 11", b"UID 3")
    with Scripted(capabilities=RUNGS[rung]) as script:
        server = talk(script)
        Together(script, rung, ORDERS[0])
        server.changes(WORK, SINCE, (Uid(4),))
        script.replies["UID FETCH"] = other + b"<tag> OK done\r\n"
        assert [message.uid for message in server.describe(WORK, [Uid(3), Uid(11)])] == [3, 11]
        assert script.commands("UID FETCH")[-1].startswith(b"UID FETCH 3 ")


def test_the_last_message_is_named_though_it_is_not_new_and_is_not_kept(talk: Talk) -> None:
    with Scripted(capabilities=RUNGS["condstore"]) as script:
        server = talk(script)
        together = Together(script, "condstore", ORDERS[0])
        together.said |= {"newer": DESCRIBED.replace(b"UID 11", b"UID 10"), "changed": b""}
        delta = server.changes(WORK, Cursor(Epoch(7, 11, 20), 11), (Uid(4),))
        assert delta is not None
        assert dict(delta.flags) == {}
        script.replies["UID FETCH"] = b"<tag> OK it is gone\r\n"
        assert server.describe(WORK, [Uid(10)]) == ()


@pytest.mark.parametrize("rung", RUNGS)
def test_a_refusal_of_what_is_only_likely_spoils_nothing(talk: Talk, rung: str) -> None:
    with Scripted(capabilities=RUNGS[rung]) as script:
        server = talk(script)
        together = Together(script, rung, ORDERS[0])
        hear = together.hear
        refused = b" NO not now\r\n"
        script.replies["UID FETCH"] = lambda line: (
            hear(line).replace(DESCRIBED, b"").replace(HEADER, b"").replace(b" OK done\r\n", refused)
            if rung == "qresync"
            else hear(line).replace(DESCRIBED, b"").replace(HEADER, b"")
        )
        delta = server.changes(WORK, SINCE, (Uid(4),))
        assert delta is not None
        assert dict(delta.flags) == {11: {SEEN}}
        script.replies["UID FETCH"] = DESCRIBED + b"<tag> OK done\r\n"
        assert server.describe(WORK, [Uid(11)]) == (NEW,)


@pytest.mark.parametrize("rung", RUNGS)
def test_nothing_is_kept_of_a_mailbox_that_was_replaced(talk: Talk, rung: str) -> None:
    with Scripted(capabilities=RUNGS[rung]) as script:
        server = talk(script)
        for order in ORDERS:
            Together(script, rung, order, validity=8)
            assert server.changes(WORK, SINCE, (Uid(4),)) is None
        script.replies["UID FETCH"] = DESCRIBED + b"<tag> OK done\r\n"
        with pytest.raises(MailboxError, match="replaced"):
            server.describe(WORK, [Uid(11)])


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("validity", [7, 8])
def test_a_header_of_megabytes_costs_no_connection(talk: Talk, rung: str, validity: int) -> None:
    octets = b"A: " + b"b" * 3_000_000 + b"\r\n\r\n"
    large = b"* 4 FETCH (UID 4 BODY[HEADER] {%d}\r\n%b)\r\n" % (len(octets), octets)
    with Scripted(capabilities=RUNGS[rung]) as script:
        server = talk(script)
        for order in ORDERS[::13]:
            Together(script, rung, order, validity=validity).said["headers"] = large
            delta = server.changes(WORK, SINCE, (Uid(4),))
            assert (delta is None) == (validity == 8)
            if delta is not None:
                assert server.headers(WORK, [Uid(4)]) == {4: hashlib.sha256(octets).digest()[:16]}


@pytest.mark.parametrize("rung", RUNGS)
def test_what_was_kept_does_not_outlive_the_selection(talk: Talk, rung: str) -> None:
    with Scripted(capabilities=RUNGS[rung]) as script:
        server = talk(script)
        Together(script, rung, ORDERS[0])
        server.changes(WORK, SINCE, (Uid(4),))
        script.replies |= {"SELECT": SELECTED % (7, b""), "UID FETCH": b"<tag> OK nothing\r\n"}
        server.listing(WORK)
        assert (server.describe(WORK, [Uid(11)]), dict(server.headers(WORK, [Uid(4)]))) == ((), {})


def test_descriptions_without_end_cost_the_connection(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_UNTAGGED", 100)
    with Scripted({"UID FETCH": DESCRIBED * 200}) as script, pytest.raises(ProtocolError, match="a million responses"):
        talk(script).describe(WORK, [Uid(11)])


def test_descriptions_in_descending_order_are_progress(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_UNTAGGED", 3)
    lines = [DESCRIBED.replace(b"UID 11", b"UID %d" % uid) for uid in range(50, 0, -1)]
    with Scripted({"UID FETCH": b"".join(lines) + b"<tag> OK done\r\n"}) as script:
        assert len(talk(script).describe(WORK, [Uid(uid) for uid in range(1, 51)])) == 50


def test_descriptions_in_any_order_are_taken_and_the_last_of_a_message_counts(talk: Talk) -> None:
    uids = (5, 3, 9, 3)
    lines = [DESCRIBED.replace(b"UID 11", b"UID %d" % uid).replace(b"3)", b"%d)" % at) for at, uid in enumerate(uids)]
    with Scripted({"UID FETCH": b"".join(lines) + b"<tag> OK done\r\n"}) as script:
        found = talk(script).describe(WORK, [Uid(3), Uid(5), Uid(9)])
        assert [(message.uid, message.size) for message in found] == [(3, 3), (5, 0), (9, 2)]
