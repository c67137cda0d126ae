"""The LocalStore port: one account's Maildir, as its rooms make it.

What reading it proves is said in `scan`, how messages come in in `delivery`, how a file gets other flags or is taken
away in `renaming`, how it is moved in `transfer`, where it goes in `attic`. Here is what concerns whole mailboxes.

What is renamed is not durable at once: `flush` makes that of a mailbox durable, and must have returned before the index
records it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

from syncer.errors import MailboxError, MessageError, NoSuchMailboxError, RefusedError
from syncer.later import Later
from syncer.maildir import fsops, places, state
from syncer.maildir.layout import Layout
from syncer.maildir.places import Places
from syncer.maildir.root import Root
from syncer.maildir.state import CUR, KEYWORDS, NEW
from syncer.maildir.unflushed import Unflushed

if TYPE_CHECKING:
    from syncer.maildir import attic as attics
    from syncer.maildir import box as boxes
    from syncer.maildir import delivery, filename, listing, mending, reading, renaming
    from syncer.maildir import transfer as transferring
    from syncer.maildir.attic import Attic, Kept
    from syncer.maildir.box import Box
    from syncer.ports import Examined, Expectation
    from syncer.reconcile.epoch import Epoch
    from syncer.reconcile.flags import FlagDelta, Flags
    from syncer.reconcile.identity import MailboxName, Uid, UniqueName
    from syncer.reconcile.observations import Fingerprint, LocalListing, ServerMessage
else:
    delivery, filename = Later("syncer.maildir.delivery"), Later("syncer.maildir.filename")
    listing, reading = Later("syncer.maildir.listing"), Later("syncer.maildir.reading")
    attics, boxes = Later("syncer.maildir.attic"), Later("syncer.maildir.box")
    mending, transferring = Later("syncer.maildir.mending"), Later("syncer.maildir.transfer")
    renaming = Later("syncer.maildir.renaming")

Durability = Literal["batch", "file"]

BOXES = 24
"""Of so many mailboxes we remember where their files are: of more than there may be connections."""


class MaildirStore:
    """The LocalStore port on a real Maildir. Close it when done: it holds a lock."""

    def __init__(
        self,
        root: Root,
        layout: Layout,
        attic: bytes,
        clock: Callable[[], float],
        *,
        read_only: bool,
        durability: Durability,
    ) -> None:
        self._root = root
        self._layout = layout
        self._places = Places(root.path, layout)
        self._attic_path = attic
        self._clock = clock
        self._read_only = read_only
        self._together = durability == "batch"
        self._lock = threading.Lock()
        self._boxes: OrderedDict[MailboxName, Box] = OrderedDict()
        self._unflushed = Unflushed()
        self._swept: set[MailboxName] = set()
        self.follower: Callable[[MailboxName, bytes | None, bytes | None], None] | None = None
        """Is told of each message file that is changed here: its mailbox, where it was, and where it is. May be set
        before anything is done; mailboxes that are renamed as a whole are not told of."""

    @classmethod
    def open(
        cls,
        root: str,
        layout: Layout,
        attic: str,
        expected_id: str | None,
        *,
        read_only: bool = False,
        alone: bool = True,
        durability: Durability = "batch",
        clock: Callable[[], float] = time.time,
    ) -> MaildirStore:
        """Open the Maildir at `root`. `expected_id` is the `store_id` that the index knows, None before the first pass.

        With `read_only`, opening and scanning change nothing on the disk (for a dry run); who need not be `alone` may
        look while another program works on it. With the durability "batch" a batch of new files is flushed by one flush
        of their file system, with "file" each is flushed by itself.

        Raises:
            RefusedError: this is not the Maildir that the index knows, or its disk is not mounted. Nothing was changed.
            LockedError: another program has it open.
            StoreError: it cannot be used.
        """
        known, _, used = (expected_id or "").partition(" ")
        if used not in {"", layout}:
            raise RefusedError(
                f"{root}: the Maildir has the layout {used}, and the configuration says {layout}; with another layout "
                "its mailboxes would seem to be deleted. Nothing was changed. Set the layout back, or move the Maildir"
                " away and remove this account's index to begin anew",
                "Once the Maildir is moved away, the next sync fills a new one after this",
            )
        opened = Root.open(os.path.abspath(os.fsencode(root)), known or None, read_only=read_only, alone=alone)
        kept = os.path.abspath(os.fsencode(attic))
        return cls(opened, layout, kept, clock, read_only=read_only, durability=durability)

    @property
    def store_id(self) -> str:
        """Which Maildir this is, and its layout."""
        return f"{self._root.store_id} {self._layout}"

    @property
    def generation(self) -> int:
        """What `advance` wrote down last, 0 at first."""
        return self._root.generation

    def advance(self, generation: int) -> None:
        """Write down the generation, durably."""
        self._root.advance(generation)

    @property
    def problems(self) -> tuple[str, ...]:
        """What `mailboxes` passed over at its last call, and why."""
        return self._places.problems

    def close(self) -> None:
        """Give up the lock."""
        self._root.close()

    def mailboxes(self) -> tuple[MailboxName, ...]:
        """Every mailbox, ordered by name with INBOX first.

        One that is missing here is not proved to be gone: `scan` tells.
        """
        found = self._places.mailboxes()
        self._root.check()
        return found

    def state(self, mailbox: MailboxName) -> str | None:
        """By what the mailbox's directories are recognised as unchanged."""
        return state.state(self._places.directory(mailbox))

    def scan(
        self, mailbox: MailboxName, mapping: Mapping[str, str], expected: Expectation | None = None
    ) -> LocalListing:
        """List `new/` and `cur/`."""
        box = self._box(mailbox)
        box.remembered = mapping or box.remembered
        found = listing.look(box, mapping, expected, self._unflushed, read_only=self._read_only)
        self._root.check()
        return found

    def mapping(self, mailbox: MailboxName) -> Mapping[str, str]:
        """The letters of `dovecot-keywords` as the file says now."""
        with fsops.explained(f"read the keywords of {mailbox}:", MailboxError):
            return dict(self._box(mailbox).table().mapping)

    def fingerprints(self, mailbox: MailboxName, names: Iterable[UniqueName]) -> dict[UniqueName, Fingerprint]:
        """Read the files; those that are gone or cannot be read are left out."""
        return reading.fingerprints(self._box(mailbox), names)

    def examine(self, mailbox: MailboxName, name: UniqueName) -> Examined:
        """Read a file anew."""
        return reading.examine(self._box(mailbox), name)

    def mend(
        self, mailbox: MailboxName, name: UniqueName, whole: Fingerprint, internaldate: int, body: Iterable[bytes]
    ) -> bool:
        """Put a message in the place of a file, which goes to the attic."""
        self._root.check()
        return mending.mend(self._box(mailbox), name, whole, internaldate, body, attic=self._attic)

    def outgoing(self, mailbox: MailboxName, name: UniqueName) -> reading.MessageFile:
        """The file as a message to append."""
        return reading.MessageFile(self._box(mailbox), name)

    def internaldate(self, mailbox: MailboxName, name: UniqueName) -> int:
        """The file's mtime."""
        return reading.internaldate(self._box(mailbox), name)

    @contextmanager
    def delivery(self, mailbox: MailboxName) -> Iterator[delivery.Batch]:
        """Begin a batch."""
        sweep = mailbox not in self._swept
        box, check = self._box(mailbox), self._root.check
        with delivery.Batch(box, check, sweep=sweep, together=self._together) as batch:
            self._swept.add(mailbox)
            yield batch

    def unique_name(self, mailbox: MailboxName, epoch: Epoch, message: ServerMessage) -> UniqueName:
        """The name under which the message is delivered."""
        return filename.unique_name(mailbox, epoch.uidvalidity, message.uid, message.internaldate)

    def own_uid(self, mailbox: MailboxName, epoch: Epoch, name: UniqueName) -> Uid | None:
        """The UID in a name that `unique_name` made."""
        return filename.own_uid(name, mailbox, epoch.uidvalidity)

    def change_flags(
        self, mailbox: MailboxName, name: UniqueName, change: FlagDelta, said: Flags = frozenset()
    ) -> None:
        """Rename from the current name with the delta applied. Durable after `flush`."""
        if change:
            box = self._box(mailbox)
            renaming.change_flags(box, name, change, said, attic=self._attic, unflushed=self._unflushed)

    def move(
        self,
        mailbox: MailboxName,
        name: UniqueName,
        target: MailboxName,
        new_name: UniqueName,
        change: FlagDelta,
        *,
        said: Flags = frozenset(),
    ) -> None:
        """Move into another mailbox, durably."""
        self._root.check()
        source, destination = self._box(mailbox), self._box(target)
        if not os.path.isdir(os.path.join(destination.path, CUR)):
            raise NoSuchMailboxError(f"{target}: there is no such mailbox in the Maildir; {name} stays in {mailbox}")
        with fsops.explained(f"move a message of {mailbox} to {target}:", MessageError):
            later = transferring.transfer(source, name, destination, new_name, change, said=said)
        self.change_flags(target, new_name, later)
        self.flush(target)

    def remove(self, mailbox: MailboxName, name: UniqueName, said: Flags = frozenset()) -> None:
        """Take the file into the attic. Durable after `flush`."""
        box, check = self._box(mailbox), self._root.check
        renaming.take_away(box, name, said, attic=self._attic, unflushed=self._unflushed, check=check)

    def flush(self, mailbox: MailboxName) -> None:
        """Make everything durable that the index is about to record of the mailbox's files.

        That is every change made here so far, and what other programs wrote shortly before the last scan: a message
        that was recorded and then lost with the power would look as if the user had deleted it.
        """
        with fsops.explained(f"flush {mailbox}:"):
            self._unflushed.flush(mailbox, self._places.directory(mailbox))

    def insist_nameable(self, mailbox: MailboxName) -> None:
        """Raise MailboxError if the Maildir cannot hold a mailbox of this name."""
        self._places.directory(mailbox)

    def create(self, mailbox: MailboxName) -> None:
        """Make the directories."""
        self._root.check()
        with fsops.explained(f"create the mailbox {mailbox}:", MailboxError):
            self._places.create(mailbox)

    def rename(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        """Rename the mailbox and those below it. An interrupted renaming is completed by another call."""
        self._root.check()
        try:
            with fsops.explained(f"rename the mailbox {mailbox}:", MailboxError):
                for name in self._places.mailboxes():
                    if f"{name}/".startswith(f"{mailbox}/"):
                        self._keep_letters(self._box(name))
                        self.flush(name)
                self._places.rename(mailbox, new_name)
        finally:  # some may have been renamed
            with self._lock:
                self._boxes.clear()

    def insist_deletable(self, mailbox: MailboxName) -> None:
        """Raise MailboxError if something is in the mailbox that `delete` would not take away."""
        with fsops.explained(f"delete the mailbox {mailbox}:", MailboxError):
            self._places.insist_deletable(mailbox)

    def delete(self, mailbox: MailboxName) -> None:
        """Take every message into the attic, then remove the directories.

        Raises:
            MailboxError: something else is in them, or comes in meanwhile; that stays.
        """
        self._root.check()
        box = self._box(mailbox)
        self.insist_deletable(mailbox)
        with fsops.explained(f"delete the mailbox {mailbox}:", MailboxError):
            for sub in (NEW, CUR):
                for path in places.messages(os.path.join(box.path, sub)):
                    self._unflushed.changed(mailbox, self._attic.keep(mailbox, path), os.path.join(box.path, sub))
                    if self.follower is not None:
                        self.follower(mailbox, path, None)
            self._keep_letters(box)
            self.flush(mailbox)
            self._places.remove(mailbox)
        with self._lock:
            self._boxes.pop(mailbox, None)

    def in_attic(self) -> Iterator[Kept]:
        """Every message in the attic, by day, mailbox and name."""
        with fsops.explained("read the attic:"):
            yield from self._attic.kept()

    def bring_back(self, kept: Kept) -> UniqueName:
        """Put a message from the attic back into its mailbox, under a new unique name, which is returned.

        Raises:
            MessageError: it is still in the attic.
        """
        try:
            self.create(kept.mailbox)
            box = self._box(kept.mailbox)
            with fsops.explained(f"bring a message of {kept.mailbox} back:", MessageError):
                return self._attic.bring_back(kept, os.path.join(box.path, CUR), box.mapping_for)
        except MailboxError as error:
            raise MessageError(str(error)) from error

    def purge_attic(self, older_than_seconds: float, now: float) -> int:
        """Remove what has been in the attic for longer than this, by whole days; returns how many files went."""
        if not os.path.isdir(self._attic_path):
            return 0
        with fsops.explained("clear the attic:"):
            return self._attic.purge(older_than_seconds, now)

    @cached_property
    def _attic(self) -> Attic:
        return attics.Attic(self._attic_path, self._clock)

    def _box(self, mailbox: MailboxName) -> Box:
        path = self._places.directory(mailbox)
        with self._lock:
            box = self._boxes.get(mailbox)
            if box is None:
                tell = partial(self.follower, mailbox) if self.follower is not None else None
                box = self._boxes[mailbox] = boxes.Box(mailbox, path, tell)
            self._boxes.move_to_end(mailbox)
            while len(self._boxes) > BOXES:
                self._boxes.popitem(last=False)
            return box

    def _keep_letters(self, box: Box) -> None:
        """In the attic, for what it has of a mailbox that goes. Durable after `flush`."""
        if box.table().mapping:
            kept = self._attic.keep_letters(box.name, os.path.join(box.path, KEYWORDS))
            self._unflushed.changed(box.name, kept)
