"""`python -m torture.recording`: plays every errand with real servers, and keeps what they answered.

Only needed when an errand, or the way in which the adapter asks, has changed.
"""

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

from e2e.client import Client
from e2e.costs import CONDSTORE
from servers.base import Server
from servers.courier import Courier
from servers.cyrus import Cyrus
from servers.dovecot import Dovecot
from servers.mail import note

from syncer.imap import connection
from syncer.imap.auth import Password
from syncer.imap.connection import ServerSettings
from syncer.imap.dial import Endpoint
from syncer.imap.dial import dial as really_dial
from torture.errands import AWAY, ERRANDS, HOME, Errand, Facts, perform
from torture.playback import Conversation, save
from torture.streams import Commands, kind_of, responses
from torture.witness import Witness

POOR = (
    "QRESYNC CONDSTORE ENABLE ESEARCH MOVE UIDPLUS LITERAL+ MULTIAPPEND LIST-STATUS LIST-EXTENDED SPECIAL-USE "
    "NAMESPACE UNSELECT SASL-IR"
)
"""What the poorest server does not have."""


def servers() -> dict[str, Server]:
    """Every rung of the ladder."""
    return {
        "dovecot": Dovecot(),
        "dovecot-condstore": Dovecot(hide=CONDSTORE.partition("-hides-")[2].split(",")),
        "dovecot-poor": Dovecot(hide=POOR.split()),
        "cyrus": Cyrus(),
        "courier": Courier(),
    }


@dataclass
class Listener:
    """A socket that passes everything on and keeps it."""

    socket: socket.socket
    sent: bytearray = field(default_factory=bytearray)
    heard: bytearray = field(default_factory=bytearray)

    def __getattr__(self, name: str) -> Any:
        """As the socket has it."""
        if name == "getpeercert":
            raise AttributeError(name)
        return getattr(self.socket, name)

    def send(self, data: bytes) -> int:
        """See socket."""
        count = self.socket.send(data)
        self.sent += bytes(data[:count])
        return count

    def recv_into(self, buffer: memoryview) -> int:
        """See socket."""
        count = self.socket.recv_into(buffer)
        self.heard += buffer[:count]
        return count

    def recv(self, size: int) -> bytes:
        """See socket."""
        data = self.socket.recv(size)
        self.heard += data
        return data


def anywhere(text: str) -> str:
    """A server's words without the name of the machine on which they were recorded."""
    return re.sub(rf"(?<=[ <]){re.escape(socket.gethostname())}(?=[ -])", "localhost", text)


def conversation(name: str, errand: str, facts: Facts, listener: Listener) -> Conversation:
    """Cut what was heard into replies."""
    commands = [each for each in Commands().feed(bytes(listener.sent)) if each is not None]
    greeting, *said = responses(bytes(listener.heard))
    leave, block, replies = b"+ OK\r\n", b"", dict[bytes, bytes]()
    tags = {command.tag for command in commands}
    for response in said:
        tag = response.partition(b" ")[0]
        if kind_of(response) == "+":
            leave = response
        elif tag in tags:
            replies[tag] = block + b"<tag>" + response[len(tag) :]
            block = b""
        else:
            block += response
    exchanges = [
        (command.text.decode("latin-1"), anywhere(replies[command.tag].decode("latin-1")))
        for command in commands
        if command.tag in replies
    ]
    known = replace(facts, memory=anywhere(facts.memory)) if facts.memory else facts
    hello = anywhere(greeting.decode("latin-1"))
    return Conversation(name, errand, hello, leave.decode("latin-1"), exchanges, known.as_json())


@contextmanager
def listening() -> Iterator[list[Listener]]:
    """Every connection that is made meanwhile."""
    made: list[Listener] = []

    def dial(endpoint: Endpoint) -> Any:
        made.append(Listener(really_dial(endpoint)))
        return made[-1]

    with mock.patch.object(connection, "dial", dial):
        yield made


def settings_of(server: Server, user: str) -> ServerSettings:
    """To log in there."""
    return ServerSettings("test", server.host, server.port, "off", user, Password(server.password), read_seconds=10)


def record(name: str, server: Server, errand: Errand) -> Conversation:
    """Play one errand."""
    user, large = server.new_user(), errand.large and name == "dovecot"
    client = Client(server.host, server.port, user, server.password, separator=server.separator, prefix=server.prefix)
    for mailbox in (HOME, AWAY):
        client.create(mailbox)
    client.append("INBOX", note("i1"))
    for number in range(1, 9):
        flags = [[], ["\\Seen"], ["\\Seen", "work"], ["\\Flagged", "\\Answered"]][number % 4]
        client.append(HOME, note(f"h{number}", size=70_000 if large and number == 5 else 100 * number), flags)
    client.append(AWAY, note("a1"))
    client.append(AWAY, note("a2"))
    settings = settings_of(server, user)
    facts = Facts.of_now(settings)
    if errand.changing:
        uids = client.uids(HOME)
        client.expunge(HOME, [uids[2]])
        client.store(HOME, [uids[3]], "+FLAGS", ["\\Draft", "todo"])
        client.append(HOME, note("h9"), ["\\Seen"])
        client.append(HOME, note("h10"))
    client.close()
    with listening() as made:
        server_port = connection.connect(settings, memory=facts.memory if errand.early else None, early=errand.early)
        perform(errand, server_port, facts, Witness(None))
        server_port.close()
    return conversation(name, errand.name, facts, made[0])


def main() -> None:
    """All servers."""
    wanted = set(sys.argv[1:])
    for name, server in servers().items():
        if wanted and name not in wanted:
            continue
        with server:
            found = [record(name, server, errand) for errand in ERRANDS]
        for each in found:
            words = [re.match(r"(UID )?\w+", command) for command, _ in each.exchanges]
            print(each.name, *(match[0] for match in words if match), sep=" | ")
        save(found, name)


if __name__ == "__main__":
    main()
