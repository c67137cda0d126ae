"""`syncer status --follow`: what is, and then what happens, until it is ended."""

import argparse
import queue
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from syncer.cli.output import Line, Output
from syncer.cli.standing import documents, doing
from syncer.cli.status import as_json, lines
from syncer.cli.targets import invocation
from syncer.cli.told import Told
from syncer.config import Account, Config
from syncer.report import JSON_VERSION, OK

if TYPE_CHECKING:
    from syncer.wiring.following import Seen
    from syncer.wiring.news import News

SETTLED: Final = 1.0
"""Seconds without a further change after which it is said what an account does: much of it lasts for a moment only."""
NOTEWORTHY: Final = 1.1
"""So many times as many messages as were said last are said again, while another process works."""


def follow(options: argparse.Namespace, output: Output, config: Config) -> int:
    """Print until a signal ends it, or nobody reads any more; returns the exit status."""
    from syncer.wiring import follow_account  # noqa: PLC0415 - as the other commands do

    printing = _Documents(output) if options.json else _Words(output, invocation(options))
    for account in config.accounts:
        printing.begin(config, account)
    heard: queue.SimpleQueue[Seen] = queue.SimpleQueue()
    stop = threading.Event()
    for account in config.accounts:
        work = partial(follow_account, config, account, heard.put, stop)
        threading.Thread(target=work, name="following", daemon=True).start()
    try:
        while not output.gone:
            try:
                seen = heard.get(timeout=printing.patience())
            except queue.Empty:
                printing.settle()
            else:
                printing.show(seen)
    finally:
        stop.set()
    return OK


class _Documents:
    """Each thing that is seen is a JSON document on one line."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def begin(self, config: Config, account: Account) -> None:
        """Print what is."""
        from syncer.wiring import account_status  # noqa: PLC0415 - as the other commands do

        status = account_status(config, account, queue=True)
        self._print(account.name, int(time.time()), "status", {"status": as_json(status)})

    def show(self, seen: "Seen") -> None:
        """Print what was seen."""
        at = int(time.time()) if seen.news is None else seen.news.at
        for event, members in documents(seen):
            self._print(seen.account, at, event, members)

    def patience(self) -> float | None:
        """In how many seconds `settle` is to be called."""
        return None

    def settle(self) -> None:
        """Print what had to wait."""

    def _print(self, account: str, at: int, event: str, members: dict[str, Any]) -> None:
        self._output.json_line({"version": JSON_VERSION, "at": at, "account": account, "event": event, **members})


class _Words:
    """Each thing that is done or goes wrong is a line, as `syncer watch` itself prints it."""

    def __init__(self, output: Output, command: Sequence[str]) -> None:
        self._output = output
        self._told = Told(self._say, lambda _account, _words: None, [*command, "sync"])
        self._command = command
        self._last: dict[str, Seen] = {}
        self._doing: dict[str, str] = {}
        """What was said of each account to be what it does."""
        self._waits: dict[str, tuple[float, str]] = {}
        """What may be said of it, and when."""
        self._config: dict[str, tuple[Config, Account]] = {}

    def begin(self, config: Config, account: Account) -> None:
        """Print what is."""
        self._config[account.name] = config, account
        self._print_status(account.name)

    def show(self, seen: "Seen") -> None:
        """Print what was seen."""
        account, before = seen.account, self._last.get(seen.account)
        if before is not None and _has_little_more(before, seen):
            return
        self._last[account] = seen
        if before is not None and before.by == "run" and seen.by != "run":
            self._print_status(account)
        first = before is None or before.by != seen.by
        words = doing(seen, first=first)
        if words is not None:
            self._waits[account] = time.monotonic() + (0.0 if first else SETTLED), words
            self.settle()
        elif seen.news is not None and seen.news.standing is not None:
            self._waits.pop(account, None)
        if seen.news is not None:
            self._show_news(account, seen.news)

    def patience(self) -> float | None:
        """In how many seconds `settle` is to be called; None: not before more is seen."""
        return max(0.0, min(when for when, _ in self._waits.values()) - time.monotonic()) if self._waits else None

    def settle(self) -> None:
        """Print what accounts do, as far as it has lasted."""
        now = time.monotonic()
        for account, (when, words) in list(self._waits.items()):
            if when <= now or self._doing.get(account) == words:
                del self._waits[account]
                if self._doing.get(account) != words:
                    self._output.result(f"{account}: {words}")
                    self._doing[account] = words

    def _show_news(self, account: str, news: "News") -> None:
        if news.report is not None:
            self._told.passed(news.report)
        if news.failure is not None:
            seconds = float("inf") if news.failure.until is None else max(0.0, news.failure.until - news.at)
            self._told.failed(account, news.failure.error, seconds)
        if news.dropped:
            self._output.result(f"{account}: {news.dropped} lines were left out, since nobody read them in time")

    def _say(self, line: Line) -> None:
        if self._output.verbosity >= line.least:
            self._output.result(line.text)

    def _print_status(self, account: str) -> None:
        from syncer.wiring import account_status  # noqa: PLC0415 - as the other commands do

        for line in lines(account_status(*self._config[account], queue=True), int(time.time()), self._command):
            self._output.result(line)


def _has_little_more(before: "Seen", now: "Seen") -> bool:
    """Whether another process has not many more messages than it had."""
    return before.by == now.by == "run" and (now.messages or 0) < NOTEWORTHY * (before.messages or 0)
