"""L4: what it costs to stay while nothing happens. All watchers are looked at in the same minutes.

Once a second it is noted what each has used, how often its threads have woken, and whether anything passed the proxy:
a wake-up near which nothing passed was not the server's doing, nor that of keeping the connection alive.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.watching.running import Effort, passed
from bench.watching.scene import Post


@dataclass(frozen=True, slots=True)
class Second:
    """What happened since the look before."""

    octets: int
    wakeups: int
    rss: int


def idle(posts: Sequence[Post], seconds: float) -> list[dict[str, Any]]:
    """Look at them for so long; the figures of each.

    Raises:
        RuntimeError: one of them has ended meanwhile.
    """
    before: list[tuple[Effort, int]] = [(post.running.effort(), passed(post.proxy)) for post in posts]
    first = [effort for effort, _ in before]
    looked: list[list[Second]] = [[] for _ in posts]
    begun = time.monotonic()
    for number in range(1, round(seconds) + 1):
        time.sleep(max(0.0, begun + number - time.monotonic()))
        for place, post in enumerate(posts):
            effort, octets = post.running.effort(), passed(post.proxy)
            old, old_octets = before[place]
            looked[place].append(Second(octets - old_octets, effort.wakeups_since(old), effort.rss))
            before[place] = effort, octets
    for post in posts:
        if (status := post.running.status()) is not None:
            raise RuntimeError(f"it ended with status {status}: {post.running.said()}")
    return [
        {
            "seconds": time.monotonic() - begun,
            "cpu": before[place][0].cpu - first[place].cpu,
            "rss": max(second.rss for second in looked[place]),
            "wakeups": sum(second.wakeups for second in looked[place]),
            "lone_wakeups": lone_wakeups(looked[place]),
            "threads": len(before[place][0].switches),
            "octets": sum(second.octets for second in looked[place]),
            "commands": post.proxy.count(timeout=0)["commands"],
        }
        for place, post in enumerate(posts)
    ]


def lone_wakeups(seconds: Sequence[Second]) -> int:
    """Wake-ups in seconds in which nothing passed, nor in the ones before and after."""
    busy = {near for number, second in enumerate(seconds) if second.octets for near in (number - 1, number, number + 1)}
    return sum(second.wakeups for number, second in enumerate(seconds) if number not in busy)
