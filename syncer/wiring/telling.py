"""What happens in one watched account, for everybody who wants to know, and how it stands."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from syncer.daemon.followers import MOST, Followers
from syncer.daemon.pending import Change
from syncer.errors import AccountError
from syncer.ports import KnownMailbox, Progress
from syncer.reconcile.events import Event
from syncer.reconcile.identity import MailboxName
from syncer.report import AccountReport
from syncer.values import Struct
from syncer.watching import standing as stands
from syncer.watching.standing import Standing, kind_of
from syncer.wiring.news import VERSION, Failure, News, line_of


class Audience(Struct, frozen=True):
    """Who is told what happens; called from several threads."""

    begun: Callable[[str], None]
    """An account is open and watched, or it was said what is waited for; called at least once."""
    passed: Callable[[AccountReport], None]
    """A pass is over."""
    failed: Callable[[str, AccountError, float], None]
    """An account cannot be worked on, and is tried again after so many seconds, which may be infinitely many."""
    progress: Progress
    changed: Callable[[str, Sequence[Change]], None] | None = None
    """These files of an account's Maildir were just changed; None: nobody wants to know."""
    done: Callable[[str, int, Event], None] | None = None
    """What was done in an account, and when; likewise."""
    stands: Callable[[Standing], None] | None = None
    """How it stands with an account, whenever that has changed; likewise. Must neither wait nor raise."""


class Telling:
    """Tells of one account. Thread-safe."""

    def __init__(self, account: str, audience: Audience, now: Callable[[], float] = time.time) -> None:
        self._account = account
        self._audience = audience
        self._now = now
        self._turn = threading.Lock()
        self._standing = Standing(account, since=int(now()))
        self.followers = Followers(lambda at, number: line_of(News(VERSION, account, at, dropped=number)))
        """Those beyond the audience, each on a connection of its own."""

    @property
    def standing(self) -> Standing:
        """How it stands with the account at the moment."""
        return self._standing

    def opened(self) -> None:
        """The account is open, and watched."""
        self._audience.begun(self._account)

    def began(self) -> None:
        """A pass begins."""
        self._becomes(stands.began)

    def passed(self, report: AccountReport, known: Iterable[KnownMailbox]) -> None:
        """A pass is over; `known` are the mailboxes that are watched, as the index has them now."""
        self._becomes(lambda standing, now: stands.passed(standing, report, now, known))
        self._follow(report=report)
        self._audience.passed(report)

    def failed(self, error: AccountError, seconds: float) -> None:
        """The account cannot be worked on, and is tried again after so many seconds, which may be infinitely many."""
        self._becomes(lambda standing, now: stands.failed(standing, error, now, seconds))
        self._broken(error, self._standing.waiting.until if self._standing.waiting is not None else None)
        self._audience.failed(self._account, error, seconds)
        self._audience.begun(self._account)

    def closing(self, error: AccountError) -> None:
        """The account is about to be closed because of an error; followers, who are sent away then, are told why."""
        self._broken(error, None)

    def attend(self, follower: socket.socket) -> None:
        """Tell somebody how it stands, and then all that happens, until either goes."""
        if not self.followers.attend(follower, lambda: line_of(self._news(standing=self._standing))):
            follower.sendall(line_of(self._news(refused=f"{MOST} follow it already")))

    def kept(self) -> None:
        """The server has answered, although nothing was to be done."""
        self._becomes(stands.kept)

    def unlinked(self) -> None:
        """The connections on which passes are made were closed."""
        self._becomes(lambda standing, _: stands.unlinked(standing))

    @contextmanager
    def listening(self, covers: frozenset[MailboxName] | None) -> Iterator[None]:
        """For as long as the context lasts, the server tells of these mailboxes; None: of all of them."""
        self._becomes(lambda standing, _: stands.hears(standing, covers))
        try:
            yield
        finally:
            self._becomes(lambda standing, _: stands.deaf(standing, covers))

    def watches(self, degraded: str | None) -> None:
        """Why the Maildir cannot be watched as well as can be; said once for each reason."""
        before = self._standing.degraded
        self._becomes(lambda standing, _: stands.watches(standing, degraded))
        if degraded not in {None, before}:
            import logging  # noqa: PLC0415 - seldom needed

            logging.getLogger(__name__).warning("account %s: %s", self._account, degraded)

    def _becomes(self, change: Callable[[Standing, int], Standing]) -> None:
        with self._turn:
            before, self._standing = self._standing, change(self._standing, int(self._now()))
            if self._standing != before:
                self._follow(standing=self._standing)
                if self._audience.stands is not None:
                    self._audience.stands(self._standing)

    def _broken(self, error: AccountError, until: int | None) -> None:
        self._follow(failure=Failure(kind_of(error), str(error), until))

    def _follow(self, **news: Any) -> None:
        """Tell those who follow; a line is made only if somebody does."""
        self.followers.tell(int(self._now()), lambda: line_of(self._news(**news)))

    def _news(self, **news: Any) -> News:
        return News(VERSION, self._account, int(self._now()), **news)
