"""FETCH responses that describe messages: size, date and flags."""

import re
from collections.abc import Callable

from syncer.imap.dates import parse_date
from syncer.imap.listing import FlagSets
from syncer.imap.responses import Fetch, Response, names, number, object_id
from syncer.imap.sets import MAX_UID
from syncer.reconcile.identity import Uid
from syncer.reconcile.observations import ServerMessage

_LINE = re.compile(
    rb'\* \d+ FETCH \(UID (\d{1,10}) FLAGS \(([^()"{}]*)\) INTERNALDATE "([^"]{1,40})" RFC822\.SIZE (\d{1,19})'
    rb"(?: EMAILID \(([A-Za-z0-9_-]{1,255})\))?(?: MODSEQ \(\d+\))?\)\r\n"
)
"""What real servers answer, in the order in which it was asked for. Anything else goes the long way."""


def described_by(line: bytes, flag_sets: FlagSets, now: Callable[[], float]) -> ServerMessage | None:
    """The description in a line in the usual form; None for any other line."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    uid, flags, date, size, email_id = match.groups()
    number_, seconds = int(uid), parse_date(date)
    if not 0 < number_ <= MAX_UID:
        return None
    return ServerMessage(
        Uid(number_),
        flag_sets[flags],
        int(size),
        int(now()) if seconds is None else seconds,
        email_id.decode("ascii") if email_id is not None else None,
    )


def described(response: Response, flag_sets: FlagSets, now: Callable[[], float]) -> ServerMessage | None:
    """The description in a FETCH response, if it has a UID and a size."""
    if not isinstance(response, Fetch):
        return None
    items = response.items
    uid, size, date = number(items.get("UID")), number(items.get("RFC822.SIZE")), items.get("INTERNALDATE")
    if uid is None or not 0 < uid <= MAX_UID or size is None:
        return None
    seconds = parse_date(date) if isinstance(date, bytes) else None
    return ServerMessage(
        uid=Uid(uid),
        flags=flag_sets[b" ".join(names(items.get("FLAGS")))],
        size=size,
        internaldate=int(now()) if seconds is None else seconds,
        email_id=object_id(items.get("EMAILID")),
    )
