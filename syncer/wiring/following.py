"""Following an account: what a `watch` tells of it, or else whether another run works on it. Asks no server."""

import threading
from collections.abc import Callable
from contextlib import suppress

from syncer.config import Account, Config
from syncer.daemon.control import follow
from syncer.errors import IndexFileError
from syncer.findings import By
from syncer.index import read_index
from syncer.index.files import is_locked, sibling
from syncer.values import Struct
from syncer.wiring.news import News, follow_question, news_of
from syncer.wiring.status import Files

LOOK = 1.0
"""Seconds between two looks whether somebody works on the account."""
SOON = 0.3
"""Seconds between two looks for a `watch` that is about to answer."""
RETURNS = 10
"""So many, before one counts as gone that has just told something: it may only read its configuration again."""
BEGINS = 3
"""So many, before one counts as another run that has just taken the account: a `watch` answers a moment later."""


class Seen(Struct, frozen=True):
    """What is seen of an account."""

    account: str
    by: By | None
    """Who works on it: a `watch`, another run, or nobody."""
    news: News | None = None
    """What the `watch` tells; None: nothing, or nothing that is understood."""
    messages: int | None = None
    """How many messages the index knows, while another run works."""


def follow_account(config: Config, account: Account, tell: Callable[[Seen], None], stop: threading.Event) -> None:
    """Tell what is seen of an account, at once and whenever that changes, until `stop` is set."""
    _Following(account.name, Files.of(config, account), tell, stop).run()


class _Following:
    """What was told last, and how often something else was seen since."""

    def __init__(self, account: str, files: Files, tell: Callable[[Seen], None], stop: threading.Event) -> None:
        self._account, self._files = account, files
        self._tell = tell
        self._stop = stop
        self._last: Seen | None = None
        self._doubts = 0

    def run(self) -> None:
        """Until the end."""
        while not self._stop.is_set():
            if not self._listen():
                self._look()
            self._stop.wait(SOON if self._doubts else LOOK)

    def _listen(self) -> bool:
        """Pass on what a `watch` tells, as long as it does; whether there is one."""
        news, found = None, False
        for line in follow(self._files.control, follow_question(), lambda: not self._stop.is_set()):
            news, found = news_of(line), True
            self._show(Seen(self._account, "watch", news))
        if news is not None and news.refused is None:
            self._doubts = 1  # it may be back in a moment
        return found

    def _look(self) -> None:
        """See who works on the account where no `watch` answers."""
        now = self._otherwise()
        self._doubts = 0 if now == self._last else self._doubts + 1
        if self._doubts >= _looks(self._last, now):
            self._show(now)

    def _show(self, now: Seen) -> None:
        if now != self._last or now.news is not None:
            self._tell(now)
        self._last, self._doubts = now, 0

    def _otherwise(self) -> Seen:
        if not is_locked(sibling(self._files.index, ".lock")):
            return Seen(self._account, None)
        messages = None
        with suppress(IndexFileError):  # `status` says what is wrong with it
            snapshot = read_index(self._files.index)
            messages = snapshot.pairs if snapshot is not None else None
        return Seen(self._account, "run", messages=messages)


def _looks(last: Seen | None, now: Seen) -> int:
    """How often something has to be seen before it counts."""
    if last is not None and last.by == "watch":
        return RETURNS
    return BEGINS if now.by == "run" and (last is None or last.by is None) else 1
