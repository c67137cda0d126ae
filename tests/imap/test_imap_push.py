"""Being told of changes: nothing is missed, whenever it is said, and a server that plays games is left."""

import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator

import pytest
from e2e.client import Client
from scripted import Scripted
from servers.base import Server
from servers.dovecot import Dovecot
from servers.mail import note

from syncer.errors import ConnectionLostError, MailboxError
from syncer.imap.auth import Password
from syncer.imap.connection import ServerSettings, connect
from syncer.imap.mailbox import ImapServer
from syncer.imap.push import Idle, Notify
from syncer.imap.transport import Transport
from syncer.ports.push import Heard, Push
from syncer.reconcile.identity import INBOX, MailboxName

Talk = Callable[..., ImapServer]
WORK = MailboxName("Work")
LONG = 5.0
OK, NO = b"<tag> OK done\r\n", b"<tag> NO [BADEVENT (MessageNew)] not that\r\n"
BASE = b"IMAP4rev1 LITERAL+ UIDPLUS NAMESPACE"
IN_INBOX = Heard(frozenset({INBOX}))


@pytest.fixture
def wake() -> Iterator[tuple[int, int]]:
    """What is read, and what is written, to wake somebody."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def idling(more: bytes = b"", **replies: object) -> Scripted:
    said = {"IDLE": b"+ idling\r\n" + more, **replies}
    return Scripted(said, capabilities=BASE + b" IDLE")  # type: ignore[arg-type]


def notifying(**replies: object) -> Scripted:
    return Scripted(replies, capabilities=BASE + b" IDLE NOTIFY")  # type: ignore[arg-type]


def listening(server: ImapServer) -> Push:
    push = server.listen(INBOX)
    assert push is not None
    return push


class TestIdle:
    def test_what_is_said_together_with_the_leave_to_idle_is_heard(self, talk: Talk, wake: tuple[int, int]) -> None:
        with idling(b"* 4 EXISTS\r\n") as script:
            assert listening(talk(script)).hear(LONG, wake[0]) == IN_INBOX

    @pytest.mark.parametrize("before", [b"* 4 EXISTS\r\n", b"* 2 EXPUNGE\r\n", b"* 1 FETCH (FLAGS (\\Seen))\r\n"])
    def test_what_is_said_before_it_is_heard_as_well(self, talk: Talk, wake: tuple[int, int], before: bytes) -> None:
        with Scripted({"IDLE": before + b"+ idling\r\n"}, capabilities=BASE + b" IDLE") as script:
            assert listening(talk(script)).hear(LONG, wake[0]) == IN_INBOX

    def test_it_idles_anew_after_something_was_heard(self, talk: Talk, wake: tuple[int, int]) -> None:
        with idling() as script:
            push = listening(talk(script))
            for count in (4, 5, 6):
                script.say(b"* %d EXISTS\r\n" % count)
                assert push.hear(LONG, wake[0]) == IN_INBOX
            assert push.hear(0.0, wake[0]).nothing
            assert push.hear(0.0, wake[0]).nothing
            assert len(script.commands("IDLE")) == 4
            assert script.lines.count(b"DONE") == 3

    def test_what_is_said_while_it_begins_anew_is_heard(self, talk: Talk, wake: tuple[int, int]) -> None:
        with idling(DONE=b"* 7 EXISTS\r\n<tag> OK done\r\n") as script:
            push = listening(talk(script))
            script.say(b"* 4 EXISTS\r\n")
            assert push.hear(LONG, wake[0]) == IN_INBOX
            assert push.hear(0.0, wake[0]) == IN_INBOX

    def test_who_hangs_up_ends_the_idling_first(self, talk: Talk) -> None:
        with idling() as script:
            listening(talk(script)).close()
            end = time.monotonic() + LONG
            while not script.commands("LOGOUT") and time.monotonic() < end:
                time.sleep(0.01)
            assert [line.split(b" ")[-1] for line in script.lines[-3:]] == [b"IDLE", b"DONE", b"LOGOUT"]

    @pytest.mark.parametrize("said", [b"* 2 EXPUNGE\r\n", b"* VANISHED 3\r\n"])
    def test_what_is_gone_may_be_in_another_mailbox_where_it_is_cheap_to_look(
        self, talk: Talk, wake: tuple[int, int], said: bytes
    ) -> None:
        capabilities = BASE + b" IDLE LIST-EXTENDED LIST-STATUS"
        with Scripted({"IDLE": b"+ idling\r\n" + said}, capabilities=capabilities) as script:
            assert listening(talk(script)).hear(LONG, wake[0]) == Heard(frozenset({INBOX}), everywhere=True)

    @pytest.mark.parametrize("said", [b"* 4 EXISTS\r\n", b"* VANISHED 3\r\n", b"* 3 EXPUNGE\r\n* 4 EXISTS\r\n"])
    def test_what_is_said_later_ends_the_wait(self, talk: Talk, wake: tuple[int, int], said: bytes) -> None:
        with idling() as script:
            push = listening(talk(script))
            script.say(said)
            assert push.hear(LONG, wake[0]) == IN_INBOX
            assert push.hear(0.0, wake[0]).nothing

    def test_half_a_line_is_waited_for(self, talk: Talk, wake: tuple[int, int]) -> None:
        with idling() as script:
            push = listening(talk(script))
            script.say(b"* 4 EXI")
            script.say(b"STS\r\n")
            assert push.hear(LONG, wake[0]) == IN_INBOX

    def test_what_means_nothing_is_no_hint(self, talk: Talk, wake: tuple[int, int]) -> None:
        with idling(b"* OK still here\r\n* 0 RECENT\r\n") as script:
            assert listening(talk(script)).hear(0.05, wake[0]).nothing

    def test_the_wait_ends_when_somebody_wakes_us(self, talk: Talk, wake: tuple[int, int]) -> None:
        with idling() as script:
            push = listening(talk(script))
            os.write(wake[1], b".")
            begin = time.monotonic()
            assert push.hear(60.0, wake[0]).nothing
            assert time.monotonic() - begin < 30

    def test_a_check_ends_and_begins_it_and_hears_what_comes_between(self, talk: Talk, wake: tuple[int, int]) -> None:
        with idling(DONE=b"* 5 EXISTS\r\n<tag> OK done\r\n") as script:
            push = listening(talk(script))
            assert push.check() == IN_INBOX
            assert [line.partition(b" ")[2] or line for line in script.lines[-3:]] == [b"IDLE", b"DONE", b"IDLE"]
            assert push.hear(0.0, wake[0]).nothing

    def test_a_server_that_ends_it_is_asked_again(self, talk: Talk, wake: tuple[int, int]) -> None:
        ended = b"+ idling\r\n* 4 EXISTS\r\n<tag> OK enough\r\n"
        with Scripted({"IDLE": [ended, b"+ idling\r\n"]}, capabilities=BASE + b" IDLE") as script:
            push = listening(talk(script))
            assert push.hear(LONG, wake[0]) == IN_INBOX
            assert len(script.commands("IDLE")) == 2
            assert push.hear(0.0, wake[0]).nothing

    def test_one_that_does_so_without_end_is_left(self, talk: Talk, wake: tuple[int, int]) -> None:
        with idling(b"<tag> OK enough\r\n") as script:
            push = listening(talk(script))
            with pytest.raises(ConnectionLostError, match="again and again"):
                hear_for_ever(push, wake[0])

    @pytest.mark.parametrize("said", [b"", b"* BYE shutting down\r\n"])
    def test_the_end_of_the_connection_is_no_silence(self, talk: Talk, wake: tuple[int, int], said: bytes) -> None:
        with idling() as script:
            push = listening(talk(script))
            script.say(said)
            script.__exit__()
            with pytest.raises(ConnectionLostError):
                push.hear(LONG, wake[0])

    def test_one_that_refuses_it_is_not_listened_to(self, talk: Talk) -> None:
        with idling(IDLE=b"<tag> BAD what\r\n") as script:
            assert talk(script).listen(INBOX) is None
        with Scripted(capabilities=BASE) as script:
            assert talk(script).listen(INBOX) is None

    def test_one_that_refuses_it_later_is_left(self, talk: Talk) -> None:
        with Scripted({"IDLE": [b"+ idling\r\n", b"<tag> NO not now\r\n"]}, capabilities=BASE + b" IDLE") as script:
            push = listening(talk(script))
            with pytest.raises(ConnectionLostError, match="refused IDLE: not now"):
                push.check()

    def test_a_mailbox_that_is_not_there_is_an_error_of_its_own(self, talk: Talk) -> None:
        with idling(SELECT=b"<tag> NO [NONEXISTENT] gone\r\n") as script, pytest.raises(MailboxError, match="Work"):
            talk(script).listen(WORK)


class TestNotify:
    def test_every_mailbox_is_told_of_by_its_name(self, talk: Talk, wake: tuple[int, int]) -> None:
        with notifying() as script:
            push = listening(talk(script))
            assert (type(push), push.covers) == (Notify, None)
            script.say(b'* STATUS "Work" (MESSAGES 2 UIDNEXT 9)\r\n* STATUS inbox (HIGHESTMODSEQ 7)\r\n')
            assert push.hear(LONG, wake[0]) == Heard(frozenset({INBOX, WORK}))
            events = b"(MessageNew MessageExpunge FlagChange MailboxName)"
            assert script.commands("NOTIFY") == [b"NOTIFY SET (PERSONAL " + events + b")"]
            assert script.commands("SELECT") == []

    def test_a_mailbox_that_comes_or_goes_is_everything(self, talk: Talk, wake: tuple[int, int]) -> None:
        with notifying() as script:
            push = listening(talk(script))
            script.say(b'* LIST (\\HasNoChildren) "/" New\r\n')
            assert push.hear(LONG, wake[0]) == Heard(everywhere=True)

    def test_a_server_that_gives_up_is_asked_again_and_everything_is_looked_at(
        self, talk: Talk, wake: tuple[int, int]
    ) -> None:
        with notifying() as script:
            push = listening(talk(script))
            script.say(b"* OK [NOTIFICATIONOVERFLOW] too much\r\n")
            assert push.hear(LONG, wake[0]) == Heard(everywhere=True)
            assert len(script.commands("NOTIFY")) == 2

    def test_one_that_gives_up_and_then_refuses_is_left(self, talk: Talk, wake: tuple[int, int]) -> None:
        with notifying(NOTIFY=[OK, NO]) as script:
            push = listening(talk(script))
            script.say(b"* OK [NOTIFICATIONOVERFLOW] too much\r\n")
            with pytest.raises(ConnectionLostError, match="refused NOTIFY"):
                push.hear(LONG, wake[0])

    def test_one_that_gives_up_without_end_is_left(self, talk: Talk, wake: tuple[int, int]) -> None:
        gives_up = OK + b"* OK [NOTIFICATIONOVERFLOW] too much\r\n"
        with notifying(NOTIFY=[gives_up] * 60 + [OK]) as script:
            push = listening(talk(script))
            with pytest.raises(ConnectionLostError, match="again and again"):
                hear_for_ever(push, wake[0])

    def test_a_check_asks_for_nothing_and_hears_what_is_told(self, talk: Talk) -> None:
        with notifying(NOOP=b"* STATUS Work (MESSAGES 3)\r\n<tag> OK done\r\n") as script:
            assert listening(talk(script)).check() == Heard(frozenset({WORK}))

    def test_a_server_that_refuses_the_events_idles_instead(self, talk: Talk, wake: tuple[int, int]) -> None:
        with notifying(NOTIFY=NO, IDLE=b"+ idling\r\n* 4 EXISTS\r\n") as script:
            push = listening(talk(script))
            assert (type(push), push.covers) == (Idle, frozenset({INBOX}))
            assert push.hear(LONG, wake[0]) == IN_INBOX


SERVERS = [
    pytest.param("dovecot", Notify, marks=pytest.mark.dovecot),
    pytest.param("idling_dovecot", Idle, marks=pytest.mark.dovecot),
    pytest.param("cyrus", Idle, marks=pytest.mark.cyrus),
    pytest.param("courier", Idle, marks=pytest.mark.courier),
]


@pytest.fixture
def idling_dovecot(dovecot_with: Callable[..., Dovecot]) -> Dovecot:
    return dovecot_with(hide=["NOTIFY"])


@pytest.mark.parametrize(("name", "kind"), SERVERS)
class TestOnRealServers:
    def test_what_another_client_does_is_told_by_itself(
        self, request: pytest.FixtureRequest, wake: tuple[int, int], name: str, kind: type[Push]
    ) -> None:
        server: Server = request.getfixturevalue(name)
        push, other = listening_beside_another(server)
        assert isinstance(push, kind)
        for deed in (
            lambda: other.append("INBOX", note("one"), ()),
            lambda: other.store("INBOX", [1], "+FLAGS", ["\\Flagged"]),
            lambda: other.expunge("INBOX", [1]),
        ):
            deed()
            assert INBOX in until_heard(push, wake[0]).mailboxes
        if kind is Notify:
            other.create("Work")
            assert until_heard(push, wake[0]).everywhere
            other.append("Work", note("two"), ())
            assert WORK in until_heard(push, wake[0]).mailboxes
        other.close()
        push.close()

    def test_a_message_between_the_last_command_and_idle_is_never_missed(
        self, request: pytest.FixtureRequest, wake: tuple[int, int], name: str, kind: type[Push]
    ) -> None:
        push, other = listening_beside_another(request.getfixturevalue(name))
        for number in range(12 if kind is Idle else 0):
            assert isinstance(push, Idle)
            assert push._tag is not None
            push._wire.write(b"DONE\r\n")
            push._reply(push._tag)
            push._tag = None
            other.append("INBOX", note(f"n{number}"), ())
            push._go_on()
            assert until_heard(push, wake[0]) == IN_INBOX
        other.close()
        push.close()


def listening_beside_another(server: Server) -> tuple[Push, Client]:
    """Somebody who listens, and another client of the same account."""
    user, options = server.new_user(), {"separator": server.separator, "prefix": server.prefix}
    other = Client(server.host, server.port, user, server.password, **options)
    settings = ServerSettings("work", server.host, server.port, "off", user, Password(server.password))
    return listening(connect(settings)), other


def hear_for_ever(push: Push, wake: int) -> None:
    while True:
        push.hear(LONG, wake)


def until_heard(push: Push, wake: int) -> Heard:
    """What is told within half a minute; some servers look at their mailboxes every few seconds."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        heard = push.hear(1.0, wake)
        if not heard.nothing:
            return heard
    raise AssertionError("nothing was told")


def test_part_of_what_is_compressed_is_waited_for_and_taken_once(wake: tuple[int, int]) -> None:
    """A packet may end where nothing of it can be read yet; who only asks whether there is something goes on later."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = Transport(ours, LONG)
        transport.compress()
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        said = deflater.compress(b"* 4 EXISTS\r\n") + deflater.flush(zlib.Z_SYNC_FLUSH)
        for octet in said:
            theirs.sendall(bytes([octet]))
            transport.said(0.01, wake[0])
        assert transport.said(LONG, wake[0])
        assert transport.line() == b"* 4 EXISTS\r\n"
        assert not transport.said(0.0, wake[0])
