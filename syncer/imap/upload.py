"""APPEND: many messages in a command where the server takes that (RFC 3502), several commands under way at once.

A message of up to 1 MiB is read whole before its first octet is announced, so that a file that changes meanwhile costs
nothing but itself, and is sent at once: while the server works on what it has, the next one is read. A larger one, and
one whose literal the server wants to be asked for, goes alone when nothing else is under way; a large one is announced
and waited for also where the server would take it unasked, so that it can refuse it before it was sent. Octets that
were announced and cannot be delivered leave one way out, to break the connection off.

A command with several messages is done as a whole or not at all (RFC 3502 section 6.3.11). Once the server has said
that it did not do one, each of its messages is sent again by itself: only those that are to blame are refused. Without
a tagged reply nothing is ever sent again here.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from syncer.errors import ConnectionLostError, MessageError, NoSuchMailboxError, ProtocolError
from syncer.imap.alone import NotSentError, append_alone, exactly, head
from syncer.imap.arguments import Argument, Literal
from syncer.imap.responses import Status, number
from syncer.imap.sets import ascending
from syncer.imap.wire import Wire
from syncer.ports import Appended, Outgoing
from syncer.reconcile.flags import Flags
from syncer.reconcile.identity import Uid

_SMALL = 1024 * 1024
_COMMAND = 100
_COMMAND_OCTETS = 1024 * 1024
"""Where a command ends. A longer one is not faster, and all of it is sent again if one of its messages is refused."""
_IN_FLIGHT = 400
_IN_FLIGHT_OCTETS = 4 * 1024 * 1024
"""So much is sent before a reply is waited for: enough for the server not to wait for us at 100 MB/s and 40 ms."""
_BUFFER = 128 * 1024


@dataclass(frozen=True, slots=True)
class _Message:
    outgoing: Outgoing
    flags: Flags
    why: str | None = None
    """Why it is not sent."""


@dataclass(slots=True)
class _Command:
    """One APPEND, and what is not sent and has its turn after it. Without a tag there is only the latter."""

    tag: bytes | None
    messages: list[_Message]
    octets: int = 0

    @property
    def sent(self) -> int:
        """How many messages are in the command."""
        return sum(message.why is None for message in self.messages)


class Upload:
    """One run of APPENDs into one mailbox. Use `outcomes` once."""

    def __init__(
        self, wire: Wire, target: Argument, limit: int | None, believe: Callable[[int], bool], *, multi: bool
    ) -> None:
        """`limit` is APPENDLIMIT (RFC 7889), `multi` says that the server has MULTIAPPEND.

        `believe` tells whether a UIDVALIDITY is the mailbox's.
        """
        self._wire = wire
        self._target = target
        self._limit = limit
        self._believe = believe
        self._most = _COMMAND if multi else 1
        self._asks_for_name = isinstance(target, Literal) and wire.asks(len(target.octets))
        self._commands: deque[_Command] = deque()
        """Those without a reply, in the order of their messages."""
        self._open: _Command | None = None
        """The last of them, while more messages may follow."""
        self._count = self._octets = 0
        """Of all messages of `_commands`."""
        self._buffer: list[bytes] = []
        self._buffered = 0

    def outcomes(self, messages: Iterable[tuple[Outgoing, Flags]]) -> Generator[Appended, None, None]:
        """Append each message and yield the outcomes in order."""
        try:
            for outgoing, flags in messages:
                yield from self._append(outgoing, flags)
            yield from self._drain()
        finally:
            # Nobody waits for these outcomes any more; that the connection is closed is told by the next call.
            with suppress(ConnectionLostError, ProtocolError):
                if not self._wire.closed:
                    self._end()
                while self._commands and not self._wire.closed:
                    self._settle()

    def _append(self, outgoing: Outgoing, flags: Flags) -> Iterator[Appended]:
        size = outgoing.fingerprint.size
        why = self._objection(size)
        if not why and (size > _SMALL or self._wire.asks(size) or self._asks_for_name):
            yield from self._drain()
            self._send_alone(outgoing, flags, size)
            return
        parts: tuple[bytes, ...] = ()
        if not why:
            try:
                parts = self._parts(outgoing, flags, size)
            except (MessageError, NotSentError, ValueError) as error:
                why = str(error)
        if self._open is not None and self._open.octets + size > _COMMAND_OCTETS:
            self._end()
        if self._open is None:
            # Never while a command is open: the replies that are waited for here may mean that others are to be sent.
            while self._commands and (self._count >= _IN_FLIGHT or self._octets + size > _IN_FLIGHT_OCTETS):
                yield from self._next()
        if why:
            self._not_sent(outgoing, flags, why)
        else:
            self._send(_Message(outgoing, flags), parts, size)

    def _objection(self, size: int) -> str:
        if size == 0:
            return "the file is empty, and an empty message cannot be appended"
        if self._limit is not None and size > self._limit:
            return f"the message has {size} octets, and the server takes {self._limit} (APPENDLIMIT)"
        return ""

    def _parts(self, outgoing: Outgoing, flags: Flags, size: int) -> tuple[bytes, ...]:
        """A message as it stands in a command, read whole."""
        return (head(outgoing, flags), b" {%d+}\r\n" % size, *exactly(outgoing.chunks(), size))

    def _not_sent(self, outgoing: Outgoing, flags: Flags, why: str) -> None:
        if not self._commands:
            self._commands.append(_Command(None, []))
        self._commands[-1].messages.append(_Message(outgoing, flags, why))
        self._count += 1

    def _send(self, message: _Message, parts: Sequence[bytes], size: int) -> None:
        command = self._open
        if command is None:
            tag = self._wire.next_tag()
            command = self._open = _Command(tag, [])
            self._commands.append(command)
            self._put((tag, b" APPEND ", *self._name()), 0)
        command.messages.append(message)
        command.octets += size
        self._count += 1
        self._octets += size
        self._put(parts, size)
        if len(command.messages) >= self._most:
            self._end()

    def _name(self) -> tuple[bytes, ...]:
        target = self._target
        return (b"{%d+}\r\n" % len(target.octets), target.octets) if isinstance(target, Literal) else (target,)

    def _put(self, parts: Sequence[bytes], size: int) -> None:
        self._buffer += parts
        self._buffered += size
        if self._buffered >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        parts, self._buffer, self._buffered = self._buffer, [], 0
        if parts:
            self._wire.write(b"".join(parts))
            self._wire.renew()

    def _end(self) -> None:
        """No more messages in the command that is open, if one is."""
        if self._open is not None:
            self._open = None
            self._buffer.append(b"\r\n")
            if self._most > 1:
                self._flush()

    def _send_alone(self, outgoing: Outgoing, flags: Flags, size: int) -> None:
        """A command of its own, while none is under way."""
        try:
            tag = append_alone(self._wire, self._target, outgoing, flags, ask=size > _SMALL)
        except (MessageError, NotSentError, ValueError) as error:
            self._not_sent(outgoing, flags, str(error))
            return
        self._commands.append(_Command(tag, [_Message(outgoing, flags)], size))
        self._count += 1
        self._octets += size

    def _drain(self) -> Iterator[Appended]:
        self._end()
        while self._commands:
            yield from self._next()

    def _settle(self) -> tuple[_Command, Status | None]:
        """Wait for the reply to the oldest command."""
        self._flush()
        command = self._commands[0]
        status = None
        while command.tag is not None and (status := self._wire.reply(command.tag)) is None:
            self._wire.read()
        self._wire.renew()
        self._commands.popleft()
        self._count -= len(command.messages)
        self._octets -= command.octets
        return command, status

    def _next(self) -> Iterator[Appended]:
        """The outcomes of the oldest command; none if its messages are tried again."""
        command, status = self._settle()
        refused = None
        if status is not None and status.kind != "OK":
            if status.has("TRYCREATE", "NONEXISTENT"):
                raise NoSuchMailboxError(f"{self._wire.where}: the mailbox to append to does not exist: {status.words}")
            if command.sent > 1:
                self._each_alone(command)
                return
            refused = status.words
        elif 1 < self._most <= command.sent:
            self._most = min(2 * self._most, _COMMAND)
        uids = iter(self._uids(status, command.sent))
        for message in command.messages:
            why = message.why or refused
            yield Appended(message.outgoing.name, None if why else next(uids), why)

    def _each_alone(self, command: _Command) -> None:
        """Send the messages of a refused command again, each in a command of its own.

        The next commands are shorter, until one is taken: where nearly everything is refused (over quota), or the
        server does not do what it announces, everything would be sent twice.
        """
        behind, self._commands = self._commands, deque()
        most, self._most = self._most, 1
        try:
            for message in command.messages:
                self._once_more(message)
        finally:
            self._commands += behind
            self._most = max(most // 2, 1)

    def _once_more(self, message: _Message) -> None:
        outgoing, flags, why = message.outgoing, message.flags, message.why
        if why is None:
            size = outgoing.fingerprint.size
            try:
                self._send(message, self._parts(outgoing, flags, size), size)
            except (MessageError, NotSentError) as error:
                why = str(error)
        if why is not None:
            self._not_sent(outgoing, flags, why)

    def _uids(self, status: Status | None, count: int) -> Sequence[Uid | None]:
        """APPENDUID's UIDs (RFC 4315 section 3), if they are as many, ascending, and in the UIDVALIDITY we know."""
        values = status.code.values if status and status.code and status.code.name == "APPENDUID" else ()
        match values:
            case (bytes(validity), bytes(uids)) if (known := number(validity)) and self._believe(known):
                return ascending(uids, count) or (None,) * count
        return (None,) * count
