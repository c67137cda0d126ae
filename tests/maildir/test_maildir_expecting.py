"""The index is asked while the directories are being listed."""

import threading
from pathlib import Path

import pytest

from syncer.errors import IndexFileError
from syncer.maildir import scan
from syncer.maildir.store import MaildirStore
from syncer.ports import Expectation
from syncer.reconcile.identity import INBOX

TIMEOUT = 10


def test_both_take_their_time_at_once(store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "cur" / "1.a:2,S").write_text("")
    both = threading.Barrier(2, timeout=TIMEOUT)
    real = scan.read

    def names(spell: object) -> set[bytes]:
        both.wait()
        return {b"1.a:2,S"}

    monkeypatch.setattr(scan, "read", lambda *arguments, **named: (both.wait(), real(*arguments, **named))[1])
    listing = store.scan(INBOX, {}, Expectation(names))
    assert (dict(listing.messages), listing.absent, listing.complete) == ({}, frozenset(), True)


def test_the_letters_that_count_are_those_after_the_listing(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "dovecot-keywords").write_text("0 work\n")
    (inbox / "cur" / "1.a:2,a").write_text("")
    real, asked = scan.read, []

    def read(*arguments: object, **named: object) -> object:
        (inbox / "dovecot-keywords").write_text("0 work\n1 todo\n")
        return real(*arguments, **named)  # type: ignore[arg-type]

    def names(spell: object) -> set[bytes]:
        word = spell(frozenset({"todo"}))  # type: ignore[operator]
        asked.append(word)
        return {f"1.a{word}".encode()}

    monkeypatch.setattr(scan, "read", read)
    listing = store.scan(INBOX, {"a": "work"}, Expectation(names))
    assert asked == [":2,", ":2,b"]
    assert {name: message.flags for name, message in listing.messages.items()} == {"1.a": {"work"}}


def test_what_goes_wrong_with_the_index_is_told_and_nobody_is_left_behind(store: MaildirStore, inbox: Path) -> None:
    def names(spell: object) -> set[bytes]:
        raise IndexFileError("damaged")

    before = threading.active_count()
    with pytest.raises(IndexFileError, match="damaged"):
        store.scan(INBOX, {}, Expectation(names))
    assert threading.active_count() == before


def test_the_index_is_not_in_use_any_more_when_the_listing_has_failed(
    store: MaildirStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, ended = threading.Event(), threading.Event()

    def names(spell: object) -> set[bytes]:
        going.wait(TIMEOUT)
        ended.set()
        return set()

    def read(*arguments: object, **named: object) -> object:
        threading.Timer(0.05, going.set).start()
        raise KeyboardInterrupt

    monkeypatch.setattr(scan, "read", read)
    with pytest.raises(KeyboardInterrupt):
        store.scan(INBOX, {}, Expectation(names))
    assert ended.is_set()


def test_without_a_thread_one_comes_after_the_other(
    store: MaildirStore, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    (inbox / "cur" / "1.a:2,S").write_text("")
    monkeypatch.setattr(threading.Thread, "start", refused)
    listing = store.scan(INBOX, {}, Expectation(lambda spell: {b"1.a:2,S", b"2.b:2,"}))
    assert (dict(listing.messages), listing.absent) == ({}, {"2.b"})
