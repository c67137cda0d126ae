"""What all our values are made of: msgspec's `Struct`, a class made and filled in C, with its `field` and `replace`.

Making a class of this kind costs 11 µs where a dataclass takes 440, and an instance a seventh. Start-up is most of what
a run takes that finds nothing to do, so this also keeps msgspec from loading

- `typing_extensions`, and `inspect` with it (7 ms): from Python 3.11 on it finds everything it wants in `typing`;
- `platform` (1 ms), of which `uuid`, that it wants, asks only what the operating system is called.
"""

import sys
from types import ModuleType
from typing import Any

_system: Any = ModuleType("platform")
_system.system = sys.platform.capitalize
_stand_ins: dict[str, Any] = {"typing_extensions": None, "platform": _system}
_stand_ins = {name: module for name, module in _stand_ins.items() if name not in sys.modules}

sys.modules.update(_stand_ins)  # None is the import system's "not there"

from msgspec import Struct, field  # noqa: E402 - the lines above are what this module is for
from msgspec.structs import replace  # noqa: E402 - as above

for _name in _stand_ins:
    del sys.modules[_name]

__all__ = ["Struct", "field", "replace"]
