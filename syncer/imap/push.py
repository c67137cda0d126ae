"""Hearing of changes from the server: NOTIFY for every mailbox (RFC 5465), else IDLE for one (RFC 2177).

What was said is never missed: the reader is asked before the socket is, and what the server says between two commands
counts as much as what it says while it idles.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from syncer.errors import ConnectionLostError, ServerRefusedError
from syncer.imap.responses import Code, Continuation, Counted, Data, Fetch, Response, Status
from syncer.ports.push import Heard

if TYPE_CHECKING:
    from syncer.imap.session import Session
    from syncer.ports.push import Push
    from syncer.reconcile.identity import MailboxName

EVENTS = b"(MessageNew MessageExpunge FlagChange MailboxName)"
"""RFC 5465 section 5. Who names MessageNew has to name MessageExpunge as well (section 3.1)."""
PATIENCE = 15.0
"""Seconds that a connection has to show that it still stands."""
_AT_ONCE = 1000
"""So many responses are taken in before somebody looks at what they mean."""
_ENDS = 20
"""So often may a server end IDLE, or give up on NOTIFY, by itself between two checks."""


def listen(session: Session, mailbox: MailboxName, close: Callable[[], None], *, notify: bool) -> Push | None:
    """NOTIFY where it is wanted and the server takes it, else IDLE on `mailbox`; None where it has neither.

    The session is used for nothing else from then on. `close` ends it.

    Raises:
        MailboxError: `mailbox` cannot be selected.
    """
    if notify and "NOTIFY" in session.capabilities:
        try:
            return Notify(session, close)
        except ServerRefusedError:  # it may refuse any of the events (RFC 5465 section 5: BADEVENT)
            pass
    if "IDLE" not in session.capabilities:
        return None
    try:
        return Idle(session, mailbox, close)
    except ServerRefusedError:
        return None


def _stay_alert(sock: socket.socket) -> None:
    """Let the kernel find out that the other end is gone, which costs us no wake-up: in about a minute and a half."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, seconds in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)


class _Listening:
    """What both ways have in common."""

    def __init__(self, session: Session, close: Callable[[], None]) -> None:
        self._wire = session.wire
        _stay_alert(session.wire.transport.socket)
        self._close = close
        self._mailboxes: set[MailboxName] = set()
        self._everywhere = False
        self._begun = 0
        """How often the server was asked to tell, since the last check."""

    def hear(self, seconds: float, wake: int) -> Heard:
        """See `Push`."""
        wait = 0.0 if self._mailboxes or self._everywhere else seconds
        for _ in range(_AT_ONCE):
            if not self._wire.ready(wait, wake):
                break
            self._take_in(self._wire.read())
            wait = 0.0
        self._keep_on()
        return self._heard()

    def close(self) -> None:
        """See `Push`."""
        self._close()

    def _take_in(self, response: Response) -> None:
        raise NotImplementedError

    def _go_on(self) -> None:
        """See to it that the server goes on telling. Raises ServerRefusedError."""
        raise NotImplementedError

    def _keep_on(self) -> None:
        """The same on a connection that is of no use without; another one begins with the best that there is then."""
        try:
            self._go_on()
        except ServerRefusedError as error:
            self._wire.break_off(str(error).removeprefix(f"{self._wire.where}: "))

    def _count(self, what: str) -> None:
        self._begun += 1
        if self._begun > _ENDS:
            self._wire.break_off(f"the server {what} again and again")

    def _heard(self) -> Heard:
        """What there was since the last time."""
        heard = Heard(frozenset(self._mailboxes), self._everywhere)
        self._mailboxes.clear()
        self._everywhere = False
        return heard

    def _reply(self, tag: bytes) -> Status:
        self._wire.flush()
        self._wire.transport.allow(PATIENCE)
        return self._wire.wait(tag, self._take_in)


