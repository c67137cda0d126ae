"""Random two-sided histories against real servers: nothing lost, nothing doubled, flags merged, then quiet.

`SYNCER_HISTORIES` in the environment multiplies how many are played (1 plays 200 on Dovecot and 50 on each other).
"""

import os
import random
import zlib
from collections.abc import Callable

import pytest
from e2e.history import History
from e2e.world import World

SCALE = float(os.environ.get("SYNCER_HISTORIES", "1"))
GROUP = 10
"""Histories in one test, so that workers can share them evenly."""


def groups(full: int) -> list[range]:
    """The seeds of `full` histories, scaled."""
    wanted = max(1, round(full * SCALE))
    return [range(first, min(first + GROUP, wanted)) for first in range(0, wanted, GROUP)]


def cases() -> list[object]:
    """One for each server and group of seeds."""
    return [
        pytest.param(server, seeds, marks=getattr(pytest.mark, server), id=f"{server}-{seeds.start}-{seeds.stop - 1}")
        for server, full in (("dovecot", 200), ("cyrus", 50), ("courier", 50))
        for seeds in groups(full)
    ]


@pytest.mark.parametrize(("server", "seeds"), cases())
def test_a_history_of_both_sides_ends_with_both_the_same(
    server: str, seeds: range, request: pytest.FixtureRequest, world_on: Callable[..., World]
) -> None:
    running = request.getfixturevalue(server)
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
