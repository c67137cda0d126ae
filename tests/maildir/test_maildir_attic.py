"""The attic, and mailboxes as a whole."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stores import LISTS, NOW, ONE, TWO, WORK, interfere, no_links, tree

from syncer.errors import MailboxError, MessageError, NoSuchMailboxError, StoreError, VanishedError
from syncer.maildir import attic, fsops
from syncer.maildir.layout import Layout, to_path
from syncer.maildir.store import MaildirStore
from syncer.reconcile.flags import FlagDelta
from syncer.reconcile.identity import INBOX, MailboxName, UniqueName

# The attic


@pytest.mark.parametrize("copied", [True, False])
def test_the_attic_keeps_names_by_day_and_mailbox(
    store: MaildirStore, inbox: Path, tmp_path: Path, copied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fsops.rename_new
    if copied:
        monkeypatch.setattr(
            attic.fsops, "rename_new", lambda one, two: no_links() if b"attic" in two else real(one, two)
        )
    for word in (b"first", b"second", b"third"):
        (inbox / "cur" / "1.one:2,S").write_bytes(word)
        store.remove(INBOX, ONE)
    store.flush(INBOX)
    assert tree(tmp_path / "attic" / "2023-11-14") == {
        "INBOX/1.one:2,S": b"first",
        "INBOX/1.one~1:2,S": b"second",
        "INBOX/1.one~2:2,S": b"third",
    }
    assert tree(inbox) == {}


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A directory on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system")
    with tempfile.TemporaryDirectory(dir=memory) as path:
        yield Path(path)


@pytest.fixture
def far(tmp_path: Path, elsewhere: Path) -> Iterator[MaildirStore]:
    """A store with an attic on another file system, and an empty INBOX and Work."""
    store = MaildirStore.open(str(tmp_path / "Mail"), "fs", str(elsewhere), None, clock=lambda: NOW)
    store.create(INBOX)
    store.create(WORK)
    yield store
    store.close()


def test_what_a_killed_run_has_copied_to_or_from_another_file_system_is_no_second_message(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MaildirStore.open(str(tmp_path / "Mail"), "fs", str(elsewhere), None, clock=lambda: NOW)
    inbox = tmp_path / "Mail" / "INBOX" / "cur"
    store.create(INBOX)
    (inbox / "1.one:2,S").write_bytes(b"octets")

    def killed(path: bytes) -> None:
        raise Killed

    def twice(do: Callable[[], object]) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(attic.fsops, "unlink", killed)
            with pytest.raises(Killed):
                do()
        do()

    twice(lambda: store.remove(INBOX, ONE))
    assert (tree(elsewhere), tree(inbox)) == ({"2023-11-14/INBOX/1.one:2,S": b"octets"}, {})
    (kept,) = store.in_attic()
    twice(lambda: store.bring_back(kept))
    assert (list(store.in_attic()), tree(inbox)) == ([], {"1.one.back:2,S": b"octets"})
    store.remove(INBOX, UniqueName("1.one.back"))
    (kept,) = store.in_attic()

    def again() -> MaildirStore:
        store.close()
        return MaildirStore.open(str(tmp_path / "Mail"), "fs", str(elsewhere), None, clock=lambda: NOW)

    with monkeypatch.context() as patched:
        patched.setattr(attic.fsops, "unlink", killed)
        with pytest.raises(Killed):
            store.bring_back(kept)
        (inbox / "1.one.back.back:2,S").rename(inbox / "1.one.back.back:2,FS")
        store = again()
        with pytest.raises(Killed):
            store.bring_back(kept)
    (inbox / "1.one.back.back:2,FS").rename(inbox / "1.one.back.back:2,RS")
    store.bring_back(kept)
    assert (list(store.in_attic()), tree(inbox)) == ([], {"1.one.back.back:2,RS": b"octets"})
    store.close()


def test_an_attic_that_cannot_be_read_is_not_an_empty_one(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"octets")
    store.remove(INBOX, ONE)
    real = os.scandir

    def refused(path: bytes) -> object:
        if path.endswith(b"/INBOX"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(StoreError, match="INBOX: permission denied"):
        list(store.in_attic())


def test_what_a_killed_run_left_of_a_copy_keeps_no_mailbox_from_being_deleted(
    far: MaildirStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Mail" / "Work" / "cur" / "1.one:2,S").write_bytes(b"octets")
    far.remove(WORK, ONE)
    (kept,) = far.in_attic()

    def killed(source: bytes, target: bytes) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(attic.fsops, "publish", killed)
        with pytest.raises(Killed):
            far.bring_back(kept)
    far.delete(WORK)
    assert (WORK in far.mailboxes(), list(far.in_attic())) == (False, [kept])


def test_what_is_brought_back_is_not_marked_as_deleted(store: MaildirStore, inbox: Path) -> None:
    (inbox / "cur" / "1.one:2,FSTab").write_bytes(b"octets")
    store.remove(INBOX, ONE)
    (kept,) = store.in_attic()
    assert store.bring_back(kept) == "1.one.back"
    assert tree(inbox) == {"cur/1.one.back:2,FSab": b"octets"}


@pytest.mark.parametrize("copied", [True, False])
def test_what_comes_back_after_its_mailbox_went_has_the_keywords_that_it_had(
    store: MaildirStore, tmp_path: Path, copied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, kept = tmp_path / "Mail" / "Work", tmp_path / "attic" / "2023-11-14" / "Work"
    if copied:
        monkeypatch.setattr(attic.fsops, "link", no_links)
    (work / "dovecot-keywords").write_bytes(b"0 todo\n1 later\n")
    (work / "cur" / "1.one:2,Sab").write_bytes(b"one")
    (work / "new" / "2.two").write_bytes(b"two")
    (work / "cur" / "3.three:2,bz").write_bytes(b"three")
    store.remove(WORK, ONE)
    store.delete(WORK)
    assert set(tree(kept)) == {".keywords", "1.one:2,Sab", "2.two", "3.three:2,bz"}
    store.create(WORK)
    (work / "dovecot-keywords").write_bytes(b"0 other\n2 later\n")
    (work / "cur" / "4.four:2,a").write_bytes(b"four")
    store.remove(WORK, UniqueName("4.four"))
    for one in list(store.in_attic()):
        store.bring_back(one)
    assert tree(work / "cur") == {
        "1.one.back:2,Sbc": b"one",
        "2.two.back": b"two",
        "3.three.back:2,c": b"three",
        "4.four.back:2,a": b"four",
    }
    assert (work / "dovecot-keywords").read_bytes() == b"0 other\n2 later\n1 todo\n"


def test_of_a_mailbox_that_went_twice_in_a_day_each_message_has_the_keywords_of_its_time(
    store: MaildirStore, tmp_path: Path
) -> None:
    work = tmp_path / "Mail" / "Work"
    for name, keyword in (("1.one:2,a", b"todo"), ("2.two:2,a", b"later")):
        store.create(WORK)
        (work / "dovecot-keywords").write_bytes(b"0 %b\n" % keyword)
        (work / "cur" / name).write_bytes(b"octets")
        store.delete(WORK)
    for one in list(store.in_attic()):
        store.bring_back(one)
    assert set(tree(work / "cur")) == {"1.one.back:2,a", "2.two.back:2,b"}
    assert (work / "dovecot-keywords").read_bytes() == b"0 todo\n1 later\n"
    assert store.purge_attic(0, NOW + 86400) == 2
    assert list((tmp_path / "attic").iterdir()) == []


@pytest.mark.parametrize("letters_first", [True, False])
def test_keywords_come_back_from_an_attic_that_was_copied_to_another_disk(
    store: MaildirStore, tmp_path: Path, letters_first: bool
) -> None:
    work = tmp_path / "Mail" / "Work"
    for name, keyword in (("1.one:2,a", b"todo"), ("2.two:2,a", b"later"), ("3.three:2,a", b"other")):
        store.create(WORK)
        (work / "dovecot-keywords").write_bytes(b"0 %b\n" % keyword)
        (work / "cur" / name).write_bytes(b"octets")
        if name[0] != "3":
            store.delete(WORK)
    store.remove(WORK, UniqueName("3.three"))
    copied = 0  # one file after the other gets a time of its own
    for path in sorted((tmp_path / "attic").rglob("*"), key=lambda path: (path.name[0] == ".") != letters_first):
        while path.stat().st_ctime_ns <= copied:
            os.utime(path)
        os.utime(path)
        copied = path.stat().st_ctime_ns
    for one in list(store.in_attic()):
        store.bring_back(one)
    assert set(tree(work / "cur")) == {"1.one.back:2,b", "2.two.back:2,c", "3.three.back:2,a"}
    assert (work / "dovecot-keywords").read_bytes() == b"0 other\n1 todo\n2 later\n"


@pytest.mark.parametrize("layout", ["fs", "maildir++"])
def test_what_comes_back_after_its_mailbox_was_renamed_has_the_keywords_that_it_had(
    tmp_path: Path, layout: Layout
) -> None:
    store = MaildirStore.open(str(tmp_path / "Mail"), layout, str(tmp_path / "attic"), None)
    for name in (WORK, LISTS):
        store.create(name)
        directory = tmp_path / "Mail" / os.fsdecode(to_path(name, layout))
        (directory / "dovecot-keywords").write_bytes(b"0 todo\n")
        (directory / "cur" / "1.one:2,a").write_bytes(b"one")
        store.remove(name, ONE)
    store.rename(WORK, MailboxName("Job"))
    for name in (WORK, LISTS):
        store.create(name)
        directory = tmp_path / "Mail" / os.fsdecode(to_path(name, layout))
        (directory / "dovecot-keywords").write_bytes(b"0 other\n")
        (directory / "cur" / "2.two:2,a").write_bytes(b"two")
        store.remove(name, TWO)
    for name in ("Job", "Job/Lists"):
        directory = tmp_path / "Mail" / os.fsdecode(to_path(MailboxName(name), layout))
        (directory / "cur" / "3.three:2,").write_bytes(b"three")
        later = FlagDelta(add=frozenset({"later"}))
        store.change_flags(MailboxName(name), UniqueName("3.three"), later)
    for one in list(store.in_attic()):
        store.bring_back(one)
    for name in (WORK, LISTS):
        directory = tmp_path / "Mail" / os.fsdecode(to_path(name, layout))
        assert set(tree(directory / "cur")) == {"1.one.back:2,b", "2.two.back:2,a"}
        assert (directory / "dovecot-keywords").read_bytes() == b"0 other\n1 todo\n"
    store.close()


def test_a_message_stays_in_the_attic_as_long_as_its_keywords_cannot_be_written(
    store: MaildirStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "Mail" / "Work"
    (work / "dovecot-keywords").write_bytes(b"0 todo\n")
    (work / "cur" / "1.one:2,a").write_bytes(b"octets")
    store.delete(WORK)
    (kept,) = store.in_attic()
    monkeypatch.setattr("syncer.maildir.keywords.WAIT", 0.0)
    store.create(WORK)
    (work / "dovecot-uidlist.lock").write_bytes(b"1")
    with pytest.raises(MessageError, match="Work"):
        store.bring_back(kept)
    (work / "dovecot-uidlist.lock").unlink()
    store.bring_back(kept)
    assert set(tree(work / "cur")) == {"1.one.back:2,a"}


def test_a_message_renamed_while_it_is_removed_goes_all_the_same(
    store: MaildirStore, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"x")
    interfere(monkeypatch, "rename_new", 1, lambda: (inbox / "cur" / "1.one:2,").rename(inbox / "cur" / "1.one:2,S"))
    store.remove(INBOX, ONE)
    assert tree(inbox) == {}
    assert list(tree(tmp_path / "attic")) == ["2023-11-14/INBOX/1.one:2,S"]


def test_a_message_renamed_while_it_is_copied_to_another_file_system_is_there_once(
    far: MaildirStore, inbox: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"octets")
    with monkeypatch.context() as patched:
        interfere(patched, "publish", 1, lambda: (inbox / "cur" / "1.one:2,").rename(inbox / "cur" / "1.one:2,S"))
        far.remove(INBOX, ONE)
    assert (tree(elsewhere), tree(inbox / "cur")) == ({"2023-11-14/INBOX/1.one:2,S": b"octets"}, {})


def test_a_message_deleted_while_it_is_copied_to_another_file_system_stays_in_the_copy(
    far: MaildirStore, inbox: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"octets")
    with monkeypatch.context() as patched:
        interfere(patched, "publish", 1, (inbox / "cur" / "1.one:2,").unlink)
        far.remove(INBOX, ONE)
    (kept,) = far.in_attic()
    with monkeypatch.context() as patched:
        interfere(patched, "publish", 1, Path(os.fsdecode(kept.path)).unlink)
        assert far.bring_back(kept) == "1.one.back"
    assert (tree(elsewhere), tree(inbox / "cur")) == ({}, {"1.one.back:2,": b"octets"})


def test_a_message_that_cannot_be_proved_gone_is_not_taken_for_removed(store: MaildirStore, inbox: Path) -> None:
    (inbox / "cur" / "2.link").symlink_to("/nowhere")
    with pytest.raises(VanishedError, match="was not found"):
        store.remove(INBOX, ONE)


def test_a_message_edited_while_it_is_copied_to_the_attic_stays(
    store: MaildirStore, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = inbox / "cur" / "1.one:2,"
    path.write_bytes(b"x")
    real = fsops.copy

    def edited(source: bytes, target: bytes) -> os.stat_result:
        found = real(source, target)
        if path.read_bytes() == b"x":
            path.write_bytes(b"edited")
        return found

    monkeypatch.setattr(attic.fsops, "rename_new", no_links)
    monkeypatch.setattr(attic.fsops, "copy", edited)
    store.remove(INBOX, ONE)
    assert tree(inbox) == {}
    assert sorted(tree(tmp_path / "attic").values()) == [b"edited", b"x"]


def test_only_whole_days_are_purged_and_nothing_else(store: MaildirStore, tmp_path: Path) -> None:
    assert store.purge_attic(0, NOW) == 0
    for name in ("2023-11-10/INBOX/a", "2023-11-10/Work/Lists/b", "2023-11-11/INBOX/c", "2023-99-99/d", "mine/e"):
        (tmp_path / "attic" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "attic" / name).write_text("")
    (tmp_path / "attic" / "2023-11-10" / "link").symlink_to(tmp_path / "Mail")
    day = 86400
    # NOW is 2023-11-14 22:13:20.
    assert store.purge_attic(3 * day, NOW) == 3
    assert sorted(tree(tmp_path / "attic")) == ["2023-11-11/INBOX/c", "2023-99-99/d", "mine/e"]
    assert (tmp_path / "Mail" / "INBOX").is_dir()


# Mailboxes


def test_what_is_not_ours_keeps_a_mailbox_from_being_deleted(store: MaildirStore, tmp_path: Path) -> None:
    work = tmp_path / "Mail" / "Work"
    (work / "tmp" / "1.someone.delivers").write_bytes(b"half")
    (work / "cur" / "1.one:2,").write_bytes(b"x")
    with pytest.raises(MailboxError, match=r"1.someone.delivers; remove it and try again"):
        store.delete(WORK)
    assert set(tree(work)) == {"tmp/1.someone.delivers", "cur/1.one:2,"}
    (work / "tmp" / "1.someone.delivers").unlink()
    (work / "notes.txt").write_bytes(b"mine")
    (work / "dovecot-keywords").write_bytes(b"")
    with pytest.raises(MailboxError, match=r"notes.txt in it is not known"):
        store.delete(WORK)
    assert tree(work) == {"notes.txt": b"mine"}
    assert set(tree(tmp_path / "attic")) == {"2023-11-14/Work/1.one:2,"}
    (work / "notes.txt").unlink()
    store.delete(WORK)
    assert not work.exists()


def test_a_message_that_comes_in_while_its_mailbox_is_deleted_stays(
    store: MaildirStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "Mail" / "Work"
    interfere(monkeypatch, "remove_directory", 1, lambda: (work / "cur" / "1.one:2,").write_bytes(b"x"))
    with pytest.raises(MailboxError, match="something came in meanwhile"):
        store.delete(WORK)
    assert set(store.scan(WORK, {}).messages) == {ONE}


def test_a_directory_that_cannot_be_removed_is_named_with_the_reason(
    store: MaildirStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: bytes) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    store.create(WORK)
    monkeypatch.setattr(fsops, "remove_directory", fail)
    with pytest.raises(StoreError, match=r"cannot delete the mailbox Work: .*/Work/new: the file system is read-only"):
        store.delete(WORK)


def test_inbox_is_neither_deleted_nor_renamed(store: MaildirStore) -> None:
    for refused in (
        lambda: store.delete(INBOX),
        lambda: store.rename(INBOX, LISTS),
        lambda: store.rename(WORK, INBOX),
        lambda: store.rename(WORK, LISTS),
    ):
        with pytest.raises(MailboxError, match="cannot be"):
            refused()


@pytest.mark.parametrize("layout", ["fs", "maildir++"])
def test_renaming_is_completed_by_another_call_and_replaces_nothing(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MaildirStore.open(str(tmp_path / layout), layout, str(tmp_path / "attic"), None)  # type: ignore[arg-type]
    other = MailboxName("Other")
    for name in (WORK, LISTS, other):
        store.create(name)
    with pytest.raises(MailboxError, match="exists"):
        store.rename(WORK, other)
    real = fsops.rename_new
    failed = []

    def once(source: bytes, target: bytes) -> None:
        if source.endswith(b"Work") and not failed:
            failed.append(source)
            raise OSError(5, "Input/output error", source)
        real(source, target)

    monkeypatch.setattr(fsops, "rename_new", once)
    with pytest.raises(MailboxError, match="disk reports an error"):
        store.rename(WORK, MailboxName("Job"))
    for _ in range(2):
        store.rename(WORK, MailboxName("Job"))
    assert set(store.mailboxes()) - {INBOX} == {other, "Job", "Job/Lists"}
    with pytest.raises(NoSuchMailboxError):
        store.rename(WORK, MailboxName("Nowhere"))
    store.close()


def test_a_file_system_without_capitals_does_not_merge_mailboxes(
    store: MaildirStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fsops, "make_directory", lambda _: False)
    with pytest.raises(MailboxError, match="capitals or accents do not count"):
        store.create(MailboxName("work"))


def test_a_message_with_a_name_as_long_as_may_be_comes_back(store: MaildirStore, inbox: Path) -> None:
    name = UniqueName("y" * 252)
    (inbox / "cur" / f"{name}:2,").write_bytes(b"octets")
    store.remove(INBOX, name)
    (kept,) = store.in_attic()
    store.bring_back(kept)
    assert list(tree(inbox).values()) == [b"octets"]
