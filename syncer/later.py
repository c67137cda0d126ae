"""Modules that are loaded when something of them is first used.

A program that runs every few minutes and mostly finds nothing to do spends its time on loading what it does not use.
For the type checker the module is imported as usual:

    if TYPE_CHECKING:
        from syncer.maildir import reading
    else:
        reading = Later("syncer.maildir.reading")
"""

from importlib import import_module
from types import ModuleType
from typing import Any


class Later:
    """Stands for a module."""

    def __init__(self, name: str) -> None:
        """`name` is the module's whole name."""
        self._name = name
        self._module: ModuleType | None = None

    def __getattr__(self, attribute: str) -> Any:
        """What the module has under that name; loads it if need be."""
        if self._module is None:
            self._module = import_module(self._name)
        return getattr(self._module, attribute)
