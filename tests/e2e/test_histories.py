"""Random two-sided histories against real servers: nothing lost, nothing doubled, flags merged, then quiet.

`SYNCER_HISTORIES` in the environment multiplies how many are played (1 plays 200 on Dovecot, 50 on each other server,
and 20 on each lower rung of the ladder). Each has one connection or three.
"""

import os
import random
import zlib
from collections.abc import Callable

import pytest
from e2e.costs import CONDSTORE, PLAIN, STATUS
from e2e.history import History
from e2e.world import World
from servers.base import Server

SCALE = float(os.environ.get("SYNCER_HISTORIES", "1"))
GROUP = 10
"""Histories in one test, so that workers can share them evenly."""


def groups(full: int) -> list[range]:
    """The seeds of `full` histories, scaled."""
    wanted = max(1, round(full * SCALE))
    return [range(first, min(first + GROUP, wanted)) for first in range(0, wanted, GROUP)]


def cases() -> list[object]:
    """One for each server (see `e2e.costs`) and group of seeds."""
    played = {"dovecot": 200, "cyrus": 50, "courier": 50, CONDSTORE: 20, PLAIN: 20, STATUS: 20}
    return [
        pytest.param(
            server,
            seeds,
            marks=getattr(pytest.mark, server.partition("-")[0]),
            id=f"{server}-{seeds.start}-{seeds.stop - 1}",
        )
        for server, full in played.items()
        for seeds in groups(full)
    ]


@pytest.mark.parametrize(("server", "seeds"), cases())
def test_a_history_of_both_sides_ends_with_both_the_same(
    server: str, seeds: range, server_named: Callable[[str], Server], world_on: Callable[..., World]
) -> None:
    running = server_named(server)
    for seed in seeds:
        rng = random.Random(zlib.crc32(f"{server} {seed}".encode()))
        everything = seed % 3 == 2
        world = world_on(
            running,
            here=True,
            layout=rng.choice(["fs", "maildir++"]),
            mailbox_changes="all" if everything else "create",
            connections=rng.choice([1, 3]),
        )
        history = History(world, rng, mailbox_changes=everything)
        try:
            history.play(rounds=rng.randint(3, 5))
        except AssertionError as error:
            pytest.fail(f"{server}, seed {seed} ({world.settings['layout']}): {error}", pytrace=False)
