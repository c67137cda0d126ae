"""Tells the service manager what the program does, and from time to time that it is alive."""

import sys
import threading
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from syncer.daemon.notify import Supervisor
from syncer.later import Later

if TYPE_CHECKING:
    import faulthandler
    import logging
else:
    faulthandler, logging = Later("faulthandler"), Later("logging")


class Keeper:
    """Speaks to a supervisor for as long as the context lasts. Its methods may be called from any thread."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._said: dict[str, str] = {}
        self._thread: threading.Thread | None = None
        self.stuck: Callable[[], Collection[str]] = tuple
        """Tells which accounts are; then it is not said that the program lives, until its supervisor ends it."""

    def __enter__(self) -> Self:
        if self._supervisor.interval is not None:
            self._thread = threading.Thread(target=self._beat, name="alive", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def ready(self) -> None:
        """It has started, or has read its configuration again."""
        self._supervisor.ready()

    def reloading(self) -> None:
        """It reads its configuration again."""
        with self._lock:
            self._said.clear()
        self._supervisor.reloading()

    def stopping(self) -> None:
        """It is about to end."""
        self._supervisor.stopping()

    def tell(self, account: str, words: str) -> None:
        """What an account does."""
        with self._lock:
            if self._said.get(account) == words:
                return
            self._said[account] = words
            status = _status(self._said)
        self._supervisor.status(status)

    def _beat(self) -> None:
        assert self._supervisor.interval is not None
        accused: set[str] = set()
        while not self._over.wait(self._supervisor.interval):
            stuck = self.stuck()
            if not stuck:
                self._supervisor.alive()
            elif not accused.issuperset(stuck):
                accused.update(stuck)
                words = "account %s: stuck: nothing goes on, and this is where; please report it"
                logging.getLogger(__name__).error(words, ", ".join(sorted(stuck)))
                if sys.stderr is not None:
                    faulthandler.dump_traceback(sys.stderr, all_threads=True)


def _status(said: Mapping[str, str]) -> str:
    return "; ".join(f"{account}: {words}" for account, words in sorted(said.items()))
