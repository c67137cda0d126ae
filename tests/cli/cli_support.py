"""What the tests of the commands share."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str
