"""What the scenarios cannot say: strangers, half-read directories, moves that may not be followed, restoring."""

# ruff: noqa: E501 (a row of a table is read on one line)

from typing import Any

import pytest
from builders import EPOCH, JOB, WORK, file, look, message, pair, read

from syncer.reconcile.actions import (
    Action,
    Agree,
    Append,
    CreateMailbox,
    Download,
    Expunge,
    Forget,
    Hold,
    MoveLocal,
    MoveOnServer,
    Plan,
    Refusal,
    RemoveLocal,
)
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.flags import DELETED, FLAGGED, NONE, SEEN, FlagDelta
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.matches import Evidence
from syncer.reconcile.observations import Observation, PairState
from syncer.reconcile.planner import plan, refuse
from syncer.reconcile.policy import Limits, Policy
from syncer.values import replace

FREE = Limits(max_delete=1.0)
EXPUNGE = Policy(limits=FREE)
ALL = Policy(limits=FREE, mailbox_changes="all")
PULL = Policy(limits=FREE, direction="pull")
PUSH = Policy(limits=FREE, direction="push")
TRASH = Policy(limits=FREE, on_local_delete="trash", trash=MailboxName("Bin"))
RESTORE = Policy(limits=FREE, restore=True)

A, B = pair(1, "a"), pair(2, "b")
READ_ONLY = {"writable": False}
IS_SEEN, IS_FLAGGED = frozenset({SEEN}), frozenset({FLAGGED})


def decided(*seen: Observation, evidence: Evidence | None = None, policy: Policy = EXPUNGE, **more: Any) -> Plan:
    return plan(seen, evidence or Evidence(), policy, **more)


class TestRefusing:
    def test_a_mailbox_that_is_another_is_refused_alone(self) -> None:
        same, other = look(known=EPOCH), look(WORK, known=Epoch(UidValidity(3)))
        impostor = look(JOB, known=EPOCH, impostor=Uid(4))
        assert refuse([same, other, impostor]) == (
            (same,),
            (
                Refusal(WORK, "UIDVALIDITY changed from 3 to 7"),
                Refusal(JOB, "UID 4 is another message than it was"),
            ),
        )

    def test_a_mailbox_that_is_missing_on_the_server_has_no_counters_to_compare(self) -> None:
        gone = look(known=Epoch(UidValidity(3)), impostor=Uid(4), server={"missing": True})
        assert refuse([gone]) == ((gone,), ())


class TestMissingFiles:
    """A file is deleted if it is nowhere else."""

    SEEN = look(pairs=[A, B], deleted=["a"])
    KEPT = "1 missing messages not expunged: "

    def test_a_file_that_is_nowhere_is_expunged(self) -> None:
        expunge = Expunge(mailbox=INBOX, reason="deleted in the Maildir", pair=A)
        assert decided(self.SEEN) == Plan((expunge,))

    def test_the_reason_says_that_a_flag_change_is_overruled(self) -> None:
        seen = look(pairs=[A], deleted=["a"], there={1: IS_SEEN})
        (action,) = decided(seen).actions
        assert action.reason == "deleted in the Maildir although its flags changed on the server"
        seen = look(pairs=[A], expunged=[1], here={"a": IS_SEEN})
        (action,) = decided(seen).actions
        assert action.reason == "expunged on the server although its flags changed here"

    def test_a_name_that_is_in_a_mailbox_not_planned_for_is_kept(self) -> None:
        found = decided(self.SEEN, elsewhere=frozenset({UniqueName("a")}))
        assert found == Plan(notes=((INBOX, self.KEPT + "a file of the same name is in another mailbox"),))

    def test_a_message_that_is_gone_is_known_as_long_as_its_file_may_be_in_a_mailbox_of_the_next_pass(self) -> None:
        gone = look(pairs=[A, B], deleted=["a", "b"], expunged=[1, 2])
        forget = [Forget(mailbox=INBOX, reason="gone on both sides", uid=uid) for uid in (1, 2)]
        found = decided(gone, elsewhere=frozenset({UniqueName("a")}), whole=False)
        note = "1 messages gone on both sides not forgotten: a file of the same name is in another mailbox"
        assert found == Plan((forget[1],), notes=((INBOX, note),))
        assert decided(gone, elsewhere=frozenset({UniqueName("a")})) == Plan(tuple(forget))

    def test_a_new_file_of_the_same_name_and_other_content_keeps_it_too(self) -> None:
        found = decided(self.SEEN, look(WORK, files=[file("a")]), evidence=read({"Work/a": "changed"}))
        assert found == Plan(
            (Append(mailbox=WORK, reason="new in the Maildir", message=file("a")),),
            notes=((INBOX, self.KEPT + "a file of the same name is in another mailbox"),),
        )

    @pytest.mark.parametrize("name", ["a", "x"])
    def test_a_new_file_that_could_not_be_read_keeps_it_too_and_is_not_copied(self, name: str) -> None:
        reasons = {
            "a": "a file of the same name is in another mailbox",
            "x": "the Maildir changed while it was read, the next sync looks again",
        }
        found = decided(self.SEEN, look(WORK, files=[file(name)]))
        assert found == Plan(
            notes=(
                (INBOX, self.KEPT + reasons[name]),
                (WORK, "1 new messages not copied: they could not be compared, the next sync looks again"),
            )
        )

    def test_a_name_that_was_matched_keeps_nothing(self) -> None:
        other = look(WORK, files=[file("a")], messages=[message(9, "a")])
        found = decided(self.SEEN, other, evidence=read({"Work/a": "a"}, {"Work/9": "a"}))
        assert [type(action) for action in found.actions] == [Agree, Expunge]

    def test_a_maildir_that_was_not_read_completely_keeps_it(self) -> None:
        note = self.KEPT + "the Maildir changed while it was read, the next sync looks again"
        assert decided(self.SEEN, everything_seen=False) == Plan(notes=((INBOX, note),))

    def test_a_maildir_that_was_not_read_completely_delays_nothing_else(self) -> None:
        seen = look(
            pairs=[A, B], expunged=[2], here={"a": IS_SEEN}, files=[file("x")], messages=[message(7, "another")]
        )
        assert decided(seen, everything_seen=False) == decided(seen)
        assert [type(action) for action in decided(seen).actions] == [Agree, RemoveLocal, Download, Append]

    def test_what_is_postponed_for_the_same_reason_is_said_once(self) -> None:
        seen = look(pairs=[A, B, pair(3, "c")], deleted=["a", "b", "c"])
        found = decided(seen, elsewhere=frozenset({UniqueName("a")}), everything_seen=False)
        assert found.notes == (
            (INBOX, self.KEPT + "a file of the same name is in another mailbox"),
            (INBOX, "2 missing messages not expunged: the Maildir changed while it was read, the next sync looks again"),
        )  # fmt: skip


