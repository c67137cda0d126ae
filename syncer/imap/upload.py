"""APPEND: many messages in a command where the server takes that (RFC 3502), several commands under way at once.

A message of up to 1 MiB is read whole before its first octet is announced, so that a file that changes meanwhile costs
nothing but itself, and is sent at once: while the server works on what it has, the next one is read. A larger one, and
one whose literal the server wants to be asked for, goes alone when nothing else is under way; a large one is announced
and waited for also where the server would take it unasked, so that it can refuse it before it was sent. Octets that
were announced and cannot be delivered leave one way out, to break the connection off.

A command with several messages is done as a whole or not at all (RFC 3502 section 6.3.11). When the server says that it
did not do one, each of its messages is sent again by itself: only those that are to blame are refused. Not every server
keeps to that (Stalwart keeps the messages before the one that it refuses), so UIDNEXT has to say first that nothing was
kept. Without a tagged reply nothing is ever sent again here.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice

from syncer.errors import ConnectionLostError, MailboxError, MessageError, NoSuchMailboxError, ProtocolError
from syncer.imap.alone import NotSentError, append_alone, exactly, head
from syncer.imap.appenduid import new_uids
from syncer.imap.arguments import Argument, Literal
from syncer.imap.responses import Status
from syncer.imap.wire import Wire
from syncer.ports import Appended, Outgoing
from syncer.reconcile.flags import Flags
from syncer.values import Struct, field

_SMALL = 1024 * 1024
_COMMAND = 100
_COMMAND_OCTETS = 1024 * 1024
"""Where a command ends. A longer one is not faster, and all of it is sent again if one of its messages is refused."""
_IN_FLIGHT = 400
_IN_FLIGHT_OCTETS = 4 * 1024 * 1024
"""So much is sent before a reply is waited for: enough for the server not to wait for us at 100 MB/s and 40 ms."""
_BUFFER = 128 * 1024


class _Message(Struct, frozen=True):
    outgoing: Outgoing
    flags: Flags


class _Command(Struct):
    """One APPEND. Without a tag there is none, only messages that are not sent."""

    tag: bytes | None
    messages: list[_Message | Appended] = field(default_factory=list)
    """Those in the command, and among them those that are not sent and only have their turn."""
    sent: int = 0
    octets: int = 0
    status: Status | None = None
    """The reply, once it was read."""

    @property
    def done(self) -> bool:
        """The server took its messages."""
        return self.status is not None and self.status.kind == "OK"


class Upload:
    """One run of APPENDs into one mailbox. Use `outcomes` once."""

    def __init__(
        self,
        wire: Wire,
        target: Argument,
        limit: int | None,
        believe: Callable[[int], bool],
        uidnext: Callable[[], int | None] | None,
    ) -> None:
        """`limit` is APPENDLIMIT (RFC 7889); `believe` tells whether a UIDVALIDITY is the mailbox's.

        `uidnext` asks for the mailbox's UIDNEXT, while no command is under way; None without MULTIAPPEND.
        """
        self._wire = wire
        self._target = target
        self._limit = limit
        self._believe = believe
        self._uidnext = uidnext
        self._before: int | None = None
        """UIDNEXT before the first command; of those since then the server took `_taken` messages."""
        self._taken = 0
        self._most = 1
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
        """Append each message and yield the outcomes in order.

        Raises:
            NoSuchMailboxError: there is no such mailbox.
            MailboxError: the server refused several messages and may have kept some; the others' outcome is unknown.
        """
        try:
            rest = iter(messages)
            first = list(islice(rest, 2))
            if len(first) > 1 and self._uidnext is not None:
                self._before = self._uidnext()
                self._most = _COMMAND if self._before else 1
            for outgoing, flags in chain(first, rest):
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
            self._not_sent(outgoing, why)
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

    def _not_sent(self, outgoing: Outgoing, why: str) -> None:
        if not self._commands:
            self._commands.append(_Command(None))
        self._commands[-1].messages.append(Appended(outgoing.name, refused=why))
        self._count += 1

    def _send(self, message: _Message, parts: Sequence[bytes], size: int) -> None:
        command = self._open
        if command is None:
            tag = self._wire.next_tag()
            command = self._open = _Command(tag)
            self._commands.append(command)
            self._put((tag, b" APPEND ", *self._name()), 0)
        command.messages.append(message)
        command.sent += 1
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
            self._wire.renew()  # the time that has passed may be that of whoever gives us the messages
            self._wire.write(b"".join(parts))

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
            self._not_sent(outgoing, str(error))
            return
        self._commands.append(_Command(tag, [_Message(outgoing, flags)], 1, size))
        self._count += 1
        self._octets += size

    def _drain(self) -> Iterator[Appended]:
        self._end()
        while self._commands:
            yield from self._next()

    def _settle(self) -> _Command:
        """Wait for the reply to the oldest command."""
        command = self._commands[0]
        self._wait(command)
        self._commands.popleft()
        self._count -= len(command.messages)
        self._octets -= command.octets
        return command

    def _wait(self, command: _Command) -> None:
        self._flush()
        self._wire.renew()
        while command.tag is not None and command.status is None:
            command.status = self._wire.reply(command.tag)
            if command.status is None:
                self._wire.read()

    def _next(self) -> Iterator[Appended]:
        """The outcomes of the oldest command; none if its messages are tried again."""
        command = self._settle()
        refused = None
        if command.done:
            self._taken += command.sent
            if 1 < self._most <= command.sent:
                self._most = min(2 * self._most, _COMMAND)
        elif command.status is not None:
            refused = command.status.words
            if command.status.has("TRYCREATE", "NONEXISTENT"):
                raise NoSuchMailboxError(f"{self._wire.where}: the mailbox to append to does not exist: {refused}")
            if command.sent > 1:
                self._insist_nothing_was_kept(refused)
                self._each_alone(command)
                return
        uids = iter(new_uids(command.status, command.sent, self._believe))
        for message in command.messages:
            if isinstance(message, Appended):
                yield message
            elif refused is not None:
                yield Appended(message.outgoing.name, refused=refused)
            else:
                yield Appended(message.outgoing.name, next(uids))

    def _insist_nothing_was_kept(self, words: str) -> None:
        """After a refusal of several messages: UIDNEXT is what it must be if those and no others were appended."""
        for command in self._commands:
            self._wait(command)
        taken = self._taken + sum(command.sent for command in self._commands if command.done)
        now = self._uidnext() if self._uidnext is not None else None
        if now is None or self._before is None or now != self._before + taken:
            raise MailboxError(
                f"{self._wire.where}: the server refused one of several messages ({words}), and may have kept the"
                " others; nothing is sent again before the next sync has looked"
            )

    def _each_alone(self, command: _Command) -> None:
        """Send the messages of a refused command again, each in a command of its own.

        The next commands are shorter, until one is taken: where nearly everything is refused (over quota), or the
        server does not do what it announces, everything would be sent twice.
        """
        behind, self._commands = self._commands, deque()
        most, self._most = self._most, 1
        try:
            for message in command.messages:
                if isinstance(message, _Message):
                    self._once_more(message)
                else:
                    self._commands.append(_Command(None, [message]))
                    self._count += 1
        finally:
            self._commands += behind
            self._most = max(most // 4, 1)

    def _once_more(self, message: _Message) -> None:
        size = message.outgoing.fingerprint.size
        try:
            parts = self._parts(message.outgoing, message.flags, size)
        except (MessageError, NotSentError) as error:
            self._not_sent(message.outgoing, str(error))
        else:
            self._send(message, parts, size)
