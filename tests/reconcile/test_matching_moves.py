"""What moved, and where to."""

import pytest
from builders import JOB, WORK, contents, file, look, message, pair, read

from syncer.reconcile.flags import SEEN
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.reconcile.matches import Evidence, Matches, Met, MovedFile, MovedMessage, Renamed, Renumbered
from syncer.reconcile.matching import match


def met(uid: int, name: str, mailbox: MailboxName = INBOX, word: str = "a") -> Met:
    return Met(mailbox, message(uid, word), file(name), contents(word), None)


class TestRenamedFiles:
    def test_a_file_with_a_new_name_is_the_same_message(self) -> None:
        known = pair(1, "a")
        seen = look(pairs=[known], deleted=["a"], files=[file("x")])
        assert match([seen], read({"x": "a"})) == Matches(renamed=[Renamed(INBOX, known, file("x"))])

    def test_a_file_with_other_content_is_not(self) -> None:
        seen = look(pairs=[pair(1, "a")], deleted=["a"], files=[file("x")])
        assert match([seen], read({"x": "b"})) == Matches()

    def test_equal_files_are_renamed_one_to_one(self) -> None:
        one, two = pair(1, "a", name="a1"), pair(2, "a", name="a2")
        seen = look(pairs=[one, two], deleted=["a1", "a2"], files=[file("x"), file("y"), file("z")])
        found = match([seen], read({"x": "a", "y": "a", "z": "a"}))
        assert found == Matches(renamed=[Renamed(INBOX, one, file("x")), Renamed(INBOX, two, file("y"))])

    def test_a_message_that_is_gone_as_well_is_not_renamed(self) -> None:
        seen = look(pairs=[pair(1, "a")], deleted=["a"], expunged=[1], files=[file("x")])
        assert match([seen], read({"x": "a"})) == Matches()

    def test_a_new_name_is_preferred_to_a_move(self) -> None:
        known, other = pair(1, "a"), pair(9, "a")
        seen = [
            look(pairs=[known], deleted=["a"], files=[file("x")]),
            look(WORK, pairs=[other], deleted=["a"], files=[file("y")]),
        ]
        found = match(seen, read({"x": "a", "Work/y": "a"}))
        assert found == Matches(renamed=[Renamed(INBOX, known, file("x")), Renamed(WORK, other, file("y"))])


class TestMovedFiles:
    def test_a_file_in_another_mailbox_was_moved(self) -> None:
        known = pair(1, "a")
        seen = [look(pairs=[known], deleted=["a"]), look(WORK, files=[file("x")])]
        assert match(seen, read({"Work/x": "a"})) == Matches(moved_files=[MovedFile(INBOX, known, WORK, file("x"))])

    def test_other_content_under_the_same_name_is_no_move(self) -> None:
        seen = [look(pairs=[pair(1, "a")], deleted=["a"]), look(WORK, files=[file("a")])]
        assert match(seen, read({"Work/a": "b"})) == Matches()

    def test_the_same_content_of_another_size_is_no_move(self) -> None:
        seen = [look(pairs=[pair(1, "a")], deleted=["a"]), look(WORK, files=[file("a")])]
        assert match(seen, read({"Work/a": "another"})) == Matches()

    def test_of_equal_files_the_name_says_which_went_where(self) -> None:
        one, two = pair(1, "a", name="a1"), pair(2, "a", name="a2")
        seen = [
            look(pairs=[one, two], deleted=["a1", "a2"]),
            look(WORK, files=[file("a2")]),
            look(JOB, files=[file("a1")]),
        ]
        found = match(seen, read({"Work/a2": "a", "Job/a1": "a"}))
        assert found == Matches(
            moved_files=[MovedFile(INBOX, two, WORK, file("a2")), MovedFile(INBOX, one, JOB, file("a1"))]
        )

    def test_one_file_that_went_and_two_that_came_is_one_move(self) -> None:
        known = pair(1, "a")
        seen = [look(pairs=[known], deleted=["a"]), look(WORK, files=[file("x")]), look(JOB, files=[file("y")])]
        found = match(seen, read({"Work/x": "a", "Job/y": "a"}))
        assert found == Matches(moved_files=[MovedFile(INBOX, known, WORK, file("x"))])

    def test_out_of_a_mailbox_whose_directory_is_gone(self) -> None:
        known = pair(1, "a")
        seen = [look(WORK, pairs=[known], local={"missing": True}), look(files=[file("x")])]
        assert match(seen, read({"x": "a"})) == Matches(moved_files=[MovedFile(WORK, known, INBOX, file("x"))])

    def test_two_mailboxes_exchange_equal_messages_by_name(self) -> None:
        one, two = pair(1, "a", name="a1"), pair(1, "a", name="a2")
        seen = [
            look(pairs=[one], deleted=["a1"], files=[file("a2")]),
            look(WORK, pairs=[two], deleted=["a2"], files=[file("a1")]),
        ]
        found = match(seen, read({"a2": "a", "Work/a1": "a"}))
        assert found == Matches(
            moved_files=[MovedFile(WORK, two, INBOX, file("a2")), MovedFile(INBOX, one, WORK, file("a1"))]
        )

    def test_a_message_that_is_gone_on_the_server_as_well_was_not_moved(self) -> None:
        seen = [look(pairs=[pair(1, "a")], deleted=["a"], expunged=[1]), look(WORK, files=[file("x")])]
        assert match(seen, read({"Work/x": "a"})) == Matches()


