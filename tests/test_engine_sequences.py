"""Sequences that have lost or doubled messages: cut off, lied to or changed in between, then run again."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ears import server_hears, well
from fake_server import FakeMailbox, FakeServer
from fake_store import FakeStore
from mortality import Killed, Mortality
from worlds import World, octets

from syncer.errors import ConnectionLostError, RefusedError, ServerRefusedError
from syncer.maildir.store import MaildirStore
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.policy import Policy
from syncer.values import replace

A, B = MailboxName("A"), MailboxName("B")
ALL = Policy(mailbox_changes="all")


def most(world: World) -> tuple[int, int]:
    """How often the most frequent message is on the server and in the Maildir."""
    server = Counter(m.octets for box in world.server.mailboxes.values() for m in box.messages.values())
    local = Counter(f.octets for directory in world.store.directories.values() for f in directory.files.values())
    return max(server.values()), max(local.values())


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`lying(FakeServer, "listing", lambda told: ...)` changes what a method returns, until it is given None."""
    originals: dict[tuple[type, str], Any] = {}

    def change(kind: type, name: str, lie: Callable[[Any], Any] | None) -> None:
        original = originals.setdefault((kind, name), getattr(kind, name))

        def told(*arguments: Any, **named: Any) -> Any:
            return lie(original(*arguments, **named)) if lie else original(*arguments, **named)

        monkeypatch.setattr(kind, name, told)

    return change


def test_a_first_pass_that_was_killed_knows_the_uidvalidity_of_its_pairs() -> None:
    world = World.of("a: b: c:", "", "")
    world.index.rows.clear()
    record = world.index.record

    def die(*arguments: Any) -> None:
        record(*arguments)
        raise Killed

    world.index.record = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        world.sync()
    world.index.record = record  # type: ignore[method-assign]
    world.server.mailboxes[INBOX] = FakeMailbox(UidValidity(9999))
    for name in "xyz":
        world.server.deliver(INBOX, octets(name))
    (held,) = world.sync(Policy()).mailbox(INBOX).held
    assert (held.side, held.count) == ("local", 3)
    assert (world.on_server(), world.in_maildir()) == ("x: y: z:", "a: b: c: x: y: z:")


def move(
    world: World, file: UniqueName, source: MailboxName, target: MailboxName, name: UniqueName | None = None
) -> None:
    """Somebody moves a file, under its name or another."""
    directories = world.store.directories
    directories[target].files[name or file] = directories[source].files.pop(file)


def half_moved(name: UniqueName | None = None) -> tuple[World, UniqueName]:
    """Two equal messages, one of which goes from A to B, perhaps under a new name: the pass is killed that follows it.

    Also the name of the file that was in B before.
    """
    world = World()
    for mailbox in (A, B):
        world.server.deliver(mailbox, octets("a"))
    world.sync()
    (there,), (other,) = (world.store.directories[mailbox].files for mailbox in (A, B))
    move(world, there, A, B, name)
    world.mortal(Mortality(2))
    with pytest.raises(Killed):
        world.sync()
    world.mortal(Mortality())
    assert world.on_server() == "B/a: B/a:"
    return world, other


def ends_with_two(world: World) -> None:
    """One in each mailbox, and nothing is left to do."""
    for _ in range(2):
        world.sync()
    assert (world.on_server(), world.in_maildir()) == ("A/a: B/a:", "A/a: B/a:")
    assert world.plans[0].actions == ()


@pytest.mark.parametrize("it_keeps_its_name", [True, False])
def test_a_move_that_a_killed_pass_has_followed_is_known_beside_an_equal_message(it_keeps_its_name: bool) -> None:
    """The equal one is moved the other way meanwhile, and one of both files keeps its name."""
    new = UniqueName("new")
    world, other = half_moved(None if it_keeps_its_name else new)
    move(world, other, B, A, new if it_keeps_its_name else None)
    ends_with_two(world)


def test_it_is_known_also_after_a_pass_over_the_mailbox_that_it_has_left() -> None:
    world, other = half_moved()
    move(world, other, B, A)
    world.sync(mailbox=A)
    ends_with_two(world)


@pytest.mark.parametrize("at", range(1, 5))
def test_it_is_known_also_after_a_pass_that_is_killed_again(at: int) -> None:
    world, other = half_moved()
    world.mortal(Mortality(at))
    with pytest.raises(Killed):
        world.sync()
    world.mortal(Mortality())
    move(world, other, B, A, UniqueName("new"))
    ends_with_two(world)


def test_an_appenduid_of_another_message_is_not_believed(lying: Callable[..., None]) -> None:
    world = World.of("a:", "a:", "a: b:")
    lying(FakeServer, "append", lambda outcomes: (replace(outcome, uid=Uid(1)) for outcome in outcomes))
    world.sync()
    lying(FakeServer, "append", None)
    world.sync()
    assert (world.on_server(), world.in_maildir()) == ("a: b:", "a: b:")


def lost_reply() -> World:
    """The server has taken an APPEND, and nobody knows."""
    world = World.of("", "", "a:")
    server_hears(world, done_APPEND=ConnectionLostError("lost"))
    with pytest.raises(ConnectionLostError):
        world.sync()
    well(world)
    return world


def test_after_a_lost_reply_a_short_listing_is_no_reason_to_send_again(lying: Callable[..., None]) -> None:
    world = lost_reply()
    lying(FakeServer, "listing", lambda listing: replace(listing, flags={}, complete=False))
    world.sync()
    lying(FakeServer, "listing", None)
    world.sync()
    assert most(world) == (1, 1)


