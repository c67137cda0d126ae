"""Commands out, responses in, over one connection.

Nothing is sent that was not checked: arguments are made in `arguments`, and a command line is refused if it holds CR,
LF or NUL. Several commands may be under way at once; whoever sends them reads until each has its tagged reply. Command
lines leave together, at the latest when a reply is waited for, so that commands that do not depend on each other cost
one round trip. Once anything goes wrong on the connection it is closed: the state of a command whose reply was not
read is unknown.
"""

from collections.abc import Callable
from typing import NoReturn

from syncer.errors import ConnectionLostError, ProtocolError
from syncer.imap.arguments import FORBIDDEN, Argument
from syncer.imap.kept import Kept
from syncer.imap.responses import LITERAL, Continuation, Response, Status, parse
from syncer.imap.throttling import pause_in
from syncer.imap.transport import Transport
from syncer.values import Struct

MAX_SMALL_LITERAL = 1024 * 1024
"""For literals that are kept in memory (mailbox names and the like), all those of one response together."""
_MAX_LITERALS = 10_000
"""Of one response; they may be empty."""
_OUTBOX = 16_384
"""So many octets of command lines may wait for company."""


class Reply(Struct, frozen=True):
    """A command's tagged reply and the untagged responses that came before it."""

    status: Status
    untagged: tuple[Response, ...]

    @property
    def ok(self) -> bool:
        """The server did it."""
        return self.status.kind == "OK"


