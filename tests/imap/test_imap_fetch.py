"""Fetching bodies from servers that do what servers do."""

import hashlib
import re
from collections.abc import Callable, Iterable

import pytest
from scripted import NOW, SELECT, Scripted, fetched

from syncer.errors import ConnectionLostError, MailboxError, ProtocolError
from syncer.imap.mailbox import ImapServer
from syncer.imap.sets import parse_set
from syncer.ports import Fetched
from syncer.reconcile.identity import INBOX, MailboxName

Talk = Callable[..., ImapServer]
Octets = dict[int, bytes]
OK = b"<tag> OK done\r\n"
DATE = 837596665


def bodies(messages: Iterable[Fetched]) -> Octets:
    return {each.uid: b"".join(each.body) for each in messages}


def listed(*lines: bytes, reply: bytes = OK) -> bytes:
    return b"".join(line + b"\r\n" for line in lines) + reply


def asked(command: bytes) -> list[int]:
    match = re.search(rb"UID FETCH ([\d:,]+) ", command)
    assert match is not None
    return [uid for low, high in parse_set(match[1]) for uid in range(low, high + 1)]


THREE = (b"* 1 FETCH (UID 1 FLAGS (\\Seen))", b"* 2 FETCH (FLAGS (work) UID 2)", b"* 3 FETCH (UID 9 FLAGS ())")
FLAGS = {1: frozenset({"\\Seen"}), 2: frozenset({"work"}), 9: frozenset()}


