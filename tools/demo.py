#!/usr/bin/env python3
"""Shows `syncer` at work on a real IMAP server of its own; everything it leaves is in ./demo.

An account is filled with a few hundred messages, `syncer sync` is run, things are changed on both sides as persons
would, and it is run again. At the end both sides are compared. Exit status 0 only if they are the same.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests"))

from e2e.client import Client  # noqa: E402  (they are found only now)
from e2e.maildirs import File, Maildirs, stored_form  # noqa: E402
from servers.base import NotStartedError, Server  # noqa: E402
from servers.dovecot import Dovecot  # noqa: E402
from servers.mail import Letter, letters, note  # noqa: E402
from servers.pymap import Pymap  # noqa: E402

DEMO = TOP / "demo"
CONFIGURATION = DEMO / "syncer.conf"
MESSAGES = 360
MAILBOXES = {"INBOX": 6, "Archive/2024": 5, "Archive/2025": 5, "Lists/compilers": 4, "Projects/Engine": 3, "Sent": 3}
"""How the messages are spread: a weight for each mailbox."""


TWICE = 25
"""Which message of INBOX gets a flag on both sides."""


class FailedError(Exception):
    """Something was not as it must be."""


def say(text: str = "") -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def step(text: str) -> None:
    """Print a heading."""
    say(f"\n== {text}")


def start_server() -> Server:
    """Dovecot where it is installed, else pymap, in a virtual environment of its own."""
    if Dovecot.missing() is None:
        try:
            return Dovecot().start()
        except NotStartedError as error:
            say(f"Dovecot is installed but does not start here; pymap is used. It said:\n{error}")
    Pymap.install()
    return Pymap().start()


def fill(client: Client) -> int:
    """Put the messages of ten years into the account; returns their size."""
    spread = [mailbox for mailbox, weight in MAILBOXES.items() for _ in range(weight)]
    filled: dict[str, list[tuple[bytes, frozenset[str], int]]] = {mailbox: [] for mailbox in MAILBOXES}
    made: list[Letter] = list(letters(seed=1815, count=MESSAGES))
    for number, letter in enumerate(made):
        flags = {"\\Seen"} if number % 7 else set()
        flags |= ({"\\Answered"} if number % 5 == 0 else set()) | ({"\\Flagged"} if number % 17 == 0 else set())
        filled[spread[number * 7 % len(spread)]].append((letter.octets, frozenset(flags), letter.date))
    for mailbox, messages in filled.items():
        if mailbox not in client.mailboxes():
            client.create(mailbox)
        client.fill(mailbox, messages)
    return sum(len(letter.octets) for letter in made)


def write_configuration(server: Server, user: str) -> None:
    """The eight lines."""
    CONFIGURATION.touch(mode=0o600)
    CONFIGURATION.write_text(f"""\
