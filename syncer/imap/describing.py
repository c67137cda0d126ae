"""FETCH responses that describe messages: size, date and flags."""

from collections.abc import Callable

from syncer.imap.dates import parse_date
from syncer.imap.listing import FlagSets
from syncer.imap.responses import Fetch, Response, names, number, object_id
from syncer.imap.sets import MAX_UID
from syncer.reconcile.identity import Uid
from syncer.reconcile.observations import ServerMessage


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
