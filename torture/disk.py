"""A disk as far as flushing goes: a directory tree, what was done to it, and what was flushed when. Pure.

What of it may be found after the power was lost is said in `aftermath`.
"""

from dataclasses import dataclass

ROOT = 0
"""The number of the directory in which all paths begin."""


@dataclass(frozen=True, slots=True)
class Names:
    """Changes of names that happen together: in which directory, which name, and whose it is now (None: nobody's)."""

    entries: tuple[tuple[int, bytes, int | None], ...]
    said: str
    emptied: int | None = None
    """The directory that was removed with it."""


@dataclass(frozen=True, slots=True)
class Data:
    """Octets written to a file."""

    inode: int
    offset: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Length:
    """A file cut or extended."""

    inode: int
    length: int


@dataclass(frozen=True, slots=True)
class Dated:
    """The mtime of a file set, in nanoseconds."""

    inode: int
    mtime: int


@dataclass(frozen=True, slots=True)
class Flush:
    """A flush that has returned: it covers what had been done when it began."""

    inode: int | None
    """None: the whole file system."""
    began: int
    dates: bool = True


Effect = Names | Data | Length | Dated | Flush


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is found. Two names of one file have one number."""

    inode: int
    octets: bytes
    mtime: int | None
    """In nanoseconds; None: whenever it was."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A directory tree by path, which begins in the root without a slash."""

    files: dict[bytes, File]
    directories: frozenset[bytes]


class Disk:
    """A tree that was durable at first, and what was done to it. Paths are as in `Tree`."""

    def __init__(self, tree: Tree) -> None:
        """Begin with `tree`."""
        self.log: list[Effect] = []
        self._next = 1 + max((file.inode for file in tree.files.values()), default=ROOT)
        self.directories: dict[int, dict[bytes, int]] = {ROOT: {}}
        self.first = {file.inode: file for file in tree.files.values()}
        self._called: dict[int | None, str] = {ROOT: "the root"}
        for path in sorted(tree.directories):
            self._put(path, self._new_directory())
        for path, file in tree.files.items():
            self._put(path, file.inode)
        self.begin = {number: dict(names) for number, names in self.directories.items()}
        self._lengths = {inode: len(file.octets) for inode, file in self.first.items()}

    def find(self, path: bytes) -> int | None:
        """The number of what has this path now; None where nothing has."""
        number: int | None = ROOT
        for name in filter(None, path.split(b"/")):
            number = self.directories.get(-1 if number is None else number, {}).get(name)
        return number

    def length(self, inode: int) -> int:
        """The length of a file now."""
        return self._lengths[inode]

    def create(self, path: bytes) -> int:
        """A new, empty file; returns its number."""
        inode = self._next
        self._next += 1
        self._lengths[inode] = 0
        self._change(f"create {_shown(path)}", (path, inode))
        return inode

    def make_directory(self, path: bytes) -> None:
        """A new directory."""
        self._change(f"mkdir {_shown(path)}", (path, self._new_directory()))

    def link(self, old: bytes, new: bytes) -> None:
        """A second name of a file."""
        self._change(f"link {_shown(old)} to {_shown(new)}", (new, self._at(old)))

    def rename(self, old: bytes, new: bytes) -> None:
        """Another name, over what had it; nothing happens if that is the same file (POSIX rename)."""
        if self.find(old) == self.find(new):
            return
        self._change(f"rename {_shown(old)} to {_shown(new)}", (old, None), (new, self._at(old)))

    def unlink(self, path: bytes) -> None:
        """A name less."""
        self._change(f"unlink {_shown(path)}", (path, None))

    def remove_directory(self, path: bytes) -> None:
        """An empty directory less."""
        self._change(f"rmdir {_shown(path)}", (path, None), emptied=self._at(path))

    def write(self, inode: int, offset: int, octets: bytes) -> None:
        """Octets written to a file."""
        self.log.append(Data(inode, offset, octets))
        self._lengths[inode] = max(self._lengths[inode], offset + len(octets))

    def cut(self, inode: int, length: int) -> None:
        """A file cut or extended with zeros."""
        self.log.append(Length(inode, length))
        self._lengths[inode] = length

    def date(self, inode: int, mtime: int) -> None:
        """The mtime of a file set, in nanoseconds; that of a directory does not matter."""
        if inode not in self.directories:
            self.log.append(Dated(inode, mtime))

    def flush(self, inode: int | None, began: int | None = None, *, dates: bool = True) -> None:
        """A flush of one file or directory (None: of everything) returns that began when `log` was so long.

        `dates`: the file's date is flushed as well (fdatasync does not).
        """
        self.log.append(Flush(inode, len(self.log) if began is None else began, dates))

    def told(self, effect: Effect) -> str:
        """An effect in words."""
        match effect:
            case Names(said=said):
                return said
            case Data(inode, offset, octets):
                return f"write {len(octets)} octets at {offset} to {self._called[inode]}"
            case Length(inode, length):
                return f"cut to {length} octets {self._called[inode]}"
            case Dated(inode, mtime):
                return f"date {mtime} for {self._called[inode]}"
            case Flush(None):
                return "flush everything"
            case Flush(inode):
                return f"flush {self._called[inode]}"

    def _new_directory(self) -> int:
        number = self._next
        self._next += 1
        self.directories[number] = {}
        return number

    def _at(self, path: bytes) -> int:
        number = self.find(path)
        assert number is not None, f"{_shown(path)} is not known"
        return number

    def _put(self, path: bytes, number: int) -> None:
        directory, _, name = path.rpartition(b"/")
        self.directories[self._at(directory)][name] = number
        self._called[number] = _shown(path)

    def _change(self, said: str, *changes: tuple[bytes, int | None], emptied: int | None = None) -> None:
        entries = []
        for path, number in changes:
            directory, _, name = path.rpartition(b"/")
            entries.append((self._at(directory), name, number))
            self._called[number] = _shown(path)
        for place, name, number in entries:
            give(self.directories[place], name, number)
        self.log.append(Names(tuple(entries), said, emptied))


def give(names: dict[bytes, int], name: bytes, number: int | None) -> None:
    """Give a name to something, or to nobody."""
    if number is None:
        names.pop(name, None)
    else:
        names[name] = number


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
