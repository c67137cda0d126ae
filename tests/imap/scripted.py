"""A server that says what a test wants it to say, on a loopback address.

`replies` maps the beginning of a command (`"UID FETCH"`, `"SELECT"`) to what is answered: octets in which `<tag>`
stands for the command's tag, or a list of such, one for each time, the last of which then stays, or a function of the
command line that returns them. `None` closes the connection. The longest key that fits counts. Literals are taken as
RFC 9051 says: `{n}` is answered with `+ go`, unless `refuse_literal` says otherwise.
"""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any, Self

from syncer.imap.auth import Password
from syncer.imap.connection import ServerSettings, connect

Said = bytes | None
Answer = Said | list[Said] | Callable[[bytes], Said]

NOW = 1_700_000_000
CAPABILITIES = b"IMAP4rev1 LITERAL+ UIDPLUS MOVE NAMESPACE UNSELECT CONDSTORE"
SELECT = (
    b"* FLAGS (\\Seen \\Deleted)\r\n* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 10] ok\r\n"
    b"* OK [HIGHESTMODSEQ 5]\r\n* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] ok\r\n<tag> OK [READ-WRITE] done\r\n"
)


def fetched(uid: int, octets: bytes, flags: bytes = b"", date: bytes = b"17-Jul-1996 02:44:25 -0700") -> bytes:
    """A FETCH response with a body, as Dovecot writes it."""
    head = b'* 1 FETCH (UID %d FLAGS (%s) INTERNALDATE "%s" BODY[] {%d}\r\n' % (uid, flags, date, len(octets))
    return head + octets + b")\r\n"


class Scripted:
    """Run it with `with`. `lines` holds every line that clients sent, literals in their place."""

    def __init__(
        self,
        replies: Mapping[str, Answer] | None = None,
        *,
        capabilities: bytes = CAPABILITIES,
        greeting: bytes | None = None,
        cut_after: int | None = None,
        context: ssl.SSLContext | None = None,
        implicit: bool = False,
        refuse_literal: bytes | None = None,
        host: str = "127.0.0.1",
        buffers: int | None = None,
    ) -> None:
        self.replies: dict[str, Answer] = {
            "CAPABILITY": b"* CAPABILITY %s\r\n<tag> OK done\r\n" % capabilities,
            "LOGIN": b"<tag> OK [CAPABILITY %s] in\r\n" % capabilities,
            "NAMESPACE": b'* NAMESPACE (("" "/")) NIL NIL\r\n<tag> OK done\r\n',
            "SELECT": SELECT,
            "LOGOUT": None,
            "STARTTLS": b"<tag> OK begin\r\n",
            "DONE": b"<tag> OK done\r\n",
            "": b"<tag> OK done\r\n",
        }
        self.replies.update(replies or {})
        self.greeting = greeting or b"* OK [CAPABILITY %s] ready\r\n" % capabilities
        self.cut_after = cut_after
        self.context = context
        self.implicit = implicit
        self.refuse_literal = refuse_literal
        self.refuse_after: int | None = None
        """Once, a command with more literals than this is refused in its middle; the rest is taken and dropped."""
        self.lines: list[bytes] = []
        self.connections = 0
        self._times: dict[str, int] = {}
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((host, 0))
        if buffers:
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                self._listener.setsockopt(socket.SOL_SOCKET, option, buffers)
        self.host, self.port = self._listener.getsockname()[:2]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def commands(self, word: str) -> list[bytes]:
        """The lines sent that are this command, without their tags."""
        bare = [line.partition(b" ")[2] for line in self.lines]
        return [line for line in bare if line.upper().startswith(word.encode())]

    def say(self, octets: bytes) -> None:
        """Something that nobody has asked for, on the last connection."""
        self._open[-1].sendall(octets)

    def _begin(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.append(sock)
            self._begin(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError, AssertionError):
            if self.implicit and self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self._converse(sock)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    def _converse(self, sock: socket.socket) -> None:
        reader = sock.makefile("rb")
        self._say(sock, self.greeting)
        idle = b""
        while line := reader.readline():
            command = line
            refused = False
            literals = 0
            while match := re.search(rb"\{(\d+)(\+?)\}\r\n\Z", command):
                if not match[2] and self.refuse_literal is not None:
                    self._say(sock, self.refuse_literal.replace(b"<tag>", line.split()[0]))
                    refused = True
                    break
                literals += 1
                if self.refuse_after is not None and literals > self.refuse_after:
                    self._say(sock, line.split()[0] + b" NO no more\r\n")
                    self.refuse_after, refused = None, True
                if not match[2]:
                    self._say(sock, b"+ go\r\n")
                literal = reader.read(int(match[1]))
                command += literal + (following := reader.readline())
                assert following.endswith(b"\n")
            self.lines.append(command.rstrip(b"\r\n"))
            if refused:
                continue
            if command.upper().split()[1:] == [b"IDLE"]:
                idle = line.split()[0]
            answer = self._answer(b"x DONE" if command == b"DONE\r\n" else command)
            if answer is None:
                return
            self._say(sock, answer.replace(b"<tag>", idle if command == b"DONE\r\n" else line.split()[0]))
            if command.upper().split()[1:] == [b"STARTTLS"] and self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
                self._open.append(sock)
                reader = sock.makefile("rb")

    def _answer(self, command: bytes) -> Said:
        bare = command.partition(b" ")[2].upper()
        key = max((key for key in self.replies if bare.startswith(key.encode())), key=len)
        answer = self.replies[key]
        if callable(answer):
            return answer(command)
        if isinstance(answer, list):
            place = self._times[key] = self._times.get(key, -1) + 1
            return answer[min(place, len(answer) - 1)]
        return answer

    def _say(self, sock: socket.socket, octets: bytes) -> None:
        if self.cut_after is not None:
            octets, self.cut_after = octets[: self.cut_after], self.cut_after - len(octets)
            if self.cut_after < 0:
                sock.sendall(octets)
                raise OSError("cut")
        sock.sendall(octets)


def settings_for(script: Scripted, **changes: Any) -> ServerSettings:
    """Settings for a scripted server."""
    values = {
        "account": "work",
        "host": script.host,
        "port": script.port,
        "tls": "off",
        "user": "me",
        "password": Password("hunter2"),
        "connect_seconds": 5.0,
        "read_seconds": 5.0,
    }
    return ServerSettings(**{**values, **changes})


def attempt(script: Scripted, **changes: Any) -> list[float]:
    """Connect with three attempts; the pauses that were made."""
    pauses: list[float] = []
    try:
        connect(settings_for(script, **changes), sleep=pauses.append).close()
    finally:
        script.pauses = pauses  # type: ignore[attr-defined]
    return pauses
