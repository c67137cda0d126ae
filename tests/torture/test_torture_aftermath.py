"""What may be found after the power was lost: all of what was flushed, and any part of what was not."""

import random
from collections.abc import Callable, Iterator

import pytest

from torture.aftermath import Weather, after_power_loss, now
from torture.disk import Disk, File, Tree

EMPTY = Tree({}, frozenset({b"a", b"b"}))
HARD, MILD = Weather(1.0, in_order=False), Weather(0.0, in_order=False)
ANY = [Weather(lost, in_order) for lost in (0.1, 0.5, 0.9) for in_order in (True, False)]


def found(disk: Disk, weather: Weather, seed: int = 0) -> dict[bytes, bytes]:
    tree = after_power_loss(disk, len(disk.log), weather, random.Random(seed)).tree
    return {path: file.octets for path, file in tree.files.items()}


def everything_found(disk: Disk) -> Iterator[dict[bytes, bytes]]:
    for weather in [*ANY, HARD, MILD]:
        for seed in range(200):
            yield found(disk, weather, seed)


def written(disk: Disk, path: bytes, octets: bytes) -> int:
    inode = disk.create(path)
    disk.write(inode, 0, octets)
    return inode


def flushed(disk: Disk, path: bytes, octets: bytes) -> int:
    inode = written(disk, path, octets)
    disk.flush(inode)
    disk.flush(disk.find(path.rpartition(b"/")[0]))
    return inode


def test_what_was_not_flushed_is_lost_only_if_the_power_is() -> None:
    disk = Disk(EMPTY)
    written(disk, b"a/f", b"octets")

    assert found(disk, MILD) == {b"a/f": b"octets"}
    assert found(disk, HARD) == {}


def test_a_flushed_file_has_no_name_before_its_directory_is_flushed() -> None:
    disk = Disk(EMPTY)
    disk.flush(written(disk, b"a/f", b"octets"))

    assert found(disk, HARD) == {}
    disk.flush(disk.find(b"a"))
    assert {tuple(one.items()) for one in everything_found(disk)} == {((b"a/f", b"octets"),)}


def test_a_flushed_name_may_be_that_of_an_empty_a_cut_or_a_torn_file() -> None:
    disk = Disk(EMPTY)
    written(disk, b"a/f", b"x" * 1300)
    disk.flush(disk.find(b"a"))

    assert found(disk, HARD) == {b"a/f": b""}
    pieces = {one[b"a/f"] for one in everything_found(disk)}
    zeros, x = b"\0" * 512, b"x" * 512
    assert {b"", b"x" * 1300, b"\0" * 1300, zeros + x + b"x" * 276, x + zeros + b"\0" * 276} <= pieces
    sectors = [bytes(one[start : start + 512]) for one in pieces for start in range(0, len(one), 512)]
    assert all(len(set(sector)) == 1 for sector in sectors)


def test_a_flushed_directory_is_lost_with_all_in_it_if_its_own_name_was_not_flushed() -> None:
    disk = Disk(EMPTY)
    disk.make_directory(b"a/d")
    flushed(disk, b"a/d/f", b"octets")

    assert found(disk, HARD) == {}
    disk.flush(disk.find(b"a"))
    assert found(disk, HARD) == {b"a/d/f": b"octets"}


def test_a_flush_of_everything_covers_what_was_done_before_it_began_and_no_more() -> None:
    disk = Disk(EMPTY)
    written(disk, b"a/f", b"1")
    began = len(disk.log)
    written(disk, b"b/g", b"2")
    disk.flush(None, began)

    assert found(disk, HARD) == {b"a/f": b"1"}


def test_a_flush_counts_only_when_it_has_returned() -> None:
    disk = Disk(EMPTY)
    flushed(disk, b"a/f", b"1")

    assert after_power_loss(disk, len(disk.log) - 1, HARD, random.Random(0)).tree.files == {}
    assert found(disk, HARD) == {b"a/f": b"1"}


