"""`syncer status --follow`, of which the wiring is what the test says."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from cli_support import Ran

from syncer.cli import following
from syncer.cli.standing import NOBODY, RUN, STRANGER, doing, words
from syncer.cli.told import Told
from syncer.config import Account, Config
from syncer.findings import AccountStatus
from syncer.ports import KnownMailbox
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import AccountReport
from syncer.values import replace
from syncer.watching.standing import LastPass, Standing, Waiting
from syncer.wiring.following import Seen
from syncer.wiring.news import VERSION, Failure, News

WORK = MailboxName("Work")
EQUAL = Standing("work", since=1, linked=True, notify=True, last=LastPass(5, 0.1, ok=True), well=5, answered=5)
NOTIFY = "the server tells of every mailbox (NOTIFY)"


def seen(**news: object) -> Seen:
    return Seen("work", "watch", News(VERSION, "work", 7, **news))  # type: ignore[arg-type]


def passed(**counters: int) -> Seen:
    report = AccountReport("work")
    for counter, number in counters.items():
        setattr(report.mailbox(INBOX), counter, number)
    return seen(report=report)


Follow = Callable[..., Ran]


class CtrlC:
    """Seen when all that was seen before was printed."""

    def __getattr__(self, name: str) -> object:
        raise KeyboardInterrupt


@pytest.fixture
def follow(syncer: Callable[..., Ran], wiring: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Follow:
    """`follow([Seen, ...], *words)` is what is printed of these, until the person has seen enough."""

    def run(sights: Sequence[Seen], *more: str) -> Ran:
        def account_status(config: Config, account: Account, *, queue: bool) -> AccountStatus:
            assert queue
            return AccountStatus(account.name, "h", "/m", (KnownMailbox(INBOX, None, 3, {}, int(time.time())),))

        def follow_account(
            config: Config, account: Account, tell: Callable[[Any], None], stop: threading.Event
        ) -> None:
            if account.name == "work":
                for sight in (*sights, CtrlC()):
                    tell(sight)

        monkeypatch.setattr(following, "SETTLED", 0.0)
        wiring(account_status=account_status, follow_account=follow_account)
        ran = syncer("status", "--follow", *more)
        assert (ran.status, ran.err) == (130, "")
        return ran

    return run


STATUS = ["work: h <-> /m", "  3 messages in 1 mailboxes, last synced just now", "    INBOX        3  just now"]
HOME = [line.replace("work", "home") for line in STATUS]


def test_what_is_comes_first_and_then_each_thing_that_happens(follow: Follow) -> None:
    ran = follow(
        [
            Seen("work", None),
            seen(standing=EQUAL),
            passed(downloaded=1, flags_local=2),
            passed(),
            seen(failure=Failure("network", "no route", 37)),
            seen(standing=replace(EQUAL, notify=False, waiting=Waiting("network", "no route", 37))),
            passed(),
            seen(standing=EQUAL),
            seen(dropped=12),
            Seen("work", "run", messages=3),
            Seen("work", None),
        ]
    )
    assert ran.out.splitlines() == [
        *STATUS,
        *HOME,
        f"work: {NOBODY}",
        f"work: both sides are equal; {NOTIFY}",
        "work:INBOX: 1 downloaded, 2 flags received",
        "syncer: no route",
        "work: tried again in 30 s, and then until it works",
        "work: all is well again",
        "work: 12 lines were left out, since nobody read them in time",
        f"work: {RUN}, 3 messages so far",
        *STATUS,
        f"work: {NOBODY}",
    ]


def test_quietly_only_what_is_wrong_is_added(follow: Follow) -> None:
    ran = follow([passed(downloaded=1), seen(failure=Failure("network", "no route", 37))], "-q")
    assert ran.out.splitlines() == [*STATUS, *HOME, "syncer: no route"]


def test_another_process_is_said_to_have_more_messages_when_it_has_many_more(follow: Follow) -> None:
    ran = follow([Seen("work", "run", messages=number) for number in (100, 101, 109, 115, 120, 130)])
    assert ran.out.splitlines()[6:] == [f"work: {RUN}, {number} messages so far" for number in (100, 115, 130)]


def test_as_json_each_thing_is_a_document_on_a_line(follow: Follow) -> None:
    standing = replace(
        EQUAL, idle=frozenset({WORK, INBOX}), waiting=Waiting("login", "no", None), held={WORK: ("local", "server")}
    )
    sights = [
        Seen("work", "run", messages=3),
        seen(standing=standing),
        passed(downloaded=1),
        seen(failure=Failure("login", "no", None)),
        seen(dropped=2),
        seen(refused="16 follow it already"),
    ]
    lines = [json.loads(line) for line in follow(sights, "--json").out.splitlines()]
    assert [(line["version"], line["account"], line["event"]) for line in lines[:2]] == [
        (1, "work", "status"),
        (1, "home", "status"),
    ]
    assert lines[0]["status"]["mailboxes"][0]["name"] == "INBOX"
    known = {"version": 1, "account": "work", "at": 7}
    assert lines[2] == {**known, "at": lines[2]["at"], "event": "state", "by": "run", "watch": None, "messages": 3}
    watch = {
        "since": 1, "connected": True, "how": "notify", "idle": ["INBOX", "Work"], "busy": None,
        "last": {"at": 5, "seconds": 0.1, "ok": True, "error": None}, "well": 5, "answered": 5,
        "waiting": {"kind": "login", "error": "no", "until": None}, "troubles": {},
        "held": {"Work": ["local", "server"]}, "degraded": None,
    }  # fmt: skip
    assert lines[3] == {**known, "event": "state", "by": "watch", "watch": watch, "messages": None}
    report = AccountReport("work")
    report.mailbox(INBOX).downloaded = 1
    assert lines[4:] == [
        {**known, "event": "passed", "report": report.to_json()},
        {**known, "event": "failed", "kind": "login", "error": "no", "until": None},
        {**known, "event": "dropped", "lines": 2},
        {**known, "event": "refused", "error": "16 follow it already"},
    ]


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (Standing("work", since=1), "it has just begun; not connected"),
        (EQUAL, f"both sides are equal; {NOTIFY}"),
        (replace(EQUAL, busy=9), f"a pass is being made; {NOTIFY}"),
        (
            replace(EQUAL, notify=False, idle=frozenset({WORK, INBOX})),
            "both sides are equal; the server tells of INBOX, Work (IDLE), and is asked about the others",
        ),
        (replace(EQUAL, notify=False), "both sides are equal; the server is asked from time to time"),
        (replace(EQUAL, degraded="too many watches"), f"both sides are equal; {NOTIFY}; too many watches"),
        (
            replace(EQUAL, last=LastPass(5, 0.1, ok=False), troubles={WORK: "x", INBOX: "y"}),
            f"not all is in order in Work, INBOX; {NOTIFY}",
        ),
        (replace(EQUAL, last=LastPass(5, 0.1, ok=False)), f"not all is in order; {NOTIFY}"),
        (
            replace(EQUAL, troubles={WORK: "held, while a pass over INBOX went well"}),
            f"not all is in order in Work; {NOTIFY}",
        ),
        (replace(EQUAL, waiting=Waiting("locked", "watched", None)), "waiting for another run, given up: watched"),
    ],
)
def test_how_it_stands_is_said_in_words(standing: Standing, expected: str) -> None:
    assert words(standing) == expected


def test_until_when_is_told_in_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    waiting = replace(EQUAL, waiting=Waiting("login", "no", 3_723))
    assert words(waiting) == "the log-in was refused, until 01:02:03: no"


@pytest.mark.parametrize("first", [True, False])
def test_failures_and_passes_under_way_are_told_by_themselves(*, first: bool) -> None:
    waiting = seen(standing=replace(EQUAL, waiting=Waiting("login", "no", None)))
    assert doing(waiting, first=first) == ("the log-in was refused, given up: no" if first else None)
    busy = seen(standing=replace(EQUAL, busy=9))
    assert doing(busy, first=first) == f"{'a pass is being made' if first else 'both sides are equal'}; {NOTIFY}"
    assert doing(Seen("work", "watch"), first=first) == STRANGER
    assert doing(seen(refused="16 follow it already"), first=first) == "it cannot be followed: 16 follow it already"


def test_a_pass_that_failed_as_a_whole_does_not_make_all_well_again() -> None:
    said: list[str] = []

    def passes() -> Iterator[AccountReport]:
        bad = AccountReport("work")
        bad.fail(OSError("no route"))
        yield bad
        yield AccountReport("work")

    told = Told(lambda line: said.append(line.text), lambda _account, _words: None, ["syncer", "sync"])
    told.failed("work", "no route", 30.0)
    for report in passes():
        told.passed(report)
    assert said == [
        "syncer: no route",
        "work: tried again in 30 s, and then until it works",
        "syncer: work: no route",
        "work: all is well again",
    ]


def test_what_is_wrong_in_one_mailbox_is_not_over_when_a_pass_over_another_goes_well() -> None:
    notes: list[str] = []
    told = Told(lambda _line: None, lambda _account, words: notes.append(words), ["syncer", "sync"])
    for name, problem in [(WORK, "left alone"), (INBOX, None), (WORK, None)]:
        report = AccountReport("work")
        report.mailbox(name).error = problem
        told.passed(report)
        told.passed(AccountReport("home"))
    equal, not_equal = "both sides are equal", "not all is in order"
    assert notes == [not_equal, equal, not_equal, equal, equal, equal]
