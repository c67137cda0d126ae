"""A sync that was recorded: what was done to the disk, and what the server's account was like meanwhile."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from e2e.world import Outcome, World, by_mailbox, environment
from servers.dovecot import Dovecot

from torture import trees
from torture.aftermath import Reach, Weather, after_power_loss, now
from torture.disk import Disk, File, Names, Tree
from torture.recorded import Moment, Recording, traced
from torture.scenes import Played, Scene
from torture.stages import Stages

TWICE = 0.3
"""The share of recordings of a sync that itself follows a power loss."""
LOOSE = (b"/cur", b"/new", b"/tmp")
"""How directories end whose names a mail program need not have flushed."""


class Synced:
    """The scene `played` with the sync after it, of which `disk` and `moments` tell, and `end`, the tree it has left.

    At the moments that are `open` some name could be lost. `kept` is what messages hold that were there before the sync
    and were deleted by nobody in the Maildir.

    Everything that syncs afterwards as this user does it through the same port, so that for the program it is the same
    account on the same server.
    """

    def __init__(self, server: Dovecot, directory: Path, scene: Scene, rng: random.Random) -> None:
        """Play `scene` below `directory`, on an account of its own, and record the sync."""
        self.server, self._directory = server, directory
        self._stages = Stages(server.port, self._keep)
        self.settings: dict[str, Any] = {
            "port": self._stages.port,
            "layout": rng.choice(["fs", "maildir++"]),
            "durability": rng.choice(["batch", "batch", "file"]),
            "connections": 1 if scene.changes_server else rng.choice([1, 3]),
            "mailbox_changes": "all" if scene.mailbox_changes else "create",
        }
        world = World(server, directory, here=True, **self.settings)
        self.settings["user"] = world.user
        try:
            self.played = Played(scene, world, rng)
            before = self._tree()
            self.played.go_on()
            after = self._tree()
            self.kept = contents(before) & contents(after)
            self.disk = Disk(before if scene.loose else after)
            if scene.loose:
                trees.catch_up(self.disk, before, after, lambda path: path.endswith(LOOSE))
            self._record(world)
            if rng.random() < TWICE:
                self._lose_power(world, rng)
                self._record(world)
            self._check(world)
        except BaseException as error:
            self.close()
            if isinstance(error, AssertionError) and hasattr(self, "played"):
                told = "\n  ".join(["while it was recorded:", *self.played.history.story, str(self.settings)])
                raise AssertionError(f"{error}\n\n{told}") from error
            raise
        finally:
            world.close()

    def close(self) -> None:
        """Stop listening, and remove everything."""
        self._stages.close()
        shutil.rmtree(self._directory)

    def put_server_back(self, moment: Moment, rng: random.Random) -> int:
        """Make the account as it may have been at this moment; returns which of how many states that is."""
        number = rng.choice(self._stages.possible(moment.sent, moment.received))
        home = self.server.home(self.settings["user"])
        shutil.rmtree(home)
        subprocess.run(["cp", "-a", self._copy(number), home], check=True)
        return number

    def _record(self, world: World) -> None:
        log = self._directory.with_name(f"{self._directory.name}.trace")
        command = [sys.executable, "-m", "syncer", "-c", str(world.configuration), "sync", "--json"]
        self._stages.begin()
        ended = subprocess.run(
            traced(command, log), check=False, capture_output=True, text=True, timeout=240, env=environment()
        )
        self._stages.end()
        outcome = Outcome(ended.returncode, ended.stdout, ended.stderr).done()
        self._tell(f"sync: {outcome.totals}")
        recording = Recording(self.disk, os.fsencode(self._directory), self._stages.port)
        with log.open(encoding="ascii") as lines:
            recording.read(lines)
        log.unlink()
        assert recording.connections == 1 or not self._stages.changes, "of several connections nothing is known exactly"
        self.moments = recording.moments
        self.open = [moment for moment in self.moments if _loses_names(self.disk, moment)] or self.moments
        self.end = self._tree()

    def _lose_power(self, world: World, rng: random.Random) -> None:
        """Go on from where the recorded sync was cut short."""
        if "client" in world.__dict__:
            world.close()
            del world.client
        moment, weather = rng.choice(self.open), Weather.any(rng)
        found = after_power_loss(self.disk, moment.position, weather, rng)
        self.put_server_back(moment, rng)
        for path in self._directory.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        trees.write(found.tree, self._directory)
        self.disk = Disk(self._tree())
        self._tell(f"the power goes after {moment.position} effects: {weather}; lost are {found.lost}")

    def _tell(self, line: str) -> None:
        self.played.history.story.append(line)

    def _check(self, world: World) -> None:
        """See to it that the recording is right: the model is like the disk, and the sync did what it should."""
        assert not self._stages.failures, self._stages.failures
        differences = _plain(now(self.disk)) ^ _plain(self.end)
        assert not differences, f"the trace does not tell everything: {sorted(path for path, _ in differences)}"
        server = world.on_server()
        faults = self.played.faults(server)
        assert not faults, "\n".join(faults)
        assert by_mailbox(server) == by_mailbox(world.on_disk())

    def _tree(self) -> Tree:
        return trees.read(self._directory)

    def _copy(self, number: int) -> Path:
        return self.server.home(f"{self.settings['user']}.{number}")

    def _keep(self, number: int) -> None:
        shutil.rmtree(self._copy(number), ignore_errors=True)
        subprocess.run(["cp", "-a", self.server.home(self.settings["user"]), self._copy(number)], check=True)


def _loses_names(disk: Disk, moment: Moment) -> bool:
    reach = Reach.of(disk.log[: moment.position])
    log = enumerate(disk.log[: moment.position])
    return any(isinstance(effect, Names) and not reach.covers(number, effect) for number, effect in log)


def messages(tree: Tree) -> dict[bytes, File]:
    """The message files of a tree by path: those in `cur` and `new`, and those in the attic."""
    return {
        path: file
        for path, file in tree.files.items()
        if os.path.basename(os.path.dirname(path)) in {b"cur", b"new"} or path.startswith(b"state/attic/")
    }


def contents(tree: Tree) -> set[bytes]:
    """What the message files of a tree hold."""
    return {file.octets for file in messages(tree).values()}


def _plain(tree: Tree) -> set[tuple[bytes, bytes | None]]:
    """Every path with what its file holds; None for a directory."""
    return {(path, file.octets) for path, file in tree.files.items()} | {(path, None) for path in tree.directories}
