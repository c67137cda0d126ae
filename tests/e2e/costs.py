"""A world whose `syncer` talks to the server through a proxy that counts, so that a test can say what a sync costs."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pytest
from e2e.maildirs import File
from e2e.world import World
from servers.base import Server
from servers.mail import note, token_of
from servers.proxy import Count, CountingProxy

SYNCS = 3
"""After so many syncs at most, one that finds nothing to do leaves the index as it was."""

DATE = 1_500_000_000

QRESYNC, CONDSTORE, PLAIN, STATUS, CYRUS, COURIER = (
    "dovecot",
    "dovecot-hides-QRESYNC",
    "dovecot-hides-QRESYNC,CONDSTORE",
    "dovecot-hides-LIST-STATUS,LIST-EXTENDED",
    "cyrus",
    "courier",
)
"""The rungs of the ladder on Dovecot, with LIST-STATUS and once without; and servers as they are."""

TELLS = "LOGIN, ENABLE, NAMESPACE, LIST"
TELLS_APART = TELLS + ", STATUS"
LISTS = "LOGIN, NAMESPACE, LIST"
ASKS = "LOGIN, CAPABILITY, NAMESPACE, LIST"
"""How a session begins with a server that is remembered."""

DIGITS = 64
"""So many octets may differ where the commands are the same: larger numbers have more digits, and Dovecot and Cyrus
say how long they took."""


def on(*cases: tuple[Any, ...]) -> list[Any]:
    """Parameters, of which the first is a server."""
    mark = {name: getattr(pytest.mark, name) for name in ("dovecot", "cyrus", "courier")}
    return [pytest.param(*case, marks=mark[case[0].partition("-")[0]], id=case[0]) for case in cases]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of `syncer` cost, log-in and log-out included."""

    commands: str
    """In the order of sending; `3 STATUS` are three of them in a row."""
    round_trips: int
    sent: int
    received: int
    lines: tuple[str, ...]
    """The commands as they were sent, without tags and literals."""

    @classmethod
    def of(cls, count: Count, names: Iterable[str]) -> "Cost":
        """What the proxy counted; `names` are those of the commands."""
        runs = [(name, len(list(run))) for name, run in groupby(names)]
        words = ", ".join(name if number == 1 else f"{number} {name}" for name, number in runs)
        return cls(words, count.round_trips, count.to_server, count.to_client, tuple(count.lines))

    @property
    def octets(self) -> int:
        """Both ways."""
        return self.sent + self.received

    @property
    def numbers(self) -> dict[str, int]:
        """How often each command was sent."""
        return dict(Counter(name_of(line) for line in self.lines))

    def without_octets(self) -> tuple[str, int]:
        """Commands and round trips."""
        return self.commands, self.round_trips

    def begins(self, command: str) -> list[str]:
        """The lines of these commands."""
        return [line for line in self.lines if line.startswith(command)]


def name_of(line: str) -> str:
    """A command's name, `UID` included."""
    words = line.split(" ")
    return " ".join(words[:2]) if words[0] == "UID" else words[0]


class Metered(World):
    """A world that counts, with one connection unless told otherwise. `syncer` runs in this process."""

    def __init__(self, server: Server, directory: Any, **settings: Any) -> None:
        """As a world."""
        self.proxy = CountingProxy(server.port)
        options = {"here": True, "connections": 1} | settings
        super().__init__(server, directory, port=self.proxy.port, **options)

    def close(self) -> None:
        """End everything."""
        super().close()
        self.proxy.close()

    def measured(self, *arguments: str) -> tuple[dict[str, int], Cost]:
        """Sync: what was done, and what it cost."""
        self.proxy.taken()
        outcome = self.sync(*arguments).done()
        count = self.proxy.taken()
        return outcome.totals, Cost.of(count, map(name_of, count.lines))

    def quiet(self, *arguments: str) -> Cost:
        """What a sync costs in which there is nothing to do."""
        done, cost = self.measured(*arguments)
        assert done == {}
        return cost

    def settle(self) -> None:
        """Sync until that changes nothing in the index any more."""
        for _ in range(SYNCS):
            before = self.index()
            self.sync().quiet()
            if self.index() == before:
                return
        raise AssertionError(f"{SYNCS} syncs without anything to do, and each recorded something anew")

    def index(self) -> list[tuple[Any, ...]]:
        """All that the index holds, but for the time of the last pass."""
        with closing(sqlite3.connect(self.directory / "state" / "test.db")) as database:
            database.execute("CREATE TEMP TABLE seen AS SELECT * FROM mailbox")
            database.execute("UPDATE seen SET synced_at = NULL")
            tables = ("seen", "pair", "intent", "meta", "deletion", "keyword_set")
            return [(table, *row) for table in tables for row in database.execute(f"SELECT * FROM {table}")]

    def compared(self, at: int) -> None:
        """Let the index say that both sides were last compared in full at this time."""
        with closing(sqlite3.connect(self.directory / "state" / "test.db")) as database, database:
            database.execute("UPDATE mailbox SET compared_at = ?", (at,))

    def same(self) -> None:
        """Check that both sides hold the same, and that a full comparison finds nothing and says nothing."""
        self.converged()
        outcome = self.sync("--full").done()
        assert [(account["mailboxes"], account["error"]) for account in outcome.report["accounts"]] == [([], None)]
        assert re.fullmatch(r"test: nothing to do \(.*\)\n", outcome.err)

    def fill(self, mailbox: str, first: int, count: int, *, size: int = 0) -> None:
        """Let messages arrive on the server, `m<first>` and so on."""
        numbers = range(first, first + count)
        self.client.fill(mailbox, [(note(f"m{number}", size=size), frozenset(), DATE) for number in numbers])

    def files_by_token(self, mailbox: str) -> dict[str, File]:
        """The messages of the Maildir."""
        return {token_of(file.octets): file for file in self.local.files(mailbox)}
