"""What goes wrong while `syncer watch` runs: for each fault how it begins, how long it lasts and how it ends."""

import random
import signal
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from torture.soak.scene import Scene


def _nothing(_: Scene) -> None:
    """It is over by itself."""


@dataclass(frozen=True)
class Fault:
    """One kind."""

    name: str
    begin: Callable[[Scene], None]
    end: Callable[[Scene], None] = _nothing
    least: float = 0.0
    most: float = 0.0
    """Seconds."""

    def seconds(self, rng: random.Random) -> float:
        """How long it lasts this time."""
        return rng.uniform(self.least, self.most)


def _signal(number: signal.Signals) -> Callable[[Scene], None]:
    return lambda scene: scene.watched.signal(number)


def _other_settings(scene: Scene) -> None:
    scene.configure(connections=2 if scene.world.settings.get("connections", 3) == 3 else 3)
    scene.watched.signal(signal.SIGHUP)


def _lock_out(scene: Scene) -> None:
    scene.refuse()
    scene.link.cut()


def _let_in(scene: Scene) -> None:
    scene.admit()
    scene.watched.signal(signal.SIGUSR1)


CRASH = "crash"
FAULTS = (
    Fault("cut", lambda scene: scene.link.cut()),
    Fault("black hole", lambda scene: scene.link.swallow(), lambda scene: scene.link.go_on(), 5, 40),
    Fault("server crash", Scene.crash_server, Scene.start_server, 1, 20),
    Fault("suspend", _signal(signal.SIGSTOP), _signal(signal.SIGCONT), 5, 40),
    Fault(CRASH, lambda scene: scene.watched.kill(), lambda scene: scene.watched.start(), 0, 5),
    Fault("SIGHUP", _other_settings),
    Fault("SIGUSR1", _signal(signal.SIGUSR1)),
    Fault("log-in refused", _lock_out, _let_in, 5, 40),
)


def deck(rng: random.Random, names: Collection[str]) -> Iterator[Fault]:
    """Faults without end, shuffled like cards, so that each comes as often as the others."""
    cards = [fault for fault in FAULTS if fault.name in names]
    while cards:
        rng.shuffle(cards)
        yield from cards
