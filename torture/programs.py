"""The programs that the scenes are played with: how each is run, what it takes for one message, and what it keeps.

Configured as the benchmark does: every mailbox, both ways, expunging included.
"""

import json
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.maildirs import Maildirs
from e2e.world import environment

from bench.contenders import Contender, Mbsync, OfflineImap, Site, Syncer

SECONDS: Final = 120
LINES: Final = 6
"""How much of what a program printed is kept."""

Pairs = Iterator[tuple[int, Path]]


@dataclass(frozen=True)
class Ran:
    """What a run gave back."""

    status: int
    said: str
    """Everything that was printed."""

    def tail(self, site: Site) -> list[str]:
        """The last lines, with `DIR` for where they were said."""
        lines = [line.rstrip() for line in self.said.splitlines() if line.strip()]
        return [line.replace(str(site.directory), "DIR") for line in lines[-LINES:]]


class Program:
    """One of them, with its contender of the benchmark."""

    def __init__(self, contender: Contender) -> None:
        """`contender` knows the configuration."""
        self.contender = contender
        self.name = contender.name

    def command(self, site: Site) -> list[str]:
        """One two-way pass that says what it does."""
        return [word for word in self.contender.command(site) if word != "-q"]

    def run(self, site: Site) -> Ran:
        """One pass."""
        return ran(self.command(site))

    def pairs(self, site: Site, mailbox: str) -> Pairs:
        """What it takes for one message: a UID of the server, and a file."""
        raise NotImplementedError

    def kept(self, site: Site) -> list[Path]:
        """The message files that it took out of the Maildir and did not destroy."""
        return []


class SyncerProgram(Program):
    """This checkout."""

    def pairs(self, site: Site, mailbox: str) -> Pairs:
        """As its index has them, unless it says that it leaves the mailbox alone until it has been answered."""
        dry = [*self.command(site), "--dry-run", "--json"]
        said = subprocess.run(dry, check=False, capture_output=True, timeout=SECONDS, env=environment()).stdout
        mailboxes = json.loads(said)["accounts"][0]["mailboxes"]
        if any(found["name"] == mailbox and found["refused"] for found in mailboxes):
            return iter(())
        files = {file.unique: file.path for file in Maildirs(site.mail).files(mailbox)}
        query = "SELECT uid, pair.name FROM pair JOIN mailbox ON mailbox.id = mailbox_id WHERE mailbox.name = ?"
        with closing(sqlite3.connect(site.directory / "state/bench.db")) as database:
            rows = database.execute(query, (mailbox.encode(),)).fetchall()
        return ((uid, files[name.decode()]) for uid, name in rows if name.decode() in files)

    def kept(self, site: Site) -> list[Path]:
        """Its attic."""
        return [path for path in (site.directory / "state/attic").rglob("*") if path.is_file()]


class MbsyncProgram(Program):
    """mbsync: UIDs of both sides in `.mbsyncstate`, the near one in the file's name."""

    def pairs(self, site: Site, mailbox: str) -> Pairs:
        """As its state has them."""
        state = site.mail / mailbox / ".mbsyncstate"
        _, _, lines = state.read_text().partition("\n\n") if state.exists() else ("", "", "")
        files = dict(named(site, mailbox))
        uids = (line.split()[:2] for line in lines.splitlines())
        return ((int(far), files[int(near)]) for far, near in uids if int(near) in files)


class OfflineImapProgram(Program):
    """offlineimap3: the server's UID is in the file's name."""

    def command(self, site: Site) -> list[str]:
        """Telling what it does."""
        return ["basic" if word == "quiet" else word for word in super().command(site)]

    def pairs(self, site: Site, mailbox: str) -> Pairs:
        """As the names say."""
        return named(site, mailbox)


def named(site: Site, mailbox: str) -> Pairs:
    """Files by the number of their field `U`."""
    for file in Maildirs(site.mail).files(mailbox):
        if found := re.search(r",U=(\d+)", file.unique):
            yield int(found.group(1)), file.path


def ran(command: list[str], **variables: str) -> Ran:
    """Run a command to its end."""
    ended = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
        env=environment() | variables, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Ran(ended.returncode, ended.stdout.decode(errors="replace"))


SYNCER: Final = SyncerProgram(Syncer())
PROGRAMS: Final = (SYNCER, MbsyncProgram(Mbsync()), OfflineImapProgram(OfflineImap()))
"""In the order of the columns."""
