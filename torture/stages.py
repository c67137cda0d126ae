"""A server's account as it was after each command that changed it, so that a client's end can be put anywhere between.

A proxy that gives the server one command at a time, and the client its answer when the account has been copied. The
client notices nothing, whatever it sends ahead. What it says must be readable: no TLS, no COMPRESS, no IDLE.
"""

import contextlib
import re
import socket
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

NAME = re.compile(rb"^\S+ (?:UID )?([A-Z]+)", re.IGNORECASE)
LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n$")
HARMLESS = {
    "CAPABILITY", "LOGIN", "AUTHENTICATE", "ENABLE", "ID", "NAMESPACE", "LIST", "STATUS", "SELECT", "EXAMINE", "NOOP",
    "FETCH", "SEARCH", "UNSELECT", "LOGOUT",
}  # fmt: skip
"""Commands that change nothing that the program could see."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The server after a command."""

    sent: int
    """Octets from the client up to the end of the command."""
    received: int
    """Octets to the client up to the end of its answer."""
    copy: int
    """Which copy the account is like."""


class Stages:
    """Listens on `port` of 127.0.0.1 and connects each client with the server.

    Where several connections are open at once, they must not change anything: `possible` is then the same always.
    """

    def __init__(self, port: int, copy: Callable[[int], None]) -> None:
        """Pass everything on to `port`; `copy(n)` is called to keep the account as it is now as its copy `n`."""
        self.failures: list[Exception] = []
        self._copy = copy
        self._copying = False
        self._stages: list[Stage] = []
        self._turn = threading.Lock()
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        """It listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take no more clients."""
        self.close()

    def close(self) -> None:
        """Take no more clients."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def begin(self) -> None:
        """From now on copy the account, which nobody is connected to, and count anew."""
        self._copy(0)
        self._stages = [Stage(0, 0, 0)]
        self._copying = True

    def end(self) -> None:
        """From now on only pass everything on."""
        self._copying = False

    @property
    def changes(self) -> int:
        """How many commands have changed the account: the number of its last copy."""
        return self._stages[-1].copy

    def possible(self, sent: int, received: int) -> range:
        """The copies that the account may be like when a client is cut off that has sent and received so much.

        Every command of which it has an answer was carried out; of those that it has sent, some more may have been.
        """
        last = bisect_right(self._stages, sent, key=lambda stage: stage.sent) - 1
        first = min(last, bisect_left(self._stages, received, key=lambda stage: stage.received))
        return range(self._stages[first].copy, self._stages[last].copy + 1)

    def carried_out(self, command: bytes, sent: int, received: int) -> None:
        """The server has carried out a command of `sent` octets (none: it has greeted) and answered with `received`."""
        name = NAME.match(command)
        with self._turn:
            if not self._copying:
                return
            last = self._stages[-1]
            copy = last.copy
            if name is not None and name[1].decode().upper() not in HARMLESS:
                copy += 1
                self._copy(copy)
            self._stages.append(Stage(last.sent + sent, last.received + received, copy))

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._server_port)) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                _Talk(self, client, server).go_on()
            except ConnectionError:
                pass  # one of them has hung up
            except Exception as error:  # noqa: BLE001 (told by whoever uses the stages)
                self.failures.append(error)


class _Talk:
    """One connection."""

    def __init__(self, stages: Stages, client: socket.socket, server: socket.socket) -> None:
        self._stages = stages
        self._client, self._server = client, server
        self._from_client, self._from_server = client.makefile("rb"), server.makefile("rb")
        self._sent = self._received = 0
        """Of the command at hand."""

    def go_on(self) -> None:
        """Until one of them hangs up."""
        self._stages.carried_out(b"", 0, self._to_client(self._from_server.readline()))
        while True:
            self._sent = self._received = 0
            command = self._command()
            answer = self._answer(command.partition(b" ")[0])
            self._stages.carried_out(command, self._sent, self._received + len(answer))
            self._to_client(answer)

    def _command(self) -> bytes:
        """Pass a whole command on; returns its first line."""
        command = line = self._to_server(self._from_client.readline())
        while (literal := LITERAL.search(line)) is not None:
            if not literal[2]:
                self._received += self._to_client(self._from_server.readline())
            if size := int(literal[1]):
                self._to_server(self._from_client.read(size))
            line = self._to_server(self._from_client.readline())
        return command

    def _answer(self, tag: bytes) -> bytes:
        """Everything that the server says up to the end of the command."""
        pieces: list[bytes] = []
        while True:
            start = line = self._from_server.readline()
            pieces.append(line)
            while (literal := LITERAL.search(line)) is not None:
                pieces.append(self._from_server.read(int(literal[1])))
                line = self._from_server.readline()
                pieces.append(line)
            if start.startswith(tag + b" "):
                return b"".join(pieces)
            if start.startswith(b"+"):
                self._received += self._to_client(b"".join(pieces))
                self._to_server(self._from_client.readline())
                pieces.clear()
            if not line:
                raise ConnectionError

    def _to_server(self, octets: bytes) -> bytes:
        if not octets:
            raise ConnectionError
        self._server.sendall(octets)
        self._sent += len(octets)
        return octets

    def _to_client(self, octets: bytes) -> int:
        self._client.sendall(octets)
        return len(octets)
