"""From a trace of a program's system calls to what it did to a disk, and how far its talk with a server was meanwhile.

The program is run under strace, which needs no privileges. What is done outside the directory that is watched does not
count. A system call that changes something in it and is not understood here is an error, never passed over.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from torture.disk import Disk

CALLS: Final = (
    "?open,openat,?creat,close,dup,?dup2,dup3,lseek,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,"
    "?rename,?renameat,renameat2,?link,linkat,?symlink,symlinkat,?unlink,unlinkat,?mkdir,mkdirat,?rmdir,utimensat,"
    "fsync,fdatasync,syncfs,copy_file_range,sendfile,splice,connect,sendto,sendmsg,recvfrom,recvmsg"
)
FLUSHES = {"fsync", "fdatasync", "syncfs"}
TALKS = {"sendto", "sendmsg", "recvfrom", "recvmsg"}
CHANGES = {"lseek", "write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate", "fallocate"}
LINE = re.compile(r"^(\d+)\s+(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$")
UNFINISHED = " <unfinished ...>"
ENDED = re.compile(r"^(.*)\)\s+= (-?\d+|0x[0-9a-f]+|\?)")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
TIME = re.compile(r"\{tv_sec=(-?\d+), tv_nsec=(\d+)\}|UTIME_\w+")
PORT = re.compile(r"htons\((\w+)\)")
MEMORY = b"-shm"
"""How a file ends through which SQLite only shares memory: it means nothing once nobody has it open."""


class NotUnderstoodError(Exception):
    """A system call may change what is watched, and how is not known here."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment at which the power may go: so many effects on the disk, so many octets sent and received."""

    position: int
    sent: int = 0
    received: int = 0


@dataclass(slots=True)
class _Open:
    """An open file or directory."""

    inode: int
    append: bool = False
    position: int = 0


def traced(command: Iterable[str], log: Path) -> list[str]:
    """The command that runs `command` and writes to `log` what `Recording` reads."""
    options = ["-f", "-qq", "--seccomp-bpf", "-xx", "-s", "100000000", "-e", f"trace={CALLS}", "-e", "signal=none"]
    return ["strace", *options, "-o", str(log), *command]


