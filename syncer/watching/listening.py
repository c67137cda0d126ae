"""Hears of changes on the server and passes them on as hints, on a connection of its own, for as long as it takes.

What happened before it began to listen it cannot know, so each time it begins everything is looked at. A server that
tells nothing by itself is left to the loop, which looks at everything from time to time.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext

from syncer.errors import AccountError
from syncer.ports.push import Heard, Push
from syncer.ports.rest import STRONGER, Hope
from syncer.reconcile.identity import MailboxName
from syncer.watching.loop import Persistently

Listens = Callable[[frozenset[MailboxName] | None], AbstractContextManager[None]]
"""A context in which a connection tells of these mailboxes; None: of all of them."""


class Listening:
    """One connection that listens, and its thread."""

    def __init__(
        self,
        begin: Callable[[], Push | None],
        told: Callable[[Collection[MailboxName] | None], None],
        persistently: Persistently,
        *,
        keepalive: float,
        deaf: Callable[[Exception], None],
        listens: Listens = lambda _covers: nullcontext(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`begin` connects; None where the server cannot tell. `told` gets what it tells of; None: of everything.

        Every `keepalive` seconds the connection is checked.

        `deaf` is told of a fault of ours that ends the listening: others have to look from time to time.
        """
        self._begin = begin
        self._told = told
        self._persistently = persistently
        self._listens = listens
        self._over = threading.Event()
        self._keepalive = keepalive
        self._deaf = deaf
        self._clock = clock
        self._wake_reader, self._wake_writer = os.pipe()
        self._lock = threading.Lock()
        self._check_now = False
        """Exactly as long as there is an octet in the pipe."""
        self._ended = False
        self._hopes: Mapping[Hope, threading.Event] = {"network": threading.Event(), "person": threading.Event()}
        self._thread = threading.Thread(target=self._run, name="listening", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def hurry(self, hope: Hope) -> None:
        """See whether the connection still stands, or try to make one: something has changed. See `Loop.hurry`."""
        with self._lock:
            if self._ended:  # the descriptor may be another file by now
                return
            if not self._check_now:
                self._check_now = True
                os.write(self._wake_writer, b".")
            for waited_for in STRONGER[hope]:
                self._hopes[waited_for].set()

    def end(self) -> None:
        """Close the connection and wait for the thread, which ends at once."""
        self._over.set()
        self.hurry("person")
        if self._thread.ident is not None:
            self._thread.join()
        with self._lock:
            self._ended = True
            os.close(self._wake_reader)
            os.close(self._wake_writer)

    def _run(self) -> None:
        try:
            self._persistently(self._listen, self._rest, self._over)
        except AccountError:  # only at the end is it given up
            return
        except Exception as error:  # noqa: BLE001 - a thread that dies in silence leaves the account without news
            self._deaf(error)

    def _listen(self) -> None:
        """Returns at the end, or where there is nothing to listen to."""
        for hope in self._hopes.values():
            hope.clear()
        if self._over.is_set():
            return
        push = self._begin()
        if push is None:
            return
        try:
            with self._listens(push.covers):
                self._hear(push)
        finally:
            push.close()

    def _hear(self, push: Push) -> None:
        self._told(None)
        checked = self._clock()
        while not self._over.is_set():
            heard = push.hear(max(0.0, checked + self._keepalive - self._clock()), self._wake_reader)
            if heard.nothing and self._is_time(checked):
                heard = push.check()
                checked = self._clock()
            self._pass_on(heard)

    def _is_time(self, checked: float) -> bool:
        """Whether the connection is to be checked now."""
        with self._lock:
            if not self._check_now:
                return self._clock() >= checked + self._keepalive
            os.read(self._wake_reader, 1)
            self._check_now = False
        return not self._over.is_set()

    def _pass_on(self, heard: Heard) -> None:
        if not heard.nothing:
            self._told(None if heard.everywhere else heard.mailboxes)

    def _rest(self, seconds: float, hope: Hope) -> bool:
        """Pause; not at all if there was new hope since the last attempt began. Returns whether there is."""
        return not self._over.is_set() and self._hopes[hope].wait(seconds)
