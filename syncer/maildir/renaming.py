"""One message file gets other flags, or goes to the attic, while other programs may rename it at any moment.

Every change is made to the current file, by name: look where it is, rename it from there and never over another file,
and if it is not there any more look again. Another program that changes flags at the same moment loses nothing.
"""

import os
from collections.abc import Callable

from syncer.errors import MessageError, VanishedError
from syncer.maildir import fsops
from syncer.maildir.attic import Attic
from syncer.maildir.box import Box
from syncer.maildir.filename import with_delta
from syncer.maildir.reading import is_same_message
from syncer.maildir.scan import ATTEMPTS, Where
from syncer.maildir.state import CUR
from syncer.maildir.unflushed import Unflushed
from syncer.reconcile.flags import FlagDelta, Flags
from syncer.reconcile.identity import UniqueName


def change_flags(
    box: Box, name: UniqueName, change: FlagDelta, said: Flags, *, attic: Attic, unflushed: Unflushed
) -> None:
    """Rename from the current name with the delta applied; `said` is what the name said when it was last seen.

    Raises:
        MessageError: it has the flags that it had.
    """
    with fsops.explained(f"change the flags of a message of {box.name}:", MessageError), box.turn:
        for _ in range(ATTEMPTS):
            where = box.find(name, said)
            new_name = with_delta(where[1], change, box.mapping_for(change.add))
            if new_name == where[1]:
                return
            try:
                unflushed.changed(box.name, *_rename(box, name, where, (CUR, new_name), attic))
            except FileNotFoundError:
                box.lost(name)
            else:
                return
    raise VanishedError(
        f"{box.name}: {fsops.printable(name)} is renamed too often to change its flags; the next pass looks again"
    )


def take_away(
    box: Box, name: UniqueName, said: Flags, *, attic: Attic, unflushed: Unflushed, check: Callable[[], None]
) -> None:
    """Take the file into the attic. One that is not there is gone already, if the Maildir stands its `check`.

    Raises:
        MessageError: it is still where it was.
    """
    with fsops.explained(f"take a message of {box.name} into the attic:", MessageError):
        for _ in range(ATTEMPTS):
            where = box.find_or_prove_gone(name, said)
            if where is None:
                check()
                return
            try:
                kept = attic.keep(box.name, box.path_of(where))
            except FileNotFoundError:
                continue
            box.moved(name, where, None)
            unflushed.changed(box.name, kept, os.path.join(box.path, where[0]))
            return
    raise VanishedError(f"{box.name}: {fsops.printable(name)} is renamed too often; the next pass looks again")


def _rename(box: Box, name: UniqueName, where: Where, target: Where, attic: Attic) -> list[bytes]:
    """Rename a file; FileNotFoundError if it is not there any more. Returns the directories that are to be flushed."""
    old, new = box.path_of(where), box.path_of(target)
    directories = [os.path.join(box.path, CUR), os.path.join(box.path, where[0])]
    try:
        fsops.rename_new(old, new)
    except FileExistsError:
        # The same message under the very name it should get (see `scan`): one of the two is enough.
        if not is_same_message(old, new):
            raise MessageError(
                f"{box.name}: two different files have the unique name {fsops.printable(name)}; "
                "the next pass makes them two messages"
            ) from None
        directories.append(attic.keep_spare(box.name, old))
    box.moved(name, where, target)
    return directories
