"""What a reading of the directories proves, while other programs do what they like."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from syncer.errors import MailboxError
from syncer.maildir import scan
from syncer.maildir.scan import read
from syncer.maildir.state import CUR, NEW

RENAMER = """
import os, sys, time
directory, count = sys.argv[1], int(sys.argv[2])
names = [f"{i}.x:2," for i in range(count)]
print("ready", flush=True)
while True:
    for i, name in enumerate(names):
        other = f"{i}.x:2," + ("" if name.endswith("S") else "S")
        os.rename(f"{directory}/{name}", f"{directory}/{other}")
        names[i] = other
        if i % 400 == 0:
            time.sleep(0.05)
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    for sub in ("cur", "new", "tmp"):
        (tmp_path / sub).mkdir()
    return tmp_path


def found(box: Path) -> dict[str, tuple[bytes, str]]:
    reading = read(bytes(box))
    assert reading.complete
    return dict(reading.files)


def test_files_are_found_by_their_unique_name_in_both_directories(box: Path) -> None:
    odd = "7.a b\nc:2,S"
    for name in (
        "cur/1.x:2,FS",
        "cur/2.x",
        "new/3.x",
        "new/4.x:2,S",
        "cur/5.x:1,odd",
        f"cur/{odd}",
        "tmp/6.x",
        "cur/.nfs01",
    ):
        (box / name).write_text("")
    assert found(box) == {
        "1.x": (CUR, "1.x:2,FS"),
        "2.x": (CUR, "2.x"),
        "3.x": (NEW, "3.x"),
        "4.x": (NEW, "4.x:2,S"),
        "5.x": (CUR, "5.x:1,odd"),
        "7.a b\nc": (CUR, odd),
    }


def test_names_that_are_not_utf_8_are_kept(box: Path) -> None:
    (box / "cur" / os.fsdecode(b"\xff.x:2,S")).write_text("")
    assert found(box) == {"\udcff.x": (CUR, "\udcff.x:2,S")}


def test_no_complete_reading_misses_a_file_while_another_program_renames(box: Path) -> None:
    count = 1500
    for number in range(count):
        (box / "cur" / f"{number}.x:2,").write_text("")
    everything = {f"{number}.x" for number in range(count)}
    renamer = subprocess.Popen(
        [sys.executable, "-c", RENAMER, str(box / "cur"), str(count)], stdout=subprocess.PIPE, text=True
    )
    accepted = 0
    try:
        assert renamer.stdout is not None
        renamer.stdout.readline()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            reading = read(bytes(box))
            assert not reading.complete or set(reading.files) == everything
            accepted += reading.complete
    finally:
        renamer.kill()
        renamer.communicate()
    assert accepted, "the renamer never paused for as long as a reading takes"
    assert found(box).keys() == everything


