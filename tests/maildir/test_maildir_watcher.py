"""The watcher on the real kernel: what is hinted, what is not, and that the directories stay watched."""

import os
import shutil
import sys
import threading
from pathlib import Path

import pytest
from stores import ADD_SEEN, ONE, WORK
from watching import Hints, hint_of, make_mailbox, wait_for, wait_until_watched

from syncer.maildir import inotify
from syncer.maildir.store import MaildirStore
from syncer.maildir.watcher import Watcher
from syncer.reconcile.flags import NONE

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs inotify")


# Messages


@pytest.mark.usefixtures("watcher")
def test_a_flag_is_set(root: Path, hints: Hints) -> None:
    (root / "INBOX/cur/1.one:2,").rename(root / "INBOX/cur/1.one:2,S")
    assert hints.first() == hint_of("INBOX")


@pytest.mark.usefixtures("watcher")
def test_a_message_is_deleted(root: Path, hints: Hints) -> None:
    (root / "INBOX/cur/1.one:2,").unlink()
    assert hints.first() == hint_of("INBOX")


@pytest.mark.usefixtures("watcher")
def test_a_message_leaves_the_maildir(root: Path, hints: Hints, tmp_path: Path) -> None:
    (root / "INBOX/cur/1.one:2,").rename(tmp_path / "gone")
    assert hints.first() == hint_of("INBOX")


@pytest.mark.parametrize("how", ["rename", "link", "written in place"])
@pytest.mark.usefixtures("watcher")
def test_a_message_is_delivered(root: Path, hints: Hints, how: str) -> None:
    waiting, delivered = root / "Work/tmp/2.two", root / "Work/new/2.two"
    if how == "written in place":
        delivered.write_bytes(b"two")
    else:
        waiting.write_bytes(b"two")
        (os.rename if how == "rename" else os.link)(waiting, delivered)
    assert hints.first() == hint_of("Work")


@pytest.mark.usefixtures("watcher")
def test_a_move_between_two_mailboxes_is_one_hint_at_both(root: Path, hints: Hints) -> None:
    (root / "INBOX/cur/1.one:2,").rename(root / "Work/Lists/cur/1.one:2,")
    assert hints.first() == hint_of("INBOX", "Work/Lists")


@pytest.mark.usefixtures("watcher")
def test_names_of_any_octets_are_names(root: Path, hints: Hints) -> None:
    name = os.fsencode(root / "INBOX/cur/") + b"/\xff\x80\n\\ \xc3(:2,S"
    os.close(os.open(name, os.O_CREAT))
    assert hints.first() == hint_of("INBOX")
    os.rename(name, name[:-4] + bytes(range(0x80, 0xC0)))
    assert hints.first() == hint_of("INBOX")


@pytest.mark.usefixtures("watcher")
def test_a_change_of_the_keywords_table_is_a_change_of_the_mailbox(root: Path, hints: Hints) -> None:
    (root / "Work/dovecot-keywords.lock").write_bytes(b"0 work\n")
    (root / "Work/dovecot-keywords.lock").rename(root / "Work/dovecot-keywords")
    assert hints.first() == hint_of("Work")


@pytest.mark.usefixtures("watcher")
def test_what_is_not_a_change_is_not_hinted(root: Path, hints: Hints) -> None:
    message = root / "INBOX/cur/1.one:2,"
    assert message.read_bytes() == b"one"
    message.write_bytes(b"rewritten in place")
    message.chmod(0o600)
    os.utime(message, (1, 1))
    assert [entry.name for entry in message.parent.iterdir()] == [message.name]
    (root / "INBOX/tmp/3").write_bytes(b"not delivered yet")
    (root / "INBOX/tmp/3").rename(root / "INBOX/tmp/4")
    (root / "INBOX/tmp/4").unlink()
    (root / "INBOX/dovecot-uidlist").write_bytes(b"")
    (root / ".mutt-cache").mkdir()
    (root / "elsewhere").symlink_to(root / "INBOX")
    (root / "Work/new/2.two").write_bytes(b"two")
    assert hints.first() == hint_of("Work")


