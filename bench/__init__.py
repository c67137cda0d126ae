"""A benchmark of syncer beside mbsync and offlineimap3, on a Dovecot of its own: `python -m bench --help`."""

import pathlib
import sys
from typing import Final

TOP: Final = pathlib.Path(__file__).resolve().parent.parent
"""The checkout that is measured."""

if str(TOP / "tests") not in sys.path:
    sys.path.append(str(TOP / "tests"))  # the server and the words of the messages are those of the tests
