"""A message that fails again and again is parked: tried less and less often, and it costs the others nothing. Pure."""

from syncer.values import Struct

FREE = 3
"""So many failures have no consequences: what was wrong is often over by the next sync."""
FIRST, LONGEST = 5 * 60, 6 * 60 * 60
"""Seconds to wait after the next failure, twice as long after each further one, and at most."""


class Parked(Struct, frozen=True):
    """A message that is not to be tried yet."""

    reason: str
    """What went wrong the last time, for people."""
    failures: int
    until: int
    """Seconds since the epoch."""

    def told(self, now: int) -> str:
        """The reason, and when it is tried again."""
        minutes = (self.until - now) // 60 + 1
        when = f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
        return f"{self.reason} (parked after {self.failures} failures: tried again in {when}, or by sync --full)"


def pause(failures: int) -> int:
    """How many seconds to leave a message alone after so many failures in a row."""
    doubled = min(failures - FREE - 1, 16)
    return 0 if failures <= FREE else min(FIRST * 2**doubled, LONGEST)
