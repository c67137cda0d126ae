"""A store on a real Maildir, with an empty INBOX and Work; and a watcher of another, with a message."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import NOW, WORK
from watching import Hints, make_maildir

from syncer.maildir.store import MaildirStore
from syncer.maildir.watcher import Watcher
from syncer.reconcile.identity import INBOX


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MaildirStore]:
    found = MaildirStore.open(str(tmp_path / "Mail"), "fs", str(tmp_path / "attic"), None, clock=lambda: NOW)
    found.create(INBOX)
    found.create(WORK)
    yield found
    found.close()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "Mail" / "INBOX"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_maildir(tmp_path / "Mail")


@pytest.fixture
def hints() -> Hints:
    return Hints()


@pytest.fixture
def watcher(root: Path, hints: Hints) -> Iterator[Watcher]:
    """Only its start and end are polled: whatever it hints at, an event told it."""
    with Watcher(str(root), "fs", hints, poll_seconds=3600) as started:
        assert started.degraded is None
        yield started
