"""What the trials of hostile servers are made of: recorded conversations, mutations, lies, and the witness."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncer.ports import ServerMailbox
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity
from syncer.reconcile.observations import ServerDelta, ServerListing
from torture import hostile
from torture.errands import ERRANDS
from torture.floods import flood
from torture.hostile import Adapter, Meddler, Scene
from torture.lies import LIES, Liar, is_body
from torture.mutations import HEAVY, MUTATIONS, tampered
from torture.playback import Peer, Replies, Said, by_question_and_answer, load
from torture.streams import Command, Commands, Responses, kind_of, responses
from torture.witness import Witness, check_sent

REPLY = (
    b"* 3 EXISTS\r\n"
    b"* 1 FETCH (UID 1 FLAGS (\\Seen) BODY[] {7}\r\nab\r\n)\r\n)\r\n"
    b'* LIST (\\HasNoChildren) "/" "Old mail"\r\n'
    b"s4 OK [READ-WRITE] done\r\n"
)


class Honest:
    def reply(self, place: int, octets: bytes) -> Said:
        return Said(octets)


def peer_that_said(octets: bytes) -> Peer:
    """A peer with these octets behind a SELECT."""
    peer = Peer(Replies(load()[0]), Honest())
    peer.commands, peer.begins = [Command(b"s1", b'SELECT "x"', ())], [len(peer.said)]
    peer.said += octets
    return peer


class TestStreams:
    @pytest.mark.parametrize("piece", [1, 3, 1000])
    def test_responses_are_cut_behind_their_literals(self, piece: int) -> None:
        cut = Responses()
        found = [each for at in range(0, len(REPLY), piece) for each in cut.feed(REPLY[at : at + piece])]
        assert b"".join(found) == REPLY
        assert [kind_of(each) for each in found] == ["EXISTS", "FETCH", "LIST", "tagged"]

    def test_what_is_not_complete_is_a_response_as_well(self) -> None:
        assert responses(b"* OK\r\n* 1 FETCH (X {99}\r\nabc") == [b"* OK\r\n", b"* 1 FETCH (X {99}\r\nabc"]

    @pytest.mark.parametrize("piece", [1, 4, 1000])
    def test_commands_are_cut_and_ask_for_leave_once(self, piece: int) -> None:
        sent = b"s1 NOOP\r\ns2 APPEND x {3}\r\na\r\n {2+}\r\n\r\n\r\ns3 UID FETCH 1 (UID)\r\n"
        cut = Commands()
        found = [each for at in range(0, len(sent), piece) for each in cut.feed(sent[at : at + piece])]
        assert found == [
            Command(b"s1", b"NOOP", ()),
            None,
            Command(b"s2", b"APPEND x {3} {2+}", (b"a\r\n", b"\r\n")),
            Command(b"s3", b"UID FETCH 1 (UID)", ()),
        ]
        assert [each.word for each in found if each is not None] == ["NOOP", "APPEND", "UID FETCH"]


@pytest.fixture
def adapter(tmp_path: Path) -> Iterator[Adapter]:
    with hostile.opened(tmp_path, "adapter") as cases:
        assert isinstance(cases, Adapter)
        yield cases


CONVERSATIONS = [*load(), *(by_question_and_answer(each) for each in load() if each.name == "dovecot, alterations")]


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda each: each.name)
def test_a_conversation_that_nobody_meddles_with_is_played_back_to_its_end(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch, conversation: hostile.Conversation
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("something was refused")

    monkeypatch.setattr(Witness, "refused", refused)
    monkeypatch.setattr(Witness, "lost", refused)
    scene = Scene.of(conversation)
    peers = [Peer(scene.replies, Honest()), Peer(scene.replies, Honest())]
    assert adapter._converse(scene, peers) == {"conversations that broke off": False}
    check_sent(peers[0], scene.errand, scene.facts, scene.home)
    sent = [command.text.decode("latin-1") for command in peers[0].commands]
    asked = [command for command, _ in conversation.exchanges if command != "AUTHENTICATE PLAIN"]
    assert sent == [*asked, "LOGOUT"]
    assert not peers[1].commands


def test_every_errand_was_recorded_with_every_server() -> None:
    found = {(each.server, each.errand) for each in load()}
    servers = {"dovecot", "dovecot-condstore", "dovecot-poor", "cyrus", "courier"}
    assert found == {(server, errand.name) for server in servers for errand in ERRANDS}


class TestMutations:
    @pytest.mark.parametrize("mutation", sorted({*MUTATIONS, *HEAVY}, key=lambda each: each.__name__))
    def test_each_changes_something_sooner_or_later_and_the_same_seed_does_the_same(
        self, mutation: Callable[[random.Random, list[bytes]], list[bytes]]
    ) -> None:
        found = [b"".join(mutation(random.Random(seed), responses(REPLY))) for seed in range(60)]
        assert found == [b"".join(mutation(random.Random(seed), responses(REPLY))) for seed in range(60)]
        assert any(octets != REPLY for octets in found)

    def test_a_case_is_determined_by_its_number(self) -> None:
        replies = Replies(load()[0])
        replies.count = 1
        for number in range(300):
            one, two = (Meddler(number, number, replies).reply(0, REPLY) for _ in range(2))
            assert (one.octets, one.closes, one.flood is None) == (two.octets, two.closes, two.flood is None)

    def test_even_nothing_can_be_tampered_with(self) -> None:
        assert all(isinstance(tampered(random.Random(seed), b"", 3).octets, bytes) for seed in range(50))

    def test_floods_have_no_end(self) -> None:
        for seed in range(60):
            said = flood(random.Random(seed), REPLY)
            assert said.flood is not None
            assert all(len(next(said.flood)) > 0 for _ in range(3))


class TestLies:
    BODY = b"* 2 FETCH (UID 5 FLAGS () BODY[] {16}\r\nX-Token: m1\r\n\r\nx)\r\n"

    def test_no_lie_changes_the_octets_of_a_message_or_the_uid_that_it_comes_under(self) -> None:
        assert is_body(self.BODY)
        for lie in LIES:
            for seed in range(40):
                if not lie.about.match(self.BODY) or lie.name.startswith("the end"):
                    continue
                for said in lie.change(random.Random(seed), self.BODY):
                    assert b"UID 5 " in said
                    assert b"X-Token: m1\r\n\r\nx" in said or lie.name == "no message"

    def test_each_lie_is_told_once_and_named(self) -> None:
        for seed in range(200):
            liar = Liar(random.Random(seed))
            for _ in range(20):
                for response in (*responses(REPLY), self.BODY):
                    liar.hear(response)
            assert len(liar.told) <= 4


class TestWitness:
    def test_a_listing_that_is_complete_with_too_few_is_a_fault(self) -> None:
        witness = Witness(peer_that_said(b"* 3 EXISTS\r\ns1 OK done\r\n"))
        flags = {Uid(uid): frozenset[str]() for uid in (1, 2)}
        witness.listing(ServerListing(Epoch(UidValidity(1)), flags, complete=False))
        with pytest.raises(AssertionError, match="2 UIDs are complete"):
            witness.listing(ServerListing(Epoch(UidValidity(1)), flags, complete=True))

    @pytest.mark.parametrize(
        ("said", "fault"),
        [
            (b"* 2 EXISTS\r\n* VANISHED (EARLIER) 2\r\n", None),
            (b"* 2 EXISTS\r\n* VANISHED (EARLIER) 3\r\n", "nobody said so"),
            (b"* 3 EXISTS\r\n* VANISHED (EARLIER) 2\r\n", "gone of"),
        ],
    )
    def test_what_is_gone_was_named_and_counted(self, said: bytes, fault: str | None) -> None:
        since = Cursor(Epoch(UidValidity(1), Uid(4), ModSeq(1)), 3)
        now = Cursor(Epoch(UidValidity(1), Uid(4), ModSeq(5)), 2)
        found = ServerDelta(now, {}, ((Uid(2), Uid(2)),))
        witness = Witness(peer_that_said(said))
        if fault is None:
            witness.delta(found, since)
        else:
            with pytest.raises(AssertionError, match=fault):
                witness.delta(found, since)

    def test_a_body_that_was_not_said_is_a_fault(self) -> None:
        witness = Witness(peer_that_said(REPLY))
        assert witness._was_said(b"ab\r\n)\r\n")
        assert not witness._was_said(b"ab\r\n)")
        assert witness._was_said(b"Old mail")

    @pytest.mark.parametrize(
        ("command", "fault"),
        [
            (b"UID STORE 2 +FLAGS.SILENT (\\Seen todo)", None),
            (b"UID STORE 3 +FLAGS.SILENT (\\Seen)", "not meant"),
            (b"UID EXPUNGE 2", None),
            (b"UID EXPUNGE 2:3", "not meant"),
            (b"EXPUNGE", "unknown command"),
            (b"CLOSE", "unknown command"),
            (b'UID MOVE 6 "Old mail" x', "grammar"),
            (b'APPEND "x" () "17-Jul-1996 02:44:25 +0000" {3}', "not part"),
        ],
    )
    def test_commands_that_nobody_meant_are_faults(self, command: bytes, fault: str | None) -> None:
        (conversation,) = (each for each in load() if each.name == "dovecot, alterations")
        scene = Scene.of(conversation)
        peer = Peer(scene.replies, Honest())
        peer.commands = [Command(b"s1", b"SELECT " + next(iter(scene.home)), ()), Command(b"s2", command, ())]
        if fault is None:
            check_sent(peer, scene.errand, scene.facts, scene.home)
        else:
            with pytest.raises(AssertionError, match=fault):
                check_sent(peer, scene.errand, scene.facts, scene.home)

    def test_a_line_that_was_smuggled_in_has_a_tag_that_is_not_the_next(self) -> None:
        scene = Scene.of(load()[0])
        peer = Peer(scene.replies, Honest())
        peer.commands = [Command(b"s1", b"NOOP", ()), Command(b"s9", b"NOOP", ())]
        with pytest.raises(AssertionError, match="nobody meant"):
            check_sent(peer, scene.errand, scene.facts, scene.home)

    def test_mailboxes_that_lead_out_of_the_maildir_are_faults(self) -> None:
        Witness(None).mailboxes([ServerMailbox(INBOX), ServerMailbox(MailboxName("../x"))])
        with pytest.raises(AssertionError, match="order"):
            Witness(None).mailboxes([ServerMailbox(MailboxName("x")), ServerMailbox(INBOX)])


def test_a_connection_that_is_closed_half_way_is_counted(adapter: Adapter) -> None:
    class Closing:
        def reply(self, place: int, octets: bytes) -> Said:
            return Said(octets[:5] if place == 4 else octets, closes=place == 4)

    scene = Scene.of(load()[0])
    peers = [Peer(scene.replies, Closing()), Peer(scene.replies, Closing())]
    assert adapter._converse(scene, peers) == {"conversations that broke off": True}
