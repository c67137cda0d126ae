"""Mailboxes as a whole: created, renamed, deleted, and missing on a side."""

# ruff: noqa: E501 (a row of a table is read on one line)

from collections.abc import Iterable, Mapping

import pytest
from builders import JOB, WORK, file, look, message, pair

from syncer.reconcile.actions import (
    Action,
    CreateMailbox,
    DeleteMailbox,
    Expunge,
    Forget,
    ForgetMailbox,
    MailboxAction,
    RemoveLocal,
    RenameMailbox,
)
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.mailboxes import arrange, vanished
from syncer.reconcile.observations import PairState
from syncer.reconcile.places import Places
from syncer.reconcile.policy import Policy
from syncer.values import replace

CREATE, ALL = Policy(), Policy(mailbox_changes="all")


def places(known: str = "", server: str = "", local: str = "", **more: Mapping[MailboxName, object]) -> Places:
    """Names in a line; mailboxes in the index have no counters unless `epochs` says."""
    epochs = more.pop("epochs", {})
    return Places(
        {name: epochs.get(name) for name in names(known)},  # type: ignore[misc]
        frozenset(names(server)),
        frozenset(names(local)),
        **more,  # type: ignore[arg-type]
    )


def names(text: str) -> list[MailboxName]:
    return [MailboxName(name) for name in text.split()]


def files(text: str) -> frozenset[UniqueName]:
    return frozenset(UniqueName(name) for name in text.split())


def said(actions: Iterable[MailboxAction | Action]) -> list[str]:
    return [str(action) for action in actions]


class TestCreating:
    @pytest.mark.parametrize(
        ("where", "policy", "expected"),
        [
            (places("INBOX A", "INBOX A", "INBOX A"), CREATE, []),
            (places("", "INBOX", "INBOX"), CREATE, []),
            (places("", "B A"), CREATE, ["A: create in the Maildir (new on the server)", "B: create in the Maildir (new on the server)"]),
            (places("", "", "A"), CREATE, ["A: create on the server (new in the Maildir)"]),
            (places("", "A", "B"), Policy(direction="pull"), ["A: create in the Maildir (new on the server)"]),
            (places("", "A", "B"), Policy(direction="push"), ["B: create on the server (new in the Maildir)"]),
            (places("A B", "A", "B"), CREATE, []),
            (places("A B", "A", "B"), ALL, []),
            (places("", "A", "B"), ALL, ["A: create in the Maildir (new on the server)", "B: create on the server (new in the Maildir)"]),
        ],
    )  # fmt: skip
    def test_what_is_new_on_one_side_is_created_on_the_other(
        self, where: Places, policy: Policy, expected: list[str]
    ) -> None:
        assert said(arrange(where, policy)) == expected


KNOWN = Epoch(UidValidity(7), Uid(10))


def renamed_there(known: Epoch | None, **seen: Epoch) -> Places:
    """Work is gone from the server and these mailboxes are new there."""
    new = {MailboxName(name): epoch for name, epoch in seen.items()}
    return places("Work", " ".join(new), "Work", epochs={WORK: known}, server_epochs=new)