def test_a_flush_of_the_data_does_not_keep_the_date() -> None:
    disk = Disk(EMPTY)
    inode = written(disk, b"a/f", b"1")
    disk.date(inode, 7)
    disk.flush(inode, dates=False)
    disk.flush(disk.find(b"a"))

    assert after_power_loss(disk, len(disk.log), HARD, random.Random(0)).tree.files == {b"a/f": File(inode, b"1", None)}
    disk.flush(inode)
    assert after_power_loss(disk, len(disk.log), HARD, random.Random(0)).tree.files == {b"a/f": File(inode, b"1", 7)}


def test_a_file_that_is_renamed_to_another_directory_is_in_one_of_them() -> None:
    disk = Disk(EMPTY)
    flushed(disk, b"a/f", b"1")
    disk.rename(b"a/f", b"b/g")

    assert {tuple(one) for one in everything_found(disk)} == {(b"a/f",), (b"b/g",)}
    disk.flush(disk.find(b"b"))
    assert {tuple(one) for one in everything_found(disk)} == {(b"b/g",)}


def test_a_file_that_is_linked_and_unlinked_may_be_in_neither_directory() -> None:
    disk = Disk(EMPTY)
    flushed(disk, b"a/f", b"1")
    disk.link(b"a/f", b"b/g")
    disk.unlink(b"a/f")
    disk.flush(disk.find(b"a"))

    assert found(disk, HARD) == {}
    assert found(disk, Weather(1.0, in_order=True)) == {b"b/g": b"1"}, "a journal keeps the order"


def test_a_name_that_was_given_twice_is_that_of_the_old_file_or_of_the_new_one() -> None:
    disk = Disk(EMPTY)
    flushed(disk, b"a/f", b"old")
    disk.flush(written(disk, b"a/new", b"new"))
    disk.rename(b"a/new", b"a/f")

    assert {one[b"a/f"] for one in everything_found(disk)} == {b"old", b"new"}


def test_a_directory_is_not_removed_before_what_was_in_it() -> None:
    disk = Disk(EMPTY)
    flushed(disk, b"a/f", b"1")
    disk.rename(b"a/f", b"b/g")
    disk.remove_directory(b"a")
    disk.flush(disk.find(b""))

    assert {tuple(one) for one in everything_found(disk)} == {(b"b/g",)}


def test_names_come_in_any_order_or_in_that_of_a_journal() -> None:
    disk = Disk(EMPTY)
    for path in (b"a/1", b"b/2", b"a/3"):
        disk.flush(disk.create(path))

    def seen(weather: Callable[[float], Weather]) -> set[tuple[bytes, ...]]:
        return {tuple(sorted(found(disk, weather(lost), seed))) for lost in (0.3, 0.7) for seed in range(200)}

    prefixes = {(), (b"a/1",), (b"a/1", b"b/2"), (b"a/1", b"a/3", b"b/2")}
    assert seen(lambda lost: Weather(lost, in_order=True)) == prefixes
    assert seen(lambda lost: Weather(lost, in_order=False)) == prefixes | {
        (b"b/2",), (b"a/3",), (b"a/3", b"b/2"), (b"a/1", b"a/3"),
    }  # fmt: skip


def test_what_is_lost_is_told() -> None:
    disk = Disk(EMPTY)
    flushed(disk, b"a/f", b"1")
    disk.rename(b"a/f", b"b/g")

    assert after_power_loss(disk, len(disk.log), HARD, random.Random(0)).lost == ("rename a/f to b/g",)
    assert after_power_loss(disk, len(disk.log), MILD, random.Random(0)).lost == ()


@pytest.mark.parametrize("length", [0, 3, 20])
def test_every_program_sees_everything_at_once(length: int) -> None:
    disk = Disk(Tree({b"a/f": File(1, b"0123456789", 5)}, frozenset({b"a"})))
    disk.cut(1, length)
    disk.write(1, length + 2, b"xy")
    disk.link(b"a/f", b"g")

    file = File(1, b"0123456789"[:length].ljust(length + 2, b"\0") + b"xy", 5)
    assert now(disk) == Tree({b"a/f": file, b"g": file}, frozenset({b"a"}))
    assert disk.length(1) == length + 4
