"""A stage for a scene: an account on a Dovecot, a Maildir, a program between them, and harm on both sides."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.client import Client
from e2e.maildirs import Maildirs
from servers.dovecot import Dovecot
from servers.mail import note, token_of
from servers.proxy import CountingProxy

from bench.contenders import Site
from torture.programs import SYNCER, Program, Ran

BOX: Final = "Box"
SIZE: Final = 5_000
"""Octets of a message."""


@dataclass(frozen=True)
class State:
    """Where the messages are that were ever on the server."""

    messages: int
    server: int
    maildir: int
    attic: int
    """Taken out of the Maildir by the program, and kept."""
    lost: int
    """In none of these places."""
    doubled: int
    """Copies beyond the first, on either side."""
    crossed: int
    """Files that the program takes for another message of the server."""


class Stage:
    """An account, a Maildir and a program between them."""

    def __init__(self, server: Dovecot, program: Program, directory: Path) -> None:
        """Everything local lies below `directory`, which is made."""
        directory.mkdir()
        self.server, self.program = server, program
        self.user = server.new_user()
        self.proxy = CountingProxy(server.port)
        self.site = Site(self.proxy.port, self.user, server.password, directory)
        self.local = Maildirs(self.site.mail)
        self.born: list[str] = []
        self.last = Ran(0, "")
        self.statuses: list[int] = []
        self.states: list[State] = []
        program.contender.configure(self.site)
        with self.client() as client:
            client.create(BOX)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Another mail program, which leaves no session behind: the store is changed under the server."""
        server = self.server
        options = {"separator": server.separator, "prefix": server.prefix}
        client = Client(server.host, server.port, self.user, server.password, **options)
        try:
            yield client
        finally:
            client.close()

    def arrive(self, tokens: Iterable[str]) -> None:
        """New messages on the server."""
        tokens = list(tokens)
        with self.client() as client:
            client.fill(BOX, [(note(token, size=SIZE), frozenset(), 1_500_000_000) for token in tokens])
        self.born += [token for token in tokens if token not in self.born]

    def begin(self) -> None:
        """A pass before anything goes wrong."""
        ran = self.program.run(self.site)
        assert ran.status == 0, ran.said
        state = self.state()
        assert state.server == state.maildir == state.messages, (state, ran.said)

    def sync(self) -> None:
        """A pass after that; one that complains is remembered for its last words."""
        ran = self.program.run(self.site)
        assert "Traceback" not in ran.said or self.program is not SYNCER, ran.said
        if ran.status or not any(self.statuses):
            self.last = ran
        self.statuses.append(ran.status)
        self.states.append(self.state())

    def vanish(self, tokens: Iterable[str]) -> None:
        """Message files go, by nobody's wish."""
        for file in self.local.files(BOX):
            if token_of(file.octets) in tokens:
                file.path.unlink()

    @property
    def home(self) -> Path:
        """The account on the server's disk."""
        return self.server.home(self.user)

    def save(self) -> Path:
        """A backup of the account, taken from the server's disk."""
        backup = self.site.directory / "backup"
        subprocess.run(["cp", "-a", str(self.home), str(backup)], check=True)
        return backup

    def put_back(self, backup: Path) -> None:
        """The account is what the backup says."""
        shutil.rmtree(self.home)
        subprocess.run(["cp", "-a", str(backup), str(self.home)], check=True)

    def state(self) -> State:
        """Where the messages are now."""
        with self.client() as client:
            there = {message.uid: token_of(message.octets) for message in client.messages(BOX)}
        files = self.local.files(BOX) if (self.local.directory(BOX) / "cur").is_dir() else []
        here = Counter(token_of(file.octets) for file in files)
        attic = {token_of(path.read_bytes()) for path in self.program.kept(self.site)}
        pairs = list(self.program.pairs(self.site, BOX)) if files else []
        born = set(self.born)
        return State(
            messages=len(born),
            server=len(born.intersection(there.values())),
            maildir=len(born & here.keys()),
            attic=len(born & attic),
            lost=len(born - set(there.values()) - here.keys() - attic),
            doubled=sum(number - 1 for side in (Counter(there.values()), here) for number in side.values()),
            crossed=sum(uid in there and there[uid] != token_of(path.read_bytes()) for uid, path in pairs),
        )
