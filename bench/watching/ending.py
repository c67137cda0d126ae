"""L6: SIGTERM at random moments: while the program starts, while it idles, and in the midst of work on both sides.

After each end one `syncer sync` brings both sides together. It has to succeed, both sides have to hold what they
should, and a second one has to find nothing to do.
"""

import json
import random
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bench.contenders import Site, Syncer
from bench.measure import environment
from bench.watching.books import difference
from bench.watching.edits import Amount, Editors
from bench.watching.running import Running
from bench.watching.scene import REST, Scene
from bench.watching.sides import Far, Near

MAILBOXES: Final = 4
HERE: Final = Amount(flags=150, new=15, moves=15)
THERE: Final = Amount(flags=60, new=40, moves=10, expunged=10)
KINDS: Final = ("work", "idle", "work", "start")
WITHIN: Final = {"work": 1.0, "idle": 1.0, "start": 0.5}
"""Seconds within which the signal comes: after the edits, after it was at rest, after its start."""
PATIENCE: Final = 60.0
ENDED: Final = 128 + 15
BY_THE_SIGNAL: Final = -15
"""Also right at the start, where nothing was begun."""


def endings(scene: Scene, rtt: int, count: int, rng: random.Random) -> dict[str, Any]:
    """End it so many times; how long each end took, and what was amiss afterwards."""
    site, proxy = scene.settled(rtt), scene.proxy(rtt)
    near, far = Near(site.mail), Far(lambda: scene.wire(site))
    before = near.read(scene.mailboxes)
    editors = Editors(near, far, scene.mailboxes[:MAILBOXES], rng)
    ends: list[dict[str, Any]] = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        with scene.start(site) as running:
            if kind != "start":
                running.settle(proxy, seconds=REST, limit=scene.limit)
            if kind == "work":
                editors.here(HERE)
                editors.there(THERE)
            moment = rng.uniform(0, WITHIN[kind])
            time.sleep(moment)
            ends.append({"kind": kind, "moment": moment, **_ended(running, kind)})
        ends[-1]["amiss"] += list(_afterwards(site, editors))
        editors.settled()
    want = before | editors.want
    whole = [
        f"{side}: {found}"
        for side, books in (("Maildir", near.read(scene.mailboxes)), ("server", far.read(scene.mailboxes)))
        if not (found := difference(want, books)).nothing
    ]
    return {
        "ends": ends,
        "slowest": max(end["seconds"] for end in ends),
        "amiss": sum(bool(end["amiss"]) for end in ends) + len(whole),
        "whole": whole,
    }


def _ended(running: Running, kind: str) -> dict[str, Any]:
    begun = time.monotonic()
    running.terminate()
    status = running.status(PATIENCE)
    right = {ENDED, BY_THE_SIGNAL} if kind == "start" else {ENDED}
    amiss = [] if status in right else [f"status {status}: {running.said()}"]
    return {"seconds": time.monotonic() - begun, "status": status, "amiss": amiss}


def _afterwards(site: Site, editors: Editors) -> Iterator[str]:
    """What is wrong after two passes."""
    for number in ("first", "second"):
        ended = subprocess.run(
            [*Syncer().command(site), "--json"],
            check=False,
            cwd=site.directory,
            env=environment(site.directory),
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            yield f"{number} sync: status {ended.returncode}: {ended.stderr[-400:]}"
        elif number == "second" and (done := changes(json.loads(ended.stdout))):
            yield f"second sync: {done}"
    for side, books in (("Maildir", editors.near), ("server", editors.far)):
        if not (found := difference(editors.want, books.read(editors.mailboxes))).nothing:
            yield f"{side}: {found}"


def changes(report: Mapping[str, Any]) -> dict[str, int]:
    """What `sync --json` says that it has changed, summed over all mailboxes; what is nothing is left out."""
    done: dict[str, int] = {}
    for account in report["accounts"]:
        for mailbox in account["mailboxes"]:
            for name, value in mailbox.items():
                if isinstance(value, int) and not isinstance(value, bool) and value:
                    done[name] = done.get(name, 0) + value
    return done
