"""Verifying a world in memory: what it is damaged by, and what is made of that."""

import threading
from typing import Any

from fake_server import FakeServer, fingerprint
from worlds import Quiet, World, octets

from syncer.crew import Crew
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName
from syncer.reconcile.verdicts import Kind
from syncer.values import replace
from syncer.verification import AccountVerification
from syncer.verifying import Task, Verify

WORK = MailboxName("Work")
BAD = octets("a")[:-3] + b"X\r\n"
"""The message `a` with another body of the same size."""

Summary = dict[str, list[tuple[int, bool]]]


def synced(names: str = "abcdefgh", mailbox: MailboxName = INBOX) -> World:
    world = World()
    for name in names:
        world.server.deliver(mailbox, octets(name))
    world.sync()
    return world


def verify(
    world: World,
    report: AccountVerification | None = None,
    done: dict[MailboxName, set[Uid]] | None = None,
    *,
    connections: int = 1,
    **task: Any,
) -> AccountVerification:
    report = report or AccountVerification("test")
    done = {} if done is None else done
    wanted = Task("test", lambda _: True, **task)
    with Crew(lambda: FakeServer(world.server), connections, threading.Event()) as crew:
        Verify(wanted, crew, world.store, world.index, report, Quiet(), lambda: world.clock, done).run()
    return report


def summary(report: AccountVerification, mailbox: MailboxName = INBOX) -> Summary:
    """By kind the UIDs, and whether they were repaired."""
    found = report.mailbox(mailbox)
    every = {kind.value: [(one.finding.pair.uid, one.repaired) for one in found.of(kind)] for kind in Kind}
    return {kind: ones for kind, ones in every.items() if ones}


def file_of(world: World, uid: int, mailbox: MailboxName = INBOX) -> Any:
    return world.store.directories[mailbox].files[name_of(world, uid, mailbox)]


def name_of(world: World, uid: int, mailbox: MailboxName = INBOX) -> UniqueName:
    return world.rows(mailbox).pairs[Uid(uid)].name


def damage_file(world: World) -> None:
    file_of(world, 1).octets = BAD


def damage_server(world: World) -> None:
    world.server.mailboxes[INBOX].messages[Uid(1)].octets = BAD


def damage_index(world: World) -> None:
    rows = world.rows(INBOX).pairs
    rows[Uid(1)] = replace(rows[Uid(1)], fingerprint=fingerprint(BAD))


def sides(world: World) -> object:
    return (
        {name: repr(box.messages) for name, box in world.server.mailboxes.items()},
        {name: repr(directory.files) for name, directory in world.store.directories.items()},
    )


def snapshot(world: World) -> object:
    return sides(world), repr(world.index.rows), list(world.store.attic)
