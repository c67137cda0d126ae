"""One account that is kept equal by itself, with a server that misbehaves: what went wrong once costs only once."""

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from imap.scripted import Answer, Scripted
from worlds import Quiet

from syncer.config import load_config
from syncer.errors import AccountError
from syncer.imap.push import Notify
from syncer.maildir.watcher import Watcher
from syncer.ports.push import Heard
from syncer.reconcile.identity import INBOX, MailboxName, UniqueName
from syncer.report import AccountReport, SyncOptions
from syncer.settings import Secret
from syncer.watching.deletions import REST
from syncer.watching.pulse import Pulse
from syncer.watching.standing import Standing
from syncer.watching.trust import Trust
from syncer.wiring import Audience, Watch, parts
from syncer.wiring.asking import asked_to_sync
from syncer.wiring.status import Files

LONG = 15.0
RENAMED = MailboxName("Renamed since")
BASE = b"IMAP4rev1 LITERAL+ UIDPLUS NAMESPACE"
NO = b"<tag> NO [UNAVAILABLE] not now\r\n"
OK = b"<tag> OK done\r\n"
LISTED = b'* LIST () "/" INBOX\r\n<tag> OK done\r\n'
EMPTY = (
    b"* FLAGS (\\Seen \\Deleted)\r\n* 0 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 10] ok\r\n"
    b"* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] ok\r\n<tag> OK [READ-WRITE] done\r\n"
)
GONE = b"<tag> NO [NONEXISTENT] there is no such mailbox\r\n"
COUNTED = b"* STATUS INBOX (MESSAGES 0 UIDVALIDITY 7 UIDNEXT 10)\r\n<tag> OK done\r\n"


class Running:
    """A watch in a thread, and what its audience is told."""

    def __init__(self, directory: Path, script: Scripted, settings: Mapping[str, str]) -> None:
        self.passed: queue.Queue[AccountReport] = queue.Queue()
        self.failed: queue.Queue[tuple[str, float]] = queue.Queue()
        self.begun: queue.Queue[str] = queue.Queue()
        self.stands: list[Standing] = []
        (directory / "state").mkdir()
        lines = [
            f'state_dir = "{directory}/state"', "[accounts.work]", f'host = "{script.host}"', f"port = {script.port}",
            'tls = "off"', 'user = "me"', 'password = "hunter2"', f'maildir = "{directory}/Mail"',
            *(f"{name} = {value}" for name, value in {"poll_interval": '"1d"', **settings}.items()),
        ]  # fmt: skip
        conf = directory / "syncer.conf"
        conf.write_text("\n".join(lines) + "\n")
        conf.chmod(0o600)
        self.config = load_config(conf, {"HOME": str(directory)})
        self.stop = threading.Event()
        audience = Audience(self.begun.put, self.passed.put, self._failed, Quiet(), stands=self.stands.append)
        self.watch = Watch(self.config, [], audience, self.stop)
        self.thread = threading.Thread(target=self.watch.run, daemon=True)

    def _failed(self, _account: str, error: AccountError, seconds: float) -> None:
        self.failed.put((str(error), seconds))

    def ask(self) -> AccountReport | None:
        """What a `sync` beside it would be told."""
        return asked_to_sync(
            Files.of(self.config, self.config.accounts[0]).control, [None], SyncOptions(), threading.Event()
        )

    def until(self, ok: bool) -> AccountReport:
        """The next report of a pass that went well, or badly."""
        while (report := self.passed.get(timeout=LONG)).ok != ok:
            pass
        return report

    def fails(self) -> Sequence[str]:
        return [self.failed.get()[0] for _ in range(self.failed.qsize())]


@contextmanager
def running(directory: Path, script: Scripted, settings: Mapping[str, str] = {}) -> Iterator[Running]:
    one = Running(directory, script, settings)
    one.thread.start()
    try:
        yield one
    finally:
        one.stop.set()
        one.watch.end()
        one.thread.join(LONG)
        assert not one.thread.is_alive()


def scripted(capabilities: bytes = BASE, **replies: Answer) -> Scripted:
    said: dict[str, Answer] = {"LIST": LISTED, "STATUS": COUNTED, "SELECT": EMPTY, "IDLE": b"+ idling\r\n"}
    return Scripted({**said, **replies}, capabilities=capabilities)


