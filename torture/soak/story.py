"""What happened when: all of it in a file, what matters on the terminal as well."""

import time
from pathlib import Path
from typing import Self


class Story:
    """Every line with the seconds since the beginning."""

    def __init__(self, path: Path) -> None:
        """Written to `path`."""
        self.path = path
        self.began = time.monotonic()
        self._file = path.open("w", buffering=1)

    def __enter__(self) -> Self:
        """It is open already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._file.close()

    def at(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def write(self, line: str) -> None:
        """For who reads the file."""
        self._file.write(f"{self.at():8.1f}  {line}\n")

    def tell(self, line: str) -> None:
        """For who watches."""
        self.write(line)
        print(f"{self.at():8.1f}  {line}", flush=True)
