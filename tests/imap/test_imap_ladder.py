"""Asking for what changed, of servers that lie, leave things out or come down a rung."""

from collections.abc import Callable

import pytest
from scripted import Scripted

from syncer.errors import ConnectionLostError, MailboxError, NoSuchMailboxError
from syncer.imap.mailbox import ImapServer
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.flags import SEEN, FlagDelta
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.reconcile.observations import ServerDelta
from syncer.values import replace

Talk = Callable[..., ImapServer]
OK = b"<tag> OK done\r\n"
WORK = MailboxName("Work")
BASE = b"IMAP4rev1 LITERAL+ UIDPLUS MOVE NAMESPACE UNSELECT ENABLE"
QRESYNC, CONDSTORE = BASE + b" CONDSTORE QRESYNC ESEARCH", BASE + b" CONDSTORE"
ENABLED = b"* ENABLED CONDSTORE QRESYNC\r\n" + OK
SINCE = Cursor(Epoch(7, 11, 20), 10)


def select(*lines: bytes, exists: int = 10, uidnext: int = 11, modseq: bytes = b"HIGHESTMODSEQ 30") -> bytes:
    said = (
        b"* FLAGS (\\Seen \\Deleted)\r\n* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT %d] ok\r\n"
        b"* OK [%s]\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] ok\r\n"
    ) % (exists, uidnext, modseq)
    return said + b"".join(line + b"\r\n" for line in lines) + b"<tag> OK [READ-WRITE] done\r\n"


def qresync(answer: bytes | list[bytes], **more: object) -> Scripted:
    replies = {"ENABLE": ENABLED, "SELECT": answer, **more}
    return Scripted(replies, capabilities=QRESYNC)  # type: ignore[arg-type]


class TestQresync:
    def test_one_command_tells_everything(self, talk: Talk) -> None:
        lines = (b"* VANISHED (EARLIER) 5,7", b"* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (27))")
        with qresync(select(*lines, b"* 9 FETCH (UID 11 FLAGS () MODSEQ (29))", exists=9, uidnext=12)) as script:
            server = talk(script)
            assert server.changes(WORK, SINCE) == ServerDelta(
                Cursor(Epoch(7, 12, 30), 9),
                {1: frozenset({"\\Seen"}), 11: frozenset()},
                ((5, 5), (7, 7)),
                storable=frozenset({"\\Seen"}),
            )
            server.describe(WORK, {11})
            server.store(WORK, [({11}, FlagDelta(frozenset({SEEN})))])
            assert script.commands("SELECT") == [b'SELECT "Work" (QRESYNC (7 20))']
            assert script.commands("ENABLE") == [b"ENABLE CONDSTORE QRESYNC"]

    def test_what_is_said_of_the_mailbox_before_is_not_of_this_one(self, talk: Talk) -> None:
        before = b"* VANISHED 3\r\n* 4 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (9))\r\n* OK [CLOSED] bye\r\n"
        with qresync(before + select()) as script:
            found = talk(script).changes(WORK, SINCE)
            assert found is not None
            assert (dict(found.flags), found.vanished) == ({}, ())

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(select(modseq=b"HIGHESTMODSEQ 19"), id="modseq went back"),
            pytest.param(select(modseq=b"HIGHESTMODSEQ 0"), id="modseq 0"),
            pytest.param(select(modseq=b"HIGHESTMODSEQ 9223372036854775808"), id="modseq beyond 63 bits"),
            pytest.param(select(modseq=b"NOMODSEQ"), id="NOMODSEQ"),
            pytest.param(select().replace(b"* OK [HIGHESTMODSEQ 30]\r\n", b""), id="no modseq"),
            pytest.param(select(uidnext=9), id="UIDNEXT went back"),
            pytest.param(select().replace(b"* 10 EXISTS\r\n", b""), id="no EXISTS"),
            pytest.param(select(exists=9), id="one is missing, and not called vanished"),
            pytest.param(select(exists=11, uidnext=12), id="one is new, and not told of"),
            pytest.param(select(b"* 3 EXPUNGE"), id="EXPUNGE during SELECT"),
            pytest.param(select(b"* VANISHED 3", exists=9), id="VANISHED that is not EARLIER"),
            pytest.param(select(b"* VANISHED (EARLIER) 3:x", exists=9), id="VANISHED of what is no UID"),
            pytest.param(select().replace(b"UIDVALIDITY 7", b"UIDVALIDITY 8"), id="another UIDVALIDITY"),
            pytest.param(b"<tag> BAD unknown parameter\r\n", id="BAD"),
            pytest.param(b"<tag> NO [NOPERM] not now\r\n", id="NO"),
        ],
    )
    def test_what_does_not_fit_gives_no_delta(self, talk: Talk, answer: bytes) -> None:
        with qresync(answer) as script:
            assert talk(script).changes(WORK, SINCE) is None

    def test_a_vanished_that_would_empty_the_mailbox_is_not_believed(self, talk: Talk) -> None:
        with qresync([select(b"* VANISHED (EARLIER) 1:4294967295", exists=exists) for exists in (10, 9)]) as script:
            server = talk(script)
            found = [server.changes(WORK, SINCE) for _ in range(2)]
            assert [each is not None and each.vanished for each in found] == [None, None]

    def test_the_uids_of_a_mailbox_made_anew_are_not_used(self, talk: Talk) -> None:
        with qresync(select().replace(b"UIDVALIDITY 7", b"UIDVALIDITY 8")) as script:
            server = talk(script)
            assert server.changes(WORK, SINCE) is None
            with pytest.raises(MailboxError, match="replaced"):
                server.store(WORK, [({1}, FlagDelta(frozenset({SEEN})))])
            assert script.commands("UID STORE") == []
            assert server.changes(WORK, SINCE) is None

    def test_a_mailbox_that_is_gone_is_told_apart(self, talk: Talk) -> None:
        with qresync(b"<tag> NO [NONEXISTENT] no\r\n") as script, pytest.raises(NoSuchMailboxError):
            talk(script).changes(WORK, SINCE)

    def test_a_connection_that_breaks_in_the_middle_is_lost(self, talk: Talk) -> None:
        script = Scripted({"SELECT": None, "ENABLE": ENABLED}, capabilities=QRESYNC)
        with script, pytest.raises(ConnectionLostError):
            talk(script).changes(WORK, SINCE)

    def test_later_expunges_are_counted(self, talk: Talk) -> None:
        noop = b"* VANISHED 2:3,9\r\n" + OK
        search = b"* ESEARCH (TAG <tag>) UID ALL 1,4:8,10\r\n" + OK
        with qresync(select(), NOOP=noop, **{"UID SEARCH": search}) as script:
            server = talk(script)
            assert server.changes(WORK, SINCE) is not None
            # The first answer may be older than the expunge; the second look is spoilt by the next.
            assert server.present(WORK) is None
            script.replies["NOOP"] = [b"* VANISHED 4\r\n* 8 EXISTS\r\n" + OK, OK]
            script.replies["UID SEARCH"] = b"* ESEARCH (TAG <tag>) UID ALL 1,5:8,10:12\r\n" + OK
            assert server.present(WORK) == ((1, 1), (5, 8), (10, 12))


