"""What one account hears of its server: by NOTIFY on one connection, else by IDLE in some mailboxes.

How often everything is looked at follows from that. A server that promises to tell of every mailbox is believed as
long as what is found by looking was told of before.
"""

import threading
import time
from collections.abc import Callable, Collection
from functools import partial
from types import TracebackType
from typing import Self

from syncer.config import Account
from syncer.errors import ConnectError, LoginError, MailboxError
from syncer.imap.mailbox import ImapServer
from syncer.ports.push import Push
from syncer.ports.rest import Hope
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import AccountReport
from syncer.watching.listening import Listening
from syncer.watching.loop import Loop
from syncer.watching.trust import AGAIN, Trust
from syncer.wiring.parts import Connect
from syncer.wiring.telling import Telling


class Hearing:
    """Listens for as long as the context lasts."""

    def __init__(
        self,
        account: Account,
        wants: Callable[[MailboxName], bool],
        connector: Callable[[Connect | None], Connect],
        loop: Loop,
        telling: Telling,
    ) -> None:
        """`connector` gives what opens a connection at the moment, but for one by which the log-in was refused."""
        self._account = account
        self._connector = connector
        self._loop = loop
        self._telling = telling
        named = [INBOX if name.upper() == INBOX else MailboxName(name) for name in account.idle]
        self._mailboxes = [name for name in dict.fromkeys(named) if wants(name)] or [INBOX]
        """To idle in, where the server has no NOTIFY, or does not keep its promise."""
        self._listening: list[Listening] = []
        self._refused: dict[MailboxName, Connect] = {}
        """By what each was refused the last time: the password may change."""
        self._lock = threading.Lock()
        self._trust: Trust | None = None
        """While the server has promised to tell of every mailbox."""
        self._deceived = False
        self._over = False
        self._needed = threading.Event()
        """What the first connection hears is not enough: the others idle in the other mailboxes."""

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def hurry(self, hope: Hope) -> None:
        """See whether all connections still stand, and try to make those that do not."""
        for listening in list(self._listening):
            listening.hurry(hope)

    def looked(self, began: float, report: AccountReport, counted: Collection[MailboxName]) -> None:
        """Everything was looked at, from `began` (monotonic) on: what the server had changed it must have told.

        `counted` are the mailboxes whose counters are others than before: what was fetched again because it was missing
        here is no change of the server's.
        """
        changed = [
            box.name
            for box in report.mailboxes.values()
            if box.name in counted and (box.downloaded or box.flags_local or box.moved_local or box.deleted_local)
        ]
        undone = [box.name for box in report.mailboxes.values() if box.trouble or box.notes]
        with self._lock:
            lost = self._trust.looked(began, changed, undone) if self._trust is not None else None
        if lost:
            import logging  # noqa: PLC0415 - seldom needed

            words = "account %s: the server told nothing of changes in %s, as it had promised to (NOTIFY); using IDLE"
            logging.getLogger(__name__).warning(words, self._account.name, ", ".join(sorted(lost)))
            self._deceived = True
            self._end()
            self._begin()

    def _begin(self) -> None:
        self._over = False
        self._needed = threading.Event()
        for mailbox in self._mailboxes:
            listening = Listening(
                partial(self._listen, mailbox),
                self._told,
                self._loop.persistently,
                keepalive=self._account.keepalive,
                deaf=self._deaf,
                listens=self._telling.listening,
            )
            self._listening.append(listening)
            listening.start()

    def _end(self) -> None:
        self._over = True
        self._needed.set()
        while self._listening:
            self._listening.pop().end()

    def _told(self, mailboxes: Collection[MailboxName] | None) -> None:
        with self._lock:
            promised = self._trust is not None
            if self._trust is not None:
                self._trust.told(time.monotonic(), mailboxes)
        self._loop.hint("server", mailboxes)
        if promised and mailboxes is not None:
            self._loop.look_later(AGAIN, "server", None)

    def _listen(self, mailbox: MailboxName) -> Push | None:
        first = mailbox == self._mailboxes[0]
        if first:
            self._promised(None)
        else:
            self._needed.wait()
            if self._over:
                return None
        push: Push | None = None
        server = self._connected(mailbox)
        try:
            push = server.listen(mailbox, notify=first and not self._deceived)
        except MailboxError as error:  # it may come back
            self._needed.set()
            raise ConnectError(str(error)) from error
        finally:
            if push is None:
                server.close()
        if push is not None and push.covers is None:
            self._promised(Trust(time.monotonic()))
        else:
            self._needed.set()
        return push

    def _connected(self, mailbox: MailboxName) -> ImapServer:
        refused = self._refused.pop(mailbox, None)
        connect = self._connector(refused)
        try:
            server = connect()
        except LoginError:
            self._refused[mailbox] = connect
            raise
        if refused is not None:
            self._loop.hurry("person")  # it has only heard that it was refused
        return server

    def _promised(self, trust: Trust | None) -> None:
        """The server tells of every mailbox from now on, or nobody knows."""
        account = self._account
        with self._lock:
            self._trust = trust
        if trust is not None:
            self._loop.interval = max(account.keepalive, account.poll_interval)
        elif self._loop.interval != account.poll_interval:
            self._loop.look_every(account.poll_interval)

    def _deaf(self, error: Exception) -> None:
        """See `Listening`."""
        import logging  # noqa: PLC0415 - only where there is a fault of ours

        words = "account %s: internal error, please report it; nobody listens any more, the server is asked instead"
        logging.getLogger(__name__).error(words, self._account.name, exc_info=error)
        self._loop.look_every(self._account.poll_interval)