def test_after_a_lost_reply_an_unstable_scan_is_no_reason_to_download(lying: Callable[..., None]) -> None:
    world = lost_reply()
    lying(FakeStore, "scan", lambda listing: replace(listing, messages={}, complete=False))
    world.sync()
    lying(FakeStore, "scan", None)
    world.sync()
    assert most(world) == (1, 1)


@pytest.mark.parametrize("side", ["local", "server"])
def test_a_pass_over_one_mailbox_does_not_copy_it_again_because_it_was_renamed(side: str) -> None:
    text = "A/a: A/b:"
    world = World.of(text, text, text)
    place = world.store.directories if side == "local" else world.server.mailboxes
    place[B] = place.pop(A)  # type: ignore[assignment,index]
    world.sync(Policy(), mailbox=A)
    world.sync(Policy())
    assert most(world) == (1, 1)


def test_held_deletions_are_not_undone_by_beginning_the_mailbox_anew() -> None:
    text = "A/a: A/b: A/c: A/d: A/e: A/f:"
    world = World.of("A/", text, f"{text} A/z:")
    del world.server.mailboxes[A]
    report = world.sync(ALL)
    assert ([held.count for held in report.mailbox(A).held], world.on_server()) == ([6], "")


def test_an_empty_literal_is_no_message(lying: Callable[..., None]) -> None:
    world = World.of("a:", "", "")
    lying(FakeServer, "fetch", _emptied)
    assert world.sync().mailbox(INBOX).problems != []
    lying(FakeServer, "fetch", None)
    world.sync()
    assert world.in_maildir() == "a:"


def _emptied(fetched: Iterator[Any]) -> Iterator[Any]:
    return (replace(message, size=0, body=iter(())) for message in fetched)


def test_a_mailbox_is_not_deleted_with_what_could_not_be_moved_out_of_it() -> None:
    world = World.of("A/a: A/b: B/", "A/a: A/b: B/", "B/a:")
    del world.store.directories[A]
    full = ServerRefusedError("over quota")
    server_hears(world, MOVE_A_B=full, APPEND=full)
    assert not world.sync(ALL).ok
    assert "A/a:" in world.on_server().split()


class TestARealMaildir:
    @staticmethod
    def open(world: World, root: Path, layout: Any = "fs") -> None:
        world.store = MaildirStore.open(str(root / "Mail"), layout, str(root / "attic"), world.index.store_id)  # type: ignore[assignment]
        world.index.bind(world.store.store_id)  # type: ignore[attr-defined]

    def test_another_layout_is_refused(self, tmp_path: Path) -> None:
        world = World.of("a: A/g:", "", "")
        world.index.rows.clear()
        self.open(world, tmp_path)
        world.sync(ALL)
        world.store.close()  # type: ignore[attr-defined]
        with pytest.raises(RefusedError, match="layout"):
            self.open(world, tmp_path, "maildir++")

    def test_a_letter_that_means_another_keyword_now_sets_none_on_the_server(self, tmp_path: Path) -> None:
        world = World.of("a:{work} b:{work}", "", "")
        world.index.rows.clear()
        self.open(world, tmp_path)
        world.sync()
        world.sync()
        (tmp_path / "Mail/INBOX/dovecot-keywords").write_bytes(b"0 todo\n")
        for _ in range(3):
            world.sync()
        assert world.on_server() == "a:{work} b:{work}"
        assert len(os.listdir(tmp_path / "Mail/INBOX/cur")) == 2
        world.store.close()  # type: ignore[attr-defined]

    def test_nor_does_one_that_comes_to_mean_another_keyword_during_a_pass(self, tmp_path: Path) -> None:
        world = World.of("a:{work} b:{work}", "", "")
        world.index.rows.clear()
        self.open(world, tmp_path)
        world.sync()
        world.sync()
        world.server.deliver(INBOX, octets("c"))
        letters = tmp_path / "Mail/INBOX/dovecot-keywords"
        server_hears(world, FETCH_INBOX_3=lambda: letters.write_bytes(b"0 todo\n") and None)
        for _ in range(4):
            world.sync()
        assert world.on_server() == "a:{work} b:{work} c:"
        assert world.sync().mailboxes == {}
        world.store.close()  # type: ignore[attr-defined]

    def test_a_copy_of_a_file_with_other_flags_changes_none(self, tmp_path: Path) -> None:
        world, file = self.seen(tmp_path)
        file.with_name(file.name[:-1]).write_bytes(file.read_bytes())
        for _ in range(3):
            world.sync()
        assert (world.on_server(), len(os.listdir(file.parent))) == ("a:S", 2)
        world.store.close()  # type: ignore[attr-defined]

    def test_another_message_under_the_name_of_one_that_is_known_is_the_new_one(self, tmp_path: Path) -> None:
        world, file = self.seen(tmp_path)
        file.with_name(file.name[:-1]).write_bytes(octets("b").replace(b"\r\n", b"\n"))
        world.sync()
        assert world.on_server() == "a:S b:"
        assert world.sync().mailboxes == {}
        world.server.mailboxes[INBOX].messages.pop(Uid(1))
        world.sync()
        (left,) = file.parent.iterdir()
        assert left.read_bytes() == octets("b").replace(b"\r\n", b"\n")
        world.store.close()  # type: ignore[attr-defined]

    def seen(self, root: Path) -> tuple[World, Path]:
        """A world with one message, and its file."""
        world = World.of("a:S", "", "")
        world.index.rows.clear()
        self.open(world, root)
        world.sync()
        (file,) = (root / "Mail/INBOX/cur").iterdir()
        return world, file