def test_nothing_is_uploaded_that_the_server_may_have_and_did_not_list() -> None:
    seen = look(files=[file("x")], server={"complete": False})
    note = "1 new messages not uploaded: the server did not list the mailbox completely, and may have them"
    assert decided(seen) == Plan(notes=((INBOX, note),))


def test_messages_that_the_server_did_not_list_are_kept_and_said() -> None:
    note = "the server did not list 3 known messages, without proof that they are gone: kept"
    assert decided(look(pairs=[], server={"unproven": frozenset(map(Uid, (3, 4, 5)))})) == Plan(notes=((INBOX, note),))


class TestTrash:
    SEEN = look(pairs=[A], deleted=["a"])

    def test_a_deleted_message_goes_to_the_trash(self) -> None:
        (action,) = decided(self.SEEN, policy=TRASH).actions
        assert action == Expunge(mailbox=INBOX, reason="deleted in the Maildir", pair=A, trash=MailboxName("Bin"))

    def test_a_message_deleted_from_the_trash_is_expunged(self) -> None:
        (action,) = decided(replace(self.SEEN, mailbox=MailboxName("Bin")), policy=TRASH).actions
        assert action == Expunge(mailbox=MailboxName("Bin"), reason="deleted in the Maildir", pair=A)

    def test_what_was_marked_there_meanwhile_is_only_expunged(self) -> None:
        marked = look(pairs=[A], deleted=["a"], there={1: frozenset({DELETED})})
        (action,) = decided(marked, policy=TRASH).actions
        why = "deleted in the Maildir although its flags changed on the server"
        assert action == Expunge(mailbox=INBOX, reason=why, pair=A)

    def test_what_was_marked_before_goes_there_like_anything_else(self) -> None:
        known = replace(A, flags=frozenset({DELETED}))
        (action,) = decided(look(pairs=[known], deleted=["a"]), policy=TRASH).actions
        assert action == Expunge(mailbox=INBOX, reason="deleted in the Maildir", pair=known, trash=MailboxName("Bin"))

    def test_a_server_without_a_trash_mailbox_deletes_nothing(self) -> None:
        note = '1 deleted messages not expunged: on_local_delete is "trash" and the server names no \\Trash mailbox'
        assert decided(self.SEEN, policy=replace(TRASH, trash=None)) == Plan(notes=((INBOX, note),))


