"""What an account's index says, where it is, and what waits to be sent. Loads nothing that talks to a server."""

import os
import time
from contextlib import closing
from pathlib import Path

from syncer.config import Account, Config
from syncer.errors import AccountError, IndexFileError
from syncer.findings import AccountStatus, By
from syncer.index import IndexSnapshot, frozen_index, read_index
from syncer.index.files import is_locked, sibling
from syncer.values import Struct, replace


class Files(Struct, frozen=True):
    """Where an account keeps what is not mail."""

    index: Path
    attic: Path
    control: Path
    """The socket at which a `watch` answers."""

    @classmethod
    def of(cls, config: Config, account: Account) -> "Files":
        """Below the state directory, by the account's name."""
        state = config.state_dir
        return cls(state / f"{account.name}.db", state / "attic" / account.name, state / f"{account.name}.sock")

    @property
    def may_be_watched(self) -> bool:
        """Whether a `watch` may answer. Not where nobody may look: whoever needs the index says so."""
        return os.path.exists(self.control)


def account_status(config: Config, account: Account, *, queue: bool = False) -> AccountStatus:
    """What is known of the account; an index that cannot be read is said in `error`.

    With `queue`, the Maildir is looked at as well, without keeping anybody from working on it.
    """
    known = error = None
    try:
        snapshot = read_index(Files.of(config, account).index)
    except IndexFileError as problem:
        error, snapshot = str(problem), None
    known = snapshot.mailboxes if snapshot is not None else None
    status = AccountStatus(account.name, account.host, str(account.maildir), known, error)
    if not queue or snapshot is None or snapshot.store_id is None:
        return status
    status = replace(status, by=at_work(Files.of(config, account)))
    try:
        return _with_queue(status, config, account, snapshot)
    except AccountError as problem:
        return replace(status, unseen=(str(problem),))


def at_work(files: Files) -> By | None:
    """Who works on the account at the moment, as far as that is told."""
    if files.may_be_watched:
        from syncer.daemon.control import listens  # noqa: PLC0415 - hardly ever there

        if listens(files.control):
            return "watch"
    return "run" if is_locked(sibling(files.index, ".lock")) else None


def _with_queue(status: AccountStatus, config: Config, account: Account, snapshot: IndexSnapshot) -> AccountStatus:
    """Raises AccountError: the Maildir is not there, or cannot be looked at."""
    from syncer.maildir.store import MaildirStore  # noqa: PLC0415 - not needed to read an index
    from syncer.observer.glance import quiet_here  # noqa: PLC0415 - as above
    from syncer.report import SyncOptions  # noqa: PLC0415 - as above
    from syncer.wiring.orders import order_of  # noqa: PLC0415 - as above

    files, order = Files.of(config, account), order_of(account, SyncOptions(), None)
    root, attic = str(account.maildir), str(files.attic)
    store = MaildirStore.open(root, account.layout, attic, snapshot.store_id, read_only=True, alone=False)
    with closing(store):
        if quiet_here(store, snapshot.mailboxes, order.wants, order.settings):
            return replace(status, queued={})
        from syncer.engine.queued import Queue  # noqa: PLC0415 - mostly nothing is queued

        with closing(frozen_index(files.index)) as index:
            found = Queue(store, index, order, int(time.time()))
    return replace(status, queued=found.queued, unseen=tuple(found.problems))
