"""What followers are told is the same on both ends, and what is not understood is not taken for anything."""

import json

import pytest

from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import AccountReport, HeldDeletions
from syncer.watching.standing import LastPass, Standing, Waiting
from syncer.wiring.asking import question_of
from syncer.wiring.news import VERSION, Failure, News, follow_question, is_follow, line_of, news_of

ODD = MailboxName("Odd \udcff é")


def report() -> AccountReport:
    found = AccountReport("work", seconds=0.5)
    found.mailbox(ODD).downloaded = 3
    found.mailbox(INBOX).held.append(HeldDeletions("server", 6, "all gone"))
    return found


STANDING = Standing(
    "work",
    since=1,
    linked=True,
    idle=frozenset({INBOX, ODD}),
    busy=2,
    last=LastPass(3, 0.5, ok=False, error="no \udcff"),
    waiting=Waiting("login", "no", None),
    troubles={ODD: "no"},
    held={ODD: ("local", "server")},
)


@pytest.mark.parametrize(
    "news",
    [
        News(VERSION, "work", 7, standing=STANDING),
        News(VERSION, "work", 7, report=report()),
        News(VERSION, "work", 7, failure=Failure("network", "no route", 9)),
        News(VERSION, "work", 7, dropped=3),
        News(VERSION, "work", 7, refused="too many"),
    ],
)
def test_news_arrive_as_they_were_sent_on_one_line_of_ascii(news: News) -> None:
    line = line_of(news)
    assert news_of(line) == news
    assert (line.isascii(), line.count(b"\n"), line[-1:]) == (True, 1, b"\n")


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"no", b"[]", b'{"version": 2, "account": "work", "at": 7}', b'{"version": 1, "at": 7}']
)
def test_what_is_not_understood_is_no_news(line: bytes) -> None:
    assert news_of(line) is None


def test_who_wants_to_follow_does_not_ask_for_a_pass() -> None:
    assert is_follow(follow_question())
    assert question_of(follow_question()) is None
    later = json.dumps({**json.loads(follow_question()), "version": 2}).encode()
    assert not is_follow(later)
    for other in (b"", b"{}", b'{"version": 1, "follow": false}', b'{"version": 1, "mailboxes": [], "options": {}}'):
        assert not is_follow(other)
