"""The journey of the malformed messages: down from a server, up to another account, down again to a third Maildir.

The messages lie in one mailbox, so that each could do harm to all the others.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from e2e.client import RefusedError
from e2e.costs import DATE, Cost, Metered, name_of
from e2e.maildirs import stored_form
from e2e.world import Outcome
from servers.base import MAIL_UID, Server
from servers.dovecot import Dovecot
from servers.mail import note

BOX = "Box"
IDENTICAL, REFUSED, REWRITTEN = "identical", "refused", "rewritten"


@dataclass(frozen=True)
class Message:
    """A message on its way."""

    octets: bytes
    """What a server shows, or should."""
    file: bytes
    """What a file of it holds."""


def put(world: Metered, dovecot: Dovecot, messages: dict[str, bytes]) -> dict[str, int]:
    """Let messages be in the mailbox: by APPEND, or as a file on the server's disk where APPEND will not keep them.

    Returns their UIDs.
    """
    world.client.create(BOX)
    uids = {}
    for number, (name, octets) in enumerate(messages.items()):
        if not _appended(world, octets, DATE + number):
            place(dovecot, world.user, f"{DATE + number}.M{number}.disk", octets, DATE + number)
        uids[name] = world.client.uids(BOX)[-1]
    assert len(set(uids.values())) == len(messages)
    return uids


def _appended(world: Metered, octets: bytes, date: int) -> bool:
    """Append to the octet; whether the server has it and shows it so."""
    try:
        world.client.fill(BOX, [(octets, frozenset(), date)])
    except RefusedError:
        return False
    (newest,) = world.client.messages(BOX, "*")
    if newest.octets != octets:
        world.client.expunge(BOX, [newest.uid])
    return newest.octets == octets


def place(dovecot: Dovecot, user: str, name: str, octets: bytes, date: int) -> None:
    """Put a message file into the mailbox on the disk of a Dovecot that keeps Maildirs."""
    path = dovecot.mail(user) / BOX / "new" / name
    path.write_bytes(octets)
    os.utime(path, (date, date))
    if os.geteuid() == 0:
        os.chown(path, MAIL_UID, MAIL_UID)


def write(world: Metered, messages: dict[str, Message]) -> dict[str, str]:
    """Files new in the Maildir, to the octet; returns the unique name of each."""
    world.local.create(BOX)
    names = uniques(messages)
    for number, (name, message) in enumerate(messages.items()):
        path = world.local.directory(BOX) / "new" / names[name]
        path.write_bytes(message.file)
        os.utime(path, (DATE + number, DATE + number))
    return names


def uniques(names: Iterable[str]) -> dict[str, str]:
    """A unique name for each."""
    return {name: f"{DATE + number}.M{number}.odd" for number, name in enumerate(names)}


def shown(world: Metered) -> dict[int, bytes]:
    """What the server shows, by UID."""
    return {message.uid: message.octets for message in world.client.messages(BOX)}


def stored(world: Metered) -> dict[int, bytes]:
    """What the Maildir holds, by the UID that the index says."""
    files = {file.unique: file.octets for file in world.local.files(BOX)}
    return {uid: files[unique] for uid, unique in paired(world).items()}


def paired(world: Metered) -> dict[int, str]:
    """The unique name of each UID, as the index says."""
    query = "SELECT uid, pair.name FROM pair JOIN mailbox ON mailbox.id = mailbox_id WHERE mailbox.name = ?"
    with closing(sqlite3.connect(world.directory / "state/test.db")) as database:
        return {uid: name.decode() for uid, name in database.execute(query, (BOX.encode(),))}


def lose_the_index(world: Metered) -> None:
    """As if the program had never run here."""
    shutil.rmtree(world.directory / "state")


def counted(world: Metered, *arguments: str) -> tuple[Outcome, Cost]:
    """Sync, however it ends: what was said, and what it cost."""
    world.proxy.taken()
    outcome = world.sync(*arguments)
    count = world.proxy.taken()
    assert "Traceback" not in outcome.err, outcome.err
    return outcome, Cost.of(count, map(name_of, count.lines))


def down(world: Metered) -> dict[int, bytes]:
    """Everything comes down as the server shows it; the next sync has nothing to do; nor has one without its index."""
    world.sync().done()
    files = stored(world)
    assert files == {uid: stored_form(octets) for uid, octets in shown(world).items()}
    assert len(world.local.files(BOX)) == len(files)
    world.settle()
    assert bodies(world.quiet()) == []
    lose_the_index(world)
    assert world.sync().done().totals == {}
    assert stored(world) == files
    assert len(world.local.files(BOX)) == len(files)
    world.sync().quiet()
    return files


def beside(world: Metered) -> None:
    """Each message in a mailbox of its own, where a new one arrives: that is no reason to doubt the mailbox."""
    boxes = {uid: f"M{uid}" for uid in world.client.uids(BOX)}
    for uid, mailbox in boxes.items():
        world.client.create(mailbox)
        world.client.copy(BOX, [uid], mailbox)
    world.sync().done()
    for mailbox in boxes.values():
        world.client.append(mailbox, note("new"))
    assert world.sync().done().totals["downloaded"] == len(boxes)
    world.sync("--full").quiet()


def bodies(cost: Cost) -> list[str]:
    """Commands that ask for whole messages, or bring some.

    Not those that ask for a header block that no empty line ends, which is all of its message.
    """
    return [line for line in cost.lines if "BODY.PEEK[]" in line and "(UID BODY.PEEK[])" not in line]


def up(world: Metered, messages: dict[str, Message]) -> dict[str, str]:
    """Send files; returns what became of each.

    What the server refuses is said, with mailbox and file; two further syncs say it again, change nothing, and cost
    the same.
    """
    names = write(world, messages)
    first, _ = counted(world)
    uids = {unique: uid for uid, unique in paired(world).items()}
    server = shown(world)
    verdicts: dict[str, str] = {}
    for name, unique in names.items():
        if unique in uids:
            verdicts[name] = IDENTICAL if server[uids[unique]] == messages[name].octets else REWRITTEN
        else:
            assert told(first, unique), f"{name} is neither on the server nor said to be refused:\n{first.err}"
            verdicts[name] = REFUSED
    refused = [names[name] for name, verdict in verdicts.items() if verdict == REFUSED]
    assert first.status == (1 if refused else 0), first.err
    assert len(server) == len(uids) == len(messages) - len(refused)
    costs = []
    for _ in range(3):
        outcome, cost = counted(world)
        assert outcome.totals == {}, outcome.out
        assert outcome.status == first.status
        assert all(told(outcome, unique) for unique in refused), outcome.err
        assert bodies(cost) == []
        costs.append(cost)
    assert shown(world) == server
    assert {file.unique: file.octets for file in world.local.files(BOX)} == {
        names[name]: message.file for name, message in messages.items()
    }
    assert costs[1].numbers == costs[2].numbers
    assert costs[2].sent <= costs[1].sent <= costs[0].sent
    return verdicts


def told(outcome: Outcome, unique: str) -> bool:
    """Whether a line names the mailbox and the file."""
    return any(f"test:{BOX}" in line and f"{unique} not uploaded" in line for line in outcome.err.splitlines())


class Travels:
    """Worlds for journeys, each in a directory of its own below `place`."""

    def __init__(self, place: Path) -> None:
        """Nothing is made yet."""
        self._place = place
        self._made: list[Metered] = []

    def __enter__(self) -> Self:
        """Make the directory."""
        self._place.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        """End every world, while the servers are there."""
        for made in self._made:
            made.close()

    def world(self, server: Server, user: str | None = None, **settings: Any) -> Metered:
        """A world on a fresh account, or on that of `user`."""
        directory = self._place / f"world{len(self._made)}"
        directory.mkdir()
        made = Metered(server, directory, **settings)
        self._made.append(made)
        if user is not None:
            made.user = user
            made.configure(user=user)
        return made

    def begin(self, dovecot: Dovecot, messages: dict[str, bytes]) -> dict[str, Message]:
        """The messages on a Dovecot that keeps Maildirs, and their files when they have come down.

        Of those that it does not show as they are there is another as it was, which only a Maildir can hold.
        """
        world = self.world(dovecot)
        uids = put(world, dovecot, messages)
        files, seen = down(world), shown(world)
        came = {name: Message(seen[uid], files[uid]) for name, uid in uids.items()}
        beside(world)
        raw = {name: octets for name, octets in messages.items() if octets != came[name].octets and b"\r" in octets}
        return came | {f"{name}, as sent": Message(octets, stored_form(octets)) for name, octets in raw.items()}

    def onward(self, server: Server, messages: dict[str, Message]) -> dict[str, str]:
        """Up to another account and down to a third Maildir: what became of each."""
        second = self.world(server)
        verdicts = up(second, messages)
        third = self.world(server, second.user)
        came = down(third)
        beside(third)
        names = {unique: name for name, unique in uniques(messages).items()}
        for uid, unique in paired(second).items():
            name = names[unique]
            assert (came[uid] == messages[name].file) is (verdicts[name] == IDENTICAL), name
        return verdicts
