"""What `restore` makes of its arguments."""

import datetime as dt
from collections.abc import Callable

import pytest
from cli_support import Ran

from syncer.cli.restore import attic_day
from syncer.findings import Restored
from syncer.reconcile.identity import MailboxName, UniqueName
from syncer.wiring.history import Wish


@pytest.mark.parametrize(("hours", "day"), [(9, "2026-11-29"), (0, "2026-11-30"), (-8, "2026-11-30")])
def test_a_day_here_may_begin_on_an_earlier_day_of_the_attic(hours: int, day: str) -> None:
    assert attic_day(dt.datetime(2026, 11, 30, tzinfo=dt.timezone(dt.timedelta(hours=hours)))) == day


@pytest.mark.parametrize(
    ("target", "after"),
    [
        ("work:Box", "the next sync uploads it"),
        ("work:Spam", "it stays in the Maildir alone"),
        ("home:Box", "it stays in the Maildir alone"),
    ],
)
def test_an_upload_is_announced_where_a_sync_makes_it(
    syncer: Callable[..., Ran], wiring: Callable[..., None], target: str, after: str
) -> None:
    mailbox = MailboxName(target.partition(":")[2])
    wiring(Wish=Wish, restore_from_attic=lambda *_, **__: [Restored(mailbox, "2026-11-26", UniqueName("1.x"))])
    assert syncer("restore", target, "--deleted") == Ran(
        0, f"{target}: 1.x, removed on 2026-11-26: brought back; {after}\n", ""
    )
