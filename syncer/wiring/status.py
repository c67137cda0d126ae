"""What an account's index says, and where it is. Loads nothing that talks to a server."""

from pathlib import Path

from syncer.config import Account, Config
from syncer.errors import IndexFileError
from syncer.findings import AccountStatus
from syncer.index import read_index
from syncer.values import Struct


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


def account_status(config: Config, account: Account) -> AccountStatus:
    """What is known of the account; an index that cannot be read is said in `error`."""
    known = error = None
    try:
        snapshot = read_index(Files.of(config, account).index)
    except IndexFileError as problem:
        error = str(problem)
    else:
        known = snapshot.mailboxes if snapshot is not None else None
    return AccountStatus(account.name, account.host, str(account.maildir), known, error)
