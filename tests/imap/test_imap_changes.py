"""Storing, expunging and moving on servers that do what servers do."""

from collections.abc import Callable

import pytest
from scripted import CAPABILITIES, SELECT, Scripted

from syncer.errors import (
    MailboxError,
    MessageError,
    NoSuchMailboxError,
    ServerRefusedError,
)
from syncer.imap.mailbox import ImapServer
from syncer.reconcile.identity import INBOX, MailboxName

Talk = Callable[..., ImapServer]
OK = b"<tag> OK done\r\n"
WORK = MailboxName("Work")
BARE = b"IMAP4rev1"
MANY = range(1, 8001, 2)
"""A set that needs several commands."""


class TestExpunge:
    def test_marks_and_expunges_exactly_what_was_named(self, talk: Talk) -> None:
        with Scripted() as script:
            assert talk(script).expunge(INBOX, {5, 6, 9}) is True
            assert [line.partition(b" ")[2] for line in script.lines[-3:]] == [
                b"UID STORE 5:6,9 +FLAGS.SILENT (\\Deleted)",
                b"UID EXPUNGE 5:6,9",
                b"UID FETCH 5:6,9 (UID FLAGS INTERNALDATE RFC822.SIZE)",
            ]

    @pytest.mark.parametrize(
        ("capabilities", "flags", "undone"),
        [
            (CAPABILITIES, b"", "expunge 2 of 3"),
            (CAPABILITIES, b"\\Deleted", "expunge 2 of 3"),
            (BARE, b"\\Seen", "mark 2 of 3"),
        ],
    )
    def test_what_is_still_there_was_not_deleted_whatever_the_server_said(
        self, talk: Talk, capabilities: bytes, flags: bytes, undone: str
    ) -> None:
        there = b'* %d FETCH (UID %d FLAGS (%s) INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 9)\r\n'
        left = there % (1, 5, flags) + there % (2, 9, flags)
        said = pytest.raises(ServerRefusedError, match=f"did not {undone} messages")
        with Scripted({"UID FETCH": left + OK}, capabilities=capabilities) as script, said:
            talk(script).expunge(INBOX, {5, 6, 9})

    def test_what_is_still_there_and_marked_is_all_that_is_wanted_without_uidplus(self, talk: Talk) -> None:
        marked = b'* 1 FETCH (UID 5 FLAGS (\\DELETED) INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 9)\r\n'
        with Scripted({"UID FETCH": marked + OK}, capabilities=BARE) as script:
            assert talk(script).expunge(INBOX, {5}) is False

    def test_only_marks_without_uidplus(self, talk: Talk) -> None:
        with Scripted(capabilities=BARE) as script:
            assert talk(script).expunge(INBOX, {5}) is False
            assert talk(script).expunge(INBOX, ()) is False
            assert not any(b"EXPUNGE" in line or b"CLOSE" in line for line in script.lines)

    def test_expunges_nothing_where_marking_is_refused(self, talk: Talk) -> None:
        with Scripted({"UID STORE": b"<tag> NO no\r\n"}) as script:
            server = talk(script)
            with pytest.raises(ServerRefusedError):
                server.expunge(INBOX, {5})
            assert script.commands("UID EXPUNGE") == []

    def test_a_refusal_is_told(self, talk: Talk) -> None:
        with Scripted({"UID EXPUNGE": b"<tag> NO no\r\n"}) as script, pytest.raises(ServerRefusedError):
            talk(script).expunge(INBOX, {5})


