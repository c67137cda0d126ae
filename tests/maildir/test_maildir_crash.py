"""Killed at any of the operations that change the disk: what is visible is whole, and doing it again completes it."""

from pathlib import Path

import pytest
from stores import ADD_SEEN, NOW, ONE, TWO, WORK, killed_at, tree

from syncer.errors import VanishedError
from syncer.maildir import fsops, scan
from syncer.maildir.filename import flags_of
from syncer.maildir.keywords import parse, read
from syncer.maildir.store import MaildirStore
from syncer.reconcile.flags import FLAGGED, NONE, SEEN, FlagDelta
from syncer.reconcile.identity import INBOX, UniqueName

THREE, FOUR = UniqueName("3.three"), UniqueName("4.four")
CONTENT = {name: f"Subject: {name}\n\nbody\n".encode() for name in (ONE, TWO, THREE)}


def opened(path: Path) -> MaildirStore:
    return MaildirStore.open(str(path / "Mail"), "fs", str(path / "attic"), None, clock=lambda: NOW)


def work(path: Path) -> None:
    """A pass as the executor does it; what an earlier one did is not done again."""
    store = opened(path)
    store.create(INBOX)
    store.create(WORK)
    if not any(THREE in name for name in tree(path / "attic")):
        with store.delivery(INBOX) as batch:
            for name, flags in ((ONE, NONE), (TWO, frozenset({SEEN, "todo"})), (THREE, NONE)):
                if name != TWO or FOUR not in store.scan(WORK, {}).messages:
                    batch.add(name, flags, 5, [CONTENT[name].replace(b"\n", b"\r\n")])
            batch.commit()
    store.scan(INBOX, {"a": "todo", "b": "work"})
    store.change_flags(INBOX, ONE, ADD_SEEN)
    try:
        store.move(INBOX, TWO, WORK, FOUR, FlagDelta(add=frozenset({FLAGGED})))
    except VanishedError:
        assert FOUR in store.scan(WORK, {}).messages
    store.remove(INBOX, THREE)
    store.flush(INBOX)
    store.close()


def whole(path: Path) -> bool:
    files = {name: octets for sub in ("Mail", "attic") for name, octets in tree(path / sub).items()}
    visible = {name: octets for name, octets in files.items() if {"cur", "new"} & set(Path(name).parts)}
    return all(octets in CONTENT.values() for octets in visible.values())


@pytest.mark.parametrize("links", [True, False])
def test_a_kill_at_any_operation_loses_and_doubles_nothing(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "TICK_NS", 0)  # nobody else is here, so nothing can hide in a tick
    if not links:
        monkeypatch.setattr(fsops, "_rename_noreplace", lambda *_: False)
    for number in range(0, 200, 1 if links else 2):
        path = tmp_path / str(number)
        alive = not killed_at(number, lambda path=path: work(path))  # type: ignore[misc]
        assert whole(path), number
        work(path)
        files = {name: octets for name, octets in tree(path / "Mail").items() if "/tmp/" not in name}
        del files[".syncer-store"]
        # A lock that names a dead process holds up nobody; a second name of the marker is never read.
        files = {name: octets for name, octets in files.items() if not name.endswith(".lock")}
        files = {name: octets for name, octets in files.items() if links or not name.startswith(".syncer-store.")}
        assert files == {
            "INBOX/cur/1.one:2,S": CONTENT[ONE],
            "INBOX/dovecot-keywords": b"0 todo\n1 work\n",
            "Work/cur/4.four:2,FSa": CONTENT[TWO],
            "Work/dovecot-keywords": b"0 todo\n",
        }, number
        assert tree(path / "attic") == {"2023-11-14/INBOX/3.three": CONTENT[THREE]}, number
        if alive:
            break
    else:
        pytest.fail("it never came to its end")
    assert number > 60


def test_a_mailbox_whose_deletion_and_return_are_killed_anywhere_keeps_messages_and_keywords(tmp_path: Path) -> None:
    def deleted(path: Path) -> None:
        store = opened(path)
        if WORK in store.mailboxes():
            store.delete(WORK)
        store.close()

    def back(path: Path) -> None:
        store = opened(path)
        for kept in list(store.in_attic()):
            store.bring_back(kept)
        store.close()

    for number in range(100):
        path = tmp_path / str(number)
        store = opened(path)
        store.create(WORK)
        store.close()
        (path / "Mail" / "Work" / "dovecot-keywords").write_bytes(b"3 todo\n")
        (path / "Mail" / "Work" / "cur" / "1.one:2,Sd").write_bytes(b"one")
        (path / "Mail" / "Work" / "new" / "2.two").write_bytes(b"two")
        alive = not killed_at(number, lambda path=path: (deleted(path), back(path)))  # type: ignore[misc]
        back(path)
        meant = parse(read(bytes(path / "Mail" / "Work"))).mapping
        there = {name: octets for name, octets in tree(path / "Mail").items() if {"cur", "new"} & set(Path(name).parts)}
        found = sorted((octets, sorted(flags_of(Path(name).name, meant))) for name, octets in there.items())
        assert found == [(b"one", [SEEN, "todo"]), (b"two", [])], number
        if alive:
            break
    else:
        pytest.fail("it never came to its end")
    assert number > 15
