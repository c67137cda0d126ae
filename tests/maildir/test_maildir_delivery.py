"""Delivering: order, errors, leftovers."""

import os
import resource
import shutil
import signal
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from stores import LISTS, ONE, TWO, tree

from syncer.errors import NoSuchMailboxError, StoreError
from syncer.maildir import fsops, temporary
from syncer.maildir.store import MaildirStore
from syncer.reconcile.flags import DRAFT, NONE, SEEN
from syncer.reconcile.identity import INBOX, MailboxName, UniqueName


def test_messages_without_flags_are_new_and_the_others_have_their_letters(store: MaildirStore, inbox: Path) -> None:
    with store.delivery(INBOX) as batch:
        batch.add(ONE, NONE, 5, [b"a\r\nb\r\n"])
        batch.add(TWO, frozenset({SEEN, DRAFT, "todo"}), 5, [b"a\r\nb\n"])
        assert len(list((inbox / "tmp").iterdir())) == 2
        batch.commit()
    assert tree(inbox) == {
        "new/1.one": b"a\nb\n",
        "cur/2.two:2,DSa": b"a\r\nb\n",
        "dovecot-keywords": b"0 todo\n",
    }
    assert (inbox / "new" / "1.one").stat().st_mtime == 5


def test_everything_is_for_its_owner_only_whatever_the_umask(store: MaildirStore, inbox: Path, tmp_path: Path) -> None:
    for mask in (0, 0o777):
        before = os.umask(mask)
        try:
            store.create(LISTS)
            with store.delivery(LISTS) as batch:
                batch.add(UniqueName(f"{mask}"), frozenset({SEEN, f"k{mask}"}), 5, [b"x"])
                batch.commit()
            store.remove(LISTS, UniqueName(f"{mask}"))
            store.rename(LISTS, MailboxName(f"Work/{mask}"))
        finally:
            os.umask(before)
    modes = {path.is_dir(): path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert {(p.is_dir(), p.stat().st_mode & 0o777) for p in tmp_path.rglob("*")} == {(True, 0o700), (False, 0o600)}, (
        modes
    )


@pytest.mark.parametrize("date", [-1, -(2**40), 0, 2**31, 2**63])
def test_no_date_stops_a_delivery(store: MaildirStore, inbox: Path, date: int) -> None:
    with store.delivery(INBOX) as batch:
        batch.add(ONE, NONE, date, [b"x"])
        batch.commit()
    assert tree(inbox) == {"new/1.one": b"x"}


@pytest.mark.parametrize("count", [1, 20])
def test_files_are_durable_before_they_are_visible_and_then_their_directories(
    store: MaildirStore, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    calls: list[str] = []
    for operation in ("flush_files", "publish", "fsync_directory"):
        real = getattr(fsops, operation)

        def noted(*args: object, real: object = real, operation: str = operation, **options: object) -> object:
            calls.append(operation)
            return real(*args, **options)  # type: ignore[operator]

        monkeypatch.setattr(fsops, operation, noted)
    with store.delivery(INBOX) as batch:
        for number in range(count):
            batch.add(UniqueName(f"{number}"), frozenset({SEEN}) if number % 2 else NONE, 5, [b"x"])
        batch.commit()
    assert calls == ["flush_files", *["publish"] * count, *["fsync_directory"] * min(count, 2)]


@pytest.mark.parametrize("operation", ["open_new", "write_all", "flush_files", "publish", "fsync_directory"])
def test_a_full_disk_says_so_and_leaves_nothing_half_done(
    store: MaildirStore, inbox: Path, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", b"/some/\x1bwhere")

    def deliver() -> None:
        with store.delivery(INBOX) as batch:
            batch.add(ONE, frozenset({SEEN}), 5, [b"x"])
            batch.commit()

    with monkeypatch.context() as patch:
        patch.setattr(fsops, operation, full)
        with pytest.raises(StoreError, match=r"/some/\\x1bwhere: the disk is full; make room and run again"):
            deliver()
    assert tree(inbox) in ({}, {"cur/1.one:2,S": b"x"})
    deliver()
    assert tree(inbox) == {"cur/1.one:2,S": b"x"}


def test_a_file_larger_than_allowed_is_a_store_error_and_leaves_nothing(store: MaildirStore, inbox: Path) -> None:
    before, old = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    try:
        with store.delivery(INBOX) as batch:
            with pytest.raises(StoreError, match="cannot write a message of INBOX"):
                batch.add(ONE, NONE, 5, (b"x" * 65_536 for _ in range(100)))
            batch.add(TWO, NONE, 5, [b"small"])
            batch.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)
    assert tree(inbox) == {"new/2.two": b"small"}


def test_a_message_that_is_there_under_other_flags_is_not_delivered_again(store: MaildirStore, inbox: Path) -> None:
    (inbox / "cur" / "1.one:2,FS").write_bytes(b"x")
    with store.delivery(INBOX) as batch:
        batch.add(ONE, NONE, 5, [b"x"])
        batch.add(TWO, NONE, 5, [b"y"])
        batch.commit()
        (inbox / "new" / "2.two").rename(inbox / "cur" / "2.two:2,S")
        batch.add(TWO, NONE, 5, [b"y"])
        batch.commit()
    assert tree(inbox) == {"cur/1.one:2,FS": b"x", "cur/2.two:2,S": b"y"}


def test_a_message_that_was_deleted_meanwhile_is_delivered(store: MaildirStore, inbox: Path) -> None:
    for _ in range(2):
        with store.delivery(INBOX) as batch:
            batch.add(ONE, NONE, 5, [b"x"])
            batch.commit()
        assert tree(inbox) == {"new/1.one": b"x"}
        (inbox / "new" / "1.one").unlink()


def test_batches_list_the_mailbox_only_if_others_change_it(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    real = os.scandir

    def counted(path: bytes) -> object:
        nonlocal reads
        reads += path.endswith(b"cur")
        return real(path)

    monkeypatch.setattr(os, "scandir", counted)
    with store.delivery(INBOX) as batch:
        for number in range(10):
            batch.add(UniqueName(f"{number}"), frozenset({SEEN}), 5, [b"x"])
            batch.commit()
    assert reads == 1


def test_only_our_own_old_leftovers_are_removed_from_tmp(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = f"syncer.1.{'0' * 16}.7", "1.theirs.host"
    for name in (ours, theirs):
        (inbox / "tmp" / name).write_bytes(b"half")
        os.utime(inbox / "tmp" / name, (1, 1))
    with store.delivery(INBOX):
        assert sorted(os.listdir(inbox / "tmp")) == [theirs, ours]
    monkeypatch.setattr(temporary.time, "time", lambda: time.time_ns() / 1e9 + 37 * 3600)
    store._swept.clear()
    with store.delivery(INBOX):
        assert os.listdir(inbox / "tmp") == [theirs]


def test_a_file_that_another_delivery_takes_out_of_tmp_meanwhile_is_no_leftover(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def listed(path: bytes) -> Any:
        with scandir(path) as found:
            entries = list(found)
        for entry in entries:
            os.unlink(entry.path)
        return nullcontext(iter(entries))

    (inbox / "tmp" / f"syncer.1.{'0' * 16}.7").write_bytes(b"under way")
    monkeypatch.setattr(temporary.os, "scandir", listed)
    with store.delivery(INBOX) as batch:
        batch.add(ONE, NONE, 5, [b"x"])
        monkeypatch.undo()
        batch.commit()
    assert tree(inbox) == {"new/1.one": b"x"}


@pytest.mark.parametrize("lost", ["cur", "new", "tmp"])
def test_a_delivery_makes_lost_directories_again(store: MaildirStore, inbox: Path, lost: str) -> None:
    (inbox / lost).rmdir()
    assert INBOX in store.mailboxes()
    listing = store.scan(INBOX, {})
    assert (listing.complete, listing.missing) == (lost == "tmp", False)
    with store.delivery(INBOX):
        pass
    assert store.scan(INBOX, {}).complete


def test_a_delivery_does_not_make_a_mailbox(store: MaildirStore, inbox: Path) -> None:
    shutil.rmtree(inbox)
    with pytest.raises(NoSuchMailboxError), store.delivery(INBOX):
        pass
    assert not inbox.exists()