class TestMovesThatAKilledRunHasFollowed:
    """On the server the message is where its file is, and the index does not know it yet."""

    def test_the_file_is_not_an_equal_one_there_under_a_new_name(self) -> None:
        moved, other = pair(1, "a", name="a1"), pair(1, "a", name="a2")
        seen = [
            look(pairs=[moved], deleted=["a1"], expunged=[1], files=[file("x")]),
            look(WORK, pairs=[other], deleted=["a2"], messages=[message(2, "a")], files=[file("a1")]),
        ]
        found = match(seen, read({"x": "a", "Work/a1": "a"}, {"Work/2": "a"}, {"Work/2": "a"}))
        assert found == Matches(
            met=[Met(WORK, message(2, "a"), file("a1"), contents("a"), moved)],
            moved_files=[MovedFile(WORK, other, INBOX, file("x"))],
        )

    def test_nor_is_one_that_got_a_new_name_an_equal_one_that_went_under_its_own(self) -> None:
        moved, other = pair(1, "a", name="a1"), pair(1, "a", name="a2")
        seen = [
            look(pairs=[moved], deleted=["a1"], expunged=[1], files=[file("a2")]),
            look(WORK, pairs=[other], deleted=["a2"], messages=[message(2, "a")], files=[file("x")]),
        ]
        found = match(seen, read({"a2": "a", "Work/x": "a"}, {"Work/2": "a"}, {"Work/2": "a"}))
        assert [(met.server, met.local) for met in found.met] == [(message(2, "a"), file("x"))]
        assert found.moved_files == [MovedFile(WORK, other, INBOX, file("a2"))]
        assert found.renamed == []

    def test_of_equal_messages_one_that_came_and_one_that_went_are_no_new_name(self) -> None:
        known = pair(1, "a")
        seen = [look(pairs=[known], deleted=["a"], messages=[message(2, "a")], files=[file("x")]), look(WORK)]
        left_over = [seen[0], look(WORK, files=[file("y")])]
        evidence = read({"x": "a", "Work/y": "a"}, {"2": "a"}, {"2": "a"})
        assert match(seen, evidence) == Matches(renamed=[Renamed(INBOX, known, file("x"))])
        assert match(left_over, evidence) == Matches(
            met=[met(2, "x")], moved_files=[MovedFile(INBOX, known, WORK, file("y"))]
        )
        for other in (read({"x": "a", "Work/y": "b"}, {"2": "a"}, {"2": "a"}), read({"x": "a", "Work/y": "a"})):
            assert match(left_over, other) == Matches(renamed=[Renamed(INBOX, known, file("x"))])
        other = read({"x": "a", "Work/y": "a"}, {"2": "a"}, {"2": "b"})
        assert match(left_over, other) == Matches(renamed=[Renamed(INBOX, known, file("x"))])

    def test_the_name_says_which_of_equal_messages_it_was(self) -> None:
        one, two = pair(1, "a", name="a1"), pair(2, "a", SEEN, name="a2")
        seen = [
            look(pairs=[one, two], deleted=["a1", "a2"], expunged=[1, 2]),
            look(WORK, messages=[message(5, "a")], files=[file("a2")]),
        ]
        found = match(seen, read({"Work/a2": "a"}, {"Work/5": "a"}))
        assert found == Matches(met=[Met(WORK, message(5, "a"), file("a2"), contents("a"), two)])