class TestRenamedOnTheServer:
    @pytest.mark.parametrize(
        ("known", "seen", "is_renamed"),
        [
            pytest.param(KNOWN, Epoch(UidValidity(7), Uid(10)), True, id="the same counters"),
            pytest.param(KNOWN, Epoch(UidValidity(7), Uid(99)), True, id="new messages meanwhile"),
            pytest.param(KNOWN, Epoch(UidValidity(7), Uid(9)), False, id="UIDNEXT went back"),
            pytest.param(KNOWN, Epoch(UidValidity(8), Uid(10)), False, id="another UIDVALIDITY"),
            pytest.param(KNOWN, Epoch(UidValidity(7)), False, id="no UIDNEXT"),
            pytest.param(Epoch(UidValidity(7)), Epoch(UidValidity(7), Uid(9)), False, id="no UIDNEXT known"),
            pytest.param(Epoch(UidValidity(7), Uid(1)), Epoch(UidValidity(7), Uid(1)), False, id="both empty: no proof"),
            pytest.param(None, Epoch(UidValidity(7), Uid(10)), False, id="never finished"),
            pytest.param(replace(KNOWN, mailbox_id="F1"), Epoch(UidValidity(7), Uid(10), None, "F1"), True, id="the same MAILBOXID"),
            pytest.param(replace(KNOWN, mailbox_id="F1"), Epoch(UidValidity(7), Uid(10), None, "F2"), False, id="another MAILBOXID"),
            pytest.param(replace(KNOWN, mailbox_id="F1"), Epoch(UidValidity(8), Uid(10), None, "F1"), False, id="the same MAILBOXID and another UIDVALIDITY"),
            pytest.param(replace(KNOWN, mailbox_id="F1"), Epoch(UidValidity(7), Uid(10)), True, id="MAILBOXID not told"),
            pytest.param(Epoch(UidValidity(7), Uid(1), None, "F1"), Epoch(UidValidity(7), Uid(1), None, "F1"), True, id="both empty, the same MAILBOXID"),
        ],
    )  # fmt: skip
    def test_the_counters_tell_a_renamed_mailbox_from_a_new_one(
        self, known: Epoch | None, seen: Epoch, is_renamed: bool
    ) -> None:
        expected: list[MailboxAction] = [CreateMailbox(mailbox=JOB, reason="new on the server", side="local")]
        if is_renamed:
            expected = [RenameMailbox(mailbox=WORK, reason="renamed on the server", side="local", new_name=JOB)]
        assert list(arrange(renamed_there(known, Job=seen), ALL)) == expected

    def test_only_if_the_settings_say_all(self) -> None:
        assert said(arrange(renamed_there(KNOWN, Job=KNOWN), CREATE)) == [
            "Job: create in the Maildir (new on the server)"
        ]
        assert arrange(renamed_there(KNOWN, Job=KNOWN), Policy(mailbox_changes="all", direction="push")) == ()

    def test_two_candidates_are_no_proof(self) -> None:
        found = arrange(renamed_there(KNOWN, Job=KNOWN, Play=KNOWN), ALL)
        assert all(isinstance(action, CreateMailbox) for action in found)
        assert [action.mailbox for action in found] == ["Job", "Play"]

    def test_two_old_names_for_one_new_are_no_proof(self) -> None:
        where = places(
            "Work Play",
            "Job",
            "Work Play",
            epochs={WORK: KNOWN, MailboxName("Play"): KNOWN},
            server_epochs={JOB: KNOWN},
        )
        assert said(arrange(where, ALL)) == ["Job: create in the Maildir (new on the server)"]

    def test_inbox_is_never_renamed(self) -> None:
        where = places("INBOX", "Job", "INBOX", epochs={INBOX: KNOWN}, server_epochs={JOB: KNOWN})
        assert said(arrange(where, ALL)) == ["Job: create in the Maildir (new on the server)"]

    @staticmethod
    def tree(old: str, new: str) -> list[str]:
        """The renames on the server from the old names to the new ones, as actions in order."""
        epochs = {name: Epoch(UidValidity(number), Uid(9)) for number, name in enumerate(names(old), start=1)}
        moved = dict(zip(names(new), epochs.values(), strict=True))
        where = places(old, new, old, epochs=epochs, server_epochs=moved)
        return [
            f"{action.mailbox} -> {action.new_name}" if isinstance(action, RenameMailbox) else str(action)
            for action in arrange(where, ALL)
        ]

    def test_mailboxes_below_are_carried_along(self) -> None:
        found = self.tree("Work Work/a Work/a/x Workshop", "Job Job/a Job/a/x Jobshop")
        assert [line for line in found if "->" in line] == ["Work -> Job", "Workshop -> Jobshop"]

    def test_a_mailbox_that_is_carried_along_is_not_created(self) -> None:
        assert self.tree("Work Work/a", "Job Job/a") == ["Work -> Job"]

    def test_a_mailbox_that_is_taken_out_is_renamed_before_the_one_above_it(self) -> None:
        assert self.tree("Work Work/b", "Job Elsewhere") == ["Work/b -> Elsewhere", "Work -> Job"]


def renamed_here(known: str, **seen: str) -> Places:
    """Work, with these files in the index, is gone from the Maildir, and these directories are new there."""
    new = {MailboxName(name): files(text) for name, text in seen.items()}
    return places("Work", "Work", " ".join(new), known_names={WORK: files(known)}, local_names=new)


TEN = "a b c d e f g h i j"


