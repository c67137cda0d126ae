"""Candidates for a counterpart, each of which can be taken once. Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """Candidates by what they are recognised by. Each can be taken once."""

    def __init__(self, candidates: Iterable[tuple[Hashable, T]]) -> None:
        self._waiting: dict[Hashable, list[T]] = defaultdict(list)
        for key, candidate in candidates:
            self._waiting[key].append(candidate)

    def take(self, key: Hashable, allowed: Callable[[T], bool] | None = None) -> T | None:
        """Remove and return the first candidate with this key that is `allowed`, if there is one."""
        waiting = self._waiting.get(key, [])
        for position, candidate in enumerate(waiting):
            if allowed is None or allowed(candidate):
                return waiting.pop(position)
        return None
