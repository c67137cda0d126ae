"""The programs that are compared: whether they are there, how they are configured, how they are called.

All of them synchronise every mailbox both ways, expunging included, without TLS, into a Maildir whose directories lie
as the mailboxes do. What is not said here has each program's default.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

from bench import TOP

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a contender works: an account on the server, and a directory with its Maildir and all that it keeps."""

    port: int
    user: str
    password: str
    directory: pathlib.Path

    @property
    def mail(self) -> pathlib.Path:
        """The root of the Maildir."""
        return self.directory / "mail"


class Contender:
    """A program with a configuration."""

    name = ""

    def missing(self) -> str | None:
        """Why it cannot run, in words; None where it can."""
        raise NotImplementedError

    def version(self) -> str:
        """What it says of itself."""
        raise NotImplementedError

    def configure(self, site: Site) -> None:
        """Write its configuration into the site's directory."""
        raise NotImplementedError

    def command(self, site: Site) -> list[str]:
        """One two-way pass."""
        raise NotImplementedError

    def quickest(self) -> "Contender":
        """The same program as it gets ready soonest, for what is not timed."""
        return self

    def filed(self, name: str) -> str:
        """The name under which a mail program files a message file in another mailbox."""
        return name


class Syncer(Contender):
    """This checkout."""

    name = "syncer"

    def missing(self) -> str | None:
        """It has to be installed beside this Python."""
        found = subprocess.run([*self._start(), "--version"], check=False, capture_output=True)
        return None if found.returncode == 0 else "not installed beside this Python"

    def version(self) -> str:
        """Its version and the commit, `+` where files were changed since."""
        said = subprocess.run([*self._start(), "--version"], check=True, capture_output=True, text=True).stdout.strip()
        git = ["git", "-C", os.fspath(TOP)]
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=False, capture_output=True, text=True)
        changed = subprocess.run([*git, "status", "--porcelain", "syncer"], check=False, capture_output=True).stdout
        return f"{said} ({head.stdout.strip() or 'no commit'}{'+' if changed else ''})"

    def _start(self) -> list[str]:
        return [sys.executable, "-m", "syncer"]

    def configure(self, site: Site) -> None:
        """The defaults."""
        file = site.directory / "syncer.conf"
        file.touch(mode=0o600)
        file.write_text(
            f'state_dir = "{site.directory / "state"}"\n[accounts.bench]\nhost = "{HOST}"\nport = {site.port}\n'
            f'tls = "off"\nuser = "{site.user}"\npassword = "{site.password}"\nmaildir = "{site.mail}"\n'
        )

    def command(self, site: Site) -> list[str]:
        """Quietly."""
        return [*self._start(), "-c", os.fspath(site.directory / "syncer.conf"), "sync", "-q"]


class Mbsync(Contender):
    """mbsync of isync, with or without `FSync`."""

    def __init__(self, *, fsync: bool = True) -> None:
        """`fsync` is its default, and what makes it durable."""
        self.name = "mbsync" if fsync else "mbsync-nofsync"
        self._fsync = "yes" if fsync else "no"

    def missing(self) -> str | None:
        """The package isync."""
        return None if shutil.which("mbsync") else "not installed"

    def version(self) -> str:
        """As it says."""
        return first_line("mbsync", "--version")

    def configure(self, site: Site) -> None:
        """As its manual page has it for two ways; the state lies in the Maildir."""
        site.mail.mkdir(exist_ok=True)
        (site.directory / "mbsyncrc").write_text(
            f"FSync {self._fsync}\n\n"
            f"IMAPStore far\nHost {HOST}\nPort {site.port}\nUser {site.user}\nPass {site.password}\n"
            "SSLType None\nAuthMechs LOGIN\n\n"
            f"MaildirStore near\nPath {site.mail}/\nInbox {site.mail}/INBOX\nSubFolders Verbatim\n\n"
            "Channel bench\nFar :far:\nNear :near:\nPatterns *\nSync All\nCreate Both\nExpunge Both\nSyncState *\n"
        )

    def command(self, site: Site) -> list[str]:
        """Quietly."""
        return ["mbsync", "-q", "-c", os.fspath(site.directory / "mbsyncrc"), "-a"]

    def mailbox_command(self, site: Site, mailbox: str) -> list[str]:
        """One two-way pass over one mailbox."""
        return [*self.command(site)[:-1], f"bench:{mailbox}"]

    def quickest(self) -> "Contender":
        """Without FSync; the files are the same."""
        return Mbsync(fsync=False)

    def filed(self, name: str) -> str:
        """Its UID field must go, as its manual says and mutt does."""
        return re.sub(r",U=\d+", "", name)


class OfflineImap(Contender):
    """offlineimap3, with as many connections as syncer; it goes once, or stays and idles in INBOX."""

    name = "offlineimap3"

    def __init__(self, *, stays: bool = False) -> None:
        """Who stays looks at everything every five minutes, as its manual has it, and idles in between."""
        self._account = "autorefresh = 5\n" if stays else ""
        self._far = "idlefolders = ['INBOX']\n" if stays else ""
        self._once = [] if stays else ["-o"]

    def missing(self) -> str | None:
        """The package offlineimap3."""
        return None if shutil.which("offlineimap") else "not installed"

    def version(self) -> str:
        """As it says."""
        return f"offlineimap3 {first_line('offlineimap', '--version')}"

    def configure(self, site: Site) -> None:
        """Two ways, which is its default, as is fsync."""
        (site.directory / "offlineimaprc").write_text(
            f"[general]\nmetadata = {site.directory / 'state'}\naccounts = bench\nui = quiet\n\n"
            f"[Account bench]\nlocalrepository = near\nremoterepository = far\n{self._account}\n"
            f"[Repository near]\ntype = Maildir\nlocalfolders = {site.mail}\nsep = /\n\n"
            f"[Repository far]\ntype = IMAP\nremotehost = {HOST}\nremoteport = {site.port}\n"
            f"remoteuser = {site.user}\nremotepass = {site.password}\nssl = no\nstarttls = no\n"
            f"auth_mechanisms = PLAIN\nmaxconnections = 3\n{self._far}"
        )

    def command(self, site: Site) -> list[str]:
        """Quietly."""
        return ["offlineimap", *self._once, "-u", "quiet", "-c", os.fspath(site.directory / "offlineimaprc")]


ALL: Final[dict[str, Contender]] = {
    contender.name: contender for contender in (Syncer(), Mbsync(), Mbsync(fsync=False), OfflineImap())
}
"""By name, in the order of the columns."""


def first_line(*command: str) -> str:
    """The first line that a command prints."""
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    return next(iter((ended.stdout + ended.stderr).splitlines()), "")
