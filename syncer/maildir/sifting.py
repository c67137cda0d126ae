"""Of a mailbox's directories only what is not as the index expects, at the speed of two sets.

The index says which file names there should be; what the directories have beyond those is looked at, and what they
lack is named. A hundred thousand messages as expected cost one listing and no look at any of them.

What is expected of a pair is its unique name with the letters of its flags in `cur/`. One without flags may as well be
in `new/` under its unique name alone.
"""

import os
import stat
from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from itertools import filterfalse

from syncer.maildir import scan
from syncer.maildir.filename import split, with_delta
from syncer.maildir.keywords import Table
from syncer.maildir.scan import DOT, Reading
from syncer.maildir.state import CUR, NEW
from syncer.reconcile.flags import FlagDelta, Flags
from syncer.reconcile.observations import Letters

NO_FLAGS = ":2,"
_NO_FLAGS = NO_FLAGS.encode()
_INFOS = (b":2,", b":1,")
NOWHERE = ":2,\0"
"""Behind a name that no file can have. (A `/` would be another: the index joins names with that.)"""


def take_names(path: bytes, sub: bytes, reading: Reading) -> None:
    """For `scan.read`: what is in a directory is looked at later, by `sift`."""
    reading.names[sub] = os.listdir(path)


def sift(directory: bytes, reading: Reading, expected: AbstractSet[bytes], infos: Collection[str]) -> None:
    """Put what is not as `expected` into the reading, and what is lacking into its `absent`.

    `infos` is what the expected names may end in.
    """
    in_cur = reading.names.get(CUR, ())
    in_new = reading.names.get(NEW, ())
    odd = set(filterfalse(expected.__contains__, in_cur))
    lacking = set(expected)
    lacking.difference_update(in_cur)
    still_new = lacking.intersection([raw + _NO_FLAGS for raw in _without_info(in_new)])
    odd_in_new = [] if len(still_new) == len(in_new) else [raw for raw in in_new if raw + _NO_FLAGS not in still_new]
    lacking -= still_new
    reading.absent = {split(raw.decode("utf-8", "surrogateescape"))[0] for raw in lacking}
    for sub, names in ((NEW, odd_in_new), (CUR, odd)):
        _look_at(os.path.join(directory, sub), sub, names, reading)
    for unique in list(reading.files):
        name = unique.encode("utf-8", "surrogateescape")
        if name + _NO_FLAGS in still_new:
            reading.add(NEW, name, counts=True)
        for raw in (name + info.encode() for info in infos):
            if raw in expected and raw not in lacking and raw not in still_new:
                reading.add(CUR, raw, counts=True)
    reading.absent -= reading.files.keys()


def _without_info(names: Collection[bytes]) -> Collection[bytes]:
    """The names in which no flags are told; nearly always all of them, which one look at all together shows."""
    together = b"/".join(names)
    if not any(info in together for info in _INFOS):
        return names
    return [raw for raw in names if not any(info in raw for info in _INFOS)]


def _look_at(path: bytes, sub: bytes, names: Collection[bytes], reading: Reading) -> None:
    odd = []
    for raw in names:
        if raw[0] == DOT:
            continue
        if _is_message(os.path.join(path, raw)):
            reading.add(sub, raw)
        else:
            odd.append(raw)
    scan.note_odd(path, odd, reading)


def _is_message(path: bytes) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return True  # renamed meanwhile: it was a name in the listing


def speller(table: Table, letters: Letters, infos: set[str]) -> Callable[[Flags], str]:
    """What stands behind the unique name of a file that has these flags; collected in `infos`.

    Where a letter changed its meaning, what a name with it says has to be found out one by one.
    """

    def spell(flags: Flags) -> str:
        if flags & letters.doubted:
            return NOWHERE
        info = with_delta("", FlagDelta(add=flags), table.mapping) or NO_FLAGS
        infos.add(info)
        return info

    return spell
