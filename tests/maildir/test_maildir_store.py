"""The store on a real Maildir: scanning, flags, reading, and what others do meanwhile."""

import os
from pathlib import Path
from typing import Any

import pytest
from stores import ADD_SEEN, ONE, TWO, WORK, interfere, tree

from syncer.errors import MailboxError, MessageError, StoreError, VanishedError
from syncer.maildir import fsops, reading, scan, unflushed
from syncer.maildir.store import MaildirStore
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.fingerprint import of_octets
from syncer.reconcile.flags import FLAGGED, SEEN, FlagDelta
from syncer.reconcile.identity import INBOX, MailboxName, UidValidity, UniqueName

# Scanning


def test_two_different_files_of_one_name_become_two_messages(store: MaildirStore, inbox: Path) -> None:
    (inbox / "cur" / "1.one:2,F").write_bytes(b"first")
    (inbox / "cur" / "1.one:2,S").write_bytes(b"other")
    listing = store.scan(INBOX, {})
    (fresh,) = set(listing.messages) - {ONE}
    assert {name: set(message.flags) for name, message in listing.messages.items()} == {ONE: {FLAGGED}, fresh: {SEEN}}
    assert tree(inbox) == {"cur/1.one:2,F": b"first", f"cur/{fresh}:2,S": b"other"}
    assert listing.notes == (f"two different files had the unique name 1.one; one is now {fresh}",)
    assert set(store.scan(INBOX, {}).messages) == {ONE, fresh}
    assert store.own_uid(INBOX, Epoch(UidValidity(7)), fresh) is None


@pytest.mark.parametrize("link", [True, False])
def test_the_same_message_twice_is_one_message_and_both_files_stay(
    store: MaildirStore, inbox: Path, link: bool
) -> None:
    (inbox / "new" / "1.one").write_bytes(b"same")
    if link:
        os.link(inbox / "new" / "1.one", inbox / "cur" / "1.one:2,S")
    else:
        (inbox / "cur" / "1.one:2,S").write_bytes(b"same")
    listing = store.scan(INBOX, {})
    assert {name: set(message.flags) for name, message in listing.messages.items()} == {ONE: {SEEN}}
    assert listing.notes == ("1.one is there twice; one of the files is passed over",)
    assert tree(inbox) == {"new/1.one": b"same", "cur/1.one:2,S": b"same"}


def test_a_dry_run_changes_nothing(store: MaildirStore, inbox: Path, tmp_path: Path) -> None:
    (inbox / "cur" / "1.one:2,F").write_bytes(b"first")
    (inbox / "cur" / "1.one:2,Sa").write_bytes(b"other")
    (inbox / "cur" / "2.two:2,a").write_bytes(b"two")
    store.close()
    before = tree(tmp_path)
    dry = MaildirStore.open(str(tmp_path / "Mail"), "fs", str(tmp_path / "attic"), store.store_id, read_only=True)
    listing = dry.scan(INBOX, {"a": "work"})
    dry.close()
    assert listing.messages[TWO].flags == {"work"}
    assert listing.mapping == {"a": "work"}
    assert listing.notes == ("two different files have the unique name 1.one",)
    assert tree(tmp_path) == before


