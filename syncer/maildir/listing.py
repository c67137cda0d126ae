"""From the directories to a LocalListing: names get their flags, doubled names are told apart."""

import os
import secrets
import time
from collections.abc import Iterator, Mapping

from syncer.errors import MailboxError, StoreError
from syncer.maildir import fsops, keywords, scan
from syncer.maildir.box import Box
from syncer.maildir.expecting import Expecting
from syncer.maildir.filename import flags_of_info, letters_of
from syncer.maildir.keywords import Table
from syncer.maildir.reading import is_same_message
from syncer.maildir.scan import Reading
from syncer.maildir.sifting import sift, take_names
from syncer.maildir.state import state
from syncer.maildir.unflushed import Unflushed
from syncer.ports import Expectation
from syncer.reconcile.flags import Flags
from syncer.reconcile.identity import UniqueName
from syncer.reconcile.observations import LocalListing, LocalMessage


def look(
    box: Box, mapping: Mapping[str, str], expected: Expectation | None, unflushed: Unflushed, *, read_only: bool
) -> LocalListing:
    """See `LocalStore.scan`.

    Raises:
        MailboxError: the mailbox cannot be read.
    """
    before = state(box.path)
    if expected is not None and before is not None and before == expected.state:
        return _unchanged(box, mapping, before, read_only=read_only)
    if expected is None:
        return _read(box, mapping, before, None, unflushed, read_only=read_only)
    with fsops.explained(f"read the keywords of {box.name}:", MailboxError):
        table = box.table()
    with Expecting(expected, mapping, table) as expecting:
        return _read(box, mapping, before, expecting, unflushed, read_only=read_only)


def _read(
    box: Box,
    mapping: Mapping[str, str],
    before: str | None,
    expecting: Expecting | None,
    unflushed: Unflushed,
    *,
    read_only: bool,
) -> LocalListing:
    """What the directories hold, or what of it is not as expected; `before` is their state before anything is read."""
    reading = box.read() if expecting is None else scan.read(box.path, take=take_names)
    if reading.missing and not os.path.isdir(os.path.join(box.path, b"tmp")):
        return LocalListing({}, complete=False, missing=True)
    unflushed.seen(box.name, reading)
    with fsops.explained(f"read the keywords of {box.name}:", MailboxError):
        table = completed_table(box, mapping, reading.notes, read_only=read_only)
        after = state(box.path)
    if expecting is not None:
        sift(box.path, reading, *expecting.names(table))
        box.sifted(reading)
    unflushed.changed(box.name, *separate(box, reading, read_only=read_only))
    return listed(reading, table, mapping, before if before == after and reading.complete else None)


def _unchanged(box: Box, mapping: Mapping[str, str], now: str, *, read_only: bool) -> LocalListing:
    """Nothing but what the index expects, in the directories as they were when it was told what is in them."""
    notes: list[str] = []
    with fsops.explained(f"read the keywords of {box.name}:", MailboxError):
        table = completed_table(box, mapping, notes, read_only=read_only)
    box.unchanged()
    letters = keywords.letters(table, mapping, ())
    return LocalListing({}, True, letters, dict(table.mapping), tuple(notes), state=now)  # noqa: FBT003 (complete)


def listed(reading: Reading, table: Table, remembered: Mapping[str, str], now: str | None = None) -> LocalListing:
    """What the reading says, by the letters of `table`."""
    said: dict[str, Flags] = {}
    messages = {}
    for name, (_, file_name) in reading.files.items():
        info = file_name[len(name) :]
        flags = said.get(info)
        if flags is None:
            flags = said[info] = flags_of_info(info, table.mapping)
        messages[name] = LocalMessage(name, flags)
    used = {letter for info in said for letter in letters_of(info)}
    return LocalListing(
        messages,
        reading.complete,
        keywords.letters(table, remembered, used),
        dict(table.mapping),
        tuple(reading.notes),
        absent=frozenset(reading.absent),
        state=now,
    )


def completed_table(box: Box, remembered: Mapping[str, str], notes: list[str], *, read_only: bool) -> Table:
    """The mailbox's letters, after its file was completed from the remembered ones."""
    table = box.table()
    lacking = keywords.lacking(table, remembered)
    if not lacking:
        return table
    if read_only:
        return Table({**table.mapping, **lacking}, table.taken | lacking.keys())
    try:
        with fsops.explained("complete"):
            return keywords.extend(box.path, lambda table: keywords.lacking(table, remembered))
    except (MailboxError, StoreError) as error:
        notes.append(f"{error}; keywords that it does not list are left alone")
        return table


def separate(box: Box, reading: Reading, *, read_only: bool) -> Iterator[bytes]:
    """Of two different files of one unique name, make the second a message of its own; yields changed directories."""
    for name, double in reading.doubles if reading.complete else ():
        shown = fsops.printable(name)
        fresh = UniqueName(f"{int(time.time())}.R{secrets.token_hex(12)}.syncer")
        renamed = (double[0], fresh + double[1][len(name) :])
        try:
            if is_same_message(box.path_of(reading.files[name]), box.path_of(double)):
                reading.notes.append(f"{shown} is there twice; one of the files is passed over")
            elif read_only:
                reading.notes.append(f"two different files have the unique name {shown}")
            else:
                fsops.rename_new(box.path_of(double), box.path_of(renamed))
                box.moved(fresh, double, renamed)
                reading.files[fresh] = renamed
                reading.notes.append(f"two different files had the unique name {shown}; one is now {fresh}")
                yield os.path.join(box.path, double[0])
        except OSError as error:
            reading.notes.append(f"two files have the unique name {shown}: {error.strerror}")
