"""T2: random two-sided histories against real servers, with a second mail program on each side and a ledger as oracle.

The ledger (`tests/e2e/ledger.py`) knows each message by a token in its body, and knows nothing of the program.
"""

import random
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from e2e.costs import CONDSTORE, PLAIN, STATUS
from e2e.history import History
from e2e.world import World
from servers.base import Server
from servers.courier import Courier
from servers.cyrus import Cyrus
from servers.dovecot import Dovecot

from torture.trials import Cases


class Histories:
    """Each number is a history, on one of the servers in turn."""

    total: int | None = None

    def __init__(self, servers: list[Server]) -> None:
        """Play on these."""
        self._servers = servers

    def play(self, number: int, place: Path) -> Mapping[str, int]:
        """Play a history of three to five rounds."""
        server = self._servers[number % len(self._servers)]
        rng = random.Random(zlib.crc32(f"{server.name} {number}".encode()))
        everything = number % 3 == 2
        world = World(
            server,
            place,
            here=True,
            layout=rng.choice(["fs", "maildir++"]),
            mailbox_changes="all" if everything else "create",
            connections=rng.choice([1, 3]),
        )
        try:
            history = History(world, rng, mailbox_changes=everything)
            rounds = rng.randint(3, 5)
            history.play(rounds)
        finally:
            world.close()
        return {"rounds": rounds, "messages": history.born}


@contextmanager
def opened(place: Path, option: str) -> Iterator[Cases]:
    """The servers that `option` names."""
    hidden = [name.partition("-hides-")[2].split(",") for name in (CONDSTORE, PLAIN, STATUS)]
    made: dict[str, list[Server]] = {
        "dovecot": [Dovecot()],
        "rungs": [Dovecot(hide=hide) for hide in hidden],
        "cyrus": [Cyrus()],
        "courier": [Courier()],
    }
    with ThreadPoolExecutor() as pool:
        started = list(pool.map(Server.start, made[option]))
        try:
            yield Histories(started)
        finally:
            list(pool.map(Server.stop, started))