def test_letters_that_cannot_be_written_are_left_alone(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "cur" / "1.one:2,Sa").write_bytes(b"x")

    def denied(*_: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(fsops, "open_new", denied)
    listing = store.scan(INBOX, {"a": "work"})
    assert (listing.complete, listing.messages[ONE].flags, listing.letters.trusted) == (True, {SEEN}, {"$Forwarded"})
    assert "read-only" in listing.notes[0]


def test_mailboxes_are_found_and_what_is_none_is_told(store: MaildirStore, tmp_path: Path) -> None:
    root = tmp_path / "Mail"
    for name in (b"\xff/cur", b"Plain/tmp", b"Deep/er/cur", b".hidden/cur", b"INBOX/cur/sub/cur", b"inbox/new"):
        os.makedirs(bytes(root) + b"/" + name)
    (root / "link").symlink_to(root / "Deep")
    (root / "file").write_text("")
    assert store.mailboxes() == (INBOX, "Deep/er", WORK)
    assert store.problems == (
        "inbox is not a name that a mailbox's directory has; passed over",
        "link is a symbolic link, which is not followed; passed over",
        "\\udcff is not a name that a mailbox's directory has; passed over",
    )
    for use in (lambda: store.scan(MailboxName("link"), {}), lambda: store.create(MailboxName("link/er"))):
        with pytest.raises(MailboxError, match="symbolic link"):
            use()


# Flags


def test_a_message_that_gets_flags_leaves_new(store: MaildirStore, inbox: Path) -> None:
    (inbox / "new" / "1.one").write_bytes(b"x")
    store.change_flags(INBOX, ONE, FlagDelta(remove=frozenset({SEEN})))
    assert tree(inbox) == {"new/1.one": b"x"}
    store.change_flags(INBOX, ONE, ADD_SEEN)
    assert tree(inbox) == {"cur/1.one:2,S": b"x"}


def test_flags_follow_a_file_that_is_renamed_at_the_same_moment(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "new" / "1.one").write_bytes(b"x")
    calls = interfere(
        monkeypatch, "rename_new", 1, lambda: (inbox / "new" / "1.one").rename(inbox / "cur" / "1.one:2,F")
    )
    store.change_flags(INBOX, ONE, ADD_SEEN)
    assert tree(inbox) == {"cur/1.one:2,FS": b"x"}
    assert len(calls) == 2


def test_a_file_that_never_stays_is_given_up(store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"x")
    turn = iter("ABCDEFGHIJ")

    def rename() -> None:
        (current,) = (inbox / "cur").iterdir()
        current.rename(inbox / "cur" / f"1.one:2,{next(turn)}")

    interfere(monkeypatch, "rename_new", 100, rename)
    with pytest.raises(VanishedError, match="renamed too often"):
        store.change_flags(INBOX, ONE, ADD_SEEN)


def test_a_file_that_is_not_found_while_others_rename_is_not_taken_for_removed(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamped, looks = scan.stamps, iter(range(1, 1000))

    def restless(directory: bytes) -> scan.Stamps:
        os.utime(inbox / "cur", ns=(0, next(looks)))
        return stamped(directory)

    with monkeypatch.context() as patch:
        patch.setattr(scan, "stamps", restless)
        with pytest.raises(VanishedError, match="was not found while other programs changed the mailbox"):
            store.remove(INBOX, ONE)
    store.remove(INBOX, ONE)


def test_a_rename_never_replaces_another_message(store: MaildirStore, inbox: Path) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"x")
    (inbox / "cur" / "1.one:2,S").write_bytes(b"other")
    with pytest.raises(MessageError, match=r"two different files have the unique name 1\.one"):
        store.change_flags(INBOX, ONE, ADD_SEEN)
    assert tree(inbox) == {"cur/1.one:2,": b"x", "cur/1.one:2,S": b"other"}


def test_the_same_message_under_the_wanted_name_takes_its_place(
    store: MaildirStore, inbox: Path, tmp_path: Path
) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"x")
    (inbox / "cur" / "1.one:2,S").write_bytes(b"x")
    store.change_flags(INBOX, ONE, ADD_SEEN)
    assert tree(inbox) == {"cur/1.one:2,S": b"x"}
    assert list(tree(tmp_path / "attic").values()) == [b"x"]


def test_a_letter_that_files_carry_is_not_given_to_a_new_keyword(store: MaildirStore, inbox: Path) -> None:
    (inbox / "cur" / "1.one:2,a").write_bytes(b"x")
    (inbox / "cur" / "2.two:2,").write_bytes(b"y")
    store.change_flags(INBOX, TWO, FlagDelta(add=frozenset({"todo"})))
    assert tree(inbox) == {"cur/1.one:2,a": b"x", "cur/2.two:2,b": b"y", "dovecot-keywords": b"1 todo\n"}


