"""The scene of the trials that stop one sync in the middle: that sync has everything to do, and little of each.

Both sides were made equal, then both persons acted. This is done once for a server; a case gets copies of all that
there is: the account's home on the server, the Maildir and the index. What both sides must hold in the end is written
here by hand (`END`), so a run that is equal to it is right, whatever another run did.

The copies have other inodes, so the program reads every directory again, as after a backup was put back.
"""

import random
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from e2e.client import Client, ServerMessage
from e2e.maildirs import File, Maildirs, stored_form
from e2e.world import Copy, World, by_mailbox
from servers.dovecot import Dovecot
from servers.mail import FIRST_DAY, note, token_of

from torture import tracing

Contents = Mapping[str, Mapping[str, str]]
"""Mailbox, token, flags with spaces between them."""

BASE: Contents = {
    "INBOX": {
        "a1": "", "a2": "", "a3": r"\Seen", "a4": "", "a5": r"\Seen", "a6": "", "a7": "", "a8": r"\Flagged", "a9": "",
    },
    "Box": {"b1": "", "b2": "work", "b3": "", "b4": r"\Seen", "b5": "", "b6": ""},
    "Old": {"o1": "", "o2": "", "o3": r"\Seen", "o4": ""},
    "Theirs": {"t1": r"\Seen", "t2": ""},
    "Ours": {"u1": "", "u2": r"\Answered"},
    "Ended there": {"e1": ""},
    "Ended here": {"f1": ""},
}  # fmt: skip
"""Both sides, before."""

END: Contents = {
    "INBOX": {
        "a1": r"\Flagged \Seen", "a2": r"\Flagged work", "a3": "", "a6": r"\Answered", "a9": "", "o1": "",
        "n1": "", "n2": r"\Seen", "n3": r"\Flagged work", "m1": "", "m2": r"\Seen", "m3": r"\Answered todo",
    },
    "Box": {"a5": r"\Flagged \Seen", "b3": "todo", "b4": "", "b6": "", "o2": r"\Answered", "n4": "", "m4": ""},
    "Old": {"a8": r"\Flagged", "b2": "work", "o3": r"\Seen", "o4": ""},
    "Theirs now": {"t1": r"\Seen", "t2": ""},
    "Ours now": {"u1": "", "u2": r"\Answered"},
    "Begun there": {"c1": r"\Draft"},
    "Begun here": {"k1": r"\Seen"},
}  # fmt: skip
"""Both sides, after."""

MARKED: Contents = {"INBOX": {"a7": r"\Deleted"}, "Box": {"b5": r"\Deleted"}}
"""What a server without UIDPLUS keeps besides: deleted here, and only marked there."""

REMOVED = frozenset({"a4", "b1", "e1"})
"""Expunged on the server: these go from the Maildir to the attic."""

ROUND = 25
"""Up to a multiple of this the number of calls is rounded."""

SIZES = {"a5": 4000, "n2": 20_000, "n4": 3000, "m1": 9000}
BORN = {token: FIRST_DAY + 3600 * number for number, token in enumerate(
    sorted({token for contents in (BASE, END) for tokens in contents.values() for token in tokens})
)}  # fmt: skip
"""When each message was written: its Date, INTERNALDATE and mtime."""


def octets(token: str) -> bytes:
    """The message, as the server has it."""
    return note(token, size=SIZES.get(token, 0), date=BORN[token])