class Notify(_Listening):
    """Of every mailbox, on a connection that has none selected."""

    covers: frozenset[MailboxName] | None = None

    def __init__(self, session: Session, close: Callable[[], None]) -> None:
        """Raises ServerRefusedError."""
        super().__init__(session, close)
        self._namespace = session.directory.namespace()
        self._deaf = True
        self._go_on()

    def check(self) -> Heard:
        """See `Push`."""
        self._reply(self._wire.send(b"NOOP"))
        self._begun = 0
        self._keep_on()
        return self._heard()

    def _take_in(self, response: Response) -> None:
        match response:
            case Data("STATUS", (bytes(name), *_)) if (mailbox := self._namespace.from_wire(name)) is not None:
                self._mailboxes.add(mailbox)
            case Data("LIST" | "STATUS"):
                self._everywhere = True
            case Status(code=Code("NOTIFICATIONOVERFLOW")):  # it tells of nothing any more (RFC 5465 section 5.8)
                self._everywhere = self._deaf = True

    def _go_on(self) -> None:
        if not self._deaf:
            return
        self._deaf = False
        self._count("gives up on NOTIFY")
        told = self._reply(self._wire.send(b"NOTIFY SET (PERSONAL " + EVENTS + b")"))
        if told.kind != "OK":
            raise ServerRefusedError(f"{self._wire.where}: the server refused NOTIFY: {told.words}")


class Idle(_Listening):
    """Of one mailbox, which is selected."""

    def __init__(self, session: Session, mailbox: MailboxName, close: Callable[[], None]) -> None:
        """Raises MailboxError and ServerRefusedError."""
        super().__init__(session, close)
        session.select(mailbox, afresh=True, new_epoch=True)
        self.covers = frozenset({mailbox})
        self._looks_cheaply = "LIST-STATUS" in session.capabilities
        """What is gone here was moved, perhaps: who looks everywhere at once need not download it again."""
        self._tag: bytes | None = None
        self._told = False
        """Something was heard since it began to idle."""
        self._go_on()

    def hear(self, seconds: float, wake: int) -> Heard:
        """See `Push`. It begins to idle anew after each time that something was heard.

        Dovecot watches the mailbox's log as a file, and goes on watching the old one when a new one is begun: who idled
        before hears of everything late from then on (mailbox_idle_check_interval).
        """
        if self._told:
            self._stop()
            self._begun -= 1
            self._keep_on()
        heard = super().hear(seconds, wake)
        self._told = not heard.nothing
        return heard

    def check(self) -> Heard:
        """See `Push`. A server may log out who idles for half an hour (RFC 2177)."""
        self._stop()
        self._begun = 0
        self._told = False
        self._keep_on()
        return self._heard()

    def _stop(self) -> None:
        if self._tag is not None:
            self._wire.write(b"DONE\r\n")
            self._reply(self._tag)
            self._tag = None

    def close(self) -> None:
        """See `Push`. A server that still idles takes no LOGOUT."""
        with suppress(ConnectionLostError):
            if self._tag is not None:
                self._wire.write(b"DONE\r\n")
        super().close()

    def _take_in(self, response: Response) -> None:
        match response:
            case Status(tag) if tag == self._tag:
                self._wire.reply(tag)
                self._tag = None
            case Counted("EXPUNGE") | Data("VANISHED"):
                self._mailboxes |= self.covers
                self._everywhere |= self._looks_cheaply
            case Counted("EXISTS") | Fetch():
                self._mailboxes |= self.covers

    def _go_on(self) -> None:
        if self._tag is not None:
            return
        self._count("ends IDLE")
        tag = self._wire.send(b"IDLE")
        self._wire.flush()
        self._wire.transport.allow(PATIENCE)
        while (told := self._wire.reply(tag)) is None:
            response = self._wire.read()
            if isinstance(response, Continuation):
                self._tag = tag
                return
            self._take_in(response)
        raise ServerRefusedError(f"{self._wire.where}: the server refused IDLE: {told.words}")
