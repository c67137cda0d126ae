"""What is seen of an account that is followed, in words for a person and as JSON for a program."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from syncer.values import replace

if TYPE_CHECKING:
    from syncer.watching.standing import How, Kind, Standing, Waiting
    from syncer.wiring.following import Seen

NOBODY: Final = "no `syncer watch` keeps it equal; waiting for one"
RUN: Final = "another process works on it"
STRANGER: Final = "a `syncer watch` of another version keeps it equal, and cannot be followed; begin it anew"

_WAITS: Final[dict[Kind, str]] = {
    "network": "waiting for the network",
    "tls": "the server's certificate is not accepted",
    "login": "the log-in was refused",
    "locked": "waiting for another run",
    "refused": "waiting for the Maildir",
    "other": "it cannot be worked on",
}
_HOW: Final[dict[How, str]] = {
    "notify": "the server tells of every mailbox (NOTIFY)",
    "idle": "the server tells of {} (IDLE), and is asked about the others",
    "polling": "the server is asked from time to time",
}


def doing(seen: Seen, *, first: bool) -> str | None:
    """What an account does; None where what was seen says nothing of it.

    If it is not the `first` thing that is told, nothing is said of failures, nor that a pass is being made: of those it
    is told by themselves.
    """
    if seen.by is None:
        return NOBODY
    if seen.by == "run":
        return RUN if seen.messages is None else f"{RUN}, {seen.messages} messages so far"
    if seen.news is None:
        return STRANGER
    if seen.news.refused is not None:
        return f"it cannot be followed: {seen.news.refused}"
    standing = seen.news.standing
    if standing is None or (standing.waiting is not None and not first):
        return None
    return words(standing if first else replace(standing, busy=None))


def words(standing: Standing) -> str:
    """How it stands."""
    if standing.waiting is not None:
        return _waiting(standing.waiting)
    if standing.busy is not None:
        now = "a pass is being made"
    elif standing.last is None:
        now = "it has just begun"
    elif standing.troubles:  # the last pass has looked elsewhere, perhaps
        now = f"not all is in order in {', '.join(standing.troubles)}"
    else:
        now = "both sides are equal" if standing.last.ok else "not all is in order"
    how = _HOW[standing.how].format(", ".join(sorted(standing.idle))) if standing.connected else "not connected"
    return "; ".join(filter(None, (now, how, standing.degraded)))


def documents(seen: Seen) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each thing that was seen, by its name, and what there is to say of it."""
    news = seen.news
    if news is None:
        yield "state", {"by": seen.by, "watch": None, "messages": seen.messages}
        return
    if news.standing is not None:
        yield "state", {"by": seen.by, "watch": standing_as_json(news.standing), "messages": None}
    if news.report is not None:
        yield "passed", {"report": news.report.to_json()}
    if news.failure is not None:
        yield "failed", {"kind": news.failure.kind, "error": news.failure.error, "until": news.failure.until}
    if news.dropped:
        yield "dropped", {"lines": news.dropped}
    if news.refused is not None:
        yield "refused", {"error": news.refused}


def standing_as_json(standing: Standing) -> dict[str, Any]:
    """How it stands."""
    last, waiting = standing.last, standing.waiting
    return {
        "since": standing.since,
        "connected": standing.connected,
        "how": standing.how,
        "idle": sorted(standing.idle),
        "busy": standing.busy,
        "last": None if last is None else {"at": last.at, "seconds": last.seconds, "ok": last.ok, "error": last.error},
        "well": standing.well,
        "answered": standing.answered,
        "waiting": None if waiting is None else {"kind": waiting.kind, "error": waiting.error, "until": waiting.until},
        "troubles": dict(standing.troubles),
        "held": {mailbox: list(sides) for mailbox, sides in standing.held.items()},
        "degraded": standing.degraded,
    }


def _waiting(waiting: Waiting) -> str:
    until = "given up" if waiting.until is None else f"until {time.strftime('%H:%M:%S', time.localtime(waiting.until))}"
    return f"{_WAITS[waiting.kind]}, {until}: {waiting.error}"
