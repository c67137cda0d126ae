"""What T10 works on and with: a world in memory, and a crew of one thread, so that the same comes out again."""

import random
from collections.abc import Callable, Iterable
from typing import TypeVar

from fake_server import FakeAccount
from worlds import World

from syncer.crew import Crew
from syncer.ports import Server
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.reconcile.policy import Limits, Policy
from torture.notes import TRASH

Item = TypeVar("Item")
Result = TypeVar("Result")
MAILBOXES = (INBOX, MailboxName("Work"), MailboxName("Play"))


class OneByOne(Crew):
    """A crew that starts no threads."""

    def each(
        self,
        work: Callable[[Server, Item], Result],
        items: Iterable[Item],
        at_once: int | None = None,
        *,
        overlapping: bool = False,
        in_turn: bool = False,
    ) -> list[Result]:
        """In the thread that calls, one after the other."""
        return super().each(work, items, 1)


def made(rng: random.Random) -> tuple[World, MailboxName | None]:
    """Mailboxes, settings, and what the server can do; the trash, where there is one."""
    draw = rng.random
    server = FakeAccount(
        atomic_move=draw() < 0.7,
        tells_uids=draw() < 0.8,
        email_ids=draw() < 0.3,
        rung=rng.choice(["qresync", "qresync", "condstore", "plain"]),
    )
    trash = TRASH if draw() < 0.2 else None
    policy = Policy(on_local_delete="trash" if trash else "expunge", limits=Limits(max_delete=1.0))
    world = World(server, policy=policy)
    for mailbox in MAILBOXES[: rng.randint(2, 3)]:
        server.create(mailbox)
    if trash is not None:
        server.create(trash)
        server.special[trash] = "\\trash"
    return world, trash
