"""A trace tells everything that a program does to the files below a directory, and how far it talked meanwhile."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from torture import trees
from torture.aftermath import now
from torture.disk import Data, Dated, Disk, Flush, Length, Names, Tree
from torture.recorded import Moment, NotUnderstoodError, Recording, traced

ROOT = b"/r"

PROGRAM = """
import os, sys, threading
os.chdir(sys.argv[1])
here = os.getcwd()
def at(name): return os.path.join(here, name)
os.mkdir(at("d")); os.mkdir(at("empty")); os.rmdir(at("empty"))
with open(at("d/kept"), "wb", buffering=0) as file:
    file.write(b"0123456789")
    file.seek(2)
    file.write(b"ab")
    os.pwrite(file.fileno(), b"z", 20)
    os.writev(file.fileno(), [b"cd", b"ef"])
    os.fsync(file.fileno())
    os.utime(file.fileno(), (1, 2))
with open(at("d/kept"), "ab", buffering=0) as file:
    file.write(b"end")
    file.truncate(22)
with open(at("old"), "wb") as file:
    file.write(b"new contents")
os.link(at("d/kept"), at("second"))
os.rename(at("old"), at("renamed"))
os.unlink(at("gone"))
os.replace(at("renamed"), at("d/\\u00e4 \\"name\\", with = everything"))
def many(number):
    for count in range(50):
        with open(at(f"t{number}.{count}"), "wb") as file:
            file.write(b"%d %d" % (number, count))
        os.rename(at(f"t{number}.{count}"), at(f"d/t{number}.{count}"))
threads = [threading.Thread(target=many, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def shown(tree: Tree) -> tuple[dict[bytes, bytes], frozenset[bytes]]:
    return {path: file.octets for path, file in tree.files.items()}, tree.directories


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_the_model_is_like_the_disk_after_everything_that_a_program_did(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "gone").write_bytes(b"was there")
    disk = Disk(trees.read(root))
    log = tmp_path / "trace"
    subprocess.run(traced([sys.executable, "-c", PROGRAM, str(root)], log), check=True)
    recording = Recording(disk, os.fsencode(root))
    recording.read(log.read_text().splitlines())

    assert shown(now(disk)) == shown(trees.read(root))
    assert now(disk).files[b"second"].mtime == 2 * 10**9
    assert recording.moments[-1] == Moment(len(disk.log))


def hexed(text: str) -> str:
    return '"' + "".join(f"\\x{octet:02x}" for octet in text.encode()) + '"'


def recorded(*lines: str, port: int = 143) -> Recording:
    recording = Recording(Disk(Tree({}, frozenset())), ROOT, port)
    recording.read(lines)
    return recording


NEW = f"7  openat(AT_FDCWD, {hexed('/r/f')}, O_RDWR|O_CREAT|O_EXCL, 0600) = 3"


def test_a_flush_covers_what_was_done_before_it_began_whatever_other_threads_did_meanwhile() -> None:
    log = recorded(
        NEW,
        f"7  write(3, {hexed('one')}, 3) = 3",
        "7  fsync(3 <unfinished ...>",
        f"8  pwrite64(3, {hexed('two')}, 3, 3) = 3",
        "7  <... fsync resumed>)             = 0",
    ).disk.log

    assert log == [Names(((0, b"f", 1),), "create f"), Data(1, 0, b"one"), Data(1, 3, b"two"), Flush(1, began=2)]


def test_a_number_is_free_for_another_file_as_soon_as_a_file_is_being_closed() -> None:
    other = hexed("/r/g")
    recording = recorded(
        NEW,
        "7  close(3 <unfinished ...>",
        f"8  openat(AT_FDCWD, {other}, O_WRONLY|O_CREAT, 0600) = 3",
        "7  <... close resumed>)             = 0",
        f"8  write(3, {hexed('x')}, 1) = 1",
    )

    assert recording.disk.log[-1] == Data(2, 0, b"x")


def test_what_failed_was_not_finished_or_concerns_other_files_does_nothing() -> None:
    recording = recorded(
        f"7  openat(AT_FDCWD, {hexed('/r/f')}, O_RDONLY) = -1 ENOENT (No such file or directory)",
        f"7  mkdir({hexed('/elsewhere')}, 0700) = 0",
        f"7  openat(AT_FDCWD, {hexed('/r/db-shm')}, O_RDWR|O_CREAT, 0600) = 4",
        "7  ftruncate(4, 32768) = 0",
        f"7  openat(AT_FDCWD, {hexed('relative')}, O_RDWR|O_CREAT, 0600) = 5",
        f"7  mkdir({hexed('/r/late')}, 0700 <unfinished ...>",
        f"8  unlink({hexed('/r/f')}) = ?",
        "8  +++ killed by SIGKILL +++",
    )

    assert recording.disk.log == []
    assert recording.moments == [Moment(0)]


def test_dates_and_lengths_are_told() -> None:
    recording = recorded(
        NEW,
        "7  utimensat(3, NULL, [{tv_sec=9, tv_nsec=0} /* 1970 */, {tv_sec=5, tv_nsec=6} /* 1970 */], 0) = 0",
        "7  utimensat(3, NULL, [UTIME_NOW, UTIME_NOW], 0) = 0",
        "7  ftruncate(3, 100) = 0",
        "7  fdatasync(3) = 0",
        "7  syncfs(3) = 0",
    )

    assert recording.disk.log[1:] == [
        Dated(1, 5_000_000_006), Length(1, 100), Flush(1, began=3, dates=False), Flush(None, began=4),
    ]  # fmt: skip


def test_what_is_said_to_the_server_is_counted_and_nothing_else() -> None:
    recording = recorded(
        '7  connect(5, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("\\x31")}, 16) = 0',
        '7  connect(6, {sa_family=AF_INET, sin_port=htons(143), sin_addr=inet_addr("\\x31")}, 16) = -1 EINPROGRESS',
        f"7  sendto(5, {hexed('dns')}, 3, 0, NULL, 0) = 3",
        f"7  sendto(6, {hexed('a NOOP')}, 6, 0, NULL, 0) = 6",
        NEW,
        f"7  recvfrom(6, {hexed('a OK')}, 100, 0, NULL, NULL) = 4",
    )

    assert recording.moments == [Moment(0), Moment(0, 6), Moment(1, 6), Moment(1, 6, 4)]
    assert recording.connections == 1


@pytest.mark.parametrize(
    "line",
    [
        f"7  symlink({hexed('x')}, {hexed('/r/link')}) = 0",
        f"7  renameat2(AT_FDCWD, {hexed('/r/f')}, AT_FDCWD, {hexed('/r/g')}, RENAME_EXCHANGE) = 0",
        f"7  rename({hexed('/elsewhere')}, {hexed('/r/g')}) = 0",
        f"7  truncate({hexed('/r/f')}, 3) = 0",
        "7  sendfile(3, 9, NULL, 100) = 100",
        "7  fallocate(3, 0, 0, 100) = 0",
        "7  dup(3) = 4",
        f"7  openat(AT_FDCWD, {hexed('/r/f')}, O_RDWR|O_SYNC) = 4",
    ],
)
def test_what_is_not_understood_is_an_error(line: str) -> None:
    with pytest.raises(NotUnderstoodError):
        recorded(NEW, line)
