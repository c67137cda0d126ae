"""Which Maildir is it, and is it still there."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncer.errors import LockedError, RefusedError, StoreError
from syncer.maildir import fsops
from syncer.maildir.root import Root
from syncer.maildir.store import MaildirStore
from syncer.reconcile.identity import INBOX, MailboxName, UniqueName

WORK = MailboxName("Work")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "Mail"


@pytest.fixture
def root(path: Path) -> Iterator[Root]:
    found = Root.open(bytes(path), None)
    yield found
    found.close()


def test_the_first_opening_makes_the_root_for_its_owner_only(path: Path) -> None:
    before = os.umask(0)
    try:
        Root.open(bytes(path), None).close()
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o700
    assert (path / ".syncer-store").stat().st_mode & 0o777 == 0o600
    assert os.listdir(path) == [".syncer-store"]


def test_a_root_keeps_its_identity(path: Path) -> None:
    first = Root.open(bytes(path), None)
    first.close()
    for expected in (None, first.store_id):
        again = Root.open(bytes(path), expected)
        again.close()
        assert again.store_id == first.store_id == str(uuid.UUID(first.store_id))


def test_a_root_keeps_its_generation_and_an_older_copy_has_an_older_one(path: Path) -> None:
    first = Root.open(bytes(path), None)
    assert first.generation == 0
    first.advance(9)
    copy = (path / ".syncer-store").read_bytes()
    first.advance(10)
    first.close()
    again = Root.open(bytes(path), first.store_id)
    again.close()
    assert (again.store_id, again.generation) == (first.store_id, 10)
    (path / ".syncer-store").write_bytes(copy)
    older = Root.open(bytes(path), first.store_id)
    older.close()
    assert older.generation == 9


def test_who_only_looks_need_not_be_alone(path: Path, root: Root) -> None:
    with pytest.raises(LockedError):
        Root.open(bytes(path), root.store_id, read_only=True)
    looking = Root.open(bytes(path), root.store_id, read_only=True, alone=False)
    looking.check()
    root.close()
    Root.open(bytes(path), root.store_id).close()
    shutil.rmtree(path)
    with pytest.raises(RefusedError, match="it went away during the run"):
        looking.check()
    looking.close()


def test_an_existing_maildir_is_given_an_identity(path: Path) -> None:
    (path / "INBOX" / "cur").mkdir(parents=True)
    Root.open(bytes(path), None).close()
    assert sorted(os.listdir(path)) == [".syncer-store", "INBOX"]


def test_a_root_that_is_missing_or_not_mounted_is_refused_and_not_made(path: Path) -> None:
    with pytest.raises(RefusedError, match="Nothing was changed"):
        Root.open(bytes(path), str(uuid.uuid4()))
    assert not path.exists()
    path.mkdir(parents=True)
    with pytest.raises(RefusedError, match="Mount or restore"):
        Root.open(bytes(path), str(uuid.uuid4()))
    assert os.listdir(path) == []


def test_another_root_than_the_known_one_is_refused(path: Path) -> None:
    Root.open(bytes(path), None).close()
    with pytest.raises(RefusedError, match=r"another Maildir .* or see whether `maildir` is right$") as caught:
        Root.open(bytes(path), str(uuid.uuid4()))
    assert "sends the server what only this one holds" in str(caught.value.anew)


@pytest.mark.parametrize("contents", ["", "nonsense", "\0" * 36])
def test_a_damaged_marker_is_refused(path: Path, contents: str) -> None:
    path.mkdir(parents=True)
    (path / ".syncer-store").write_text(contents)
    with pytest.raises(RefusedError, match="damaged"):
        Root.open(bytes(path), None)


def test_a_root_is_opened_once_at_a_time(path: Path, root: Root) -> None:
    with pytest.raises(LockedError, match="another program"):
        Root.open(bytes(path), None)
    root.close()
    Root.open(bytes(path), None).close()


def test_a_file_is_no_maildir(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("")
    with pytest.raises(StoreError, match="not a directory"):
        Root.open(bytes(path), None)


def test_a_root_that_is_not_writable_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied", bytes(path))

    monkeypatch.setattr(fsops, "open_new", refuse)
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match="permission denied; check who owns it"):
        Root.open(bytes(path), None)


def test_a_symbolic_link_may_lead_to_the_root(path: Path, tmp_path: Path) -> None:
    first = Root.open(bytes(path), None)
    first.close()
    (tmp_path / "link").symlink_to(path)
    second = Root.open(bytes(tmp_path / "link"), first.store_id)
    second.check()
    second.close()


def test_reading_only_changes_nothing(path: Path) -> None:
    found = Root.open(bytes(path), None, read_only=True)
    found.check()
    found.close()
    assert not path.exists()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_root_that_goes_away_during_the_run_is_noticed_by_everything(path: Path, replaced: bool) -> None:
    store = MaildirStore.open(str(path), "fs", str(path) + ".attic", None)
    store.create(WORK)
    shutil.move(path, str(path) + ".gone")
    if replaced:
        other = MaildirStore.open(str(path), "fs", str(path) + ".attic", None)
        other.create(WORK)
        other.close()
    else:
        path.mkdir()
    for use in (
        store.mailboxes,
        lambda: store.scan(WORK, {}),
        lambda: store.create(INBOX),
        lambda: store.delete(WORK),
        lambda: store.remove(WORK, UniqueName("x")),
        lambda: store.delivery(WORK).__enter__(),
    ):
        with pytest.raises(RefusedError, match="during the run"):
            use()
    store.close()
    assert sorted(os.listdir(path)) == ([".syncer-store", "Work"] if replaced else [])
