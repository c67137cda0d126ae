"""T6: the power goes at any moment of a sync, and what was not flushed by then is lost, reordered or torn.

A sync is recorded once (`synced`), from which a model of the disk (`disk`) knows what is certain at each moment, and
`aftermath` what else may be found. Meanwhile the server's account is copied after each command that changes it
(`stages`). A case puts both sides as they may be found after one moment, and syncs again. Not tried is what follows if
a directory has lost names and still looks unchanged: files that are put back never look as the index remembers them.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from e2e.world import World, by_mailbox
from servers.dovecot import Dovecot
from servers.mail import token_of

from torture import trees
from torture.aftermath import Found, Weather, after_power_loss
from torture.recorded import Moment
from torture.scenes import SCENES
from torture.synced import Synced, contents, messages
from torture.trials import Cases

EDITION = 100
"""So many cases share one recording of a scene; the next ones get another, with other messages and settings."""
MOMENTS = (15, 45, 40)
"""How often the power goes after the sync has ended, while some name is not flushed, and at any moment."""


class PowerLoss:
    """Each number is a scene, a moment in it, and what is lost."""

    total: int | None = None

    def __init__(self, place: Path, servers: ExitStack) -> None:
        """Record below `place`; servers are started when they are needed, and stopped with `servers`."""
        self._place, self._stack = place, servers
        self._servers: dict[tuple[str, ...], Dovecot] = {}
        self._recorded: dict[int, tuple[int, Synced]] = {}

    def play(self, number: int, place: Path) -> Mapping[str, int]:
        """Lose the power once, and sync."""
        synced = self._synced(number)
        rng = random.Random(f"power {number}")
        moments = rng.choices([synced.moments[-1:], synced.open, synced.moments], MOMENTS)[0]
        moment = rng.choice(moments)
        weather = Weather.any(rng)
        found = after_power_loss(synced.disk, moment.position, weather, rng)
        copy = synced.put_server_back(moment, rng)
        trees.write(found.tree, place)
        world = World(synced.server, place, here=True, **synced.settings)
        world.user = synced.settings["user"]
        try:
            _check(world, synced, found, ended=moment == synced.moments[-1])
        except Exception as error:
            raise AssertionError(f"{error}\n\n{_story(synced, moment, weather, found, copy)}") from error
        finally:
            world.close()
        return {"changes of names lost": len(found.lost), "max changes of names lost": len(found.lost)}

    def _synced(self, number: int) -> Synced:
        edition, which = number // (len(SCENES) * EDITION), number % len(SCENES)
        before = self._recorded.get(which)
        if before is not None and before[0] == edition:
            return before[1]
        if before is not None:
            before[1].close()
        directory = self._place / f"{edition}.{which}"
        directory.mkdir()
        rng = random.Random(f"recording {edition} {which}")
        hide = rng.choice(SCENES[which].rungs) if edition else ()
        synced = Synced(self._server(hide), directory, SCENES[which], rng)
        self._recorded[which] = edition, synced
        return synced

    def _server(self, hide: tuple[str, ...]) -> Dovecot:
        if hide not in self._servers:
            self._servers[hide] = self._stack.enter_context(Dovecot(hide=hide))
        return self._servers[hide]

    def close(self) -> None:
        """Stop listening."""
        for _, synced in self._recorded.values():
            synced.close()


@contextmanager
def opened(place: Path, option: str) -> Iterator[Cases]:
    """Dovecot, with all that it has, or less."""
    with ExitStack() as servers:
        cases = PowerLoss(place, servers)
        servers.callback(cases.close)
        yield cases


def _check(world: World, synced: Synced, found: Found, *, ended: bool) -> None:
    """Sync, and check what must be true before and after it; `ended`: the recorded sync had ended."""
    played = synced.played
    missing = synced.kept - contents(found.tree)
    assert not missing, f"neither in the Maildir nor in the attic before the sync: {_tokens(missing)}"
    if ended and not played.scene.loose:
        assert _by_path(found) == {path: file.octets for path, file in messages(synced.end).items()}, (
            "what was done and reported is not there after the power was lost"
        )
    had = {token for _, token, _ in world.on_server()}
    outcome = world.sync().done()
    server, local = world.on_server(), world.on_disk()
    faults = played.faults(server)
    assert not faults, "\n".join([*faults, f"the sync did {outcome.totals}"])
    assert by_mailbox(server) == by_mailbox(local)
    world.same_octets()
    lost = had - {token for _, token, _ in server} - played.deleted()
    assert not lost, f"on the server before the sync, and gone after it: {sorted(lost)}"
    missing = synced.kept - contents(trees.read(world.directory))
    assert not missing, f"neither in the Maildir nor in the attic after the sync: {_tokens(missing)}"
    gone = played.history.gone & world.client.mailboxes()
    assert not gone, f"mailboxes that were removed or renamed are still there: {sorted(gone)}"
    world.sync().quiet()
    assert world.on_server() == server
    assert world.on_disk() == local


def _by_path(found: Found) -> dict[bytes, bytes]:
    return {path: file.octets for path, file in messages(found.tree).items()}


def _tokens(octets: set[bytes]) -> list[str]:
    return sorted(map(token_of, octets))


def _story(synced: Synced, moment: Moment, weather: Weather, found: Found, copy: int) -> str:
    log = synced.disk.log[: moment.position]
    told = [
        "the story:",
        *synced.played.history.story,
        f"{synced.settings}, hidden {synced.server.hide}",
        f"the power goes after {moment.position} of {len(synced.disk.log)} effects: {weather}",
        f"the server is as after {copy} commands that change it; the last effects before were:",
        *map(synced.disk.told, log[-25:]),
        "changes of names that are lost:",
        *(found.lost or ("none",)),
    ]
    return "\n  ".join(told)
