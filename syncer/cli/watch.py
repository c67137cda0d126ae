"""`syncer watch`: stay in the foreground and keep both sides equal."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from syncer.cli.logs import logs_said
from syncer.cli.output import Output
from syncer.cli.progress import progress
from syncer.cli.signals import Stop, stop_on_signals
from syncer.cli.targets import configuration, invocation, targets
from syncer.cli.told import Told
from syncer.config import Config
from syncer.daemon.events import Stream
from syncer.daemon.hooks import Hook
from syncer.daemon.keeper import Keeper
from syncer.daemon.network import Network
from syncer.daemon.notify import Supervisor
from syncer.errors import AccountError, ConfigError
from syncer.reconcile.events import Event
from syncer.report import AccountReport, Report, Target, exit_status

if TYPE_CHECKING:
    from syncer.daemon.metrics import Metrics
    from syncer.wiring import Watch

PATIENCE: Final = 1.5
"""Seconds that the person's command has for what has changed last, when the program ends."""

DESCRIPTION: Final = """\
Keep the Maildir and the server equal by itself, until it is ended.

New mail comes in as soon as the server tells of it (NOTIFY, else IDLE in the
mailboxes of `idle`, else by looking every `poll_interval`); what is changed in the
Maildir goes out at once. Without a network it waits, and goes on by itself.

SIGINT and SIGTERM end it, SIGUSR1 looks at everything now and tries again what is
waited for, SIGHUP reads the configuration again.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help="ACCOUNT or ACCOUNT:MAILBOX; none means everything"
    )
    parser.add_argument(
        "--events", action="store_true", help="one line of JSON on standard output for each thing that is done"
    )


def run(options: argparse.Namespace, output: Output) -> int:
    """Watch until a signal ends it; return the exit status."""
    config = configuration(options.config)
    chosen = targets(config, options.targets)
    with logs_said(output, logging.INFO), Keeper(Supervisor.take(os.environ, os.getpid())) as keeper:
        watching = _Watching(options, output, config, chosen, keeper)
        others = {signal.SIGUSR1: watching.insist, signal.SIGHUP: watching.reload}
        with stop_on_signals(watching.end, others) as stop, Network(watching.hurry):
            report = watching.run(stop)
        watching.close()
    return exit_status(report) if stop.status is None else stop.status


class _Watching:
    """One run, in which the configuration may be read several times. Signals call `hurry`, `reload` and `end`."""

    def __init__(
        self, options: argparse.Namespace, output: Output, config: Config, chosen: Sequence[Target], keeper: Keeper
    ) -> None:
        self._options = options
        self._keeper = keeper
        self._output = output
        self._stream = Stream(sys.stdout.fileno()) if options.events and sys.stdout is not None else None
        self._config, self._chosen = config, chosen
        self._told = Told(output.tell, keeper.tell, [*invocation(options), "sync"])
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._watch: Watch | None = None
        self._again = False

    def run(self, stop: Stop) -> Report:
        """Until the end."""
        from syncer.wiring import Audience, Watch  # noqa: PLC0415 - loads what talks to servers

        with progress(wanted=False) as heard:
            while True:
                with self._lock:
                    self._again, self._over = False, threading.Event()
                    config, over = self._config, self._over
                    if stop.event.is_set():
                        over.set()
                wanted = self._chosen or [Target(account.name) for account in config.accounts]
                starting = _Starting({target.account for target in wanted}, self._keeper.ready)
                with _hook(config) as hook, _metrics(config) as metrics:
                    audience = Audience(
                        starting.begun,
                        self._told.passed if metrics is None else _both(self._told.passed, metrics.passed),
                        self._failed,
                        heard,
                        hook.note if hook else None,
                        self._events(),
                        metrics.stands if metrics else None,
                    )
                    watch = self._watch = Watch(config, wanted, audience, over)
                    self._keeper.stuck = watch.stuck
                    self._output.say(f"watching {', '.join(map(str, wanted))}")
                    report = watch.run()
                if not self._again or stop.event.is_set():
                    return report

    def _failed(self, account: str, error: AccountError, seconds: float) -> None:
        self._told.failed(account, str(error), seconds)

    def _events(self) -> Callable[[str, int, Event], None] | None:
        stream = self._stream
        return None if stream is None else lambda account, at, event: stream.put(at, account, event)

    def hurry(self) -> None:
        """Look at everything now: the network is another one."""
        if self._watch is not None:
            self._watch.hurry("network")

    def insist(self) -> None:
        """The same, because a person wants it."""
        if self._watch is not None:
            self._watch.hurry("person")

    def reload(self) -> None:
        """Read the configuration again; one that is wrong changes nothing."""
        try:
            config = configuration(self._options.config)
            chosen = targets(config, self._options.targets)
        except (ConfigError, AccountError) as error:
            for problem in error.problems if isinstance(error, ConfigError) else [str(error)]:
                self._output.error(problem)
            self._output.say("the configuration stays as it was", "warning", least=-1)
            return
        self._keeper.reloading()
        self._output.say("reading the configuration again")
        with self._lock:
            self._config, self._chosen, self._again = config, chosen, True
        self._finish()

    def close(self) -> None:
        """Nothing more is told."""
        if self._stream is not None:
            self._stream.close()

    def end(self) -> None:
        """End as soon as what is under way allows."""
        self._keeper.stopping()
        self._output.say("stopping after what is under way; once more to leave at once", "warning", least=-1)
        self._finish()

    def _finish(self) -> None:
        with self._lock:
            self._over.set()
            watch = self._watch
        if watch is not None:
            watch.end()


@contextmanager
def _metrics(config: Config) -> Iterator["Metrics | None"]:
    """What Prometheus is told, if it is to be told."""
    if config.metrics_file is None:
        yield None
        return
    from syncer.daemon.metrics import Metrics  # noqa: PLC0415 - few have Prometheus

    with Metrics(config.metrics_file) as metrics:
        yield metrics


def _both(*listeners: Callable[[AccountReport], None]) -> Callable[[AccountReport], None]:
    def heard(report: AccountReport) -> None:
        for listener in listeners:
            listener(report)

    return heard


class _Starting:
    """Ready are we when each account is open, or was said to wait for something: a disk may be away for days."""

    def __init__(self, accounts: Collection[str], ready: Callable[[], None]) -> None:
        self._left = set(accounts)
        self._ready = ready
        self._lock = threading.Lock()

    def begun(self, account: str) -> None:
        """One more is; called from several threads."""
        with self._lock:
            if account in self._left:
                self._left.remove(account)
                if not self._left:
                    self._ready()


@contextmanager
def _hook(config: Config) -> Iterator[Hook | None]:
    """What runs the person's command, if there is one; what has changed before the end it is still told."""
    if config.on_change is None:
        yield None
        return
    hook = Hook(config.on_change, os.environ)
    try:
        yield hook
    finally:
        hook.close(patience=PATIENCE)