def until(happened: object, what: str) -> None:
    end = threading.Event()
    for _ in range(int(LONG * 100)):
        if happened():  # type: ignore[operator]
            return
        end.wait(0.01)
    raise AssertionError(what)


def test_it_has_begun_when_the_account_is_open(tmp_path: Path) -> None:
    with scripted() as script, running(tmp_path, script) as one:
        assert one.begun.get(timeout=LONG) == "work"
        assert one.ask() is not None
        assert one.fails() == []


def test_it_has_begun_as_well_when_it_was_said_what_it_waits_for(tmp_path: Path) -> None:
    (tmp_path / "Mail").write_text("no directory")
    with scripted() as script, running(tmp_path, script) as one:
        assert one.begun.get(timeout=LONG) == "work"
        assert "not a directory" in one.fails()[0]
        assert one.ask() is None


def test_a_fault_of_ours_while_listening_is_said_and_the_server_is_asked_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(_push: Notify, _seconds: float, _wake: int) -> Heard:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(Notify, "hear", faulty)
    often = {"poll_interval": '"10s"'}
    with scripted(BASE + b" IDLE NOTIFY", NOTIFY=OK) as script, running(tmp_path, script, often) as one:
        one.until(ok=True)
        until(lambda: caplog.messages, "said")
        loop = until_loop(one)
        until(lambda: loop.interval == 10.0, "asked")
    assert caplog.messages == [
        "account work: internal error, please report it; nobody listens any more, the server is asked instead"
    ]


def test_an_account_in_which_nothing_goes_on_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted() as script, running(tmp_path, script) as one:
        one.until(ok=True)
        assert one.watch.stuck() == []
        monkeypatch.setattr(Pulse, "stuck", True)
        assert one.watch.stuck() == ["work"]


def test_a_listing_that_is_refused_once_costs_one_pass(tmp_path: Path) -> None:
    with scripted(LIST=[NO, LISTED]) as script, running(tmp_path, script) as one:
        assert "not now" in str(one.until(ok=False).error)
        one.watch.hurry("network")
        assert one.until(ok=True).error is None
        assert one.fails() == []


def test_a_pass_that_was_asked_for_and_failed_spoils_no_other(tmp_path: Path) -> None:
    with scripted(LIST=[LISTED, None, None, LISTED]) as script, running(tmp_path, script) as one:
        one.until(ok=True)
        first, second = one.ask(), one.ask()
        assert first is not None
        assert second is not None
        assert "the server closed the connection" in str(first.error)
        assert second.error is None
        assert one.fails() == []


def test_a_mailbox_that_cannot_be_idled_in_is_tried_again(tmp_path: Path) -> None:
    def select(command: bytes) -> bytes:
        return there[0] if b"Gone" in command else EMPTY

    there = [GONE]
    with scripted(BASE + b" IDLE", SELECT=select) as script, running(tmp_path, script, {"idle": '["Gone"]'}) as one:
        one.until(ok=True)
        assert "Gone" in one.failed.get(timeout=LONG)[0]
        until(lambda: script.commands("LOGOUT"), "the connection closed")
        there[0] = EMPTY
        until(lambda: (one.watch.hurry("network"), script.commands("IDLE"))[1], "listened to")


def test_everything_is_looked_at_more_often_when_the_server_does_not_tell_any_more(tmp_path: Path) -> None:
    with (
        scripted(BASE + b" IDLE NOTIFY", NOTIFY=[OK, NO]) as script,
        running(tmp_path, script, {"poll_interval": '"10s"'}) as one,
    ):
        loop = until_loop(one)
        until(lambda: loop.interval == 540, "told of everything")
        one.until(ok=True)
        for sock in list(script._open):
            sock.shutdown(2)
        until(lambda: script.commands("IDLE"), "idles")
        assert loop.interval == 10
        waits = loop._wakeups.wait(loop._clock())
        assert waits is None or waits <= 10


def until_loop(one: Running):  # type: ignore[no-untyped-def]
    until(lambda: one.watch._watched, "begun")
    return one.watch._watched[0].loop