state_dir = "{DEMO / "state"}"
[accounts.demo]
host = "{server.host}"
port = {server.port}
tls = "off"   # allowed, since this is a loopback address
user = "{user}"
password = "{server.password}"
maildir = "{DEMO / "Mail"}"
""")


def sync(*, shown: bool = True) -> dict[str, int]:
    """Run `syncer sync`; returns how much was changed, or an empty dictionary where the run was shown to a person.

    Raises:
        FailedError: it did not end well.
    """
    arguments = ["-c", os.path.relpath(CONFIGURATION, TOP), "sync"] + ([] if shown else ["--quiet", "--json"])
    if shown:
        say(f"$ syncer {' '.join(arguments)}")
    command = [sys.executable, "-m", "syncer", *arguments]
    streams = {"stderr": subprocess.STDOUT} if shown else {"stdout": subprocess.PIPE}
    ended = subprocess.run(command, check=False, cwd=TOP, **streams)  # noqa: S603  (our own program and arguments)
    if ended.returncode:
        raise FailedError(f"syncer ended with exit status {ended.returncode}")
    if shown:
        return {}
    account = json.loads(ended.stdout)["accounts"][0]
    counted: dict[str, int] = {}
    for mailbox in account["mailboxes"]:
        for name, number in mailbox.items():
            if isinstance(number, int) and not isinstance(number, bool) and number:
                counted[name] = counted.get(name, 0) + number
    return counted


def act_locally(local: Maildirs, keyword: str | None) -> None:
    """What a person does in a Maildir program."""
    inbox = sorted(local.files("INBOX"), key=lambda file: file.mtime)
    unread = [file for file in inbox if "\\Seen" not in file.flags]
    read, todo, flagged, filed = unread[4:8], inbox[20], inbox[TWICE], inbox[30:33]
    for file in read:
        local.change_flags("INBOX", file, add=["\\Seen"])
    local.change_flags("INBOX", todo, add=[keyword or "\\Answered"])
    local.change_flags("INBOX", flagged, add=["\\Flagged"])
    for file in filed:
        local.move("INBOX", file, "Archive/2025", keep_name=False)
    deleted: list[File] = local.files("Lists/compilers")[:2]
    for file in deleted:
        local.delete(file)
    local.deliver("Sent", note("from-the-train"), ["\\Seen"], date=int(time.time()))
    labelled = f"given the keyword `{keyword}`" if keyword else "answered"
    say(f"in the Maildir:  {len(read)} read, 1 flagged, 1 {labelled},")
    say(f"                 {len(filed)} filed from INBOX to Archive/2025, {len(deleted)} deleted from Lists/compilers,")
    say("                 1 new message written to Sent")


def act_on_the_server(client: Client) -> None:
    """What the same person does on the telephone meanwhile."""
    uids = client.uids("INBOX")
    flags = client.flags("INBOX")
    answered = [uid for uid in uids[60:] if "\\Answered" not in flags[uid] and "\\Seen" in flags[uid]][:3]
    client.store("INBOX", answered, "+FLAGS", ["\\Answered"])
    client.store("INBOX", [uids[TWICE]], "+FLAGS", ["\\Answered"])
    client.create("Travel")
    client.move("INBOX", uids[10:12], "Travel")
    client.expunge("Projects/Engine", client.uids("Projects/Engine")[:1])
    for token in ("tickets", "timetable"):
        client.append("INBOX", note(token), date=int(time.time()))
    say("on the server:   3 answered, and the one that was flagged in the Maildir as well,")
    say("                 2 moved from INBOX to the new mailbox Travel, 1 deleted from Projects/Engine,")
    say("                 2 new messages came")


def table(client: Client, local: Maildirs) -> None:
    """Both sides, mailbox by mailbox."""
    say(f"{'':20}{'server':>24}{'Maildir':>27}")
    say(f"{'mailbox':20}{'messages  unread flagged':>24}{'messages  unread flagged':>27}")
    names = client.mailboxes() | local.mailboxes()
    for mailbox in sorted(names, key=lambda name: (name != "INBOX", name)):
        server = list(client.flags(mailbox).values()) if mailbox in client.mailboxes() else []
        files = [file.flags for file in local.files(mailbox)] if mailbox in local.mailboxes() else []
        cells = []
        for side in (server, files):
            unread, flagged = sum("\\Seen" not in one for one in side), sum("\\Flagged" in one for one in side)
            cells.append(f"{len(side):8}{unread:8}{flagged:8}")
        say(f"{mailbox:20}{cells[0]}   {cells[1]}")


def digests(client: Client, local: Maildirs) -> tuple[int, str, str]:
    """How many messages the server has, and one SHA-256 for each side: over mailboxes, flags and octets."""
    server = [
        (mailbox, hashlib.sha256(stored_form(message.octets)).hexdigest(), sorted(message.flags))
        for mailbox in client.mailboxes()
        for message in client.messages(mailbox)
    ]
    files = [
        (mailbox, hashlib.sha256(file.octets).hexdigest(), sorted(file.flags))
        for mailbox in local.mailboxes()
        for file in local.files(mailbox)
    ]
    both = (hashlib.sha256(json.dumps(sorted(side)).encode()).hexdigest() for side in (server, files))
    return (len(server), *both)


def show(server: Server) -> None:
    """The whole demonstration on a running server."""
    user = server.new_user()
    client = Client(server.host, server.port, user, server.password, separator=server.separator, prefix=server.prefix)
    octets = fill(client)
    count = sum(len(client.uids(mailbox)) for mailbox in client.mailboxes())
    say(f"{server.name} runs on {server.host}, port {server.port};")
    say(f"its account holds {count} messages ({octets / 1e6:.1f} MB) in {len(client.mailboxes())} mailboxes")

    step("the configuration, demo/syncer.conf")
    write_configuration(server, user)
    say(CONFIGURATION.read_text().replace(f"{TOP}/", "").rstrip())

    step("the first sync")
    sync()
    local = Maildirs(DEMO / "Mail")

    step("then, with no connection between them")
    act_locally(local, "todo" if client.takes_keywords() else None)
    act_on_the_server(client)

    step("the second sync")
    sync()

    step("the third sync has nothing left to do")
    sync()
    if left := sync(shown=False):
        raise FailedError(f"something was left to do: {left}")

    step("both sides")
    table(client, local)
    compared, server_digest, local_digest = digests(client, local)
    say(f"\nSHA-256 of all {compared} messages with their mailboxes and flags:")
    say(f"server   {server_digest}\nMaildir  {local_digest}")
    client.close()
    if server_digest != local_digest:
        raise FailedError("the two sides are not the same")
    say("The two sides are the same. The Maildir is left in demo/Mail: have a look.")


def main() -> int:
    """Exit status 0 if all is well."""
    os.chdir(TOP)
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    step("a server and an account")
    server = start_server()
    try:
        show(server)
    except FailedError as error:
        say(f"\nThe demonstration failed: {error}.")
        return 1
    finally:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
