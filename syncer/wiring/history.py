"""What was done, told from the journal; and what was removed, brought back from the attic."""

import os
import threading
from collections.abc import Iterator, Sequence

from syncer.config import Account, Config
from syncer.engine.anew import make_here
from syncer.errors import MailboxError, MessageError
from syncer.findings import History, Restored
from syncer.index.journal import find_pair, read_journal
from syncer.maildir.attic import Kept
from syncer.maildir.filename import split
from syncer.maildir.layout import Layout, from_path
from syncer.reconcile.events import Told, within
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.values import Struct
from syncer.wiring.parts import opened
from syncer.wiring.status import Files


def account_log(
    config: Config, account: Account, *, mailbox: MailboxName | None, since: int | None, runs: int | None
) -> tuple[Told, ...]:
    """What syncs did in an account, in order. Raises IndexFileError."""
    return read_journal(Files.of(config, account).index, mailbox=mailbox, since=since, runs=runs)


def place_of(config: Config, path: str) -> tuple[Account, MailboxName, UniqueName] | None:
    """Account, mailbox and unique name of a message's file, which need not exist; None if it can be in no Maildir."""
    directory, file = os.path.split(os.path.abspath(os.path.expanduser(path)))
    for account in config.accounts:
        mailbox = _mailbox_at(os.path.dirname(directory), os.path.abspath(account.maildir), account.layout)
        if (
            mailbox is None
        ):  # a shell knows where it is without symbolic links, the settings may name the Maildir by one
            real = os.path.realpath(os.path.dirname(directory))
            mailbox = _mailbox_at(real, os.path.realpath(account.maildir), account.layout)
        if mailbox is not None:
            return account, mailbox, split(file)[0]
    return None


def _mailbox_at(directory: str, root: str, layout: Layout) -> MailboxName | None:
    if os.path.commonpath([root, directory]) != root:
        return None
    relative = os.path.relpath(directory, root)
    return from_path(b"" if relative == "." else os.fsencode(relative), layout)


def message_history(config: Config, account: Account, mailbox: MailboxName, message: Uid | UniqueName) -> History:
    """What was done to one message, in order. Raises IndexFileError."""
    index = Files.of(config, account).index
    now = find_pair(index, mailbox, message)
    name = now[1] if now else message if isinstance(message, str) else None
    uid = now[0] if now else message if isinstance(message, int) else None
    told = read_journal(index, mailbox=mailbox)
    # The UIDs of before the mailbox was renumbered were those of other messages.
    since = max((place for place, row in enumerate(told) if row.verb == "renumbered"), default=-1)

    def about(place: int, row: Told) -> bool:
        named = name is not None and name in row.names
        return named or (uid is not None and place > since and within(uid, row.uids))

    rows = tuple(row for place, row in enumerate(told) if about(place, row))
    return History(mailbox, uid, name, now[2] if now else None, rows)


class Wish(Struct, frozen=True):
    """Which messages are to be brought back from the attic: those to which all of this applies."""

    mailboxes: Sequence[MailboxName | None]
    """None is every mailbox."""
    since: str | None = None
    """A day, YYYY-MM-DD, in UTC."""
    run: int | None = None
    """The number of a pass in the journal."""
    message: str | None = None
    """The name of its file."""

    def includes(self, kept: Kept, removed: set[tuple[MailboxName, UniqueName]]) -> bool:
        """Whether it applies. `removed` is what that pass took out of the Maildir."""
        return (
            (None in self.mailboxes or kept.mailbox in self.mailboxes)
            and (self.since is None or kept.day >= self.since)
            and (self.run is None or any((kept.mailbox, name) in removed for name in kept.names))
            and (not kept.spare if self.message is None else bool(kept.names & {self.message, split(self.message)[0]}))
        )


def restore_from_attic(
    config: Config, account: Account, wish: Wish, *, dry_run: bool, wait: bool = False
) -> Iterator[Restored]:
    """Bring back what is wished for; one value for each message. With `wait`, after another run on the account.

    Raises:
        AccountError: the account cannot be worked on.
    """
    told = read_journal(Files.of(config, account).index) if wish.run is not None else ()
    rows = [row for row in told if row.run == wish.run and row.verb == "removed from the Maildir"]
    removed = {(row.mailbox, name) for row in rows for name in row.names}
    with opened(config, account, stop=threading.Event(), wait=wait, read_only=dry_run) as workshop:
        for kept in [kept for kept in workshop.store.in_attic() if wish.includes(kept, removed)]:
            name, error = kept.name, None
            if not dry_run:
                try:
                    make_here(workshop.store, workshop.index, kept.mailbox)
                    name = workshop.store.bring_back(kept)
                except (MailboxError, MessageError) as problem:
                    error = str(problem)
            yield Restored(kept.mailbox, kept.day, name, error)
