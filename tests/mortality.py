"""How a process dies in a test: at its n-th effect, before or after it took place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone. Not an Exception: nothing may catch it."""


@dataclass
class Mortality:
    """Counts effects and kills at one of them. The fakes of one world share it."""

    at: int = 0
    """The effect to die at, counted from 1; 0 is never."""
    before: bool = False
    seen: int = 0

    def effect(self, do: Callable[[], T]) -> T:
        self.seen += 1
        if self.seen == self.at and self.before:
            raise Killed
        result = do()
        if self.seen == self.at:
            raise Killed
        return result
