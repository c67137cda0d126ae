"""T8: one side is not what the index knows any more. Nothing may be lost for that, nothing doubled, nothing crossed.

UIDVALIDITY changes with the same messages, in another order, with some of them or with others; it flaps. The server is
restored from a backup and gives UIDs again, below or above its old counters. It shows a mailbox empty, or nearly. The
index is deleted, is an older one or another account's; the Maildir is an older copy. Meanwhile both persons go on.

Whatever is held back is said with a way out (`restore`, `--allow-delete`, removing the index); one that was said is
taken, and leads to two equal sides. `disasters.py` has the disasters, `survivors.py` what must have survived.
"""

import random
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e.world import World
from servers.dovecot import Dovecot

from torture.disasters import DISASTERS, Disaster
from torture.survivors import Survivors
from torture.trials import Cases

RUNGS = ("", "", "QRESYNC", "QRESYNC,CONDSTORE,LIST-STATUS,LIST-EXTENDED")
"""What Dovecot hides."""


@dataclass
class Epochs:
    """The servers that were started."""

    stack: ExitStack
    total: int | None = None
    _servers: dict[tuple[str, str], Dovecot] = field(default_factory=dict)

    def play(self, number: int, place: Path) -> Mapping[str, int]:
        """One disaster, on one of the rungs."""
        disaster = DISASTERS[number % len(DISASTERS)]
        rng = random.Random(zlib.crc32(f"epoch {number}".encode()))
        server = self._server(disaster.fmt, rng.choice(RUNGS))
        world = World(server, place, here=True, connections=rng.choice([1, 3]))
        survivors = Survivors(world, rng, [f"{disaster.name}; {server.fmt}, hides {server.hide or 'nothing'}"])
        try:
            return self._play(disaster, survivors)
        except Exception as error:
            told = "\n  ".join(survivors.story)
            raise AssertionError(f"{error}\n\nthe story:\n  {told}") from error
        finally:
            world.close()

    def _play(self, disaster: Disaster, survivors: Survivors) -> Mapping[str, int]:
        survivors.begin()
        disaster.strike(survivors)
        survivors.go_on(disaster.held, disaster.afterwards)
        survivors.not_crossed()
        return {"messages": len(survivors.born), "held back": survivors.held}

    def _server(self, fmt: str, hidden: str) -> Dovecot:
        if (fmt, hidden) not in self._servers:
            server = Dovecot(fmt=fmt, hide=hidden.split(",") if hidden else ())
            self._servers[fmt, hidden] = self.stack.enter_context(server)
        return self._servers[fmt, hidden]


@contextmanager
def opened(place: Path, option: str) -> Iterator[Cases]:
    """Servers are started when a case first wants them."""
    with ExitStack() as stack:
        yield Epochs(stack)
