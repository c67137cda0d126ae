"""What the smaller commands do.

Check an account, and list, create, rename and delete mailboxes on both sides at once.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing

from syncer.config import Account, Config
from syncer.engine.anew import make_here
from syncer.errors import AccountError, MailboxError, SyncerError
from syncer.executor import copies
from syncer.executor.mailbox import learn_epochs
from syncer.findings import CheckLine, MailboxLine
from syncer.imap.mailbox import ImapServer
from syncer.index import IndexSnapshot, read_index
from syncer.maildir.store import MaildirStore
from syncer.reconcile.identity import MailboxName
from syncer.wiring.parts import connector_for, opened
from syncer.wiring.status import Files

USEFUL = ("UIDPLUS", "MOVE", "CONDSTORE", "QRESYNC", "LIST-STATUS", "IDLE", "NOTIFY", "OBJECTID", "COMPRESS=DEFLATE")
"""The capabilities that make a difference here, the weightiest first."""


def check_account(config: Config, account: Account) -> Iterator[CheckLine]:
    """Look at the index, the Maildir and the server, changing nothing; one line for each thing."""
    try:
        snapshot = read_index(Files.of(config, account).index)
    except SyncerError as error:
        yield CheckLine("index", ok=False, detail=str(error))
        if os.path.exists(account.maildir):  # whether it should be there, the index would know
            yield _check_maildir(config, account, None)
    else:
        yield _check_index(config, account, snapshot)
        yield _check_maildir(config, account, snapshot)
    try:
        server = connector_for(account, threading.Event())()
    except AccountError as error:
        yield CheckLine("server", ok=False, detail=str(error), kind="connect")
        return
    try:
        yield from _check_server(account, server)
    finally:
        server.close()


def _check_index(config: Config, account: Account, snapshot: IndexSnapshot | None) -> CheckLine:
    if snapshot is None:
        return CheckLine("index", ok=True, detail="none yet; the first sync makes it")
    failed = [mailbox.name for mailbox in snapshot.mailboxes if mailbox.error]
    path = Files.of(config, account).index
    detail = f"{path}: {snapshot.pairs} messages in {len(snapshot.mailboxes)} mailboxes"
    advice = [f"the last sync had trouble with {', '.join(failed[:5])}: see syncer status"] if failed else []
    if snapshot.pairs and snapshot.login not in {None, account.user}:
        advice += [f"it was synced as {snapshot.login}: the next sync goes on only if {account.user} has the same mail"]
    return CheckLine("index", ok=True, detail=detail, advice="; ".join(advice) or None)


def _check_maildir(config: Config, account: Account, snapshot: IndexSnapshot | None) -> CheckLine:
    root = account.maildir
    files = Files.of(config, account)
    known = snapshot.store_id if snapshot else None
    if known is None and not os.path.exists(root):
        return CheckLine("Maildir", ok=True, detail=f"{root} is not there yet; the first sync makes it")
    try:
        store = MaildirStore.open(str(root), account.layout, str(files.attic), known, read_only=True, alone=False)
    except SyncerError as error:
        return CheckLine("Maildir", ok=False, detail=str(error))
    try:
        mailboxes = store.mailboxes()
        problems = store.problems
        known_too = dict.fromkeys([*mailboxes, *(one.name for one in (snapshot.mailboxes if snapshot else ()))])
        unreadable = [why for name in known_too if account.wants(name) and (why := _unreadable(store, name))]
    except SyncerError as error:
        return CheckLine("Maildir", ok=False, detail=str(error))
    finally:
        store.close()
    if unreadable:
        return CheckLine(
            "Maildir", ok=False, detail=f"{root}: {'; '.join(unreadable[:5])}", advice="; ".join(problems) or None
        )
    if not os.access(root, os.W_OK | os.X_OK):
        advice = "make it writable for you, or use direction = push"
        return CheckLine("Maildir", ok=False, detail=f"{root} cannot be written to", advice=advice)
    return CheckLine(
        "Maildir", ok=True, detail=f"{root}: {len(mailboxes)} mailboxes", advice="; ".join(problems) or None
    )


def _unreadable(store: MaildirStore, mailbox: MailboxName) -> str | None:
    """Why a mailbox cannot be listed; None if it can, or is not there."""
    try:
        store.scan(mailbox, {})
    except MailboxError as error:
        return str(error)
    return None


def _check_server(account: Account, server: ImapServer) -> Iterator[CheckLine]:
    detail = f"logged in to {account.host}:{account.port} as {account.user}"
    advice = "the connection is not encrypted" if account.tls == "off" else None
    yield CheckLine("server", ok=True, detail=detail, advice=advice, kind="connect")
    have = [name for name in USEFUL if name in server.capabilities]
    lacks = None
    if "UIDPLUS" not in server.capabilities:
        lacks = r"without UIDPLUS a message deleted here is only marked \Deleted on the server"
    yield CheckLine("capabilities", ok=True, detail=" ".join(have) or "none of the useful ones", advice=lacks)
    listed = server.mailboxes()
    left_out = [mailbox.name for mailbox in listed if not account.wants(mailbox.name)]
    detail = f"{len(listed)} on the server" + (f", {len(left_out)} left out by the configuration" if left_out else "")
    yield CheckLine("mailboxes", ok=True, detail=detail, kind="connect")


def mailbox_list(config: Config, account: Account) -> Sequence[MailboxLine]:
    """Every mailbox of either side, and how many messages the index pairs in it."""
    snapshot = read_index(Files.of(config, account).index)
    known = {mailbox.name: mailbox.pairs for mailbox in snapshot.mailboxes} if snapshot else {}
    local: set[MailboxName] = set()
    if os.path.exists(account.maildir):
        attic = str(Files.of(config, account).attic)
        store_id = snapshot.store_id if snapshot else None
        store = MaildirStore.open(str(account.maildir), account.layout, attic, store_id, read_only=True, alone=False)
        try:
            local = set(store.mailboxes())
        finally:
            store.close()
    with closing(connector_for(account, threading.Event())()) as server:
        listed = [mailbox.name for mailbox in server.mailboxes()]
    names = [*listed, *sorted(local.difference(listed))]
    return [MailboxLine(name, name in listed, name in local, known.get(name)) for name in names]


def mailbox_count(config: Config, account: Account, name: MailboxName) -> tuple[int | None, int | None]:
    """How many messages are in the mailbox on the server and in the Maildir; None where it does not exist."""
    with opened(config, account, stop=threading.Event(), read_only=True) as workshop:
        listing = workshop.store.scan(name, {})
        here = None if listing.missing else len(listing.messages)
    with closing(connector_for(account, threading.Event())()) as server:
        there = len(server.listing(name).flags) if server.exists(name) else None
    return there, here


def mailbox_create(config: Config, account: Account, name: MailboxName) -> None:
    """Create it on the server, then in the Maildir, which must be able to hold it."""
    with opened(config, account, stop=threading.Event()) as workshop:
        workshop.store.insist_nameable(name)
        with closing(connector_for(account, threading.Event())()) as server:
            if not server.exists(name):
                workshop.index.forget_mailbox(name)  # what it had is not deleted, but to be uploaded
            server.create(name)
        make_here(workshop.store, workshop.index, name)
        workshop.index.add_mailbox(name)


def mailbox_rename(config: Config, account: Account, old: MailboxName, new: MailboxName) -> None:
    """Rename it, and those below it, on the server, then in the Maildir, then in the index."""
    with opened(config, account, stop=threading.Event()) as workshop:
        here = [name for name in workshop.store.mailboxes() if f"{name}/".startswith(f"{old}/")]
        for name in (old, *here):
            workshop.store.insist_nameable(MailboxName(new + name[len(old) :]))
        with closing(connector_for(account, threading.Event())()) as server:
            server.rename(old, new)
            learn_epochs(workshop.index, server, old, new)
        if here:
            workshop.store.rename(old, new)
        copies.renamed(workshop.index, old, new)
        workshop.index.rename_mailbox(old, new)


def mailbox_delete(config: Config, account: Account, name: MailboxName) -> None:
    """Delete it on the server, unless the Maildir cannot; there its messages go to the attic."""
    with opened(config, account, stop=threading.Event()) as workshop:
        workshop.store.insist_deletable(name)
        with closing(connector_for(account, threading.Event())()) as server:
            server.delete(name)
        if name in workshop.store.mailboxes():
            workshop.store.delete(name)
        workshop.index.forget_mailbox(name)
