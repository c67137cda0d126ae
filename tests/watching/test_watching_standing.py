"""How it stands with a watched account, and how that changes with what happens."""

import math

import pytest

from syncer.errors import (
    AccountError,
    ConnectError,
    ConnectionLostError,
    IndexFileError,
    LockedError,
    LoginError,
    ProtocolError,
    RefusedError,
    TlsError,
)
from syncer.ports import KnownMailbox
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import AccountReport
from syncer.values import replace
from syncer.watching.standing import (
    Kind,
    LastPass,
    Standing,
    Waiting,
    began,
    deaf,
    failed,
    hears,
    kept,
    kind_of,
    passed,
    unlinked,
    watches,
)

WORK = MailboxName("Work")
FRESH = Standing("me", since=100)


def report(error: Exception | None = None, trouble: str | None = None) -> AccountReport:
    found = AccountReport("me", seconds=0.5)
    found.mailbox(INBOX).error = trouble
    if error is not None:
        found.fail(error)
    return found


def known(name: MailboxName, error: str | None = None, held: frozenset[str] = frozenset()) -> KnownMailbox:
    return KnownMailbox(name, None, error=error, held=held)


def test_a_pass_is_under_way_until_it_has_ended() -> None:
    under_way = began(FRESH, 110)
    assert under_way == Standing("me", since=100, busy=110)
    done = passed(under_way, report(), 112, [known(INBOX)])
    assert done == Standing("me", since=100, linked=True, last=LastPass(112, 0.5, ok=True), well=112, answered=112)


def test_a_pass_that_found_trouble_is_not_the_last_good_one() -> None:
    good = passed(FRESH, report(), 110, [known(INBOX)])
    bad = passed(
        good, report(trouble="no"), 120, [known(INBOX, "no"), known(WORK, "h", frozenset({"server", "local"}))]
    )
    assert bad == replace(
        good,
        last=LastPass(120, 0.5, ok=False),
        answered=120,
        troubles={INBOX: "no", WORK: "h"},
        held={WORK: ("local", "server")},
    )
    assert passed(bad, report(), 130, [known(INBOX), known(WORK)]) == replace(
        good, last=LastPass(130, 0.5, ok=True), well=130, answered=130
    )


def test_what_is_waited_for_is_over_when_a_pass_comes_to_its_end() -> None:
    waiting = failed(unlinked(began(FRESH, 110)), ConnectError("no route"), 111, 7.6)
    assert waiting == Standing("me", since=100, waiting=Waiting("network", "no route", 119))
    gave_up = passed(waiting, report(ConnectError("no route")), 115, [])
    assert gave_up == replace(waiting, last=LastPass(115, 0.5, ok=False, error="no route"))
    assert passed(gave_up, report(), 120, []).waiting is None


def test_a_server_that_answers_while_nothing_is_to_be_done_is_known_to_answer() -> None:
    assert kept(FRESH, 110) == Standing("me", since=100, answered=110)


def test_what_was_given_up_is_not_tried_again() -> None:
    assert failed(FRESH, LockedError("watched"), 110, math.inf).waiting == Waiting("locked", "watched", None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectError("x"), "network"),
        (ConnectionLostError("x"), "network"),
        (ProtocolError("x"), "network"),
        (TlsError("x"), "tls"),
        (LoginError("x"), "login"),
        (LockedError("x"), "locked"),
        (RefusedError("x"), "refused"),
        (IndexFileError("x"), "other"),
    ],
)
def test_failures_are_told_apart(error: AccountError, kind: Kind) -> None:
    assert kind_of(error) == kind


def test_it_is_connected_while_any_connection_stands() -> None:
    assert not FRESH.connected
    assert passed(FRESH, report(), 110, []).connected
    assert not unlinked(passed(FRESH, report(), 110, [])).connected
    assert hears(FRESH, None).connected
    assert hears(FRESH, frozenset({INBOX})).connected


def test_how_changes_are_noticed_follows_the_connections_that_stand() -> None:
    assert FRESH.how == "polling"
    two = hears(hears(FRESH, frozenset({INBOX})), frozenset({WORK}))
    assert (two.how, two.idle) == ("idle", {INBOX, WORK})
    one = deaf(two, frozenset({INBOX}))
    assert (one.how, one.idle) == ("idle", {WORK})
    assert deaf(one, frozenset({WORK})) == FRESH
    assert hears(FRESH, None).how == "notify"
    assert deaf(hears(FRESH, None), None) == FRESH


def test_why_some_changes_are_noticed_later_is_kept_until_it_is_over() -> None:
    assert watches(FRESH, "too many watches") == replace(FRESH, degraded="too many watches")
    assert watches(watches(FRESH, "too many watches"), None) == FRESH
