"""Trees are read and written as they are, and what another program did between two readings is known afterwards."""

import os
import random
from pathlib import Path

from torture import trees
from torture.aftermath import Weather, after_power_loss, now
from torture.disk import Disk, Tree


def shown(tree: Tree) -> tuple[dict[bytes, tuple[bytes, int | None]], frozenset[bytes]]:
    return {path: (file.octets, file.mtime) for path, file in tree.files.items()}, tree.directories


def maildir(root: Path) -> None:
    for part in ("tmp", "new", "cur"):
        (root / "m" / part).mkdir(parents=True)
    for name, octets in (
        ("new/1", b"one"),
        ("cur/2:2,S", b"two"),
        ("cur/3:2,", b"three"),
        ("dovecot-keywords", b"0 a"),
    ):
        (root / "m" / name).write_bytes(octets)


def test_a_tree_is_written_as_it_was_read(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    maildir(source)
    target.mkdir()
    (source / "empty").mkdir()
    os.link(source / "m/new/1", source / "m/cur/1:2,")
    os.utime(source / "m/new/1", (5, 6))
    trees.write(trees.read(source), target)

    assert shown(trees.read(target)) == shown(trees.read(source))
    assert (target / "m/new/1").stat().st_ino == (target / "m/cur/1:2,").stat().st_ino


def test_what_a_mail_program_did_is_done_to_the_model_and_its_names_are_loose(tmp_path: Path) -> None:
    maildir(tmp_path)
    before = trees.read(tmp_path)
    (tmp_path / "m/cur/2:2,S").rename(tmp_path / "m/cur/2:2,FS")
    (tmp_path / "m/cur/3:2,").unlink()
    (tmp_path / "m/tmp/4").write_bytes(b"four")
    (tmp_path / "m/tmp/4").rename(tmp_path / "m/new/4")
    (tmp_path / "m/keywords").write_bytes(b"0 a\n1 b")
    (tmp_path / "m/keywords").rename(tmp_path / "m/dovecot-keywords")
    after = trees.read(tmp_path)
    disk = Disk(before)
    trees.catch_up(disk, before, after, lambda path: path.startswith(b"m/"))

    assert shown(now(disk)) == shown(after)
    rest = after_power_loss(disk, len(disk.log), Weather(1.0, in_order=False), random.Random(0)).tree
    assert {path: file.octets for path, file in rest.files.items()} == {
        b"m/new/1": b"one", b"m/cur/2:2,S": b"two", b"m/cur/3:2,": b"three", b"m/dovecot-keywords": b"0 a\n1 b",
    }  # fmt: skip
