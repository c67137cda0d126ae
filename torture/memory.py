"""How much memory a case takes at most: the kernel's high-water mark of this process (Linux; elsewhere 0 is told)."""

import gc
import re
from pathlib import Path
from typing import Self

_SELF = Path("/proc/self")


class Growth:
    """Use it with `with`; afterwards `octets` says by how much more than before was resident at most."""

    def __init__(self, *, watch: bool = True) -> None:
        """Without `watch` nothing is measured: it takes longer than a small case."""
        self.octets = 0
        self._watch = watch and (_SELF / "clear_refs").exists()
        self._before = 0

    def __enter__(self) -> Self:
        """Begin."""
        if self._watch:
            gc.collect()
            (_SELF / "clear_refs").write_text("5")  # proc(5): the mark begins anew
            self._before = _status("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        """Look."""
        if self._watch:
            self.octets = max(0, _status("VmHWM") - self._before)


def _status(name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+) kB$", (_SELF / "status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024