class Wire:
    """One connection after its greeting. Every method may raise ConnectionLostError and ProtocolError."""

    def __init__(self, transport: Transport, where: str, *, command_seconds: float) -> None:
        """`where` names account and host, for messages; `command_seconds` is how long one command may take."""
        self.where = where
        self.transport = transport
        self.literal_plus = self.literal_minus = False
        self.observe: Callable[[Response], None] = lambda _response: None
        self.heard = 0
        """Octets of all responses so far that were taken apart."""
        self._seconds = command_seconds
        self._tag = 0
        self._closed: str | None = None
        self._outbox = bytearray()
        self._waiting: set[bytes] = set()
        self._replies: dict[bytes, Status] = {}

    @property
    def closed(self) -> str | None:
        """Why nothing can be sent any more; None as long as the connection stands."""
        return self._closed

    @property
    def sent(self) -> int:
        """How many commands were sent."""
        return self._tag

    def run(
        self,
        *arguments: Argument,
        each: Callable[[Response], None] | None = None,
        line: Callable[[bytes], bool] | None = None,
    ) -> Reply:
        """Send a command and `wait` for its reply. With `each`, untagged responses are given to it and not kept."""
        return self.collect(self.send(*arguments), each=each, line=line)

    def collect(
        self,
        tag: bytes,
        *,
        each: Callable[[Response], None] | None = None,
        line: Callable[[bytes], bool] | None = None,
    ) -> Reply:
        """`wait` for the reply to a command that was sent."""
        kept = Kept(self)
        status = self.wait(tag, each or kept.add, line)
        return Reply(status, tuple(kept.responses))

    def wait(
        self,
        tag: bytes,
        each: Callable[[Response], None] = lambda _response: None,
        line: Callable[[bytes], bool] | None = None,
    ) -> Status:
        """Read until the reply to `tag` is there.

        Untagged responses are given to `each`, whichever command under way they belong to. `line` is shown every line
        before it is taken apart and returns True for one that it has dealt with.
        """
        while (status := self.reply(tag)) is None:
            text = self.line()
            while line is not None and line(text):
                text = self.line()
            response = self.rest(text)
            if not isinstance(response, Status) or not response.tag:
                each(response)
        return status

    def send(self, *arguments: Argument) -> bytes:
        """Send a command, its arguments separated by spaces; returns the tag, whose `reply` then has to be read for.

        A literal that has to wait for the server's `+` is only sent while no other command is under way. When
        the server refuses it, the reply is already there.
        """
        tag = line = self.next_tag()
        for argument in arguments:
            line += b" "
            if isinstance(argument, bytes):
                if FORBIDDEN.search(argument):
                    raise ValueError("a command with NUL, CR or LF is not sent")
                line += argument
                continue
            if not self.announce(tag, line, len(argument.octets)):
                return tag
            line = argument.octets
        self._outbox += line + b"\r\n"
        if len(self._outbox) > _OUTBOX:
            self.flush()
        return tag

    def next_tag(self) -> bytes:
        """A tag for a command that the caller sends in pieces, with `announce` and `write`."""
        self._tag += 1
        tag = b"s%d" % self._tag
        self._waiting.add(tag)
        self.renew()
        return tag

    def asks(self, size: int) -> bool:
        """Whether a literal of this size has to wait for the server's leave (RFC 7888)."""
        return not (self.literal_plus or (self.literal_minus and size <= 4096))

    def announce(self, tag: bytes, line: bytes, size: int, *, ask: bool = False) -> bool:
        """Send `line` and the head of a literal; False if the server refused it, with the reply already there."""
        if not ask and not self.asks(size):
            self.write(line + b"{%d+}\r\n" % size)
            return True
        self.write(line + b"{%d}\r\n" % size)
        while tag not in self._replies:
            if isinstance(self.read(), Continuation):
                return True
        return False

    def flush(self) -> None:
        """Send the command lines that still wait for company."""
        if self._outbox:
            self.write(b"")

    def write(self, data: bytes) -> None:
        """Send octets as they are, after the command lines that still wait."""
        if self._outbox:
            data = bytes(self._outbox) + data
            self._outbox.clear()
        try:
            self.transport.send(data)
        except (OSError, ValueError) as error:
            self._broken(error)
        except BaseException:
            self.shut("it was interrupted")  # in the middle of a line or a literal: nobody knows where
            raise

    def awaits(self, tag: bytes) -> bool:
        """Whether the server has not replied to a command yet, as far as was read."""
        return tag in self._waiting

    def reply(self, tag: bytes) -> Status | None:
        """The tagged reply to a command, once it was read; only the first call gets it."""
        return self._replies.pop(tag, None)

    def renew(self) -> None:
        """The command made progress: its time begins again."""
        self.transport.allow(self._seconds)

    def ready(self, seconds: float, wake: int) -> bool:
        """Whether something can be read within `seconds`, without a command; False when `wake` can be read first."""
        self.flush()
        try:
            ready = self.transport.said(seconds, wake)
        except (OSError, ValueError) as error:
            self._broken(error)
        self.renew()
        return ready

    def read(self) -> Response:
        """The next response; a tagged one is also kept for `reply`."""
        return self.rest(self.line())

    def line(self) -> bytes:
        """The next line as it is, which may end in the head of a literal. Follow it with `rest` or `chunk`."""
        if self._outbox:
            self.flush()
        try:
            line = self.transport.line()
        except (OSError, ValueError, ProtocolError) as error:
            self._broken(error)
        except BaseException:
            self.shut("it was interrupted")  # in the middle of a line or a literal: nobody knows where
            raise
        if not line.endswith(b"\n"):
            self._lost("the server closed the connection")
        return line

    def rest(self, line: bytes, before: tuple[bytes, ...] = ()) -> Response:
        """The response that `line` begins (after `before`, text and literal in turn), with its small literals."""
        parts = [*before]
        octets = 0
        while match := LITERAL.search(line):
            size = int(match[1])
            octets += size
            if octets > MAX_SMALL_LITERAL or len(parts) > 2 * _MAX_LITERALS:
                self.fail(f"the server sent a literal of {size} octets where none or a short one belongs")
            parts += [line[: match.start()], self.chunk(size)]
            self.heard += len(line)
            line = self.line()
        self.heard += len(line) + octets
        try:
            response = parse([*parts, line.rstrip(b"\r\n")])
        except ProtocolError as error:
            self.fail(str(error))
        self._note(response)
        return response

    def chunk(self, size: int) -> bytes:
        """Exactly `size` octets of a literal; ask for 64 KiB at most at a time."""
        if self._outbox:
            self.flush()
        try:
            chunk = self.transport.reader.read(size)
        except (OSError, ValueError) as error:
            self._broken(error)
        except BaseException:
            self.shut("it was interrupted")  # in the middle of a line or a literal: nobody knows where
            raise
        if len(chunk) < size:
            self._lost("the server closed the connection in the middle of a message")
        return chunk

    def fail(self, what: str) -> NoReturn:
        """Close the connection: the server does not speak IMAP any more.

        Raises:
            ProtocolError: always.
        """
        self.shut(what)
        raise ProtocolError(f"{self.where}: {what}; the connection was closed, try again")

    def break_off(self, why: str) -> NoReturn:
        """Close the connection in the middle of something that cannot be taken back.

        Raises:
            ConnectionLostError: always.
        """
        self._lost(why)

    def shut(self, why: str) -> None:
        """Close the socket. Never raises."""
        self._closed = self._closed or why
        try:
            self.transport.socket.close()
        except OSError:
            return  # it is as closed as it can be

    def _note(self, response: Response) -> None:
        if isinstance(response, Status):
            if response.tag:
                if response.tag not in self._waiting:
                    self.fail(f"the server answered a command that was not sent: {response.words}")
                self._waiting.discard(response.tag)
                self._leave_alone_if_asked(response)
                self._replies[response.tag] = response
                return
            if response.kind == "BYE":
                self._leave_alone_if_asked(response)
                self._lost(f"the server ended the session: {response.words}")
        self.observe(response)

    def _leave_alone_if_asked(self, said: Status) -> None:
        if said.kind != "OK" and (pause := pause_in(said.words)) is not None:
            self.shut(f"the server asks for a pause: {said.words}")
            raise ConnectionLostError(f"{self.where}: the server asks for a pause: {said.words}").after(pause)

    def _broken(self, error: Exception) -> NoReturn:
        if self._closed is not None:
            raise ConnectionLostError(f"{self.where}: the connection is closed ({self._closed})") from error
        if isinstance(error, ProtocolError):
            self.fail(str(error))
        self._lost(str(error))

    def _lost(self, why: str) -> NoReturn:
        self.shut(why)
        raise ConnectionLostError(f"{self.where}: the connection was lost ({why}); try again")
