"""Opens what an account consists of: its index, its Maildir and its connections."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from syncer.config import Account, Config
from syncer.errors import LockedError, LoginError, RefusedError, StoppedError, WatchedError
from syncer.imap.auth import Password
from syncer.imap.connection import ServerSettings, connect
from syncer.imap.dial import Call
from syncer.imap.mailbox import ImapServer
from syncer.index import open_index
from syncer.index.store import SqliteIndex
from syncer.maildir.store import MaildirStore
from syncer.passwords import resolve_password
from syncer.ports import Index
from syncer.values import Struct
from syncer.wiring.calls import endpoint_of
from syncer.wiring.login import insist_on_the_same_mail
from syncer.wiring.status import Files

LOCK_SECONDS = 0.5
"""How often a run that waits for another looks whether it should still wait."""

_SERVER = "server"
"""Under which the index keeps what the last connection left of the server."""

Connect = Callable[[], ImapServer]
"""Opens a connection."""

T = TypeVar("T")


class Workshop(Struct, frozen=True):
    """What a pass works with; closed on leaving `opened`."""

    index: SqliteIndex
    store: MaildirStore


@contextmanager
def opened(
    config: Config, account: Account, *, stop: threading.Event, wait: bool = False, read_only: bool = False
) -> Iterator[Workshop]:
    """Open index and Maildir, which keeps every other run out of this account.

    Raises:
        LockedError: another run works on the account; with `wait` only a WatchedError, for nobody waits for a `watch`.
        RefusedError: the Maildir is not the one that the index knows, or the account of another login is another.
        AccountError: one of them cannot be used.
    """
    files = Files.of(config, account)
    with ExitStack() as stack:

        def open_it() -> SqliteIndex:
            try:
                return open_index(files.index, account.name)
            except LockedError:
                insist_unwatched(config, account)
                raise

        index = _patiently(open_it, stop, wait=wait)
        stack.callback(index.close)
        known = index.store_id

        def open_store() -> MaildirStore:
            root, attic = str(account.maildir), str(files.attic)
            return MaildirStore.open(
                root, account.layout, attic, known, read_only=read_only, durability=account.durability
            )

        with _telling_how_to_begin_anew(files.index):
            store = _patiently(open_store, stop, wait=wait)
            stack.callback(store.close)
            insist_on_the_same_mail(account, index, connector_for(account, stop), learn=not read_only)
        if known is None and not read_only:
            index.bind(store.store_id)
        yield Workshop(index, store)


def connector_for(
    account: Account, stop: threading.Event, *, call: Call | None = None, index: Index | None = None
) -> Connect:
    """What opens a connection. The password is asked for once, when it is first needed.

    The first connection takes over `call`. With an index, the server is remembered there, and the first connection
    asks for the state of every mailbox as soon as it can.
    """
    lock = threading.Lock()
    kept: list[ServerSettings] = []
    first: list[tuple[Call | None, bool]] = [(call, index is not None)]

    def settings() -> tuple[ServerSettings, Call | None, bool]:
        with lock:
            if not kept:
                kept.append(_server_settings(account, Password(resolve_password(account).reveal())))
            return kept[0], *(first.pop() if first else (None, False))

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise StoppedError("stopped before there was a connection")

    def open_it() -> ImapServer:
        values, mine, early = settings()
        memory = index.recall(_SERVER) if index is not None else None
        server = connect(values, memory=memory, early=early, call=mine, sleep=pause, stop=stop)
        if index is not None and server.memory not in {None, memory}:
            index.remember(_SERVER, server.memory or "")
        return server

    return open_it


def one_by_one(connect: Connect, stop: threading.Event) -> Connect:
    """`connect` for several threads of which, until one was let in, one tries at a time and none after a refusal.

    Each with its own attempts would lock an account whose password is wrong.
    """
    lock = threading.Lock()
    refusals: list[str] = []
    let_in = threading.Event()

    def open_it() -> ImapServer:
        if let_in.is_set():
            return connect()
        with lock:
            if refusals:
                raise LoginError(refusals[0])
            if stop.is_set():
                raise StoppedError("stopped before there was a connection")
            try:
                server = connect()
            except LoginError as error:
                refusals.append(str(error))
                raise
            let_in.set()
            return server

    return open_it


def _patiently(open_it: Callable[[], T], stop: threading.Event, *, wait: bool) -> T:
    """Not blocked in the kernel: a person who waits may also want to stop."""
    while True:
        try:
            return open_it()
        except WatchedError:
            raise
        except LockedError:
            if not wait or stop.wait(LOCK_SECONDS):
                raise


def insist_unwatched(config: Config, account: Account) -> None:
    """Raise WatchedError if a `watch` keeps the account equal already."""
    files = Files.of(config, account)
    if files.may_be_watched:
        from syncer.daemon.control import listens  # noqa: PLC0415 - hardly ever there

        if listens(files.control):
            raise _watched(account)


def _watched(account: Account) -> WatchedError:
    words = "a `syncer watch` keeps it equal, and this needs the account for itself: end it, and begin it again after"
    return WatchedError(f"account {account.name}: {words}")


@contextmanager
def _telling_how_to_begin_anew(index: Path) -> Iterator[None]:
    """A refusal that says what comes of it if the index is removed is given the command that removes it."""
    try:
        yield
    except RefusedError as error:
        if error.anew is None:
            raise
        raise RefusedError(f"{error}. {error.anew}: {_removing(index)}") from error


def _removing(index: Path) -> str:
    """The command that removes the index."""
    import shlex  # noqa: PLC0415 - only for what nearly never happens

    from syncer.index.files import SIDECARS  # noqa: PLC0415 - as above

    return shlex.join(["rm", "-f", *(f"{index}{suffix}" for suffix in ("", *SIDECARS))])


def _server_settings(account: Account, password: Password) -> ServerSettings:
    return ServerSettings.to(
        endpoint_of(account),
        user=account.user,
        password=password,
        read_seconds=account.timeout,
        compress=account.compress,
    )
