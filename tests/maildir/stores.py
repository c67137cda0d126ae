"""What the tests of the store share: names, and other programs that interfere."""

from pathlib import Path

import pytest

from syncer.maildir import fsops
from syncer.reconcile.flags import SEEN, FlagDelta
from syncer.reconcile.identity import MailboxName, UniqueName

WORK, LISTS = MailboxName("Work"), MailboxName("Work/Lists")
ONE, TWO = UniqueName("1.one"), UniqueName("2.two")
ADD_SEEN = FlagDelta(add=frozenset({SEEN}))
NOW = 1_700_000_000.0


def tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def no_links(*_: object) -> None:
    raise OSError(18, "Invalid cross-device link")


def interfere(monkeypatch: pytest.MonkeyPatch, operation: str, times: int, act: object) -> list[bytes]:
    """Before each of the first calls of a file operation, another program acts."""
    real = getattr(fsops, operation)
    calls: list[bytes] = []

    def disturbed(*args: bytes) -> None:
        calls.append(args[0])
        if len(calls) <= times:
            act()  # type: ignore[operator]
        real(*args)

    monkeypatch.setattr(fsops, operation, disturbed)
    return calls
