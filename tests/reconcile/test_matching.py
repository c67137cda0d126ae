"""What is recognised as the same message, and what is read to recognise it."""

import pytest
from builders import WORK, contents, file, look, message, pair, read

from syncer.reconcile.flags import NONE
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.matches import Evidence, Matches, Met, Renamed
from syncer.reconcile.matching import match
from syncer.reconcile.observations import Fingerprint, Intent, ServerMessage
from syncer.reconcile.triage import Uncompared
from syncer.values import replace

A1, A2 = UniqueName("a1"), UniqueName("a2")


def met(uid: int, name: str, mailbox: MailboxName = INBOX, word: str = "a") -> Met:
    return Met(mailbox, message(uid, word), file(name), contents(word), None)


def intent(name: str, uidnext: int | None) -> Intent:
    return Intent(UniqueName(name), None if uidnext is None else Uid(uidnext))


class TestTheSameMessageInOneMailbox:
    def test_size_and_header_block(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "b"), message(6, "a")])
        assert match([seen], read({"x": "a"}, {"5": "b", "6": "a"})) == Matches(met=[met(6, "x")])

    def test_the_same_header_block_and_another_size_is_another_message(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "another")])
        assert match([seen], read({"x": "a"}, {"5": "a"})) == Matches()

    def test_the_same_size_and_another_header_block_is_another_message(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "b")])
        assert match([seen], read({"x": "a"}, {"5": "b"})) == Matches()

    def test_equal_messages_are_matched_one_to_one(self) -> None:
        seen = look(files=[file("x"), file("y"), file("z")], messages=[message(5, "a"), message(6, "a")])
        evidence = read({"x": "a", "y": "a", "z": "a"}, {"5": "a", "6": "a"})
        evidence = replace(evidence, contents={(INBOX, Uid(uid)): contents("a").content for uid in (5, 6)})
        found = match([seen], evidence)
        assert found == Matches(met=[met(5, "x"), met(6, "y")])

    def test_in_different_mailboxes_nothing_meets(self) -> None:
        seen = [look(files=[file("x")]), look(WORK, messages=[message(5, "a")])]
        assert match(seen, read({"x": "a"}, {"Work/5": "a"})) == Matches()

    def test_candidates_that_vanished_match_nothing(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "a")], intents=(intent("x", 1),))
        assert match([seen], Evidence()) == Matches()
        assert match([seen], read({"x": "a"})) == Matches()
        assert match([seen], read(headers={"5": "a"})) == Matches()


class TestTwins:
    """Messages of one size and one header block: `a` and its twin, whose octets are others."""

    TWIN = Fingerprint(contents("a").size, contents("a").header, b"twin")

    def read(self, *twins: str, messages: int, **contents_of: bytes) -> Evidence:
        """Files `x` and `y`, of which `twins` are the twin; the content of messages is known where it is given."""
        files = {(INBOX, UniqueName(name)): self.TWIN if name in twins else contents("a") for name in "xy"}
        headers = {(INBOX, Uid(uid)): contents("a").header for uid in range(5, 5 + messages)}
        return Evidence(files, headers, {(INBOX, Uid(int(uid[1:]))): found for uid, found in contents_of.items()})

    def test_where_a_content_cannot_be_read_nothing_is_guessed_and_nothing_copied(self) -> None:
        seen = look(files=[file("x"), file("y")], messages=[message(5, "a"), message(6, "a")])
        evidence = self.read("x", messages=2, u5=contents("a").content)
        assert [(met.server.uid, met.local.name) for met in match([seen], evidence).met] == [(5, "y")]
        uncompared = Uncompared.of([seen], evidence)
        assert uncompared.messages == {(INBOX, Uid(6))}
        assert uncompared.includes((INBOX, UniqueName("x")))

    def test_each_meets_the_one_with_its_octets(self) -> None:
        seen = look(files=[file("x"), file("y")], messages=[message(5, "a"), message(6, "a")])
        found = match([seen], self.read("x", messages=2, u5=contents("a").content, u6=b"twin")).met
        assert [(each.local.name, each.server.uid) for each in found] == [("x", 6), ("y", 5)]

    def test_one_of_which_there_is_only_the_twin_meets_nothing(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "a"), message(6, "a")])
        assert match([seen], self.read("x", messages=2, u5=b"third", u6=b"fourth")) == Matches()

    def test_what_was_sent_is_the_one_with_its_octets(self) -> None:
        intents = (intent("x", 5), intent("y", 5))
        seen = look(files=[file("x"), file("y")], messages=[message(5, "a")], intents=intents)
        found = match([seen], self.read("x", messages=1, u5=contents("a").content)).met
        assert [(each.local.name, each.server.uid) for each in found] == [("y", 5)]

    def test_what_was_sent_is_the_one_with_its_size(self) -> None:
        longer = ServerMessage(Uid(6), NONE, 9999, 1_000_000_000)
        seen = look(files=[file("x"), file("y")], messages=[longer, message(5, "a")], intents=(intent("y", 5),))
        found = match([seen], self.read(messages=2)).met
        assert [(each.local.name, each.server.uid) for each in found] == [("y", 5)]