class Scene:
    """The scene on one server, kept below `place` to be copied."""

    def __init__(self, server: Dovecot, place: Path) -> None:
        """Build it."""
        self.server = server
        self.uidplus = "UIDPLUS" not in server.hide
        self._place = place
        world = World(server, place, here=True, mailbox_changes="all", connections=1)
        self.user = world.user
        _fill(world.client)
        world.sync().done()
        world.converged()
        _act_there(world.client)
        _act_here(world.local)
        world.close()
        self._wait_until_alone(world.user)

    def copied(self, place: Path, connections: int) -> World:
        """A world of its own in which all this has happened, and the sync has not."""
        world = World(self.server, place, here=True, mailbox_changes="all", connections=connections)
        home = self.server.home
        for source, target in (
            (self._place / "mail", place / "mail"),
            (self._place / "state", place / "state"),
            (home(self.user), home(world.user)),
        ):
            subprocess.run(["cp", "-a", str(source), str(target)], check=True)
        with closing(sqlite3.connect(place / "state" / "test.db")) as index, index:
            # With another user name everything would be compared anew: the shortcuts are part of what is tried.
            index.execute(
                "UPDATE mailbox SET settings = replace(settings, ?, ?)", (f"'{self.user}'", f"'{world.user}'")
            )
        return world

    def forget(self, world: World) -> None:
        """Remove a copy's account; its directory is the caller's."""
        world.close()
        shutil.rmtree(self.server.home(world.user), ignore_errors=True)

    def settle(self, world: World) -> None:
        """Wait until the server has noticed that nobody is there any more: what it was sent, it still does."""
        world.close()
        world.__dict__.pop("client", None)
        self._wait_until_alone(world.user)

    def faults(self, world: World, *, dates: bool = True) -> list[str]:
        """Everything in which the two sides are not what they must be at the end, in words.

        Without `dates`, files may have others: keeping them is best effort.
        """
        marked = {} if self.uidplus else MARKED
        wanted_there = by_mailbox([*_copies(END), *_copies(marked)])
        found = []
        for side, there, wanted in (
            ("on the server", by_mailbox(world.on_server()), wanted_there),
            ("in the Maildir", by_mailbox(world.on_disk()), by_mailbox(_copies(END))),
        ):
            found += [
                f"{side}, {mailbox}: {there.get(mailbox, [])} instead of {wanted.get(mailbox, [])}"
                for mailbox in sorted(there.keys() | wanted.keys())
                if there.get(mailbox) != wanted.get(mailbox)
            ]
        for side, names in (("on the server", world.client.mailboxes()), ("in the Maildir", world.local.mailboxes())):
            if names != set(END):
                found.append(f"{side} there are the mailboxes {sorted(names)}")
        found += [fault for mailbox in world.client.mailboxes() for fault in _there(world.client.messages(mailbox))]
        for mailbox in world.local.mailboxes():
            found += _here(world.local.files(mailbox), dates=dates)
        if lacking := REMOVED - in_attic(world):
            found.append(f"neither in the Maildir nor in the attic: {sorted(lacking)}")
        return found

    def reference(self, place: Path, names: Sequence[str], *, opening: bool) -> int:
        """How many calls of these names an undisturbed run makes, which has to reach the end.

        It makes a few more or less each time. Rounded up, so that they are all met and cases keep their numbers.
        """
        place.mkdir()
        world = self.copied(place, 1)
        try:
            outcome, calls = tracing.sync(world, names, opening=opening)
            outcome.done()
            faults = self.faults(world)
            assert not faults, "the undisturbed run:\n" + "\n".join(faults)
            world.sync().quiet()
        finally:
            self.forget(world)
        return -(-len(calls) // ROUND) * ROUND

    def _wait_until_alone(self, user: str) -> None:
        end = time.monotonic() + 10
        while user in self.server.doveadm("who", "-1", user).split():
            assert time.monotonic() < end, f"{user} is still logged in after 10 seconds"
            time.sleep(0.01)


def again(total: int, number: int) -> str:
    """The options that play a case again (see `trials.chosen`)."""
    return f"--first {random.Random(total).sample(range(total), total).index(number)} --count 1"


def lost(world: World) -> list[str]:
    """Messages of the end that are, at this moment, on neither side and not in the attic."""
    there = {token for _, token, _ in (*world.on_server(), *world.on_disk())}
    return sorted({token for _, token, _ in _copies(END)} - there - in_attic(world))


def in_attic(world: World) -> set[str]:
    """The messages that the program has taken out of the Maildir."""
    attic = world.directory / "state" / "attic"
    return {token_of(path.read_bytes()) for path in attic.rglob("*") if path.is_file()}


def _copies(contents: Contents) -> list[Copy]:
    return [
        (mailbox, token, frozenset(flags.split()))
        for mailbox, tokens in contents.items()
        for token, flags in tokens.items()
    ]


def _there(messages: list[ServerMessage]) -> list[str]:
    faults = []
    for message in messages:
        token = token_of(message.octets)
        if message.octets != octets(token):
            faults.append(f"on the server {token} has other octets: {message.octets!r}")
        if message.date != BORN[token]:
            faults.append(f"on the server {token} has the date {message.date}, not {BORN[token]}")
    return faults


def _here(files: list[File], *, dates: bool) -> list[str]:
    faults = []
    for file in files:
        token = token_of(file.octets)
        if file.octets != stored_form(octets(token)):
            faults.append(f"in the Maildir {token} has other octets: {file.octets!r}")
        if dates and file.mtime != BORN[token]:
            faults.append(f"in the Maildir {token} has the date {file.mtime}, not {BORN[token]}")
    return faults


def _fill(client: Client) -> None:
    for mailbox, tokens in BASE.items():
        if mailbox != "INBOX":
            client.create(mailbox)
        client.fill(
            mailbox, [(octets(token), frozenset(flags.split()), BORN[token]) for token, flags in tokens.items()]
        )


def _act_there(client: Client) -> None:
    """What was done at the other mail program."""

    def uid(mailbox: str, token: str) -> list[int]:
        return [message.uid for message in client.messages(mailbox) if token_of(message.octets) == token]

    client.append("INBOX", octets("n1"), [], BORN["n1"])
    client.append("INBOX", octets("n2"), [r"\Seen"], BORN["n2"])
    client.append("INBOX", octets("n3"), [r"\Flagged", "work"], BORN["n3"])
    client.append("Box", octets("n4"), [], BORN["n4"])
    client.store("INBOX", uid("INBOX", "a1"), "+FLAGS", [r"\Seen"])
    client.store("INBOX", uid("INBOX", "a2"), "+FLAGS", [r"\Flagged", "work"])
    client.store("INBOX", uid("INBOX", "a3"), "-FLAGS", [r"\Seen"])
    client.store("Old", uid("Old", "o2"), "+FLAGS", [r"\Answered"])
    client.expunge("INBOX", uid("INBOX", "a4"))
    client.expunge("Box", uid("Box", "b1"))
    client.move("INBOX", uid("INBOX", "a5"), "Box")
    client.move("Box", uid("Box", "b2"), "Old")
    client.create("Begun there")
    client.append("Begun there", octets("c1"), [r"\Draft"], BORN["c1"])
    client.rename_mailbox("Theirs", "Theirs now")
    client.delete_mailbox("Ended there")


def _act_here(local: Maildirs) -> None:
    """What was done in the Maildir."""

    def file(mailbox: str, token: str) -> File:
        (found,) = (file for file in local.files(mailbox) if token_of(file.octets) == token)
        return found

    local.deliver("INBOX", octets("m1"), [], BORN["m1"])
    local.deliver("INBOX", octets("m2"), [r"\Seen"], BORN["m2"])
    local.deliver("INBOX", octets("m3"), [r"\Answered", "todo"], BORN["m3"])
    local.deliver("Box", octets("m4"), [], BORN["m4"])
    local.change_flags("INBOX", file("INBOX", "a1"), add=[r"\Flagged"])
    local.change_flags("INBOX", file("INBOX", "a5"), add=[r"\Flagged"])
    local.change_flags("INBOX", file("INBOX", "a6"), add=[r"\Answered"])
    local.change_flags("Box", file("Box", "b3"), add=["todo"])
    local.change_flags("Box", file("Box", "b4"), remove=[r"\Seen"])
    local.delete(file("INBOX", "a7"))
    local.delete(file("Box", "b5"))
    local.move("INBOX", file("INBOX", "a8"), "Old", keep_name=True)
    local.move("Old", file("Old", "o1"), "INBOX", keep_name=False)
    local.move("Old", file("Old", "o2"), "Box", keep_name=True)
    local.create("Begun here")
    local.deliver("Begun here", octets("k1"), [r"\Seen"], BORN["k1"])
    local.rename_mailbox("Ours", "Ours now")
    local.delete_mailbox("Ended here")