class TestFetch:
    def test_flags_date_and_size_come_with_the_octets(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": fetched(4, b"abc\r\n", b"\\Seen work \\Recent") + OK}) as script:
            (found,) = [
                (each.uid, each.flags, each.internaldate, each.size, b"".join(each.body))
                for each in talk(script).fetch(INBOX, [4])
            ]
            assert found == (4, frozenset({"\\Seen", "work"}), DATE, 5, b"abc\r\n")

    @pytest.mark.parametrize(
        "response",
        [
            b'* 1 FETCH (FLAGS (a) UID 4 INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[] {3}\r\nabc)\r\n',
            b'* 1 FETCH (UID 4 INTERNALDATE "17-Jul-1996 02:44:25 -0700" FLAGS (a) BODY[] {3}\r\nabc)\r\n',
            b'* 1 FETCH (BODY[] {3}\r\nabc UID 4 INTERNALDATE "17-Jul-1996 02:44:25 -0700" FLAGS (a))\r\n',
            b'* 1 FETCH (UID 4 BODY[] {3}\r\nabc FLAGS (a) INTERNALDATE "17-Jul-1996 02:44:25 -0700")\r\n',
            b'* 1 fetch (uid 4 flags (a) internaldate "17-Jul-1996 02:44:25 -0700" body[] {3}\r\nabc)\r\n',
            b'* 1 FETCH (UID 4 FLAGS (a) INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[] ~{3}\r\nabc)\r\n',
            b'* 1 FETCH (UID 4 FLAGS (a) INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[] {3}\r\nabc MODSEQ (5))\r\n',
            b'* 1 FETCH (UID 4 FLAGS (a) INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[] "abc")\r\n',
            b'* 1 FETCH (UID 4 FLAGS (a) INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 999 BODY[] "abc")\r\n',
            b'* 1 FETCH (RFC822.SIZE 1 UID 4 FLAGS (a) INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[] {3}\r\nabc)\r\n',  # noqa: E501  # one line
        ],
    )
    def test_the_items_come_in_any_order_and_form(self, talk: Talk, response: bytes) -> None:
        with Scripted({"UID FETCH": response + OK}) as script:
            found = [
                (each.uid, each.flags, each.internaldate, each.size, b"".join(each.body))
                for each in talk(script).fetch(INBOX, [4])
            ]
            assert found == [(4, frozenset({"a"}), DATE, 3, b"abc")]

    def test_a_large_body_before_its_uid_goes_through_a_file(self, talk: Talk) -> None:
        octets = b"x" * 3_000_000
        response = b"* 1 FETCH (BODY[] {%d}\r\n%s UID 4)\r\n" % (len(octets), octets)
        with Scripted({"UID FETCH": response + OK}) as script:
            (found,) = [(each.flags, list(each.body)) for each in talk(script).fetch(INBOX, [4])]
            assert (found[0], b"".join(found[1]) == octets) == (frozenset(), True)
            assert max(map(len, found[1])) <= 65_536

    def test_a_body_whose_message_has_no_uid_is_nobodys(self, talk: Talk) -> None:
        response = b"* 4 FETCH (BODY[] {3}\r\nabc FLAGS ())\r\n" + fetched(4, b"mine")
        with Scripted({"UID FETCH": response + OK}) as script:
            assert bodies(talk(script).fetch(INBOX, [4])) == {4: b"mine"}

    @pytest.mark.parametrize(
        "response",
        [
            b"",
            b"* 1 FETCH (UID 4 FLAGS (\\Seen))\r\n",
            b"* 1 FETCH (UID 4 BODY[] NIL)\r\n",
            b"* 4 FETCH (FLAGS (\\Deleted))\r\n",
            b"* 4 EXPUNGE\r\n* 1 EXPUNGE\r\n",
            fetched(5, b"unasked"),
        ],
    )
    @pytest.mark.parametrize(
        "reply", [b"OK done", b"OK [EXPUNGEISSUED] some are gone", b"NO some are gone", b"BAD what"]
    )
    def test_what_is_gone_is_left_out(self, talk: Talk, response: bytes, reply: bytes) -> None:
        with Scripted({"UID FETCH": response + b"<tag> " + reply + b"\r\n"}) as script:
            assert bodies(talk(script).fetch(INBOX, [4])) == {}

    @pytest.mark.parametrize(
        "extra", [b"* 1 EXPUNGE\r\n", b"* 9 EXISTS\r\n", b"* 4 FETCH (FLAGS ())\r\n", b"* OK hm\r\n", b"* NO hm\r\n"]
    )
    def test_unsolicited_data_between_messages_changes_nothing(self, talk: Talk, extra: bytes) -> None:
        reply = extra + fetched(4, b"four") + extra + fetched(5, b"five") + extra + OK
        with Scripted({"UID FETCH": reply}) as script:
            assert bodies(talk(script).fetch(INBOX, [4, 5])) == {4: b"four", 5: b"five"}

    def test_a_message_that_comes_twice_counts_once(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": fetched(4, b"first") + fetched(4, b"again" * 20_000) + OK}) as script:
            assert [b"".join(each.body) for each in talk(script).fetch(INBOX, [4])] == [b"first"]

    def test_an_empty_literal_is_an_empty_message(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": fetched(4, b"") + OK}) as script:
            assert [(each.size, list(each.body)) for each in talk(script).fetch(INBOX, [4])] == [(0, [])]

    @pytest.mark.parametrize("date", [b"garbage", b"17-Jul-0000 02:44:25 -0700", b""])
    def test_a_message_without_a_date_is_kept(self, talk: Talk, date: bytes) -> None:
        with Scripted({"UID FETCH": fetched(4, b"abc", date=date) + OK}) as script:
            assert [(each.internaldate, list(each.body)) for each in talk(script).fetch(INBOX, [4])] == [
                (NOW, [b"abc"])
            ]

    @pytest.mark.parametrize("closed", [False, True])
    @pytest.mark.parametrize("size", [5, 70_000, 3_000_000])
    def test_a_body_that_is_cut_is_never_handed_out_whole(self, talk: Talk, size: int, closed: bool) -> None:
        octets, whole = fetched(4, b"x" * size), dict[int, bytes]()

        def cut(_: bytes) -> bytes:
            script.cut_after = len(octets) - 4
            return octets

        with Scripted({"UID FETCH": cut if closed else octets[:-4]}) as script:
            server = talk(script, read_seconds=0.3)
            with pytest.raises(ConnectionLostError):
                whole.update((each.uid, b"".join(each.body)) for each in server.fetch(INBOX, [4]))
        assert whole == {}

    @pytest.mark.parametrize("size", [10, 100_000])
    @pytest.mark.parametrize("more", [-3, 3])
    @pytest.mark.parametrize("end", [b"xxx", b" xx", b")\r\n", b" x)"])
    def test_a_literal_of_the_wrong_length_is_never_handed_out_whole(
        self, talk: Talk, size: int, more: int, end: bytes
    ) -> None:
        octets = b"x" * (size - len(end)) + end
        head = b"* 1 FETCH (UID 4 FLAGS () BODY[] {%d}\r\n" % (size + more)
        with Scripted({"UID FETCH": head + octets + b")\r\n" + OK}) as script:
            server = talk(script, read_seconds=0.3)
            with pytest.raises((ProtocolError, ConnectionLostError)):
                bodies(server.fetch(INBOX, [4]))

    def test_a_literal_of_gigabytes_is_not_read(self, talk: Talk) -> None:
        script = Scripted({"UID FETCH": b"* 1 FETCH (UID 4 FLAGS () BODY[] {4294967296}\r\n"})
        with script, pytest.raises(ProtocolError, match="2 GiB"):
            bodies(talk(script).fetch(INBOX, [4]))

    def test_a_large_literal_where_none_belongs_is_not_read(self, talk: Talk) -> None:
        script = Scripted({"UID FETCH": b"* 1 FETCH (UID 4 ENVELOPE {2000000}\r\n"})
        with script, pytest.raises(ProtocolError, match="literal"):
            bodies(talk(script).fetch(INBOX, [4]))

    def test_every_message_is_asked_for_in_bounded_batches_in_the_callers_order(self, talk: Talk) -> None:
        answer = lambda command: b"".join(fetched(uid, b"%d" % uid) for uid in asked(command)) + OK  # noqa: E731
        with Scripted({"UID FETCH": answer}) as script:
            found = bodies(talk(script).fetch(INBOX, list(range(1000, 0, -1))))
            assert found == {uid: b"%d" % uid for uid in range(1, 1001)}
            batches = [asked(line) for line in script.commands("UID FETCH")]
            assert max(batches[0]) == 1000
            assert max(map(len, batches)) <= 200

    def test_a_poison_message_costs_only_itself(self, talk: Talk) -> None:
        def answer(command: bytes) -> bytes:
            uids = asked(command)
            if 37 in uids:
                return b"<tag> NO [SERVERBUG] cannot\r\n"
            return b"".join(fetched(uid, b"%d" % uid) for uid in uids) + OK

        with Scripted({"UID FETCH": answer}) as script:
            assert sorted(bodies(talk(script).fetch(INBOX, range(1, 101)))) == [*range(1, 37), *range(38, 101)]
            assert len(script.commands("UID FETCH")) < 30

    def test_what_came_before_a_no_is_kept_and_the_rest_asked_for_again(self, talk: Talk) -> None:
        def answer(command: bytes) -> bytes:
            uids = asked(command)
            good = [uid for uid in uids if uid < 5] if 5 in uids else uids
            reply = b"<tag> NO cannot\r\n" if 5 in uids else OK
            return b"".join(fetched(uid, b"%d" % uid) for uid in good) + reply

        with Scripted({"UID FETCH": answer}) as script:
            assert sorted(bodies(talk(script).fetch(INBOX, range(1, 11)))) == [1, 2, 3, 4, 6, 7, 8, 9, 10]

    def test_a_server_that_refuses_everything_is_not_asked_for_ever(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": b"<tag> NO not today\r\n"}) as script:
            assert bodies(talk(script).fetch(INBOX, range(1, 10_000))) == {}
            assert len(script.commands("UID FETCH")) < 250

    def test_a_body_read_too_late_is_an_error_and_not_a_short_message(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": fetched(4, b"x" * 200_000) + fetched(5, b"five") + OK}) as script:
            messages = talk(script).fetch(INBOX, [4, 5])
            late = next(messages)
            assert bodies(messages) == {5: b"five"}
            with pytest.raises(RuntimeError):
                next(late.body)

    def test_a_huge_message_that_is_not_wanted_costs_the_connection(self, talk: Talk) -> None:
        with Scripted({"UID FETCH": b"* 1 FETCH (UID 4 FLAGS () BODY[] {99999999}\r\n" + b"x" * 100_000}) as script:
            server = talk(script)
            messages = server.fetch(INBOX, [4])
            next(next(messages).body)
            messages.close()  # type: ignore[attr-defined]
            with pytest.raises(ConnectionLostError):
                server.listing(INBOX)

    def test_giving_up_with_batches_under_way_leaves_the_connection_usable(self, talk: Talk) -> None:
        answer = lambda command: b"".join(fetched(uid, b"x" * 100_000) for uid in asked(command)) + OK  # noqa: E731
        with Scripted({"UID FETCH 1:": listed(*THREE), "UID FETCH": answer}) as script:
            server = talk(script)
            messages = server.fetch(INBOX, [3, 4, 5])
            next(next(messages).body)
            messages.close()  # type: ignore[attr-defined]
            assert server.listing(INBOX).complete

    def test_an_interrupted_read_closes_the_connection(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        with Scripted({"UID FETCH": fetched(4, b"x" * 200_000)[:100_000]}) as script:
            server = talk(script)
            messages = server.fetch(INBOX, [4])
            message = next(messages)
            next(message.body)

            def interrupt(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            monkeypatch.setattr(server._wire.transport, "_wait", interrupt)
            with pytest.raises(KeyboardInterrupt):
                list(message.body)
            with pytest.raises(ConnectionLostError, match="interrupted"):
                server.listing(INBOX)

    def test_a_selection_under_another_uidvalidity_is_refused(self, talk: Talk) -> None:
        other = SELECT.replace(b"UIDVALIDITY 7", b"UIDVALIDITY 8")
        with Scripted({"SELECT": [SELECT, SELECT, other], "UID FETCH": listed(*THREE)}) as script:
            server = talk(script)
            server.listing(INBOX)
            server.listing(MailboxName("Work"))
            with pytest.raises(MailboxError, match="replaced"):
                bodies(server.fetch(INBOX, [1]))
            assert server.listing(INBOX).epoch.uidvalidity == 8

    @pytest.mark.parametrize("size", [0, 30, 200_000])
    def test_headers_are_digests_of_what_body_header_gives(self, talk: Talk, size: int) -> None:
        header = b"Subject: " + b"x" * size + b"\r\n\r\n"
        response = b"* 1 FETCH (UID 4 BODY[HEADER] {%d}\r\n%s)\r\n* 2 FETCH (UID 5 BODY[HEADER] NIL)\r\n"
        with Scripted({"UID FETCH": response % (len(header), header) + OK}) as script:
            assert talk(script).headers(INBOX, {4, 5}) == {4: hashlib.sha256(header).digest()[:16]}
            assert b"BODY.PEEK[HEADER]" in script.commands("UID FETCH")[0]

    def test_a_header_without_an_empty_line_at_its_end_is_read_with_the_message(self, talk: Talk) -> None:
        octets = {4: b"Subject: x\r\n", 5: b"\r\nbody\r\n", 6: b"Subject: y\r\n\r\nbody"}
        headers = {4: b"Subject: x\r", 5: b"", 6: b"Subject: y\r\n\r\n"}

        def answers(section: bytes, texts: dict[int, bytes]) -> bytes:
            line = b"* %d FETCH (UID %d BODY[%b] {%d}\r\n%b)\r\n"
            return b"".join(line % (uid, uid, section, len(text), text) for uid, text in texts.items()) + OK

        whole = answers(b"", {uid: octets[uid] for uid in (4, 5)})
        with Scripted({"UID FETCH": [answers(b"HEADER", headers), whole]}) as script:
            digests = talk(script).headers(INBOX, set(octets))
            assert [line.split()[2] for line in script.commands("UID FETCH")] == [b"4:6", b"4:5"]
        wanted = {4: octets[4], 5: b"\r\n", 6: headers[6]}
        assert digests == {uid: hashlib.sha256(header).digest()[:16] for uid, header in wanted.items()}

    @pytest.mark.parametrize("cut", range(0, 400, 7))
    def test_a_connection_cut_at_any_octet_raises_nothing_unexpected(self, talk: Talk, cut: int) -> None:
        script = Scripted({"UID FETCH": fetched(4, b"abc") + fetched(5, b"defg") + OK}, capabilities=b"IMAP4rev1")
        with script:
            server = talk(script)
            script.cut_after = cut
            got: Octets = {}
            try:
                server.listing(INBOX)
                for each in server.fetch(INBOX, [4, 5]):
                    got[each.uid] = b"".join(each.body)
            except ConnectionLostError:
                pass
            assert got.items() <= {4: b"abc", 5: b"defg"}.items()
