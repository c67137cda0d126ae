"""A quiet point: nobody touches anything, and in time everything must be as the book says, on both sides."""

import hashlib
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from e2e.maildirs import stored_form
from servers.mail import note

from torture.soak.book import Book, differences
from torture.soak.people import NOT_YET
from torture.soak.scene import Scene

CONVERGED = 120.0
INDEXED = 90.0
"""Seconds, for both sides and for notmuch."""
ASKED = 60.0
"""Seconds after SIGUSR1."""
AGAIN = 0.5
"""Seconds between two looks."""
SHOWN = 200
"""Lines."""


class WrongError(Exception):
    """Something is not as it must be; the message says all of it."""


@dataclass(frozen=True)
class Check:
    """What a quiet point found."""

    at: float
    """Seconds since the soak began."""
    converged: float
    """Seconds until both sides were as they must be."""
    indexed: float
    """Seconds until notmuch knew it."""
    messages: int
    late: str = ""
    """What was not right in time, and was when the watch was told to look at everything (SIGUSR1)."""


def check(scene: Scene, book: Book, rng: random.Random, at: float, limit: float = CONVERGED) -> Check:
    """Wait until everything is as it must be, and read everything.

    Raises:
        WrongError: it is not, not even after the watch was told to look at everything.
        DiedError: the watch has ended.
    """
    began = time.monotonic()
    scene.on_server.leave()
    late = ""
    try:
        _until(scene, lambda: _apart(scene, book), limit, "both sides are not as they must be")
    except WrongError as error:
        late = str(error)
        scene.watched.signal(signal.SIGUSR1)
        try:
            _until(scene, lambda: _apart(scene, book), ASKED, "not even after SIGUSR1: both sides are not right")
        except WrongError as still:
            raise WrongError(f"{late}\n{still}") from None
    converged = time.monotonic() - began
    # A message that comes from the server makes the hook run: what was done in the Maildir alone does not.
    deed = book.new(rng, "server", "INBOX")
    scene.on_server.do(deed)
    book.record(deed)
    began = time.monotonic()
    _until(scene, lambda: _apart(scene, book), limit, "a new message does not come")
    _until(scene, lambda: _unindexed(scene), INDEXED, "notmuch does not know the files")
    indexed = time.monotonic() - began
    wrong = [*_other_contents(scene, book), *_apart(scene, book), *scene.watched.odd_lines()]
    if wrong:
        raise WrongError("\n".join(["at the end of a quiet point:", *wrong[:SHOWN]]))
    return Check(round(at, 1), round(converged, 1), round(indexed, 1), book.count(), late)


def _until(scene: Scene, wrong: Callable[[], list[str]], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            found = wrong()
        except NOT_YET as error:
            found = [f"{type(error).__name__}: {error}"]
            if not isinstance(error, FileNotFoundError):
                scene.on_server.disconnect()
        if not found:
            return
        scene.watched.still_runs()
        if time.monotonic() > end:
            more = [f"and {len(found) - SHOWN} more"] * (len(found) > SHOWN)
            raise WrongError("\n".join([f"{what} after {seconds:.0f} s:", *found[:SHOWN], *more]))
        time.sleep(AGAIN)


def _apart(scene: Scene, book: Book) -> list[str]:
    here, there = scene.in_maildir, scene.on_server
    lines = differences(book, "local", here.mailboxes(), here.found())
    return lines + differences(book, "server", there.mailboxes(), there.found())


def _unindexed(scene: Scene) -> list[str]:
    known, files = scene.notmuch.files(), scene.in_maildir.paths()
    if known is None:
        return ["notmuch: its database cannot be read"]
    lines = [f"notmuch: does not know {path}" for path in sorted(files - known)]
    return lines + [f"notmuch: still knows {path}" for path in sorted(known - files)]


def _other_contents(scene: Scene, book: Book) -> list[str]:
    digests: dict[str, bytes] = {}
    lines = []
    for side, contents in (("server", scene.on_server.contents()), ("local", scene.in_maildir.contents())):
        for mailbox, token, octets in contents:
            if token not in digests:
                digests[token] = _digest(note(token, size=book.messages[token].size))
            if _digest(octets) != digests[token]:
                lines.append(f"{side}: {token} in {mailbox} has other octets than it was born with")
    return lines


def _digest(octets: bytes) -> bytes:
    return hashlib.sha256(stored_form(octets)).digest()
