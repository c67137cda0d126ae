"""Moves: followed, not to be followed, and not yet."""

from typing import Any

import pytest
from builders import JOB, WORK, contents, file, look, message, pair, read

from syncer.reconcile.actions import (
    Agree,
    Append,
    DeleteMailbox,
    Download,
    Forget,
    MoveLocal,
    MoveOnServer,
    Plan,
    RemoveLocal,
)
from syncer.reconcile.flags import FLAGGED, SEEN, FlagDelta
from syncer.reconcile.identity import INBOX, Uid, UniqueName
from syncer.reconcile.matches import Evidence
from syncer.reconcile.observations import Intent, Letters, Observation, Pair, PairState
from syncer.reconcile.planner import plan
from syncer.reconcile.policy import Limits, Policy
from syncer.values import replace

A, B = pair(1, "a"), pair(2, "b")
IS_SEEN, IS_FLAGGED = frozenset({SEEN}), frozenset({FLAGGED})

FREE = Limits(max_delete=1.0)


EXPUNGE = Policy(limits=FREE)


ALL = Policy(limits=FREE, mailbox_changes="all")


PULL = Policy(limits=FREE, direction="pull")


PUSH = Policy(limits=FREE, direction="push")


READ_ONLY = {"writable": False}


def decided(*seen: Observation, evidence: Evidence | None = None, policy: Policy = EXPUNGE, **more: Any) -> Plan:
    return plan(seen, evidence or Evidence(), policy, **more)


class TestReadOnlyMailboxes:
    def test_nothing_is_expunged_or_uploaded_and_it_is_said(self) -> None:
        seen = look(pairs=[A, B], deleted=["a", "b"], files=[file("x")], server=READ_ONLY)
        assert decided(seen, evidence=read({"INBOX/x": "x"})) == Plan(
            notes=(
                (INBOX, "2 deleted messages not expunged: the mailbox is read-only on the server"),
                (INBOX, "1 new messages not uploaded: the mailbox is read-only on the server"),
            )
        )

    def test_downloads_removals_and_local_flags_go_on(self) -> None:
        seen = look(
            pairs=[A, B], expunged=[1], there={2: IS_SEEN}, here={"b": IS_FLAGGED}, messages=[message(7, "another")],
            server=READ_ONLY,
        )  # fmt: skip
        assert decided(seen).actions == (
            RemoveLocal(mailbox=INBOX, reason="expunged on the server", pair=A),
            Agree(
                mailbox=INBOX,
                reason="flags changed on the server and in the Maildir",
                pair=replace(B, flags=IS_SEEN),
                to_local=FlagDelta(IS_SEEN),
            ),
            Download(mailbox=INBOX, reason="new on the server", message=message(7, "another")),
        )

    @pytest.mark.parametrize("which", ["source", "target"])
    def test_a_move_that_cannot_be_followed_is_not(self, which: str) -> None:
        source = look(pairs=[A], deleted=["a"], server=READ_ONLY if which == "source" else {})
        target = look(WORK, files=[file("a")], server=READ_ONLY if which == "target" else {})
        found = decided(source, target, evidence=read({"Work/a": "a"}))
        assert found.notes[0] == (INBOX, "1 moved messages not moved on the server: a mailbox is read-only there")
        assert [type(action) for action in found.actions] == ([Append] if which == "source" else [])

    def test_a_move_into_it_under_a_new_name_keeps_the_message_where_it_is(self) -> None:
        source, target = look(pairs=[A], deleted=["a"]), look(WORK, files=[file("x")], server=READ_ONLY)
        assert decided(source, target, evidence=read({"Work/x": "a"})).actions == ()


