"""Mailboxes as a whole, on servers that do what servers do."""

from collections.abc import Callable

import pytest
from scripted import CAPABILITIES, SELECT, Scripted

from syncer.errors import (
    MailboxError,
)
from syncer.imap.mailbox import ImapServer
from syncer.ports import ServerMailbox
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.flags import DELETED
from syncer.reconcile.identity import INBOX, MailboxName

Talk = Callable[..., ImapServer]
OK = b"<tag> OK done\r\n"
WORK = MailboxName("Work")
BARE = b"IMAP4rev1"


class TestMailboxes:
    def test_each_is_listed_once_ordered_with_its_use(self, talk: Talk) -> None:
        lines = (
            b'* LIST (\\HasNoChildren \\Trash) "/" Trash\r\n'
            b'* LIST (\\Noselect) "/" Archive\r\n'
            b'* LIST (\\NonExistent) "/" Gone\r\n'
            b'* LIST () "/" {9}\r\nArchive/1\r\n'
            b'* LIST () "/" "Entw&APw-rfe"\r\n'
            b'* LIST (\\X) "/" inbox\r\n'
            b'* LIST () "/" 2020\r\n'
            b'* LIST () "/" NIL\r\n'
            b'* LIST () "/" ""\r\n'
            b'* LIST () "/" &bad\r\n'
            b'* LIST () "/"\r\n'
            b'* LIST () "/" Trash\r\n'
        )
        with Scripted({"LIST": lines + OK}) as script:
            assert talk(script).mailboxes() == (
                ServerMailbox(INBOX),
                ServerMailbox(MailboxName("%26bad")),
                ServerMailbox(MailboxName("2020")),
                ServerMailbox(MailboxName("Archive/1")),
                ServerMailbox(MailboxName("Entwürfe")),
                ServerMailbox(MailboxName("Trash"), "\\trash"),
            )

    def test_other_namespaces_are_left_out(self, talk: Talk) -> None:
        spaces = b'* NAMESPACE (("" "/")("#mh/" "/")) (("Other Users/" "/")) (("Shared/" "/")(NIL NIL))\r\n' + OK
        names = (b"INBOX", b'"Other Users/x"', b"Shared/y", b"Mine", b"#mh/z")
        lines = b"".join(b'* LIST () "/" %s\r\n' % name for name in names)
        with Scripted({"NAMESPACE": spaces, "LIST": lines + OK}) as script:
            assert [each.name for each in talk(script).mailboxes()] == ["INBOX", "Mine"]

    @pytest.mark.parametrize("reply", [b"* NAMESPACE NIL NIL NIL\r\n" + OK, b"<tag> BAD no\r\n", OK])
    def test_without_a_namespace_the_separator_comes_from_list(self, talk: Talk, reply: bytes) -> None:
        lists = {'LIST "" ""': b'* LIST (\\Noselect) "." ""\r\n' + OK, "LIST": b'* LIST () "." a.b\r\n' + OK}
        with Scripted({"NAMESPACE": reply, **lists}) as script:
            assert [each.name for each in talk(script).mailboxes()] == ["a/b"]

    def test_a_server_without_levels(self, talk: Talk) -> None:
        with Scripted({'LIST "" ""': OK, "LIST": b"* LIST () NIL a.b/c\r\n" + OK}, capabilities=BARE) as script:
            assert [each.name for each in talk(script).mailboxes()] == ["a.b%2Fc"]

    def test_a_prefix_is_listed_with_inbox(self, talk: Talk) -> None:
        spaces = b'* NAMESPACE (("INBOX." ".")) NIL NIL\r\n' + OK
        names = b'* LIST () "." INBOX\r\n* LIST () "." INBOX.a\r\n* LIST () "." elsewhere\r\n'
        with Scripted({"NAMESPACE": spaces, "LIST": names + OK}) as script:
            assert [each.name for each in talk(script).mailboxes()] == ["INBOX", "a"]
            assert script.commands("LIST") == [b'LIST "" "*"']

    def test_a_prefix_that_list_does_not_show_by_itself_is_asked_for(self, talk: Talk) -> None:
        spaces = b'* NAMESPACE (("#mh/" "/")) NIL NIL\r\n' + OK
        lists = {'LIST "" "#MH/*"': b'* LIST () "/" #mh/a\r\n' + OK, "LIST": b'* LIST () "/" INBOX\r\n' + OK}
        with Scripted({"NAMESPACE": spaces, **lists}) as script:
            assert [each.name for each in talk(script).mailboxes()] == ["INBOX", "a"]

    def test_special_uses_are_asked_for_where_offered_and_a_refusal_of_that_is_survived(self, talk: Talk) -> None:
        answers = [b"<tag> BAD extra arguments\r\n", b'* LIST () "/" a\r\n' + OK]
        with Scripted({"LIST": answers}, capabilities=CAPABILITIES + b" SPECIAL-USE LIST-EXTENDED") as script:
            assert [each.name for each in talk(script).mailboxes()] == ["a"]
            assert script.commands("LIST") == [b'LIST "" "*" RETURN (SPECIAL-USE)', b'LIST "" "*"']

    def test_a_refused_list_is_told(self, talk: Talk) -> None:
        with Scripted({"LIST": b"<tag> NO busy\r\n"}) as script, pytest.raises(MailboxError, match="busy"):
            talk(script).mailboxes()

    def test_the_epoch_is_asked_for_with_what_the_server_offers(self, talk: Talk) -> None:
        said = b'* STATUS "Work" (UIDVALIDITY 3 UIDNEXT 9 HIGHESTMODSEQ 12 MAILBOXID (abc))\r\n'
        with Scripted({"STATUS": said + OK}, capabilities=CAPABILITIES + b" OBJECTID") as script:
            assert talk(script).epoch(WORK) == Epoch(3, 9, 12, "abc")
            assert script.commands("STATUS") == [b'STATUS "Work" (UIDVALIDITY UIDNEXT HIGHESTMODSEQ MAILBOXID)']

    def test_cyrus_is_not_asked_for_a_mailboxid_by_status(self, talk: Talk) -> None:
        said = b"* STATUS Work (UIDVALIDITY 3 UIDNEXT 9 HIGHESTMODSEQ 12)\r\n"
        greeting = b"* OK [CAPABILITY IMAP4rev1] host Cyrus IMAP 3.6.1 server ready\r\n"
        script = Scripted({"STATUS": said + OK}, capabilities=CAPABILITIES + b" OBJECTID", greeting=greeting)
        with script:
            assert talk(script).epoch(WORK) == Epoch(3, 9, 12)

    @pytest.mark.parametrize(
        "said", [b"", b"* STATUS Other (UIDVALIDITY 3)\r\n", b"* STATUS Work ()\r\n", b"* STATUS\r\n"]
    )
    def test_a_status_that_says_nothing_is_told(self, talk: Talk, said: bytes) -> None:
        with Scripted({"STATUS": said + OK}) as script, pytest.raises(MailboxError):
            talk(script).epoch(WORK)

    def test_the_epoch_of_the_selected_mailbox_is_fresh(self, talk: Talk) -> None:
        selects = [SELECT, SELECT.replace(b"UIDNEXT 10", b"UIDNEXT 11")]
        with Scripted({"SELECT": selects}) as script:
            server = talk(script)
            server.listing(WORK)
            server.describe(WORK, {1})
            assert server.epoch(WORK) == Epoch(7, 11, 5)
            assert script.commands("STATUS") == []

    @pytest.mark.parametrize(
        ("status", "listed", "answer"),
        [
            (b"* STATUS Work (UIDVALIDITY 3)\r\n" + OK, b"", True),
            (b"<tag> NO [NONEXISTENT] no\r\n", b"", False),
            (b"<tag> NO no\r\n", b"", False),
            (b"<tag> NO no\r\n", b'* LIST (\\Noselect) "/" Work\r\n', False),
            (b"<tag> NO no\r\n", b'* LIST () "/" Work\r\n', MailboxError),
            (b"<tag> NO [CANNOT] begins with ~\r\n", b"", False),
            (b"<tag> NO [CANNOT] no\r\n", b'* LIST () "/" Work\r\n', MailboxError),
            (b"<tag> NO [NOPERM] no\r\n", b"", MailboxError),
            (b"<tag> NO [UNAVAILABLE] no\r\n", b"", MailboxError),
            (b"<tag> BAD no\r\n", b"", MailboxError),
        ],
    )
    def test_absence_is_only_believed_where_it_is_said(
        self, talk: Talk, status: bytes, listed: bytes, answer: bool | type[MailboxError]
    ) -> None:
        with Scripted({"STATUS": status, "LIST": listed + OK}) as script:
            server = talk(script)
            if isinstance(answer, bool):
                assert server.exists(WORK) is answer
            else:
                with pytest.raises(answer):
                    server.exists(WORK)

    def test_create_subscribes(self, talk: Talk) -> None:
        with Scripted() as script:
            talk(script).create(MailboxName("Entwürfe"))
            assert script.commands("CREATE") == [b'CREATE "Entw&APw-rfe"']
            assert script.commands("SUBSCRIBE") == [b'SUBSCRIBE "Entw&APw-rfe"']

    @pytest.mark.parametrize("reply", [b"NO [ALREADYEXISTS] there", b"NO there"])
    def test_a_mailbox_that_is_there_is_created_without_error(self, talk: Talk, reply: bytes) -> None:
        status = b"* STATUS Work (UIDVALIDITY 3)\r\n" + OK
        with Scripted({"CREATE": b"<tag> " + reply + b"\r\n", "STATUS": status}) as script:
            talk(script).create(WORK)
            assert len(script.commands("SUBSCRIBE")) == 1

    def test_a_refused_create_is_told(self, talk: Talk) -> None:
        replies = {"CREATE": b"<tag> NO [LIMIT] too many\r\n", "STATUS": b"<tag> NO [NONEXISTENT] no\r\n"}
        with Scripted(replies) as script, pytest.raises(MailboxError, match="too many"):
            talk(script).create(WORK)

    @pytest.mark.parametrize("name", ["a%0D%0Ab", "a%00b", "Inbox", "\udcff"])
    def test_a_name_that_cannot_be_is_never_sent(self, talk: Talk, name: str) -> None:
        with Scripted() as script:
            server = talk(script)
            for ask in (server.create, server.listing, server.epoch, server.exists, server.delete):
                with pytest.raises(MailboxError):
                    ask(MailboxName(name))
            assert {line.split()[1] for line in script.lines} <= {b"CAPABILITY", b"LOGIN", b"NAMESPACE", b"UNSELECT"}

    def test_rename_carries_the_subscriptions_over(self, talk: Talk) -> None:
        lsub = [b'* LSUB () "/" Work\r\n' + OK, b'* LSUB () "/" Work/a\r\n* LSUB () "/" Workshop\r\n' + OK]
        status = b"* STATUS Work (UIDVALIDITY 3)\r\n" + OK
        with Scripted({"LSUB": lsub, "STATUS": status}) as script:
            talk(script).rename(WORK, MailboxName("Done"))
            assert [line.partition(b" ")[2] for line in script.lines[-5:]] == [
                b'RENAME "Work" "Done"',
                b'SUBSCRIBE "Done"',
                b'UNSUBSCRIBE "Work"',
                b'SUBSCRIBE "Done/a"',
                b'UNSUBSCRIBE "Work/a"',
            ]

    def test_a_flat_mailbox_has_nothing_below_it(self, talk: Talk) -> None:
        status = b"* STATUS Work (UIDVALIDITY 3)\r\n" + OK
        with Scripted({"LSUB": OK, "STATUS": status, 'LIST "" ""': OK}, capabilities=BARE) as script:
            talk(script).rename(WORK, MailboxName("Done"))
            assert script.commands("LSUB") == [b'LSUB "" "Work"']

    def test_a_refused_rename_is_told(self, talk: Talk) -> None:
        replies = {"RENAME": b"<tag> NO [ALREADYEXISTS] no\r\n", "STATUS": b"* STATUS Work (UIDVALIDITY 3)\r\n" + OK}
        with Scripted(replies) as script, pytest.raises(MailboxError, match="RENAME"):
            talk(script).rename(WORK, MailboxName("Done"))

    @pytest.mark.parametrize("reply", [b"NO [NONEXISTENT] no", b"NO no"])
    def test_deleting_what_is_not_there_is_no_error(self, talk: Talk, reply: bytes) -> None:
        status = b"<tag> NO [NONEXISTENT] no\r\n"
        with Scripted({"DELETE": b"<tag> " + reply + b"\r\n", "STATUS": status}) as script:
            talk(script).delete(WORK)

    def test_a_refused_delete_is_told(self, talk: Talk) -> None:
        replies = {"DELETE": b"<tag> NO [NOPERM] no\r\n", "STATUS": b"* STATUS Work (UIDVALIDITY 3)\r\n" + OK}
        with Scripted(replies) as script, pytest.raises(MailboxError, match="DELETE"):
            talk(script).delete(WORK)

    @pytest.mark.parametrize("capabilities", [BARE, CAPABILITIES])
    def test_nothing_is_ever_closed(self, talk: Talk, capabilities: bytes) -> None:
        with Scripted(capabilities=capabilities) as script:
            server = talk(script)
            server.listing(WORK)
            server.delete(WORK)
            server.close()
            assert not any(b"CLOSE" in line for line in script.lines)

    def test_uidnext_is_asked_for_where_select_does_not_tell_it(self, talk: Talk) -> None:
        replies = {
            "SELECT": SELECT.replace(b"* OK [UIDNEXT 10] ok\r\n", b"").replace(b"3 EXISTS", b"0 EXISTS"),
            "STATUS": b"* STATUS Work (UIDNEXT 42)\r\n" + OK,
        }
        with Scripted(replies) as script:
            assert talk(script).listing(WORK).epoch.uidnext == 42

    def test_deleted_is_the_only_flag_that_expunge_sets(self, talk: Talk) -> None:
        with Scripted() as script:
            talk(script).expunge(INBOX, {1})
            assert script.commands("UID STORE") == [b"UID STORE 1 +FLAGS.SILENT (%s)" % DELETED.encode()]