class Recording:
    """What a trace says of the directory `root`, of which `disk` is the model, and of connections to `port`.

    `moments` has all moments at which something was different, in order.
    """

    def __init__(self, disk: Disk, root: bytes, port: int = 0) -> None:
        """Nothing happened yet."""
        self.disk = disk
        self.moments = [Moment(len(disk.log))]
        self.connections = 0
        self._root, self._port = root, port
        self._files: dict[int, _Open] = {}
        self._sockets: set[int] = set()
        self._sent = self._received = 0

    def read(self, lines: Iterable[str]) -> None:
        """Take in the lines of a trace.

        Raises:
            NotUnderstoodError: see there.
        """
        pending: dict[str, tuple[str, str, int]] = {}
        for line in lines:
            found = LINE.match(line.rstrip("\n"))
            if found is None:
                continue  # a process that ended
            thread, resumed, name, rest = found.groups()
            began = len(self.disk.log)
            if resumed:
                name, begun, began = pending.pop(thread)
                rest = begun + rest
            elif name == "close":  # from now on another thread may be given the number
                self._forget(int(re.split(r"\D", rest)[0]))
            ended = ENDED.match(rest)
            if rest.endswith(UNFINISHED):
                pending[thread] = name, rest.removesuffix(UNFINISHED), began
            elif ended is not None and not ended[2].startswith(("-", "?")):
                self._done(name, _arguments(ended[1]), int(ended[2], 0), began)
            elif ended is not None and name == "connect":  # without waiting: it succeeds later
                self._connect(_arguments(ended[1]))

    def _done(self, name: str, arguments: list[str], result: int, began: int) -> None:
        """One call that has succeeded; `began` is where the log was when it began."""
        if name in FLUSHES:
            self._flush(name, arguments[0], began)
        elif name in TALKS:
            sends = name.startswith("send")
            self._talked(int(arguments[0]), sent=result * sends, received=result * (not sends))
        elif name in CHANGES:
            self._changed(name, arguments, result)
        elif name == "openat":
            self._opened(arguments, result)
        elif name == "open":
            self._opened(["AT_FDCWD", *arguments], result)
        elif name == "connect":
            self._connect(arguments)
        elif name == "utimensat":
            self._dated(arguments)
        elif name != "close":
            self._named(name, arguments)
        if len(self.disk.log) > self.moments[-1].position:
            self._moment()

    # -- paths and descriptors

    def _path(self, at: str, text: str) -> bytes | None:
        """A path below what is watched; None for any other."""
        found = STRING.fullmatch(text)
        if found is None:
            raise NotUnderstoodError(f"a path: {text}")
        path = os.path.normpath(_octets(text))
        if not path.startswith(b"/"):
            if at != "AT_FDCWD" and int(at) in self._files:
                raise NotUnderstoodError(f"a path below an open directory: {path!r}")
            return None
        if path == self._root:
            return b""
        return path.removeprefix(self._root + b"/") if self._is_watched(path) else None

    def _is_watched(self, path: bytes) -> bool:
        return path.startswith(self._root + b"/") and not path.endswith(MEMORY)

    def _forget(self, descriptor: int) -> None:
        self._files.pop(descriptor, None)
        self._sockets.discard(descriptor)

    def _opened(self, arguments: list[str], result: int) -> None:
        path = self._path(arguments[0], arguments[1])
        self._forget(result)
        if path is None:
            return
        flags = set(arguments[2].split("|"))
        if flags & {"O_TMPFILE", "O_SYNC", "O_DSYNC"}:
            raise NotUnderstoodError(f"opened with {flags}: {path!r}")
        inode = self.disk.find(path)
        if inode is None:
            inode = self.disk.create(path)
        elif "O_TRUNC" in flags and self.disk.length(inode):
            self.disk.cut(inode, 0)
        self._files[result] = _Open(inode, "O_APPEND" in flags)

    # -- what is done

    def _flush(self, name: str, descriptor: str, began: int) -> None:
        if (file := self._files.get(int(descriptor))) is not None:
            self.disk.flush(None if name == "syncfs" else file.inode, began, dates=name != "fdatasync")

    def _changed(self, name: str, arguments: list[str], result: int) -> None:
        file = self._files.get(int(arguments[0]))
        if file is None:
            return
        octets = b"".join(_octets(found[0]) for found in STRING.finditer(arguments[1]))[:result]
        if name == "lseek":
            file.position = result
        elif name == "ftruncate":
            self.disk.cut(file.inode, int(arguments[1], 0))
        elif name in {"pwrite64", "pwritev"}:
            self.disk.write(file.inode, int(arguments[3], 0), octets)
        elif name in {"write", "writev"}:
            offset = self.disk.length(file.inode) if file.append else file.position
            self.disk.write(file.inode, offset, octets)
            file.position = offset + result
        else:
            raise NotUnderstoodError(f"{name}({', '.join(arguments)})")

    def _dated(self, arguments: list[str]) -> None:
        times = list(TIME.finditer(arguments[2]))
        if arguments[1] == "NULL":
            file = self._files.get(int(arguments[0]))
            inode = file.inode if file is not None else None
        else:
            path = self._path(arguments[0], arguments[1])
            inode = self.disk.find(path) if path is not None else None
        if inode is not None and len(times) == 2 and times[1][1] is not None:
            self.disk.date(inode, int(times[1][1]) * 10**9 + int(times[1][2]))

    def _named(self, name: str, arguments: list[str]) -> None:
        """A change of names; or a call that is none, which must not concern what is watched."""
        if name in {"renameat", "renameat2", "linkat", "unlinkat", "mkdirat"}:
            pairs = list(zip(arguments[::2], arguments[1::2], strict=False))  # what is left over are flags
        elif name in {"symlink", "symlinkat"}:
            pairs = [("AT_FDCWD", arguments[-1])]
        else:
            pairs = [("AT_FDCWD", text) for text in arguments[: 2 if name in {"rename", "link"} else 1]]
        if not all(text.startswith('"') for _, text in pairs):
            if any(text.isdecimal() and int(text) in self._files for text in arguments[:3]):
                raise NotUnderstoodError(f"{name}({', '.join(arguments)})")
            return
        paths = [path for at, text in pairs if (path := self._path(at, text)) is not None]
        if paths:
            self._change_names(name, paths, arguments)

    def _change_names(self, name: str, paths: list[bytes], arguments: list[str]) -> None:
        match name, paths:
            case ("rename" | "renameat" | "renameat2", [old, new]) if "EXCHANGE" not in arguments[-1]:
                self.disk.rename(old, new)
            case ("link" | "linkat", [old, new]):
                self.disk.link(old, new)
            case ("mkdir" | "mkdirat", [path]):
                self.disk.make_directory(path)
            case ("rmdir", [path]):
                self.disk.remove_directory(path)
            case ("unlink" | "unlinkat", [path]) if "REMOVEDIR" in arguments[-1]:
                self.disk.remove_directory(path)
            case ("unlink" | "unlinkat", [path]):
                self.disk.unlink(path)
            case _:
                raise NotUnderstoodError(f"{name} of {paths}")

    # -- the server

    def _connect(self, arguments: list[str]) -> None:
        port = PORT.search(arguments[1])
        if port is not None and int(port[1], 0) == self._port:
            self.connections += 1
            self._sockets.add(int(arguments[0]))

    def _talked(self, descriptor: int, *, sent: int, received: int) -> None:
        if descriptor in self._sockets:
            self._sent += sent
            self._received += received
            self._moment()

    def _moment(self) -> None:
        self.moments.append(Moment(len(self.disk.log), self._sent, self._received))


def _arguments(text: str) -> list[str]:
    """The arguments of a call. Strings have no commas: every octet in them is written as a number."""
    found: list[str] = []
    inside = 0
    for piece in text.split(", "):
        if inside:
            found[-1] += ", " + piece
        else:
            found.append(piece)
        inside += sum(map(piece.count, "[{(")) - sum(map(piece.count, ")}]"))
    return found


def _octets(text: str) -> bytes:
    return bytes.fromhex(text[1:-1].replace("\\x", ""))
