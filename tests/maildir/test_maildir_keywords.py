"""The `dovecot-keywords` file: shared with Dovecot, grown but never rewritten."""

import os
import socket
import stat
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.errors import MailboxError
from syncer.maildir import keywords
from syncer.maildir.filename import LETTERS
from syncer.maildir.keywords import Table, assigned, extend, lacking, letters, parse, unmapped
from syncer.reconcile.flags import FLAGGED, FORWARDED
from syncer.reconcile.observations import Letters


def table(octets: str) -> Table:
    return parse(octets.encode())


def names(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("octets", "mapping", "taken"),
    [
        ("", {}, ""),
        ("0 work\n25 $Junk\n", {"a": "work", "z": "$Junk"}, "az"),
        ("0 work", {"a": "work"}, "a"),
        ("0 work\n0 later\n", {"a": "later"}, "a"),
        ("0 work\n0 \\Seen\n", {}, "a"),
        ("26 work\n-1 x\nx y\n1\n\n 2 z\n", {}, ""),
        ("1 two words\n2 tab\there\n", {}, "bc"),
        ("99999999999999999999 x\n3 ok\r\n", {}, "d"),
    ],
)
def test_lines_that_are_not_understood_only_keep_their_letter(octets: str, mapping: dict[str, str], taken: str) -> None:
    assert table(octets) == Table(mapping, frozenset(taken))


@given(st.binary(max_size=60))
def test_no_contents_make_reading_fail(octets: bytes) -> None:
    found = parse(octets)
    assert found.mapping.keys() <= found.taken <= set(LETTERS)


def test_a_file_is_completed_where_it_does_not_say_otherwise() -> None:
    remembered = {"a": "work", "b": "todo", "c": "Later", "d": "new", "?": "x"}
    assert lacking(table("0 work\n1 else\n5 LATER\n"), remembered) == {"d": "new"}


def test_free_letters_are_given_in_order_and_never_twice() -> None:
    found = assigned(table("0 work\n2 \\Bad\n"), ["todo", "WORK", "Later", "later", "a b", "$Forwarded"], "d")
    assert found == {"b": "Later", "e": "todo"}
    full = table("".join(f"{number} k{number}\n" for number in range(25)))
    assert assigned(full, ["y", "x"], "") == {"z": "x"}
    assert assigned(full, ["y"], "z") == {}


def test_a_letter_is_trusted_only_if_it_is_the_same_in_both() -> None:
    found = letters(table("0 Work\n1 todo\n"), {"a": "work", "b": "else"}, "")
    assert found == Letters(
        frozenset({FORWARDED, "Work"}), frozenset({FORWARDED, "Work", "todo"}), room=True, doubted=frozenset({"todo"})
    )


def test_letters_that_files_or_the_index_use_leave_no_room() -> None:
    most = {letter: f"k{letter}" for letter in LETTERS[:24]}
    assert not letters(table("24 x\n"), most, "z").room
    assert letters(table("24 x\n"), most, "").room


def test_flags_with_a_letter_of_their_own_need_none() -> None:
    flags = frozenset({FLAGGED, FORWARDED, "WORK", "todo", "not usable"})
    assert unmapped(flags, {"a": "work"}) == {"todo"}


def test_the_file_grows_and_every_line_in_it_stays(tmp_path: Path) -> None:
    file = tmp_path / "dovecot-keywords"
    file.write_bytes(b"# old\n0 work\n77 far\xff")
    assert extend(bytes(tmp_path), lambda _: {"b": "todo"}).mapping == {"a": "work", "b": "todo"}
    assert file.read_bytes() == b"# old\n0 work\n77 far\xff\n1 todo\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == {"dovecot-keywords"}


def test_nothing_to_add_does_not_touch_the_file(tmp_path: Path) -> None:
    extend(bytes(tmp_path), lambda _: {})
    assert names(tmp_path) == set()


def test_dovecot_notices_every_change_by_the_second(tmp_path: Path) -> None:
    ahead = int(time.time()) + 5
    (tmp_path / "dovecot-keywords").write_bytes(b"0 work\n")
    os.utime(tmp_path / "dovecot-keywords", (ahead, ahead))
    extend(bytes(tmp_path), lambda _: {"b": "todo"})
    assert (tmp_path / "dovecot-keywords").stat().st_mtime == ahead + 1


def test_what_another_program_wrote_while_we_waited_counts(tmp_path: Path) -> None:
    lock = tmp_path / "dovecot-uidlist.lock"
    lock.write_text(f"{os.getpid()}:{socket.gethostname()}")

    def finish() -> None:
        (tmp_path / "dovecot-keywords").write_bytes(b"0 theirs\n")
        lock.unlink()

    timer = threading.Timer(0.15, finish)
    timer.start()
    found = extend(bytes(tmp_path), lambda table: assigned(table, ["ours"], ""))
    timer.join()
    assert found.mapping == {"a": "theirs", "b": "ours"}
    assert not lock.exists()


def test_a_lock_that_is_held_stops_only_this_mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keywords, "WAIT", 0.1)
    (tmp_path / "dovecot-uidlist.lock").write_text("1:another-host")
    with pytest.raises(MailboxError, match="another program has locked"):
        extend(bytes(tmp_path), lambda _: {"a": "x"})
    assert names(tmp_path) == {"dovecot-uidlist.lock"}


@pytest.mark.parametrize("dead", [True, False])
def test_a_lock_of_a_dead_or_forgotten_owner_is_overridden(tmp_path: Path, dead: bool) -> None:
    lock = tmp_path / "dovecot-uidlist.lock"
    lock.write_text(f"{2**22 + 5}:{socket.gethostname()}" if dead else "1:another-host")
    (tmp_path / "dovecot-keywords.lock").write_text("0 half")
    if not dead:
        os.utime(lock, (1, 1))
    assert extend(bytes(tmp_path), lambda _: {"a": "x"}).mapping == {"a": "x"}
    assert names(tmp_path) == {"dovecot-keywords"}


def test_a_lock_says_whose_it_is_even_after_a_power_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: dict[int, bytes] = {}
    locks: list[bytes | None] = []
    fsync, publish = keywords.fsops.fsync, keywords.fsops.publish

    def remember(fd: int) -> None:
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode):
            flushed[found.st_ino] = os.pread(fd, 300, 0)
        fsync(fd)

    def see(source: bytes, target: bytes) -> None:
        locks.append(flushed.get(os.stat(source).st_ino))
        publish(source, target)

    monkeypatch.setattr(keywords.fsops, "fsync", remember)
    monkeypatch.setattr(keywords.fsops, "publish", see)
    extend(bytes(tmp_path), lambda _: {"b": "todo"})
    assert locks == [f"{os.getpid()}:{socket.gethostname()}".encode()]


def test_a_full_disk_leaves_the_old_file_and_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dovecot-keywords").write_bytes(b"0 work\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keywords.fsops, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        extend(bytes(tmp_path), lambda _: {"b": "todo"})
    assert (tmp_path / "dovecot-keywords").read_bytes() == b"0 work\n"
    assert names(tmp_path) == {"dovecot-keywords"}
