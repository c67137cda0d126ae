"""A store on a real Maildir, with an empty INBOX and Work."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import NOW, WORK

from syncer.maildir.store import MaildirStore
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