class TestEnable:
    @pytest.mark.parametrize(
        "answer", [b"* ENABLED CONDSTORE\r\n" + OK, b"* ENABLED\r\n" + OK, OK, b"<tag> NO no\r\n", b"<tag> BAD no\r\n"]
    )
    def test_qresync_is_not_used_unless_the_server_says_that_it_is_enabled(self, talk: Talk, answer: bytes) -> None:
        replies = {"ENABLE": answer, "SELECT": select(b"* VANISHED (EARLIER) 1:10", exists=0)}
        with Scripted(replies, capabilities=QRESYNC) as script:
            found = talk(script).changes(WORK, SINCE)
            assert script.commands("SELECT") == [b'SELECT "Work" (CONDSTORE)']
            assert found is not None
            assert found.vanished is None

    def test_a_vanished_that_was_not_enabled_proves_nothing(self, talk: Talk) -> None:
        listed = b"".join(b"* 1 FETCH (UID %d FLAGS ())\r\n" % uid for uid in range(1, 10))
        with Scripted({"SELECT": select(), "UID FETCH": listed + b"* VANISHED 10\r\n" + OK}) as script:
            assert not talk(script).listing(WORK).complete

    def test_enabled_that_nobody_asked_for_does_not_count(self, talk: Talk) -> None:
        replies = {"NAMESPACE": b"* ENABLED QRESYNC\r\n" + OK, "SELECT": select()}
        with Scripted(replies, capabilities=CONDSTORE) as script:
            talk(script).changes(WORK, SINCE)
            assert script.commands("SELECT") == [b'SELECT "Work" (CONDSTORE)']

    def test_icloud_is_not_asked_for_qresync(self, talk: Talk) -> None:
        greeting = b"* OK [CAPABILITY XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 SASL-IR AUTH=ATOKEN AUTH=PLAIN] ready\r\n"
        with Scripted({"SELECT": select()}, capabilities=QRESYNC, greeting=greeting) as script:
            server = talk(script)
            assert "QRESYNC" not in server.capabilities
            server.changes(WORK, SINCE)
            assert script.commands("ENABLE") == [b"ENABLE CONDSTORE"]
            assert script.commands("SELECT") == [b'SELECT "Work" (CONDSTORE)']


