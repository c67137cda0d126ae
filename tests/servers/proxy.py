"""A TCP proxy on loopback that counts what passes: octets each way, the client's commands, and round trips."""

import contextlib
import re
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, Self

COMMAND = re.compile(rb"^[^\s*+]+ ((UID [A-Z]+|[A-Z]+).*)", re.IGNORECASE)
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with which a close sends RST."""

How = Literal["closed", "reset", "silent"]
"""How a connection ends: by FIN, by RST, or by never passing on anything more."""


@dataclass(slots=True)
class Count:
    """What has passed so far."""

    to_server: int = 0
    to_client: int = 0
    commands: Counter[str] = field(default_factory=Counter)
    """How often each command was sent, by name in capitals, `UID` included; valid without TLS and COMPRESS only."""
    lines: list[str] = field(default_factory=list)
    """The same commands in the order of sending, without tag and without what follows the first literal."""
    round_trips: int = 0
    """How often a client said something after the server had spoken: what the distance to the server is paid for."""


class CountingProxy:
    """Listens on `port` of 127.0.0.1 and connects each client with the server."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        """Pass everything on to `host` and `port`."""
        self.count = Count()
        self.stalled = threading.Event()
        self.cut = threading.Event()
        self._limit: int | None = None
        self._cut: dict[bool, int] = {}
        self._how: How = "closed"
        self._refuse_afterwards = False
        self._refusing = False
        self._free = threading.Event()
        self._target = (host, port)
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._pumps: list[threading.Thread] = []
        self._spoken: set[socket.socket] = set()
        """The clients whose server was the last to speak."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        """It listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self.close()

    def close(self) -> None:
        """Close everything."""
        self._free.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # a close alone does not end the waiting for a client
        self._accepting.join(30)
        self._listener.close()
        with self._lock:
            for connection in self._sockets:
                connection.close()

    def taken(self) -> Count:
        """What has passed since the last time, when every connection has ended; counting begins anew."""
        for pump in self._pumps:
            pump.join(30)
            assert not pump.is_alive(), "a connection through the proxy did not end"
        with self._lock:
            taken, self.count = self.count, Count()
            self._pumps.clear()
            self._spoken.clear()
        return taken

    def stall_after(self, octets: int) -> None:
        """Pass no more than about so many octets to the client, until `go_on`; `stalled` is set then."""
        self._limit = octets

    def go_on(self) -> None:
        """Pass everything on again."""
        self._free.set()

    def cut_after(self, octets: int, *, to_server: bool, how: How = "closed", for_good: bool = False) -> None:
        """Once, break the connection when exactly so many octets have passed that way; `cut` is set then.

        With `for_good`, every further connection is closed at once, until `mend`.
        """
        self._cut[to_server] = octets
        self._how, self._refuse_afterwards = how, for_good

    def sever(self) -> None:
        """End every connection now, and close every further one at once, until `mend`."""
        with self._lock:
            self._refusing = True
            for connection in self._sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again, whether the cut came or not."""
        with self._lock:
            self._cut.clear()
            self._refusing = self._refuse_afterwards = False

    def _until_the_cut(self, data: bytes, from_client: bool) -> tuple[bytes, bool]:
        passed = self.count.to_server if from_client else self.count.to_client
        with self._lock:
            at = self._cut.get(from_client)
            if at is None or passed < at:
                return data, False
            del self._cut[from_client]
            self._refusing = self._refuse_afterwards
            self.cut.set()
            return data[: len(data) - (passed - at)], True

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:  # it does not run at the moment
                client.close()
                continue
            with self._lock:
                self._sockets += [client, server]
            for source, target in ((client, server), (server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                arguments = (source, target, source is client)
                pump = threading.Thread(target=self._pump, args=arguments, daemon=True)
                self._pumps.append(pump)
                pump.start()

    def _pump(self, source: socket.socket, target: socket.socket, from_client: bool) -> None:
        commands = Commands()
        stall = False
        try:
            while data := source.recv(65536):
                with self._lock:
                    if from_client:
                        self.count.to_server += len(data)
                        for name, line in commands.feed(data):
                            self.count.commands[name] += 1
                            self.count.lines.append(line)
                        self.count.round_trips += source in self._spoken
                        self._spoken.discard(source)
                    else:
                        self._spoken.add(target)
                        self.count.to_client += len(data)
                        stall = self._limit is not None and self.count.to_client > self._limit
                if stall:
                    self.stalled.set()
                    self._free.wait()
                data, cut = self._until_the_cut(data, from_client)
                target.sendall(data)
                if cut:
                    self._break(source, target)
                    return
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)  # the other pump may be waiting in it, which a close does not end

    def _break(self, *ends: socket.socket) -> None:
        if self._how == "silent":
            self._free.wait()
        for end in ends:
            if self._how == "reset":
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RD)  # for the pump that waits in it and keeps the socket from being closed
                end.close()
            else:
                end.shutdown(socket.SHUT_RDWR)


@dataclass(slots=True)
class Commands:
    """Finds the names of the commands in what a client sends; literals are passed over."""

    rest: bytes = b""
    skip: int = 0
    inside: bool = False
    """The line at hand goes on after a literal."""

    def feed(self, data: bytes) -> list[tuple[str, str]]:
        """Names and lines of the commands that begin in `data`, given what came before."""
        found = []
        self.rest += data
        while True:
            taken = min(self.skip, len(self.rest))
            self.rest, self.skip = self.rest[taken:], self.skip - taken
            line, newline, rest = self.rest.partition(b"\r\n")
            if self.skip or not newline:
                return found
            self.rest = rest
            if not self.inside and (match := COMMAND.match(line)):
                found.append((match.group(2).decode().upper(), match.group(1).decode(errors="replace")))
            literal = re.search(rb"\{(\d+)\+?\}$", line)
            self.inside = literal is not None
            self.skip = int(literal.group(1)) if literal else 0
