"""FETCH responses without bodies: UIDs with their flags, by the hundred thousand, and descriptions.

A flag list is turned into a set once for each distinct spelling; messages share the sets.
"""

from collections.abc import Callable

from syncer.imap.dates import parse_date
from syncer.imap.responses import FLAGS_LINE, Fetch, Response, Status, names, number, object_id
from syncer.imap.selected import Selected, parse_flags
from syncer.imap.sets import MAX_UID
from syncer.imap.wire import Wire
from syncer.reconcile.flags import Flags
from syncer.reconcile.identity import Uid
from syncer.reconcile.observations import ServerMessage

_RENEW = 4096
_MAX_SETS = 50_000


class FlagSets:
    """From the words between the parentheses to the set, each distinct spelling once."""

    def __init__(self) -> None:
        self._known: dict[bytes, Flags] = {}

    def __getitem__(self, words: bytes) -> Flags:
        found = self._known.get(words)
        if found is None:
            if len(self._known) >= _MAX_SETS:
                self._known.clear()
            found = self._known[words] = parse_flags(words.split())
        return found


def list_flags(wire: Wire, selected: Selected, flag_sets: FlagSets) -> tuple[dict[Uid, Flags], Status | None]:
    """Every UID of the selected mailbox with its flags, and the reply; nothing is sent where there is nothing.

    The last word counts for a UID that is named twice; a response without a UID says nothing about any.
    """
    found: dict[Uid, Flags] = {}
    if selected.exists == 0:
        return found, None
    tag = wire.send(b"UID FETCH 1:* (FLAGS)")
    progress = _RENEW
    line_of, match_of = wire.line, FLAGS_LINE.fullmatch
    while True:
        line = line_of()
        match = match_of(line)
        if match is not None:
            uid, words, other_words, other_uid = match.groups()
            known = Uid(int(uid or other_uid))
            found[known] = flag_sets[words if uid else other_words]
            if len(found) >= progress:
                wire.renew()
                progress += _RENEW
            continue
        response = wire.rest(line)
        if isinstance(response, Fetch):
            number_, flags = number(response.items.get("UID")), response.items.get("FLAGS")
            if number_ and isinstance(flags, list):
                found[Uid(number_)] = flag_sets[b" ".join(names(flags))]
        status = wire.reply(tag)
        if status is not None:
            if any(uid > MAX_UID or uid == 0 for uid in found):
                wire.fail("the server sent a UID that is none")
            return found, status


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