def condstore(answer: bytes, fetched: bytes = OK) -> Scripted:
    return Scripted({"SELECT": answer, "UID FETCH": fetched}, capabilities=CONDSTORE)


class TestCondstore:
    def test_what_changed_is_asked_for_and_what_is_gone_is_not_told(self, talk: Talk) -> None:
        lines = b"* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (27))\r\n* 9 FETCH (UID 11 FLAGS () MODSEQ (29))\r\n"
        with condstore(select(exists=9, uidnext=12), lines + OK) as script:
            found = talk(script).changes(WORK, SINCE)
            assert found is not None
            assert (found.cursor, found.vanished) == (Cursor(Epoch(7, 12, 30), 9), None)
            assert dict(found.flags) == {1: frozenset({"\\Seen"}), 11: frozenset()}
            assert script.commands("UID FETCH")[0] == b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 20)"

    def test_flags_count_whatever_the_server_adds_to_them(self, talk: Talk) -> None:
        lines = b"* 2 FETCH (UID 2 FLAGS (\\Seen) RFC822.SIZE 3)\r\n"
        with condstore(select(exists=10), lines + OK) as script:
            server = talk(script)
            found = server.changes(WORK, SINCE)
            assert found is not None
            assert dict(found.flags) == {2: frozenset({"\\Seen"})}
            assert dict(server.listing(WORK).flags) == {2: frozenset({"\\Seen"})}

    def test_counters_prove_that_nothing_is_gone(self, talk: Talk) -> None:
        lines = b"* 11 FETCH (UID 11 FLAGS () MODSEQ (29))\r\n"
        with condstore(select(exists=11, uidnext=12), lines + OK) as script:
            found = talk(script).changes(WORK, SINCE)
            assert found is not None
            assert (dict(found.flags), found.vanished) == ({11: frozenset()}, ())

    @pytest.mark.parametrize(("exists", "modseq"), [(10, b"HIGHESTMODSEQ 20"), (0, b"HIGHESTMODSEQ 30")])
    @pytest.mark.parametrize("reply", [OK, b"<tag> NO none\r\n"])
    def test_a_refusal_is_no_harm_where_nothing_can_have_changed(
        self, talk: Talk, exists: int, modseq: bytes, reply: bytes
    ) -> None:
        with condstore(select(exists=exists, modseq=modseq), reply) as script:
            found = talk(script).changes(WORK, SINCE)
            assert found is not None
            assert (dict(found.flags), found.vanished) == ({}, () if exists else None)

    def test_a_modseq_that_stands_still_while_mail_comes_is_a_lie(self, talk: Talk) -> None:
        with condstore(select(exists=11, uidnext=12, modseq=b"HIGHESTMODSEQ 20")) as script:
            assert talk(script).changes(WORK, SINCE) is None

    @pytest.mark.parametrize(
        "fetched",
        [
            pytest.param(b"<tag> NO cannot\r\n", id="NO"),
            pytest.param(b"<tag> BAD modifier\r\n", id="BAD"),
            pytest.param(b"* 3 EXPUNGE\r\n" + OK, id="an expunge meanwhile"),
            pytest.param(b"* OK [UIDVALIDITY 8] new\r\n" + OK, id="replaced meanwhile"),
        ],
    )
    def test_what_does_not_fit_gives_no_delta(self, talk: Talk, fetched: bytes) -> None:
        with condstore(select(), fetched) as script:
            assert talk(script).changes(WORK, SINCE) is None

    @pytest.mark.parametrize("since", [replace(SINCE.epoch, highestmodseq=None), replace(SINCE.epoch, uidnext=None)])
    def test_a_cursor_without_counters_is_not_asked_about(self, talk: Talk, since: Epoch) -> None:
        with condstore(select()) as script:
            assert talk(script).changes(WORK, replace(SINCE, epoch=since)) is None
            assert script.commands("SELECT") == []


def test_a_plain_server_is_not_asked_even_if_it_tells_modseqs(talk: Talk) -> None:
    with Scripted({"SELECT": select()}, capabilities=BASE) as script:
        assert talk(script).changes(WORK, SINCE) is None
        assert script.commands("SELECT") == script.commands("ENABLE") == []


