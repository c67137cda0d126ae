"""What the engine needs of a Maildir."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from syncer.ports.server import Outgoing
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.values import Struct

if TYPE_CHECKING:
    from syncer.reconcile.flags import FlagDelta, Flags
    from syncer.reconcile.observations import Fingerprint, LocalListing, ServerMessage


class Expectation(Struct, frozen=True):
    """What the index expects to find in a mailbox's directories."""

    names: Callable[[Callable[[Flags], str]], set[bytes]]
    """Every file name in octets, given what to put behind a unique name for its flags (`Index.file_names`)."""
    state: str | None = None
    """A `LocalStore.state` in which the directories held just that."""


class Examined(Struct, frozen=True):
    """A message file, read anew."""

    path: str
    """Where it is, for people."""
    forms: tuple[Fingerprint, ...]
    """What it holds, in each form in which a server may have sent it: a file without any CR came with CRLF or as is."""


class Delivery(Protocol):
    """A batch of files on their way into one mailbox. Files that were added and not committed are removed on exit."""

    def add(self, name: UniqueName, flags: Flags, internaldate: int, body: Iterable[bytes]) -> Fingerprint:
        """Write one message to `tmp/`; CRLF becomes LF if every line ending is CRLF, else it is kept verbatim.

        The file's mtime becomes `internaldate` (best effort).

        Raises:
            StoreError: no space, read-only, not permitted. The file is gone.
        """

    def commit(self) -> frozenset[UniqueName]:
        """Make every file durable, then visible in `cur/` (`new/` if it has no flags), then the directories durable.

        Returns the names that were in the mailbox already. Those files are left as they are, and ours are gone: mostly
        it is the same message from an interrupted run, which the caller has to make sure of.
        """


class LocalStore(Protocol):
    """The Maildir of one account. May be used from several threads, in different mailboxes."""

    @property
    def generation(self) -> int:
        """A number in the Maildir, 0 at first. One that was put back from an older copy has an older number."""

    def advance(self, generation: int) -> None:
        """Write down another generation, durably. Raises StoreError if that is not possible."""

    def mailboxes(self) -> tuple[MailboxName, ...]:
        """Every directory that looks like a mailbox, ordered by name with INBOX first.

        One that is missing here is not proved to be gone: `scan` tells.
        """

    def state(self, mailbox: MailboxName) -> str | None:
        """By what the mailbox's directories and its `dovecot-keywords` are recognised as unchanged; reads neither.

        None where one of the directories does not exist.
        """

    def scan(
        self, mailbox: MailboxName, mapping: Mapping[str, str], expected: Expectation | None = None
    ) -> LocalListing:
        """List `new/` and `cur/`. `mapping` is the one of `dovecot-keywords` as last recorded: letter to keyword.

        A `dovecot-keywords` file that lacks entries of `mapping` is completed from it. `trusted` are the keywords
        whose letter is the same in both.

        With `expected`, only files that are not as the index expects are in `messages`, and those that were not
        found so in `absent`; directories whose state is the expected one are not read.
        """

    def mapping(self, mailbox: MailboxName) -> Mapping[str, str]:
        """The letters of `dovecot-keywords` as the file says now."""

    def fingerprints(self, mailbox: MailboxName, names: Iterable[UniqueName]) -> Mapping[UniqueName, Fingerprint]:
        """Read the files; those that are gone or cannot be read are left out."""

    def examine(self, mailbox: MailboxName, name: UniqueName) -> Examined:
        """Read a file anew. Raises VanishedError, or MessageError if it cannot be read."""

    def mend(
        self, mailbox: MailboxName, name: UniqueName, whole: Fingerprint, internaldate: int, body: Iterable[bytes]
    ) -> bool:
        """Put a message in the place of the file of this name, which goes to the attic; name and flags stay.

        At every instant the name has one of the two, whole. Durable on return. Returns False, with nothing changed, if
        `body` is not what `whole` is of.

        Raises:
            VanishedError: no file has this unique name any more.
            MessageError: it cannot be replaced.
        """

    def outgoing(self, mailbox: MailboxName, name: UniqueName) -> Outgoing:
        """The file as a message to append. Raises VanishedError, or MessageError if it cannot be read."""

    def internaldate(self, mailbox: MailboxName, name: UniqueName) -> int:
        """What `outgoing` would have as `internaldate`, without reading the file. Raises as `outgoing` does."""

    def delivery(self, mailbox: MailboxName) -> AbstractContextManager[Delivery]:
        """Begin a batch."""

    def unique_name(self, mailbox: MailboxName, epoch: Epoch, message: ServerMessage) -> UniqueName:
        """The name under which the message is delivered: derived from mailbox, UIDVALIDITY and UID, always the same."""

    def own_uid(self, mailbox: MailboxName, epoch: Epoch, name: UniqueName) -> Uid | None:
        """The UID in a name that `unique_name` made for this mailbox and UIDVALIDITY; None for any other name."""

    def change_flags(
        self, mailbox: MailboxName, name: UniqueName, change: FlagDelta, said: Flags = frozenset()
    ) -> None:
        """Rename from the current name with the delta applied; looks again if the file was renamed meanwhile.

        `said` is what its name said when it was last seen: where to look for it first, here and below.

        Keywords get a letter, a new one if letters are free; one without a letter is passed over. Letters and info
        that are not understood stay.

        Raises:
            VanishedError: no file has this unique name any more.
            MessageError: it cannot be changed.
        """

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
        """Rename into another mailbox under another unique name, with the delta applied, durably.

        Keywords follow by name.

        Raises:
            VanishedError: no file has this unique name any more.
            MessageError: it cannot be moved.
        """

    def flush(self, mailbox: MailboxName) -> None:
        """Make durable what is about to be recorded of this mailbox's files.

        That is every change made here so far, and files that other programs wrote shortly before the last scan.
        """

    def remove(self, mailbox: MailboxName, name: UniqueName, said: Flags = frozenset()) -> None:
        """Take the file out of the Maildir, into the attic. One that is gone already is no error.

        Raises:
            VanishedError: it was not found, and its absence cannot be proved.
            MessageError: it cannot be removed.
        """

    def create(self, mailbox: MailboxName) -> None:
        """Make the directories; that they exist already is no error."""

    def rename(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        """Rename the mailbox and those below it."""

    def delete(self, mailbox: MailboxName) -> None:
        """Take every message into the attic, then remove the directories; mailboxes below it stay."""
