"""PURE: a server that asks to be left alone for a while, which no response code says: what is known are words.

Exchange answers NO or BAD and tells the time (`Request is throttled. Suggested Backoff Time: 299961 milliseconds`),
Gmail ends the session (`Account exceeded command or bandwidth limits`), Yahoo refuses the log-in (`[LIMIT] LOGIN Rate
limit hit`). RFC 5530's LIMIT and OVERQUOTA alone say something else: that a number or a size is too large.
"""

import re
from typing import Final

UNTOLD: Final = 900.0
"""Seconds to wait for a server that does not tell how long."""
LONGEST: Final = 14_400.0
"""Seconds that a server can ask for at once."""

_ASKS = re.compile(r"throttl|bandwidth limit|rate limit|too many requests", re.IGNORECASE)
_TIME = re.compile(r"back-?off time\D{0,5}(\d{1,12}) *(milliseconds|ms|seconds|s)\b", re.IGNORECASE)


def pause_in(words: str) -> float | None:
    """For how many seconds the words of a NO, BAD or BYE ask us to wait; None if they say something else."""
    if not _ASKS.search(words):
        return None
    told = _TIME.search(words)
    if told is None:
        return UNTOLD
    seconds = int(told[1]) / (1000 if told[2].lower().startswith("m") else 1)
    return min(LONGEST, max(1.0, seconds))
