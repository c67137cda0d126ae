"""What all our values are made of: msgspec's `Struct`, a class made and filled in C, with its `field` and `replace`.

Making a class of this kind costs 11 µs where a dataclass takes 440, and an instance a seventh. Start-up is most of what
a run takes that finds nothing to do, so this also keeps msgspec from loading `typing_extensions`, and `inspect` with it
(7 ms): from Python 3.11 on it finds everything it wants in `typing`.
"""

import sys

_ABSENT = "typing_extensions" not in sys.modules

if _ABSENT:
    sys.modules["typing_extensions"] = None  # type: ignore[assignment] # the import system's "not there"

from msgspec import Struct, field  # noqa: E402 - the lines above are what this module is for
from msgspec.structs import replace  # noqa: E402 - as above

if _ABSENT:
    del sys.modules["typing_extensions"]

__all__ = ["Struct", "field", "replace"]
