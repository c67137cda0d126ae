"""Moving a message file to another mailbox, so that at every instant it is in one of them.

Link it there, make that durable, then take it away here. Where the file system has no links, or the mailboxes are on
different ones, it is copied instead.
"""

import errno
import os

from syncer.errors import MessageError, VanishedError
from syncer.maildir import fsops
from syncer.maildir.box import Box
from syncer.maildir.filename import flags_of, translated, with_delta
from syncer.maildir.reading import is_same_message
from syncer.maildir.scan import ATTEMPTS, Where
from syncer.maildir.state import CUR, NEW
from syncer.maildir.temporary import temporary_name
from syncer.reconcile.flags import NONE, FlagDelta, Flags, apply, delta
from syncer.reconcile.identity import UniqueName

_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK}


def transfer(
    source: Box, name: UniqueName, target: Box, new_name: UniqueName, change: FlagDelta, *, said: Flags = NONE
) -> FlagDelta:
    """Move the file; returns what another program did to its flags here while it was already there.

    `said` is what its name said when it was last seen. If the target has `new_name` already, from an interrupted run,
    only the source is taken away.

    Raises:
        VanishedError: no file has this unique name any more.
        MessageError: the target has another message of that name.
        OSError: it could not be done.
    """
    for _ in range(ATTEMPTS):
        where = source.find(name, said)
        old = source.path_of(where)
        try:
            landed = target.present((new_name,)).get(new_name)
            if landed is None:
                landed = _place(source, where, target, new_name, change)
            elif not is_same_message(old, target.path_of(landed)):
                raise MessageError(
                    f"{target.name}: another message has the unique name {fsops.printable(new_name)} already; "
                    f"{fsops.printable(name)} stays in {source.name}"
                )
            fsops.fsync_directory(os.path.join(target.path, landed[0]))
        except FileNotFoundError:
            continue
        return take_away(source, name, where, target.path_of(landed))
    raise VanishedError(f"{source.name}: {fsops.printable(name)} is renamed too often; the next pass looks again")


def take_away(source: Box, name: UniqueName, where: Where, landed: bytes) -> FlagDelta:
    """Remove the source of a file that has landed; returns the change of its flags since it was at `where`."""
    mapping = source.table().mapping
    before = flags_of(where[1], mapping)
    for _ in range(ATTEMPTS):
        path = source.path_of(where)
        try:
            if not is_same_message(path, landed):
                raise MessageError(
                    f"{source.name}: {fsops.printable(name)} was changed while it was moved; both are kept"
                )
            fsops.unlink(path)
        except FileNotFoundError:
            current = source.find_or_prove_gone(name)
            if current is None:
                return FlagDelta()
            where = current
            continue
        source.moved(name, where, None)
        fsops.fsync_directory(os.path.join(source.path, where[0]))
        return delta(before, flags_of(where[1], mapping))
    raise VanishedError(f"{source.name}: {fsops.printable(name)} is renamed too often; the next pass looks again")


def _place(source: Box, where: Where, target: Box, new_name: UniqueName, change: FlagDelta) -> Where:
    mapping = source.table().mapping
    letters = target.mapping_for(apply(flags_of(where[1], mapping), change))
    file_name = with_delta(translated(where[1], new_name, mapping, letters), change, letters)
    landed: Where = (NEW if where[0] == NEW and file_name == new_name else CUR, file_name)
    old, new = source.path_of(where), target.path_of(landed)
    try:
        fsops.link(old, new)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        temporary = temporary_name(target.path)
        fsops.copy(old, temporary)
        fsops.publish(temporary, new)
    target.delivered({new_name: landed})
    return landed
