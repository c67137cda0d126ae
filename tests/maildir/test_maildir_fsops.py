"""The file operations where the kernel or the file system can do less."""

import errno
import os
import re
from pathlib import Path

import pytest

from syncer.errors import MailboxError, MessageError, StoreError
from syncer.maildir import fsops


@pytest.fixture(params=["kernel", "portable"])
def paths(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    if request.param == "portable":
        monkeypatch.setattr(fsops, "_rename_noreplace", lambda *_: False)
    (tmp_path / "source").write_text("source")
    return tmp_path / "source", tmp_path / "target"


@pytest.mark.parametrize("operation", ["publish", "rename_new"])
def test_a_file_is_renamed_and_never_over_another(paths: tuple[Path, Path], operation: str) -> None:
    source, target = paths
    rename = getattr(fsops, operation)
    target.write_text("target")
    with pytest.raises(FileExistsError):
        rename(bytes(source), bytes(target))
    assert (source.read_text(), target.read_text()) == ("source", "target")
    target.unlink()
    rename(bytes(source), bytes(target))
    assert (source.exists(), target.read_text()) == (False, "source")
    with pytest.raises(FileNotFoundError):
        rename(bytes(source), bytes(target.with_name("other")))


def test_a_file_is_created_once_and_not_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        fsops.open_new(bytes(tmp_path / "link"))
    os.close(fsops.open_new(bytes(tmp_path / "file")))
    with pytest.raises(FileExistsError):
        fsops.open_new(bytes(tmp_path / "file"))
    with pytest.raises(OSError, match="symbolic link"):
        fsops.open_read(bytes(tmp_path / "link"))


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize("count", [1, 9])
def test_files_are_flushed_together_or_one_by_one(
    tmp_path: Path, count: int, reports: bool, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(fsops, "fsync", flushed.append)
    monkeypatch.setattr(fsops, "_syncfs_reports_errors", lambda: reports)
    paths = [bytes(tmp_path / f"{number}") for number in range(count)]
    for path in paths:
        os.close(fsops.open_new(path))
    directory = os.open(tmp_path, os.O_RDONLY)
    fsops.flush_files(directory, paths, together=together)
    os.close(directory)
    assert len(flushed) == (0 if count > fsops.FEW and reports and together else count)


@pytest.mark.parametrize("portable", [True, False])
def test_a_whole_file_system_is_flushed(tmp_path: Path, portable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[None] = []
    monkeypatch.setattr(os, "sync", lambda: synced.append(None))
    if portable:
        monkeypatch.setattr(fsops, "_libc", object)
    fsops.flush_everything(bytes(tmp_path))
    assert synced == [None] * portable


def test_a_failed_flush_is_an_error() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        fsops.flush_files(-1, [b"x"] * 9)


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, pwrite = os.write, os.pwrite
    monkeypatch.setattr(os, "write", lambda fd, octets: write(fd, bytes(octets[:3])))
    monkeypatch.setattr(os, "pwrite", lambda fd, octets, at: pwrite(fd, bytes(octets[:3]), at))
    fd = fsops.open_new(bytes(tmp_path / "file"))
    fsops.write_all(fd, b"0123456789")
    fsops.write_all_at(fd, b"abcdefg", 2)
    os.close(fd)
    assert (tmp_path / "file").read_bytes() == b"01abcdefg9"


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").write_text("x")

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(fsops, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        fsops.copy(bytes(tmp_path / "source"), bytes(tmp_path / "target"))
    assert os.listdir(tmp_path) == ["source"]


@pytest.mark.parametrize(
    ("code", "kind", "raised", "words"),
    [
        (28, MailboxError, StoreError, "cannot do it /a\\nb: the disk is full; make room and run again"),
        (122, MessageError, StoreError, "cannot do it /a\\nb: the disk quota is used up; make room and run again"),
        (
            30,
            MailboxError,
            StoreError,
            "cannot do it /a\\nb: the file system is read-only; mount it writable and run again",
        ),
        (5, MailboxError, MailboxError, "cannot do it /a\\nb: the disk reports an error; check it before the next run"),
        (13, MessageError, MessageError, "cannot do it /a\\nb: permission denied; check who owns it and its mode"),
        (20, StoreError, StoreError, "cannot do it /a\\nb: Not a directory"),
    ],
)
def test_an_error_says_what_where_why_and_what_to_do(
    code: int, kind: type[MailboxError], raised: type[Exception], words: str
) -> None:
    with pytest.raises(raised) as found, fsops.explained("do it", kind):
        raise OSError(code, os.strerror(code), b"/a\nb")
    assert str(found.value) == words


def test_a_directory_is_made_once_and_a_file_is_none(tmp_path: Path) -> None:
    path = bytes(tmp_path / "directory")
    assert [fsops.make_directory(path), fsops.make_directory(path)] == [True, False]
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        fsops.make_directory(bytes(tmp_path / "file"))


@pytest.mark.parametrize("operation", ["fsync_directory", "fsync_path", "open_new"])
def test_an_error_that_was_met_through_a_descriptor_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = tmp_path if operation == "fsync_directory" else tmp_path / "file"
    if operation == "fsync_path":
        path.touch()
    monkeypatch.setattr(os, "fsync", fail)
    monkeypatch.setattr(os, "fchmod", fail)
    wanted = re.escape(f"cannot flush A: {path}: the disk reports an error")
    with pytest.raises(MailboxError, match=wanted), fsops.explained("flush A:", MailboxError):
        getattr(fsops, operation)(bytes(path))


def test_what_could_not_be_done_is_said_where_no_file_is_known_as_well() -> None:
    with (
        pytest.raises(MailboxError, match=r"^cannot flush A: permission denied"),
        fsops.explained("flush A:", MailboxError),
    ):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
