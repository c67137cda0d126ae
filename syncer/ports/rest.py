"""How a program that stays pauses after a failure, and what ends the pause early."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

Hope = Literal["network", "person"]
"""That what has failed works now: the network is another one, or, which is stronger, a person wants it tried again."""
STRONGER: Final[Mapping[Hope, tuple[Hope, ...]]] = {"network": ("network",), "person": ("network", "person")}
"""What somebody waits for who is told of such a hope."""
Rest = Callable[[float, Hope], bool]
"""Pauses for so many seconds, or until there is hope of this kind or a stronger one: then it returns True."""