class TestOurOwnNames:
    def test_the_uid_in_the_name_is_believed_if_the_header_is_the_same(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "a")], own={UniqueName("x"): Uid(5)})
        assert match([seen], read({"x": "a"}, {"5": "a"})) == Matches(met=[met(5, "x")])
        assert match([seen], read({"x": "a"})) == Matches()

    def test_a_uid_that_a_restored_server_uses_again_is_not_believed_though_the_size_is_the_same(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "b")], own={UniqueName("x"): Uid(5)})
        assert len({contents(name).size for name in "ab"}) == 1
        assert match([seen], read({"x": "a"}, {"5": "b"})) == Matches()

    def test_a_header_that_is_known_to_be_another_is_another_message(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "b")], own={UniqueName("x"): Uid(5)})
        assert match([seen], read({"x": "a"}, {"5": "b"})) == Matches()

    def test_a_uid_that_was_given_again_is_known_by_the_header(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "b")], own={UniqueName("x"): Uid(5)})
        assert match([seen], read({"x": "a"}, {"5": "b"})) == Matches()

    def test_of_messages_that_look_alike_the_headers_are_needed(self) -> None:
        own = {UniqueName("x"): Uid(5), UniqueName("y"): Uid(6)}
        seen = look(files=[file("x"), file("y")], messages=[message(5, "a"), message(6, "b")], own=own)
        assert match([seen], read({"x": "a", "y": "b"})) == Matches()
        assert match([seen], read({"x": "a", "y": "b"}, {"5": "b", "6": "a"})).met == [
            Met(INBOX, message(6, "b"), file("x"), contents("a"), None),
            Met(INBOX, message(5, "a"), file("y"), contents("b"), None),
        ]

    def test_among_equal_messages_the_uid_in_the_name_decides(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "a"), message(6, "a")], own={UniqueName("x"): Uid(6)})
        assert match([seen], read({"x": "a"}, {"5": "a", "6": "a"})) == Matches(met=[met(6, "x")])

    def test_a_server_that_gets_the_size_wrong_is_believed_by_the_header(self) -> None:
        wrong = ServerMessage(Uid(5), NONE, 9999, 1_000_000_000)
        seen = look(files=[file("x")], messages=[wrong], own={UniqueName("x"): Uid(5)})
        assert match([seen], read({"x": "a"}, {"5": "a"})).met == [Met(INBOX, wrong, file("x"), contents("a"), None)]
        assert match([seen], read({"x": "a"}, {"5": "b"})) == Matches()
        assert match([seen], read({"x": "a"})) == Matches()

    def test_a_name_whose_uid_is_not_new_matches_nothing_by_it(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "another")], own={UniqueName("x"): Uid(4)})
        assert match([seen], read({"x": "a"})) == Matches()

    def test_a_message_is_met_once_even_if_two_names_hold_its_uid(self) -> None:
        own = {UniqueName("x"): Uid(5), UniqueName("y"): Uid(5)}
        seen = look(files=[file("x"), file("y")], messages=[message(5, "a")], own=own)
        assert match([seen], read({"x": "a", "y": "a"}, {"5": "a"})) == Matches(met=[met(5, "x")])