class TestRenamedInTheMaildir:
    @pytest.mark.parametrize(
        ("known", "seen", "is_renamed"),
        [
            pytest.param(TEN, TEN, True, id="the same files"),
            pytest.param(TEN, "a b c d e f g h i", True, id="one of ten deleted meanwhile"),
            pytest.param(TEN, "a b c d e f g h", False, id="two of ten deleted meanwhile"),
            pytest.param(TEN, f"{TEN} 1 2 3 4 5 6 7 8 9 10", True, id="as many new files as old ones"),
            pytest.param(TEN, f"{TEN} 1 2 3 4 5 6 7 8 9 10 11", False, id="more new files than old ones"),
            pytest.param(TEN, "k l m", False, id="other files"),
            pytest.param(TEN, "", False, id="empty now"),
            pytest.param("", TEN, False, id="empty before"),
        ],
    )
    def test_the_files_tell_a_renamed_mailbox_from_a_new_one(self, known: str, seen: str, is_renamed: bool) -> None:
        expected: list[MailboxAction] = [CreateMailbox(mailbox=JOB, reason="new in the Maildir", side="server")]
        if is_renamed:
            expected = [RenameMailbox(mailbox=WORK, reason="renamed in the Maildir", side="server", new_name=JOB)]
        assert list(arrange(renamed_here(known, Job=seen), ALL)) == expected

    def test_a_copy_of_a_directory_beside_the_renamed_one_is_no_proof(self) -> None:
        found = arrange(renamed_here(TEN, Job=TEN, Play=TEN), ALL)
        assert all(isinstance(action, CreateMailbox) for action in found)

    def test_names_that_are_not_known_are_no_proof(self) -> None:
        where = places("Work", "Work", "Job", local_names={JOB: files(TEN)})
        assert said(arrange(where, ALL)) == ["Job: create on the server (new in the Maildir)"]

    def test_pull_renames_nothing_on_the_server(self) -> None:
        assert arrange(renamed_here(TEN, Job=TEN), Policy(mailbox_changes="all", direction="pull")) == ()


A, B = pair(1, "a"), pair(2, "b")
KEPT_THERE = pair(3, "c", state=PairState.SERVER_ONLY)
KEPT_HERE = pair(4, "d", state=PairState.LOCAL_ONLY)
GONE = {"missing": True}
AGAIN = ForgetMailbox(mailbox=WORK, reason="missing on the server: to be created again from the Maildir")
ANEW = CreateMailbox(mailbox=WORK, reason="missing in the Maildir", side="local")
REFETCH = [
    Forget(mailbox=WORK, reason="the mailbox was missing in the Maildir: to be fetched again", uid=known.uid)
    for known in (A, B)
]
EXPUNGED = [Expunge(mailbox=WORK, reason="the mailbox was deleted in the Maildir", pair=known) for known in (A, B)]
REMOVED = [RemoveLocal(mailbox=WORK, reason="the mailbox was deleted on the server", pair=known) for known in (A, B)]
DELETE_THERE = DeleteMailbox(mailbox=WORK, reason="the mailbox was deleted in the Maildir", side="server", messages=2)
DELETE_HERE = DeleteMailbox(mailbox=WORK, reason="the mailbox was deleted on the server", side="local", messages=2)

PULL, PUSH = Policy(direction="pull"), Policy(direction="push")
ALL_PULL, ALL_PUSH = replace(PULL, mailbox_changes="all"), replace(PUSH, mailbox_changes="all")


def test_a_mailbox_gone_on_both_sides_is_forgotten() -> None:
    forget = ForgetMailbox(mailbox=WORK, reason="gone on both sides")
    for policy in (CREATE, ALL, PULL, PUSH):
        assert vanished(look(WORK, pairs=[A], server=GONE, local=GONE), policy) == ([forget], [])


class TestGoneFromTheServer:
    @pytest.mark.parametrize(
        ("policy", "expected"),
        [
            pytest.param(CREATE, ([AGAIN], []), id="create"),
            pytest.param(PUSH, ([AGAIN], []), id="push"),
            pytest.param(ALL_PUSH, ([AGAIN], []), id="all, push"),
            pytest.param(PULL, ([], ["missing on the server; its messages here are kept"]), id="pull"),
            pytest.param(ALL, ([DELETE_HERE], []), id="all"),
            pytest.param(ALL_PULL, ([DELETE_HERE], []), id="all, pull"),
            pytest.param(replace(ALL, restore=True), ([AGAIN], []), id="all, restore"),
        ],
    )
    def test_what_becomes_of_its_messages(self, policy: Policy, expected: tuple[list[Action], list[str]]) -> None:
        assert vanished(look(WORK, pairs=[A, B], server=GONE), policy) == expected

    @pytest.mark.parametrize("policy", [ALL, ALL_PULL])
    def test_new_files_outlive_it(self, policy: Policy) -> None:
        seen = look(WORK, pairs=[A, B], files=[file("new")], server=GONE)
        assert vanished(seen, policy) == ([*REMOVED, AGAIN], [])

    def test_kept_copies_outlive_it(self) -> None:
        assert vanished(look(WORK, pairs=[A, B, KEPT_HERE], server=GONE), ALL) == ([*REMOVED, AGAIN], [])

    def test_copies_kept_on_the_server_went_with_it(self) -> None:
        assert vanished(look(WORK, pairs=[A, B, KEPT_THERE], server=GONE), ALL) == ([DELETE_HERE], [])

    def test_inbox_is_never_deleted(self) -> None:
        again = replace(AGAIN, mailbox=INBOX)
        assert vanished(look(INBOX, pairs=[A, B], server=GONE), ALL) == ([again], [])
        kept = ["missing on the server; its messages here are kept"]
        assert vanished(look(INBOX, pairs=[A, B], server=GONE), ALL_PULL) == ([], kept)


