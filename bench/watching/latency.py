"""L1 and L2: how soon one message is in the Maildir, and one flag on the server.

The samples come at random moments, one after the other, so that none of them is gathered up with another one.
"""

import itertools
import os
import random
import select
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from bench import maildirs
from bench.mail import Letter, letters
from bench.watching.ears import Ear
from bench.watching.inotify import CREATED, MODIFIED, MOVED_HERE, Directories
from bench.watching.results import Sample
from bench.watching.scene import Post, Scene
from bench.watching.sides import Far, Near
from bench.wire import Wire

SIZE: Final = 2_000
DEADLINE: Final = 30.0
"""Seconds. What takes longer counts as missed."""
GLANCE: Final = 0.5
"""Seconds after which the server is asked although it wrote nothing down."""
BETWEEN: Final = (0.1, 1.1)
"""Seconds between two samples."""
_seeds = itertools.count(2_000_000)


def arrivals(scene: Scene, post: Post, count: int, rng: random.Random) -> list[Sample]:
    """New messages on the server (INBOX), until each one's file is in the Maildir."""
    box = post.site.mail / "INBOX"
    site = post.site
    with (
        Ear(post.proxy.port, site.user, site.password, scene.watcher.told) as ear,
        scene.wire(site) as wire,
        Directories([box / part for part in maildirs.PARTS], CREATED | MOVED_HERE) as directories,
    ):
        post.proxy.reset()  # what the ear has said does not count
        samples = []
        for letter in letters(next(_seeds), [SIZE] * count):
            time.sleep(rng.uniform(*BETWEEN))
            ear.forget()
            directories.take()
            samples.append(_arrival(ear, wire, directories, letter))
        return samples


def _arrival(ear: Ear, wire: Wire, directories: Directories, letter: Letter) -> Sample:
    identity = maildirs.IDENTITY.search(letter.octets)
    announced = arrived = None
    begun = time.monotonic()
    wire.append("INBOX", [letter])
    while (announced is None or arrived is None) and (left := begun + DEADLINE - time.monotonic()) > 0:
        heard: list[Ear | Directories] = [ear, directories]
        ready, _, _ = select.select(heard, [], [], left)
        if ear in ready and announced is None:
            announced = ear.arrival()
        elif ear in ready:
            ear.forget()
        if directories in ready:
            for happened in directories.take():
                if arrived is None and identity and _holds(os.fspath(happened.directory / happened.name), identity[1]):
                    arrived = happened.at
    return Sample(arrived and arrived - begun, announced and announced - begun)


def _holds(path: str, identity: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            found = maildirs.IDENTITY.search(file.read(SIZE))
    except FileNotFoundError:  # it got another name since
        return False
    return found is not None and found[1] == identity


def flags(scene: Scene, post: Post, count: int, rng: random.Random) -> list[Sample]:
    """Messages that are read in the Maildir (INBOX), until each one's flag is on the server.

    The server writes a flag down before it answers, and is asked whether it is there each time that it wrote.
    """
    site = post.site
    near, far = Near(site.mail), Far(lambda: scene.wire(site))
    files = {identity: path for identity, path in near.files("INBOX") if "S" not in maildirs.flags_of(path.name)}
    written = scene.stage.server.dovecot.mail(site.user) / "mailboxes" / "INBOX" / "dbox-Mails"
    with far.connect() as wire, Directories([written], MODIFIED) as directories:
        uids = {identity: uid for uid, (identity, _) in far.messages(wire, "INBOX").items()}
        wire.ask("EXAMINE INBOX")
        samples = []
        for identity in rng.sample(sorted(files), min(count, len(files))):
            time.sleep(rng.uniform(*BETWEEN))
            path = files[identity]
            directories.take()
            begun = time.monotonic()
            os.rename(path, path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,{_seen(path.name)}")
            at = _written(directories, partial(_is_seen, wire, uids[identity]), begun + DEADLINE)
            samples.append(Sample(at and at - begun))
        return samples


def _seen(name: str) -> str:
    return "".join(sorted({*maildirs.flags_of(name), "S"}))


def _is_seen(wire: Wire, uid: int) -> bool:
    said = wire.ask("NOOP", f"UID FETCH {uid} (FLAGS)")
    return b"\\Seen" in said.rpartition(b"FETCH (UID %d" % uid)[2]


def _written(directories: Directories, is_there: Callable[[], bool], deadline: float) -> float | None:
    """The time of the event after which it was there; None if it never was."""
    while (now := time.monotonic()) < deadline:
        happened = directories.wait(min(GLANCE, deadline - now))
        if is_there():
            return happened[-1].at if happened else time.monotonic()
    return None
