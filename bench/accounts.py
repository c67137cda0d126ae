"""The accounts of the workloads, built once on a Dovecot of their own and copied for whoever changes them.

Mail is stored as mdbox, so an account of 300,000 messages is a few dozen files and a copy is quick. COMPRESS is not
offered: it would make the loopback slower for those that use it, and nobody could count their commands.
"""

import os
import pathlib
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from servers.dovecot import Dovecot

from bench.mail import letters, sizes
from bench.wire import Wire

TREE: Final = (
    "INBOX",
    *(f"Archive/{year}" for year in range(2025, 2015, -1)),
    "Sent",
    "Lists/compilers",
    "Lists/engines",
    "Lists/relays",
    "Lists/umlauts",
    "Projects/Engine",
    "Projects/Engine/Drawings",
    "Projects/Engine/Orders",
    "Projects/Proofs",
    "Projects/Apollo",
    "Projects/Apollo/Trajectories",
    "Family",
    "Family/Photographs",
    "Travel",
    "Receipts",
    "House",
    "Bank",
    "Library",
    "Drafts",
)
"""30 mailboxes, the largest first."""

FIFTY: Final = (*TREE, *(f"Archive/{year}" for year in range(2015, 1995, -1)))
"""The same with 20 more."""

TOLD: Final = "mailbox_idle_check_interval = 30 secs"
"""Dovecot's default. Shorter, it would tell some of those who idle sooner than others, by chance."""
COMPLETE: Final = "(UID FLAGS INTERNALDATE BODY.PEEK[])"


@dataclass(frozen=True, slots=True)
class Account:
    """What an account holds: how many messages and octets, in which mailboxes."""

    name: str
    count: int
    octets: int
    mailboxes: tuple[str, ...] = ("INBOX",)
    spread: float = 1.5
    """Sigma of the sizes' log-normal distribution; 0 makes all the same size."""

    def scaled(self, factor: float) -> "Account":
        """The same with `factor` times as many messages; where there are 20 or fewer, of `factor` times the size."""
        count = max(len(self.mailboxes), round(self.count * factor)) if self.count > 20 else self.count
        return Account(self.name, count, round(self.octets * factor), self.mailboxes, self.spread)

    def lengths(self) -> dict[str, list[int]]:
        """The octets of every message, by mailbox. Number n gets a share of 1/n^0.7, and one message at least."""
        weights = [1 / number**0.7 for number in range(1, len(self.mailboxes) + 1)]
        spare = self.count - len(weights)
        shares = [1 + int(spare * weight / sum(weights)) for weight in weights]
        shares[0] += self.count - sum(shares)
        drawn = iter(sizes(self.count, self.count, self.octets, spread=self.spread))
        return {
            mailbox: [next(drawn) for _ in range(share)] for mailbox, share in zip(self.mailboxes, shares, strict=True)
        }


ACCOUNTS: Final = {
    account.name: account
    for account in (
        Account("tree", 20_000, 535_000_000, TREE),
        Account("small10k", 10_000, 20_000_000, spread=0),
        Account("small100k", 100_000, 200_000_000, spread=0),
        Account("small300k", 300_000, 600_000_000, spread=0),
        Account("huge", 20, 1_000_000_000, spread=0),
        Account("upload", 5_000, 134_000_000),
        Account("watched", 100_000, 130_000_000, FIFTY, spread=0),
    )
}
"""At scale 1, by name."""


@dataclass(slots=True)
class Mailserver:
    """A Dovecot and the accounts on it."""

    dovecot: Dovecot
    scale: float
    built: set[str] = field(default_factory=set)

    @classmethod
    def start(cls, directory: pathlib.Path, scale: float, *, hide: Sequence[str] = ()) -> "Mailserver":
        """Start a Dovecot that keeps everything below `directory`, and offers none of the capabilities in `hide`."""
        hidden = ["COMPRESS=DEFLATE", *hide]
        return cls(Dovecot(directory, fmt="mdbox", hide=hidden, extra=f"{TOLD}\n").start(), scale)

    def wire(self, user: str, port: int | None = None) -> Wire:
        """A bare connection to `user`'s account, straight or through a proxy's `port`."""
        return Wire(port or self.dovecot.port, user, self.dovecot.password)

    def account(self, name: str) -> Account:
        """The account at this run's scale."""
        return ACCOUNTS[name].scaled(self.scale)

    def template(self, name: str) -> str:
        """The user whose account it is that nobody changes; built where it was not yet."""
        user = f"{name}-template"
        if user not in self.built:
            with self.wire(user) as wire:
                for number, (mailbox, lengths) in enumerate(self.account(name).lengths().items()):
                    if mailbox != "INBOX":
                        wire.ask(f'CREATE "{mailbox}"')
                    wire.append(mailbox, letters(1_000 * number + 1, lengths))
                # What the server remembers of its first reader it shall remember for all of them.
                for mailbox in wire.mailboxes():
                    wire.ask(f'SELECT "{mailbox}"', "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")
                wire.drain()
            self.built.add(user)
        return user

    def take_over(self, name: str, other: "Mailserver") -> None:
        """Have the same template as another server, without building it again."""
        user = other.template(name)
        home = os.fspath(other.dovecot.home(user))
        subprocess.run(["cp", "-a", home, os.fspath(self.dovecot.home(user))], check=True)
        self.built.add(user)

    def clone(self, name: str, owner: str) -> str:
        """A copy of the account for `owner` alone; copied where it was not yet. Returns the user."""
        user = f"{name}-{re.sub('[^a-z0-9]+', '-', owner.lower())}"
        if user not in self.built:
            home = os.fspath(self.dovecot.home(self.template(name)))
            subprocess.run(["cp", "-a", home, os.fspath(self.dovecot.home(user))], check=True)
            self.built.add(user)
        return user
