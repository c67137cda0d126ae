"""A whole message in the place of a damaged file."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from stores import NOW, ONE, interfere, killed_at, no_links, tree

from syncer.errors import MessageError
from syncer.maildir import fsops, scan
from syncer.maildir.store import MaildirStore
from syncer.reconcile.fingerprint import of_octets
from syncer.reconcile.identity import INBOX

WHOLE = b"Subject: one\r\n\r\nwhole\r\n"
STORED = WHOLE.replace(b"\r\n", b"\n")
DAMAGED = b"Subject: one\n\nwh\0le\n"
DATE = 1_500_000_000
ATTIC = "2023-11-14/~spare/INBOX/"


@pytest.fixture
def damaged(inbox: Path) -> Path:
    path = inbox / "cur" / "1.one:2,FSa"
    path.write_bytes(DAMAGED)
    return path


def mend(store: MaildirStore, body: bytes = WHOLE) -> bool:
    return store.mend(INBOX, ONE, of_octets(WHOLE), DATE, [body[:7], body[7:]])


def no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsops, "_rename_exchange", lambda *_: False)


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsops, "link", no_links)


@pytest.mark.parametrize("lacking", [None, no_exchange, elsewhere])
def test_the_name_stays_and_the_damaged_file_is_in_the_attic(
    store: MaildirStore,
    damaged: Path,
    inbox: Path,
    tmp_path: Path,
    lacking: Callable[[pytest.MonkeyPatch], None] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if lacking is not None:
        lacking(monkeypatch)
    assert mend(store)
    assert tree(inbox) == {"cur/1.one:2,FSa": STORED}
    assert tree(tmp_path / "attic") == {f"{ATTIC}1.one:2,FSa": DAMAGED}
    assert int(damaged.stat().st_mtime) == DATE


def test_a_file_in_new_stays_in_new(store: MaildirStore, inbox: Path) -> None:
    (inbox / "new" / "1.one").write_bytes(b"")
    assert mend(store)
    assert tree(inbox) == {"new/1.one": STORED}


def test_what_is_not_whole_replaces_nothing(store: MaildirStore, damaged: Path, inbox: Path, tmp_path: Path) -> None:
    assert not mend(store, WHOLE[:-1])
    assert tree(inbox) == {"cur/1.one:2,FSa": DAMAGED}
    assert tree(tmp_path / "attic") == {}


def test_a_file_renamed_at_that_moment_is_found_again(
    store: MaildirStore, damaged: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.scan(INBOX, {})
    interfere(monkeypatch, "exchange", 1, lambda: damaged.rename(inbox / "cur" / "1.one:2,RSa"))
    assert mend(store)
    assert tree(inbox) == {"cur/1.one:2,RSa": STORED}
    assert tree(tmp_path / "attic") == {f"{ATTIC}1.one:2,FSa": DAMAGED}


def test_a_file_that_another_program_puts_there_meanwhile_goes_to_the_attic_as_well(
    store: MaildirStore, damaged: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another() -> None:
        (inbox / "draft").write_bytes(b"edited")
        (inbox / "draft").rename(damaged)

    interfere(monkeypatch, "exchange", 1, another)
    assert mend(store)
    assert tree(inbox) == {"cur/1.one:2,FSa": STORED}
    assert sorted(tree(tmp_path / "attic").values()) == [DAMAGED, b"edited"]


def test_what_another_program_writes_into_the_file_meanwhile_goes_to_the_attic(
    store: MaildirStore, damaged: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(monkeypatch)
    interfere(monkeypatch, "exchange", 1, lambda: damaged.write_bytes(b"edited"))
    assert mend(store)
    assert tree(inbox) == {"cur/1.one:2,FSa": STORED}
    assert sorted(tree(tmp_path / "attic").values()) == [DAMAGED, b"edited"]


def test_a_file_that_cannot_be_kept_is_not_replaced(
    store: MaildirStore, damaged: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(fsops, "link", denied)
    with pytest.raises(MessageError, match="permission denied"):
        mend(store)
    assert tree(inbox) == {"cur/1.one:2,FSa": DAMAGED}


@pytest.mark.parametrize("exchange", [True, False])
def test_a_kill_at_any_operation_leaves_one_of_the_two_and_a_further_run_completes_it(
    tmp_path: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "TICK_NS", 0)
    if not exchange:
        no_exchange(monkeypatch)

    def opened(path: Path) -> MaildirStore:
        return MaildirStore.open(str(path / "Mail"), "fs", str(path / "attic"), None, clock=lambda: NOW)

    def repair(path: Path) -> None:
        store = opened(path)
        assert mend(store)
        store.close()

    for number in range(60):
        path = tmp_path / str(number)
        store = opened(path)
        store.create(INBOX)
        store.close()
        file = path / "Mail" / "INBOX" / "cur" / "1.one:2,S"
        file.write_bytes(DAMAGED)
        alive = not killed_at(number, lambda path=path: repair(path))  # type: ignore[misc]
        visible = {name: octets for name, octets in tree(path / "Mail" / "INBOX").items() if "tmp/" not in name}
        assert visible in ({"cur/1.one:2,S": DAMAGED}, {"cur/1.one:2,S": STORED}), number
        assert visible["cur/1.one:2,S"] == DAMAGED or DAMAGED in tree(path / "attic").values(), number
        if file.read_bytes() == DAMAGED:
            repair(path)
        assert file.read_bytes() == STORED
        assert os.listdir(path / "Mail" / "INBOX" / "cur") == [file.name]
        assert DAMAGED in tree(path / "attic").values()
        if alive:
            break
    else:
        pytest.fail("it never came to its end")
    assert number > 8


@pytest.mark.parametrize(
    ("stored", "forms"),
    [
        (b"a: b\n\nc\n", [b"a: b\r\n\r\nc\r\n", b"a: b\n\nc\n"]),
        (b"a: b\r\n\r\nc\r\n", [b"a: b\r\n\r\nc\r\n"]),
        (b"a: b\n\nc\r\n", [b"a: b\n\nc\r\n"]),
        (b"", [b""]),
        (b"no line ending", [b"no line ending"]),
        (b"x" * 70_000 + b"\nx\n", [b"x" * 70_000 + b"\r\nx\r\n", b"x" * 70_000 + b"\nx\n"]),
        (b"\n" * 70_000 + b"\r\n", [b"\n" * 70_000 + b"\r\n"]),
    ],
)
def test_a_file_is_recognised_in_every_form_in_which_a_server_may_have_sent_it(
    store: MaildirStore, inbox: Path, stored: bytes, forms: list[bytes]
) -> None:
    path = inbox / "cur" / "1.one:2,S"
    path.write_bytes(stored)
    examined = store.examine(INBOX, ONE)
    assert (examined.path, list(examined.forms)) == (str(path), [of_octets(form) for form in forms])


def test_a_file_that_cannot_be_read_says_why(store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "cur" / "1.one:2,S").write_bytes(STORED)

    def broken(path: bytes) -> int:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(fsops, "open_read", broken)
    with pytest.raises(MessageError, match=r"1\.one:2,S: the disk reports an error"):
        store.examine(INBOX, ONE)
