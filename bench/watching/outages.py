"""L5: the server is killed and started again, or the connection becomes a black hole, while both sides are edited.

It begins while the program is at work on edits that were made just before. After its end the time runs until the server
holds everything that was done in the Maildir, and the Maildir everything that was done on the server. At last every
message of the account is looked at on both sides.
"""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from servers.base import descendants
from servers.dovecot import Dovecot

from bench.watching.books import Books, difference
from bench.watching.edits import Amount, Editors
from bench.watching.scene import Post, Scene
from bench.watching.sides import Far, Near

MAILBOXES: Final = 4
HERE: Final = Amount(flags=20, new=5, moves=5)
THERE: Final = Amount(flags=20, new=5, moves=5, expunged=5)
ROUNDS: Final = 3
"""So often is edited while it lasts."""
BEGINS: Final = (0.0, 1.0)
"""Seconds after the edits before."""
DEADLINE: Final = 120.0
LOOK: Final = 0.1
"""Seconds between two looks at whether a side is equal."""


def killed(scene: Scene, post: Post, seconds: float, rng: random.Random) -> dict[str, Any]:
    """The server is killed, and away for so long. Meanwhile only the Maildir can be edited."""
    dovecot = scene.stage.server.dovecot

    @contextmanager
    def away() -> Iterator[None]:
        kill(dovecot)
        try:
            yield
        finally:
            dovecot.start()

    return _outage("killed", scene, post, away, seconds, rng, reachable=False)


def black_hole(scene: Scene, post: Post, seconds: float, rng: random.Random) -> dict[str, Any]:
    """The proxy passes nothing on for so long, and closes nothing. The server itself can be reached by others."""

    @contextmanager
    def held() -> Iterator[None]:
        post.proxy.hold()
        try:
            yield
        finally:
            post.proxy.release()

    return _outage("black hole", scene, post, held, seconds, rng, reachable=True)


def _outage(
    name: str,
    scene: Scene,
    post: Post,
    outage: Callable[[], contextlib.AbstractContextManager[None]],
    seconds: float,
    rng: random.Random,
    *,
    reachable: bool,
) -> dict[str, Any]:
    near, far = Near(post.site.mail), Far(lambda: scene.wire(post.site))
    before = near.read(scene.mailboxes)
    editors = Editors(near, far, scene.mailboxes[:MAILBOXES], rng)
    _edit(editors, there=True)
    time.sleep(rng.uniform(*BEGINS))
    with outage():
        for _ in range(ROUNDS):
            time.sleep(seconds / (ROUNDS + 1))
            _edit(editors, there=reachable)
        time.sleep(seconds / (ROUNDS + 1))
    over = time.monotonic()
    if not reachable:
        editors.there(THERE)
    equal = until_equal(editors, DEADLINE)
    want = before | editors.want
    amiss = {side: difference(want, found) for side, found in _both(near, far, scene).items()}
    return {
        "outage": name,
        "lasted": seconds,
        "far_equal": None if equal["far"] is None else equal["far"] - over,
        "near_equal": None if equal["near"] is None else equal["near"] - over,
        "amiss": sum(len(each.lost) + len(each.doubled) + len(each.wrong) for each in amiss.values()),
        "told": {side: str(each) for side, each in amiss.items()},
        "said": post.running.said(),
    }


def _edit(editors: Editors, *, there: bool) -> None:
    editors.here(HERE)
    if there:
        editors.there(THERE)


def until_equal(editors: Editors, seconds: float) -> dict[str, float | None]:
    """When each side was first seen to hold all that it should; None where it did not within so many seconds."""
    sides: dict[str, Near | Far] = {"near": editors.near, "far": editors.far}
    found: dict[str, float | None] = dict.fromkeys(sides)
    signs: dict[str, object] = {}
    end = time.monotonic() + seconds
    while None in found.values() and time.monotonic() < end:
        for name, side in sides.items():
            sign = side.sign(editors.mailboxes)
            if found[name] is not None or signs.get(name) == sign:
                continue
            at, signs[name] = time.monotonic(), sign
            if difference(editors.want, side.read(editors.mailboxes)).nothing:
                found[name] = at
        time.sleep(LOOK)
    return found


def _both(near: Near, far: Far, scene: Scene) -> dict[str, Books]:
    return {"in the Maildir": near.read(scene.mailboxes), "on the server": far.read(scene.mailboxes)}


def kill(dovecot: Dovecot) -> None:
    """SIGKILL to the server and all that it has started."""
    assert dovecot.process is not None
    for pid in (dovecot.process.pid, *descendants(dovecot.process.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    dovecot.process.wait()
    dovecot.process = None
