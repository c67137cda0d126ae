"""Ears for the fakes: what to raise or do when something is about to happen; and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from worlds import World

from syncer.errors import SyncerError
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import COUNTERS

Then = SyncerError | Callable[[], object]


@dataclass
class Ear:
    """Hears what a fake does; raises or acts at what it was told to wait for, and remembers everything."""

    waiting: dict[str, Then] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)

    def __call__(self, what: str) -> object:
        self.heard.append(what)
        for start, then in self.waiting.items():
            if what.startswith(start):
                if isinstance(then, SyncerError):
                    raise then
                return then()
        return None


def server_hears(world: World, **waiting: Then) -> Ear:
    """`STORE_INBOX=...` waits for commands that begin with `STORE INBOX`."""
    ear = Ear({start.replace("_", " "): then for start, then in waiting.items()})
    world.server.hears = ear
    return ear


def store_hears(world: World, **waiting: Then) -> Ear:
    ear = Ear({start.replace("_", " "): then for start, then in waiting.items()})
    world.store.hears = ear
    return ear


def well(world: World) -> None:
    """Nothing goes wrong any more."""
    world.server.hears = world.store.hears = lambda what: None


def counted(world: World, mailbox: MailboxName = INBOX) -> dict[str, int]:
    """What the report says was done, without what was not."""
    report = world.report.mailbox(mailbox)
    return {counter: number for counter in COUNTERS if (number := getattr(report, counter))}


def problems(world: World, mailbox: MailboxName = INBOX) -> list[str]:
    return world.report.mailbox(mailbox).problems


def settles(world: World) -> None:
    """The next sync mends what is left, and the one after it finds nothing."""
    well(world)
    report = world.sync()
    assert report.ok
    assert world.on_server() == world.in_maildir()
    assert (world.sync().mailboxes, world.planned()) == ({}, [])
