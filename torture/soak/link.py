"""The line between the program and the server: it can be cut, and it can swallow everything for a while."""

import contextlib
import socket
import threading
from typing import Self


class Link:
    """Listens on `port` of 127.0.0.1 and connects each client with the server."""

    def __init__(self, target: int) -> None:
        """Pass everything on to the port `target` of 127.0.0.1."""
        self._target = target
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, name="link", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        """It listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # a close alone does not end the waiting for a client
        self._accepting.join(30)
        self._listener.close()
        self._flowing.set()
        self.cut()

    def cut(self) -> None:
        """End every connection now. New ones may be made."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def swallow(self) -> None:
        """From now on nothing is passed on, and nothing is closed, until `go_on`. New connections are accepted."""
        self._flowing.clear()

    def go_on(self) -> None:
        """Pass on what has waited, and everything after it."""
        self._flowing.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # it does not run at the moment
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._connected, args=(client, server), name="line", daemon=True).start()

    def _connected(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            with self._lock:
                self._open |= {client, server}
            back = threading.Thread(target=self._pump, args=(server, client), name="line back", daemon=True)
            back.start()
            self._pump(client, server)
            back.join()
            with self._lock:
                self._open -= {client, server}

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._flowing.wait()
                target.sendall(data)
            self._flowing.wait()
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)  # the other pump may be waiting in it
