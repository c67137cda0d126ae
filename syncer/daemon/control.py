"""A socket at which one program of a person asks another: one question, one answer, each a line of JSON.

The answer may be as many lines as there are to come, for as long as both ends stay.
Only the same user can connect: the socket has the mode 0600, and who is at the other end is asked of the kernel.
"""

import contextlib
import os
import socket
import stat
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

LONGEST = 1024 * 1024
"""Octets of a question."""
PATIENCE = 10.0
"""Seconds in which a question has to be put."""
MOMENT = 0.2
"""Seconds between two looks whether somebody who waits for an answer still wants it."""
_PATH_LIMIT = 100
"""A socket's path has 108 octets on Linux, and 104 elsewhere (unix(7))."""
_CREDENTIALS = struct.Struct("3i")

Answer = bytes | Callable[[socket.socket], None]
"""The answer, or who goes on with the connection; it is closed when that returns."""


class Control:
    """Answers at a path, for as long as the context lasts. Whoever makes one holds the lock that goes with the path."""

    def __init__(self, path: Path, answer: Callable[[bytes], Answer]) -> None:
        """`answer` is called in a thread of its own for each question, and may take its time."""
        self._path = path
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)

    def __enter__(self) -> Self:
        """Raises OSError: there can be no socket."""
        try:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()  # of one that was killed: the lock is ours
            os.fchmod(self._listener.fileno(), stat.S_IRUSR | stat.S_IWUSR)
            with _short(self._path) as path:
                self._listener.bind(path)
            self._path.chmod(stat.S_IRUSR | stat.S_IWUSR)
            self._listener.listen()
        except BaseException:
            self._listener.close()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # a close alone does not end the waiting
        self._thread.join()
        self._listener.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                asker, _ = self._listener.accept()
            except OSError:  # the end, or there are too many descriptors: whoever asks then is served later
                self._over.wait(MOMENT)
                continue
            try:
                threading.Thread(target=self._converse, args=(asker,), name="answer", daemon=True).start()
            except RuntimeError:  # there are too many threads
                asker.close()

    def _converse(self, asker: socket.socket) -> None:
        with asker, contextlib.suppress(OSError):  # who is gone needs no answer
            if not _is_ours(asker):
                return
            asker.settimeout(PATIENCE)
            question = b""
            while not question.endswith(b"\n"):
                piece = asker.recv(65_536)
                question += piece
                if not piece or len(question) > LONGEST:
                    return
            answer = self._answer(question)
            asker.settimeout(None)
            if isinstance(answer, bytes):
                asker.sendall(answer + b"\n")
            else:
                answer(asker)


def ask(path: Path, question: bytes, goes_on: Callable[[], bool] = lambda: True) -> bytes | None:
    """Put a question, and wait for the answer as long as `goes_on` says so; None if nobody answers there."""
    answer = b"".join(_said(path, question, goes_on))
    return answer if answer.endswith(b"\n") else None


def follow(path: Path, question: bytes, goes_on: Callable[[], bool] = lambda: True) -> Iterator[bytes]:
    """Put a question, and give each line of the answer as it comes, until the other end or `goes_on` ends it.

    None come if nobody answers there. A last line that was cut off is left out.
    """
    rest = b""
    for piece in _said(path, question, goes_on):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


def _said(path: Path, question: bytes, goes_on: Callable[[], bool]) -> Iterator[bytes]:
    """What is answered there, piece by piece, as far as it comes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asker, contextlib.suppress(OSError):
        with _short(path) as short:
            asker.connect(short)
        if not _is_ours(asker):
            return
        asker.sendall(question + b"\n")
        asker.settimeout(MOMENT)
        while goes_on():
            try:
                piece = asker.recv(65_536)
            except TimeoutError:
                continue
            if not piece:
                return
            yield piece


def listens(path: Path) -> bool:
    """Whether somebody answers there."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asker,
        contextlib.suppress(OSError),
        _short(path) as short,
    ):
        asker.connect(short)
        return True
    return False


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path, or another one for the same place that a socket may have."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _is_ours(connected: socket.socket) -> bool:
    """Whether the other end is of the same user, where the kernel tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    told = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(told)[1] == os.geteuid())