class TestMovesThatWait:
    """Into a mailbox that the other side does not have yet."""

    @pytest.mark.parametrize("new_name", ["a", "x"])
    @pytest.mark.parametrize("policy", [EXPUNGE, ALL])
    def test_a_file_in_a_mailbox_that_is_missing_on_the_server(self, new_name: str, policy: Policy) -> None:
        source = look(pairs=[A], deleted=["a"])
        target = look(WORK, files=[file(new_name)], server={"missing": True})
        found = decided(source, target, evidence=read({f"Work/{new_name}": "a"}), policy=policy)
        assert [str(action) for action in found.actions] == [
            "Work: forget the mailbox (missing on the server: to be created again from the Maildir)"
        ]

    @pytest.mark.parametrize("policy", [EXPUNGE, ALL])
    def test_a_message_in_a_mailbox_that_is_missing_in_the_maildir(self, policy: Policy) -> None:
        source = look(pairs=[A], expunged=[1])
        target = look(WORK, messages=[message(7, "a")], local={"missing": True})
        found = decided(source, target, evidence=read(headers={"Work/7": "a"}), policy=policy)
        assert [str(action) for action in found.actions] == ["Work: create in the Maildir (missing in the Maildir)"]

    def test_out_of_a_deleted_mailbox(self) -> None:
        source = look(WORK, pairs=[A], local={"missing": True})
        target = look(files=[file("a")], server=READ_ONLY)
        found = decided(source, target, evidence=read({"a": "a"}), policy=ALL)
        assert not any(isinstance(action, DeleteMailbox) for action in found.actions)

    @pytest.mark.parametrize("circle", [False, True])
    def test_out_of_a_mailbox_that_the_other_one_waits_for(self, circle: bool) -> None:
        """Only then is the one that is missing in the Maildir made again; else the next pass goes on from there."""
        lost = look(WORK, pairs=[A], messages=[message(7, "b")] if circle else [], local={"missing": True})
        other = look(JOB, pairs=[B] if circle else [], files=[file("a")], server={"missing": True})
        read_there = {"Work/7": "b"} if circle else {}
        found = decided(lost, other, evidence=read({"Job/a": "a"}, read_there))
        assert [str(action) for action in found.actions] == (
            ["Work: create in the Maildir (missing in the Maildir)"]
            if circle
            else ["Job: forget the mailbox (missing on the server: to be created again from the Maildir)"]
        )

    def test_into_a_mailbox_that_the_server_did_not_list_completely_and_may_have_it_already(self) -> None:
        source = look(pairs=[A], deleted=["a"])
        target = look(WORK, files=[file("a")], server={"complete": False})
        note = "1 new messages not uploaded: the server did not list the mailbox completely, and may have them"
        assert decided(source, target, evidence=read({"Work/a": "a"})) == Plan(notes=((WORK, note),))


class TestWhatCouldNotBeCompared:
    """Copied both ways it might be there twice."""

    NOTE = "2 new messages not copied: they could not be compared, the next sync looks again"

    def test_a_file_waits_whose_move_a_killed_run_may_have_followed_already(self) -> None:
        source = look(pairs=[A], deleted=["a"])
        target = look(WORK, files=[file("a")], messages=[message(7, "a")])
        assert decided(source, target, evidence=read({"Work/a": "a"})) == Plan(notes=((WORK, self.NOTE),))

    def test_a_message_whose_header_was_not_read_waits_with_the_files_of_its_size(self) -> None:
        seen = look(files=[file("x"), file("y")], messages=[message(7, "a"), message(8, "another")])
        assert decided(seen, evidence=read({"x": "a", "y": "others"})) == Plan(
            (
                Download(mailbox=INBOX, reason="new on the server", message=message(8, "another")),
                Append(mailbox=INBOX, reason="new in the Maildir", message=file("y")),
            ),
            notes=((INBOX, self.NOTE),),
        )

    def test_in_another_mailbox_nothing_waits(self) -> None:
        seen = [look(files=[file("x")], messages=[message(7, "a")]), look(WORK, files=[file("z")])]
        found = decided(*seen, evidence=read({"x": "a", "Work/z": "b"}))
        assert [str(action) for action in found.actions] == ["Work: append z (new in the Maildir)"]
        assert found.notes == ((INBOX, self.NOTE),)


