"""The state of every mailbox at once, from servers that do what servers do."""

import re
from collections.abc import Callable

import pytest
from scripted import CAPABILITIES, SELECT, Scripted

from syncer.errors import MailboxError
from syncer.imap.mailbox import ImapServer
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.identity import INBOX, MailboxName

Talk = Callable[..., ImapServer]
OK = b"<tag> OK done\r\n"
BAD = b"<tag> BAD what\r\n"
LIST_STATUS = CAPABILITIES + b" LIST-STATUS LIST-EXTENDED"
NAMES = b'* LIST () "/" INBOX\r\n* LIST () "/" a\r\n* LIST () "/" b\r\n'


def status(name: bytes, messages: int = 3, uidnext: int = 5, validity: int = 7, modseq: int = 9) -> bytes:
    return b"* STATUS %s (MESSAGES %d UIDNEXT %d UIDVALIDITY %d HIGHESTMODSEQ %d)\r\n" % (
        name,
        messages,
        uidnext,
        validity,
        modseq,
    )


def cursors(server: ImapServer) -> dict[str, Cursor | None]:
    return {each.name: each.cursor for each in server.mailboxes(counters=True)}


SOME = Cursor(Epoch(7, 5, 9), 3)


class TestListStatus:
    def test_one_command_tells_of_every_mailbox(self, talk: Talk) -> None:
        script = Scripted(
            {"LIST": NAMES + status(b"inbox") + status(b'"a"', 4) + status(b"{1}\r\nb", 5) + OK},
            capabilities=LIST_STATUS + b" SPECIAL-USE OBJECTID",
        )
        with script:
            assert cursors(talk(script)) == {
                "INBOX": SOME,
                "a": Cursor(Epoch(7, 5, 9), 4),
                "b": Cursor(Epoch(7, 5, 9), 5),
            }
            assert [line.partition(b" ")[2] for line in script.lines[1:]] == [
                b"NAMESPACE",
                b'LIST "" "*" RETURN (SPECIAL-USE STATUS (MESSAGES UIDVALIDITY UIDNEXT HIGHESTMODSEQ MAILBOXID))',
            ]

    def test_a_server_without_modseqs_is_not_asked_for_them(self, talk: Talk) -> None:
        with Scripted({"LIST": NAMES + status(b"a") + OK}, capabilities=b"IMAP4rev1 LIST-STATUS") as script:
            assert cursors(talk(script))["a"] == Cursor(Epoch(7, 5), 3)
            assert script.commands('LIST "" "*"') == [
                b'LIST "" "*" RETURN (STATUS (MESSAGES UIDVALIDITY UIDNEXT))',
            ]

    def test_the_order_of_the_answers_does_not_matter(self, talk: Talk) -> None:
        lines = status(b"b", 5) + NAMES + status(b"a", 4) + status(b"INBOX")
        with Scripted({"LIST": lines + OK}, capabilities=LIST_STATUS) as script:
            assert [each and each.messages for each in cursors(talk(script)).values()] == [3, 4, 5]

    @pytest.mark.parametrize(
        "odd",
        [
            b"",
            b"* STATUS a ()\r\n",
            b"* STATUS a\r\n",
            b"* STATUS\r\n",
            b"* STATUS a (MESSAGES 3 UIDNEXT 5)\r\n",
            b"* STATUS a (MESSAGES 3 UIDVALIDITY 7)\r\n",
            b"* STATUS a (UIDNEXT 5 UIDVALIDITY 7)\r\n",
            b"* STATUS a (MESSAGES x UIDNEXT 5 UIDVALIDITY 7)\r\n",
            b"* STATUS a (MESSAGES 99999999999 UIDNEXT 5 UIDVALIDITY 7)\r\n",
            status(b"a", validity=0),
            status(b"A"),
            status(b"other"),
            b"* NO a cannot be looked at\r\n",
        ],
    )
    def test_a_mailbox_of_which_nothing_usable_is_told_has_no_cursor(self, talk: Talk, odd: bytes) -> None:
        script = Scripted({"LIST": NAMES + odd + status(b"b") + OK}, capabilities=LIST_STATUS)
        with script:
            assert cursors(talk(script)) == {"INBOX": None, "a": None, "b": SOME}
            assert script.commands("STATUS") == []

    @pytest.mark.parametrize("modseq", [0, 2**63])
    def test_a_modseq_that_cannot_be_is_none(self, talk: Talk, modseq: int) -> None:
        with Scripted({"LIST": NAMES + status(b"a", modseq=modseq) + OK}, capabilities=LIST_STATUS) as script:
            assert cursors(talk(script))["a"] == Cursor(Epoch(7, 5), 3)

    def test_a_server_that_refuses_it_is_asked_one_by_one(self, talk: Talk) -> None:
        script = Scripted({"LIST": [BAD, NAMES + OK], "STATUS": echo}, capabilities=LIST_STATUS)
        with script:
            assert cursors(talk(script)) == {"INBOX": SOME, "a": SOME, "b": SOME}

    def test_counters_are_only_told_if_they_are_asked_for(self, talk: Talk) -> None:
        with Scripted({"LIST": NAMES + status(b"a") + OK}, capabilities=LIST_STATUS) as script:
            assert {each.cursor for each in talk(script).mailboxes()} == {None}
            assert b"STATUS" not in script.commands("LIST")[-1]


