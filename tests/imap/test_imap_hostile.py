"""A hostile server: it takes neither time nor memory without end, and nothing passes for a message that is none."""

from collections.abc import Callable

import pytest
from scripted import CAPABILITIES, Scripted, attempt, fetched

from syncer.errors import ConnectError, LoginError, ProtocolError
from syncer.imap import asking, changes, delta, kept, listing, sets, transfer, wire
from syncer.imap.dates import parse_date
from syncer.imap.delta import News
from syncer.imap.listing import FlagSets
from syncer.imap.mailbox import ImapServer
from syncer.imap.names import Namespace
from syncer.imap.responses import Status, parse
from syncer.imap.sets import parse_set
from syncer.reconcile.epoch import Cursor, Epoch
from syncer.reconcile.identity import INBOX, MailboxName

Talk = Callable[..., ImapServer]
OK = b"<tag> OK done\r\n"
MUCH = 300_000


class TestTime:
    """Where these take longer than a moment, they take hours."""

    @pytest.mark.timeout(60)
    @pytest.mark.parametrize("begin", [b"* X ", b"* 1 FETCH (X ", b"* OK [X ", b"* OK [X", b"s1 NO "])
    @pytest.mark.parametrize(
        "unit", [b" ", b'"', b'\\"', b'"\\', b"BODY[ ", b"BODY[", b"BODY.", b'" ', b"(x", b"9", b"x ", b"[", b"("]
    )
    def test_a_line_of_300_000_octets_is_no_work(self, begin: bytes, unit: bytes) -> None:
        try:
            assert parse([begin + unit * (MUCH // len(unit))])
        except ProtocolError as error:
            assert str(error)  # noqa: PT017 - both are an answer

    @pytest.mark.timeout(60)
    @pytest.mark.parametrize("separator", [b"a", b"/", None])
    def test_a_name_made_of_300_000_prefixes_is_no_work(self, separator: bytes | None) -> None:
        name = Namespace(b"a", separator).from_wire(b"a" * MUCH)
        assert name is not None


class TestMemory:
    def test_responses_that_are_kept_have_a_bound_in_octets(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kept, "MAX_OCTETS", 50_000)
        line = b'* LIST () "/" {10000}\r\n' + b"x" * 10_000 + b"\r\n"
        with Scripted({"LIST": line * 6 + OK}) as script, pytest.raises(ProtocolError, match="more than 50000 octets"):
            talk(script).mailboxes()

    def test_so_have_answers_to_status(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kept, "MAX_UNTAGGED", 100)
        replies = {"LIST": b'* LIST () "/" INBOX\r\n' + OK, "STATUS": b"* STATUS x (UIDNEXT 5)\r\n" * 200 + OK}
        with Scripted(replies) as script, pytest.raises(ProtocolError, match="a million responses"):
            talk(script).mailboxes(counters=True)

    def test_a_response_has_a_bound_in_literals(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wire, "_MAX_LITERALS", 10)
        lines = b"* LIST () {0}\r\n" + b"{0}\r\n" * 50
        with Scripted({"LIST": lines + OK}) as script, pytest.raises(ProtocolError, match="a literal of 0 octets"):
            talk(script).mailboxes()

    def test_a_mailbox_has_a_bound_in_messages(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listing, "_RENEW", 10)
        monkeypatch.setattr(listing, "MAX_MESSAGES", 50)
        monkeypatch.setattr(asking, "MAX_MESSAGES", 50)
        forms = (
            (False, b"* 1 FETCH (UID %d FLAGS ())\r\n"),
            (False, b"* 1 FETCH (uid %d FLAGS ())\r\n"),
            (True, b"* 1 FETCH (UID %d FLAGS () RFC822.SIZE 5)\r\n"),
        )
        for describe, form in forms:
            lines = b"".join(form % uid for uid in range(1, 100))
            with (
                Scripted({"UID FETCH": lines + OK}) as script,
                pytest.raises(ProtocolError, match="more than 50 messag"),
            ):
                talk(script).listing(INBOX, describe=describe)

    def test_different_flags_have_a_bound(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listing, "_MAX_OCTETS", 1000)
        lines = b"".join(b"* 1 FETCH (UID %d FLAGS (keyword%d))\r\n" % (uid, uid) for uid in range(1, 200))
        with Scripted({"UID FETCH": lines + OK}) as script, pytest.raises(ProtocolError, match="more different flags"):
            talk(script).listing(INBOX)

    def test_a_set_has_a_bound_in_ranges(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sets, "MAX_RANGES", 10)
        assert len(parse_set(b"1" + b",1" * 9)) == 10
        with pytest.raises(ProtocolError, match="more than 10 ranges"):
            parse_set(b"1" + b",1" * 10)

    def test_nothing_is_kept_of_vanished_uids_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(delta, "MAX_RANGES", 10)
        news = News(None, FlagSets(None), Cursor(Epoch(7), 5))  # type: ignore[arg-type]
        assert all(news.line(b"* VANISHED (EARLIER) %d\r\n" % (2 * uid)) for uid in range(1, 30))
        assert (news.odd, news.vanished) == (True, ())

    @pytest.mark.parametrize("capability", [b" ESEARCH", b""])
    @pytest.mark.parametrize(
        "lines", [b"* SEARCH 1\r\n* SEARCH 3\r\n", b"* SEARCH 1 3\r\n", b"* ESEARCH UID ALL 1,3\r\n"]
    )
    def test_uids_that_are_found_without_end_prove_nothing(
        self, talk: Talk, monkeypatch: pytest.MonkeyPatch, capability: bytes, lines: bytes
    ) -> None:
        monkeypatch.setattr(changes, "_MAX_SEARCH", 5)
        with Scripted({"UID SEARCH": lines * 20 + OK}, capabilities=CAPABILITIES + capability) as script:
            server = talk(script)
            assert server.present(INBOX) is None
            script.replies["UID SEARCH"] = b"* SEARCH 1 3 9\r\n" + OK
            assert server.present(INBOX) == ((1, 1), (3, 3), (9, 9))

    def test_only_what_we_enable_is_remembered_of_what_is_enabled(self, talk: Talk) -> None:
        with Scripted({"NOOP": b"* ENABLED X1 X2 CONDSTORE\r\n" * 3 + OK}) as script:
            server = talk(script)
            server.present(INBOX)
            assert server._session._enabled == {"CONDSTORE"}

    def test_a_date_of_300_000_octets_is_none(self) -> None:
        assert parse_date(b"17-Jul-1996" + b"0" * MUCH + b" 02:44:25 -0700") is None


class TestMessages:
    @pytest.mark.parametrize("body", [b"{3}", b"hello", b"~{3}", b"(hello)", b"NIL"])
    def test_an_atom_is_no_message(self, talk: Talk, body: bytes) -> None:
        response = b'* 1 FETCH (UID 4 FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[] %b)\r\n' % body
        with Scripted({"UID FETCH": response + OK}) as script:
            assert [each.uid for each in talk(script).fetch(INBOX, [4])] == []

    @pytest.mark.parametrize("octets", [b"a\r\nb\r\n", b"b\r\n\r\n", b"x" * 70_000 + b"\r\n"])
    def test_one_that_is_announced_without_its_last_line_end_costs_the_connection(
        self, talk: Talk, octets: bytes
    ) -> None:
        described = b"* 1 FETCH (UID 4 FLAGS () RFC822.SIZE %d)\r\n" % len(octets)
        said = fetched(4, octets).replace(b"{%d}" % len(octets), b"{%d}" % (len(octets) - 2))
        with Scripted({"UID FETCH": [described + OK, said + OK]}) as script:
            server = talk(script)
            server.describe(INBOX, [4])
            with pytest.raises(ProtocolError, match="another length"):
                [b"".join(each.body) for each in server.fetch(INBOX, [4])]

    def test_so_does_a_header(self, talk: Talk) -> None:
        said = b"* 1 FETCH (UID 4 BODY[HEADER] {6}\r\nA: b\r\n\r\n)\r\n"
        with Scripted({"UID FETCH": said + OK}) as script, pytest.raises(ProtocolError, match="another length"):
            talk(script).headers(INBOX, [4])

    @pytest.mark.parametrize("octets", [b"abc\r\n", b"x" * 70_000 + b"\n"])
    def test_an_empty_line_after_a_whole_one_is_passed_over(self, talk: Talk, octets: bytes) -> None:
        said = fetched(4, octets).removesuffix(b")\r\n") + b"\r\n)\r\n"
        with Scripted({"UID FETCH": said + OK}) as script:
            assert [b"".join(each.body) for each in talk(script).fetch(INBOX, [4])] == [octets]

    @pytest.mark.parametrize(
        "unasked",
        [fetched(9, b"hello"), fetched(9, b""), b"* 1 FETCH (BODY[] {5}\r\nhello)\r\n", fetched(9, b"x" * 90_000)],
    )
    @pytest.mark.parametrize("least", [0, 1])
    def test_those_that_nobody_asked_for_do_not_go_on_for_ever(
        self, talk: Talk, monkeypatch: pytest.MonkeyPatch, unasked: bytes, least: int
    ) -> None:
        monkeypatch.setattr(transfer, "_LAST_WORD", 5_000)
        with Scripted({"UID FETCH": fetched(4, b"abc") + unasked * 200 + OK}) as script:
            server = talk(script)
            messages = server.fetch(INBOX, [4, 5])
            assert next(messages).uid == 4
            if least:  # whoever has had enough is told by the next call
                messages.close()  # type: ignore[attr-defined]
            with pytest.raises(ProtocolError if not least else Exception, match="closed"):
                list(messages) if not least else server.listing(INBOX)


class TestLogIn:
    """By question and answer, which imaplib speaks for us."""

    CAPABILITIES = b"IMAP4rev1 AUTH=PLAIN LOGINDISABLED"

    @pytest.mark.parametrize("question", [b"+ OK\r\n", b"+ a\r\n", b"+ \xff\r\n", b"* LIST {x}\r\n+ {5}\r\n"])
    def test_what_imaplib_does_not_expect_is_a_broken_connection(self, question: bytes) -> None:
        script = Scripted({"AUTHENTICATE": question, "": None}, capabilities=self.CAPABILITIES)
        with script, pytest.raises(ConnectError, match="while logging in"):
            attempt(script)

    def test_no_control_character_of_a_refusal_reaches_a_terminal(self) -> None:
        tags: list[bytes] = []
        replies = {
            "AUTHENTICATE": lambda line: tags.append(line.split()[0]) or b"+ \r\n",
            "": lambda _: b"%b NO \x1b[2J no\x00\x07\r\n" % tags[-1],
        }
        script = Scripted(replies, capabilities=self.CAPABILITIES)  # type: ignore[arg-type]
        with script, pytest.raises(LoginError) as caught:
            attempt(script)
        assert str(caught.value).isprintable()
        assert "\\x1b[2J no" in str(caught.value)


class TestWords:
    @pytest.mark.parametrize("octet", [b"\0", b"\r", b"\n"])
    def test_a_namespace_that_cannot_be_sent_is_none(self, talk: Talk, octet: bytes) -> None:
        prefix, name = b"a" + octet + b"/", b"Work/a" + octet + b"b"
        replies = {
            "LIST": b'* LIST () "/" INBOX\r\n* LIST () "/" Work\r\n' + OK,
            "NAMESPACE": b'* NAMESPACE (({%d}\r\n%b "/")("" {1}\r\n%b)) NIL NIL\r\n' % (len(prefix), prefix, octet)
            + OK,
            "STATUS": b"* STATUS Work (UIDVALIDITY 3)\r\n" + OK,
            "LSUB": b'* LSUB () "/" Work\r\n* LSUB () "/" {%d}\r\n%b\r\n' % (len(name), name) + OK,
        }
        with Scripted(replies) as script:
            server = talk(script)
            assert [each.name for each in server.mailboxes()] == [INBOX, "Work"]
            server.rename(MailboxName("Work"), MailboxName("Play"))
            assert script.commands("LSUB") == [b'LSUB "" "Work"']
            assert script.commands("SUBSCRIBE") == [b'SUBSCRIBE "Play"']
            script.replies["NAMESPACE"] = b"* NAMESPACE NIL NIL NIL\r\n" + OK
            script.replies["LIST"] = [b'* LIST () "/" ""\r\n' + OK, *[replies["LIST"]]]
            again = talk(script)
            again.rename(MailboxName("Work"), MailboxName("Play"))
            assert script.commands("LSUB")[1:] == [b'LSUB "" "Work"', b'LSUB "" "Work/*"']
            assert script.commands("SUBSCRIBE") == [b'SUBSCRIBE "Play"'] * 2

    @pytest.mark.parametrize("asked", [b"", b" NAMESPACE"])
    def test_a_namespace_that_nobody_asked_for_is_none(self, talk: Talk, asked: bytes) -> None:
        said = b'* NAMESPACE (("../" "/")) NIL NIL\r\n'
        replies = {"LIST": said + b'* LIST () "/" INBOX\r\n* LIST () "/" Work\r\n' + OK, "NOOP": said + OK}
        with Scripted(replies, capabilities=b"IMAP4rev1 UIDPLUS" + asked) as script:
            server = talk(script)
            server.noop()
            assert [each.name for each in server.mailboxes()] == [INBOX, "Work"]
            server.create(MailboxName("Play"))
            assert script.commands("CREATE") == [b'CREATE "Play"']

    def test_an_appendlimit_of_5000_digits_is_none(self, talk: Talk) -> None:
        with Scripted(capabilities=CAPABILITIES + b" APPENDLIMIT=" + b"9" * 5000) as script:
            assert talk(script)._session.append_limit() is None

    @pytest.mark.parametrize("code", [b"7 x y", b"7 0 0", b"7 1:9999999999 1", b"7 (1) 2", b""])
    def test_a_copyuid_that_names_nothing_costs_nothing(self, talk: Talk, code: bytes) -> None:
        with Scripted({"UID MOVE": b"<tag> OK [COPYUID %b] done\r\n" % code}) as script:
            server = talk(script)
            assert server.move(INBOX, [1], MailboxName("Work")) == {}
            assert server.listing(INBOX).epoch.uidvalidity == 7

    def test_quotes_in_a_code_may_be_long_or_not_match(self) -> None:
        for quoted in (b'"' + b"x" * 300 + b'"', b'"x', b'"\\"'):
            status = parse([b"* NO [X %b] words" % quoted])
            assert isinstance(status, Status)
            assert (status.code is not None and status.code.name, status.text) == ("X", "words")
