r"""Runs a command, looks at its system calls, and kills it at one of them or lets some fail. A program of its own.

    python tracer.py '{"command": [...], "below": ["/a"], "names": [...], "opening": true, "log": "/log", "first": 7}'

What strace(1) does, but for three things: calls are counted over all threads together, those that are not about files
below a place are not counted, and both hold although the command is stopped at the calls in question only. (strace 6.1
counts for each thread apart, so that of two threads only the calls of one can be reached; and it loses an injected
signal where a seccomp filter chooses the calls.) A filter of the kernel (seccomp(2)) hands the calls over; ptrace(2)
stops the command before such a call takes place.

It needs Linux 5.3 and libseccomp; letting calls fail needs x86-64 as well. It ends as the command does.
"""

import ctypes
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass, field
from typing import Any, Final

ARGUMENTS: Final = {
    "write": "f", "writev": "f", "pwrite64": "f", "pwritev": "f", "pwritev2": "f", "ftruncate": "f", "truncate": "p",
    "fallocate": "f", "copy_file_range": "..f", "sendfile": "f", "rename": "pp", "renameat": "dpdp",
    "renameat2": "dpdp", "link": "pp", "linkat": "dpdp", "symlink": ".p", "symlinkat": ".dp", "unlink": "p",
    "unlinkat": "dp", "mkdir": "p", "mkdirat": "dp", "rmdir": "p", "chmod": "p", "fchmod": "f", "fchmodat": "dp",
    "fchown": "f", "fchownat": "dp", "utimensat": "dp", "fsync": "f", "fdatasync": "f", "syncfs": "f", "open": "p",
    "openat": "dp", "sendto": "f", "sendmsg": "f", "sendmmsg": "f", "shutdown": "f",
}  # fmt: skip
"""What the arguments of each call are: a descriptor, a path, the directory of the path that follows, anything else."""
SENDING: Final = ("sendto", "sendmsg", "sendmmsg", "shutdown")
"""Those that are not about files; they count wherever they go."""
OPENING: Final = {"open": 1, "openat": 2}
"""Those that open a file, and which argument says how."""

_SEIZE, _CONT, _SYSCALL, _SYSCALL_INFO, _POKEUSER = 0x4206, 7, 24, 0x420E, 6
_OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x80 | 0x100000
"""TRACESYSGOOD, TRACEFORK, TRACEVFORK, TRACECLONE, TRACEEXEC, TRACESECCOMP, EXITKILL."""
_EVENT_SECCOMP, _EVENT_STOP = 7, 128
_SYSCALL_STOP = signal.SIGTRAP | 0x80
_WALL = 0x40000000
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_RAX, _ORIG_RAX = 10 * 8, 15 * 8
_AT_FDCWD = -100
_PAGE = 4096


@dataclass
class Job:
    """What to do."""

    command: list[str]
    below: list[str]
    """Calls about files below these count."""
    names: list[str]
    """Of the calls that count."""
    opening: bool
    """Calls that open a file count also where they make none."""
    log: str
    """Where to write them, as JSON."""
    first: int = 0
    """The number of the call that is not carried out; 0: none."""
    last: int = 0
    """The last one."""
    error: int = 0
    """What it answers instead; 0: it is killed."""


@dataclass
class Call:
    """A call that counts."""

    thread: int
    name: str
    places: list[str]
    """The paths it is about."""
    result: int | None = None
    """None where the command ended meanwhile; below 0 it is an error."""
    injected: bool = False

    @property
    def failed(self) -> bool:
        """Whether it did not do what it should."""
        return self.result is None or self.result < 0


class _Info(ctypes.Structure):
    """`struct ptrace_syscall_info`, the part for a stop by seccomp; at the end of a call `nr` is its result."""

    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("nr", ctypes.c_int64),
        ("args", ctypes.c_uint64 * 6),
        ("data", ctypes.c_uint64),
    )


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request: int, thread: int, address: int = 0, data: Any = 0) -> None:
    """Raises OSError; ProcessLookupError for a thread that was killed meanwhile."""
    if _libc.ptrace(request, thread, address, data) == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"ptrace: {os.strerror(code)}")


