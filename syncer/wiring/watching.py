"""Accounts that are kept equal by themselves, until somebody ends it; `watched` is one of them."""

import math
import threading
from collections.abc import Sequence

from syncer.config import Account, Config
from syncer.errors import AccountError
from syncer.ports.rest import Hope
from syncer.report import AccountReport, Report, Target
from syncer.watching.standing import Standing
from syncer.wiring.edge import each_account
from syncer.wiring.telling import Audience
from syncer.wiring.watched import Watched


class Watch:
    """All the accounts."""

    def __init__(self, config: Config, targets: Sequence[Target], audience: Audience, stop: threading.Event) -> None:
        """`stop` ends it; call `end` after it was set."""
        self._config = config
        self._targets = targets
        self._audience = audience
        self._stop = stop
        self._watched: list[Watched] = []

    def run(self) -> Report:
        """Keep the accounts equal until the end; what is reported is why accounts were given up before."""
        accounts = each_account(
            self._config, self._targets, AccountReport, self._one, self._stop, most=len(self._config.accounts)
        )
        return Report(accounts)

    def hurry(self, hope: Hope) -> None:
        """Look at everything now, and try again what is waited for: there is new hope."""
        for watched in list(self._watched):
            watched.hurry(hope)

    def stuck(self) -> list[str]:
        """The names of accounts in which nothing goes on although it should."""
        return [watched.account.name for watched in list(self._watched) if watched.loop.pulse.stuck]

    def end(self) -> None:
        """`stop` was set."""
        for watched in list(self._watched):
            watched.loop.end()

    def standings(self) -> tuple[Standing, ...]:
        """How it stands with each account."""
        return tuple(watched.telling.standing for watched in list(self._watched))

    def _one(self, account: Account, targets: Sequence[Target], _report: AccountReport) -> None:
        watched = Watched(self._config, account, targets, self._audience, self._stop)
        self._watched.append(watched)
        try:
            watched.run()
        except AccountError as error:
            if not self._stop.is_set():
                watched.telling.failed(error, math.inf)
                raise
        finally:
            self._audience.begun(account.name)