class TestMove:
    @pytest.mark.parametrize(
        "reply", [b"* OK [COPYUID 9 1,3 4:5] moved\r\n* 1 EXPUNGE\r\n" + OK, b"<tag> OK [COPYUID 9 3,1 5,4] done\r\n"]
    )
    def test_new_uids_are_taken_from_copyuid_wherever_it_is(self, talk: Talk, reply: bytes) -> None:
        with Scripted({"UID MOVE": reply}) as script:
            assert talk(script).move(INBOX, {1, 2, 3}, WORK) == {1: 4, 3: 5}
            assert script.commands("UID MOVE") == [b'UID MOVE 1:3 "Work"']

    def test_what_was_named_before_a_no_was_moved(self, talk: Talk) -> None:
        with Scripted({"UID MOVE": b"* OK [COPYUID 9 1 4] moved\r\n<tag> NO full\r\n"}) as script:
            assert talk(script).move(INBOX, {1, 2}, WORK) == {1: 4}

    def test_a_server_that_fails_half_way_is_not_asked_further(self, talk: Talk) -> None:
        with Scripted({"UID MOVE": [b"<tag> OK [COPYUID 9 1 4] x\r\n", b"<tag> NO full\r\n"]}) as script:
            assert talk(script).move(INBOX, MANY, WORK) == {1: 4}
            assert len(script.commands("UID MOVE")) == 2

    @pytest.mark.parametrize("capabilities", [BARE + b" UIDPLUS", CAPABILITIES])
    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (b"NO full", ServerRefusedError),
            (b"BAD what", ServerRefusedError),
            (b"NO [TRYCREATE] no", NoSuchMailboxError),
        ],
    )
    def test_a_refusal_touches_nothing(
        self, talk: Talk, capabilities: bytes, reply: bytes, error: type[MessageError | MailboxError]
    ) -> None:
        words = b"<tag> " + reply + b"\r\n"
        with Scripted({"UID MOVE": words, "UID COPY": words}, capabilities=capabilities) as script:
            server = talk(script)
            with pytest.raises(error):
                server.move(INBOX, {1}, WORK)
            assert script.commands("UID STORE") == script.commands("UID EXPUNGE") == []

    def test_copy_store_and_uid_expunge_stand_in_for_move(self, talk: Talk) -> None:
        replies = {"UID COPY": b"<tag> OK [COPYUID 9 1,3 4:5] copied\r\n"}
        with Scripted(replies, capabilities=BARE + b" UIDPLUS") as script:
            assert talk(script).move(INBOX, {1, 2, 3}, WORK) == {1: 4, 3: 5}
            assert [line.partition(b" ")[2] for line in script.lines[-4:-1]] == [
                b'UID COPY 1:3 "Work"',
                b"UID STORE 1,3 +FLAGS.SILENT (\\Deleted)",
                b"UID EXPUNGE 1,3",
            ]

    def test_the_mailbox_is_selected_afresh_before_a_copy(self, talk: Talk) -> None:
        with Scripted(capabilities=BARE + b" UIDPLUS") as script:
            server = talk(script)
            server.listing(INBOX)
            server.move(INBOX, {1}, WORK)
            assert len(script.commands("SELECT")) >= 2

    def test_without_uidplus_the_source_stays_and_is_marked(self, talk: Talk) -> None:
        with Scripted(capabilities=BARE) as script:
            assert talk(script).move(INBOX, {1}, WORK) == {}
            assert script.commands("UID STORE") == [b"UID STORE 1 +FLAGS.SILENT (\\Deleted)"]
            assert script.commands("EXPUNGE") == script.commands("UID EXPUNGE") == []

    @pytest.mark.parametrize("capabilities", [BARE + b" UIDPLUS", CAPABILITIES])
    def test_nothing_is_moved_out_of_a_mailbox_that_is_read_only(self, talk: Talk, capabilities: bytes) -> None:
        reply = SELECT.replace(b"READ-WRITE", b"READ-ONLY")
        with Scripted({"SELECT": reply}, capabilities=capabilities) as script:
            server = talk(script)
            assert not server.listing(INBOX).writable
            with pytest.raises(ServerRefusedError):
                server.move(INBOX, {1}, WORK)
            assert script.commands("UID COPY") == script.commands("UID MOVE") == []

    def test_new_uids_of_another_uidvalidity_are_not_believed(self, talk: Talk) -> None:
        with Scripted({"UID MOVE": b"* OK [COPYUID 9 1 4] moved\r\n" + OK}) as script:
            server = talk(script)
            server.listing(WORK)
            assert server.move(INBOX, {1}, WORK) == {}
