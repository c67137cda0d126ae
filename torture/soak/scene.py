"""The stage of a soak: a server, the line to it, an account, a Maildir, notmuch as its hook, and `syncer watch`."""

import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from e2e.world import World, write_configuration
from servers.base import descendants
from servers.dovecot import Dovecot

from torture.soak.link import Link
from torture.soak.people import InMaildir, OnServer
from torture.soak.watched import Watched


class Bouncer(Dovecot):
    """A Dovecot that refuses those whose names are in a file."""

    @property
    def refused(self) -> Path:
        """The file."""
        return self.directory / "refused"

    def configure(self) -> None:
        """Ask the file first."""
        super().configure()
        self.refused.touch(mode=0o644)
        first = f"passdb {{\n  driver = passwd-file\n  deny = yes\n  args = {self.refused}\n}}\n"
        self.configuration.write_text(first + self.configuration.read_text())

    def crash(self) -> None:
        """SIGKILL to it and to all its children."""
        assert self.process
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()
        self.process = None


class Scene:
    """Everything that runs. Use it with `with`; what it wrote stays."""

    def __init__(self, place: Path) -> None:
        """Below the empty directory `place`, which users of the system can enter."""
        self.place = place
        self._stack = ExitStack()
        self.server = Bouncer(place / "server")
        self.serving = False
        """The server runs."""

    def __enter__(self) -> Self:
        """Start everything but the watch."""
        self._stack.callback(self._stop_server)
        self.server.start()
        self.serving = True
        self.link = self._stack.enter_context(Link(self.server.port))
        self.world = World(self.server, self.place, port=self.link.port, mailbox_changes="all", max_delete=1)
        self.on_server = OnServer(self.world)
        self._stack.callback(self.on_server.disconnect)
        self.in_maildir = InMaildir(self.world.local.root)
        self.notmuch = Notmuch(self.place, self.world.local.root)
        self.configure()
        arguments = ["-c", str(self.world.configuration), "watch", "--events"]
        self.watched = Watched(arguments, self.place)
        self._stack.callback(self.watched.kill)
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self._stack.close()

    def configure(self, **settings: Any) -> None:
        """Write the configuration, with these keys of the account changed."""
        self.world.settings |= settings
        write_configuration(
            self.world.configuration,
            {"test": self.world.settings},
            state_dir=str(self.place / "state"),
            on_change=self.notmuch.hook,
        )

    def crash_server(self) -> None:
        """It and all its children are gone at once."""
        self.on_server.disconnect()
        self.serving = False
        self.server.crash()

    def start_server(self) -> None:
        """It is back."""
        self.server.start()
        self.serving = True

    def refuse(self) -> None:
        """From now on the account cannot log in; who is in stays in."""
        self.server.refused.write_text(f"{self.world.user}:\n")

    def admit(self) -> None:
        """It can again."""
        self.server.refused.write_text("")

    def _stop_server(self) -> None:
        self.server.stop()


class Notmuch:
    """Its index of the Maildir, which only the hook brings up to date."""

    def __init__(self, directory: Path, root: Path) -> None:
        """The database goes to `directory`, the mail is below `root`."""
        self.configuration = directory / "notmuch.conf"
        self._home = directory
        lines = ["[database]", f"path={directory}/notmuch", f"mail_root={root}"]
        lines += ["[user]", "name=Ada", "primary_email=ada@analytical.example", "[new]", "tags=inbox"]
        lines += ["ignore=.syncer-store;dovecot-keywords;/dovecot-uidlist/", "[maildir]", "synchronize_flags=true", ""]
        self.configuration.write_text("\n".join(lines))
        (directory / "notmuch").mkdir()

    @property
    def hook(self) -> list[str]:
        """For `on_change`."""
        return ["env", f"NOTMUCH_CONFIG={self.configuration}", "notmuch", "new"]

    def files(self) -> set[str] | None:
        """Every file that it knows; None while its database cannot be read."""
        environment = os.environ | {"NOTMUCH_CONFIG": str(self.configuration), "HOME": str(self._home)}
        command = ["notmuch", "search", "--output=files", "--exclude=false", "*"]
        ended = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        return None if ended.returncode else set(ended.stdout.splitlines())