def test_a_mailbox_that_never_rests_is_read_all_the_same(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (box / "cur" / "1.x:2,").write_text("")
    looks = iter(range(1, 1000))
    stamped = scan.stamps

    def restless(directory: bytes) -> scan.Stamps:
        os.utime(box / "cur", ns=(0, next(looks)))
        return stamped(directory)

    monkeypatch.setattr(scan, "stamps", restless)
    reading = read(bytes(box))
    assert (reading.complete, set(reading.files)) == (False, {"1.x"})
    assert reading.notes == ["other programs kept changing it; nothing is taken for deleted in this pass"]


def test_a_change_with_the_old_mtime_put_back_is_noticed(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (box / "cur" / "1.x:2,").write_text("")
    before = os.stat(box / "cur").st_mtime_ns
    listing = scan._read_once
    readings = 0

    def disturbed(directory: bytes, take: object) -> scan.Reading:
        nonlocal readings
        readings += 1
        result = listing(directory, take)  # type: ignore[arg-type]
        if readings == 1:
            (box / "cur" / "1.x:2,").rename(box / "cur" / "1.x:2,S")
            os.utime(box / "cur", ns=(before, before))
        return result

    monkeypatch.setattr(scan, "_read_once", disturbed)
    assert found(box) == {"1.x": (CUR, "1.x:2,S")}
    assert readings == 2


@pytest.mark.parametrize(
    ("ahead", "fraction", "expected"),
    [(0, 1, 0.02), (0, 0, 2.1), (3600, 1, 0.02)],
    ids=["fine clock", "coarse clock", "clock set back"],
)
def test_a_reading_waits_until_the_tick_of_the_last_change_is_over(
    box: Path, ahead: int, fraction: int, expected: float
) -> None:
    mtime = (int(time.time()) + ahead) * 10**9 + fraction
    waits: list[float] = []
    for sub in ("cur", "new"):
        os.utime(box / sub, ns=(mtime, mtime))
    assert read(bytes(box), sleep=waits.append).complete
    assert len(waits) == 1
    assert expected - 0.3 < waits[0] <= expected


def test_a_reading_of_a_quiet_mailbox_does_not_wait(box: Path) -> None:
    time.sleep(0.03)
    waits: list[float] = []
    assert read(bytes(box), sleep=waits.append).complete
    assert waits == []


def test_what_is_no_message_is_passed_over_and_a_link_proves_nothing(box: Path, tmp_path: Path) -> None:
    os.mkfifo(box / "cur" / "1.x:2,S")
    (box / "cur" / "2.x").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(box / "new" / "3.x"))
    reading = read(bytes(box))
    assert (reading.complete, dict(reading.files)) == (True, {})
    assert sorted(reading.notes) == [
        "1.x:2,S is a special file, not a message; passed over",
        "2.x is a directory, not a message; passed over",
        "3.x is a special file, not a message; passed over",
    ]
    (box / "cur" / "4.x").symlink_to("/nowhere")
    reading = read(bytes(box))
    assert (reading.complete, dict(reading.files)) == (False, {})
    assert any(note.startswith("4.x is a symbolic link") for note in reading.notes)


def test_a_link_to_a_file_is_no_message(box: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (box / "cur" / "1.x").symlink_to(tmp_path / "secret")
    reading = read(bytes(box))
    assert (reading.complete, dict(reading.files)) == (False, {})


def test_many_oddities_make_few_notes(box: Path) -> None:
    for number in range(50):
        (box / "cur" / f"{number}").mkdir()
    notes = read(bytes(box)).notes
    assert (len(notes), notes[-1]) == (11, "and 40 more of these")


@pytest.mark.parametrize("sub", ["cur", "new"])
def test_a_lost_directory_proves_nothing(box: Path, sub: str) -> None:
    (box / sub).rmdir()
    reading = read(bytes(box))
    assert (reading.complete, reading.missing) == (False, False)
    assert reading.notes == ["cur/ or new/ is missing; nothing is taken for deleted until it is there again"]


@pytest.mark.parametrize("sub", ["cur", "new"])
def test_a_link_or_a_file_in_place_of_a_directory_is_an_error(box: Path, sub: str) -> None:
    (box / "elsewhere").mkdir()
    (box / "elsewhere" / "1.x").write_text("")
    (box / sub).rmdir()
    (box / sub).symlink_to("elsewhere")
    with pytest.raises(MailboxError, match=f"^cannot list .*/{sub}: not a directory$"):
        read(bytes(box))
    (box / sub).unlink()
    (box / sub).write_text("")
    with pytest.raises(MailboxError, match=f"^cannot list .*/{sub}: not a directory$"):
        read(bytes(box))


@pytest.mark.parametrize("sub", ["cur", "new"])
def test_a_directory_that_cannot_be_read_is_an_error_although_the_other_can(
    box: Path, sub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.scandir

    def denied(path: bytes) -> object:
        if path.endswith(os.fsencode(sub)):
            raise PermissionError(13, "Permission denied", path)
        return opened(path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(
        MailboxError, match=f"^cannot list .*/{sub}: permission denied; check who owns it and its mode$"
    ):
        read(bytes(box))


def test_of_two_files_of_one_name_the_same_is_kept_every_time(box: Path) -> None:
    for name in ("new/1.x", "cur/1.x:2,S", "cur/1.x:2,FS"):
        (box / name).write_text("")
    reading = read(bytes(box))
    assert reading.files == {"1.x": (CUR, "1.x:2,FS")}
    assert sorted(reading.doubles) == [("1.x", (CUR, "1.x:2,S")), ("1.x", (NEW, "1.x"))]
