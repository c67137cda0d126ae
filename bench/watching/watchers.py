"""The programs that stay: how each gets the account at first, how it is configured, and the command that stays."""

import os
import shutil
from dataclasses import dataclass
from typing import Final, Literal

from bench.contenders import HOST, Contender, Mbsync, OfflineImap, Site, Syncer, first_line

Told = Literal["NOTIFY", "IDLE"]
"""What the server has to tell of changes."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """A program that stays.

    `once` brings both sides together before, `told` is the best that its server offers.
    """

    name: str
    once: Contender
    told: Told = "IDLE"

    @property
    def key(self) -> str:
        """A word for directories and for the command line."""
        return f"{self.name}-{self.told}".lower()

    def missing(self) -> str | None:
        """Why it cannot run, in words; None where it can."""
        return self.once.missing()

    def version(self) -> str:
        """What it says of itself."""
        return self.once.version()

    def configure(self, site: Site) -> None:
        """Write its configuration into the site's directory."""
        self.once.configure(site)

    def command(self, site: Site) -> list[str]:
        """The command that stays."""
        raise NotImplementedError


class SyncerWatch(Watcher):
    """This checkout, with its defaults."""

    def command(self, site: Site) -> list[str]:
        """As `sync`, which is quiet."""
        *start, _, _ = self.once.command(site)
        return [*start, "watch"]


class OfflineImapStays(Watcher):
    """offlineimap3 idles in INBOX by itself."""

    def configure(self, site: Site) -> None:
        """Another configuration than for one pass."""
        OfflineImap(stays=True).configure(site)

    def command(self, site: Site) -> list[str]:
        """The same without "once"."""
        return OfflineImap(stays=True).command(site)


class Notifier(Watcher):
    """imapfilter idles in INBOX and runs mbsync for it on every event, which is what people do with mbsync."""

    def missing(self) -> str | None:
        """Both are needed."""
        return self.once.missing() or (None if shutil.which("imapfilter") else "not installed")

    def version(self) -> str:
        """Of both."""
        return f"{first_line('imapfilter', '-V')}, {self.once.version()}"

    def configure(self, site: Site) -> None:
        """On any event: which of the connections is told that a message is recent is left to chance."""
        mbsync = Mbsync()
        mbsync.configure(site)
        run = " ".join(mbsync.mailbox_command(site, "INBOX"))
        (site.directory / "imapfilter.lua").write_text(
            "options.starttls = false\noptions.info = false\noptions.wakeonany = true\n"
            f"far = IMAP {{ server = '{HOST}', port = {site.port}, "
            f"username = '{site.user}', password = '{site.password}' }}\n"
            f"while far.INBOX:enter_idle() do\n  os.execute([[{run}]])\nend\n"
        )

    def command(self, site: Site) -> list[str]:
        """Without questions, which it would ask a terminal."""
        return ["imapfilter", "-c", os.fspath(site.directory / "imapfilter.lua")]


ALL: Final[tuple[Watcher, ...]] = (
    SyncerWatch("syncer", Syncer(), "NOTIFY"),
    SyncerWatch("syncer", Syncer(), "IDLE"),
    Notifier("imapfilter+mbsync", Mbsync()),
    OfflineImapStays("offlineimap3", OfflineImap()),
)
"""In the order of the rows. The first one makes what is not about comparing."""