def test_a_password_that_is_refused_is_tried_once_however_many_would_listen(tmp_path: Path) -> None:
    refused = b"<tag> NO [AUTHENTICATIONFAILED] no\r\n"
    with (
        scripted(BASE + b" IDLE", LOGIN=refused) as script,
        running(tmp_path, script, {"idle": '["INBOX", "One", "Two", "Three"]'}) as one,
    ):
        told = [one.failed.get(timeout=LONG) for _ in range(2)]
        assert {seconds for _, seconds in told} == {30.0}
        assert len(script.commands("LOGIN")) == 1
        script.replies["LOGIN"] = b"<tag> OK [CAPABILITY " + BASE + b" IDLE] in\r\n"
        one.watch.hurry("person")
        one.until(ok=True)
        until(lambda: len(set(script.commands("SELECT"))) == 4, "all are listened to")
        until(lambda: len(script.commands("LOGIN")) == 6, "each by a connection of its own, and the passes by theirs")


def test_who_listens_asks_for_the_password_again_after_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were let in before stand, and the passes go on, so that nobody else would ask for it."""
    passwords = ["old"]
    monkeypatch.setattr(parts, "resolve_password", lambda _account: Secret(passwords[0]))
    with scripted(BASE + b" IDLE") as script, running(tmp_path, script) as one:
        until(lambda: one.stands and one.stands[-1].idle, "it idles")
        one.until(ok=True)
        welcome = script.replies["LOGIN"]
        script.replies["LOGIN"] = lambda line: welcome if b"new" in line else b"<tag> NO [AUTHENTICATIONFAILED] no\r\n"
        script.replies["DONE"] = None
        one.watch.hurry("network")
        until(lambda: any("refused to log in" in words for words in one.fails()), "refused")
        script.replies["DONE"] = OK
        passwords[0] = "new"
        one.watch.hurry("person")
        until(lambda: one.stands[-1].idle, "it idles again")


@pytest.mark.parametrize("awake", ["both", "who listens"])
def test_a_refusal_that_somebody_else_has_heard_is_not_held_against_a_password_that_was_put_right(
    awake: str, tmp_path: Path
) -> None:
    with scripted(BASE + b" IDLE") as script, running(tmp_path, script) as one:
        until(lambda: one.stands and one.stands[-1].idle, "it idles")
        one.until(ok=True)
        (watched,) = one.watch._watched
        welcome = script.replies["LOGIN"]
        script.replies["LOGIN"] = b"<tag> NO [AUTHENTICATIONFAILED] no\r\n"
        script.replies["DONE"] = script.replies["LIST"] = None
        heard: list[str] = []

        def refusals() -> int:
            heard.extend(words for words in one.fails() if "refused to log in" in words)
            return len(heard)

        one.watch.hurry("network")
        until(lambda: refusals() == 2, "both are refused")
        script.replies["DONE"], script.replies["LIST"] = OK, LISTED
        watched._hearing.hurry("person")
        until(lambda: refusals() == 3, "who listens has asked once more")
        script.replies["LOGIN"] = welcome
        if awake == "both":
            one.watch.hurry("person")
        else:
            watched._hearing.hurry("person")
        one.until(ok=True)
        until(lambda: one.stands[-1].idle, "it idles again")


def test_a_server_that_throttles_is_left_alone_as_long_as_it_asks(tmp_path: Path) -> None:
    throttled = b"<tag> BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n"
    with scripted(LIST=[LISTED, throttled, LISTED]) as script, running(tmp_path, script) as one:
        one.until(ok=True)
        one.watch.hurry("person")
        words, seconds = one.failed.get(timeout=LONG)
        assert "throttled" in words
        assert seconds == 299.961
        tried = len(script.commands("LOGIN"))
        one.watch.hurry("network")
        assert one.ask() is not None  # so it has been awake since; who asks is a person, and is served
        assert len(script.commands("LOGIN")) == tried + 1
        assert one.fails() == []


def test_a_server_that_does_not_keep_its_promise_to_tell_is_idled_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    untold = [frozenset({MailboxName("Work")})]
    idle = {"poll_interval": '"10s"', "idle": '["INBOX", "Two"]'}
    with scripted(BASE + b" IDLE NOTIFY", NOTIFY=OK) as script, running(tmp_path, script, idle) as one:
        until(lambda: one.stands and one.stands[-1].how == "notify", "told of everything")
        one.until(ok=True)
        monkeypatch.setattr(Trust, "looked", lambda *_: untold.pop() if untold else frozenset())
        one.watch.hurry("network")
        until(lambda: one.stands[-1].idle == {INBOX, "Two"}, "idles")
        assert (one.stands[-1].how, until_loop(one).interval) == ("idle", 10)
    assert caplog.messages == [
        "account work: the server told nothing of changes in Work, as it had promised to (NOTIFY); using IDLE"
    ]


def test_where_the_server_tells_of_every_mailbox_one_connection_listens(tmp_path: Path) -> None:
    idle = {"idle": '["INBOX", "One", "Two"]'}
    with scripted(BASE + b" IDLE NOTIFY", NOTIFY=OK) as script, running(tmp_path, script, idle) as one:
        until(lambda: one.stands and one.stands[-1].how == "notify", "told of everything")
        one.until(ok=True)
        assert (len(script.commands("NOTIFY")), len(script.commands("LOGIN"))) == (1, 2)


def test_what_is_not_watched_but_polled_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Watcher, "degraded", "polled, since there are too many watches")
    with scripted(BASE + b" IDLE") as script, running(tmp_path, script, {}) as one:
        one.until(ok=True)
        one.watch.hurry("network")
        one.until(ok=True)
        until(lambda: caplog.messages, "said")
    assert caplog.messages == ["account work: polled, since there are too many watches"]


def test_how_it_stands_is_told_whenever_it_changes(tmp_path: Path) -> None:
    with scripted(BASE + b" IDLE") as script, running(tmp_path, script) as one:
        until(lambda: one.stands and (now := one.stands[-1]).idle and now.last and now.busy is None, "it idles")
        now = one.watch.standings()
        assert [(each.account, each.idle, each.connected, each.waiting) for each in now] == [
            ("work", {"INBOX"}, True, None)
        ]
        assert [each for each in one.stands if each.busy is not None]
        script.replies["LIST"] = NO
        one.watch.hurry("network")
        until(lambda: one.stands[-1].last and not one.stands[-1].last.ok, "it has failed")
        failed = one.stands[-1]
        assert failed.last is not None
        assert "not now" in str(failed.last.error)
        assert failed.well is not None
        script.replies["LIST"] = LISTED
        one.watch.hurry("network")
        until(lambda: one.stands[-1].last and one.stands[-1].last.ok, "all is well again")
    assert one.watch.standings()[0].idle == set()


def test_a_password_that_is_refused_is_what_is_waited_for(tmp_path: Path) -> None:
    refused = b"<tag> NO [AUTHENTICATIONFAILED] no\r\n"
    with scripted(BASE + b" IDLE", LOGIN=refused) as script, running(tmp_path, script) as one:
        until(lambda: one.stands and one.stands[-1].waiting, "refused")
        waiting = one.stands[-1].waiting
        assert waiting is not None
        assert (waiting.kind, waiting.until and waiting.until > one.stands[-1].since) == ("login", True)
        assert not one.stands[-1].connected


def test_a_deletion_that_no_pass_finds_when_it_counts_makes_no_pass_after_pass(tmp_path: Path) -> None:
    with scripted() as script, running(tmp_path, script) as one:
        one.until(ok=True)
        deletions = one.watch._watched[0]._deletions
        deletions.count(time.monotonic() - 2 * REST, [RENAMED], {(RENAMED, UniqueName("a"))})
        one.watch.hurry("network")
        one.until(ok=True)
        until(lambda: deletions.due(time.monotonic()) is None, "not waited for any more")


def test_a_dry_run_that_was_asked_for_is_no_pass(tmp_path: Path) -> None:
    with scripted() as script, running(tmp_path, script) as one:
        one.until(ok=True)
        before = one.watch.standings()
        control = Files.of(one.config, one.config.accounts[0]).control
        answer = asked_to_sync(control, [None], SyncOptions(dry_run=True), threading.Event())
        assert answer is not None
        assert answer.ok
        assert one.watch.standings() == before


def test_a_server_that_gives_up_notify_is_idled_with_in_every_mailbox(tmp_path: Path) -> None:
    idle = {"idle": '["INBOX", "Two"]'}
    with scripted(BASE + b" IDLE NOTIFY", NOTIFY=OK) as script, running(tmp_path, script, idle) as one:
        until(lambda: one.stands and one.stands[-1].how == "notify", "told of everything")
        script.replies["NOTIFY"] = NO
        for sock in list(script._open):
            sock.shutdown(2)
        until(lambda: one.stands[-1].idle == {INBOX, "Two"}, "idles")
