"""Observations of one mailbox in a line. Messages are named by a word, which is their content."""

from collections.abc import Iterable, Mapping
from typing import Any

from fake_server import fingerprint
from worlds import octets

from syncer.reconcile.epoch import Epoch
from syncer.reconcile.flags import NONE, Flags
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UidValidity, UniqueName
from syncer.reconcile.matches import Evidence
from syncer.reconcile.observations import (
    Fingerprint,
    LocalChanges,
    LocalMessage,
    Observation,
    Pair,
    PairState,
    ServerChanges,
    ServerMessage,
)

EPOCH = Epoch(UidValidity(7))
WORK = MailboxName("Work")
JOB = MailboxName("Job")


def contents(word: str) -> Fingerprint:
    return fingerprint(octets(word))


def message(uid: int, word: str, flags: Flags = NONE, email_id: str | None = None) -> ServerMessage:
    return ServerMessage(Uid(uid), flags, contents(word).size, 1_000_000_000, email_id)


def file(name: str, flags: Flags = NONE) -> LocalMessage:
    return LocalMessage(UniqueName(name), flags)


def pair(
    uid: int,
    word: str,
    flags: Flags = NONE,
    *,
    name: str | None = None,
    email_id: str | None = None,
    state: PairState = PairState.BOTH,
) -> Pair:
    return Pair(Uid(uid), UniqueName(name or word), flags, contents(word), email_id, state)


def look(
    mailbox: MailboxName = INBOX,
    *,
    pairs: Iterable[Pair] = (),
    messages: Iterable[ServerMessage] = (),
    files: Iterable[LocalMessage] = (),
    expunged: Iterable[int] = (),
    deleted: Iterable[str] = (),
    there: Mapping[int, Flags] | None = None,
    here: Mapping[str, Flags] | None = None,
    server: Mapping[str, Any] | None = None,
    local: Mapping[str, Any] | None = None,
    total: int | None = None,
    **known: Any,
) -> Observation:
    """What was seen of a mailbox.

    New `messages` on the server and new `files`, which UIDs were `expunged` and names `deleted`, the flags that are not
    the base `there` and `here`; `server` and `local` are further fields of the changes.
    """
    pairs = tuple(pairs)
    return Observation(
        mailbox,
        ServerChanges(
            EPOCH,
            tuple(messages),
            {Uid(uid): flags for uid, flags in (there or {}).items()},
            frozenset(map(Uid, expunged)),
            **(server or {}),
        ),
        LocalChanges(
            tuple(files),
            {UniqueName(name): flags for name, flags in (here or {}).items()},
            frozenset(map(UniqueName, deleted)),
            **(local or {}),
        ),
        pairs,
        len(pairs) if total is None else total,
        **known,
    )


def read(
    files: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    bodies: Mapping[str, str] | None = None,
) -> Evidence:
    """`{"Work/x": "a"}` is that file `x` of Work has the content `a`; likewise for UIDs; `bodies` are whole."""
    found_files = {_split(place): contents(word) for place, word in (files or {}).items()}
    found_headers = {_split(place): contents(word).header for place, word in (headers or {}).items()}
    found_bodies = {_split(place): contents(word).content for place, word in (bodies or {}).items()}
    return Evidence(
        {(mailbox, UniqueName(name)): each for (mailbox, name), each in found_files.items()},
        {(mailbox, Uid(int(uid))): each for (mailbox, uid), each in found_headers.items()},
        {(mailbox, Uid(int(uid))): each for (mailbox, uid), each in found_bodies.items()},
    )


def _split(place: str) -> tuple[MailboxName, str]:
    mailbox, _, rest = place.rpartition("/")
    return MailboxName(mailbox or INBOX), rest