def echo(command: bytes) -> bytes:
    """Answer STATUS."""
    found = re.match(rb'(\S+) STATUS (?:"([^"]*)"|\{\d+\+?\}\r\n(.*)) \(', command, re.DOTALL)
    assert found
    name = found[2] if found[2] is not None else b"{%d}\r\n%s" % (len(found[3]), found[3])
    return status(name or b'""') + found[1] + b" OK done\r\n"


class TestStatus:
    def test_every_mailbox_is_asked_for_at_once(self, talk: Talk) -> None:
        with Scripted({"LIST": NAMES + OK, "STATUS": echo}) as script:
            assert cursors(talk(script)) == {"INBOX": SOME, "a": SOME, "b": SOME}
            assert script.commands("STATUS")[0] == b'STATUS "INBOX" (MESSAGES UIDVALIDITY UIDNEXT HIGHESTMODSEQ)'

    def test_a_refusal_costs_one_mailbox_its_cursor(self, talk: Talk) -> None:
        answers = {'STATUS "A"': b"<tag> NO [NOPERM] no\r\n", 'STATUS "B"': BAD, "STATUS": echo}
        with Scripted({"LIST": NAMES + OK, **answers}) as script:
            assert cursors(talk(script)) == {"INBOX": SOME, "a": None, "b": None}

    @pytest.mark.parametrize("extra", [b"", b" LITERAL-", b" LITERAL+"])
    def test_names_that_only_a_literal_can_say_are_asked_for_in_their_turn(self, talk: Talk, extra: bytes) -> None:
        names = b'* LIST () "/" a\r\n* LIST () "/" {2}\r\n\xe4x\r\n* LIST () "/" b\r\n* LIST () "/" {1}\r\n\xe5\r\n'
        script = Scripted({"LIST": names + OK, "STATUS": echo}, capabilities=b"IMAP4rev1 CONDSTORE NAMESPACE" + extra)
        with script:
            assert cursors(talk(script)) == {"%E4x": SOME, "%E5": SOME, "a": SOME, "b": SOME}

    def test_a_name_that_cannot_be_sent_is_passed_over(self, talk: Talk) -> None:
        names = b'* LIST () "/" {3}\r\na\r\n\r\n* LIST () "/" b\r\n'
        with Scripted({"LIST": names + OK, "STATUS": echo}) as script:
            assert cursors(talk(script)) == {"b": SOME}

    def test_a_refused_list_is_told(self, talk: Talk) -> None:
        with Scripted({"LIST": b"<tag> NO busy\r\n"}) as script, pytest.raises(MailboxError, match="busy"):
            talk(script).mailboxes(counters=True)


class TestSelectedMailbox:
    def test_is_left_first_because_status_is_not_for_it(self, talk: Talk) -> None:
        script = Scripted({"LIST": NAMES + status(b"a") + OK, "SELECT": SELECT}, capabilities=LIST_STATUS)
        with script:
            server = talk(script)
            server.describe(MailboxName("a"), {1})
            assert cursors(server)["a"] == SOME
            assert script.commands("UNSELECT") == [b"UNSELECT"]
            server.describe(MailboxName("a"), {1})
            assert len(script.commands("SELECT")) == 2

    def test_has_no_cursor_where_it_cannot_be_left(self, talk: Talk) -> None:
        replies = {"LIST": NAMES + status(b"a") + status(b"b") + OK, "SELECT": SELECT}
        with Scripted(replies, capabilities=b"IMAP4rev1 NAMESPACE CONDSTORE LIST-STATUS") as script:
            server = talk(script)
            server.describe(MailboxName("a"), {1})
            assert cursors(server) == {"INBOX": None, "a": None, "b": SOME}
            server.describe(INBOX, ())
            assert [each.cursor for each in server.mailboxes()] == [None] * 3