class TestUploadedAndNotFound:
    """The server took it, did not tell the UID, and has nothing like it now."""

    SENT = (Intent(UniqueName("x"), Uid(5), sent=True),)
    NOTE = "1 uploaded, but it is not known which message on the server it became: not uploaded again"

    def test_it_is_not_uploaded_again_and_it_is_said(self) -> None:
        seen = look(files=[file("x"), file("y")], intents=self.SENT)
        assert decided(seen, evidence=read({"x": "a", "y": "b"})) == Plan(
            (Append(mailbox=INBOX, reason="new in the Maildir", message=file("y")),), notes=((INBOX, self.NOTE),)
        )

    def test_an_announcement_alone_does_not_keep_it_back(self) -> None:
        seen = look(files=[file("x")], intents=(Intent(UniqueName("x"), Uid(5)),))
        assert [type(action) for action in decided(seen, evidence=read({"x": "a"})).actions] == [Append]


class TestMoves:
    def test_a_move_in_the_maildir_brings_its_flags(self) -> None:
        source = look(pairs=[A], deleted=["a"], there={1: IS_SEEN})
        target = look(WORK, files=[file("x", IS_FLAGGED)])
        found = decided(source, target, evidence=read({"Work/x": "a"}))
        assert found == Plan(
            (
                MoveOnServer(
                    mailbox=INBOX,
                    reason="moved in the Maildir",
                    pair=A,
                    target=WORK,
                    landed=file("x", IS_FLAGGED),
                    agreed=IS_SEEN | IS_FLAGGED,
                    to_server=FlagDelta(IS_FLAGGED),
                    to_local=FlagDelta(IS_SEEN),
                ),
            )
        )

    def test_a_move_on_the_server_brings_its_flags(self) -> None:
        source = look(pairs=[A], expunged=[1], here={"a": IS_SEEN})
        target = look(WORK, messages=[message(7, "a", IS_FLAGGED)])
        found = decided(source, target, evidence=read(headers={"Work/7": "a"}))
        assert found == Plan(
            (
                MoveLocal(
                    mailbox=INBOX,
                    reason="moved on the server",
                    pair=A,
                    target=WORK,
                    landed=message(7, "a", IS_FLAGGED),
                    agreed=IS_SEEN | IS_FLAGGED,
                    to_server=FlagDelta(IS_SEEN),
                    to_local=FlagDelta(IS_SEEN | IS_FLAGGED),
                ),
            )
        )

    def test_pull_follows_no_move_to_the_server(self) -> None:
        source, target = look(pairs=[A], deleted=["a"]), look(WORK, files=[file("a")])
        found = decided(source, target, evidence=read({"Work/a": "a"}), policy=PULL)
        kept = replace(A, state=PairState.SERVER_ONLY)
        assert found == Plan((Agree(mailbox=INBOX, reason="deleted here, kept on the server", pair=kept),))

    def test_push_follows_no_move_to_the_maildir(self) -> None:
        source, target = look(pairs=[A], expunged=[1]), look(WORK, messages=[message(7, "a")])
        found = decided(source, target, evidence=read(headers={"Work/7": "a"}), policy=PUSH)
        kept = replace(A, state=PairState.LOCAL_ONLY)
        assert found == Plan((Agree(mailbox=INBOX, reason="expunged on the server, kept here", pair=kept),))

    def test_a_new_uid_is_recorded_with_the_flags_of_both(self) -> None:
        there = message(7, "a", IS_SEEN, email_id="M1")
        seen = look(pairs=[A], expunged=[1], here={"a": IS_FLAGGED}, messages=[there])
        assert decided(seen, evidence=read(headers={"7": "a"}, bodies={"7": "a"})) == Plan(
            (
                Agree(
                    mailbox=INBOX,
                    reason="the message has a new UID",
                    pair=replace(A, uid=Uid(7), flags=IS_SEEN | IS_FLAGGED, email_id="M1"),
                    to_server=FlagDelta(IS_FLAGGED),
                    to_local=FlagDelta(IS_SEEN),
                ),
            )
        )

    def test_a_new_uid_waits_while_it_is_not_known_whether_the_file_is_there(self) -> None:
        disturbed = {"unproven": frozenset({A.name}), "complete": False}
        seen = look(pairs=[A, pair(2, "b")], expunged=[1, 2], messages=[message(7, "a")], local=disturbed)
        note = "1 messages under a new UID left alone: the Maildir changed while it was read, the next sync looks again"
        assert decided(seen, evidence=read(headers={"7": "a"}, bodies={"7": "a"})) == Plan(
            (RemoveLocal(mailbox=INBOX, reason="expunged on the server", pair=pair(2, "b")),), notes=((INBOX, note),)
        )

    def test_a_new_name_waits_while_it_is_not_known_whether_the_message_is_there(self) -> None:
        short = {"unproven": frozenset({A.uid}), "complete": False}
        seen = look(pairs=[A, B], deleted=["a", "b"], files=[file("x"), file("y")], server=short)
        assert decided(seen, evidence=read({"x": "a", "y": "b"})) == Plan(
            (Agree(mailbox=INBOX, reason="the file has a new unique name", pair=replace(B, name=UniqueName("y"))),),
            notes=(
                (INBOX, "1 files under a new name left alone: the server did not list their messages"),
                (INBOX, "the server did not list 1 known messages, without proof that they are gone: kept"),
            ),
        )

    def test_a_new_unique_name_is_recorded_with_the_flags_of_both(self) -> None:
        seen = look(pairs=[A], deleted=["a"], files=[file("x", IS_FLAGGED)], there={1: IS_SEEN})
        assert decided(seen, evidence=read({"x": "a"})) == Plan(
            (
                Agree(
                    mailbox=INBOX,
                    reason="the file has a new unique name",
                    pair=pair(1, "a", IS_SEEN | IS_FLAGGED, name="x"),
                    to_server=FlagDelta(IS_FLAGGED),
                    to_local=FlagDelta(IS_SEEN),
                ),
            )
        )

    def test_what_meets_for_the_first_time_has_the_flags_of_both(self) -> None:
        seen = look(messages=[message(7, "a", IS_SEEN, email_id="M1")], files=[file("x", IS_FLAGGED)])
        assert decided(seen, evidence=read({"x": "a"}, {"7": "a"})) == Plan(
            (
                Agree(
                    mailbox=INBOX,
                    reason="the same message on both sides",
                    pair=Pair(Uid(7), UniqueName("x"), IS_SEEN | IS_FLAGGED, contents("a"), "M1"),
                    to_server=FlagDelta(IS_FLAGGED),
                    to_local=FlagDelta(IS_SEEN),
                ),
            )
        )

    def test_what_both_filed_in_one_place_has_a_base_and_its_letters_are_not_believed(self) -> None:
        known = pair(1, "a", frozenset({SEEN, "todo"}))
        letters = Letters(frozenset({"later"}), frozenset({"later"}))
        seen = [
            look(pairs=[known], expunged=[1], deleted=["a"]),
            look(
                WORK,
                messages=[message(7, "a", frozenset({"todo"}))],
                files=[file("x", frozenset({SEEN, "later"}))],
                local={"letters": letters},
            ),
        ]
        found = decided(*seen, evidence=read({"Work/x": "a"}, {"Work/7": "a"}))
        assert found.actions == (
            Agree(
                mailbox=WORK,
                reason="the same message on both sides",
                pair=Pair(Uid(7), UniqueName("x"), frozenset({"todo"}), contents("a")),
                to_local=FlagDelta(frozenset({"todo"}), frozenset({SEEN, "later"})),
            ),
            Forget(mailbox=INBOX, reason="gone on both sides", uid=Uid(1)),
        )
