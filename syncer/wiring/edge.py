"""The edge of an account: accounts are worked on side by side, and whatever goes wrong in one is said in its report."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from syncer.config import Account, Config
from syncer.errors import SyncerError
from syncer.report import Target
from syncer.wiring.calls import MOST
from syncer.workers import Workers


class AccountOutcome(Protocol):
    """What came of one account."""

    error: str | None
    seconds: float

    def fail(self, error: Exception) -> None:
        """The account was given up because of `error`."""


Outcome = TypeVar("Outcome", bound=AccountOutcome)


def each_account(
    config: Config,
    targets: Sequence[Target],
    outcome: Callable[[str], Outcome],
    work: Callable[[Account, Sequence[Target], Outcome], None],
    stop: threading.Event,
    *,
    most: int = MOST,
) -> list[Outcome]:
    """Work on the accounts that `targets` name, or on all; returns what came of each, in the order of the settings.

    `work` fills what `outcome` makes for an account of this name, for `most` of them at a time. `stop` is set if the
    whole is broken off.
    """
    chosen: dict[str, list[Target]] = {}
    for target in targets or [Target(account.name) for account in config.accounts]:
        chosen.setdefault(target.account, []).append(target)
    with Workers(most, "account") as workers:
        tasks = [
            workers.submit(partial(contained, account.name, outcome(account.name), partial(work, account, wanted)))
            for account in config.accounts
            if (wanted := chosen.get(account.name))
        ]
        try:
            return [task.result() for task in tasks]
        except BaseException:
            stop.set()
            raise


def contained(name: str, outcome: Outcome, work: Callable[[Outcome], None]) -> Outcome:
    """Do one piece of work on an account; returns `outcome`, in which whatever goes wrong is said."""
    began = time.monotonic()
    try:
        work(outcome)
    except SyncerError as error:
        outcome.fail(error)
    except Exception as error:  # a fault of ours in one account must not stop another
        import logging  # noqa: PLC0415 - slow to load, and not needed by a program without faults

        logging.getLogger(__name__).exception("account %s: internal error", name)
        outcome.fail(error)
        outcome.error = f"internal error, please report it: {type(error).__name__}: {error}"
    outcome.seconds = time.monotonic() - began
    return outcome
