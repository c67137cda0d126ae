"""Many histories to a case: a single one is over sooner than a directory for it is made and removed."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class History(Protocol):
    """A number is always the same history."""

    @property
    def counted(self) -> Mapping[str, int]:
        """What happened in it, and how often."""

    def play(self) -> None:
        """Raises AssertionError, with the story, if it does not hold."""


@dataclass(slots=True)
class Together:
    """Cases of `size` histories each."""

    history: Callable[[int], History]
    size: int
    total: int | None = None

    def play(self, number: int, place: Path) -> Mapping[str, int]:
        """Play them all, also where one fails."""
        counted: Counter[str] = Counter()
        failed = []
        for each in range(number * self.size, (number + 1) * self.size):
            history = self.history(each)
            try:
                history.play()
            except AssertionError as error:
                failed.append(f"history {each}: {error}")
            counted["histories"] += 1
            counted.update(history.counted)
        assert not failed, "\n\n".join(failed)
        return counted
