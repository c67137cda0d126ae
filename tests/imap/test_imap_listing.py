"""Listing and describing, from servers that do what servers do."""

from collections.abc import Callable

import pytest
from scripted import CAPABILITIES, NOW, SELECT, Scripted

from syncer.errors import MailboxError, NoSuchMailboxError, ProtocolError
from syncer.imap.mailbox import ImapServer
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.reconcile.observations import ServerMessage

Talk = Callable[..., ImapServer]
Octets = dict[int, bytes]
OK = b"<tag> OK done\r\n"
DATE = 837596665


def listed(*lines: bytes, reply: bytes = OK) -> bytes:
    return b"".join(line + b"\r\n" for line in lines) + reply


THREE = (b"* 1 FETCH (UID 1 FLAGS (\\Seen))", b"* 2 FETCH (FLAGS (work) UID 2)", b"* 3 FETCH (UID 9 FLAGS ())")
FLAGS = {1: frozenset({"\\Seen"}), 2: frozenset({"work"}), 9: frozenset()}


class TestListing:
    def test_is_complete_with_as_many_uids_as_messages(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": listed(*THREE)}) as script:
            found = talk(script).listing(INBOX)
            assert (found.epoch, dict(found.flags), found.complete) == (Epoch(7, 10, 5), FLAGS, True)
            assert script.commands("SELECT") == [b'SELECT "INBOX" (CONDSTORE)']

    @pytest.mark.parametrize(
        "extra",
        [
            b"* 2 FETCH (FLAGS (\\Deleted))",
            b"* 7 FETCH (FLAGS (\\Deleted) MODSEQ (9))",
            b"* OK [ALERT] your disk is full",
            b"* NO something is slow",
            b"* 0 RECENT",
            b"* FLAGS (\\Seen new)",
            b'* LIST () "/" x',
            b"* SEARCH 1 2 3",
            b"* CAPABILITY IMAP4rev1",
            b"* 3 EXISTS",
            b"* X-UNHEARD-OF (of (this))",
            b"* VANISHED (EARLIER) 5:6",
        ],
    )
    @pytest.mark.parametrize("place", [0, 1, 3])
    def test_unsolicited_data_anywhere_changes_nothing(self, talk: Talk, extra: bytes, place: int) -> None:
        with Scripted({"UID FETCH": listed(*THREE[:place], extra, *THREE[place:])}) as script:
            found = talk(script).listing(INBOX)
            assert (dict(found.flags), found.complete) == (FLAGS, True)

    @pytest.mark.parametrize(
        "lines",
        [
            THREE[:2],
            (*THREE, b"* 4 EXISTS"),
            (*THREE[:2], THREE[0]),
            (*THREE, b"* 4 FETCH (UID 10 FLAGS ())"),
            (*THREE[:2], b"* 3 EXPUNGE"),
            (*THREE, b"* 1 EXPUNGE", b"* 3 EXISTS"),
            (*THREE, b"* VANISHED 9"),
        ],
    )
    def test_is_not_complete_otherwise_and_asked_for_twice(self, talk: Talk, lines: tuple[bytes, ...]) -> None:
        with Scripted({"UID FETCH": listed(*lines)}) as script:
            assert not talk(script).listing(INBOX).complete
            assert len(script.commands("UID FETCH")) == 2

    def test_an_expunge_meanwhile_is_followed_by_a_second_look(self, talk: Talk) -> None:
        answers = [listed(*THREE, b"* 2 EXPUNGE"), listed(THREE[0], THREE[2])]
        selects = [SELECT, SELECT.replace(b"3 EXISTS", b"2 EXISTS")]
        with Scripted({"UID FETCH": answers, "SELECT": selects}) as script:
            found = talk(script).listing(INBOX)
            assert (sorted(found.flags), found.complete) == ([1, 9], True)

    def test_is_not_complete_when_the_server_says_no_half_way(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": listed(*THREE, reply=b"<tag> NO out of memory\r\n")}) as script:
            found = talk(script).listing(INBOX)
            assert (dict(found.flags), found.complete) == (FLAGS, False)

    def test_raises_when_the_server_says_no_to_everything(self, talk: Talk) -> None:
        script = Scripted({"UID FETCH": b"<tag> NO [SERVERBUG] oops\r\n"})
        with script, pytest.raises(MailboxError, match="oops"):
            talk(script).listing(INBOX)

    @pytest.mark.parametrize("reply", [b"<tag> OK none\r\n", b"<tag> NO none\r\n", b"<tag> BAD no messages\r\n"])
    def test_an_empty_mailbox_is_empty_whatever_the_server_says_to_the_question(self, talk: Talk, reply: bytes) -> None:
        with Scripted({"SELECT": SELECT.replace(b"3 EXISTS", b"0 EXISTS"), "UID FETCH": reply}) as script:
            found = talk(script).listing(INBOX)
            assert (dict(found.flags), found.complete, found.messages) == ({}, True, 0)

    def test_proves_nothing_where_exists_was_not_told(self, talk: Talk) -> None:
        script = Scripted({"SELECT": SELECT.replace(b"* 3 EXISTS\r\n", b""), "UID FETCH": OK})
        with script:
            assert not talk(script).listing(INBOX).complete

    @pytest.mark.parametrize("line", [b"* OK [UIDVALIDITY 0] x\r\n", b""])
    def test_refuses_a_mailbox_without_uidvalidity(self, talk: Talk, line: bytes) -> None:
        script = Scripted({"SELECT": SELECT.replace(b"* OK [UIDVALIDITY 7] ok\r\n", line)})
        with script, pytest.raises(MailboxError, match="UIDVALIDITY"):
            talk(script).listing(INBOX)

    def test_stops_when_the_uidvalidity_changes_meanwhile(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": listed(*THREE, b"* OK [UIDVALIDITY 8] new")}) as script:
            server = talk(script)
            with pytest.raises(MailboxError, match="replaced"):
                server.listing(INBOX)

    @pytest.mark.parametrize("uid", [b"0", b"4294967296"])
    def test_a_uid_that_is_none_ends_the_connection(self, talk: Talk, uid: bytes) -> None:
        script = Scripted({"UID FETCH": listed(b"* 1 FETCH (UID %s FLAGS ())" % uid)})
        with script, pytest.raises(ProtocolError, match="UID"):
            talk(script).listing(INBOX)

    def test_keywords_as_odd_as_they_come(self, talk: Talk) -> None:
        odd = b'* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent $Forwarded UID "quoted" x{1} NIL))'
        with Scripted({"UID FETCH": listed(odd)}) as script:
            found = talk(script).listing(INBOX)
            assert dict(found.flags) == {1: frozenset({"\\Seen", "$Forwarded", "UID", "quoted"})}

    def test_hopeless_parentheses_end_the_connection(self, talk: Talk) -> None:
        script = Scripted({"UID FETCH": b"* X " + b"(" * 5000 + b")" * 5000 + b"\r\n" + OK})
        with script, pytest.raises(ProtocolError, match="deep"):
            talk(script).listing(INBOX)

    def test_a_line_without_end_ends_the_connection(self, talk: Talk) -> None:
        script = Scripted({"UID FETCH": b"* OK " + b"x" * (9 * 1024 * 1024)})
        with script, pytest.raises(ProtocolError, match="line"):
            talk(script).listing(INBOX)

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (b"<tag> NO [NONEXISTENT] no\r\n", NoSuchMailboxError),
            (b"<tag> NO no such thing\r\n", NoSuchMailboxError),
            (b"<tag> NO [NOPERM] no\r\n", MailboxError),
            (b"<tag> BAD what\r\n", MailboxError),
        ],
    )
    def test_a_refused_select_is_told_apart(self, talk: Talk, reply: bytes, error: type[MailboxError]) -> None:
        with Scripted({"SELECT": reply}) as script, pytest.raises(MailboxError) as caught:
            talk(script).listing(MailboxName("Work"))
        assert type(caught.value) is error

    def test_a_refusal_without_a_code_proves_nothing_while_list_shows_the_mailbox(self, talk: Talk) -> None:
        script = Scripted({"SELECT": b"<tag> NO busy\r\n", "LIST": b'* LIST () "/" Work\r\n' + OK})
        with script, pytest.raises(MailboxError) as caught:
            talk(script).listing(MailboxName("Work"))
        assert type(caught.value) is MailboxError

    def test_modseqs_are_only_asked_for_where_they_are_offered(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": listed(*THREE)}, capabilities=b"IMAP4rev1") as script:
            assert talk(script).listing(INBOX).epoch.highestmodseq is None
            assert b"CONDSTORE" not in script.commands("SELECT")[0]


class TestDescribe:
    def test_takes_every_order_and_a_date_that_is_none(self, talk: Talk) -> None:
        lines = listed(
            b'* 1 FETCH (RFC822.SIZE 9 UID 2 FLAGS (a) INTERNALDATE "17-Jul-1996 02:44:25 -0700" EMAILID (M1))',
            b"* 2 FETCH (UID 1 FLAGS () RFC822.SIZE 4 INTERNALDATE NIL)",
            b'* 3 FETCH (UID 3 FLAGS () RFC822.SIZE 4 INTERNALDATE "nonsense")',
            b"* 4 FETCH (UID 4 FLAGS ())",
            b"* 5 FETCH (UID 99 FLAGS () RFC822.SIZE 4)",
            b"* 1 FETCH (FLAGS (x) RFC822.SIZE 1)",
        )
        with Scripted({"UID FETCH": lines}, capabilities=CAPABILITIES + b" OBJECTID") as script:
            assert talk(script).describe(INBOX, {1, 2, 3, 4}) == (
                ServerMessage(1, frozenset(), 4, NOW),
                ServerMessage(2, frozenset({"a"}), 9, DATE, "M1"),
                ServerMessage(3, frozenset(), 4, NOW),
            )
            assert b"EMAILID" in script.commands("UID FETCH")[0]

    def test_star_is_never_sent_so_nothing_unasked_is_described(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": OK}) as script:
            talk(script).describe(INBOX, {5, 6, 7, 9})
            assert script.commands("UID FETCH")[0].startswith(b"UID FETCH 5:7,9 (")

    def test_long_sets_are_split(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": OK}) as script:
            talk(script).describe(INBOX, range(1, 10_000, 2))
            assert len(script.commands("UID FETCH")) > 1
            assert max(map(len, script.lines)) < 8192

    def test_exchange_gets_short_lines(self, talk: Talk) -> None:
        greeting = b"* OK The Microsoft Exchange IMAP4 service is ready.\r\n"
        with Scripted({"UID FETCH": OK}, greeting=greeting) as script:
            talk(script).describe(INBOX, range(1, 2_000, 2))
            assert max(map(len, script.lines)) < 1100
