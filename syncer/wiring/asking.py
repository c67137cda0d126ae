"""`sync` on an account that a `watch` keeps equal: the watch is asked to make the pass, and tells what came of it."""

import json
import threading
from collections.abc import Collection
from pathlib import Path

import msgspec

from syncer.daemon.control import ask
from syncer.reconcile.identity import MailboxName
from syncer.report import AccountReport, SyncOptions
from syncer.values import Struct

VERSION = 1
"""Of question and answer. Both ends are of one installation, except for a moment after an upgrade."""


class Question(Struct, frozen=True):
    """Make a pass."""

    version: int
    mailboxes: tuple[MailboxName | None, ...]
    """None is the whole account."""
    options: SyncOptions


def asked_to_sync(
    path: Path, mailboxes: Collection[MailboxName | None], options: SyncOptions, stop: threading.Event
) -> AccountReport | None:
    """What came of a pass that whoever listens at `path` has made; None if nobody does, or does not understand."""
    answer = ask(path, _encoded(Question(VERSION, tuple(mailboxes), options)), lambda: not stop.is_set())
    if answer is None:
        return None
    try:
        return msgspec.convert(json.loads(answer), AccountReport)
    except (ValueError, msgspec.ValidationError):
        return None


def question_of(line: bytes) -> Question | None:
    """None for one that is not understood."""
    try:
        question = msgspec.convert(json.loads(line), Question)
    except (ValueError, msgspec.ValidationError):
        return None
    return question if question.version == VERSION else None


def answer_of(report: AccountReport) -> bytes:
    """For whoever has asked."""
    return _encoded(report)


def _encoded(value: Struct) -> bytes:
    """One line of ASCII: names may hold bytes that are no text, which JSON can say and UTF-8 cannot."""
    return json.dumps(msgspec.to_builtins(value)).encode("ascii")
