"""What all tests share: real servers as fixtures, and the rule that nothing is skipped unseen.

Each worker starts each server once, on ports of its own. Where a server is not installed its tests are skipped and
counted in the summary; with `CI=true` in the environment that is an error.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from servers.base import Server
from servers.courier import Courier
from servers.cyrus import Cyrus
from servers.dovecot import Dovecot

S = TypeVar("S", bound=Server)
CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def started(server: type[S], **options: Any) -> S:
    """Start a server, or skip (an error in CI) where it is not installed."""
    if lacking := server.missing():
        reason = f"{server.name} is not installed: {lacking}"
        if CI:
            pytest.fail(f"{reason} (CI is set: nothing may be skipped)", pytrace=False)
        pytest.skip(reason)
    return server(**options).start()


@pytest.fixture(scope="session")
def dovecot_with() -> Iterator[Callable[..., Dovecot]]:
    """`dovecot_with(**options)` gives a Dovecot with these options; the same options give the same server."""
    running: dict[str, Dovecot] = {}

    def get(**options: Any) -> Dovecot:
        key = repr(sorted(options.items()))
        if key not in running:
            running[key] = started(Dovecot, **options)
        return running[key]

    yield get
    with ThreadPoolExecutor() as pool:  # each takes a second to end
        list(pool.map(Dovecot.stop, running.values()))


@pytest.fixture(scope="session")
def dovecot(dovecot_with: Callable[..., Dovecot]) -> Dovecot:
    """A Dovecot with everything it has: CONDSTORE, QRESYNC, MOVE, UIDPLUS, LIST-STATUS, NOTIFY, COMPRESS."""
    return dovecot_with()


@pytest.fixture(scope="session")
def cyrus() -> Iterator[Cyrus]:
    """A Cyrus."""
    server = started(Cyrus)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def courier() -> Iterator[Courier]:
    """A Courier: neither MOVE nor CONDSTORE, mailboxes below `INBOX.`."""
    server = started(Courier)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def notmuch_is_there() -> None:
    """Skip (an error in CI) where notmuch is not installed."""
    if not shutil.which("notmuch"):
        reason = "notmuch is not installed"
        if CI:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def skipped(config: pytest.Config) -> int:
    """How many tests were skipped in this session, in all workers."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test fails the run."""
    if CI and skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many tests were skipped; why is in the short summary."""
    if number := skipped(config):
        verdict = ": an error, because CI is set" if CI else ""
        terminalreporter.write_sep("=", f"{number} skipped{verdict}", yellow=True, bold=True)