def test_many_flag_changes_are_flushed_once(store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(9):
        (inbox / "new" / f"{number}").write_bytes(b"x")
    flushed: list[bytes] = []
    monkeypatch.setattr(fsops, "fsync_directory", flushed.append)
    for number in range(9):
        store.change_flags(INBOX, UniqueName(f"{number}"), ADD_SEEN)
    assert flushed == []
    store.flush(INBOX)
    store.flush(INBOX)
    assert flushed == [bytes(inbox / "cur"), bytes(inbox / "new")]


def test_what_others_wrote_just_now_is_made_durable_before_it_is_recorded(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[bytes] = []
    monkeypatch.setattr(fsops, "flush_everything", flushed.append)
    (inbox / "new" / "1.one").write_bytes(b"x")
    store.scan(INBOX, {})
    store.flush(INBOX)
    store.flush(INBOX)
    assert flushed == [bytes(inbox)]
    monkeypatch.setattr(unflushed, "WRITTEN_BACK_NS", 0)
    store.scan(INBOX, {})
    store.flush(INBOX)
    assert flushed == [bytes(inbox)]


def test_a_flush_that_failed_is_done_again(store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"x")
    store.change_flags(INBOX, ONE, ADD_SEEN)

    def broken(_: bytes) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(fsops, "fsync_directory", broken)
        with pytest.raises(StoreError, match="disk reports an error"):
            store.flush(INBOX)
    flushed: list[bytes] = []
    monkeypatch.setattr(fsops, "fsync_directory", flushed.append)
    store.flush(INBOX)
    assert flushed == [bytes(inbox / "cur")]


# Reading


def test_a_file_that_was_changed_is_not_sent(store: MaildirStore, inbox: Path) -> None:
    path = inbox / "cur" / "1.one:2,"
    path.write_bytes(b"a\nb\n")
    outgoing = store.outgoing(INBOX, ONE)
    path.rename(inbox / "cur" / "1.one:2,S")
    assert b"".join(outgoing.chunks()) == b"a\r\nb\r\n"
    (inbox / "cur" / "1.one:2,S").write_bytes(b"a\nc\n")
    with pytest.raises(VanishedError, match="changed while it was read"):
        list(outgoing.chunks())


def test_a_small_file_is_opened_once(store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[bytes] = []
    open_read = reading.fsops.open_read
    monkeypatch.setattr(reading.fsops, "open_read", lambda path: (opened.append(path), open_read(path))[1])
    (inbox / "cur" / "1.one:2,").write_bytes(b"a\nb\n" * 30_000)
    outgoing = store.outgoing(INBOX, ONE)
    (inbox / "cur" / "1.one:2,").write_bytes(b"something else")
    assert of_octets(b"".join(outgoing.chunks())) == outgoing.fingerprint == of_octets(b"a\r\nb\r\n" * 30_000)
    assert len(opened) == 1
    with pytest.raises(VanishedError):
        list(outgoing.chunks())


def test_a_file_that_grows_or_shrinks_while_it_is_read_is_not_sent(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = inbox / "cur" / "1.one:2,"
    for octets in (b"a\n" * 500, b"a\n"):
        path.write_bytes(b"a\n" * 300)

        def late(fd: int, length: int, offset: int, octets: bytes = octets, pread: Any = os.pread) -> bytes:
            path.write_bytes(octets)
            return pread(fd, length, offset)  # type: ignore[no-any-return]

        with monkeypatch.context() as patch:
            patch.setattr(reading.os, "pread", late)
            with pytest.raises(VanishedError, match="changed while it was read"):
                store.outgoing(INBOX, ONE)


def test_a_large_file_is_sent_in_small_pieces(store: MaildirStore, inbox: Path) -> None:
    for name, octets in (("1.one", b"\n" * 1_500_000), ("2.two", b"\n" * 1_500_000 + b"\r")):
        (inbox / "cur" / name).write_bytes(octets)
        outgoing = store.outgoing(INBOX, UniqueName(name))
        pieces = list(outgoing.chunks())
        assert max(map(len, pieces)) <= 65_536
        sent = octets if name == "2.two" else octets.replace(b"\n", b"\r\n")
        assert b"".join(pieces) == sent
        assert outgoing.fingerprint.size == len(sent)


def test_what_is_no_file_is_not_read(store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "cur" / "1.one").write_bytes(b"x")
    store.scan(INBOX, {})
    (inbox / "cur" / "1.one").unlink()
    os.mkfifo(inbox / "cur" / "1.one")
    with pytest.raises(MessageError, match="not a regular file"):
        store.outgoing(INBOX, ONE)
    (inbox / "cur" / "1.one").unlink()
    (inbox / "cur" / "1.one").symlink_to("/etc/passwd")
    with pytest.raises(MessageError, match="symbolic link"):
        store.outgoing(INBOX, ONE)
    assert store.fingerprints(INBOX, [ONE]) == {}


@pytest.mark.parametrize(("code", "hint"), [(5, "disk reports an error"), (13, "permission denied"), (24, "ulimit")])
def test_a_file_that_cannot_be_read_says_why(
    store: MaildirStore, inbox: Path, code: int, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "cur" / "1.one").write_bytes(b"x")

    def broken(path: bytes) -> int:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr(reading.fsops, "open_read", broken)
    with pytest.raises(StoreError if code == 24 else MessageError, match=hint):
        store.outgoing(INBOX, ONE)