class TestIntents:
    def test_a_file_that_was_sent_is_not_taken_for_its_deleted_twin_renamed(self) -> None:
        twin = {"pairs": [pair(1, "a")], "deleted": ["a"], "files": [file("x")]}
        sent = look(**twin, messages=[message(10, "a")], intents=(intent("x", 10),))
        assert match([sent], read({"x": "a"}, {"10": "a"})) == Matches(met=[met(10, "x")])
        lost = look(**twin, intents=(intent("x", 10),))
        assert match([lost], read({"x": "a"})) == Matches(renamed=[Renamed(INBOX, pair(1, "a"), file("x"))])

    def test_a_repeated_append_is_recognised_by_its_header_whatever_its_size(self) -> None:
        longer = ServerMessage(Uid(10), NONE, 9999, 1_000_000_000)
        seen = look(files=[file("x")], messages=[longer], intents=(intent("x", 10),))
        found = match([seen], read({"x": "a"}, {"10": "a"}))
        assert found.met == [Met(INBOX, longer, file("x"), contents("a"), None)]

    def test_a_message_below_the_uidnext_was_not_made_by_it(self) -> None:
        older = ServerMessage(Uid(9), NONE, 9999, 1_000_000_000)
        seen = look(files=[file("x")], messages=[older], intents=(intent("x", 10),))
        assert match([seen], read({"x": "a"}, {"9": "a"})) == Matches()

    def test_without_a_uidnext_any_message_may_be_the_one(self) -> None:
        first = ServerMessage(Uid(1), NONE, 9999, 1_000_000_000)
        seen = look(files=[file("x")], messages=[first], intents=(intent("x", None),))
        assert [each.server for each in match([seen], read({"x": "a"}, {"1": "a"})).met] == [first]

    def test_the_announced_file_comes_before_another_equal_one(self) -> None:
        seen = look(files=[file("w"), file("x")], messages=[message(10, "a")], intents=(intent("x", 10),))
        assert match([seen], read({"w": "a", "x": "a"}, {"10": "a"})) == Matches(met=[met(10, "x")])

    def test_a_message_that_met_its_own_name_meets_no_intent(self) -> None:
        seen = look(
            files=[file("own"), file("x")],
            messages=[message(10, "a")],
            intents=(intent("x", 10),),
            own={UniqueName("own"): Uid(10)},
        )
        assert match([seen], read({"own": "a", "x": "a"}, {"10": "a"})) == Matches(met=[met(10, "own")])


class TestMessagesThatTheServerChanged:
    """The server took them, did not tell the UIDs, and nothing of their header blocks is the same."""

    @staticmethod
    def sent(*names: str) -> tuple[Intent, ...]:
        return tuple(Intent(UniqueName(name), Uid(10), 1_000_000_000, sent=True) for name in names)

    def test_they_are_the_ones_that_arrived_in_their_order(self) -> None:
        seen = look(
            files=[file("x"), file("y")],
            messages=[message(9, "older"), message(10, "changed one"), message(11, "changed two")],
            intents=self.sent("y", "x"),
        )
        assert [(each.local.name, each.server.uid) for each in match([seen], read({"x": "a", "y": "b"})).met] == [
            ("y", 10),
            ("x", 11),
        ]

    @pytest.mark.parametrize("arrived", [(), (10,), (10, 11, 12)])
    def test_as_many_must_have_arrived(self, arrived: tuple[int, ...]) -> None:
        messages = [message(uid, "changed") for uid in arrived]
        seen = look(files=[file("x"), file("y")], messages=messages, intents=self.sent("x", "y"))
        assert match([seen], read({"x": "a", "y": "b"})) == Matches()

    def test_those_that_are_recognised_do_not_count(self) -> None:
        seen = look(
            files=[file("x"), file("y")],
            messages=[message(10, "changed"), message(11, "b")],
            intents=self.sent("x", "y"),
        )
        found = match([seen], read({"x": "a", "y": "b"}, {"10": "changed", "11": "b"})).met
        assert [(each.local.name, each.server.uid) for each in found] == [("y", 11), ("x", 10)]

    def test_a_message_with_another_date_is_another_message(self) -> None:
        seen = look(
            files=[file("x")],
            messages=[message(10, "changed")],
            intents=(Intent(UniqueName("x"), Uid(10), 1_234_567_890, sent=True),),
        )
        assert match([seen], read({"x": "a"})) == Matches()

    def test_an_announcement_alone_is_no_proof_that_anything_arrived(self) -> None:
        seen = look(files=[file("x")], messages=[message(10, "changed")], intents=(intent("x", 10),))
        assert match([seen], read({"x": "a"}, {"10": "changed"})) == Matches()