class TestPresent:
    @pytest.mark.parametrize(
        ("line", "found"),
        [
            pytest.param(b"* ESEARCH (TAG <tag>) UID ALL 1:10", ((1, 10),), id="one range"),
            pytest.param(
                b"* ESEARCH (TAG <tag>) UID ALL 9:1,5:7,20", ((1, 9), (20, 20)), id="reversed and overlapping"
            ),
            pytest.param(b"* ESEARCH UID ALL 1:10", ((1, 10),), id="no tag"),
            pytest.param(b"* ESEARCH (TAG <tag>) UID COUNT 10 ALL 1:10", ((1, 10),), id="more than was asked"),
            pytest.param(
                b"* ESEARCH (TAG <tag>) UID ALL 1:5\r\n* ESEARCH (TAG <tag>) UID ALL 6:10", ((1, 10),), id="two"
            ),
            pytest.param(b"* SEARCH 3 1 2 10 9 8 7 5 6 4 4", ((1, 10),), id="SEARCH after all"),
            pytest.param(b"* ESEARCH (TAG <tag>) ALL 1:10", None, id="sequence numbers"),
            pytest.param(b'* ESEARCH (TAG "x1") UID ALL 1:10', None, id="of another command"),
            pytest.param(b"* ESEARCH (TAG <tag>) UID ALL 1:9", None, id="too few"),
            pytest.param(b"* ESEARCH (TAG <tag>) UID ALL 1:4294967295", None, id="far too many"),
            pytest.param(b"* ESEARCH (TAG <tag>) UID ALL 1:*", None, id="a star"),
            pytest.param(b"* ESEARCH (TAG <tag>) UID", None, id="nothing"),
            pytest.param(b"* OK nothing said", None, id="no ESEARCH"),
            pytest.param(b"* ESEARCH", None, id="an empty one"),
            pytest.param(b"* ESEARCH (TAG <tag>) UID ALL 1:10\r\n* 11 EXISTS", None, id="one came meanwhile"),
            pytest.param(b"* ESEARCH (TAG <tag>) UID ALL 1:9\r\n* 1 EXPUNGE", None, id="one went meanwhile"),
        ],
    )
    def test_with_esearch(self, talk: Talk, line: bytes, found: tuple[tuple[int, int], ...] | None) -> None:
        with qresync(select(), **{"UID SEARCH": line + b"\r\n" + OK}) as script:
            assert talk(script).present(WORK) == found
            assert set(script.commands("UID SEARCH")) == {b"UID SEARCH RETURN (ALL) ALL"}

    @pytest.mark.parametrize(
        ("line", "found"),
        [
            pytest.param(b"* SEARCH 1 2 3 4 5 6 7 8 9 20", ((1, 9), (20, 20)), id="all"),
            pytest.param(
                b"* SEARCH 1 2 3 4 5 \r\n* SEARCH 6 7 8 9 20 (MODSEQ 9)", ((1, 9), (20, 20)), id="in two lines"
            ),
            pytest.param(b"* SEARCH 1 2 3 4 5 6 7 8 9", None, id="too few"),
            pytest.param(b"* SEARCH 1 2 3 4 5 6 7 8 9 0", None, id="a UID that is none"),
            pytest.param(b"* SEARCH 1 2 3 4 5 6 7 8 9 x", None, id="no number"),
            pytest.param(b"* SEARCH", None, id="none"),
            pytest.param(b"* OK nothing said", None, id="no SEARCH"),
        ],
    )
    def test_without_esearch(self, talk: Talk, line: bytes, found: tuple[tuple[int, int], ...] | None) -> None:
        replies = {"SELECT": select(), "UID SEARCH": line + b"\r\n" + OK}
        with Scripted(replies, capabilities=CONDSTORE) as script:
            assert talk(script).present(WORK) == found
            assert set(script.commands("UID SEARCH")) == {b"UID SEARCH ALL"}

    @pytest.mark.parametrize("exists", [b"", b"* 500001 EXISTS\r\n"])
    def test_a_line_that_nobody_could_read_is_not_asked_for(self, talk: Talk, exists: bytes) -> None:
        answer = select().replace(b"* 10 EXISTS\r\n", exists)
        with Scripted({"SELECT": answer}, capabilities=CONDSTORE) as script:
            assert talk(script).present(WORK) is None
            assert script.commands("UID SEARCH") == []

    @pytest.mark.parametrize("word", ["NOOP", "UID SEARCH"])
    def test_a_refusal_proves_nothing(self, talk: Talk, word: str) -> None:
        replies = {"UID SEARCH": b"* ESEARCH (TAG <tag>) UID ALL 1:10\r\n" + OK, "NOOP": OK}
        with qresync(select(), **{**replies, word: b"<tag> NO busy\r\n"}) as script:
            assert talk(script).present(WORK) is None

    def test_an_empty_mailbox_has_nothing_present(self, talk: Talk) -> None:
        with qresync(select(exists=0), **{"UID SEARCH": b"* ESEARCH (TAG <tag>) UID\r\n" + OK}) as script:
            assert talk(script).present(WORK) == ()

    def test_stops_when_the_mailbox_is_replaced_meanwhile(self, talk: Talk) -> None:
        with qresync(select(), NOOP=b"* OK [UIDVALIDITY 9] new\r\n" + OK) as script:
            server = talk(script)
            with pytest.raises(MailboxError, match="replaced"):
                server.present(INBOX)