@dataclass
class Tracer:
    """One run of a command."""

    job: Job
    child: int = 0
    calls: list[Call] = field(default_factory=list)
    _numbers: dict[int, str] = field(default_factory=dict)
    _under_way: dict[int, Call] = field(default_factory=dict)

    def run(self) -> int:
        """Start the command and follow it; returns how it ended, as os.wait does."""
        seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        seccomp.seccomp_init.restype = ctypes.c_void_p
        for name in self.job.names:
            number = seccomp.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:  # not every machine has every call
                self._numbers[number] = name
        gate, opener = os.pipe()
        self.child = os.fork()
        if not self.child:
            os.close(opener)
            os.read(gate, 1)
            self._become(seccomp)
        try:
            _ptrace(_SEIZE, self.child, 0, _OPTIONS)
        except OSError:
            os.kill(self.child, signal.SIGKILL)
            raise
        finally:
            os.close(opener)
        return self._follow()

    def _become(self, seccomp: ctypes.CDLL) -> None:
        """In the child: have the calls handed over, then be the command."""
        filters = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(_ALLOW)))
        for number in self._numbers:
            if seccomp.seccomp_rule_add(filters, ctypes.c_uint32(_TRACE), number, 0):
                os._exit(126)
        if seccomp.seccomp_load(filters):
            os._exit(126)
        os.execv(self.job.command[0], self.job.command)

    def _follow(self) -> int:
        while True:
            thread, status = os.waitpid(-1, _WALL)
            if not os.WIFSTOPPED(status):
                if thread == self.child:
                    return status
                continue
            sign, event = os.WSTOPSIG(status), status >> 16
            request, deliver = _CONT, 0
            if event == _EVENT_SECCOMP:
                request = self._before(thread)
            elif sign == _SYSCALL_STOP:
                self._after(thread)
            elif not event:
                deliver = sign
            try:
                _ptrace(request, thread, 0, deliver)
            except ProcessLookupError:
                continue  # it is being killed

    def _before(self, thread: int) -> int:
        """A call is about to take place; returns how the thread goes on."""
        info = _Info()
        try:
            _ptrace(_SYSCALL_INFO, thread, ctypes.sizeof(info), ctypes.byref(info))
            call = self._described(thread, info)
        except (ProcessLookupError, FileNotFoundError):  # it is being killed
            return _CONT
        if call is None:
            return _CONT
        self.calls.append(call)
        if self.job.first <= len(self.calls) <= max(self.job.first, self.job.last) and self.job.first:
            call.injected = True
            if not self.job.error:
                os.kill(self.child, signal.SIGKILL)
                return _CONT
            call.result = -self.job.error
            _ptrace(_POKEUSER, thread, _ORIG_RAX, -1)
            _ptrace(_POKEUSER, thread, _RAX, -self.job.error)
            return _CONT
        self._under_way[thread] = call
        return _SYSCALL

    def _after(self, thread: int) -> None:
        info = _Info()
        try:
            _ptrace(_SYSCALL_INFO, thread, ctypes.sizeof(info), ctypes.byref(info))
        except ProcessLookupError:
            return
        call = self._under_way.pop(thread, None)
        if call is not None:
            call.result = info.nr

    def _described(self, thread: int, info: _Info) -> Call | None:
        """The call, if it counts."""
        name = self._numbers[info.nr]
        args = list(info.args)
        if name in OPENING and not self.job.opening and not args[OPENING[name]] & os.O_CREAT:
            return None
        places: list[str] = []
        directory = "cwd"
        for kind, value in zip(ARGUMENTS[name], args, strict=False):
            number = ctypes.c_int(value & 0xFFFFFFFF).value
            if kind == "f":
                places.append(_link(thread, f"fd/{number}"))
            elif kind == "d":
                directory = "cwd" if number == _AT_FDCWD else f"fd/{number}"
            elif kind == "p":
                path = _text(thread, value) if value else ""
                places.append(path if path.startswith("/") else os.path.join(_link(thread, directory), path))
        if name in SENDING or any(_within(place, below) for place in places for below in self.job.below):
            return Call(thread, name, places)
        return None


def _within(place: str, below: str) -> bool:
    return place == below or place.startswith(f"{below}/")


def _link(thread: int, name: str) -> str:
    try:
        return os.readlink(f"/proc/{thread}/{name}")
    except OSError:  # no such descriptor: the call says so
        return ""


def _text(thread: int, address: int) -> str:
    """A string of the command's memory; it may reach to the end of the last page that there is."""
    found = b""
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:
        while b"\0" not in found:
            piece = os.pread(memory.fileno(), _PAGE - address % _PAGE, address)
            found += piece
            address += len(piece)
    return os.fsdecode(found.partition(b"\0")[0])


def main() -> None:
    """Do the job that the argument describes, and end as the command does."""
    tracer = Tracer(Job(**json.loads(sys.argv[1])))
    status = tracer.run()
    with open(tracer.job.log, "w", encoding="utf-8", errors="surrogateescape") as log:
        json.dump([asdict(call) for call in tracer.calls], log)
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