class TestGoneFromTheMaildir:
    @pytest.mark.parametrize(
        ("policy", "expected"),
        [
            pytest.param(CREATE, ([*REFETCH, ANEW], []), id="create"),
            pytest.param(PULL, ([*REFETCH, ANEW], []), id="pull"),
            pytest.param(ALL_PULL, ([*REFETCH, ANEW], []), id="all, pull"),
            pytest.param(PUSH, ([], ["missing in the Maildir; its messages on the server are kept"]), id="push"),
            pytest.param(ALL, ([DELETE_THERE], []), id="all"),
            pytest.param(ALL_PUSH, ([DELETE_THERE], []), id="all, push"),
            pytest.param(replace(ALL, restore=True), ([*REFETCH, ANEW], []), id="all, restore"),
            pytest.param(replace(ALL, on_local_delete="keep"), ([*REFETCH, ANEW], []), id="all, keep"),
            pytest.param(replace(ALL, on_local_delete="trash"), ([*REFETCH, ANEW], []), id="all, trash"),
        ],
    )
    def test_what_becomes_of_its_messages(self, policy: Policy, expected: tuple[list[Action], list[str]]) -> None:
        assert vanished(look(WORK, pairs=[A, B], local=GONE), policy) == expected

    def test_new_messages_outlive_it(self) -> None:
        seen = look(WORK, pairs=[A, B], messages=[message(9, "new")], local=GONE)
        assert vanished(seen, ALL) == ([*EXPUNGED, ANEW], [])

    def test_kept_copies_outlive_it(self) -> None:
        assert vanished(look(WORK, pairs=[A, B, KEPT_THERE], local=GONE), ALL) == ([*EXPUNGED, ANEW], [])

    def test_copies_kept_in_the_maildir_went_with_it(self) -> None:
        assert vanished(look(WORK, pairs=[A, B, KEPT_HERE], local=GONE), ALL) == ([DELETE_THERE], [])

    def test_inbox_is_never_deleted(self) -> None:
        found, _ = vanished(look(INBOX, pairs=[A, B], local=GONE), ALL)
        assert found == [*(replace(action, mailbox=INBOX) for action in REFETCH), replace(ANEW, mailbox=INBOX)]

    def test_a_read_only_mailbox_is_not_deleted(self) -> None:
        seen = look(WORK, pairs=[A, B], local=GONE, server={"writable": False})
        assert vanished(seen, ALL) == ([*REFETCH, ANEW], [])

    def test_a_mailbox_that_was_not_listed_completely_is_not_deleted(self) -> None:
        seen = look(WORK, pairs=[A, B], local=GONE, server={"unproven": frozenset({A.uid})})
        assert vanished(seen, ALL) == ([*REFETCH, ANEW], [])

    @pytest.mark.parametrize("policy", [CREATE, ALL, PUSH])
    def test_in_a_maildir_that_was_not_read_completely_nothing_is_done(self, policy: Policy) -> None:
        note = "missing in the Maildir, which could not be read completely: the next sync looks again"
        seen = look(WORK, pairs=[A, B], local=GONE)
        assert vanished(seen, policy, everything_seen=False) == ([], [note])

    def test_a_copy_kept_on_the_server_is_not_fetched_again(self) -> None:
        assert vanished(look(WORK, pairs=[A, B, KEPT_THERE], local=GONE), CREATE) == ([*REFETCH, ANEW], [])


def test_an_action_says_what_it_does_and_why() -> None:
    assert said([DELETE_HERE, DELETE_THERE, AGAIN]) == [
        "Work: delete in the Maildir with 2 messages (the mailbox was deleted on the server)",
        "Work: delete on the server with 2 messages (the mailbox was deleted in the Maildir)",
        "Work: forget the mailbox (missing on the server: to be created again from the Maildir)",
    ]
