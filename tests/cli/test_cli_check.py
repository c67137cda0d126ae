"""`syncer check`."""

from collections.abc import Callable, Iterator

import pytest
from cli_support import Ran

from syncer.config import Account, Config
from syncer.errors import IndexFileError, LoginError, SyncerError
from syncer.findings import CheckLine

GOOD = CheckLine("Maildir", True, "/m/work, 3 mailboxes")
LOCAL = CheckLine("Maildir", False, "/m/work is not writable", "run: chmod u+w /m/work")
CONNECT = CheckLine("server", False, "does not answer", "is the network up?", "connect")


def checking(*lines: CheckLine, error: SyncerError | None = None) -> Callable[[Config, Account], Iterator[CheckLine]]:
    def check_account(config: Config, account: Account) -> Iterator[CheckLine]:
        yield from lines
        if error is not None:
            raise error

    return check_account


@pytest.mark.parametrize(
    ("lines", "status", "expected"),
    [
        ([GOOD], 0, "ok      work: Maildir: /m/work, 3 mailboxes\n"),
        (
            [LOCAL, GOOD],
            1,
            (
                "FAILED  work: Maildir: /m/work is not writable\n        -> run: chmod u+w /m/work\n"
                "ok      work: Maildir: /m/work, 3 mailboxes\n"
            ),
        ),
        (
            [CONNECT, LOCAL],
            3,
            (
                "FAILED  work: server: does not answer\n        -> is the network up?\n"
                "FAILED  work: Maildir: /m/work is not writable\n        -> run: chmod u+w /m/work\n"
            ),
        ),
    ],
)
def test_each_thing_is_one_line_with_what_to_do(
    syncer: Callable[..., Ran], wiring: Callable[..., None], lines: list[CheckLine], status: int, expected: str
) -> None:
    wiring(check_account=checking(*lines))
    assert Ran(status, f"ok      configuration: CONF\n{expected}", "") == syncer("check", "work")


@pytest.mark.parametrize(("error", "status"), [(LoginError("wrong password"), 3), (IndexFileError("damaged"), 1)])
def test_what_ends_a_check_is_a_line_of_it(
    syncer: Callable[..., Ran], wiring: Callable[..., None], error: SyncerError, status: int
) -> None:
    wiring(check_account=checking(GOOD, error=error))
    ran = syncer("check", "work")
    assert ran.status == status
    assert ran.out.endswith(f"FAILED  work: account: {error}\n")


def test_without_names_every_account_is_checked(syncer: Callable[..., Ran], wiring: Callable[..., None]) -> None:
    wiring(check_account=checking(GOOD))
    assert [line.split()[1] for line in syncer("check").out.splitlines()[1:]] == ["work:", "home:"]
    assert syncer("check", "hme").err.startswith("syncer: no account 'hme' in CONF; did you mean 'home'?")
