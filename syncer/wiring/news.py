"""What those who follow a watched account are told: values, each of which is a line on the account's control socket.

Both ends are of one installation, except for a moment after an upgrade: what has another version, or is not understood,
is not taken for anything.
"""

import json

import msgspec

from syncer.report import AccountReport
from syncer.values import Struct
from syncer.watching.standing import Kind, Standing

VERSION = 1
"""Of the question and of the lines."""


class Follow(Struct, frozen=True):
    """The question. It is answered with lines of `News`, the first of which has the standing, until either end goes."""

    version: int
    follow: bool


class Failure(Struct, frozen=True):
    """The account cannot be worked on."""

    kind: Kind
    error: str
    until: int | None
    """When it is tried again, in seconds since the epoch; None: not known yet, or it was given up."""


class News(Struct, frozen=True, omit_defaults=True):
    """One thing that has happened."""

    version: int
    account: str
    at: int
    """Seconds since the epoch."""
    standing: Standing | None = None
    """How it stands now."""
    report: AccountReport | None = None
    """A pass is over."""
    failure: Failure | None = None
    dropped: int = 0
    """So many lines were not read in time, and were left out here."""
    refused: str | None = None
    """Why nothing is told."""


def follow_question() -> bytes:
    """The line to begin with."""
    return _encoded(Follow(VERSION, follow=True))


def is_follow(line: bytes) -> bool:
    """Whether somebody wants to follow."""
    try:
        question = msgspec.convert(json.loads(line), Follow)
    except (ValueError, msgspec.ValidationError):
        return False
    return question.version == VERSION and question.follow


def line_of(news: News) -> bytes:
    """With its line end."""
    return _encoded(news) + b"\n"


def news_of(line: bytes) -> News | None:
    """None for what is not understood."""
    try:
        news = msgspec.convert(json.loads(line), News)
    except (ValueError, msgspec.ValidationError):
        return None
    return news if news.version == VERSION else None


def _encoded(value: Struct) -> bytes:
    """In ASCII: names may hold bytes that are no text, which JSON can say and UTF-8 cannot."""
    return json.dumps(msgspec.to_builtins(value)).encode("ascii")
