"""What the tests of the store share: names, and other programs that interfere."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from syncer.maildir import fsops
from syncer.reconcile.flags import SEEN, FlagDelta
from syncer.reconcile.identity import MailboxName, UniqueName

WORK, LISTS = MailboxName("Work"), MailboxName("Work/Lists")
ONE, TWO = UniqueName("1.one"), UniqueName("2.two")
ADD_SEEN = FlagDelta(add=frozenset({SEEN}))
NOW = 1_700_000_000.0
CHANGING = [
    "open_new",
    "write_all",
    "write_all_at",
    "set_mtime",
    "fsync",
    "fsync_directory",
    "flush_files",
    "publish",
    "rename_new",
    "replace",
    "exchange",
    "link",
    "unlink",
    "make_directory",
    "remove_directory",
]
"""Every function of fsops that changes the disk."""


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


def killed_at(number: int, act: Callable[[], None]) -> bool:
    """Do it in a process of its own that dies just before the operation of this number; False if it lived."""
    pid = os.fork()
    if pid == 0:
        left = number

        def mortal(real: Callable[..., object]) -> Callable[..., object]:
            def call(*args: object, **options: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return real(*args, **options)

            return call

        try:
            for name in CHANGING:
                setattr(fsops, name, mortal(getattr(fsops, name)))
            act()
        except BaseException:  # noqa: BLE001 - the child must never return into pytest
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in {0, 9}
    return code == 9
