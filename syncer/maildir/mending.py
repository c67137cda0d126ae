"""Putting a whole message in the place of a damaged file, so that at every instant the name has one of the two.

Write the whole one to `tmp/`, make it durable, give the damaged one a second name in the attic, let the two change
places, and take the damaged one out of `tmp/`. Killed anywhere, the mailbox has one file of that name.
"""

import os
from collections.abc import Iterable

from syncer.errors import MessageError, VanishedError
from syncer.maildir import fsops
from syncer.maildir.attic import Attic
from syncer.maildir.box import Box
from syncer.maildir.delivery import write_file
from syncer.maildir.scan import ATTEMPTS
from syncer.maildir.state import TMP
from syncer.maildir.temporary import temporary_name
from syncer.reconcile.identity import UniqueName
from syncer.reconcile.observations import Fingerprint


def mend(
    box: Box, name: UniqueName, whole: Fingerprint, internaldate: int, body: Iterable[bytes], *, attic: Attic
) -> bool:
    """See `LocalStore.mend`."""
    with fsops.explained(f"mend a message of {box.name}:", MessageError):
        fsops.make_directory(os.path.join(box.path, TMP))
    fresh = temporary_name(box.path)
    found = write_file(box, fresh, internaldate, body, mode_holds=False)
    with fsops.explained(f"mend a message of {box.name}:", MessageError):
        kept = None
        try:
            if found == whole:
                fsops.fsync_path(fresh)
                kept = _change_places(box, name, attic, fresh)
        finally:
            if kept is None:
                fsops.unlink_if_there(fresh)
        if kept is not None:
            _take_away(box, attic, kept, fresh)
    return found == whole


def _change_places(box: Box, name: UniqueName, attic: Attic, fresh: bytes) -> os.stat_result:
    """Let `fresh` and the file of this name change places; returns what the attic was given before that."""
    kept: os.stat_result | None = None
    for _ in range(ATTEMPTS):
        where = box.find(name)
        old = box.path_of(where)
        try:
            found = os.lstat(old)
            if kept is None or not os.path.samestat(kept, found):
                fsops.fsync_directory(attic.keep_as_well(box.name, old))
                kept = found
            fsops.exchange(fresh, old)
        except FileNotFoundError:
            box.lost(name)
            continue
        box.moved(name, where, where)
        fsops.fsync_directory(os.path.dirname(old))
        return kept
    raise VanishedError(f"{box.name}: {fsops.printable(name)} is renamed too often to be mended; verify again")


def _take_away(box: Box, attic: Attic, kept: os.stat_result, left: bytes) -> None:
    """What had the name is in the attic, unless another program put another file there after it was looked at."""
    try:
        if _unchanged(kept, os.lstat(left)):
            fsops.unlink(left)
        else:
            fsops.fsync_directory(attic.keep(box.name, left))
    except FileNotFoundError:  # it was replaced, and not exchanged
        return


def _unchanged(before: os.stat_result, now: os.stat_result) -> bool:
    """The same file, not written to since: where the attic has a copy, it has not what was written later."""
    octets = (before.st_size, before.st_mtime_ns) == (now.st_size, now.st_mtime_ns)
    return os.path.samestat(before, now) and octets
