"""Whoever follows an account sees who works on it, and what a watch does."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from imap.scripted import Scripted
from wiring.test_wiring_watching import BASE, LISTED, NO, Running, running, scripted, until

from syncer.daemon import followers
from syncer.daemon.control import Answer, Control
from syncer.findings import By
from syncer.index import open_index
from syncer.reconcile.identity import INBOX, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Pair
from syncer.wiring import follow_account, following
from syncer.wiring.following import Seen
from syncer.wiring.news import VERSION, News
from syncer.wiring.status import Files


class Follower:
    """What one sees."""

    def __init__(self, one: Running) -> None:
        self.seen: list[Seen] = []
        self.stop = threading.Event()
        account = one.config.accounts[0]
        self.files = Files.of(one.config, account)
        self._thread = threading.Thread(
            target=follow_account, args=(one.config, account, self.seen.append, self.stop), daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        self.stop.set()
        self._thread.join(15)
        assert not self._thread.is_alive()

    def by(self) -> list[str | None]:
        """Who worked on it, each time that this has changed."""
        found: list[str | None] = []
        for seen in self.seen:
            if not found or found[-1] != seen.by:
                found.append(seen.by)
        return found

    def news(self) -> list[News]:
        return [seen.news for seen in self.seen if seen.news is not None]


@contextmanager
def following_it(one: Running) -> Iterator[Follower]:
    follower = Follower(one)
    try:
        yield follower
    finally:
        follower.end()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second is waited where a moment will do."""
    monkeypatch.setattr(following, "LOOK", 0.02)
    monkeypatch.setattr(following, "SOON", 0.02)


def idling(**replies: object) -> Scripted:
    return scripted(BASE + b" IDLE", **replies)  # type: ignore[arg-type]


def test_the_first_is_how_it_stands_and_then_each_pass_and_each_failure_is_told(tmp_path: Path) -> None:
    with idling() as script, running(tmp_path, script) as one:
        one.until(ok=True)
        until(lambda: one.stands[-1].idle and one.stands[-1].busy is None, "idles")
        with following_it(one) as follower:
            until(follower.news, "told")
            (first,) = follower.news()[:1]
            assert (first.standing, first.account) == (one.watch.standings()[0], "work")
            one.watch.hurry("person")
            until(lambda: any(news.report for news in follower.news()), "a pass")
            script.replies["LIST"] = NO
            one.watch.hurry("person")
            until(lambda: any(n.report and n.report.error for n in follower.news()), "a pass that failed")
            script.replies["LIST"] = LISTED
            for sock in list(script._open):
                with suppress(OSError):  # some are closed already
                    sock.shutdown(socket.SHUT_RDWR)
            until(lambda: any(news.failure for news in follower.news()), "a failure")
            failure = next(news.failure for news in follower.news() if news.failure)
            assert (failure.kind, "connection was lost" in failure.error) == ("network", True)
            assert follower.by() == ["watch"]


def test_a_watch_that_comes_goes_and_comes_again_is_seen(tmp_path: Path) -> None:
    with idling() as script:
        idle = Running(tmp_path, script, {})
        with following_it(idle) as follower:

            def seen() -> list[By | None]:
                """A machine that is busy may take a second to begin: until it answers it is just another run."""
                return [by for by in follower.by() if by != "run"]

            until(lambda: follower.seen == [Seen("work", None)], "nobody")
            for number in range(2):
                idle.stop = threading.Event()
                watch = type(idle.watch)(idle.config, [], idle.watch._audience, idle.stop)
                thread = threading.Thread(target=watch.run)
                thread.start()
                until(lambda number=number: seen() == [None, *["watch", None] * number, "watch"], "it is there")  # type: ignore[misc]
                idle.stop.set()
                watch.end()
                thread.join(15)
                until(lambda: follower.by()[-1] is None, "it has gone")


def test_another_run_is_seen_with_what_it_has_got_so_far(tmp_path: Path) -> None:
    with idling() as script:
        idle = Running(tmp_path, script, {})
        with following_it(idle) as follower:
            until(lambda: follower.by() == [None], "nobody")
            with closing(open_index(follower.files.index, "work")) as index:
                until(lambda: follower.seen[-1] == Seen("work", "run", messages=0), "a run")
                index.record(INBOX, [Pair(Uid(1), UniqueName("a"), frozenset(), Fingerprint(1, bytes(16), bytes(16)))])
                until(lambda: follower.seen[-1] == Seen("work", "run", messages=1), "its progress")
            until(lambda: follower.seen[-1] == Seen("work", None), "its end")
            assert follower.by() == [None, "run", None]


def test_a_watch_of_another_version_is_seen_and_not_understood(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def answer(question: bytes) -> Answer:
        asked.append(question)
        return b""

    with idling() as script:
        idle = Running(tmp_path, script, {})
        control = Files.of(idle.config, idle.config.accounts[0]).control
        with Control(control, answer), following_it(idle) as follower:
            until(lambda: len(asked) > 3, "asked again and again")
            assert follower.seen == [Seen("work", "watch")]


def test_more_followers_than_there_may_be_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers.Followers.__init__, "__kwdefaults__", {"most": 1, "octets": 1 << 20})
    with idling() as script, running(tmp_path, script) as one:
        one.until(ok=True)
        with following_it(one) as first:
            until(first.news, "followed")
            with following_it(one) as second:
                until(second.news, "told")
                assert (second.news()[0].refused, second.news()[0].version) == ("16 follow it already", VERSION)
            end = time.monotonic() + 15
            while first.news()[-1].report is None and time.monotonic() < end:
                one.watch.hurry("person")
                time.sleep(0.05)
            assert first.news()[-1].refused is None


def test_where_there_can_be_no_socket_that_is_said_and_the_account_is_watched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with idling() as script:
        idle = Running(tmp_path, script, {})
        control = Files.of(idle.config, idle.config.accounts[0]).control
        control.mkdir()
        idle.thread.start()
        idle.until(ok=True)
        with following_it(idle) as follower:
            until(lambda: follower.by() == ["run"], "seen by its lock")
        idle.stop.set()
        idle.watch.end()
        idle.thread.join(15)
    words = "so neither `sync` nor `status --follow` can ask this watch: Is a directory"
    assert caplog.messages == [f"account work: no socket at {control}, {words}"]