class TestKeptCopies:
    def test_what_is_kept_here_changes_nothing(self) -> None:
        seen = look(pairs=[pair(1, "a", state=PairState.LOCAL_ONLY)], here={"a": IS_SEEN})
        assert decided(seen) == Plan()

    def test_what_is_kept_there_and_did_not_change_needs_nothing(self) -> None:
        seen = look(pairs=[pair(1, "a", state=PairState.SERVER_ONLY)])
        assert decided(seen) == Plan()

    def test_flags_that_cannot_be_agreed_on_need_nothing(self) -> None:
        seen = look(pairs=[A], here={"a": IS_SEEN}, server=READ_ONLY)
        assert decided(seen) == Plan()

    @pytest.mark.parametrize(("deleted", "messages"), [(["a"], "1 message"), (["a", "b"], "2 messages")])
    def test_what_is_to_be_kept_there_from_now_on_is_said(self, deleted: list[str], messages: str) -> None:
        found = decided(look(pairs=[A, B], deleted=deleted), policy=PULL)
        note = f"{messages} gone from the Maildir, kept on the server; `syncer restore` copies what is missing"
        assert found.notes == ((INBOX, note),)


class TestRestoring:
    def test_deletions_are_forgotten_instead(self) -> None:
        seen = look(pairs=[A, B, pair(3, "c")], deleted=["a", "c"], expunged=[2, 3])
        assert decided(seen, policy=RESTORE) == Plan(
            (
                Forget(mailbox=INBOX, reason="to be restored", uid=Uid(1)),
                Forget(mailbox=INBOX, reason="to be restored", uid=Uid(2)),
                Forget(mailbox=INBOX, reason="gone on both sides", uid=Uid(3)),
            )
        )

    def test_a_restored_mailbox_is_never_held(self) -> None:
        pairs = [pair(uid, f"m{uid}") for uid in range(1, 30)]
        seen = look(pairs=pairs, deleted=[known.name for known in pairs])
        assert decided(seen, policy=Policy(restore=True)).holds == ()
        assert len(decided(seen, policy=Policy()).holds) == 1

    @pytest.mark.parametrize("side", ["server", "local"])
    def test_a_mailbox_missing_on_a_side_is_not_deleted_on_the_other(self, side: str) -> None:
        policy = replace(RESTORE, mailbox_changes="all")
        seen = look(WORK, pairs=[A], **{side: {"missing": True}})
        assert decided(seen, policy=policy) == decided(seen)


def test_held_deletions_are_in_the_plan_and_everything_else_is_done() -> None:
    pairs = [pair(uid, f"m{uid}") for uid in range(1, 6)]
    seen = look(pairs=pairs, expunged=range(1, 6), messages=[message(9, "x")])
    removals = tuple(RemoveLocal(mailbox=INBOX, reason="expunged on the server", pair=known) for known in pairs)
    assert decided(seen, policy=Policy()) == Plan(
        (Download(mailbox=INBOX, reason="new on the server", message=message(9, "x")),),
        holds=(Hold(INBOX, "local", removals, "all 5 messages of the mailbox are gone from the server"),),
    )


def test_a_mailbox_missing_on_a_side_is_left_to_its_own_rules() -> None:
    found = decided(look(WORK, pairs=[A], local={"missing": True}))
    assert [type(action) for action in found.actions] == [Forget, CreateMailbox]
    found = decided(look(WORK, pairs=[A], server={"missing": True}), policy=PULL)
    assert found == Plan(notes=((WORK, "missing on the server; its messages here are kept"),))


ACTIONS: list[tuple[Action, str]] = [
    (Download(mailbox=INBOX, reason="why", message=message(7, "x")), "INBOX: download UID 7 (why)"),
    (Append(mailbox=INBOX, reason="why", message=file("x")), "INBOX: append x (why)"),
    (Agree(mailbox=INBOX, reason="why", pair=A), "INBOX: UID 1 record (why)"),
    (
        Agree(mailbox=INBOX, reason="why", pair=A, to_server=FlagDelta(IS_SEEN), to_local=FlagDelta(NONE, IS_FLAGGED)),
        "INBOX: UID 1 server +\\Seen, local -\\Flagged (why)",
    ),
    (Expunge(mailbox=INBOX, reason="why", pair=A), "INBOX: expunge UID 1 (why)"),
    (Expunge(mailbox=INBOX, reason="why", pair=A, trash=WORK), "INBOX: move to Work on the server UID 1 (why)"),
    (RemoveLocal(mailbox=INBOX, reason="why", pair=A), "INBOX: remove a (why)"),
    (Forget(mailbox=INBOX, reason="why", uid=Uid(1)), "INBOX: forget UID 1 (why)"),
    (
        MoveOnServer(mailbox=INBOX, reason="why", pair=A, target=WORK, landed=file("x"), agreed=NONE),
        "INBOX: move UID 1 to Work on the server (why)",
    ),
    (
        MoveLocal(mailbox=INBOX, reason="why", pair=A, target=WORK, landed=message(7, "x"), agreed=NONE),
        "INBOX: move a to Work in the Maildir (why)",
    ),
]


@pytest.mark.parametrize(("action", "line"), ACTIONS, ids=lambda value: type(value).__name__)
def test_an_action_says_what_it_does_and_why(action: Action, line: str) -> None:
    assert str(action) == line
