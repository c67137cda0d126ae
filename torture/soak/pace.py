"""PURE: how fast the persons work: bursts, quick and slow times, and pauses."""

import random
from collections.abc import Iterator


def gaps(rng: random.Random) -> Iterator[float]:
    """Seconds before the next edit, and the next, without end; nobody begins with a pause."""
    yield 0.0
    while True:
        mood = rng.choice(("burst", "quick", "quick", "slow", "pause"))
        if mood == "burst":
            yield from [0.0] * rng.randint(20, 120)
        elif mood == "quick":
            for _ in range(rng.randint(10, 60)):
                yield rng.uniform(0.05, 0.5)
        elif mood == "slow":
            for _ in range(rng.randint(2, 6)):
                yield rng.uniform(1.0, 3.0)
        else:
            yield rng.uniform(3.0, 10.0)