class TestMovedMessages:
    def test_the_same_header_block_and_size_in_another_mailbox(self) -> None:
        known = pair(1, "a")
        seen = [look(pairs=[known], expunged=[1]), look(WORK, messages=[message(7, "a"), message(8, "a")])]
        found = match(seen, read(headers={"Work/7": "a", "Work/8": "a"}))
        assert found == Matches(moved_messages=[MovedMessage(INBOX, known, WORK, message(7, "a"))])

    def test_without_its_header_nothing_is_known(self) -> None:
        seen = [look(pairs=[pair(1, "a")], expunged=[1]), look(WORK, messages=[message(7, "a")])]
        assert match(seen, Evidence()) == Matches()

    def test_within_a_mailbox_is_a_new_uid(self) -> None:
        known, there = pair(1, "a", email_id="M1"), message(7, "a", email_id="M1")
        seen = look(pairs=[known], expunged=[1], messages=[there])
        assert match([seen], read(headers={"7": "a"})) == Matches(renumbered=[Renumbered(INBOX, known, there)])

    def test_within_a_mailbox_another_email_id_is_another_message(self) -> None:
        known, there = pair(1, "a", email_id="M1"), message(7, "a", email_id="M2")
        seen = look(pairs=[known], expunged=[1], messages=[there])
        assert match([seen], read(headers={"7": "a"})) == Matches()

    def test_a_draft_that_was_edited_is_another_message_though_header_block_and_size_are_the_same(self) -> None:
        seen = look(pairs=[pair(1, "a")], expunged=[1], messages=[message(7, "a")])
        assert match([seen], read(headers={"7": "a"}, bodies={"7": "b"})) == Matches()

    def test_a_message_that_could_not_be_read_again_has_no_new_uid(self) -> None:
        seen = look(pairs=[pair(1, "a")], expunged=[1], messages=[message(7, "a")])
        assert match([seen], read(headers={"7": "a"})) == Matches()

    def test_a_new_uid_is_one_messages_alone(self) -> None:
        one, two = message(7, "a"), message(8, "a")
        seen = look(pairs=[pair(1, "a"), pair(2, "b")], expunged=[1, 2], messages=[one, two, message(9, "c")])
        found = match([seen], read(headers={"7": "a", "8": "a", "9": "c"}, bodies={"7": "a", "8": "a"}))
        assert found == Matches(renumbered=[Renumbered(INBOX, pair(1, "a"), one)])

    def test_a_new_file_meets_the_message_before_it_is_one_with_a_new_uid(self) -> None:
        seen = look(pairs=[pair(1, "a")], expunged=[1], messages=[message(7, "a")], files=[file("x")])
        found = match([seen], read({"x": "a"}, {"7": "a"}, {"7": "a"}))
        assert (found.renumbered, [met.server for met in found.met]) == ([], [message(7, "a")])

    def test_the_email_id_needs_no_header(self) -> None:
        known, there = pair(1, "a", email_id="M1"), message(7, "a", email_id="M1")
        seen = [look(pairs=[known], expunged=[1]), look(WORK, messages=[there])]
        assert match(seen, Evidence()) == Matches(moved_messages=[MovedMessage(INBOX, known, WORK, there)])

    def test_another_email_id_is_another_message_whatever_the_header(self) -> None:
        seen = [
            look(pairs=[pair(1, "a", email_id="M1")], expunged=[1]),
            look(WORK, messages=[message(7, "a", email_id="M2")]),
        ]
        assert match(seen, read(headers={"Work/7": "a"})) == Matches()

    @pytest.mark.parametrize(("known_id", "seen_id"), [(None, "M1"), ("M1", None)])
    def test_an_email_id_that_one_side_lacks_says_nothing(self, known_id: str | None, seen_id: str | None) -> None:
        known, there = pair(1, "a", email_id=known_id), message(7, "a", email_id=seen_id)
        seen = [look(pairs=[known], expunged=[1]), look(WORK, messages=[there])]
        found = match(seen, read(headers={"Work/7": "a"}))
        assert found == Matches(moved_messages=[MovedMessage(INBOX, known, WORK, there)])

    def test_among_equal_messages_the_email_id_decides(self) -> None:
        one, two = pair(1, "a", name="a1", email_id="M1"), pair(2, "a", name="a2", email_id="M2")
        first, second = message(7, "a", email_id="M2"), message(8, "a", email_id="M1")
        seen = [look(pairs=[one, two], expunged=[1, 2]), look(WORK, messages=[first, second])]
        found = match(seen, read(headers={"Work/7": "a", "Work/8": "a"}))
        assert found == Matches(
            moved_messages=[MovedMessage(INBOX, two, WORK, first), MovedMessage(INBOX, one, WORK, second)]
        )

    def test_out_of_a_mailbox_that_is_gone_on_the_server(self) -> None:
        known = pair(1, "a")
        seen = [look(WORK, pairs=[known], server={"missing": True}), look(messages=[message(7, "a")])]
        found = match(seen, read(headers={"7": "a"}))
        assert found == Matches(moved_messages=[MovedMessage(WORK, known, INBOX, message(7, "a"))])

    def test_one_that_met_a_file_did_not_move_from_elsewhere(self) -> None:
        seen = [
            look(pairs=[pair(1, "a")], expunged=[1]),
            look(WORK, messages=[message(7, "a")], files=[file("x")]),
        ]
        found = match(seen, read({"Work/x": "a"}, {"Work/7": "a"}))
        assert found == Matches(met=[Met(WORK, message(7, "a"), file("x"), contents("a"), pair(1, "a"))])


