"""Moving messages, so that none is ever nowhere."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from stores import ADD_SEEN, LISTS, ONE, TWO, WORK, interfere, no_links, tree

from syncer.errors import MessageError, NoSuchMailboxError
from syncer.maildir import fsops, transfer
from syncer.maildir.store import MaildirStore
from syncer.reconcile.flags import FLAGGED, SEEN, FlagDelta
from syncer.reconcile.identity import INBOX, UniqueName


@pytest.mark.parametrize("copied", [True, False])
def test_keywords_follow_a_moved_message_by_name(
    store: MaildirStore, tmp_path: Path, copied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if copied:
        monkeypatch.setattr(fsops, "link", no_links)
    root = tmp_path / "Mail"
    (root / "INBOX" / "dovecot-keywords").write_text("0 todo\n1 work\n")
    (root / "Work" / "dovecot-keywords").write_text("0 other\n1 todo\n")
    (root / "INBOX" / "cur" / "1.one:2,XSabz").write_bytes(b"x")
    (root / "INBOX" / "new" / "3.three").write_bytes(b"three")
    os.utime(root / "INBOX" / "cur" / "1.one:2,XSabz", (5, 5))
    store.move(INBOX, ONE, WORK, TWO, FlagDelta(frozenset({FLAGGED}), frozenset({SEEN})))
    store.move(INBOX, UniqueName("3.three"), WORK, UniqueName("4.four"), FlagDelta())
    assert tree(root / "Work") == {
        "cur/2.two:2,FXbc": b"x",
        "new/4.four": b"three",
        "dovecot-keywords": b"0 other\n1 todo\n2 work\n",
    }
    assert tree(root / "INBOX") == {"dovecot-keywords": b"0 todo\n1 work\n"}
    assert (root / "Work" / "cur" / "2.two:2,FXbc").stat().st_mtime == 5


def test_a_move_that_was_interrupted_is_completed(
    store: MaildirStore, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"x")

    class KilledError(BaseException):
        pass

    def killed(_: bytes) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(transfer.fsops, "unlink", killed)
        with pytest.raises(KilledError):
            store.move(INBOX, ONE, WORK, TWO, ADD_SEEN)
    assert tree(inbox) == {"cur/1.one:2,": b"x"}
    store.move(INBOX, ONE, WORK, TWO, ADD_SEEN)
    assert tree(inbox) == {}
    assert tree(tmp_path / "Mail" / "Work") == {"cur/2.two:2,S": b"x"}


def test_a_message_is_durable_in_its_new_place_before_it_leaves_the_old_one(
    store: MaildirStore, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"x")
    done: list[tuple[str, bytes]] = []

    def noted(operation: str, real: Callable[..., None]) -> Callable[..., None]:
        def note(*paths: bytes) -> None:
            done.append((operation, paths[-1]))
            real(*paths)

        return note

    for operation in ("link", "fsync_directory", "unlink"):
        monkeypatch.setattr(fsops, operation, noted(operation, getattr(fsops, operation)))
    store.move(INBOX, ONE, WORK, TWO, ADD_SEEN)
    landed = tmp_path / "Mail" / "Work" / "cur"
    assert done[:3] == [
        ("link", bytes(landed / "2.two:2,S")),
        ("fsync_directory", bytes(landed)),
        ("unlink", bytes(inbox / "cur" / "1.one:2,")),
    ]


def test_a_move_never_replaces_another_message(store: MaildirStore, inbox: Path, tmp_path: Path) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"x")
    (tmp_path / "Mail" / "Work" / "cur" / "2.two:2,S").write_bytes(b"y")
    with pytest.raises(MessageError, match=r"another message has the unique name 2.two already; 1.one stays in INBOX"):
        store.move(INBOX, ONE, WORK, TWO, FlagDelta())
    assert tree(inbox) == {"cur/1.one:2,": b"x"}


def test_flags_set_while_a_message_moves_are_not_lost(
    store: MaildirStore, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "cur" / "1.one:2,S").write_bytes(b"x")
    interfere(monkeypatch, "unlink", 1, lambda: (inbox / "cur" / "1.one:2,S").rename(inbox / "cur" / "1.one:2,F"))
    store.move(INBOX, ONE, WORK, TWO, FlagDelta())
    assert tree(inbox) == {}
    assert tree(tmp_path / "Mail" / "Work") == {"cur/2.two:2,F": b"x"}


def test_a_message_rewritten_while_it_moves_is_kept_in_both_places(
    store: MaildirStore, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = inbox / "cur" / "1.one:2,"
    path.write_bytes(b"x")
    real = fsops.link

    def rewritten(source: bytes, target: bytes) -> None:
        real(source, target)
        path.unlink()
        path.write_bytes(b"edited")

    monkeypatch.setattr(fsops, "link", rewritten)
    with pytest.raises(MessageError, match="both are kept"):
        store.move(INBOX, ONE, WORK, TWO, FlagDelta())
    assert tree(inbox) == {"cur/1.one:2,": b"edited"}
    assert tree(tmp_path / "Mail" / "Work") == {"cur/2.two:2,": b"x"} or tree(tmp_path / "Mail" / "Work") == {
        "cur/2.two": b"x"
    }


def test_a_message_moves_only_into_a_mailbox(store: MaildirStore, inbox: Path) -> None:
    (inbox / "cur" / "1.one:2,").write_bytes(b"x")
    with pytest.raises(NoSuchMailboxError, match=r"1.one stays in INBOX"):
        store.move(INBOX, ONE, LISTS, TWO, FlagDelta())
