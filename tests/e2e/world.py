"""One account on a real server, one Maildir, one configuration, and `syncer` between them as a black box."""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from e2e.client import Client, Flags
from e2e.maildirs import Maildirs, stored_form
from servers.base import Server
from servers.mail import token_of

COUNTERS = (
    "downloaded", "uploaded", "moved_local", "moved_remote", "flags_local", "flags_remote", "deleted_local",
    "deleted_remote", "bytes_down", "bytes_up",
)  # fmt: skip

Copy = tuple[str, str, Flags]
"""A message of one side: mailbox, token, flags."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of `syncer` gave back."""

    status: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The document of `--json`."""
        document = json.loads(self.out)
        assert document["version"] == 1, document
        assert isinstance(document, dict)
        return document

    @property
    def totals(self) -> dict[str, int]:
        """The counters of all mailboxes of all accounts added up, those that are 0 left out."""
        total: Counter[str] = Counter()
        for account in self.report["accounts"]:
            for mailbox in account["mailboxes"]:
                total.update({counter: mailbox[counter] for counter in COUNTERS})
        return {counter: number for counter, number in total.items() if number}

    def done(self) -> "Outcome":
        """Itself, if all was done and nothing failed."""
        assert self.status == 0, f"exit status {self.status}\n{self.out}\n{self.err}"
        assert self.report["ok"] is True, self.out
        assert all(account["ok"] and account["error"] is None for account in self.report["accounts"]), self.out
        assert "Traceback" not in self.err, self.err
        return self

    def quiet(self) -> None:
        """All was done, and there was nothing to do."""
        assert self.done().totals == {}, self.out

    def failed(self, status: int, *words: str) -> "Outcome":
        """Itself, if it ended with `status` and told the person on stderr, naming all of `words`; no traceback."""
        assert self.status == status, f"exit status {self.status}, not {status}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err, self.err
        assert self.err.strip(), "nothing was said on stderr"
        missing = [word for word in words if word.lower() not in self.err.lower()]
        assert not missing, f"{missing} not in what was said:\n{self.err}"
        return self


def run(*arguments: str, timeout: float = 240) -> Outcome:
    """`syncer` with these arguments, as a process of its own."""
    command = [sys.executable, "-m", "syncer", *arguments]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout, env=environment())
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


def environment() -> dict[str, str]:
    """Ours without what would change the answer."""
    changing = {"SYNCER_CONFIG", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in changing}


def run_here(*arguments: str) -> Outcome:
    """`syncer` with these arguments, in this process: saves the start of Python where a test runs it often."""
    from syncer.__main__ import main  # noqa: PLC0415  (the tests can be collected without it)

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(list(arguments))
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    return Outcome(int(status or 0), out.getvalue(), err.getvalue())


class World:
    """A server's account, a Maildir and a configuration with one account, named `test`.

    Args:
        server: where the account is made.
        directory: for the Maildir, the configuration and the index.
        port: connect here instead of to the server, for instance to a proxy.
        here: run `syncer` in this process.
        settings: further keys of the account's configuration; None leaves a key out.
    """

    def __init__(
        self, server: Server, directory: pathlib.Path, *, port: int | None = None, here: bool = False, **settings: Any
    ) -> None:
        """See the class."""
        self.server, self.directory, self.here = server, directory, here
        self.user = server.new_user()
        self.settings: dict[str, Any] = {
            "host": server.host,
            "port": port or server.port,
            "tls": "off",
            "user": self.user,
            "password": server.password,
            "maildir": str(directory / "mail"),
            "layout": "fs",
        } | settings
        self.configuration = directory / "syncer.conf"
        self.configure()
        self.local = Maildirs(pathlib.Path(str(self.settings["maildir"])), str(self.settings["layout"]))

    def configure(self, **settings: Any) -> None:
        """Write the configuration, with these keys changed."""
        self.settings |= settings
        write_configuration(self.configuration, {"test": self.settings}, state_dir=str(self.directory / "state"))

    @cached_property
    def client(self) -> Client:
        """The other mail program."""
        server = self.server
        options = {"separator": server.separator, "prefix": server.prefix}
        return Client(server.host, server.port, self.user, server.password, **options)

    def close(self) -> None:
        """Log the other mail program out."""
        if "client" in self.__dict__:
            self.client.close()

    def sync(self, *arguments: str) -> Outcome:
        """`syncer sync --json` with further arguments."""
        call = run_here if self.here else run
        return call("-c", str(self.configuration), "sync", "--json", *arguments)

    def on_server(self) -> list[Copy]:
        """Every message of the server, sorted."""
        return sorted(
            (mailbox, token_of(message.octets), message.flags)
            for mailbox in self.client.mailboxes()
            for message in self.client.messages(mailbox)
        )

    def on_disk(self) -> list[Copy]:
        """Every message of the Maildir, sorted."""
        return sorted(
            (mailbox, token_of(file.octets), file.flags)
            for mailbox in self.local.mailboxes()
            for file in self.local.files(mailbox)
        )

    def same_octets(self) -> int:
        """Check that both sides hold the same octets, mailbox by mailbox; returns how many messages there are."""
        count = 0
        assert self.client.mailboxes() == self.local.mailboxes()
        for mailbox in sorted(self.client.mailboxes()):
            server = sorted(stored_form(message.octets) for message in self.client.messages(mailbox))
            local = sorted(file.octets for file in self.local.files(mailbox))
            assert server == local, f"{mailbox}: {len(server)} messages on the server, {len(local)} in the Maildir"
            count += len(server)
        return count

    def converged(self) -> None:
        """Check that both sides hold the same messages with the same flags, and that a further sync does nothing."""
        assert by_mailbox(self.on_server()) == by_mailbox(self.on_disk())
        self.same_octets()
        self.sync().quiet()


def by_mailbox(copies: Iterable[Copy]) -> dict[str, list[tuple[str, list[str]]]]:
    """For comparing two sides in a form that shows well what differs."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for mailbox, token, flags in copies:
        found.setdefault(mailbox, []).append((token, sorted(flags)))
    return {mailbox: sorted(messages) for mailbox, messages in sorted(found.items())}


def write_configuration(path: pathlib.Path, accounts: dict[str, dict[str, Any]], **top: Any) -> None:
    """A configuration file that only its owner can read."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in top.items()]
    for name, settings in accounts.items():
        lines += ["", f"[accounts.{name}]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items() if value is not None]
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n")
