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

    @classmethod
    def of(cls, config: Config, account: Account) -> "Files":
        """Below the state directory, by the account's name."""
        return cls(config.state_dir / f"{account.name}.db", config.state_dir / "attic" / account.name)


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
