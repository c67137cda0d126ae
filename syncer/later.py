"""Modules that are loaded, and regular expressions that are compiled, when something of them is first used.

A program that runs every few minutes and mostly finds nothing to do spends its time on loading what it does not use.
For the type checker the module is imported as usual:

    if TYPE_CHECKING:
        from syncer.maildir import reading
    else:
        reading = Later("syncer.maildir.reading")
"""

import re
from importlib import import_module
from types import ModuleType
from typing import Any, AnyStr, cast


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


def later(pattern: AnyStr, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[AnyStr]:
    """As `re.compile`, for a pattern that most runs do not need. One that cannot be compiled shows when it is used."""
    return cast("re.Pattern[AnyStr]", _Pattern(pattern, flags))


class _Pattern:
    """Stands for a compiled pattern."""

    def __init__(self, pattern: Any, flags: re.RegexFlag) -> None:
        self._pattern, self._flags = pattern, flags

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(re.compile(self._pattern, self._flags), attribute)
        setattr(self, attribute, found)
        return found
