"""pymap, an IMAP server in Python: for machines where no other can be installed. Needs no root; in memory only.

It is installed into a virtual environment of its own, so that it and this program share no dependency.
"""

import os
import pathlib
import subprocess
import sys

from servers.base import Server

REQUIREMENT = "pymap==0.36.7"
HOME = pathlib.Path(os.environ.get("SYNCER_PYMAP", ".venv/pymap"))


class Pymap(Server):
    """One account, named `user1`; empty."""

    name = "pymap"

    def __init__(self, directory: pathlib.Path | None = None) -> None:
        """See the class."""
        super().__init__(directory)
        self.tls_port = None

    @classmethod
    def missing(cls) -> str | None:
        """Its virtual environment is needed; `install` makes it."""
        return None if (HOME / "bin/pymap").exists() else "pymap is not installed"

    @classmethod
    def install(cls) -> None:
        """Make the virtual environment."""
        if cls.missing():
            subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
            subprocess.run([str(HOME / "bin/pip"), "install", "-q", REQUIREMENT], check=True)

    def configure(self) -> None:
        """Everything is said on the command line."""

    def new_user(self) -> str:
        """There is only one."""
        return "user1"

    def command(self) -> list[str]:
        """In the foreground, without its other services."""
        services = ["--no-tls", "--no-service", "managesieve", "--no-service", "admin"]
        account = ["--demo-user", "user1", "--demo-password", self.password]
        listener = [str(HOME.absolute() / "bin/pymap"), "--host", self.host, "--port", str(self.port)]
        return [*listener, *services, "dict", *account]