class TestMovedOnBothSides:
    def test_what_meets_elsewhere_has_the_base_of_the_pair_that_it_was(self) -> None:
        known = pair(1, "a", frozenset({SEEN}))
        seen = [
            look(pairs=[known], expunged=[1], deleted=["a"]),
            look(WORK, messages=[message(7, "a")], files=[file("x")]),
        ]
        found = match(seen, read({"Work/x": "a"}, {"Work/7": "a"}))
        assert found == Matches(met=[Met(WORK, message(7, "a"), file("x"), contents("a"), known)])

    def test_each_base_is_used_once_and_never_one_of_the_same_mailbox(self) -> None:
        known = pair(1, "a")
        seen = [
            look(pairs=[known], expunged=[1], deleted=["a"]),
            look(WORK, messages=[message(7, "a"), message(8, "a")], files=[file("x"), file("y")]),
        ]
        found = match(seen, read({"Work/x": "a", "Work/y": "a"}, {"Work/7": "a", "Work/8": "a"}))
        assert [each.before for each in found.met] == [known, None]
        here = look(pairs=[known], expunged=[1], deleted=["a"], messages=[message(7, "a")], files=[file("x")])
        assert match([here], read({"x": "a"}, {"7": "a"}, {"7": "a"})).met == [met(7, "x")]

    def test_versions_of_a_message_that_left_both_sides_do_not_meet(self) -> None:
        known = pair(1, "a")
        here = look(pairs=[known], expunged=[1], deleted=["a"], messages=[message(7, "a")], files=[file("x")])
        assert match([here], read({"x": "a"}, {"7": "a"}, {"7": "b"})).met == []
