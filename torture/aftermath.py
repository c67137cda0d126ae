"""What of a disk may be found after the power was lost. Pure; chance is an argument.

Certain is what POSIX promises, and no more: the octets of a file that was flushed, the names in a directory that was
flushed, and everything before a flush of the whole file system. Flushing a new file does not make its name durable,
though ext4 would. Of everything else any part may be there:

- A change of names (creating, linking, renaming, removing) is there as a whole or not at all, so a rename is atomic. It
  is not there without the earlier changes of the same name, and a directory is not removed before what was in it.
  Otherwise changes come in any order, or (`Weather.in_order`) as a journal writes them: all up to some moment.
- What was written to a file may be there or not, sector by sector or page by page, each as it was at some moment since
  the last flush. The file's length is that of some moment as well; what is missing below it is zeros.
"""

import random
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field

from torture.disk import ROOT, Data, Dated, Disk, Effect, File, Flush, Length, Names, Tree, give

UNITS = (512, 4096)
"""What a disk writes as a whole: a sector, or a page."""

Numbered = list[tuple[int, Names]]
Change = Data | Length | Dated


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad it is."""

    lost: float
    """The chance of everything that may be lost; 0: the program was only killed, 1: only what is certain is left."""
    in_order: bool
    """Names are lost from the end only."""

    @classmethod
    def any(cls, rng: random.Random) -> "Weather":
        """From a mere kill to the loss of everything that may be lost."""
        return cls(rng.choice((0.0, 0.1, 0.5, 0.9, 1.0, 1.0)), rng.random() < 0.4)


@dataclass(frozen=True, slots=True)
class Found:
    """What is found, and in words which changes of names are not."""

    tree: Tree
    lost: tuple[str, ...] = ()


@dataclass(slots=True)
class Reach:
    """Up to which effect everything, the content of each file or directory, and its date have been flushed."""

    everything: int = 0
    content: dict[int, int] = field(default_factory=dict)
    dates: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, log: Iterable[Effect]) -> "Reach":
        """What the flushes among these cover."""
        reach = cls()
        for effect in log:
            if not isinstance(effect, Flush):
                continue
            if effect.inode is None:
                reach.everything = max(reach.everything, effect.began)
                continue
            for covered in (reach.content, *([reach.dates] if effect.dates else [])):
                covered[effect.inode] = max(covered.get(effect.inode, 0), effect.began)
        return reach

    def covers(self, number: int, effect: Names | Change) -> bool:
        """Whether effect `number` is certain."""
        match effect:
            case Names(entries=entries):
                flushed = max(self.content.get(directory, 0) for directory, _, _ in entries)
            case Dated(inode=inode):
                flushed = self.dates.get(inode, 0)
            case Data(inode=inode) | Length(inode=inode):
                flushed = self.content.get(inode, 0)
        return number < max(self.everything, flushed)


def now(disk: Disk) -> Tree:
    """The tree as every program sees it."""
    return after_power_loss(disk, len(disk.log), Weather(0, in_order=True), random.Random(0)).tree


def after_power_loss(disk: Disk, position: int, weather: Weather, rng: random.Random) -> Found:
    """The tree as it may be found if only `disk.log[:position]` was done when the power went."""
    log = disk.log[:position]
    reach = Reach.of(log)
    names = [(number, effect) for number, effect in enumerate(log) if isinstance(effect, Names)]
    kept = (_in_order if weather.in_order else _in_any_order)(names, reach, weather.lost, rng)
    directories = {number: dict(begin) for number, begin in disk.begin.items()}
    for number, effect in names:
        for directory, name, whose in effect.entries if number in kept else ():
            give(directories.setdefault(directory, {}), name, whose)
    changes: dict[int, list[tuple[bool, Change]]] = {}
    for number, change in enumerate(log):
        if isinstance(change, Change):
            changes.setdefault(change.inode, []).append((reach.covers(number, change), change))
    files: dict[int, File] = {}

    def file(inode: int) -> File:
        if inode not in files:
            first = disk.first.get(inode, File(inode, b"", None))
            files[inode] = _file(first, changes.get(inode, []), weather.lost, rng)
        return files[inode]

    lost = tuple(effect.said for number, effect in names if number not in kept)
    return Found(_walk(directories, disk.directories.keys(), file), lost)


def _in_order(names: Numbered, reach: Reach, lost: float, rng: random.Random) -> set[int]:
    """Which changes of names are there if they were written in the order in which they were made."""
    numbers = [number for number, _ in names]
    least = max((index + 1 for index, name in enumerate(names) if reach.covers(*name)), default=0)
    end = rng.randint(least, len(numbers)) if 0 < lost < 1 else least if lost else len(numbers)
    return set(numbers[:end])


def _in_any_order(names: Numbered, reach: Reach, lost: float, rng: random.Random) -> set[int]:
    """Which changes of names are there if only those of the same name keep their order."""
    needed: set[object] = set()
    certain: set[int] = set()
    for number, effect in reversed(names):
        if reach.covers(number, effect) or needed.intersection(_touched(effect)):
            certain.add(number)
            needed |= _needs(effect)
    missing: set[object] = set()
    kept = set()
    for number, effect in names:
        if number in certain or not (missing.intersection(_needs(effect)) or rng.random() < lost):
            kept.add(number)
        else:
            missing |= _touched(effect)
    return kept


def _touched(effect: Names) -> set[object]:
    """What later changes may depend on: the names, and the directories that they are in."""
    return {(directory, name) for directory, name, _ in effect.entries} | {place for place, _, _ in effect.entries}


def _needs(effect: Names) -> set[object]:
    """What it depends on itself: earlier changes of its names, and those in a directory that it removes."""
    needs: set[object] = {(directory, name) for directory, name, _ in effect.entries}
    return needs if effect.emptied is None else needs | {effect.emptied}


def _walk(
    names: Mapping[int, Mapping[bytes, int]], are_directories: Container[int], file: Callable[[int], File]
) -> Tree:
    """What can be reached from the root."""
    files: dict[bytes, File] = {}
    directories: set[bytes] = set()
    todo = [(b"", ROOT)]
    while todo:
        path, directory = todo.pop()
        for name, number in sorted(names.get(directory, {}).items()):
            below = path + b"/" + name if path else name
            if number in are_directories:
                directories.add(below)
                todo.append((below, number))
            else:
                files[below] = file(number)
    return Tree(files, frozenset(directories))


def _file(first: File, changes: Iterable[tuple[bool, Change]], lost: float, rng: random.Random) -> File:
    """What a file holds after these changes, of which some are certain."""
    octets, mtime = bytearray(first.octets), first.mtime
    versions = [first.octets]  # what it held at each moment since it was last flushed
    for certain, change in changes:
        if isinstance(change, Dated):
            mtime = change.mtime if certain or rng.random() >= lost else mtime
            continue
        _apply(octets, change)
        versions = [bytes(octets)] if certain else [*versions, bytes(octets)]
    return File(first.inode, _torn(versions, lost, rng), mtime)


def _torn(versions: list[bytes], lost: float, rng: random.Random) -> bytes:
    """What may be found of a file of which these versions were written, and only the first was flushed."""
    chance = rng.random()
    if chance < lost**2:
        return versions[0]
    if chance < lost**2 + (1 - lost) ** 2 or len(versions) == 1:
        return versions[-1]
    unit = rng.choice(UNITS)
    length = len(rng.choice(versions))
    pieces = (rng.choice(versions)[start : start + unit].ljust(unit, b"\0") for start in range(0, length, unit))
    return b"".join(pieces)[:length]


def _apply(octets: bytearray, change: Data | Length) -> None:
    match change:
        case Data(offset=offset, octets=written):
            octets.extend(bytes(max(0, offset - len(octets))))
            octets[offset : offset + len(written)] = written
        case Length(length=length):
            octets.extend(bytes(max(0, length - len(octets))))
            del octets[length:]
