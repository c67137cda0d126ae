"""T4: the connection breaks after any octet, either way, while a sync has everything to do.

It ends by FIN, by RST, or in silence; the server can be reached again at once, or only for the next run, which may be
cut as well. Whatever the run says, the truth must fit: with exit status 0 everything is done, 3 says that it is not.
Then one plain sync, and both sides are what the undisturbed run has made of them.
"""

import random
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import tenacity
from e2e.world import Outcome, World
from servers.base import Server
from servers.courier import Courier
from servers.cyrus import Cyrus
from servers.dovecot import Dovecot
from servers.proxy import CountingProxy, How

from torture import busy
from torture.contents import Held, difference, on_disk, on_server
from torture.trials import Cases

SERVERS: tuple[tuple[str, type[Server], tuple[str, ...]], ...] = (
    ("everything", Dovecot, ()),
    ("without MOVE and UIDPLUS", Dovecot, ("MOVE", "UIDPLUS")),
    ("CONDSTORE", Dovecot, ("QRESYNC",)),
    ("plain", Dovecot, ("QRESYNC", "CONDSTORE", "LIST-STATUS", "LIST-EXTENDED")),
    ("Cyrus", Cyrus, ()),
    ("everything", Dovecot, ()),
    ("without MOVE and UIDPLUS", Dovecot, ("MOVE", "UIDPLUS")),
    ("Courier", Courier, ()),
)
"""In turn. Dovecot more often, since it is quick."""

WAYS: tuple[tuple[How, bool], ...] = (
    ("closed", False), ("reset", False), ("closed", True), ("reset", True), ("closed", True), ("silent", False),
)  # fmt: skip
"""How the connection ends, and whether the server cannot be reached again during this run."""

SHORT = 2
"""Seconds of silence after which a server is given up, where it falls silent; a slow one may then seem to be silent."""

AGAIN = 0.4
"""How often the next run is cut as well, where the first one was given up."""


@dataclass(frozen=True)
class Undisturbed:
    """What a run does that nobody cuts."""

    octets: dict[bool, int]
    """To the server (True), and from it."""
    server: Held
    disk: Held


@dataclass
class Cuts:
    """The servers that were started, and what was measured on them."""

    place: Path
    stack: ExitStack
    total: int | None = None
    _servers: dict[str, Server] = field(default_factory=dict)
    _measured: dict[str, Undisturbed] = field(default_factory=dict)

    def play(self, number: int, place: Path) -> Mapping[str, int]:
        """Cut once or twice."""
        name, kind, hidden = SERVERS[number % len(SERVERS)]
        rng = random.Random(zlib.crc32(f"cut {number}".encode()))
        connections = rng.choice([1, 1, 3])
        server = self._server(name, kind, hidden)
        if name not in self._measured:
            self._measured[name] = _undisturbed(server, self.place / name)
        case = _Case(rng, self._measured[name], [f"{name}, {connections} connections"])
        with CountingProxy(server.port) as proxy:
            return case.play(_world(server, place, proxy, connections), proxy)

    def _server(self, name: str, kind: type[Server], hidden: tuple[str, ...]) -> Server:
        if name not in self._servers:
            server = Dovecot(hide=hidden) if kind is Dovecot else kind()
            self._servers[name] = self.stack.enter_context(server)
        return self._servers[name]


@dataclass
class _Case:
    rng: random.Random
    measured: Undisturbed
    story: list[str]
    counted: dict[str, int] = field(default_factory=dict)

    def play(self, world: World, proxy: CountingProxy) -> Mapping[str, int]:
        try:
            busy.begin(world)
            busy.act(world)
            proxy.taken()
            self._run(world, proxy)
        except AssertionError as error:
            told = "\n  ".join(self.story)
            raise AssertionError(f"{error}\n\nthe story:\n  {told}") from error
        finally:
            world.close()
        return self.counted

    def _run(self, world: World, proxy: CountingProxy) -> None:
        how, for_good = self.rng.choice(WAYS)
        if how == "silent":
            world.configure(timeout=SHORT)
        outcome = self._cut(world, proxy, how, for_good=for_good)
        if outcome.status == 3 and self.rng.random() < AGAIN:
            outcome = self._cut(world, proxy, self.rng.choice(["closed", "reset"]), for_good=self.rng.random() < 0.5)
        proxy.mend()
        world.configure(timeout=None)
        if outcome.status == 3:
            self.story.append(f"plain sync: {world.sync().done().totals}")
        self._same(world)
        world.sync().quiet()
        self._same(world)

    def _cut(self, world: World, proxy: CountingProxy, how: How, *, for_good: bool) -> Outcome:
        proxy.mend()
        proxy.cut.clear()
        to_server = self.rng.random() < 0.5
        point = int(self.rng.random() * self.measured.octets[to_server])
        begun = proxy.count.to_server if to_server else proxy.count.to_client
        proxy.cut_after(begun + point, to_server=to_server, how=how, for_good=for_good)
        outcome = world.sync()
        said = " ".join(outcome.err.split())
        cut = proxy.cut.is_set()
        self.story.append(
            f"{how}{' for good' * for_good} after {point} octets {'to' if to_server else 'from'} the server"
            f"{'' if cut else ' (not reached)'}: status {outcome.status}, {said}"
        )
        self.count("cuts", cut)
        self.count(f"ended with {outcome.status}")
        assert "Traceback" not in outcome.err + outcome.out, "a traceback"
        assert "internal error" not in outcome.err, "an internal error"
        if cut and (for_good or how == "silent"):
            assert outcome.status in {0, 3}, f"status {outcome.status}, not 3 (or 0 where all was done)"
        else:
            assert outcome.status == 0, f"status {outcome.status} although the server could be reached again"
        assert outcome.report["ok"] is (outcome.status == 0)
        if outcome.status == 0:
            self._same(world)
        return outcome

    def _same(self, world: World) -> None:
        faults = difference("server", self.measured.server, on_server(world, busy.BORN))
        faults += difference("Maildir", self.measured.disk, on_disk(world, busy.BORN))
        assert not faults, "\n".join(faults)

    def count(self, name: str, number: int = 1) -> None:
        self.counted[name] = self.counted.get(name, 0) + number


def _world(server: Server, place: Path, proxy: CountingProxy, connections: int) -> World:
    return World(server, place, port=proxy.port, here=True, mailbox_changes="all", connections=connections)


def _undisturbed(server: Server, place: Path) -> Undisturbed:
    """With one connection; several say hardly more."""
    place.mkdir()
    with CountingProxy(server.port) as proxy:
        world = _world(server, place, proxy, connections=1)
        try:
            busy.begin(world)
            busy.act(world)
            proxy.taken()
            world.sync().done()
            count = proxy.taken()
            octets = {True: count.to_server, False: count.to_client}
            measured = Undisturbed(octets, on_server(world, busy.BORN), on_disk(world, busy.BORN))
            world.sync().quiet()
        finally:
            world.close()
    return measured


@contextmanager
def opened(place: Path, option: str) -> Iterator[Cases]:
    """Servers are started when a case first wants them. What is tried is the cut, not the patience after it."""
    at_once = mock.patch.object(tenacity, "wait_random_exponential", return_value=tenacity.wait_none())
    with at_once, ExitStack() as stack:
        yield Cuts(place, stack)
