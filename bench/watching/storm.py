"""L3: thousands of flags at once in several mailboxes of the Maildir, until the server has all of them."""

import os
import pathlib
import random
import time
from collections import Counter
from typing import Any, Final

from bench import maildirs
from bench.watching.inotify import MODIFIED, Directories
from bench.watching.scene import Post, Scene
from bench.wire import State

MAILBOXES: Final = 8
QUIET: Final = 1.5
"""Seconds in which the server wrote nothing down; then it is asked what it has."""
DEADLINE: Final = 120.0


def storm(scene: Scene, post: Post, count: int, rng: random.Random) -> dict[str, Any]:
    """Rename so many files as fast as it goes; what it took in seconds and commands, and how many flags are missing."""
    mailboxes = scene.mailboxes[:MAILBOXES]
    renames = [pair for mailbox in mailboxes for pair in _renames(post.site.mail / mailbox)]
    rng.shuffle(renames)
    store = scene.stage.server.dovecot.mail(post.site.user) / "mailboxes"
    places = [store / mailbox / "dbox-Mails" for mailbox in mailboxes]
    with Directories(places, MODIFIED) as directories:
        begun = time.monotonic()
        for old, new in renames[:count]:
            os.rename(old, new)
        renamed = time.monotonic()
        want = maildirs.state(post.site.mail)
        written = renamed
        missing = 1
        while missing and time.monotonic() < begun + DEADLINE:
            while happened := directories.wait(QUIET):
                written = happened[-1].at
            missing = lacking(want, scene.stage.server_state(post.site.user))
    commands = post.proxy.count(timeout=0)["commands"]
    return {
        "renames": min(count, len(renames)),
        "renamed": renamed - begun,
        "seconds": written - begun,
        "commands": sum(commands.values()),
        "by_name": commands,
        "missed": missing,
    }


def lacking(want: State, have: State) -> int:
    """How many messages of `want` are not in `have` with their flags."""
    return sum((flags - have.get(mailbox, Counter())).total() for mailbox, flags in want.items())


def _renames(box: pathlib.Path) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """For each message that can get another flag, its file and what it will be: read if it is not, else with a star."""
    found = []
    for part in maildirs.PARTS:
        for name in os.listdir(box / part):
            flags = maildirs.flags_of(name)
            if not {"S", "F"} <= set(flags):
                added = "".join(sorted({*flags, "F" if "S" in flags else "S"}))
                found.append((box / part / name, box / "cur" / f"{name.partition(':')[0]}:2,{added}"))
    return found
