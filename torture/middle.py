"""A man in the middle between a client and an IMAP server, who lets a liar speak for the server."""

import socket
import threading
from contextlib import suppress
from typing import Any

from torture.lies import Liar, tagged
from torture.streams import Commands, Responses

_PATIENCE = 0.15
"""Seconds after which whoever waits for what was withheld is left."""


class Middle:
    """Listens on `port`; passes everything on, and lets a liar speak for the server."""

    def __init__(self, port: int) -> None:
        """`port` is the server's."""
        self.liar: Liar | None = None
        self.commands: list[bytes] = []
        """All that clients sent, without tags."""
        self._target = port
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End everything."""
        for sock in (self._listener, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.append(sock)
            pending: set[bytes] = set()
            for pump, source, target in ((self._ask, client, server), (self._answer, server, client)):
                threading.Thread(target=self._run, args=(pump, source, target, pending), daemon=True).start()

    @staticmethod
    def _run(pump: Any, source: socket.socket, target: socket.socket, pending: set[bytes]) -> None:
        with suppress(OSError):
            pump(source, target, pending)
        for sock in (source, target):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _ask(self, client: socket.socket, server: socket.socket, pending: set[bytes]) -> None:
        commands = Commands()
        while data := client.recv(65_536):
            for command in commands.feed(data):
                if command is not None:
                    pending.add(command.tag)
                    with self._lock:
                        self.commands.append(command.text)
            server.sendall(data)

    def _answer(self, server: socket.socket, client: socket.socket, pending: set[bytes]) -> None:
        cut, hangs, waits = Responses(), False, set[bytes]()
        while True:
            server.settimeout(_PATIENCE if hangs or waits else None)
            try:
                data = server.recv(65_536)
            except TimeoutError:
                return
            if not data:
                client.sendall(cut.rest)
                return
            said = []
            for response in cut.feed(data):
                instead, withheld = self._instead(response)
                said += instead
                hangs |= withheld
                if (tag := tagged(response)) is not None:
                    waits.add(tag)
                waits -= {tag for each in instead if (tag := tagged(each)) is not None}
            client.sendall(b"".join(said))

    def _instead(self, response: bytes) -> tuple[list[bytes], bool]:
        with self._lock:
            return ([response], False) if self.liar is None else self.liar.hear(response)
