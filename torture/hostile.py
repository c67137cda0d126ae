"""T7: servers that lie, stammer and babble.

`adapter`: a recorded conversation with a real server is played back to the adapter, with one reply mutated. What must
hold: nothing but the errors that `syncer/errors.py` names come out, it ends, memory stays bounded, only commands leave
that were meant, and nothing is reported that was not said. `engine`: see `torture.meddling`.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from syncer.errors import ConnectError, LoginError, TlsError
from syncer.imap import ahead, asking, changes, connection, kept, listing, login, storing, transfer
from syncer.imap.auth import Password
from syncer.imap.connection import ServerSettings, connect
from syncer.imap.dial import Endpoint
from torture import meddling
from torture.errands import ERRANDS, Errand, Facts, perform
from torture.floods import flood
from torture.memory import Growth
from torture.mutations import HEAVY, tampered
from torture.playback import Conversation, Peer, Replies, Said, by_question_and_answer, load
from torture.stories import told
from torture.streams import responses
from torture.trials import Cases
from torture.witness import Witness, check_sent, printable

COMMAND_SECONDS = 4.0
FLOODS = 400
"""One of so many cases is a flood,"""
HEAVIES = 40
"""and one of so many is large or deep."""
_SHORT = 3_000
"""Instead of a million, so that it is not days until a flood meets its bound,"""
_SMALL = 1024 * 1024
"""and instead of 64 MiB."""
_FLOODED, _GROWN = 32 * 1024 * 1024, 64 * 1024 * 1024
"""Memory that a flood may take at most, with these bounds, and a line of 8 MiB."""


@dataclass(frozen=True)
class Scene:
    """A conversation, made ready."""

    conversation: Conversation
    replies: Replies
    errand: Errand
    facts: Facts
    settings: ServerSettings
    home: frozenset[bytes]
    """How the server calls HOME, in commands."""

    @classmethod
    def of(cls, conversation: Conversation) -> "Scene":
        """Of what was recorded."""
        facts = Facts(**conversation.facts)
        (errand,) = (each for each in ERRANDS if each.name == conversation.errand)
        settings = ServerSettings(
            "test", "127.0.0.1", 9, "off", facts.user, Password("correct-horse"), command_seconds=COMMAND_SECONDS
        )
        selected = {
            command.split(" ", 1)[1].split(" (")[0].encode("latin-1")
            for command, _ in conversation.exchanges
            if command.startswith("SELECT")
        }
        home = frozenset(name for name in selected if b"rich" in name)
        return cls(conversation, Replies(conversation), errand, facts, settings, home)


class Meddler:
    """Changes one reply of a conversation; the number says which one, and how."""

    def __init__(self, number: int, turn: int, replies: Replies) -> None:
        """`turn` says how often this conversation was played before."""
        self.turn = turn
        self.rng = random.Random(number)
        self.place = self.rng.randrange(-1 if replies.asks else 0, replies.count)
        self.floods = turn % FLOODS == FLOODS - 1
        self.heavy = self.floods or turn % HEAVIES == 1
        self.did: bytes | None = None

    def reply(self, place: int, octets: bytes) -> Said:
        """See `Tamper`."""
        if place != self.place:
            return Said(octets)
        said = self._changed(octets)
        self.did = said.octets
        return said

    def _changed(self, octets: bytes) -> Said:
        rng = self.rng
        if self.floods:
            return flood(rng, octets)
        if self.heavy:
            return Said(b"".join(rng.choice(HEAVY)(rng, responses(octets))))
        return tampered(rng, octets, rng.choice([1, 1, 1, 2, 3]))


class Adapter:
    """Each number is one conversation with one reply changed."""

    total: int | None = None

    def __init__(self) -> None:
        """Read what was recorded."""
        recorded = load()
        asking = [by_question_and_answer(each) for each in recorded if each.name == "dovecot, alterations"]
        self._scenes = [Scene.of(each) for each in (*recorded, *asking)]
        self._peers: list[Peer] = []

    def dial(self, _endpoint: Endpoint) -> Any:
        """In place of a connection."""
        return self._peers.pop(0)

    def play(self, number: int, place: Path) -> Mapping[str, int]:
        """See `Cases`."""
        scene = self._scenes[number % len(self._scenes)]
        meddler = Meddler(number, number // len(self._scenes), scene.replies)
        piece = 1 << 20 if meddler.heavy else meddler.rng.choice([1 << 20] * 9 + [7])
        peers = [Peer(scene.replies, meddler, piece) for _ in range(2)]
        try:
            with Growth(watch=meddler.heavy) as growth:
                errors = self._converse(scene, peers)
            for peer in peers:
                check_sent(peer, scene.errand, scene.facts, scene.home)
            most = _FLOODED if meddler.floods else _GROWN
            assert growth.octets < most, f"{growth.octets} octets of memory"
        except Exception as error:
            raise AssertionError(f"{told(error)}\n\n{_story(scene, meddler, peers)}") from error
        return {"max MiB of memory": growth.octets >> 20, **errors}

    def _converse(self, scene: Scene, peers: list[Peer]) -> dict[str, int]:
        self._peers = list(peers)
        first, second = peers
        early = scene.errand.early
        try:
            server = connect(
                scene.settings, memory=scene.facts.memory if early else None, early=early, attempts=1,
                clock=lambda: first.now + second.now, now=lambda: 0.0,
            )  # fmt: skip
        except (ConnectError, LoginError, TlsError) as error:
            printable(error)
            return {"log-ins that failed": 1}
        perform(scene.errand, server, scene.facts, Witness(first if self._peers else second))
        lost = server._wire.closed is not None
        server.close()
        return {"conversations that broke off": lost}


def _story(scene: Scene, meddler: Meddler, peers: list[Peer]) -> str:
    said = [f"C: {command.tag.decode('latin-1')} {command.text[:200]!r}" for peer in peers for command in peer.commands]
    did = "nothing" if meddler.did is None else repr(meddler.did[:3000])
    return f"{scene.conversation.name}, reply {meddler.place} is now {did}\n" + "\n".join(said)


_BOUNDS: list[tuple[ModuleType, str, int]] = [
    *((module, "MAX_UNTAGGED", _SHORT) for module in (ahead, asking, kept, storing)),
    *((module, "MAX_MESSAGES", _SHORT) for module in (asking, listing)),
    (changes, "_MAX_SEARCH", _SHORT),
    *(
        (module, name, _SMALL)
        for module, name in ((kept, "MAX_OCTETS"), (listing, "_MAX_OCTETS"), (transfer, "_LAST_WORD"))
    ),
]
"""Bounds of the adapter that are far away."""


@contextmanager
def opened(place: Path, option: str) -> Iterator[Cases]:
    """The adapter, or the engine."""
    if option == "engine":
        with meddling.opened(place) as cases:
            yield cases
        return
    cases = Adapter()
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(connection, "dial", cases.dial))
        stack.enter_context(mock.patch.object(login, "PATIENCE", COMMAND_SECONDS))
        for module, name, bound in _BOUNDS:
            stack.enter_context(mock.patch.object(module, name, bound))
        yield cases