def test_our_own_changes_are_one_event_each_or_two_for_a_rename(
    root: Path, hints: Hints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    on_event = inotify._Messages.on_event

    def noted(callback: inotify._Messages, event: inotify.InotifyEvent) -> None:
        heard.append(os.fsdecode(event.name))
        on_event(callback, event)

    monkeypatch.setattr(inotify._Messages, "on_event", noted)
    store = MaildirStore.open(str(root), "fs", str(tmp_path / "attic"), None)
    with Watcher(root, "fs", hints, poll_seconds=3600):
        with store.delivery(WORK) as batch:
            batch.add(ONE, NONE, 1_700_000_000, [b"Subject: one\r\n\r\n"])
            batch.commit()
        store.change_flags(WORK, ONE, ADD_SEEN)
        store.remove(WORK, ONE)
        wait_for(lambda: len(heard) == 4)
    store.close()
    assert heard == ["1.one", "1.one", "1.one:2,S", "1.one:2,S"]
    assert set(hints.all) <= {hint_of("Work")}


def test_a_storm_of_renames_is_few_hints_and_the_last_comes_after_it(root: Path) -> None:
    renamed, seen, last = 0, [], threading.Event()

    def hint(mailboxes: object) -> None:
        seen.append(mailboxes)
        if renamed == 10_000:
            last.set()

    path = root / "INBOX/cur/1.one:2,"
    with Watcher(str(root), "fs", hint, poll_seconds=3600):
        for number in range(10_000):
            path = path.rename(path.with_name(f"1.one:2,{'FS'[number % 2]}"))
            renamed = number + 1
        assert last.wait(60)
    assert len(seen) < 1_000
    assert set(seen) <= {hint_of("INBOX"), None}


# Mailboxes


@pytest.mark.usefixtures("watcher")
def test_a_new_mailbox_is_hinted_and_watched(root: Path, hints: Hints) -> None:
    make_mailbox(root / "New" / "Deep")
    hints.until(lambda seen: seen[-1:] == [None])
    wait_until_watched(root / "New/Deep/cur", hints, "New/Deep")


@pytest.mark.usefixtures("watcher")
def test_a_removed_mailbox_is_hinted_and_made_again_it_is_watched_again(root: Path, hints: Hints) -> None:
    shutil.rmtree(root / "Work/Lists")
    hints.until(lambda seen: None in seen)
    make_mailbox(root / "Work/Lists")
    hints.until(lambda seen: None in seen)
    wait_until_watched(root / "Work/Lists/cur", hints, "Work/Lists")


@pytest.mark.usefixtures("watcher")
def test_a_renamed_mailbox_is_hinted_and_watched_under_its_new_name_with_those_below(root: Path, hints: Hints) -> None:
    (root / "Work").rename(root / "Job")
    hints.until(lambda seen: None in seen)
    wait_until_watched(root / "Job/cur", hints, "Job")
    wait_until_watched(root / "Job/Lists/cur", hints, "Job/Lists")


@pytest.mark.usefixtures("watcher")
def test_two_mailboxes_that_change_their_names_are_told_apart(root: Path, hints: Hints) -> None:
    (root / "Work").rename(root / ".aside")
    (root / "INBOX").rename(root / "Work")
    (root / ".aside").rename(root / "INBOX")
    hints.until(lambda seen: None in seen)
    wait_until_watched(root / "Work/cur", hints, "Work")
    wait_until_watched(root / "INBOX/Lists/cur", hints, "INBOX/Lists")


@pytest.mark.usefixtures("watcher")
def test_a_mailbox_replaced_by_a_symbolic_link_is_watched_no_more(root: Path, hints: Hints, tmp_path: Path) -> None:
    (root / "Work/Lists").rename(tmp_path / "Lists")
    (root / "Work/Lists").symlink_to(tmp_path / "Lists")
    hints.until(lambda seen: None in seen)
    (tmp_path / "Lists/cur/2.two:2,").write_bytes(b"two")
    (root / "INBOX/cur/1.one:2,").unlink()
    assert hints.first() == hint_of("INBOX")


def test_maildir_plus_plus_has_its_mailboxes_in_the_root(tmp_path: Path, hints: Hints) -> None:
    root = tmp_path / "Mail"
    make_mailbox(root)
    make_mailbox(root / ".Work.Lists")
    with Watcher(root, "maildir++", hints, poll_seconds=3600) as watcher:  # type: ignore[arg-type]
        assert watcher.degraded is None
        (root / "new/1.one").write_bytes(b"one")
        assert hints.first() == hint_of("INBOX")
        (root / "new/1.one").rename(root / ".Work.Lists/cur/1.one:2,S")
        assert hints.first() == hint_of("INBOX", "Work/Lists")
        make_mailbox(root / ".New")
        hints.until(lambda seen: None in seen)
        wait_until_watched(root / ".New/cur", hints, "New")
