"""What is done to `syncer` to make it lose a message: `python -m torture --help`."""

import pathlib
import sys
from typing import Final

TOP: Final = pathlib.Path(__file__).resolve().parent.parent
"""The checkout that is tried."""

if str(TOP / "tests") not in sys.path:
    sys.path.append(str(TOP / "tests"))  # the servers, the other mail program and the oracle are those of the tests
